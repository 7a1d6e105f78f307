// Futexes of both interfaces, with wrong arguments. No probe waits: the word has another value than it should, or the time is over.
// Raw calls: the C library makes no difference.
// km-test: links=static-musl,static-kontain
// km-test: timeout=60
#include "conform_child.h"
#include <linux/futex.h>

static unsigned word, second;
static struct timespec none = {0, 0}, over = {0, 1};

struct waiter { unsigned long value, address; unsigned flags, reserved; };

static void subjects(void)
{
    static struct waiter waiters[2];
    waiters[0] = (struct waiter){1, (unsigned long)&word, 2, 0};
    waiters[1] = (struct waiter){1, (unsigned long)&second, 2, 0};
    const struct subject subjects[] = {
        {"WAIT", SYS_futex, NUMBER, {{INOUT, (long)&word, 4}, {KEEP, FUTEX_WAIT, 0}, {COUNT32, 1, 0}, {IN, (long)&none, 16}}, NULL},
        {"WAIT private", SYS_futex, NUMBER, {{INOUT, (long)&word, 4}, {KEEP, FUTEX_WAIT_PRIVATE, 0}, {KEEP, 1, 0}, {IN, (long)&none, 16}}, NULL},
        {"WAIT_BITSET", SYS_futex, NUMBER,
         {{INOUT, (long)&word, 4}, {KEEP, FUTEX_WAIT_BITSET, 0}, {KEEP, 1, 0}, {IN, (long)&over, 16}, {KEEP, 0, 0}, {COUNT32, 1, 0}}, NULL},
        {"WAKE", SYS_futex, NUMBER, {{INOUT, (long)&word, 4}, {KEEP, FUTEX_WAKE, 0}, {COUNT32, 1, 0}}, NULL},
        {"REQUEUE", SYS_futex, NUMBER,
         {{INOUT, (long)&word, 4}, {KEEP, FUTEX_REQUEUE, 0}, {COUNT32, 1, 0}, {COUNT32, 1, 0}, {INOUT, (long)&second, 4}}, NULL},
        {"CMP_REQUEUE", SYS_futex, NUMBER,
         {{INOUT, (long)&word, 4}, {KEEP, FUTEX_CMP_REQUEUE, 0}, {KEEP, 1, 0}, {KEEP, 1, 0}, {INOUT, (long)&second, 4}, {COUNT32, 0, 0}}, NULL},
        {"WAKE_OP", SYS_futex, NUMBER,
         {{INOUT, (long)&word, 4}, {KEEP, FUTEX_WAKE_OP, 0}, {KEEP, 1, 0}, {KEEP, 1, 0}, {INOUT, (long)&second, 4}, {BITS, 0, 0}}, NULL},
        {"TRYLOCK_PI", SYS_futex, NUMBER, {{INOUT, (long)&word, 4}, {KEEP, FUTEX_TRYLOCK_PI, 0}, {KEEP, 0, 0}}, NULL},
        {"LOCK_PI", SYS_futex, NUMBER, {{INOUT, (long)&word, 4}, {KEEP, FUTEX_LOCK_PI, 0}, {KEEP, 0, 0}, {IN, (long)&over, 16}}, NULL},
        {"UNLOCK_PI", SYS_futex, NUMBER, {{INOUT, (long)&word, 4}, {KEEP, FUTEX_UNLOCK_PI, 0}}, NULL},
        {"the operation", SYS_futex, NUMBER,
         {{INOUT, (long)&word, 4}, {WORD, 20, 0}, {KEEP, 1, 0}, {KEEP, 0, 0}, {INOUT, (long)&second, 4}, {KEEP, 1, 0}}, NULL},
        {"futex_waitv", 449, NUMBER,
         {{IN, (long)waiters, sizeof waiters}, {COUNT32, 2, 0}, {BITS, 0, 0}, {IN, (long)&over, 16}, {WORD, CLOCK_MONOTONIC, 0}}, NULL},
        {"futex_wake", 454, NUMBER, {{INOUT, (long)&word, 4}, {COUNT32, 1, 0}, {COUNT32, 1, 0}, {BITS, 2, 0}}, NULL},
        {"futex_wait", 455, NUMBER,
         {{INOUT, (long)&word, 4}, {COUNT, 1, 0}, {COUNT32, 1, 0}, {BITS, 2, 0}, {IN, (long)&over, 16}, {WORD, CLOCK_MONOTONIC, 0}}, NULL},
        {"futex_requeue", 456, NUMBER, {{IN, (long)waiters, sizeof waiters}, {BITS, 0, 0}, {COUNT32, 1, 0}, {COUNT32, 1, 0}}, NULL},
    };
    conform(subjects, conform_len(subjects));
}

static void operations(void)
{
    // Those with a word that no one changes, whatever else there is: the bits beside the operation as well.
    static const int beside[] = {0, FUTEX_PRIVATE_FLAG, FUTEX_CLOCK_REALTIME, FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME, 1 << 9, 1 << 31};
    for (int op = -1; op < 24; op++)
        for (size_t i = 0; i < conform_len(beside); i++) {
            char how[48];
            snprintf(how, sizeof how, "%d with %x", op, (unsigned)beside[i]);
            word = second = 7;
            // A pointer to a time is a number to those that move or wake two groups.
            int timed = op != FUTEX_REQUEUE && op != FUTEX_CMP_REQUEUE && op != FUTEX_WAKE_OP && op != FUTEX_CMP_REQUEUE_PI;
            struct timespec wrong = {0, -1};
            probe("futex wrong time", how, NUMBER, SYS_futex, (long)&word, op | beside[i], 3, timed ? (long)&wrong : 1, (long)&second, 1);
            word = second = 7;
            probe("futex time at 1", how, NUMBER, SYS_futex, (long)&word, op | beside[i], 3, 1, (long)&second, 1);
            word = second = 7;
            probe("futex value 3", how, NUMBER, SYS_futex, (long)&word, op | beside[i], 3, timed ? (long)&over : 1, (long)&second, 3);
            word = second = 7;
            probe("futex onto itself", how, NUMBER, SYS_futex, (long)&word, op | beside[i], 3, timed ? (long)&over : 1, (long)&word, 7);
            printf("%x %x\n", word & 0xc0000000, second & 0xc0000000);
            word = second = 0;
        }
    // No word is looked at where nobody else could share it.
    probe("WAKE private", "at 4", NUMBER, SYS_futex, 4, FUTEX_WAKE_PRIVATE, 1);
    probe("WAKE private", "at 5", NUMBER, SYS_futex, 5, FUTEX_WAKE_PRIVATE, 1);
    probe("WAKE private", "not accessible", NUMBER, SYS_futex, (long)rooms[0].closed, FUTEX_WAKE_PRIVATE, 1);
    probe("WAKE private", "of the kernel", NUMBER, SYS_futex, (long)0xffff888000000000, FUTEX_WAKE_PRIVATE, 1);
    probe("WAIT_BITSET", "of no bits", NUMBER, SYS_futex, (long)&word, FUTEX_WAIT_BITSET, 0, (long)&over, 0, 0);
    probe("WAKE_BITSET", "of no bits", NUMBER, SYS_futex, (long)&word, FUTEX_WAKE_BITSET, 1, 0, 0, 0);
    probe("WAKE_OP", "of an unknown operation", NUMBER, SYS_futex, (long)&word, FUTEX_WAKE_OP, 1, 1, (long)&second, 7L << 28);
    probe("WAKE_OP", "of an unknown comparison", NUMBER, SYS_futex, (long)&word, FUTEX_WAKE_OP, 1, 1, (long)&second, 15L << 24);
}

static void owned(void)
{
    unsigned tid = (unsigned)syscall(SYS_gettid);
    static const int ops[] = {FUTEX_LOCK_PI, FUTEX_TRYLOCK_PI, FUTEX_UNLOCK_PI, FUTEX_LOCK_PI2};
    const unsigned owners[] = {0, tid, tid | FUTEX_WAITERS, FUTEX_WAITERS, FUTEX_OWNER_DIED, tid | FUTEX_OWNER_DIED, 99999999, 1, FUTEX_TID_MASK};
    for (size_t op = 0; op < conform_len(ops); op++)
        for (size_t i = 0; i < conform_len(owners); i++) {
            char how[48];
            snprintf(how, sizeof how, "%d of owner %zu", ops[op], i);
            word = owners[i];
            // The first process is somebody, and no thread that has it.
            probe("futex", how, NUMBER, SYS_futex, (long)&word, ops[op], 0, (long)&over);
            printf("%d %x\n", (word & FUTEX_TID_MASK) == tid, word & ~FUTEX_TID_MASK);
        }
    word = 0;
}

static void vectors(void)
{
    static struct waiter waiters[130];
    static const unsigned flags[] = {0, 1, 2, 3, 4, 6, 0x82, 0x100, 0x80000002};
    for (size_t f = 0; f < conform_len(flags); f++) {
        char how[48];
        snprintf(how, sizeof how, "flags %x", flags[f]);
        for (size_t i = 0; i < conform_len(waiters); i++)
            waiters[i] = (struct waiter){0, (unsigned long)&word, 2, 0};
        waiters[0].flags = flags[f];
        probe("futex_waitv", how, NUMBER, 449, (long)waiters, 1, 0, (long)&over, CLOCK_MONOTONIC);
        probe("futex_requeue", how, NUMBER, 456, (long)waiters, 0, 1, 1);
        probe("futex_wake", how, NUMBER, 454, (long)&word, 1, 1, flags[f]);
        probe("futex_wait", how, NUMBER, 455, (long)&word, 5, 1, flags[f], (long)&over, CLOCK_MONOTONIC);
    }
    waiters[0] = (struct waiter){0, (unsigned long)&word, 2, 1};
    probe("futex_waitv", "reserved", NUMBER, 449, (long)waiters, 1, 0, (long)&over, CLOCK_MONOTONIC);
    waiters[0] = (struct waiter){1, (unsigned long)&word, 2, 0};
    probe("futex_waitv", "another value", NUMBER, 449, (long)waiters, 2, 0, (long)&over, CLOCK_MONOTONIC);
    waiters[0] = (struct waiter){0, 1, 2, 0};
    probe("futex_waitv", "an odd word", NUMBER, 449, (long)waiters, 2, 0, (long)&over, CLOCK_MONOTONIC);
    waiters[0] = (struct waiter){0, 4, 2, 0};
    probe("futex_waitv", "a word at 4", NUMBER, 449, (long)waiters, 2, 0, (long)&over, CLOCK_MONOTONIC);
    probe("futex_requeue", "a word at 4", NUMBER, 456, (long)waiters, 0, 1, 1);
    waiters[0] = (struct waiter){0, 0xffff888000000000, 2, 0};
    probe("futex_waitv", "a word of the kernel's", NUMBER, 449, (long)waiters, 2, 0, (long)&over, CLOCK_MONOTONIC);
    probe("futex_requeue", "a word of the kernel's", NUMBER, 456, (long)waiters, 0, 1, 1);
    waiters[0] = (struct waiter){0, (unsigned long)&word, 2, 0};
    probe("futex_waitv", "of 128", NUMBER, 449, (long)waiters, 128, 0, (long)&over, CLOCK_MONOTONIC);
    probe("futex_waitv", "of 129", NUMBER, 449, (long)waiters, 129, 0, (long)&over, CLOCK_MONOTONIC);
    probe("futex_waitv", "by another clock", NUMBER, 449, (long)waiters, 1, 0, (long)&over, CLOCK_BOOTTIME);
    struct timespec wrong = {0, 1000000000};
    probe("futex_waitv", "wrong nanoseconds", NUMBER, 449, (long)waiters, 1, 0, (long)&wrong, CLOCK_MONOTONIC);
    probe("futex_wait", "wrong nanoseconds", NUMBER, 455, (long)&word, 0, 1, 2, (long)&wrong, CLOCK_MONOTONIC);
    probe("futex_wake", "of no bits", NUMBER, 454, (long)&word, 0, 1, 2);
    probe("futex_wait", "of no bits", NUMBER, 455, (long)&word, 0, 0, 2, (long)&over, CLOCK_MONOTONIC);
}

int main(void)
{
    conform_start();
    apart("subjects", subjects);
    apart("operations", operations);
    apart("owned", owned);
    apart("vectors", vectors);
    return conform_done();
}
