// Processors and order: affinity of threads, getcpu, sched_yield, priorities of threads, membarrier.
#include "tasks.h"
#include <linux/membarrier.h>
#include <sched.h>
#include <stdint.h>

static int step;

static long membarrier(int command, int flags) { return syscall(SYS_membarrier, command, flags, 0); }

static void barriers(void)
{
    long known = membarrier(MEMBARRIER_CMD_QUERY, 0);
    CHECK("query", known > 0 && (known & MEMBARRIER_CMD_PRIVATE_EXPEDITED) && (known & MEMBARRIER_CMD_GLOBAL));
    ERR("flags", membarrier(MEMBARRIER_CMD_QUERY, 1 << 20), EINVAL);
    ERR("unknown command", membarrier(1 << 30, 0), EINVAL);
    ERR("not registered", membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0), EPERM);
    OK("register", membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0));
    OK("private", membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0));
}

static void *flips(void *arg)
{
    volatile int *words = arg;
    // The cheap side: only the compiler is held back.
    while (!__atomic_load_n(&step, __ATOMIC_SEQ_CST)) {
        words[0] = words[0] + 1;
        __asm__ volatile("" ::: "memory");
        words[1] = words[0];
    }
    return NULL;
}

static void with_thread(void)
{
    volatile int words[2] = {0, 0};
    pthread_t t = thread(flips, (void *)words);
    int bad = 0;
    for (int i = 0; i < 20; i++) {
        int second = words[1];
        bad += membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0) != 0;
        bad += words[0] < second;
    }
    __atomic_store_n(&step, 1, __ATOMIC_SEQ_CST);
    join(t);
    EQ("against a running thread", bad, 0);
}

static void *sets_own(void *arg)
{
    cpu_set_t all, one;
    unsigned cpu = 9999, node = 9999;
    long bad = 0;
    (void)arg;
    sched_getaffinity(0, sizeof all, &all);
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (!CPU_ISSET(i, &all))
            continue;
        CPU_ZERO(&one);
        CPU_SET(i, &one);
        bad += sched_setaffinity(0, sizeof one, &one) != 0;
        CPU_ZERO(&one);
        bad += sched_getaffinity(0, sizeof one, &one) < 0 || CPU_COUNT(&one) != 1 || !CPU_ISSET(i, &one);
        // Bound to one, that is where it runs.
        bad += syscall(SYS_getcpu, &cpu, &node, NULL) != 0 || cpu != (unsigned)i || sched_getcpu() != i;
    }
    return (void *)bad;
}

static void processors(void)
{
    cpu_set_t before, after;
    struct {
        uint32_t guard1, cpu, guard2, node, guard3;
    } words = {0x11111111, 9999, 0x22222222, 9999, 0x33333333};
    CPU_ZERO(&before);
    OK("sched_getaffinity", sched_getaffinity(0, sizeof before, &before));
    EQ("a thread, on each processor in turn", join(thread(sets_own, NULL)), 0);
    CPU_ZERO(&after);
    sched_getaffinity(0, sizeof after, &after);
    CHECK("mine is untouched", CPU_EQUAL(&before, &after));
    OK("of a thread by its number", sched_getaffinity(tid(), sizeof after, &after));
    ERR("of nobody", sched_getaffinity(0x3fffffff, sizeof after, &after), ESRCH);
    ERR("too little room", syscall(SYS_sched_getaffinity, 0, 1, &after), EINVAL);
    CPU_ZERO(&after);
    ERR("none", sched_setaffinity(0, sizeof after, &after), EINVAL);
    OK("getcpu", syscall(SYS_getcpu, &words.cpu, &words.node, NULL));
    CHECK("its neighbours", words.guard1 == 0x11111111 && words.guard2 == 0x22222222 && words.guard3 == 0x33333333);
    CHECK("a processor I may use", CPU_ISSET(words.cpu, &before) && words.node < 1024);
    OK("nothing wanted", syscall(SYS_getcpu, NULL, NULL, NULL));
    ERR("to nowhere", syscall(SYS_getcpu, 8, NULL, NULL), EFAULT);
}

static void *nicer(void *arg)
{
    setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + 2);
    *(int *)arg = getpriority(PRIO_PROCESS, 0);
    return NULL;
}

static void priorities(void)
{
    struct sched_param param = {.sched_priority = 77};
    int mine = getpriority(PRIO_PROCESS, 0), theirs = -99;
    join(thread(nicer, &theirs));
    EQ("nice is a thread's", theirs - mine, mine > 17 ? 19 - mine : 2);
    EQ("not mine", getpriority(PRIO_PROCESS, 0), mine);
    OK("sched_yield", sched_yield());
    EQ("policy", syscall(SYS_sched_getscheduler, 0), SCHED_OTHER);
    OK("parameter", syscall(SYS_sched_getparam, 0, &param));
    EQ("none", param.sched_priority, 0);
    OK("SCHED_BATCH", syscall(SYS_sched_setscheduler, 0, SCHED_BATCH, &param));
    EQ("as set", syscall(SYS_sched_getscheduler, 0), SCHED_BATCH);
    OK("back", syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &param));
    param.sched_priority = 5;
    ERR("a priority without a policy", syscall(SYS_sched_setparam, 0, &param), EINVAL);
}

int main(void)
{
    tasks_begin();
    barriers();
    with_thread();
    processors();
    priorities();
    return check_done();
}
