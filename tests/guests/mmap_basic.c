// Anonymous mappings: placement, replacement, holes.
#include "check.h"
#include "probe.h"
#include <stdint.h>
#include <sys/mman.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

static void placement(void)
{
    char *p = NEED(mmap(NULL, 16 * PAGE, RW, ANON, -1, 0));
    EQ("aligned", (uintptr_t)p % PAGE, 0);
    CHECK("zero", all_bytes(p, 16 * PAGE, 0));
    memset(p, 0x5a, 16 * PAGE);
    CHECK("keeps what is written", all_bytes(p, 16 * PAGE, 0x5a));

    // A free hint is honoured, a misaligned one rounded down, a taken one replaced by another place.
    NEED(munmap(p, 16 * PAGE));
    EQ("hint", mmap(p, 16 * PAGE, RW, ANON, -1, 0), p);
    CHECK("zero again", all_bytes(p, 16 * PAGE, 0));
    NEED(munmap(p, 16 * PAGE));
    EQ("misaligned hint", mmap(p + 123, PAGE, RW, ANON, -1, 0), p);
    char *q = NEED(mmap(p, PAGE, RW, ANON, -1, 0));
    CHECK("taken hint", q != p);
    NEED(munmap(q, PAGE));
    q = NEED(mmap((void *)0xffff800000000000, PAGE, RW, ANON, -1, 0));
    CHECK("impossible hint", writable(q));
    NEED(munmap(q, PAGE));
    NEED(munmap(p, PAGE));

    q = NEED(mmap((void *)0xc000000000, 64 << 20, PROT_NONE, ANON, -1, 0));
    OK("Go's arena", mprotect(q, 4 << 20, RW));
    q[0] = q[(4 << 20) - 1] = 1;
    NEED(munmap(q, 64 << 20));

    q = NEED(mmap(NULL, 3 * PAGE, RW, ANON | MAP_32BIT, -1, 0));
    CHECK("MAP_32BIT", (uintptr_t)q + 3 * PAGE <= 1UL << 31);
    memset(q, 1, 3 * PAGE);
    NEED(munmap(q, 3 * PAGE));

    q = NEED(mmap(NULL, 1 << 20, RW, ANON | MAP_POPULATE, -1, 0));
    unsigned char resident[256];
    NEED(mincore(q, 1 << 20, resident));
    int in = 0;
    for (int i = 0; i < 256; i++)
        in += resident[i] & 1;
    EQ("MAP_POPULATE", in, 256);
    NEED(munmap(q, 1 << 20));

    q = NEED(mmap(NULL, PAGE, RW, ANON | MAP_NORESERVE | MAP_STACK, -1, 0));
    EQ("MAP_STACK", writable(q), 1);
    NEED(munmap(q, PAGE));
    q = NEED(mmap(NULL, 1, RW, ANON, -1, 0));
    EQ("length rounded up", writable(q + PAGE - 1), 1);
    NEED(munmap(q, 1));
    EQ("unmapped with length 1", readable(q), 0);
}

static void fixed(void)
{
    char *p = NEED(mmap(NULL, 8 * PAGE, RW, ANON, -1, 0));
    memset(p, 1, 8 * PAGE);
    EQ("MAP_FIXED", mmap(p + 2 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0), p + 2 * PAGE);
    CHECK("replaced by zeroes", all_bytes(p + 2 * PAGE, 2 * PAGE, 0));
    CHECK("before it kept", all_bytes(p, 2 * PAGE, 1));
    CHECK("behind it kept", all_bytes(p + 4 * PAGE, 4 * PAGE, 1));
    ERR("MAP_FIXED misaligned", mmap(p + 1, PAGE, RW, ANON | MAP_FIXED, -1, 0), EINVAL);
    ERR("NOREPLACE on taken", mmap(p + 7 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
    EQ("NOREPLACE left it alone", p[7 * PAGE], 1);
    NEED(munmap(p + 4 * PAGE, 2 * PAGE));
    EQ("NOREPLACE on free", mmap(p + 4 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0), p + 4 * PAGE);
    NEED(munmap(p, 8 * PAGE));

    void *low = (void *)0x10000;
    EQ("lowest address", mmap(low, PAGE, RW, ANON | MAP_FIXED, -1, 0), low);
    EQ("lowest address works", writable(low), 1);
    NEED(munmap(low, PAGE));
    void *above = (void *)0x7ffffffff000;
    ERR("first address beyond", mmap(above, PAGE, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
    ERR("kernel half", mmap((void *)0xffff888000000000, PAGE, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
    ERR("around the end", mmap((void *)-PAGE, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0), ENOMEM);
}

static void holes(void)
{
    enum { N = 64 };
    char *p = NEED(mmap(NULL, N * PAGE, RW, ANON, -1, 0));
    for (int i = 0; i < N; i++)
        memset(p + i * PAGE, i, PAGE);
    for (int i = 1; i < N; i += 2)
        NEED(munmap(p + i * PAGE, PAGE));
    int wrong = 0;
    for (int i = 0; i < N; i++)
        wrong += readable(p + i * PAGE) != (i % 2 == 0);
    EQ("every second page gone", wrong, 0);
    for (int i = 0; i < N; i += 2)
        wrong += !all_bytes(p + i * PAGE, PAGE, (unsigned char)i);
    EQ("the others kept", wrong, 0);
    for (int i = 1; i < N; i += 4)
        NEED(mmap(p + i * PAGE, PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0));
    for (int i = 1; i < N; i += 2)
        wrong += readable(p + i * PAGE) != (i % 4 == 1);
    EQ("holes filled", wrong, 0);
    for (int i = 1; i < N; i += 4)
        wrong += writable(p + i * PAGE) != 0;
    EQ("read only", wrong, 0);
    // One munmap over mappings and holes alike; a second one finds nothing and is content.
    OK("munmap over holes", munmap(p, N * PAGE));
    for (int i = 0; i < N; i++)
        wrong += readable(p + i * PAGE) != 0;
    EQ("all gone", wrong, 0);
    OK("munmap of nothing", munmap(p, N * PAGE));
    ERR("munmap misaligned", munmap(p + 1, PAGE), EINVAL);
    ERR("munmap of length 0", munmap(p, 0), EINVAL);
    ERR("munmap beyond the end", munmap((void *)0x7fffffffe000, 4 * PAGE), EINVAL);
}

// Many mappings of alternating protection: the tables behind them must keep up.
static void many(void)
{
    enum { N = 1000 };
    static char *at[N];
    for (int i = 0; i < N; i++) {
        at[i] = NEED(mmap(NULL, PAGE + i % 3 * PAGE, i % 2 ? RW : PROT_READ, ANON, -1, 0));
        if (i % 2)
            *(int *)at[i] = i;
    }
    int wrong = 0;
    for (int i = 0; i < N; i++)
        wrong += *(int *)at[i] != (i % 2 ? i : 0);
    EQ("a thousand mappings", wrong, 0);
    for (int i = 0; i < N; i++)
        NEED(munmap(at[(i * 7) % N], PAGE + (i * 7) % N % 3 * PAGE));
    for (int i = 0; i < N; i += 50)
        wrong += readable(at[i]) != 0;
    EQ("gone again", wrong, 0);
}

int main(void)
{
    placement();
    fixed();
    holes();
    many();
    return check_done();
}
