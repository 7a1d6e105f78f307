/* Scalar floating point: Leibniz' series, whose value is known. */
#include "bench.h"

int main(int argc, char **argv)
{
	const uint64_t terms = argument(argc, argv, 1, 400) * 1000000u;
	const uint64_t start = now_ns();
	double sum = 0.0, sign = 4.0, denominator = 1.0;

	for (uint64_t i = 0; i < terms; i++) {
		sum += sign / denominator;
		sign = -sign;
		denominator += 2.0;
	}
	const uint64_t elapsed = now_ns() - start;

	if (!(sum > 3.14159 && sum < 3.14160)) {
		fprintf(stderr, "pi came out as %f\n", sum);
		return 1;
	}
	return report((double)elapsed);
}
