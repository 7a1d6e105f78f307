/* What a program can ask km for, beside Linux's system calls.
 *
 * Link with -lkontain. The calls fail with ENOSYS where the program does not run
 * under km, so the same binary works natively. */
#ifndef KONTAIN_H
#define KONTAIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Numbers of km's own calls (syscall(2)). */
#define KONTAIN_SYS_info 0xf000
#define KONTAIN_SYS_stats 0xf001

/* The version of the contract between km and its C library that this header
 * is of. */
#define KONTAIN_ABI 1

struct kontain_info {
	uint32_t abi;
	uint32_t reserved;
	char version[32]; /* of km, as km --version has it */
	char commit[32];  /* that it was built from */
};

struct kontain_stats {
	/* Exits from the virtual machine. */
	uint64_t system_calls, page_faults, exceptions, host_faults, signals;
	/* System calls that have ended, how many of them failed, and what they took
	 * in the monitor and the host together, in nanoseconds. */
	uint64_t calls, errors, nanoseconds;
};

/* Whether the program runs under km: 1 or 0. Never fails; errno is kept. */
int kontain_is_running(void);

/* What km it is. 0, or -1 with errno set: ENOSYS natively. */
int kontain_info(struct kontain_info *info);

/* km's version, "" natively; never a null pointer. Not to be changed; the same
 * for all threads. */
const char *kontain_version(void);

/* Counters of the calling process, since it began. 0, or -1 with errno set:
 * ENOSYS natively, ENODATA where km runs without --stats. */
int kontain_stats(struct kontain_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
