// Huge reservations of address space, and memory committed inside them, as language runtimes do.
#include "check.h"
#include "probe.h"
#include <cpuid.h>
#include <stdint.h>

#define RESERVE (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)
#define GIB (1UL << 30)

int main(void)
{
    // A VM has no more addresses than the CPU has physical ones: the reservation follows them.
    unsigned a, b, c, d;
    __cpuid(0x80000008, a, b, c, d);
    unsigned long size = (a & 0xff) >= 43 ? 1024 * GIB : 64 * GIB;

    char *p = mmap(NULL, size, PROT_NONE, RESERVE, -1, 0);
    OK("reserve", p);
    if (p == MAP_FAILED)
        return check_done();
    EQ("nothing to read at its start", readable(p), 0);
    EQ("nothing to read at its end", readable(p + size - 1), 0);

    char *mid = p + size / 2 + 5 * PAGE;
    OK("commit a page", mprotect(mid, PAGE, RW));
    memset(mid, 0x77, PAGE);
    CHECK("it holds", all_bytes(mid, PAGE, 0x77));
    EQ("not the page before", readable(mid - 1), 0);
    EQ("not the page behind", readable(mid + PAGE), 0);
    OK("the last page", mprotect(p + size - PAGE, PAGE, RW));
    p[size - 1] = 1;

    int wrong = 0;
    for (unsigned long i = 0; i < 32; i++) {
        char *page = p + i * (size / 32);
        NEED(mmap(page, 2 * PAGE, RW, RESERVE | MAP_FIXED, -1, 0));
        page[PAGE] = (char)i;
    }
    for (unsigned long i = 0; i < 32; i++)
        wrong += p[i * (size / 32) + PAGE] != (char)i;
    EQ("commits far apart", wrong, 0);

    OK("decommit", madvise(mid, PAGE, MADV_DONTNEED));
    OK("protect again", mprotect(mid, PAGE, PROT_NONE));
    EQ("closed again", readable(mid), 0);
    OK("and open", mprotect(mid, PAGE, RW));
    EQ("zero", mid[0], 0);

    // Trim to an aligned middle as allocators do.
    unsigned long align = 4 * GIB;
    char *start = (char *)(((uintptr_t)p + align) & ~(align - 1));
    OK("trim the head", munmap(p, (size_t)(start - p)));
    OK("trim the tail", munmap(start + align, (size_t)(p + size - start) - align));
    EQ("head gone", readable(p + PAGE), 0);
    EQ("tail gone", readable(p + size - 1), 0);
    EQ("middle there", mprotect(start + align - PAGE, PAGE, RW), 0);
    EQ("and usable", writable(start + align - 1), 1);
    ERR("beyond it is nothing", mprotect(start + align, PAGE, RW), ENOMEM);
    OK("release", munmap(start, align));

    // Several reservations of the size of a WebAssembly memory.
    char *many[8];
    for (int i = 0; i < 8; i++)
        many[i] = NEED(mmap(NULL, 6 * GIB, PROT_NONE, RESERVE, -1, 0));
    for (int i = 0; i < 8; i++) {
        NEED(mprotect(many[i], 64 * 1024, RW));
        memset(many[i], i + 1, 64 * 1024);
    }
    for (int i = 0; i < 8; i++) {
        wrong += !all_bytes(many[i], 64 * 1024, (unsigned char)(i + 1)) || readable(many[i] + 64 * 1024);
        NEED(munmap(many[i], 6 * GIB));
    }
    EQ("many reservations", wrong, 0);

    // 16 GiB writable but untouched costs nothing.
    p = mmap(NULL, 16 * GIB, RW, RESERVE, -1, 0);
    OK("sparse memory", p);
    for (unsigned long i = 0; i < 16; i++)
        p[i * GIB + i * PAGE] = (char)i;
    for (unsigned long i = 0; i < 16; i++)
        wrong += p[i * GIB + i * PAGE] != (char)i;
    EQ("sparse memory holds", wrong, 0);
    OK("munmap", munmap(p, 16 * GIB));
    ERR("more than there is", mmap(NULL, 1UL << 47, PROT_NONE, RESERVE, -1, 0), ENOMEM);
    return check_done();
}
