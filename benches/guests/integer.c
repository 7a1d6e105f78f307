/* Integer arithmetic, multiplication and branches: steps of the Collatz
 * sequence. The total is known, so a wrong result cannot pass for a fast one. */
#include "bench.h"

static uint64_t steps_below(uint64_t end)
{
	uint64_t steps = 0;

	for (uint64_t start = 1; start < end; start++)
		for (uint64_t n = start; n != 1; steps++)
			n = n & 1 ? 3 * n + 1 : n / 2;
	return steps;
}

int main(int argc, char **argv)
{
	const uint64_t rounds = argument(argc, argv, 1, 3);
	const uint64_t start = now_ns();

	for (uint64_t i = 0; i < rounds; i++) {
		volatile uint64_t end = 1000000;

		if (steps_below(end) != 131434272) {
			fputs("wrong number of steps\n", stderr);
			return 1;
		}
	}
	return report((double)(now_ns() - start));
}
