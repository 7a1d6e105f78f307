// Threads that change the common address space while others use it: all see the change at once.
#include "pages.h"
#include "tasks.h"
#include <sched.h>

#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_SEQ_CST)
#define STORE(x, v) __atomic_store_n(&(x), v, __ATOMIC_SEQ_CST)

static char *page;
static int step, answer;
// Each in turn maps, writes, checks, splits and unmaps; what one is given no other has.
static void *maps(void *arg)
{
    long me = (long)arg, bad = 0;
    for (int i = 0; i < 20; i++) {
        char *p = mmap(NULL, 8 * PAGE, RW, ANON, -1, 0);
        for (long j = 0; j < 8; j++)
            bad += p[j * PAGE] != 0, p[j * PAGE] = (char)(me + j);
        sched_yield();
        munmap(p + 3 * PAGE, PAGE);
        mprotect(p + 5 * PAGE, PAGE, PROT_READ);
        if (i % 4 == 0)
            madvise(p + 6 * PAGE, PAGE, MADV_DONTNEED);
        for (long j = 0; j < 8; j++)
            if (j != 3)
                bad += p[j * PAGE] != (j == 6 && i % 4 == 0 ? 0 : (char)(me + j));
        // The hole may be another's by now.
        munmap(p, 3 * PAGE);
        munmap(p + 4 * PAGE, 4 * PAGE);
    }
    return (void *)bad;
}

static void *touches(void *arg)
{
    long me = (long)arg, bad = 0;
    volatile char *p = page;
    for (int i = 0; i < 64; i++) {
        p[i * PAGE + me * 8] = (char)me;
        bad += p[i * PAGE + me * 8] != (char)me;
    }
    return (void *)bad;
}

static void *allocates(void *arg)
{
    long me = (long)arg, bad = 0;
    char *blocks[16] = {0};
    for (int i = 0; i < 300; i++) {
        int at = i * 7 % 16;
        size_t size = (size_t)(i * 37 % 4000 + (i % 50 == 0 ? 200000 : 1));
        if (blocks[at])
            bad += blocks[at][0] != (char)me;
        free(blocks[at]);
        blocks[at] = malloc(size);
        memset(blocks[at], (int)me, size > 5000 ? 5000 : size);
    }
    for (int i = 0; i < 16; i++)
        free(blocks[i]);
    return (void *)bad;
}

// The reader looks at the page each time it is told to; it spins, so that it is running when the page changes.
static void *reads(void *arg)
{
    int (*look)(void) = (int (*)(void))page;
    for (unsigned spins = 0;;) {
        int now = LOAD(step);
        if (now == 0 && ++spins % 1000 == 0)
            sched_yield();
        if (now < 0)
            return arg;
        if (now == 0)
            continue;
        STORE(answer, arg ? look() : *(volatile int *)page);
        STORE(step, 0);
    }
}

static int ask(void)
{
    STORE(step, 1);
    while (LOAD(step))
        sched_yield();
    return LOAD(answer);
}

static void changes(void)
{
    int bad = 0, fd = NEED(open("file", O_RDWR | O_CREAT, 0600));
    NEED(unlink("file"));
    NEED(ftruncate(fd, PAGE));
    page = private_pages(PAGE);
    STORE(step, 0);
    pthread_t t = thread(reads, NULL);
    for (int i = 1; i <= 6; i++) {
        *(int *)page = i;
        bad += ask() != i;
        madvise(page, PAGE, MADV_DONTNEED);
        bad += ask() != 0;
        int word = i * 1000;
        NEED(pwrite(fd, &word, 4, 0));
        NEED(mmap(page, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0));
        bad += ask() != word;
        NEED(mmap(page, PAGE, RW, ANON | MAP_FIXED, -1, 0));
        bad += ask() != 0;
        char *other = private_pages(PAGE);
        *(int *)other = -i;
        NEED(mremap(other, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, page));
        bad += ask() != -i;
    }
    EQ("the other sees each change", bad, 0);
    STORE(step, -1);
    join(t);
    // Code: mov $i, %eax; ret.
    STORE(step, 0);
    t = thread(reads, &bad);
    for (int i = 1; i <= 6; i++) {
        NEED(mprotect(page, PAGE, RW));
        memcpy(page, "\270\0\0\0\0\303", 6);
        memcpy(page + 1, &i, 4);
        NEED(mprotect(page, PAGE, PROT_READ | PROT_EXEC));
        bad += ask() != i;
    }
    EQ("new code", bad, 0);
    STORE(step, -1);
    join(t);
    close(fd);
}

int main(void)
{
    tasks_begin();
    EQ("mapping and unmapping", together(maps, 6), 0);
    page = private_pages(64 * PAGE);
    EQ("first touch by all", together(touches, 8), 0);
    munmap(page, 64 * PAGE);
    EQ("malloc", together(allocates, 8), 0);
    changes();
    return check_done();
}
