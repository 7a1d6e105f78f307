/* What the benchmark guests share. Each guest times itself and prints one
 * number, nanoseconds, on standard output; the harness compares the numbers
 * of different runners and knows what one repetition stands for. */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static inline _Noreturn void fail(const char *what)
{
	perror(what);
	exit(1);
}

static inline int report(double ns)
{
	if (printf("%.3f\n", ns) < 0 || fflush(stdout) != 0)
		return 1;
	return 0;
}

/* The number given as argument `index`, or what is used without it. */
static inline uint64_t argument(int argc, char **argv, int index, uint64_t otherwise)
{
	char *end;
	uint64_t value;

	if (argc <= index)
		return otherwise;
	value = strtoull(argv[index], &end, 10);
	if (*end != '\0' || value == 0) {
		fprintf(stderr, "%s: '%s' is not a positive number\n", argv[0], argv[index]);
		exit(2);
	}
	return value;
}

#endif
