// Signals that are waited for and handled, and timers that send them, with wrong arguments.
// Raw calls: the C library makes no difference.
// km-test: links=static-musl,static-kontain
// km-test: timeout=60
#include "conform_child.h"
#include <time.h>

static volatile int handled;

static void count(int number)
{
    (void)number;
    handled++;
}

static void pending(void)
{
    syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
}

static void waits(void)
{
    unsigned long none = 0, all = ~0UL;
    sigset_t usr1 = set_of(SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    handle(SIGUSR1, count, 0);
    const struct subject subjects[] = {
        {"rt_sigsuspend", SYS_rt_sigsuspend, NUMBER, {{IN, (long)&none, 8}, {COUNT, 8, 0}}, pending},
    };
    conform(subjects, conform_len(subjects));
    probe("rt_sigsuspend", "wrong size, at 1", NUMBER, SYS_rt_sigsuspend, 1, 7);
    // SIGKILL and SIGSTOP cannot be held back: this is all but those.
    struct timespec soon = {0, 1000000};
    probe("rt_sigtimedwait", "of one that is there", NUMBER, SYS_rt_sigtimedwait, (long)&all, 0, (long)&soon, 8);
    probe("rt_sigtimedwait", "of none", NUMBER, SYS_rt_sigtimedwait, (long)&none, 0, (long)&soon, 8);
    soon.tv_nsec = 1000000000;
    probe("rt_sigtimedwait", "wrong nanoseconds", NUMBER, SYS_rt_sigtimedwait, (long)&all, 0, (long)&soon, 8);
    probe("rt_sigtimedwait", "wrong nanoseconds, at 1", NUMBER, SYS_rt_sigtimedwait, 1, 0, (long)&soon, 8);
    soon = (struct timespec){-1, 0};
    probe("rt_sigtimedwait", "negative", NUMBER, SYS_rt_sigtimedwait, (long)&all, 0, (long)&soon, 8);
}

static void interruptions(void)
{
    int timer;
    struct sigevent event;
    struct itimerspec often = {{0, 1000000}, {0, 1000000}};
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGUSR2;
    handle(SIGUSR2, count, SA_RESTART);
    NEED(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer));
    NEED(syscall(SYS_timer_settime, timer, 0, &often, NULL));
    probe("pause", "", NUMBER, SYS_pause);
    struct timespec long_time = {1000, 0}, rest = {0, 0};
    probe("nanosleep", "interrupted", NUMBER, SYS_nanosleep, (long)&long_time, (long)&rest);
    printf("%d\n", rest.tv_sec > 900);
    probe("nanosleep", "interrupted, rest at 1", NUMBER, SYS_nanosleep, (long)&long_time, 1);
    probe("nanosleep", "interrupted, no rest", NUMBER, SYS_nanosleep, (long)&long_time, 0);
    probe("clock_nanosleep", "interrupted", NUMBER, SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, (long)&long_time, (long)&rest);
    struct pollfd { int fd; short events, got; } polled = {-1, 0, 0};
    probe("poll", "interrupted", NUMBER, SYS_poll, (long)&polled, 1, -1);
    probe("ppoll", "interrupted", NUMBER, SYS_ppoll, (long)&polled, 1, (long)&long_time, 0, 8);
    printf("%d\n", long_time.tv_sec < 1000);
    struct timeval time = {1000, 0};
    probe("select", "interrupted", NUMBER, SYS_select, 0, 0, 0, 0, (long)&time);
    printf("%d\n", time.tv_sec < 1000);
    struct epoll_event got;
    int ep = NEED(epoll_create1(0));
    probe("epoll_wait", "interrupted", NUMBER, SYS_epoll_wait, ep, (long)&got, 1, -1);
    unsigned long hup = 1;
    probe("rt_sigtimedwait", "interrupted", NUMBER, SYS_rt_sigtimedwait, (long)&hup, 0, 0, 8);
    NEED(syscall(SYS_timer_delete, timer));
    printf("handled: %d\n", handled > 0);
    printf("alarm: %ld %ld %ld\n", syscall(SYS_alarm, 60), syscall(SYS_alarm, 0), syscall(SYS_alarm, 0));
}

// What a handler's return restores is looked at before it is believed.
static void bad_return(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    ucontext_t *state = context;
    // Not canonical: the thread dies of what comes of that.
    state->uc_mcontext.gregs[REG_RIP] = 0x0000800000000000;
}

static void returns(void)
{
    handle(SIGUSR1, bad_return, SA_SIGINFO);
    signal(SIGSEGV, SIG_DFL);
    raise(SIGUSR1);
    printf("not here\n");
}

static void others(void)
{
    become_nobody();
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_code = -1;
    probe("kill", "of the first process", NUMBER, SYS_kill, 1, 0);
    probe("tkill", "of the first process", NUMBER, SYS_tkill, 1, 0);
    probe("tgkill", "of the first process", NUMBER, SYS_tgkill, 1, 1, 0);
    probe("rt_sigqueueinfo", "to the first process", NUMBER, SYS_rt_sigqueueinfo, 1, 0, (long)&info);
    info.si_code = 0;
    probe("rt_sigqueueinfo", "as from the kernel", NUMBER, SYS_rt_sigqueueinfo, 1, 0, (long)&info);
    info.si_code = SI_TKILL;
    probe("rt_tgsigqueueinfo", "as by tkill", NUMBER, SYS_rt_tgsigqueueinfo, 1, 1, 0, (long)&info);
    for (int number = -1; number < 67; number += 66) {
        probe("kill", "by a wrong number", NUMBER, SYS_kill, getpid(), number);
        probe("tkill", "by a wrong number", NUMBER, SYS_tkill, getpid(), number);
        probe("rt_sigqueueinfo", "by a wrong number", NUMBER, SYS_rt_sigqueueinfo, getpid(), number, (long)&info);
        probe("rt_tgsigqueueinfo", "by a wrong number", NUMBER, SYS_rt_tgsigqueueinfo, getpid(), getpid(), number, (long)&info);
    }
    probe("rt_tgsigqueueinfo", "of thread 0", NUMBER, SYS_rt_tgsigqueueinfo, getpid(), 0, 0, (long)&info);
    probe("rt_tgsigqueueinfo", "of nobody", NUMBER, SYS_rt_tgsigqueueinfo, getpid(), 99999999, 0, (long)&info);
}

int main(void)
{
    conform_start();
    apart("waits", waits);
    apart("interruptions", interruptions);
    apart("returns", returns);
    apart("others", others);
    return conform_done();
}
