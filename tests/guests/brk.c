// The program break.
#include "check.h"
#include "probe.h"
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static char *set_brk(const void *to)
{
    return (char *)syscall(SYS_brk, to);
}

int main(void)
{
    // The C library shall not use the break meanwhile.
    static char buffer[1 << 16];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    extern char end[];

    char *start = set_brk(NULL);
    CHECK("behind the program's data or apart from it", start >= end || (uintptr_t)end > 0x500000000000);
    EQ("asked again", set_brk(NULL), start);
    EQ("grow", set_brk(start + (1 << 20)), start + (1 << 20));
    CHECK("zero", all_bytes(start, 1 << 20, 0));
    memset(start, 0xaa, 1 << 20);
    EQ("odd size", set_brk(start + (1 << 20) + 12345), start + (1 << 20) + 12345);
    start[(1 << 20) + 12344] = 1;
    EQ("shrink", set_brk(start + 2 * PAGE), start + 2 * PAGE);
    char *edge = (char *)(((uintptr_t)start + 3 * PAGE - 1) & ~(PAGE - 1));
    EQ("page behind gone", readable(edge), 0);
    EQ("page before kept", (unsigned char)start[2 * PAGE - 1], 0xaa);
    EQ("regrow", set_brk(start + (1 << 20)), start + (1 << 20));
    CHECK("regrown part zero", all_bytes(edge, (size_t)(start + (1 << 20) - edge), 0));
    CHECK("old part kept", all_bytes(start, 2 * PAGE, 0xaa));

    // A break that cannot be had leaves the old one, and the call returns that.
    char *now = start + (1 << 20);
    EQ("too far", set_brk((void *)0x7fff00000000), now);
    EQ("kernel half", set_brk((void *)0xffffffff80000000), now);
    EQ("below its start", set_brk((void *)4096), now);
    char *start_page = (char *)(((uintptr_t)now + PAGE - 1) & ~(PAGE - 1));
    char *blocker = NEED(mmap(start_page + 64 * PAGE, PAGE, PROT_READ,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    EQ("a mapping in the way", set_brk(blocker + 2 * PAGE), now);
    EQ("up to it", set_brk(start_page + 32 * PAGE), start_page + 32 * PAGE);
    NEED(munmap(blocker, PAGE));
    EQ("way free", set_brk(blocker + 2 * PAGE), blocker + 2 * PAGE);
    EQ("and usable", writable(blocker), 1);

    // Small steps, as an old allocator makes them.
    char *at = blocker + 2 * PAGE;
    int wrong = 0;
    for (int i = 0; i < 200; i++) {
        wrong += set_brk(at + 1000) != at + 1000;
        memset(at, i, 1000);
        at += 1000;
    }
    for (int i = 0; i < 200; i++)
        wrong += !all_bytes(at - 1000 * (200 - i), 1000, (unsigned char)i);
    EQ("small steps", wrong, 0);

    // Its pages are like any other.
    OK("mprotect in the heap", mprotect(edge, PAGE, PROT_READ));
    EQ("read-only", writable(edge), 0);
    OK("and back", mprotect(edge, PAGE, PROT_READ | PROT_WRITE));
    OK("munmap in the heap", munmap(edge, PAGE));
    EQ("a hole", readable(edge), 0);
    OK("fill the hole", mmap(edge, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));

    EQ("grow by 64 MiB", set_brk(at + (64 << 20)), at + (64 << 20));
    at[(64 << 20) - 1] = 1;
    EQ("all back", set_brk(start), start);
    EQ("all gone", readable(edge), 0);
    // What the C library does with it afterwards.
    int *block = malloc(1 << 16);
    CHECK("malloc", block != NULL);
    free(block);
    return check_done();
}
