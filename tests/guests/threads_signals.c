// Signals and threads: masks of their own, signals for one thread and for any, waiting in a thread, calls that wait.
#include "tasks.h"
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>

static volatile pid_t handled_by;
static volatile sig_atomic_t handled;
static int step, ends[2], unused;
static siginfo_t told;

static int at(void) { return __atomic_load_n(&step, __ATOMIC_SEQ_CST); }
static void go(int n) { __atomic_store_n(&step, n, __ATOMIC_SEQ_CST); }

static void notes(int n, siginfo_t *info, void *context)
{
    (void)n, (void)context;
    told = *info;
    handled_by = tid();
    handled++;
}

static void *tells_mask(void *arg)
{
    pthread_sigmask(SIG_BLOCK, NULL, arg);
    block(SIGHUP);
    return NULL;
}

static void *has_altstack(void *arg)
{
    stack_t stack;
    sigaltstack(NULL, &stack);
    *(int *)arg = stack.ss_flags;
    return NULL;
}

static void inheritance(void)
{
    static char stack[65536];
    int flags = 0;
    sigset_t theirs, mine;
    block(SIGUSR2);
    block(SIGRTMIN + 3);
    kill(getpid(), SIGUSR2);
    pthread_t t[2];
    // The second may run where the first has been.
    for (int i = 0; i < 2; i++) {
        t[i] = thread(tells_mask, &theirs);
        join(t[i]);
        CHECK("the mask is inherited", sigismember(&theirs, SIGUSR2) && sigismember(&theirs, SIGRTMIN + 3));
        CHECK("nothing else", !sigismember(&theirs, SIGHUP) && !sigismember(&theirs, SIGUSR1));
    }
    pthread_sigmask(SIG_BLOCK, NULL, &mine);
    CHECK("theirs is not mine", !sigismember(&mine, SIGHUP));
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    join(thread(has_altstack, &flags));
    EQ("no alternate stack of another", flags, SS_DISABLE);
    signal(SIGUSR2, SIG_IGN);
    unblock(SIGUSR2);
}

static void *listens(void *arg)
{
    *(pid_t *)arg = tid();
    unblock(SIGUSR1);
    go(1);
    UNTIL(at() == 2);
    return NULL;
}

// All but one block it: a signal to the process goes to that one, whoever sends it.
static void chosen(void)
{
    pid_t listener = 0;
    handle(SIGUSR1, notes, SA_SIGINFO);
    block(SIGUSR1);
    go(0);
    pthread_t t = thread(listens, &listener);
    UNTIL(at() == 1);
    for (int i = 0; i < 3; i++) {
        handled = 0;
        kill(getpid(), SIGUSR1);
        UNTIL(handled);
        CHECK("by the one that listens", handled_by == listener && told.si_code == SI_USER && told.si_pid == getpid());
    }
    handled = 0;
    pthread_kill(t, SIGUSR1);
    UNTIL(handled);
    CHECK("for it alone", handled_by == listener && told.si_code == SI_TKILL);
    handled = 0;
    EQ("tgkill", syscall(SYS_tgkill, getpid(), listener, SIGUSR1), 0);
    UNTIL(handled);
    EQ("to it", handled_by, listener);
    EQ("signal 0", syscall(SYS_tgkill, getpid(), listener, 0), 0);
    ERR("of another process", syscall(SYS_tgkill, 0x3ffffffe, listener, 0), ESRCH);
    ERR("group and thread do not match", syscall(SYS_tgkill, listener, getpid(), 0), ESRCH);
    ERR("no such thread", syscall(SYS_tkill, 0x3ffffffe, 0), ESRCH);
    ERR("no thread", syscall(SYS_tkill, 0, 0), EINVAL);
    ERR("no such signal", syscall(SYS_tgkill, getpid(), listener, 65), EINVAL);
    // For me, who blocks it: it waits for me, and nobody else takes it.
    handled = 0;
    pthread_kill(pthread_self(), SIGUSR1);
    pause_ms(1);
    EQ("waits", handled, 0);
    unblock(SIGUSR1);
    CHECK("for me", handled == 1 && handled_by == getpid());
    block(SIGUSR1);
    go(2);
    join(t);
}

static void *sigwaits(void *arg)
{
    sigset_t set = set_of(SIGUSR1);
    sigaddset(&set, SIGTERM);
    siginfo_t info;
    go(1);
    for (int i = 0; i < 4; i++)
        ((int *)arg)[i] = (int)syscall(SYS_rt_sigtimedwait, &set, &info, NULL, 8) * 100 + (info.si_code == SI_USER) * 10 + (info.si_pid == getpid());
    return NULL;
}

static void waiting(void)
{
    int got[4] = {0};
    sigset_t pending;
    block(SIGTERM);
    go(0);
    pthread_t t = thread(sigwaits, got);
    for (int i = 0; i < 4; i++) {
        if (i == 3)
            pthread_kill(t, SIGTERM);
        else
            kill(getpid(), i % 2 ? SIGTERM : SIGUSR1);
        // Taken, as it is pending no more; one for another thread I cannot see.
        UNTIL(i == 3 || (sigpending(&pending), !sigismember(&pending, SIGUSR1) && !sigismember(&pending, SIGTERM)));
    }
    join(t);
    CHECK("rt_sigtimedwait", got[0] == SIGUSR1 * 100 + 11 && got[1] == SIGTERM * 100 + 11 && got[2] == got[0]);
    EQ("for this thread", got[3], SIGTERM * 100 + 1);
    unblock(SIGTERM);
}

static void *in_call(void *arg)
{
    char byte;
    struct pollfd p = {ends[0], POLLIN, 0};
    struct epoll_event ev;
    int ep = NEED(epoll_create1(0)), none = 0;
    long r = 0;
    unblock(SIGUSR1);
    go(1);
    switch ((long)arg) {
    case 0: r = read(ends[0], &byte, 1); break;
    case 1: r = poll(&p, 1, -1); break;
    case 2: r = epoll_wait(ep, &ev, 1, -1); break;
    case 3: r = nanosleep(&(struct timespec){1000, 0}, NULL); break;
    case 4: r = futex(&none, FUTEX_WAIT, 0, &(struct timespec){1000, 0}, NULL, 0); break;
    case 5: r = pause(); break;
    }
    int error = r == -1 ? errno : 0;
    close(ep);
    go(2);
    return (void *)(long)error;
}

// The process is sent a signal that only the waiting thread takes; sent again until it was in the call.
static void calls(void)
{
    static const char *const names[] = {"read", "poll", "epoll_wait", "nanosleep", "futex", "pause"};
    NEED(pipe(ends));
    for (long i = 0; i < 6; i++) {
        go(0);
        pthread_t t = thread(in_call, (void *)i);
        UNTIL(at());
        UNTIL(kill(getpid(), SIGUSR1) || at() == 2);
        EQ(names[i], join(t), EINTR);
    }
}

static void *adds(void *arg)
{
    for (int i = 0; i < 20; i++)
        pthread_kill(*(pthread_t *)arg, SIGRTMIN + 1);
    return NULL;
}

static void counts(int n)
{
    (void)n;
    unused++;
}

int main(void)
{
    tasks_begin();
    inheritance();
    chosen();
    waiting();
    calls();
    // Queued signals from several at a time: none is lost.
    handle(SIGRTMIN + 1, counts, 0);
    pthread_t me = pthread_self(), t[4];
    for (int i = 0; i < 4; i++)
        t[i] = thread(adds, &me);
    for (int i = 0; i < 4; i++)
        join(t[i]);
    UNTIL(unused >= 80);
    EQ("from four threads", unused, 80);
    return check_done();
}
