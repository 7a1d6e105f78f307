/* clock_gettime through the C library, as programs call it: the vDSO's code
 * where the runner offers one, a system call where it does not. */
#include "bench.h"

int main(int argc, char **argv)
{
	const uint64_t limit = argument(argc, argv, 1, 200) * 1000000u;
	const uint64_t batch = 1000;
	const uint64_t start = now_ns();
	uint64_t calls = 0, before = start, elapsed;

	do {
		for (uint64_t i = 0; i < batch; i++) {
			const uint64_t now = now_ns();

			if (now < before) {
				fputs("the monotonic clock went back\n", stderr);
				return 1;
			}
			before = now;
		}
		calls += batch;
		elapsed = before - start;
	} while (elapsed < limit);
	return report((double)elapsed / (double)calls);
}
