/* Two threads hand a word to and fro: each waits until it is its turn, gives
 * the turn to the other one, and wakes it. Reports the time of one hand-over:
 * a wake and a wait. */
#include "bench.h"
#include "futex.h"

#include <errno.h>
#include <pthread.h>

static _Atomic int turn;
static uint64_t rounds;

static void play(int own)
{
	for (uint64_t i = 0; i < rounds; i++) {
		while (turn != own)
			futex(&turn, FUTEX_WAIT | FUTEX_PRIVATE, !own);
		turn = !own;
		futex(&turn, FUTEX_WAKE | FUTEX_PRIVATE, 1);
	}
}

static void *other(void *unused)
{
	play(1);
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	rounds = argument(argc, argv, 1, 2000);
	errno = pthread_create(&thread, NULL, other, NULL);
	if (errno != 0)
		fail("pthread_create");
	const uint64_t start = now_ns();

	play(0);
	errno = pthread_join(thread, NULL);
	if (errno != 0)
		fail("pthread_join");
	return report((double)(now_ns() - start) / (double)(2 * rounds));
}
