// Calls that wait with a signal mask of their own: what is blocked while they wait, in the handler, and afterwards.
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define SET 8UL

// The kernel's set, in the C library's or by itself.
typedef unsigned long mask_t;
#define BIT(signal) (1UL << ((signal)-1))

static volatile mask_t in_handler, in_frame;
static volatile int count, order;
static int ep, ends[2];

static mask_t blocked(void)
{
    mask_t now = 0;
    NEED(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &now, SET));
    return now;
}

static void look(int signal, siginfo_t *info, void *context)
{
    (void)info;
    mask_t saved;
    memcpy(&saved, &((ucontext_t *)context)->uc_sigmask, sizeof saved);
    in_handler = blocked();
    in_frame = saved;
    order = order * 100 + signal;
    count++;
}

// One way to wait, without end if `forever`, else not at all. EPOLL, POLL and SELECT wait for the pipe.
struct way {
    const char *name;
    long (*wait)(const mask_t *mask, size_t size, int forever);
};

static long by_ppoll(const mask_t *mask, size_t size, int forever)
{
    struct pollfd f = {ends[0], POLLIN, 0};
    struct timespec none = {0, 0};
    return syscall(SYS_ppoll, &f, 1L, forever ? NULL : &none, mask, size);
}

static long by_pselect6(const mask_t *mask, size_t size, int forever)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    struct timespec none = {0, 0};
    struct {
        const mask_t *mask;
        size_t size;
    } pair = {mask, size};
    return syscall(SYS_pselect6, ends[0] + 1, &set, NULL, NULL, forever ? NULL : &none, &pair);
}

static long by_epoll_pwait(const mask_t *mask, size_t size, int forever)
{
    struct epoll_event event;
    return syscall(SYS_epoll_pwait, ep, &event, 1, forever ? -1 : 0, mask, size);
}

static long by_epoll_pwait2(const mask_t *mask, size_t size, int forever)
{
    struct epoll_event event;
    struct timespec none = {0, 0};
    return syscall(441, ep, &event, 1, forever ? NULL : &none, mask, size);
}

static long by_sigsuspend(const mask_t *mask, size_t size, int forever)
{
    (void)forever;
    return syscall(SYS_rt_sigsuspend, mask, size);
}

static const struct way ways[] = {
    {"ppoll", by_ppoll},
    {"pselect6", by_pselect6},
    {"epoll_pwait", by_epoll_pwait},
    {"epoll_pwait2", by_epoll_pwait2},
    {"sigsuspend", by_sigsuspend},
};

static const char *named(const char *way, const char *what)
{
    static char name[100];
    snprintf(name, sizeof name, "%s: %s", way, what);
    return name;
}

static void interrupted(const struct way *w)
{
    mask_t before = BIT(SIGUSR1) | BIT(SIGHUP), wait = BIT(SIGUSR2) | BIT(SIGKILL);
    NEED(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, SET));
    kill(getpid(), SIGUSR1);
    count = 0;
    ERR(named(w->name, "pending before"), w->wait(&wait, SET, 1), EINTR);
    EQ(named(w->name, "delivered once"), count, 1);
    EQ(named(w->name, "its own mask in the handler"), in_handler, BIT(SIGUSR2) | BIT(SIGUSR1) | BIT(SIGTERM));
    EQ(named(w->name, "the old one in the frame"), in_frame, before);
    EQ(named(w->name, "and back"), blocked(), before);

    // Two at once: the second handler runs on top of the first, in the first one's mask.
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGHUP);
    order = 0;
    ERR(named(w->name, "two pending"), w->wait(&wait, SET, 1), EINTR);
    EQ(named(w->name, "both delivered"), order, SIGUSR1 * 100 + SIGHUP);
    EQ(named(w->name, "back after two"), blocked(), before);

    // A signal that a waiting process gets.
    struct timespec soon = {0, 20000000};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    int timer;
    NEED(syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer));
    struct itimerspec when = {.it_value = soon};
    NEED(syscall(SYS_timer_settime, timer, 0, &when, NULL));
    count = 0;
    ERR(named(w->name, "while it waits"), w->wait(&wait, SET, 1), EINTR);
    EQ(named(w->name, "handler ran"), count, 1);
    EQ(named(w->name, "mask in it"), in_handler, BIT(SIGUSR2) | BIT(SIGUSR1) | BIT(SIGTERM));
    EQ(named(w->name, "frame of it"), in_frame, before);
    syscall(SYS_timer_delete, timer);

    // Signals that a fault would raise, sent by a process and blocked, come as well.
    before |= BIT(SIGSEGV);
    NEED(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, SET));
    kill(getpid(), SIGSEGV);
    count = 0;
    ERR(named(w->name, "a blocked SIGSEGV"), w->wait(&wait, SET, 1), EINTR);
    EQ(named(w->name, "came"), count, 1);
    EQ(named(w->name, "with the mask"), in_handler, BIT(SIGUSR2) | BIT(SIGSEGV) | BIT(SIGTERM));
    EQ(named(w->name, "and its frame"), in_frame, before);

    ERR(named(w->name, "size of the mask"), w->wait(&wait, 4, 1), EINVAL);
    ERR(named(w->name, "size before address"), w->wait((void *)8, 16, 1), EINVAL);
    ERR(named(w->name, "bad address"), w->wait((void *)8, SET, 1), EFAULT);
    EQ(named(w->name, "mask untouched"), blocked(), before);
}

static void ready(const struct way *w)
{
    mask_t before = BIT(SIGUSR1), none = 0;
    NEED(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, SET));
    NEED(write(ends[1], "x", 1));
    kill(getpid(), SIGUSR1);
    count = 0;
    EQ(named(w->name, "ready"), w->wait(&none, SET, 1), 1);
    EQ(named(w->name, "so the signal stays pending"), count, 0);
    EQ(named(w->name, "and blocked"), blocked(), before);
    char c;
    NEED(read(ends[0], &c, 1));
    ERR(named(w->name, "not ready"), w->wait(&none, SET, 1), EINTR);
    EQ(named(w->name, "now it came"), count, 1);
    EQ(named(w->name, "nothing"), w->wait(&none, SET, 0), 0);
    EQ(named(w->name, "no mask"), w->wait(NULL, w->wait == by_pselect6 ? 0 : 99, 0), 0);
}

// Which of several mistakes is found first.
static void orders(void)
{
    struct timespec bad = {0, -1}, none = {0, 0};
    mask_t mask = 0;
    struct pollfd f = {ends[0], POLLIN, 0};
    void *nowhere = (void *)8;
    ERR("ppoll: timeout before mask", syscall(SYS_ppoll, &f, 1L, &bad, nowhere, SET), EINVAL);
    ERR("ppoll: timeout's address", syscall(SYS_ppoll, &f, 1L, nowhere, &mask, 3L), EFAULT);
    ERR("ppoll: mask before descriptors", syscall(SYS_ppoll, nowhere, 1L, &none, &mask, 3L), EINVAL);
    ERR("ppoll: timeout before descriptors", syscall(SYS_ppoll, nowhere, 1L, &bad, &mask, SET), EINVAL);
    ERR("ppoll: descriptors", syscall(SYS_ppoll, nowhere, 1L, &none, &mask, SET), EFAULT);
    ERR("ppoll: too many", syscall(SYS_ppoll, nowhere, 1L << 30, &none, &mask, SET), EINVAL);
    ERR("ppoll: too many, bad mask", syscall(SYS_ppoll, nowhere, 1L << 30, &none, nowhere, SET), EFAULT);
    struct {
        const void *mask;
        size_t size;
    } pair = {&mask, 3};
    ERR("pselect6: the pair", syscall(SYS_pselect6, -1, nowhere, NULL, NULL, &bad, nowhere), EFAULT);
    ERR("pselect6: timeout", syscall(SYS_pselect6, -1, nowhere, NULL, NULL, nowhere, &pair), EFAULT);
    ERR("pselect6: size before sets", syscall(SYS_pselect6, 5, nowhere, NULL, NULL, &none, &pair), EINVAL);
    pair.size = SET;
    ERR("pselect6: timeout before sets", syscall(SYS_pselect6, 5, nowhere, NULL, NULL, &bad, &pair), EINVAL);
    ERR("pselect6: count", syscall(SYS_pselect6, -1, nowhere, NULL, NULL, &none, &pair), EINVAL);
    ERR("pselect6: sets", syscall(SYS_pselect6, 5, nowhere, NULL, NULL, &none, &pair), EFAULT);
    ERR("epoll_pwait: mask before events", syscall(SYS_epoll_pwait, ep, nowhere, 0, 0, nowhere, SET), EFAULT);
    ERR("epoll_pwait: mask before descriptor", syscall(SYS_epoll_pwait, -1, nowhere, 1, 0, &mask, 3L), EINVAL);
    ERR("epoll_pwait: count", syscall(SYS_epoll_pwait, ep, nowhere, 0, 0, &mask, SET), EINVAL);
    ERR("epoll_pwait2: timeout first", syscall(441, ep, nowhere, 0, nowhere, &mask, 3L), EFAULT);
    ERR("epoll_pwait2: then the mask", syscall(441, ep, nowhere, 0, &none, nowhere, SET), EFAULT);
}

int main(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_RESTART, .sa_sigaction = look};
    sigaddset(&action.sa_mask, SIGTERM);
    NEED(sigaction(SIGUSR1, &action, NULL));
    NEED(sigaction(SIGHUP, &action, NULL));
    NEED(sigaction(SIGSEGV, &action, NULL));
    NEED(pipe(ends));
    ep = NEED(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN};
    NEED(epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &event));
    for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) {
        interrupted(&ways[i]);
        if (ways[i].wait != by_sigsuspend)
            ready(&ways[i]);
    }
    orders();
    return check_done();
}
