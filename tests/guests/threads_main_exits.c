// The first thread ends before the others: the process goes on, with the same number, until the last one ends or one
// calls exit. Each way is a process of its own. (Not by fork: musl before 1.2.4 hangs when the first thread of a forked
// child ends.)
// km-test-case: another_exits args=another_exits exit=21
// km-test-case: all_return args=all_return exit=0
// km-test-case: killed args=killed signal=SIGTERM
// km-test-case: fault args=fault signal=SIGSEGV
// km-test-case: signalled args=signalled exit=22
// km-test-case: others_stay args=others_stay exit=23
// km-test-case: main_returns args=main_returns exit=24
// km-test-case: raw_exit args=raw_exit exit=25
// km-test-case: raw_exit_first args=raw_exit_first exit=78
#include "tasks.h"
#include <poll.h>

static pthread_t first;

static void *exits(void *arg)
{
    EQ("the first one has ended", pthread_join(first, NULL), 0);
    CHECK("another number than the process", tid() != getpid());
    exit((int)(long)arg);
}

static void another_exits(void)
{
    thread(exits, (void *)21);
    pthread_exit(NULL);
}

static void *returns(void *arg)
{
    pause_ms((long)arg);
    return arg;
}

static void all_return(void)
{
    for (long i = 0; i < 3; i++)
        thread(returns, (void *)i);
    printf("ok started\n");
    pthread_exit((void *)5);
}

static void *raises(void *arg)
{
    EQ("the first one has ended", pthread_join(first, NULL), 0);
    fflush(stdout);
    volatile int *volatile nowhere = (int *)8;
    if (arg)
        raise(SIGTERM);
    else
        *nowhere = 1;
    return NULL;
}

static void killed(void)
{
    thread(raises, &first);
    pthread_exit(NULL);
}

static void fault(void)
{
    thread(raises, NULL);
    pthread_exit(NULL);
}

// Signals to the process still arrive, and it can fork.
static volatile sig_atomic_t got;
static void counts(int n)
{
    (void)n;
    got++;
}

static void *is_signalled(void *arg)
{
    EQ("the first one has ended", pthread_join(first, NULL), 0);
    EQ("it is there", kill(getpid(), 0), 0);
    OK("the first one's number", syscall(SYS_tgkill, getpid(), getpid(), 0));
    for (int i = 1; i < 4; i++) {
        kill(getpid(), SIGUSR1);
        UNTIL(got == i);
    }
    EQ("signals", got, 3);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(tid() == getpid() ? 6 : 7);
    EQ("it can fork", end_of(pid), 6);
    exit(check_failures ? 99 : 22);
    return arg;
}

static void signalled(void)
{
    handle(SIGUSR1, counts, 0);
    thread(is_signalled, NULL);
    pthread_exit(NULL);
}

// Not even a wait under a mask of all signals holds it up.
static void *waits_masked(void *arg)
{
    sigset_t all;
    sigfillset(&all);
    ppoll(NULL, 0, NULL, &all);
    return arg;
}

static void *spins(void *arg)
{
    for (volatile long i = 0;; i = i + 1)
        if (i < 0)
            return arg;
}

static void *exits_at_once(void *arg) { exit((int)(long)arg); }

// exit ends threads in calls and in loops.
static void others_stay(void)
{
    printf("ok started\n");
    thread(stays, NULL);
    thread(spins, NULL);
    thread(waits_masked, NULL);
    pause_ms(1);
    thread(exits_at_once, (void *)23);
    waits_forever();
}

static void main_returns(void)
{
    thread(stays, NULL);
    thread(spins, NULL);
    printf("ok started\n");
    exit(24);
}

static int other;

static void *exits_alone(void *arg)
{
    __atomic_store_n(&other, tid(), __ATOMIC_SEQ_CST);
    syscall(SYS_exit, 77);
    return arg;
}

// The call, unlike the function, ends one thread only, and the libraries are not told; the last one's code counts.
static void raw_exit(void)
{
    thread(exits_alone, NULL);
    UNTIL(__atomic_load_n(&other, __ATOMIC_SEQ_CST));
    UNTIL(syscall(SYS_tgkill, getpid(), other, 0) == -1);
    EQ("gone", errno, ESRCH);
    printf("ok still here\n");
    fflush(stdout);
    syscall(SYS_exit, 25);
}

static void *exits_later(void *arg)
{
    pause_ms(5);
    printf("ok later\n");
    fflush(stdout);
    syscall(SYS_exit, 78);
    return arg;
}

static void raw_exit_first(void)
{
    thread(exits_later, NULL);
    syscall(SYS_exit, 26);
}

static const struct {
    const char *name;
    void (*run)(void);
} ways[] = {
    {"another_exits", another_exits}, {"all_return", all_return},     {"killed", killed},
    {"fault", fault},                 {"signalled", signalled},       {"others_stay", others_stay},
    {"main_returns", main_returns},   {"raw_exit", raw_exit},         {"raw_exit_first", raw_exit_first},
};

int main(int argc, char **argv)
{
    tasks_begin();
    first = pthread_self();
    for (unsigned i = 0; argc > 1 && i < sizeof ways / sizeof *ways; i++)
        if (!strcmp(ways[i].name, argv[1]))
            ways[i].run();
    return 98;
}
