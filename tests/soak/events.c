// Actions: queued signals, timers, and descriptors that wait.
#include "soak.h"
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

struct target {
    uint64_t seed, want, result;
    int tid;
};

static void *is_signalled(void *arg)
{
    struct target *target = arg;
    uint64_t r = target->seed;
    queued = 0;
    __atomic_store_n(&target->tid, tid(), __ATOMIC_SEQ_CST);
    while (queued < target->want) {
        if (below(&r, 8) == 0) {
            block(QUEUED);
            sched_yield();
            unblock(QUEUED);
        }
        target->result = chain(target->seed);
    }
    target->result += queued - target->want;
    return arg;
}

// Queued signals arrive each, at a thread that computes and changes its mask.
uint64_t signals(uint64_t seed)
{
    uint64_t r = ~seed;
    int n = 1 + (int)below(&r, 30);
    struct target target = {.seed = seed, .want = (uint64_t)n * (uint64_t)(n + 1) / 2};
    pthread_t t = start(is_signalled, &target, 0);
    UNTIL(__atomic_load_n(&target.tid, __ATOMIC_SEQ_CST));
    for (int i = 1; i <= n; i++) {
        siginfo_t info = {.si_code = SI_QUEUE, .si_pid = getpid(), .si_uid = getuid()};
        info.si_value.sival_int = i;
        while (syscall(SYS_rt_tgsigqueueinfo, getpid(), target.tid, QUEUED, &info) == -1 && errno == EAGAIN)
            pause_us(100);
        if (below(&r, 4) == 0)
            kill(getpid(), SIGUSR2);
    }
    pthread_join(t, NULL);
    return target.result;
}

uint64_t timers(uint64_t seed)
{
    uint64_t wrong = 0, times = 0;
    struct itimerspec often = {{0, 1000000}, {0, 1000000}};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = TIMED};
    timer_t timer;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer))
        return off("timer_create", 1, 0);
    int before = __atomic_load_n(&expired, __ATOMIC_SEQ_CST);
    timer_settime(timer, 0, &often, NULL);
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    timerfd_settime(fd, 0, &often, NULL);
    for (int i = 0; i < 3; i++)
        times += take(fd);
    wrong += off("timerfd", times < 3, 0);
    UNTIL(__atomic_load_n(&expired, __ATOMIC_SEQ_CST) != before);
    wrong += off("timer_delete", (uint64_t)timer_delete(timer), 0);
    close(fd);
    return chain(seed) + wrong;
}

uint64_t descriptors(uint64_t seed)
{
    uint64_t r = ~seed, wrong = 0;
    sigset_t none;
    sigemptyset(&none);
    for (unsigned i = below(&r, 6); i < 8; i++) {
        int pair[2], epoll = epoll_create1(EPOLL_CLOEXEC), event = eventfd(0, EFD_CLOEXEC);
        int signals = signalfd(-1, &none, SFD_CLOEXEC), copy = fcntl(epoll, F_DUPFD_CLOEXEC, 20);
        struct epoll_event in = {.events = EPOLLIN, .data.u64 = seed};
        wrong += off("socketpair", (uint64_t)socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        wrong += off("epoll_ctl", (uint64_t)epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &in), 0);
        give(pair[1], seed);
        give(event, 5);
        in.data.u64 = 0;
        int n;
        while ((n = epoll_wait(copy, &in, 1, -1)) == -1 && errno == EINTR) {
        }
        wrong += off("epoll_wait", in.data.u64, seed) + off("socket", take(pair[0]), seed) + off("event", take(event), 5);
        close_both(pair);
        close(epoll);
        close(event);
        close(signals);
        close(copy);
    }
    return chain(seed) + wrong;
}
