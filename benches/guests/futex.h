/* Futexes without the C library's help: usable in threads that have no thread
 * pointer of their own, and one system call for each word written here. */
#ifndef FUTEX_H
#define FUTEX_H

#include <sys/syscall.h>

enum { FUTEX_WAIT = 0, FUTEX_WAKE = 1, FUTEX_PRIVATE = 128 };

static inline long futex(_Atomic int *word, int operation, int value)
{
	register const void *timeout __asm__("r10") = 0;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"((long)SYS_futex), "D"(word), "S"((long)operation), "d"((long)value),
			   "r"(timeout)
			 : "rcx", "r11", "memory");
	return result;
}

#endif
