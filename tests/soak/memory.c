// Actions: mappings and the heap.
#include "soak.h"
#include <sys/mman.h>

uint64_t memory(uint64_t seed)
{
    uint64_t r = ~seed, wrong = 0;
    for (unsigned i = 0, n = 1 + below(&r, 4); i < n; i++) {
        size_t pages = 2 + below(&r, 30);
        int fd = -1, kind = (int)below(&r, 4);
        if (kind == 0 && ((fd = memfd_create("soak", MFD_CLOEXEC)) == -1 || ftruncate(fd, (off_t)(pages * PAGE))))
            return off("memfd_create", 1, 0);
        char *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
        if (at == MAP_FAILED)
            return off("mmap", 1, 0);
        for (size_t p = 0; p < pages; p++)
            memcpy(at + p * PAGE, &seed, sizeof seed);
        if (kind == 1) {
            size_t more = pages + 1 + below(&r, 16);
            char *moved = mremap(at, pages * PAGE, more * PAGE, MREMAP_MAYMOVE);
            wrong += off("mremap", moved == MAP_FAILED, 0);
            at = moved;
            pages = more;
        } else if (kind == 2) {
            madvise(at + PAGE, PAGE, MADV_DONTNEED);
            wrong += off("given up", (uint64_t)at[PAGE], 0);
        } else if (kind == 3) {
            wrong += off("mprotect", (uint64_t)mprotect(at + PAGE, PAGE, PROT_READ), 0);
            wrong += off("fault", (uint64_t)faults(at + PAGE), SIGSEGV);
        }
        wrong += off("first page", memcmp(at, &seed, sizeof seed) != 0, 0);
        // A hole belongs to whoever maps something next.
        size_t hole = pages > 2 ? below(&r, 2) : 0;
        if (hole)
            wrong += off("hole", (uint64_t)munmap(at + PAGE, PAGE), 0) + off("start", (uint64_t)munmap(at, PAGE), 0);
        wrong += off("munmap", (uint64_t)munmap(at + 2 * hole * PAGE, (pages - 2 * hole) * PAGE), 0);
        if (fd >= 0)
            close(fd);
    }
    return chain(seed) + wrong;
}

uint64_t allocations(uint64_t seed)
{
    uint64_t r = ~seed, wrong = 0, *blocks[16] = {0};
    for (int i = 0; i < 200; i++) {
        uint64_t **block = &blocks[below(&r, 16)];
        if (*block)
            wrong += off("block", **block, seed);
        free(*block);
        *block = malloc(8 + below(&r, i % 50 ? 2000 : 100000));
        **block = seed;
    }
    for (int i = 0; i < 16; i++)
        free(blocks[i]);
    return chain(seed) + wrong;
}
