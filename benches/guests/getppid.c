/* The hypercall round trip: a system call that does next to nothing, and that
 * no runner can answer from a cache. The C library makes it, its own way. */
#include "bench.h"

#include <unistd.h>

int main(int argc, char **argv)
{
	const uint64_t limit = argument(argc, argv, 1, 200) * 1000000u;
	const uint64_t batch = 500;
	const pid_t parent = getppid();
	const uint64_t start = now_ns();
	uint64_t calls = 0, elapsed;

	do {
		for (uint64_t i = 0; i < batch; i++)
			if (getppid() != parent)
				return 1;
		calls += batch;
		elapsed = now_ns() - start;
	} while (elapsed < limit);
	return report((double)elapsed / (double)calls);
}
