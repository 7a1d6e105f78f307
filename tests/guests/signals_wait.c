// Waiting for signals, and calls that wait with a mask of their own: handlers run under the right mask, and nothing is
// lost between mask and wait.
#include "tasks.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/time.h>

static volatile sig_atomic_t handled;
static sigset_t mask_inside;

static void notes(int n)
{
    (void)n;
    handled++;
    sigprocmask(SIG_BLOCK, NULL, &mask_inside);
}

static void sigwaits(void)
{
    sigset_t set = set_of(SIGUSR1), pending;
    siginfo_t info;
    int number = 0;
    sigaddset(&set, SIGRTMIN + 1);
    block(SIGUSR1);
    block(SIGRTMIN + 1);
    struct timespec none = {0, 0}, little = {0, 2000000}, bad = {0, 1000000000};
    ERR("nothing there", sigtimedwait(&set, &info, &none), EAGAIN);
    ERR("nothing came", sigtimedwait(&set, &info, &little), EAGAIN);
    ERR("bad time", sigtimedwait(&set, &info, &bad), EINVAL);
    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 5});
    kill(getpid(), SIGUSR1);
    EQ("the lower first", sigtimedwait(&set, &info, &little), SIGUSR1);
    EQ("then the other", sigwaitinfo(&set, &info), SIGRTMIN + 1);
    CHECK("siginfo", info.si_code == SI_QUEUE && info.si_value.sival_int == 5 && info.si_signo == SIGRTMIN + 1);
    sigpending(&pending);
    CHECK("taken", !sigismember(&pending, SIGUSR1) && !sigismember(&pending, SIGRTMIN + 1));
    kill(getpid(), SIGUSR1);
    EQ("sigwait", sigwait(&set, &number), 0);
    EQ("which", number, SIGUSR1);
    ERR("wrong size", syscall(SYS_rt_sigtimedwait, &set, &info, NULL, 4), EINVAL);
    EQ("no siginfo wanted", (raise(SIGUSR1), syscall(SYS_rt_sigtimedwait, &set, NULL, NULL, 8)), SIGUSR1);
    // Another signal's handler ends the wait.
    handle(SIGALRM, notes, SA_RESTART);
    struct itimerval often = {{0, 3000}, {0, 3000}}, off = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &often, NULL);
    ERR("interrupted", syscall(SYS_rt_sigtimedwait, &set, &info, NULL, 8), EINTR);
    setitimer(ITIMER_REAL, &off, NULL);
    signal(SIGALRM, SIG_DFL);
    alarm(LIMIT);
    // One ignored but blocked can still be waited for.
    signal(SIGUSR1, SIG_IGN);
    raise(SIGUSR1);
    EQ("though ignored", sigtimedwait(&set, &info, &none), SIGUSR1);
}

static void signalfds(void)
{
    sigset_t set = set_of(SIGUSR2);
    struct signalfd_siginfo info[3];
    block(SIGUSR2);
    int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    OK("signalfd", fd);
    ERR("empty", read(fd, info, sizeof info), EAGAIN);
    ERR("too small", read(fd, info, 10), EINVAL);
    struct pollfd p = {fd, POLLIN, 0};
    EQ("not ready", poll(&p, 1, 0), 0);
    kill(getpid(), SIGUSR2);
    EQ("ready", poll(&p, 1, 0), 1);
    EQ("read", read(fd, info, sizeof info), sizeof info[0]);
    CHECK("who", info[0].ssi_signo == SIGUSR2 && info[0].ssi_pid == (unsigned)getpid() && info[0].ssi_code == SI_USER);
    sigaddset(&set, SIGRTMIN + 2);
    block(SIGRTMIN + 2);
    EQ("another set", signalfd(fd, &set, 0), fd);
    for (int i = 0; i < 3; i++)
        sigqueue(getpid(), SIGRTMIN + 2, (union sigval){.sival_int = i});
    EQ("three at once", read(fd, info, sizeof info), sizeof info);
    CHECK("in order", info[0].ssi_int == 0 && info[1].ssi_int == 1 && info[2].ssi_int == 2);
    ERR("not a signalfd", signalfd(0, &set, 0), EINVAL);
    ERR("unknown flags", signalfd(-1, &set, 1), EINVAL);
    close(fd);
}

// The signal is pending before the call, blocked; the call's mask lets it in, at once.
static int waits(int way)
{
    static const struct timespec forever = {1000, 0};
    sigset_t open;
    struct epoll_event ev;
    struct pollfd none = {-1, POLLIN, 0};
    int ep = NEED(epoll_create1(0)), result = 0;
    sigemptyset(&open);
    sigaddset(&open, SIGHUP);
    block(SIGUSR1);
    handled = 0;
    kill(getpid(), SIGUSR1);
    if (handled)
        return -2;
    switch (way) {
    case 0: result = sigsuspend(&open); break;
    case 1: result = ppoll(&none, 1, &forever, &open); break;
    case 2: result = pselect(0, NULL, NULL, NULL, &forever, &open); break;
    case 3: result = epoll_pwait(ep, &ev, 1, 1000000, &open); break;
    case 4: result = (int)syscall(441, ep, &ev, 1, &forever, &open, 8); break;
    }
    int error = errno;
    close(ep);
    errno = error;
    return result;
}

static void masks(void)
{
    static const char *const names[] = {"sigsuspend", "ppoll", "pselect", "epoll_pwait", "epoll_pwait2"};
    sigset_t after;
    handle(SIGUSR1, notes, SA_RESTART);
    for (int way = 0; way < 5; way++) {
        int result = waits(way);
        if (way == 4 && errno == ENOSYS) {
            SKIP(names[way], "not in this kernel");
            continue;
        }
        ERR(names[way], result, EINTR);
        EQ("handled once", handled, 1);
        CHECK("inside: the call's mask and itself",
              sigismember(&mask_inside, SIGHUP) && sigismember(&mask_inside, SIGUSR1) && !sigismember(&mask_inside, SIGUSR2));
        sigprocmask(SIG_BLOCK, NULL, &after);
        CHECK("after: as before", sigismember(&after, SIGUSR1) && !sigismember(&after, SIGHUP));
    }
    // What is ready comes first, the mask or not.
    int ends[2];
    sigset_t all;
    sigfillset(&all);
    NEED(pipe(ends));
    NEED(write(ends[1], "x", 1));
    struct pollfd p = {ends[0], POLLIN, 0};
    handled = 0;
    EQ("ready, all blocked", ppoll(&p, 1, NULL, &all), 1);
    EQ("not handled", handled, 0);
    ERR("wrong size", syscall(SYS_ppoll, &p, 1, NULL, &all, 4), EINVAL);
    // A mask that blocks everything, and a timeout.
    EQ("times out, all blocked", ppoll(NULL, 0, &(struct timespec){0, 2000000}, &all), 0);
    unblock(SIGUSR1);
    // Two signals let in at once: the handlers of both have run when the call returns.
    handle(SIGUSR2, notes, 0);
    block(SIGUSR1);
    block(SIGUSR2);
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGUSR2);
    handled = 0;
    sigemptyset(&all);
    ERR("two at once", sigsuspend(&all), EINTR);
    EQ("both", handled, 2);
    ERR("bad pointer", syscall(SYS_rt_sigsuspend, 8, 8), EFAULT);
    ERR("wrong size", syscall(SYS_rt_sigsuspend, &all, 4), EINVAL);
    ERR("unknown way", syscall(SYS_rt_sigprocmask, 7, &all, NULL, 8), EINVAL);
}

int main(void)
{
    tasks_begin();
    sigwaits();
    unblock(SIGUSR1);
    signalfds();
    unblock(SIGUSR2);
    masks();
    return check_done();
}
