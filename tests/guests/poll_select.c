// Waiting for descriptors: poll, ppoll, select, pselect.
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void by_poll(int *p, int file)
{
    struct pollfd f[4] = {{p[0], POLLIN, 0}, {p[1], POLLOUT, 0}, {file, POLLIN | POLLOUT, 0}, {-1, POLLIN, 99}};
    EQ("ready ones", poll(f, 4, 0), 2);
    EQ("empty pipe", f[0].revents, 0);
    EQ("writable pipe", f[1].revents, POLLOUT);
    EQ("a file is always ready", f[2].revents, POLLIN | POLLOUT);
    EQ("negative is passed over", f[3].revents, 0);
    long long start = now_ms();
    EQ("timeout", poll(f, 1, 20), 0);
    CHECK("waited", now_ms() - start >= 19);
    NEED(write(p[1], "x", 1));
    EQ("readable now", poll(f, 1, -1), 1);
    EQ("says so", f[0].revents, POLLIN);
    f[3].fd = 999;
    EQ("closed one", poll(f + 3, 1, 0), 1);
    EQ("POLLNVAL", f[3].revents, POLLNVAL);
    EQ("none at all", poll(NULL, 0, 5), 0);
    struct timespec ts = {0, 1000000};
    char c;
    NEED(read(p[0], &c, 1));
    sigset_t none;
    sigemptyset(&none);
    EQ("ppoll", ppoll(f, 1, &ts, &none), 0);
    ts.tv_nsec = -1;
    ERR("ppoll timeout", ppoll(f, 1, &ts, NULL), EINVAL);
    ERR("ppoll mask size", syscall(SYS_ppoll, f, 1L, NULL, &none, 3L), EINVAL);
    struct pollfd many[300];
    for (int i = 0; i < 300; i++)
        many[i] = (struct pollfd){i % 2 ? p[1] : p[0], POLLIN | POLLOUT, 0};
    EQ("three hundred", poll(many, 300, 0), 150);
}

static void by_select(int *p)
{
    fd_set r, w;
    FD_ZERO(&r);
    FD_ZERO(&w);
    FD_SET(p[0], &r);
    FD_SET(p[1], &w);
    struct timeval tv = {0, 0};
    EQ("select", select(p[1] + 1, &r, &w, NULL, &tv), 1);
    CHECK("the writable one", !FD_ISSET(p[0], &r) && FD_ISSET(p[1], &w));
    FD_SET(p[0], &r);
    tv = (struct timeval){0, 15000};
    long long start = now_ms();
    // (The plain call: musl keeps the time that is left to itself.)
    EQ("timeout", syscall(SYS_select, p[0] + 1, &r, NULL, NULL, &tv), 0);
    CHECK("waited", now_ms() - start >= 14);
    CHECK("nothing left of it", tv.tv_sec == 0 && tv.tv_usec == 0 && !FD_ISSET(p[0], &r));
    close(60);
    FD_SET(60, &r);
    ERR("closed one", select(61, &r, NULL, NULL, &tv), EBADF);
    ERR("negative count", select(-1, NULL, NULL, NULL, &tv), EINVAL);
    NEED(write(p[1], "x", 1));
    FD_ZERO(&r);
    FD_SET(p[0], &r);
    struct timespec ts = {1, 0};
    EQ("pselect", pselect(p[0] + 1, &r, NULL, NULL, &ts, NULL), 1);
    CHECK("the readable one", FD_ISSET(p[0], &r));
    ts.tv_nsec = 2000000000;
    ERR("pselect timeout", syscall(SYS_pselect6, 1L, NULL, NULL, NULL, &ts, NULL), EINVAL);
}

int main(void)
{
    int p[2], file = NEED(open("file", O_RDWR | O_CREAT, 0600));
    NEED(pipe(p));
    by_poll(p, file);
    by_select(p);
    struct pollfd f = {p[0], POLLIN, 0};
    close(p[1]);
    EQ("writer gone", poll(&f, 1, 0), 1);
    EQ("data and hangup", f.revents, POLLIN | POLLHUP);
    char c;
    NEED(read(p[0], &c, 1));
    EQ("hangup alone", (poll(&f, 1, 0), f.revents), POLLHUP);
    NEED(pipe(p));
    close(p[0]);
    f = (struct pollfd){p[1], POLLOUT, 0};
    EQ("reader gone", (poll(&f, 1, 0), f.revents), POLLOUT | POLLERR);
    unlink("file");
    return check_done();
}
