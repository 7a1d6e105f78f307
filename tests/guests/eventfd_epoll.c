// eventfd, timerfd, signalfd's empty side, epoll, inotify: descriptors that are events.
#include "check.h"
#include <fcntl.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static void events(void)
{
    uint64_t v = 0;
    int e = eventfd(3, EFD_NONBLOCK);
    OK("eventfd", e);
    EQ("read", read(e, &v, 8), 8);
    EQ("value", v, 3);
    ERR("empty", read(e, &v, 8), EAGAIN);
    v = 5;
    NEED(write(e, &v, 8));
    NEED(write(e, &v, 8));
    NEED(read(e, &v, 8));
    EQ("sum", v, 10);
    v = UINT64_MAX;
    ERR("too much", write(e, &v, 8), EINVAL);
    ERR("too short", read(e, &v, 4), EINVAL);
    close(e);
    e = NEED(eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK));
    NEED(read(e, &v, 8));
    EQ("semaphore", v, 1);
    NEED(read(e, &v, 8));
    ERR("used up", read(e, &v, 8), EAGAIN);
    ERR("flags", eventfd(0, 1 << 20), EINVAL);
    close(e);
}

static void timers(void)
{
    int t = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    OK("timerfd_create", t);
    struct itimerspec s = {{0, 2000000}, {0, 1000000}}, old;
    uint64_t n = 0;
    OK("set", timerfd_settime(t, 0, &s, NULL));
    OK("get", timerfd_gettime(t, &old));
    EQ("interval", old.it_interval.tv_nsec, 2000000);
    nanosleep(&(struct timespec){0, 8000000}, NULL);
    EQ("read", read(t, &n, 8), 8);
    CHECK("several times", n >= 3);
    s = (struct itimerspec){{0, 0}, {0, 0}};
    OK("stop", timerfd_settime(t, 0, &s, &old));
    ERR("never again", read(t, &n, 8), EAGAIN);
    NEED(fcntl(t, F_SETFL, 0));
    s.it_value.tv_nsec = 3000000;
    NEED(timerfd_settime(t, 0, &s, NULL));
    EQ("waited for", read(t, &n, 8), 8);
    EQ("once", n, 1);
    s.it_value.tv_nsec = 2000000000;
    ERR("nanoseconds", timerfd_settime(t, 0, &s, NULL), EINVAL);
    ERR("clock", timerfd_create(99, 0), EINVAL);
    ERR("not a timer", timerfd_gettime(0, &old), EINVAL);
    close(t);
}

static void epolls(void)
{
    int ep = epoll_create1(EPOLL_CLOEXEC), p[2], e = NEED(eventfd(0, EFD_NONBLOCK));
    OK("epoll_create1", ep);
    NEED(pipe(p));
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = 0x1122334455667788}, got[4];
    OK("add", epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev));
    ERR("add again", epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev), EEXIST);
    ev.data.u64 = 2;
    OK("add another", epoll_ctl(ep, EPOLL_CTL_ADD, e, &ev));
    EQ("nothing", epoll_wait(ep, got, 4, 0), 0);
    EQ("timeout", epoll_wait(ep, got, 4, 5), 0);
    NEED(write(p[1], "x", 1));
    EQ("one", epoll_wait(ep, got, 4, 1000), 1);
    EQ("its data", got[0].data.u64, 0x1122334455667788);
    EQ("its event", got[0].events, EPOLLIN);
    EQ("level: still there", epoll_wait(ep, got, 4, 0), 1);
    uint64_t v = 1;
    NEED(write(e, &v, 8));
    EQ("two", epoll_wait(ep, got, 4, 0), 2);
    EQ("room for one", epoll_wait(ep, got, 1, 0), 1);
    ev = (struct epoll_event){.events = EPOLLIN | EPOLLET, .data.u64 = 3};
    OK("edge", epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev));
    NEED(read(e, &v, 8));
    EQ("edge: once", epoll_wait(ep, got, 4, 0), 1);
    EQ("edge: not again", epoll_wait(ep, got, 4, 0), 0);
    NEED(write(p[1], "y", 1));
    EQ("edge: new data", epoll_wait(ep, got, 4, 0), 1);
    ev.events = EPOLLIN | EPOLLONESHOT;
    NEED(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &ev));
    EQ("oneshot", epoll_wait(ep, got, 4, 0), 1);
    EQ("oneshot: not again", epoll_wait(ep, got, 4, 0), 0);
    EQ("epoll_pwait", epoll_pwait(ep, got, 4, 0, NULL), 0);
    struct timespec ts = {0, 1000};
    long r = syscall(441, ep, got, 4, &ts, NULL, 0);
    OK("epoll_pwait2", r == -1 && errno == ENOSYS ? 0 : r);
    OK("delete", epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL));
    ERR("delete again", epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL), ENOENT);
    ERR("itself", epoll_ctl(ep, EPOLL_CTL_ADD, ep, &ev), EINVAL);
    int file = NEED(open("file", O_CREAT | O_RDWR, 0600));
    ERR("a file", epoll_ctl(ep, EPOLL_CTL_ADD, file, &ev), EPERM);
    unlink("file");
    ERR("not an epoll", epoll_wait(e, got, 4, 0), EINVAL);
    ERR("size", syscall(SYS_epoll_create, 0), EINVAL);
    // An array of events that nobody aligned.
    char raw[12 * 4 + 1];
    NEED(write(e, &v, 8));
    EQ("misaligned array", syscall(SYS_epoll_wait, ep, raw + 1, 4, 0), 1);
    memcpy(&v, raw + 5, 8);
    EQ("its data", v, 2);
    // One epoll in another.
    int outer = NEED(epoll_create1(0));
    ev = (struct epoll_event){.events = EPOLLIN, .data.u64 = 9};
    OK("nested", epoll_ctl(outer, EPOLL_CTL_ADD, ep, &ev));
    EQ("passes it on", epoll_wait(outer, got, 1, 0), 1);
}

static void notifications(void)
{
    int n = inotify_init1(IN_NONBLOCK);
    if (n < 0) {
        SKIP("inotify", "not in this kernel");
        return;
    }
    int w = inotify_add_watch(n, ".", IN_CREATE | IN_DELETE);
    OK("inotify_add_watch", w);
    close(NEED(open("watched", O_CREAT | O_RDWR, 0600)));
    unlink("watched");
    _Alignas(8) char buf[512];
    ssize_t len = read(n, buf, sizeof buf);
    struct inotify_event *first = (void *)buf, *second = (void *)(buf + sizeof *first + first->len);
    EQ("two events", len, 2 * sizeof *first + first->len + second->len);
    EQ("created", first->mask, IN_CREATE);
    STR("which", first->name, "watched");
    EQ("deleted", second->mask, IN_DELETE);
    ERR("no more", read(n, buf, sizeof buf), EAGAIN);
    OK("remove", inotify_rm_watch(n, w));
    close(n);
}

int main(void)
{
    events();
    timers();
    epolls();
    notifications();
    return check_done();
}
