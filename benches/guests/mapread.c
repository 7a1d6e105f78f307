/* Reads every word of a cached file through a shared mapping. */
#include "bench.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

int main(int argc, char **argv)
{
	struct stat st;
	uint64_t sum = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: %s FILE\n", argv[0]);
		return 2;
	}
	const int fd = open(argv[1], O_RDONLY);

	if (fd < 0 || fstat(fd, &st) != 0)
		fail(argv[1]);
	const size_t size = (size_t)st.st_size;
	const uint64_t start = now_ns();
	const uint64_t *words = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

	if (words == MAP_FAILED)
		fail("mmap");
	for (size_t i = 0; i < size / sizeof(*words); i++)
		sum += words[i];
	const uint64_t elapsed = now_ns() - start;

	/* The harness fills the file with bytes of value 1. */
	if (sum != size / sizeof(*words) * UINT64_C(0x0101010101010101)) {
		fputs("the file does not hold what was written\n", stderr);
		return 1;
	}
	return report((double)elapsed);
}
