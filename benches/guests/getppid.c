/* The hypercall round trip: a system call that does next to nothing, and that
 * no runner can answer from a cache in the C library. */
#include "bench.h"

#include <sys/syscall.h>

static inline long raw_getppid(void)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"((long)SYS_getppid)
			 : "rcx", "r11", "memory");
	return result;
}

int main(int argc, char **argv)
{
	const uint64_t limit = argument(argc, argv, 1, 200) * 1000000u;
	const uint64_t batch = 500;
	const long parent = raw_getppid();
	const uint64_t start = now_ns();
	uint64_t calls = 0, elapsed;

	do {
		for (uint64_t i = 0; i < batch; i++)
			if (raw_getppid() != parent)
				return 1;
		calls += batch;
		elapsed = now_ns() - start;
	} while (elapsed < limit);
	return report((double)elapsed / (double)calls);
}
