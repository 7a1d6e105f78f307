// Signals that wait: standard ones once, real-time ones each, in their order, with what was sent along.
#include "tasks.h"

static volatile sig_atomic_t count;
static int order[512], values[512];

static void notes(int n, siginfo_t *info, void *context)
{
    (void)context;
    if (count < 512) {
        order[count] = n;
        values[count] = info->si_value.sival_int;
    }
    count++;
}

static int pending(int n)
{
    sigset_t set;
    sigpending(&set);
    return sigismember(&set, n);
}

static int queueinfo(pid_t to, int n, int code, int value)
{
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = n;
    info.si_code = code;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_int = value;
    return (int)syscall(SYS_rt_sigqueueinfo, to, n, &info);
}

static void counts(void)
{
    sigset_t all, before;
    struct sigaction act = {.sa_flags = SA_SIGINFO, .sa_sigaction = notes};
    sigfillset(&act.sa_mask);
    NEED(sigaction(SIGUSR1, &act, NULL));
    for (int n = SIGRTMIN; n <= SIGRTMIN + 4; n++)
        NEED(sigaction(n, &act, NULL));
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    for (int i = 0; i < 5; i++)
        kill(getpid(), SIGUSR1);
    EQ("pending", pending(SIGUSR1), 1);
    sigprocmask(SIG_SETMASK, &before, NULL);
    EQ("a standard signal comes once", count, 1);
    EQ("pending no more", pending(SIGUSR1), 0);

    // A hundred of each, more than any pool that is not the kernel's would hold.
    count = 0;
    sigprocmask(SIG_SETMASK, &all, NULL);
    for (int i = 0; i < 100; i++)
        for (int n = SIGRTMIN + 2; n >= SIGRTMIN; n--)
            NEED(sigqueue(getpid(), n, (union sigval){.sival_int = i * 10 + (n - SIGRTMIN)}));
    sigprocmask(SIG_SETMASK, &before, NULL);
    EQ("real-time signals come each", count, 300);
    int bad = 0;
    for (int i = 0; i < 300; i++)
        bad += order[i] != SIGRTMIN + i / 100 || values[i] != i % 100 * 10 + i / 100;
    EQ("lowest first, each in its order", bad, 0);

    // A thread's own come before the process's; standard ones before real-time ones.
    count = 0;
    sigprocmask(SIG_SETMASK, &all, NULL);
    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 1});
    syscall(SYS_tgkill, getpid(), tid(), SIGRTMIN + 4);
    kill(getpid(), SIGUSR1);
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 2});
    sigprocmask(SIG_SETMASK, &before, NULL);
    EQ("four", count, 4);
    CHECK("their order", order[0] == SIGRTMIN + 4 && order[1] == SIGUSR1 && order[2] == SIGRTMIN && order[3] == SIGRTMIN + 1);

    // Ignoring throws away what is pending.
    count = 0;
    sigprocmask(SIG_SETMASK, &all, NULL);
    sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 1});
    kill(getpid(), SIGUSR1);
    signal(SIGRTMIN, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    CHECK("ignored", !pending(SIGRTMIN) && !pending(SIGUSR1));
    sigaction(SIGRTMIN, &act, NULL);
    sigaction(SIGUSR1, &act, NULL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    EQ("and forgotten", count, 0);
}

// Without SA_RESTART one handler, nested in the next by an open mask: the last to be set up runs first.
static void nested(void)
{
    sigset_t set, before;
    sigemptyset(&set);
    for (int n = SIGRTMIN; n <= SIGRTMIN + 2; n++) {
        handle(n, notes, SA_SIGINFO);
        sigaddset(&set, n);
    }
    sigprocmask(SIG_BLOCK, &set, &before);
    for (int n = SIGRTMIN; n <= SIGRTMIN + 2; n++)
        sigqueue(getpid(), n, (union sigval){.sival_int = n});
    count = 0;
    sigprocmask(SIG_SETMASK, &before, NULL);
    EQ("three", count, 3);
    CHECK("the last first", order[0] == SIGRTMIN + 2 && order[1] == SIGRTMIN + 1 && order[2] == SIGRTMIN);
}

static void sent_along(void)
{
    sigset_t set = set_of(SIGRTMIN);
    siginfo_t info;
    block(SIGRTMIN);
    OK("rt_sigqueueinfo to oneself", queueinfo(getpid(), SIGRTMIN, -42, 77));
    EQ("sigwaitinfo", syscall(SYS_rt_sigtimedwait, &set, &info, NULL, 8), SIGRTMIN);
    CHECK("code and value", info.si_code == -42 && info.si_value.sival_int == 77 && info.si_pid == getpid());
    OK("any code to oneself", queueinfo(getpid(), SIGRTMIN, SI_USER, 78));
    EQ("as sent", (syscall(SYS_rt_sigtimedwait, &set, &info, NULL, 8), info.si_code), SI_USER);
    pid_t pid = child(waits_forever);
    ERR("the kernel's code to another", queueinfo(pid, SIGRTMIN, SI_USER, 1), EPERM);
    ERR("as by tkill", queueinfo(pid, SIGRTMIN, SI_TKILL, 1), EPERM);
    ERR("no such signal", queueinfo(pid, 65, SI_QUEUE, 1), EINVAL);
    OK("signal 0", queueinfo(pid, 0, SI_QUEUE, 1));
    ERR("nobody", queueinfo(0x3fffffff, SIGRTMIN, SI_QUEUE, 1), ESRCH);
    OK("a fatal one", queueinfo(pid, SIGKILL, SI_QUEUE, 1));
    EQ("it dies", end_of(pid), 1000 + SIGKILL);
    memset(&info, 0, sizeof info);
    info.si_code = SI_QUEUE;
    info.si_value.sival_int = 5;
    OK("rt_tgsigqueueinfo", syscall(SYS_rt_tgsigqueueinfo, getpid(), tid(), SIGRTMIN, &info));
    memset(&info, 0, sizeof info);
    EQ("for the thread", syscall(SYS_rt_sigtimedwait, &set, &info, NULL, 8), SIGRTMIN);
    EQ("its value", info.si_value.sival_int, 5);
    ERR("from nowhere", syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMIN, 8), EFAULT);

    // There is a limit, and above it the sender is told.
    struct rlimit old;
    getrlimit(RLIMIT_SIGPENDING, &old);
    if (getrlimit(RLIMIT_SIGPENDING, &old) == 0 && setrlimit(RLIMIT_SIGPENDING, &(struct rlimit){0, old.rlim_max}) == 0) {
        ERR("over the limit", sigqueue(getpid(), SIGRTMIN, (union sigval){0}), EAGAIN);
        OK("kill is never refused", kill(getpid(), SIGRTMIN));
        setrlimit(RLIMIT_SIGPENDING, &old);
        EQ("it came", syscall(SYS_rt_sigtimedwait, &set, &info, NULL, 8), SIGRTMIN);
    }
}

int main(void)
{
    tasks_begin();
    counts();
    nested();
    sent_along();
    return check_done();
}
