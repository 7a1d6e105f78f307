// Scheduling: policies, attributes, priorities, processors, with wrong arguments and without the privilege.
// Raw calls: the C library makes no difference.
// km-test: links=static-musl,static-kontain
// km-test: timeout=60
#include "conform_child.h"
#include <sched.h>

struct attributes {
    unsigned size, policy;
    unsigned long flags;
    int nice;
    unsigned priority;
    unsigned long runtime, deadline, period;
    unsigned least, most;
};

static void attributes(void)
{
    struct attributes attr = {.size = sizeof attr, .policy = SCHED_BATCH}, got[2];
    const struct subject subjects[] = {
        {"sched_setattr", SYS_sched_setattr, DONE, {{KEEP, 0, 0}, {IN, (long)&attr, sizeof attr}, {BITS, 0, 0}}, NULL},
        {"sched_getattr", SYS_sched_getattr, DONE, {{KEEP, 0, 0}, {OUT, (long)got, sizeof attr}, {COUNT32, sizeof attr, 0}, {BITS, 0, 0}}, NULL},
    };
    conform(subjects, conform_len(subjects));
    static const unsigned sizes[] = {0, 1, 47, 48, 52, 55, 56, 57, 64, 4096, 4097, UINT_MAX};
    static struct { struct attributes known; char rest[5000]; } large;
    for (size_t i = 0; i < conform_len(sizes); i++) {
        char how[32];
        snprintf(how, sizeof how, "of %u bytes", sizes[i]);
        memset(&large, 0, sizeof large);
        large.known.size = sizes[i];
        probe("sched_setattr", how, DONE, SYS_sched_setattr, 0, (long)&large, 0);
        printf("%u\n", large.known.size);
        large.known.size = sizes[i];
        large.rest[3] = 1;
        probe("sched_setattr with more", how, DONE, SYS_sched_setattr, 0, (long)&large, 0);
        printf("%u\n", large.known.size);
        probe("sched_getattr", how, DONE, SYS_sched_getattr, 0, (long)&large, sizes[i], 0);
        printf("%u\n", large.known.size);
    }
    for (int bit = 0; bit < 64; bit += 1) {
        char how[32];
        struct attributes one = {.size = sizeof one, .flags = 1UL << bit};
        snprintf(how, sizeof how, "with flag %d", bit);
        probe("sched_setattr", how, DONE, SYS_sched_setattr, 0, (long)&one, 0);
    }
    for (int policy = -1; policy < 12; policy++) {
        char how[32];
        snprintf(how, sizeof how, "policy %d", policy);
        struct attributes one = {.size = sizeof one, .policy = (unsigned)policy, .priority = 200, .runtime = 5, .deadline = 4, .period = 3};
        probe("sched_setattr", how, DONE, SYS_sched_setattr, 0, (long)&one, 0);
        probe("sched_setscheduler priority 200", how, DONE, SYS_sched_setscheduler, 0, policy, (long)&(int){200});
        probe("sched_setscheduler priority -1", how, DONE, SYS_sched_setscheduler, 0, policy, (long)&(int){-1});
        probe("sched_get_priority_max", how, NUMBER, SYS_sched_get_priority_max, policy);
        probe("sched_get_priority_min", how, NUMBER, SYS_sched_get_priority_min, policy);
    }
}

static void processors(void)
{
    static unsigned long mask[128], none[128];
    long size = NEED(syscall(SYS_sched_getaffinity, 0, sizeof mask, mask));
    const struct subject subjects[] = {
        {"sched_setaffinity", SYS_sched_setaffinity, DONE, {{KEEP, 0, 0}, {COUNT32, size, 0}, {IN, (long)mask, (size_t)size}}, NULL},
        {"sched_getaffinity", SYS_sched_getaffinity, DONE, {{KEEP, 0, 0}, {COUNT32, sizeof mask, 0}, {OUT, (long)mask, sizeof mask}}, NULL},
        {"sched_get_priority_min", SYS_sched_get_priority_min, NUMBER, {{WORD, 0, 0}}, NULL},
    };
    conform(subjects, conform_len(subjects));
    probe("sched_setaffinity", "of none", DONE, SYS_sched_setaffinity, 0, sizeof none, (long)none);
    probe("sched_setaffinity", "of nothing", DONE, SYS_sched_setaffinity, 0, 0, 1);
    none[100] = 1;
    probe("sched_setaffinity", "of one that is not there", DONE, SYS_sched_setaffinity, 0, sizeof none, (long)none);
    probe("sched_setaffinity", "of nobody", DONE, SYS_sched_setaffinity, 99999999, sizeof mask, (long)mask);
    probe("sched_setaffinity", "of nobody, at 1", DONE, SYS_sched_setaffinity, 99999999, sizeof mask, 1);
    probe("sched_setaffinity", "of -1", DONE, SYS_sched_setaffinity, -1, sizeof mask, (long)mask);
    printf("sched_yield: %ld\n", syscall(SYS_sched_yield));
}

static void priorities(void)
{
    for (int which = -1; which < 4; which++) {
        static const int whos[] = {-1, 0, 99999999, INT_MIN};
        for (size_t i = 0; i < conform_len(whos); i++) {
            char how[32];
            snprintf(how, sizeof how, "%d of %d", which, whos[i]);
            probe("getpriority", how, DONE, SYS_getpriority, which, whos[i]);
            // Not that of all processes of a user, or of the group that the tests run in.
            if (whos[i] || which == 0)
                probe("setpriority", how, DONE, SYS_setpriority, which, whos[i], 5);
        }
    }
    probe("getpriority", "own", NUMBER, SYS_getpriority, 0, 0);
    probe("setpriority", "1000", DONE, SYS_setpriority, 0, 0, 1000);
    probe("getpriority", "own", NUMBER, SYS_getpriority, 0, 0);
    for (int which = -1; which < 5; which++)
        for (int class = 0; class < 9; class++) {
            char how[48];
            snprintf(how, sizeof how, "%d, class %d", which, class);
            // Of a group or a user only where there is none.
            int who = which == 1 ? 0 : 99999999;
            probe("ioprio_set", how, DONE, SYS_ioprio_set, which, who, class << 13 | 4);
            probe("ioprio_set of 9", how, DONE, SYS_ioprio_set, which, who, class << 13 | 9);
            probe("ioprio_get", how, NUMBER, SYS_ioprio_get, which, who);
        }
}

static void without_privilege(void)
{
    become_nobody();
    struct attributes attr = {.size = sizeof attr, .policy = SCHED_FIFO, .priority = 5};
    probe("setpriority of nobody", "better", DONE, SYS_setpriority, 0, 0, -5);
    probe("setpriority of nobody", "of the parent", DONE, SYS_setpriority, 0, 1, 0);
    probe("ioprio_set of nobody", "real time", DONE, SYS_ioprio_set, 1, 0, 1 << 13);
    probe("sched_setattr of nobody", "real time", DONE, SYS_sched_setattr, 0, (long)&attr, 0);
    probe("sched_setscheduler of nobody", "real time", DONE, SYS_sched_setscheduler, 0, SCHED_RR, (long)&(int){1});
    unsigned long mask = 1;
    probe("sched_setaffinity of nobody", "of the first process", DONE, SYS_sched_setaffinity, 1, 8, (long)&mask);
    priorities();
}

int main(void)
{
    conform_start();
    apart("attributes", attributes);
    apart("processors", processors);
    apart("priorities", priorities);
    apart("without privilege", without_privilege);
    return conform_done();
}
