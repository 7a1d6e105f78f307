/* Integer arithmetic, multiplication and branches: steps of the Collatz
 * sequence, by one thread or by several side by side. The total is known, so a
 * wrong result cannot pass for a fast one. */
#include "bench.h"

#include <errno.h>
#include <pthread.h>

enum { MOST_THREADS = 64 };

static uint64_t rounds;

static uint64_t steps_below(uint64_t end)
{
	uint64_t steps = 0;

	for (uint64_t start = 1; start < end; start++)
		for (uint64_t n = start; n != 1; steps++)
			n = n & 1 ? 3 * n + 1 : n / 2;
	return steps;
}

static void *work(void *unused)
{
	for (uint64_t i = 0; i < rounds; i++) {
		volatile uint64_t end = 1000000;

		if (steps_below(end) != 131434272) {
			fputs("wrong number of steps\n", stderr);
			exit(1);
		}
	}
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t others[MOST_THREADS];
	const uint64_t threads = argument(argc, argv, 2, 1);

	rounds = argument(argc, argv, 1, 3);
	if (threads > MOST_THREADS) {
		fprintf(stderr, "at most %d threads\n", MOST_THREADS);
		return 2;
	}
	const uint64_t start = now_ns();

	for (uint64_t i = 1; i < threads; i++) {
		errno = pthread_create(&others[i], NULL, work, NULL);
		if (errno != 0)
			fail("pthread_create");
	}
	work(NULL);
	for (uint64_t i = 1; i < threads; i++) {
		errno = pthread_join(others[i], NULL);
		if (errno != 0)
			fail("pthread_join");
	}
	return report((double)(now_ns() - start));
}
