/* pread or pwrite of a file that is in memory, in blocks of 1 MiB; reports the
 * time of one block. Writing overwrites what is there: the file's pages exist. */
#include "bench.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 1 << 20 };

static char block[BLOCK];

int main(int argc, char **argv)
{
	struct stat st;
	uint64_t blocks = 0, elapsed;

	if (argc < 3 || (strcmp(argv[1], "read") != 0 && strcmp(argv[1], "write") != 0)) {
		fprintf(stderr, "usage: %s read|write FILE [MILLISECONDS]\n", argv[0]);
		return 2;
	}
	const int writes = strcmp(argv[1], "write") == 0;
	const uint64_t limit = argument(argc, argv, 3, 500) * 1000000u;
	const int fd = open(argv[2], O_RDWR);

	if (fd < 0 || fstat(fd, &st) != 0)
		fail(argv[2]);
	memset(block, 1, sizeof(block));
	const off_t end = st.st_size / BLOCK * BLOCK;
	const uint64_t start = now_ns();

	if (end == 0) {
		fputs("the file is shorter than a block\n", stderr);
		return 2;
	}
	do {
		for (off_t at = 0; at < end; at += BLOCK) {
			const ssize_t done = writes ? pwrite(fd, block, BLOCK, at) : pread(fd, block, BLOCK, at);

			if (done != BLOCK)
				fail(argv[1]);
		}
		blocks += (uint64_t)(end / BLOCK);
		elapsed = now_ns() - start;
	} while (elapsed < limit);
	return report((double)elapsed / (double)blocks);
}
