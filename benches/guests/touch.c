/* First touch of fresh anonymous memory, one write a page. */
#include "bench.h"

#include <sys/mman.h>

int main(int argc, char **argv)
{
	const size_t size = (size_t)argument(argc, argv, 1, 1024) << 20;
	const uint64_t start = now_ns();
	volatile char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		fail("mmap");
	for (size_t at = 0; at < size; at += 4096)
		memory[at] = 1;
	return report((double)(now_ns() - start));
}
