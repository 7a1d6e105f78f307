// epoll, eventfd, timerfd, signalfd, inotify, poll and select, with wrong arguments.
// Raw calls: the C library makes no difference.
// km-test: links=static-musl,static-kontain
// km-test: timeout=60
#include "conform.h"
#include <poll.h>
#include <sys/select.h>

static int ep, watched, timer, notify;

static void fresh(void)
{
    epoll_ctl(ep, EPOLL_CTL_DEL, watched, NULL);
}

static void added(void)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 5};
    epoll_ctl(ep, EPOLL_CTL_ADD, watched, &event);
}

static void stopped(void)
{
    struct itimerspec off = {{0, 0}, {0, 0}};
    timerfd_settime(timer, 0, &off, NULL);
}

int main(void)
{
    conform_start();
    ep = NEED(epoll_create1(0));
    watched = NEED(eventfd(1, EFD_NONBLOCK));
    timer = NEED(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
    notify = NEED(inotify_init1(IN_NONBLOCK));
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 7}, events[4];
    struct timespec none = {0, 0}, wrong = {0, 1000000000}, minus = {-1, 0};
    struct itimerspec once = {{0, 0}, {1000, 0}}, bad = {{0, 0}, {0, 1000000000}}, was;
    struct timeval no_time = {0, 0};
    unsigned long set = 1UL << (SIGUSR1 - 1);
    long both[2] = {(long)&set, 8};
    struct pollfd polled[2] = {{watched, POLLIN, 0}, {-1, POLLIN, 0}};
    fd_set fds;
    FD_ZERO(&fds);
    FD_SET(watched, &fds);
    char buf[64];
    memset(events, 0, sizeof events);

    const struct subject subjects[] = {
        {"epoll_create", SYS_epoll_create, NEWFD, {{WORD, 1, 4}}, NULL},
        {"epoll_create1", SYS_epoll_create1, NEWFD, {{BITS, 0, 0}}, NULL},
        {"epoll_ctl ADD", SYS_epoll_ctl, NUMBER,
         {{DESC, ep, 0}, {WORD, EPOLL_CTL_ADD, 6}, {DESC, watched, 0}, {IN, (long)&event, 12}}, fresh},
        {"epoll_ctl MOD", SYS_epoll_ctl, NUMBER,
         {{DESC, ep, 0}, {WORD, EPOLL_CTL_MOD, 6}, {DESC, watched, 0}, {IN, (long)&event, 12}}, added},
        {"epoll_ctl DEL", SYS_epoll_ctl, NUMBER,
         {{DESC, ep, 0}, {WORD, EPOLL_CTL_DEL, 6}, {DESC, watched, 0}, {IN, (long)&event, 12}}, added},
        {"epoll_wait", SYS_epoll_wait, NUMBER,
         {{DESC, ep, 0}, {OUT, (long)events, sizeof events}, {WORD, 4, 6}, {KEEP, 0, 0}}, added},
        {"epoll_pwait", SYS_epoll_pwait, NUMBER,
         {{DESC, ep, 0}, {OUT, (long)events, sizeof events}, {WORD, 4, 6}, {KEEP, 0, 0}, {IN, (long)&set, 8},
          {COUNT, 8, 0}}, added},
        {"epoll_pwait2", SYS_epoll_pwait2, NUMBER,
         {{DESC, ep, 0}, {OUT, (long)events, sizeof events}, {WORD, 4, 6}, {IN, (long)&none, 16}, {IN, (long)&set, 8},
          {COUNT, 8, 0}}, added},
        {"eventfd", SYS_eventfd, NEWFD, {{COUNT32, 0, 0}}, NULL},
        {"eventfd2", SYS_eventfd2, NEWFD, {{COUNT32, 0, 0}, {BITS, 0, 0}}, NULL},
        {"timerfd_create", SYS_timerfd_create, NEWFD, {{WORD, CLOCK_MONOTONIC, 16}, {BITS, 0, 0}}, NULL},
        {"timerfd_settime", SYS_timerfd_settime, NUMBER,
         {{DESC, timer, 0}, {BITS, 0, 0}, {IN, (long)&once, 32}, {OUT, (long)&was, 32}}, stopped},
        {"timerfd_gettime", SYS_timerfd_gettime, NUMBER, {{DESC, timer, 0}, {OUT, (long)&was, 32}}, NULL},
        {"signalfd", SYS_signalfd, NEWFD, {{KEEP, -1, 0}, {IN, (long)&set, 8}, {COUNT, 8, 0}}, NULL},
        {"signalfd4", SYS_signalfd4, NEWFD, {{KEEP, -1, 0}, {IN, (long)&set, 8}, {COUNT, 8, 0}, {BITS, 0, 0}}, NULL},
        {"inotify_init1", SYS_inotify_init1, NEWFD, {{BITS, 0, 0}}, NULL},
        {"inotify_add_watch", SYS_inotify_add_watch, DONE, {{DESC, notify, 0}, {NAME, (long)".", 0}, {BITS, 2, 0}}, NULL},
        {"inotify_rm_watch", SYS_inotify_rm_watch, DONE, {{DESC, notify, 0}, {WORD, 9999, 0}}, NULL},
        {"poll", SYS_poll, NUMBER, {{INOUT, (long)polled, sizeof polled}, {COUNT32, 2, 0}, {KEEP, 0, 0}}, NULL},
        {"ppoll", SYS_ppoll, NUMBER,
         {{INOUT, (long)polled, sizeof polled}, {COUNT32, 2, 0}, {INOUT, (long)&none, 16}, {IN, (long)&set, 8}, {COUNT, 8, 0}},
         NULL},
        {"select", SYS_select, NUMBER,
         {{WORD, watched + 1, 200}, {INOUT, (long)&fds, sizeof fds}, {KEEP, 0, 0}, {KEEP, 0, 0}, {INOUT, (long)&no_time, 16}},
         NULL},
        {"pselect6", SYS_pselect6, NUMBER,
         {{WORD, watched + 1, 60}, {INOUT, (long)&fds, sizeof fds}, {INOUT, (long)&fds, sizeof fds}, {INOUT, (long)&fds, sizeof fds},
          {INOUT, (long)&none, 16}, {IN, (long)both, 16}}, NULL},
        {"eventfd read", SYS_read, NUMBER, {{DESC, watched, 0}, {OUT, (long)buf, 8}, {COUNT, 8, 0}}, NULL},
        {"eventfd write", SYS_write, NUMBER, {{KEEP, watched, 0}, {IN, (long)"\1\0\0\0\0\0\0\0", 8}, {COUNT, 8, 0}}, NULL},
    };
    // NULL as a timeout waits: those calls find something ready.
    added();
    conform(subjects, conform_len(subjects));

    fresh();
    struct epoll_event exclusive = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.u64 = 0};
    probe("epoll_ctl", "EXCLUSIVE", DONE, SYS_epoll_ctl, ep, EPOLL_CTL_ADD, watched, (long)&exclusive);
    probe("epoll_ctl", "MOD of EXCLUSIVE", DONE, SYS_epoll_ctl, ep, EPOLL_CTL_MOD, watched, (long)&event);
    probe("epoll_ctl", "DEL with NULL", DONE, SYS_epoll_ctl, ep, EPOLL_CTL_DEL, watched, 0);
    for (int bit = 0; bit < 32; bit++) {
        struct epoll_event one = {.events = 1U << bit | EPOLLEXCLUSIVE, .data.u64 = 0};
        char how[16];
        snprintf(how, sizeof how, "bit %d", bit);
        fresh();
        probe("epoll_ctl EXCLUSIVE with", how, DONE, SYS_epoll_ctl, ep, EPOLL_CTL_ADD, watched, (long)&one);
    }
    fresh();
    probe("epoll_ctl", "itself", DONE, SYS_epoll_ctl, ep, EPOLL_CTL_ADD, ep, (long)&event);
    int second = NEED(epoll_create1(0));
    probe("epoll_ctl", "one in another", DONE, SYS_epoll_ctl, ep, EPOLL_CTL_ADD, second, (long)&event);
    probe("epoll_ctl", "a loop", DONE, SYS_epoll_ctl, second, EPOLL_CTL_ADD, ep, (long)&event);
    probe("epoll_wait", "too many", DONE, SYS_epoll_wait, ep, (long)events, INT_MAX / 12 + 1, 0);
    probe("epoll_pwait2", "wrong nanoseconds", DONE, SYS_epoll_pwait2, ep, (long)events, 4, (long)&wrong, 0, 8);
    probe("epoll_pwait2", "negative seconds", DONE, SYS_epoll_pwait2, ep, (long)events, 4, (long)&minus, 0, 8);
    probe("timerfd_settime", "wrong nanoseconds", DONE, SYS_timerfd_settime, timer, 0, (long)&bad, 0);
    probe("timerfd_settime", "CANCEL_ON_SET on monotonic", DONE, SYS_timerfd_settime, timer, 3, (long)&once, 0);
    probe("timerfd read", "not due", DONE, SYS_read, timer, (long)buf, 8);
    probe("timerfd read", "short", DONE, SYS_read, timer, (long)buf, 7);
    probe("ppoll", "wrong nanoseconds", DONE, SYS_ppoll, (long)polled, 1, (long)&wrong, 0, 8);
    probe("ppoll", "wrong time and bad pointer", DONE, SYS_ppoll, 1, 1, (long)&wrong, 0, 8);
    probe("ppoll", "wrong mask size and bad pointer", DONE, SYS_ppoll, 1, 1, (long)&none, (long)&set, 4);
    probe("pselect6", "negative seconds", DONE, SYS_pselect6, watched + 1, (long)&fds, 0, 0, (long)&minus, 0);
    long wrong_size[2] = {(long)&set, 7}, bad_set[2] = {1, 8}, no_set[2] = {0, 3};
    FD_SET(watched, &fds);
    probe("pselect6", "mask of 7 bytes", NUMBER, SYS_pselect6, watched + 1, (long)&fds, 0, 0, (long)&none, (long)wrong_size);
    FD_SET(watched, &fds);
    probe("pselect6", "mask at 1", NUMBER, SYS_pselect6, watched + 1, (long)&fds, 0, 0, (long)&none, (long)bad_set);
    FD_SET(watched, &fds);
    probe("pselect6", "no mask of 3 bytes", NUMBER, SYS_pselect6, watched + 1, (long)&fds, 0, 0, (long)&none, (long)no_set);
    FD_SET(500, &fds);
    probe("select", "of a closed one", NUMBER, SYS_select, 501, (long)&fds, 0, 0, (long)&no_time);
    for (size_t i = 0; i < wrong_fd_count; i++) {
        struct pollfd one = {wrong_fds[i].fd, 0x7fff, 0};
        probe("poll", wrong_fds[i].name, NUMBER, SYS_poll, (long)&one, 1, 0);
        printf("%x\n", one.revents);
        FD_ZERO(&fds);
        FD_SET(one.fd, &fds);
        probe("select", wrong_fds[i].name, NUMBER, SYS_select, one.fd + 1, (long)&fds, 0, 0, (long)&no_time);
        probe("signalfd onto", wrong_fds[i].name, DONE, SYS_signalfd4, one.fd, (long)&set, 8, 0);
    }
    probe("signalfd onto", "not open", DONE, SYS_signalfd4, 777, (long)&set, 8, 0);
    probe("signalfd onto", "15000", DONE, SYS_signalfd4, 15000, (long)&set, 8, 0);
    probe("inotify_add_watch", "MASK_CREATE again", DONE, SYS_inotify_add_watch, notify, (long)".", 2 | IN_MASK_CREATE);
    probe("inotify_add_watch", "MASK_CREATE and MASK_ADD", DONE, SYS_inotify_add_watch, notify, (long)".", 2 | IN_MASK_CREATE | IN_MASK_ADD);
    probe("inotify_add_watch", "nothing", DONE, SYS_inotify_add_watch, notify, (long)".", 0);
    return conform_done();
}
