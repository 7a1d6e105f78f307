// The futex call itself: waits, wakes, moves between queues. How many wait already cannot be known, so the other side
// repeats its call until it has met them all.
#include "pages.h"
#include "tasks.h"
#include <limits.h>
#include <linux/futex.h>
#include <stdint.h>

static uint32_t words[8];
static int woken;

static void *waits(void *arg)
{
    uint32_t *word = arg;
    long r = futex(word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
    __atomic_fetch_add(&woken, 1, __ATOMIC_SEQ_CST);
    return (void *)(r == -1 ? (intptr_t)errno : 0);
}

/* A bit of the bitset for each; what it was told. */
static void *waits_bit(void *arg)
{
    intptr_t bit = (intptr_t)arg;
    long r = futex(&words[2], FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 1u << bit);
    return (void *)(r == -1 ? (intptr_t)errno : 0);
}

static void errors(void)
{
    struct timespec short_time = {0, 3000000}, past = {1, 0}, bad = {0, 2000000000};
    uint32_t *word = &words[0];
    char *p = private_pages(8192);
    NEED(munmap(p, 8192));
    ERR("another value", futex(word, FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN);
    ERR("private", futex(word, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0), EAGAIN);
    ERR("timeout", futex(word, FUTEX_WAIT_PRIVATE, 0, &short_time, NULL, 0), ETIMEDOUT);
    ERR("timeout, shared", futex(word, FUTEX_WAIT, 0, &short_time, NULL, 0), ETIMEDOUT);
    ERR("moment in the past", futex(word, FUTEX_WAIT_BITSET_PRIVATE, 0, &past, NULL, FUTEX_BITSET_MATCH_ANY), ETIMEDOUT);
    ERR("by the wall clock", futex(word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &past, NULL, 1), ETIMEDOUT);
    ERR("bad time", futex(word, FUTEX_WAIT_PRIVATE, 0, &bad, NULL, 0), EINVAL);
    ERR("no bits", futex(word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 0), EINVAL);
    ERR("no bits to wake", futex(word, FUTEX_WAKE_BITSET_PRIVATE, 1, NULL, NULL, 0), EINVAL);
    ERR("not aligned", futex((uint32_t *)((char *)word + 1), FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EINVAL);
    ERR("no memory there", futex((uint32_t *)p, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EFAULT);
    ERR("no memory there, shared", futex((uint32_t *)p, FUTEX_WAIT, 0, NULL, NULL, 0), EFAULT);
    ERR("kernel's memory", futex((uint32_t *)0xffff800000000000, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), EFAULT);
    ERR("time from nowhere", futex(word, FUTEX_WAIT_PRIVATE, 0, p, NULL, 0), EFAULT);
    ERR("unknown operation", futex(word, 99, 0, NULL, NULL, 0), ENOSYS);
    EQ("nobody to wake", futex(word, FUTEX_WAKE_PRIVATE, 5, NULL, NULL, 0), 0);
    ERR("requeue, another value", futex(word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)1, &words[1], 5), EAGAIN);
}

static void wakes(void)
{
    enum { COUNT = 6 };
    pthread_t t[COUNT];
    long met = 0, bad = 0;
    for (int i = 0; i < COUNT; i++)
        t[i] = thread(waits, &words[0]);
    while (met < COUNT) {
        long n = futex(&words[0], FUTEX_WAKE_PRIVATE, 2, NULL, NULL, 0);
        bad += n < 0 || n > 2;
        met += n;
        UNTIL(__atomic_load_n(&woken, __ATOMIC_SEQ_CST) == met);
    }
    for (int i = 0; i < COUNT; i++)
        bad += join(t[i]) != NULL;
    EQ("woken", met, COUNT);
    EQ("never more than asked", bad, 0);
}

static void requeues(void)
{
    enum { COUNT = 6 };
    pthread_t t[COUNT];
    long moved = 0, bad = 0;
    woken = 0;
    for (int i = 0; i < COUNT; i++)
        t[i] = thread(waits, &words[0]);
    for (int i = 0; moved < COUNT; i++) {
        long n = i % 2 ? futex(&words[0], FUTEX_REQUEUE_PRIVATE, 0, (void *)INT_MAX, &words[1], 0)
                       : futex(&words[0], FUTEX_CMP_REQUEUE_PRIVATE, 0, (void *)2, &words[1], 0);
        if (n < 0 || (i % 2 == 0 && n > 2))
            bad++;
        else
            moved += n;
        sched_yield();
    }
    EQ("moved", moved, COUNT);
    EQ("none was woken", woken + bad, 0);
    EQ("one woken, two moved back", futex(&words[1], FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)2, &words[0], 0), 3);
    // The kernel may let one go back to the word it began with.
    for (moved = 1; moved < COUNT; pause_ms(1))
        moved += futex(&words[0], FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0) + futex(&words[1], FUTEX_WAKE_PRIVATE, 9, NULL, NULL, 0);
    EQ("the moved and the rest", moved, COUNT);
    for (int i = 0; i < COUNT; i++)
        bad += join(t[i]) != NULL;
    EQ("all ended well", bad, 0);
}

static void bits(void)
{
    pthread_t t[3];
    int bad = 0;
    for (intptr_t i = 0; i < 3; i++)
        t[i] = thread(waits_bit, (void *)i);
    EQ("none has this bit", futex(&words[2], FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, NULL, 1u << 9), 0);
    for (int i = 2; i >= 0; i--) {
        UNTIL(futex(&words[2], FUTEX_WAKE_BITSET_PRIVATE, 9, NULL, NULL, 1u << i) == 1);
        bad += join(t[i]) != NULL;
    }
    EQ("each by its bit", bad, 0);
}

static void wake_op(void)
{
    pthread_t a = thread(waits, &words[3]), b = thread(waits, &words[4]);
    long n = 0;
    int rounds = 0;
    // Adds 1 to the second word, and would wake there if that had been negative.
    while (n < 2) {
        n += futex(&words[3], FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &words[5],
                   FUTEX_OP(FUTEX_OP_ADD, 1, FUTEX_OP_CMP_LT, 0));
        rounds++;
        n += futex(&words[4], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
        sched_yield();
    }
    EQ("woken by the operation", n, 2);
    EQ("added each time", words[5], rounds);
    join(a);
    join(b);
    pthread_t c = thread(waits, &words[6]);
    words[5] = 100;
    UNTIL(futex(&words[7], FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &words[6],
                FUTEX_OP(FUTEX_OP_OR, 0, FUTEX_OP_CMP_EQ, 0)) == 1);
    EQ("on the second word", join(c), 0);
    EQ("set", futex(&words[7], FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &words[5], FUTEX_OP(FUTEX_OP_SET, 9, FUTEX_OP_CMP_NE, 100)), 0);
    EQ("as it says", words[5], 9);
    ERR("unknown operation", futex(&words[7], FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &words[5], 7u << 28), ENOSYS);
}

struct waitv {
    uint64_t value, address;
    uint32_t flags, reserved;
};

static void *waits_many(void *arg)
{
    struct waitv v[2] = {{0, (uintptr_t)&words[0], 2 | 0x80, 0}, {0, (uintptr_t)&words[1], 2 | 0x80, 0}};
    *(long *)arg = syscall(449, v, 2, 0, NULL, 0);
    return NULL;
}

static void several(void)
{
    struct waitv v[2] = {{0, (uintptr_t)&words[0], 2 | 0x80, 0}, {7, (uintptr_t)&words[1], 2 | 0x80, 0}};
    struct timespec now;
    long r = syscall(449, v, 2, 0, NULL, 0), which = -1;
    if (r == -1 && errno == ENOSYS) {
        SKIP("futex_waitv", "not in this kernel");
        return;
    }
    ERR("one has another value", r, EAGAIN);
    ERR("none", syscall(449, v, 0, 0, NULL, 0), EINVAL);
    ERR("too many", syscall(449, v, 129, 0, NULL, 0), EINVAL);
    v[1].value = 0;
    clock_gettime(CLOCK_MONOTONIC, &now);
    ERR("until now", syscall(449, v, 2, 0, &now, CLOCK_MONOTONIC), ETIMEDOUT);
    v[1].flags = 0x80 | 1;
    ERR("size", syscall(449, v, 2, 0, NULL, 0), EINVAL);
    pthread_t t = thread(waits_many, &which);
    UNTIL(futex(&words[1], FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 1);
    join(t);
    EQ("the second", which, 1);
}

static uint32_t *common;

static int other_process(void)
{
    while (__atomic_load_n(common, __ATOMIC_SEQ_CST) == 0)
        futex(common, FUTEX_WAIT, 0, NULL, NULL, 0);
    return (int)*common;
}

int main(void)
{
    tasks_begin();
    errors();
    wakes();
    requeues();
    bits();
    wake_op();
    several();
    common = shared_pages(PAGE);
    pid_t pid = child(other_process);
    UNTIL(futex(common, FUTEX_WAKE, 1, NULL, NULL, 0) == 1);
    __atomic_store_n(common, 17, __ATOMIC_SEQ_CST);
    futex(common, FUTEX_WAKE, 1, NULL, NULL, 0);
    EQ("between processes", end_of(pid), 17);
    return check_done();
}
