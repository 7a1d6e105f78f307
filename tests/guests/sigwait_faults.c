// SIGSEGV and SIGBUS as plain signals: sent by a process, blocked, pending, waited for.
#include "check.h"
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile int order, codes;

static void note(int signal, siginfo_t *info, void *context)
{
    (void)context;
    order = order * 100 + signal;
    codes = codes * 10 + (info->si_code == SI_USER);
}

static int pending(int signal)
{
    sigset_t set;
    NEED(sigpending(&set));
    return sigismember(&set, signal);
}

int main(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO, .sa_sigaction = note};
    sigfillset(&action.sa_mask);
    NEED(sigaction(SIGSEGV, &action, NULL));
    NEED(sigaction(SIGBUS, &action, NULL));
    sigset_t both, one;
    sigemptyset(&both);
    sigaddset(&both, SIGSEGV);
    sigaddset(&both, SIGBUS);
    sigaddset(&both, SIGUSR1);
    sigemptyset(&one);
    sigaddset(&one, SIGBUS);
    NEED(sigprocmask(SIG_BLOCK, &both, NULL));
    EQ("none pending", pending(SIGSEGV) + pending(SIGBUS), 0);
    siginfo_t info;
    struct timespec none = {0, 0}, moment = {0, 1000000};
    ERR("none to be had", sigtimedwait(&both, &info, &none), EAGAIN);

    kill(getpid(), SIGSEGV);
    kill(getpid(), SIGSEGV);
    EQ("pending", pending(SIGSEGV), 1);
    EQ("not the other", pending(SIGBUS), 0);
    EQ("not delivered", order, 0);
    ERR("another is waited for", sigtimedwait(&one, &info, &moment), EAGAIN);
    EQ("still pending", pending(SIGSEGV), 1);
    memset(&info, 0xff, sizeof info);
    EQ("waited for", sigtimedwait(&both, &info, &none), SIGSEGV);
    EQ("si_signo", info.si_signo, SIGSEGV);
    EQ("si_code", info.si_code, SI_USER);
    EQ("si_pid", info.si_pid == getpid(), 1);
    EQ("si_uid", info.si_uid == getuid(), 1);
    EQ("gone", pending(SIGSEGV), 0);
    ERR("only once", sigtimedwait(&both, &info, &moment), EAGAIN);

    // Several: those of faults come first, the lowest before the others.
    sigqueue(getpid(), SIGSEGV, (union sigval){.sival_int = 1234});
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGBUS);
    EQ("all pending", pending(SIGSEGV) + pending(SIGBUS) + pending(SIGUSR1), 3);
    EQ("first", sigwaitinfo(&both, &info), SIGBUS);
    EQ("second", sigwaitinfo(&both, &info), SIGSEGV);
    EQ("its value", info.si_value.sival_int, 1234);
    EQ("its code", info.si_code, SI_QUEUE);
    EQ("third", sigwaitinfo(&both, NULL), SIGUSR1);

    // Mistakes do not use it up.
    kill(getpid(), SIGBUS);
    struct timespec bad = {0, 1000000000};
    unsigned long set = 1UL << (SIGBUS - 1);
    ERR("bad time", syscall(SYS_rt_sigtimedwait, &set, &info, &bad, 8), EINVAL);
    ERR("size", syscall(SYS_rt_sigtimedwait, &set, &info, &none, 4), EINVAL);
    ERR("set's address", syscall(SYS_rt_sigtimedwait, (void *)8, &info, &none, 8), EFAULT);
    ERR("time's address", syscall(SYS_rt_sigtimedwait, &set, &info, (void *)8, 8), EFAULT);
    EQ("pending all the same", pending(SIGBUS), 1);
    unsigned char bytes[8];
    memset(bytes, 0x55, sizeof bytes);
    OK("a part of the set", syscall(SYS_rt_sigpending, bytes, 1));
    EQ("its byte", bytes[0], 1 << (SIGBUS - 1));
    EQ("no more", bytes[1], 0x55);
    ERR("more than a set", syscall(SYS_rt_sigpending, bytes, 9), EINVAL);
    ERR("address", syscall(SYS_rt_sigpending, (void *)8, 8), EFAULT);
    ERR("info's address", syscall(SYS_rt_sigtimedwait, &set, (void *)8, &none, 8), EFAULT);
    EQ("that one is used up", pending(SIGBUS), 0);

    // One that comes while it is waited for.
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGSEGV};
    int timer;
    NEED(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer));
    struct itimerspec when = {.it_value = {0, 10000000}};
    NEED(syscall(SYS_timer_settime, timer, 0, &when, NULL));
    EQ("by a timer", sigwaitinfo(&both, &info), SIGSEGV);
    EQ("which says so", info.si_code, SI_TIMER);
    EQ("no handler so far", order, 0);

    // Unblocked, they are delivered, the lower first, each in a handler that the next one waits for.
    kill(getpid(), SIGSEGV);
    kill(getpid(), SIGBUS);
    NEED(sigprocmask(SIG_UNBLOCK, &both, NULL));
    EQ("delivered in order", order, SIGBUS * 100 + SIGSEGV);
    EQ("as sent", codes, 11);
    return check_done();
}
