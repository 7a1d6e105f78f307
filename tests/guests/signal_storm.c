// A timer fires faster than calls return: no call is lost or done twice, none
// hangs, and the registers are whole. The emulated host is too slow for it:
// there the timer leaves no time between two handlers.
// km-test: hosts=native,kvm
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

static void computes(void)
{
    struct itimerval timer = {{0, 300}, {0, 300}}, off = {{0, 0}, {0, 0}};
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
    storm("without SA_RESTART", 0, 500);
    storm("with SA_RESTART", SA_RESTART, 500);
    storm("as fast as it goes", SA_RESTART, 100);
    computes();
    return check_done();
}
