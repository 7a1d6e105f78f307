/* Threads created and joined, by clone, exit and futex alone: three system
 * calls a thread, and no C library's work around them.
 *
 *   new     each thread creates the next one and waits for its end, so that all
 *           are alive at once and none can take over what another one left
 *   reused  one after the other, each gone before the next
 *
 * Reports the time of one thread. */
#define _GNU_SOURCE
#include "bench.h"
#include "futex.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

enum { MOST = 256, STACK = 4096 };

static char stacks[MOST][STACK] __attribute__((aligned(STACK)));
/* A thread's number for as long as it lives, written by the kernel. */
static _Atomic int alive[MOST];
static uint64_t chain, ran;
static int trouble;

/* clone, and in the new thread `body(index)` and exit. The thread pointer stays
 * the creator's, so `body` keeps away from the C library. */
long start_thread(unsigned long flags, char *stack, _Atomic int *parent_tid, _Atomic int *child_tid,
		  void (*body)(uint64_t), uint64_t index);
__asm__(".globl start_thread\n"
	".type start_thread, @function\n"
	"start_thread:\n"
	"	movq %rcx, %r10\n" /* child_tid */
	"	movl $56, %eax\n" /* clone */
	"	syscall\n"
	"	testq %rax, %rax\n"
	"	jnz 1f\n"
	"	xorl %ebp, %ebp\n"
	"	movq %r9, %rdi\n"
	"	callq *%r8\n"
	"	xorl %edi, %edi\n"
	"	movl $60, %eax\n" /* exit */
	"	syscall\n"
	"	hlt\n"
	"1:	ret\n");

static int create(uint64_t index, void (*body)(uint64_t))
{
	const unsigned long flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
				    CLONE_SYSVSEM | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
	const long id = start_thread(flags, stacks[index] + STACK, &alive[index], &alive[index], body, index);

	if (id < 0)
		trouble = (int)-id;
	return id > 0;
}

static void join(uint64_t index)
{
	int id;

	/* Not private: the kernel's own wake at the end of a thread is not. */
	while ((id = alive[index]) != 0)
		futex(&alive[index], FUTEX_WAIT, id);
}

static void count(uint64_t index)
{
	(void)index;
	ran++;
}

static void link(uint64_t index)
{
	ran++;
	if (index + 1 < chain && create(index + 1, link))
		join(index + 1);
}

int main(int argc, char **argv)
{
	if (argc < 2 || (strcmp(argv[1], "new") != 0 && strcmp(argv[1], "reused") != 0)) {
		fprintf(stderr, "usage: %s new|reused [THREADS]\n", argv[0]);
		return 2;
	}
	const int all_new = strcmp(argv[1], "new") == 0;
	const uint64_t threads = argument(argc, argv, 2, 64);

	if (all_new && threads > MOST) {
		fprintf(stderr, "at most %d threads at once\n", MOST);
		return 2;
	}
	/* Fresh pages are not what is measured. */
	memset(stacks, 1, sizeof(stacks));
	chain = all_new ? threads : 1;
	const uint64_t start = now_ns();

	for (uint64_t done = 0; done < threads && trouble == 0; done += chain)
		if (create(0, all_new ? link : count))
			join(0);
	const uint64_t elapsed = now_ns() - start;

	if (trouble != 0) {
		errno = trouble;
		fail("clone");
	}
	if (ran != threads) {
		fputs("not every thread ran\n", stderr);
		return 1;
	}
	return report((double)elapsed / (double)threads);
}
