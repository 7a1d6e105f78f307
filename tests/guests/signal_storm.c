// A timer fires about as fast as handlers and calls can return: no call is
// lost or done twice, none hangs, and the registers are whole. How fast that is
// is measured first: a timer that leaves no time between two handlers stops
// any program.
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static volatile sig_atomic_t alarms;

static void counts(int signal)
{
    (void)signal;
    alarms++;
}

/* Microseconds that a signal costs, its handler included. */
static long cost(void)
{
    enum { TIMES = 50 };
    struct sigaction action = {.sa_handler = counts};
    struct timespec from, to;
    NEED(sigaction(SIGALRM, &action, NULL));
    NEED(clock_gettime(CLOCK_MONOTONIC, &from));
    for (int i = 0; i < TIMES; i++) raise(SIGALRM);
    NEED(clock_gettime(CLOCK_MONOTONIC, &to));
    long us = (to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000;
    return us / TIMES + 1;
}

static void storm(const char *name, int flags, long interval)
{
    struct sigaction action = {.sa_handler = counts, .sa_flags = flags};
    struct itimerval timer = {{0, interval}, {0, interval}}, off = {{0, 0}, {0, 0}};
    int ends[2], bad = 0, interrupted = 0;
    NEED(pipe(ends));
    NEED(sigaction(SIGALRM, &action, NULL));
    alarms = 0;
    NEED(setitimer(ITIMER_REAL, &timer, NULL));
    for (int i = 0; i < 2000 || alarms < 20; i++) {
        unsigned char out = (unsigned char)i, in = 0;
        ssize_t n;
        while ((n = write(ends[1], &out, 1)) < 0 && errno == EINTR) interrupted++;
        bad += n != 1;
        while ((n = read(ends[0], &in, 1)) < 0 && errno == EINTR) interrupted++;
        bad += n != 1 || in != out;
    }
    NEED(setitimer(ITIMER_REAL, &off, NULL));
    EQ(name, bad, 0);
    // How often depends on the machine; with SA_RESTART it never may.
    CHECK("restarted", !(flags & SA_RESTART) || interrupted == 0);
    close(ends[0]);
    close(ends[1]);
}

static void computes(long interval)
{
    struct itimerval timer = {{0, interval}, {0, interval}}, off = {{0, 0}, {0, 0}};
    double sum = 0;
    unsigned long hash = 1;
    alarms = 0;
    NEED(setitimer(ITIMER_REAL, &timer, NULL));
    for (long i = 1; i <= 2000000; i++) {
        sum += 1.0 / (double)i;
        hash = hash * 6364136223846793005ul + (unsigned long)i;
    }
    while (alarms < 5) {
    }
    NEED(setitimer(ITIMER_REAL, &off, NULL));
    printf("sum %.9f hash %lx\n", sum, hash);
}

int main(void)
{
    long busy = 2 * cost(), idle = 3 * busy;
    busy = busy < 100 ? 100 : busy;
    storm("without SA_RESTART", 0, idle);
    storm("with SA_RESTART", SA_RESTART, idle);
    storm("as fast as it goes", SA_RESTART, busy);
    computes(busy);
    return check_done();
}
