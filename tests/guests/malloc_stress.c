// Random allocation, growth and release with checked content: 100 MB at the peak.
#include "check.h"
#include <stdint.h>
#include <unistd.h>

#define SLOTS 4000
#define PEAK (100UL << 20)

static struct { unsigned char *at; size_t size; unsigned char mark; } slot[SLOTS];
static uint64_t state = 88172645463325252;
static size_t total, peak, wrong, allocations;

static uint32_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16);
}

// Mostly small, sometimes a page or many.
static size_t some_size(void)
{
    uint32_t r = next();
    switch (r % 16) {
    case 0: return 1 + next() % 2000000;
    case 1: case 2: return 1 + next() % 100000;
    case 3: case 4: case 5: return 1 + next() % 5000;
    default: return 1 + next() % 300;
    }
}

// The two ends and some bytes between are enough to see a block that another one wrote to.
static void paint(int i)
{
    unsigned char *p = slot[i].at;
    size_t n = slot[i].size;
    for (size_t at = 0; at < n; at += 1021)
        p[at] = slot[i].mark;
    p[n - 1] = slot[i].mark;
}

static void verify(int i, size_t n)
{
    unsigned char *p = slot[i].at;
    for (size_t at = 0; at < n; at += 1021)
        wrong += p[at] != slot[i].mark;
}

static void release(int i)
{
    verify(i, slot[i].size);
    wrong += slot[i].at[slot[i].size - 1] != slot[i].mark;
    free(slot[i].at);
    total -= slot[i].size;
    slot[i].at = NULL;
}

static void allocate(int i)
{
    size_t n = some_size(), align = 0;
    if (total + n > PEAK)
        return;
    switch (next() % 4) {
    case 0:
        slot[i].at = calloc(1, n);
        for (size_t at = 0; at < n; at += 509)
            wrong += slot[i].at[at] != 0;
        break;
    case 1:
        align = 16UL << next() % 9;
        if (posix_memalign((void **)&slot[i].at, align, n) != 0)
            slot[i].at = NULL;
        break;
    default: slot[i].at = malloc(n);
    }
    if (!slot[i].at) {
        wrong++;
        return;
    }
    wrong += (uintptr_t)slot[i].at % (align ? align : 16) != 0;
    slot[i].size = n;
    slot[i].mark = (unsigned char)next();
    total += n;
    if (total > peak)
        peak = total;
    allocations++;
    paint(i);
}

static void resize(int i)
{
    size_t n = some_size(), old = slot[i].size;
    if (total - old + n > PEAK)
        return;
    unsigned char *p = realloc(slot[i].at, n);
    if (!p) {
        wrong++;
        return;
    }
    slot[i].at = p;
    verify(i, n < old ? n : old);
    total = total - old + n;
    slot[i].size = n;
    paint(i);
}

int main(void)
{
    for (int step = 0; step < 8000; step++) {
        int i = (int)(next() % SLOTS);
        if (!slot[i].at)
            allocate(i);
        else if (next() % 3)
            resize(i);
        else
            release(i);
    }
    EQ("errors", wrong, 0);
    printf("%zu allocations, %zu MB at the peak\n", allocations, peak >> 20);
    for (int i = 0; i < SLOTS; i++)
        if (slot[i].at)
            release(i);
    EQ("errors after release", wrong, 0);
    EQ("all released", total, 0);

    // One hundred megabytes in a piece, doubled up to.
    unsigned char *p = NULL;
    for (size_t n = 4096; n <= PEAK; n *= 2) {
        p = realloc(p, n);
        if (!p)
            break;
        p[n / 2] = p[n - 1] = (unsigned char)(n >> 12 | 1);
    }
    CHECK("doubling", p != NULL);
    free(p);
    volatile size_t too_much = SIZE_MAX / 2 - 5000;
    CHECK("too much", malloc(too_much) == NULL && errno == ENOMEM);
    return check_done();
}
