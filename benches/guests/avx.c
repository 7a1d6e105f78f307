/* 256-bit vectors: repeated multiply and add over a block that
 * stays in the first-level cache. Needs AVX2: exit code 77 where the CPU, as
 * the runner shows it, has none. */
#include "bench.h"

#include <immintrin.h>

enum { LANES = 8, VECTORS = 512 };

static float block[LANES * VECTORS] __attribute__((aligned(32)));

__attribute__((target("avx2"))) static void pass(void)
{
	const __m256 half = _mm256_set1_ps(0.5f), one = _mm256_set1_ps(1.0f);

	for (int i = 0; i < VECTORS; i++) {
		const __m256 v = _mm256_load_ps(block + LANES * i);

		_mm256_store_ps(block + LANES * i, _mm256_add_ps(_mm256_mul_ps(v, half), one));
	}
}

int main(int argc, char **argv)
{
	const uint64_t passes = argument(argc, argv, 1, 1000) * 1000u;

	if (!__builtin_cpu_supports("avx2"))
		return 77;
	const uint64_t start = now_ns();

	for (uint64_t i = 0; i < passes; i++) {
		pass();
		__asm__ volatile("" ::: "memory");
	}
	const uint64_t elapsed = now_ns() - start;

	/* x -> x/2 + 1 ends at its fixed point, 2, whatever it starts from. */
	for (int i = 0; i < LANES * VECTORS; i++)
		if (block[i] < 1.999f || block[i] > 2.0f)
			return 1;
	return report((double)elapsed);
}
