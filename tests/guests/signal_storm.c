// A timer fires about as fast as handlers and calls can return: no call is
// lost or done twice, none hangs, and the registers are whole. How fast that is
// nobody can know before: a timer that leaves no time between two handlers
// stops any program, so the handler slows it down when the program falls back.
#include <errno.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "check.h"

static volatile sig_atomic_t alarms, steps, allowed;
static volatile long interval;

static void every(long us)
{
    struct itimerval timer = {{0, us}, {0, us}};
    interval = us;
    setitimer(ITIMER_REAL, &timer, NULL);
}

/* At most four alarms a step, but for the first twenty. */
static void counts(int signal)
{
    int saved = errno;
    (void)signal;
    alarms++;
    if (alarms > allowed + 4 * steps && interval < 500000) {
        allowed += 20;
        every(2 * interval);
    }
    errno = saved;
}

static void start(void)
{
    alarms = steps = 0;
    allowed = 20;
    every(100);
}

static void storm(const char *name, int flags)
{
    struct sigaction action = {.sa_handler = counts, .sa_flags = flags};
    int ends[2], bad = 0, interrupted = 0;
    NEED(pipe(ends));
    NEED(sigaction(SIGALRM, &action, NULL));
    start();
    for (int i = 0; i < 2000 || alarms < 20; i++, steps++) {
        unsigned char out = (unsigned char)i, in = 0;
        ssize_t n;
        while ((n = write(ends[1], &out, 1)) < 0 && errno == EINTR) interrupted++;
        bad += n != 1;
        while ((n = read(ends[0], &in, 1)) < 0 && errno == EINTR) interrupted++;
        bad += n != 1 || in != out;
    }
    every(0);
    EQ(name, bad, 0);
    // How often depends on the machine; with SA_RESTART it never may.
    CHECK("restarted", !(flags & SA_RESTART) || interrupted == 0);
    close(ends[0]);
    close(ends[1]);
}

static void computes(void)
{
    double sum = 0;
    unsigned long hash = 1;
    start();
    for (long i = 1; i <= 2000000; i++) {
        if (i % 1000 == 0) steps++;
        sum += 1.0 / (double)i;
        hash = hash * 6364136223846793005ul + (unsigned long)i;
    }
    while (alarms < 5) {
    }
    every(0);
    printf("sum %.9f hash %lx\n", sum, hash);
}

int main(void)
{
    storm("without SA_RESTART", 0);
    storm("with SA_RESTART", SA_RESTART);
    computes();
    return check_done();
}
