/* A signal to the own process: kill, the handler, and the return from it. */
#include "bench.h"

#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t handled;

static void handler(int number)
{
	(void)number;
	handled++;
}

int main(int argc, char **argv)
{
	const uint64_t limit = argument(argc, argv, 1, 200) * 1000000u;
	const int batch = 500;
	const struct sigaction action = { .sa_handler = handler };
	const pid_t self = getpid();

	if (sigaction(SIGUSR1, &action, NULL) != 0)
		fail("sigaction");
	const uint64_t start = now_ns();
	uint64_t signals = 0, elapsed;

	do {
		handled = 0;
		for (int i = 0; i < batch; i++)
			if (kill(self, SIGUSR1) != 0)
				fail("kill");
		if (handled != batch) {
			fputs("signals were lost\n", stderr);
			return 1;
		}
		signals += (uint64_t)batch;
		elapsed = now_ns() - start;
	} while (elapsed < limit);
	return report((double)elapsed / (double)signals);
}
