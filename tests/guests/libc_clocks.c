// Clocks and timers: what they refuse, how they count, and every way a timer tells that it has run out.
// km-test: links=static-musl,dynamic-musl,static-kontain,dynamic-kontain
// km-test: truth=static-musl
#include "libc.h"
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/timerfd.h>
#include <time.h>

static long long of(clockid_t clock)
{
    struct timespec t = {-1, -1};
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void clocks(void)
{
    static const clockid_t all[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
        CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI, 99, -1};
    for (size_t i = 0; i < COUNT(all); i++) {
        struct timespec t = {0};
        errno = 0;
        int r = clock_gettime(all[i], &t), error = errno;
        printf("clock %d: %d error %d, in range %d", all[i], r, error,
            t.tv_nsec >= 0 && t.tv_nsec < 1000000000 && t.tv_sec >= 0);
        printf(", getres %d", clock_getres(all[i], &t));
        long long last = of(all[i]), back = 0;
        for (int n = 0; n < 2000; n++) {
            long long now = of(all[i]);
            back += now < last;
            last = now;
        }
        // Only the first may be set meanwhile.
        printf(", backwards %lld\n", i == 0 ? 0 : back);
    }
    struct timespec t;
    struct timeval v;
    INT(gettimeofday(&v, NULL));
    INT(clock_gettime(CLOCK_REALTIME, &t) == 0 && (t.tv_sec - v.tv_sec == 0 || t.tv_sec - v.tv_sec == 1));
    INT(time(NULL) - v.tv_sec <= 1);
    INT(timespec_get(&t, TIME_UTC));
    INT(timespec_get(&t, 99));
    INT(clock() != (clock_t)-1);
    INT(times(NULL) != (clock_t)-1);
    clockid_t id;
    INT(clock_getcpuclockid(0, &id));
    INT(clock_gettime(id, &t));
    INT(clock_getcpuclockid(0x7ffffff, &id));
    INT(pthread_getcpuclockid(pthread_self(), &id));
    INT(clock_gettime(id, &t));
    INT(clock_settime(CLOCK_MONOTONIC, &(struct timespec){0, 0}));
}

static void naps(void)
{
    long long begun = of(CLOCK_MONOTONIC);
    INT(usleep(2000));
    INT(of(CLOCK_MONOTONIC) - begun >= 2000000);
    INT(nanosleep(&(struct timespec){0, 1000000000}, NULL));
    INT(nanosleep(&(struct timespec){-1, 0}, NULL));
    INT(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &(struct timespec){5, 0}, NULL));
    INT(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &(struct timespec){0, 1}, NULL));
    INT(clock_nanosleep(99, 0, &(struct timespec){0, 1}, NULL));
    INT(clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){0, -1}, NULL));
}

static volatile sig_atomic_t hits, value;
static void on_signal(int s, siginfo_t *info, void *context)
{
    (void)s;
    (void)context;
    hits++;
    value = info->si_code == SI_TIMER ? info->si_value.sival_int : -1;
}

static sem_t told;
static int told_value, told_detached;
static void on_thread(union sigval v)
{
    pthread_attr_t attr;
    told_value += v.sival_int;
    pthread_getattr_np(pthread_self(), &attr);
    pthread_attr_getdetachstate(&attr, &told_detached);
    sem_post(&told);
}

static void timers(void)
{
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigaction(SIGRTMIN, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    sigset_t block, none;
    sigemptyset(&block);
    sigemptyset(&none);
    sigaddset(&block, SIGRTMIN);
    sigaddset(&block, SIGALRM);
    sigprocmask(SIG_BLOCK, &block, NULL);
    timer_t timer;
    struct itimerspec at = {.it_value = {0, 2000000}}, left;
    INT(timer_create(CLOCK_MONOTONIC, &(struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN,
        .sigev_value.sival_int = 77}, &timer));
    INT(timer_gettime(timer, &left));
    INT(left.it_value.tv_sec + left.it_value.tv_nsec);
    INT(timer_settime(timer, 0, &at, NULL));
    while (!hits)
        sigsuspend(&none);
    printf("%d %d\n", hits, value);
    at.it_value = (struct timespec){1000, 0};
    at.it_interval = (struct timespec){5, 6};
    INT(timer_settime(timer, 0, &at, NULL));
    at.it_value.tv_sec = 0;
    INT(timer_settime(timer, 0, &at, &left));
    printf("%d %ld %ld\n", left.it_value.tv_sec == 999, (long)left.it_interval.tv_sec, left.it_interval.tv_nsec);
    // One that is long over comes at once.
    hits = 0;
    at = (struct itimerspec){.it_value = {1, 0}};
    INT(timer_settime(timer, TIMER_ABSTIME, &at, NULL));
    while (!hits)
        sigsuspend(&none);
    INT(timer_getoverrun(timer));
    at.it_value.tv_nsec = -1;
    INT(timer_settime(timer, 0, &at, NULL));
    INT(timer_delete(timer));
    INT(timer_create(99, NULL, &timer));
    INT(timer_create(CLOCK_MONOTONIC, &(struct sigevent){.sigev_notify = 99}, &timer));
    hits = 0;
    INT(timer_create(CLOCK_REALTIME, NULL, &timer));
    at = (struct itimerspec){.it_value = {0, 1000000}};
    INT(timer_settime(timer, 0, &at, NULL));
    while (!hits)
        sigsuspend(&none);
    INT(hits);
    INT(timer_delete(timer));

    // By a thread: once, then again and again.
    sem_init(&told, 0, 0);
    INT(timer_create(CLOCK_MONOTONIC, &(struct sigevent){.sigev_notify = SIGEV_THREAD, .sigev_notify_function = on_thread,
        .sigev_value.sival_int = 5}, &timer));
    at = (struct itimerspec){.it_value = {0, 1000000}};
    INT(timer_settime(timer, 0, &at, NULL));
    sem_wait(&told);
    printf("%d %d\n", told_value, told_detached);
    at.it_interval.tv_nsec = 1000000;
    INT(timer_settime(timer, 0, &at, NULL));
    for (int i = 0; i < 3; i++)
        sem_wait(&told);
    INT(told_value >= 20);
    INT(timer_delete(timer));
    INT(timer_create(CLOCK_MONOTONIC, &(struct sigevent){.sigev_notify = SIGEV_NONE}, &timer));
    INT(timer_delete(timer));

    static const int which[] = {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF, 9};
    for (size_t i = 0; i < COUNT(which); i++) {
        struct itimerval wanted = {{100, 5}, {200, 7}}, got = {{0, 0}, {0, 0}};
        INT(setitimer(which[i], &wanted, NULL));
        INT(getitimer(which[i], &got));
        printf("%ld %d\n", (long)got.it_interval.tv_sec, got.it_value.tv_sec == 199 || got.it_value.tv_sec == 200);
        wanted.it_value = (struct timeval){0, 0};
        INT(setitimer(which[i], &wanted, &got));
    }
    INT(setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {0, 1000000}}, NULL));
    INT(alarm(50));
    INT(alarm(0));
    hits = 0;
    INT(ualarm(1000, 0));
    while (!hits)
        sigsuspend(&none);
    INT(hits);
    INT(alarm(0));

    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    at = (struct itimerspec){.it_value = {0, 1000000}};
    uint64_t n = 0;
    INT(timerfd_settime(fd, 0, &at, NULL));
    INT(read(fd, &n, sizeof n));
    INT(n);
    INT(timerfd_gettime(fd, &left));
    INT(left.it_value.tv_nsec);
    close(fd);
}

static void signals_with_time(void)
{
    sigset_t set;
    siginfo_t info;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    INT(sigtimedwait(&set, &info, &(struct timespec){0, 1000000}));
    INT(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 31}));
    INT(sigtimedwait(&set, &info, &(struct timespec){1, 0}));
    printf("%d %d %d\n", info.si_signo, info.si_value.sival_int, info.si_code == SI_QUEUE);
    INT(sigtimedwait(&set, &info, &(struct timespec){0, -1}));
    raise(SIGUSR1);
    int got = 0;
    INT(sigwait(&set, &got));
    INT(got);
    INT(sigpending(&set));
    INT(sigisemptyset(&set));
    sigset_t a, b, c;
    sigfillset(&a);
    sigemptyset(&b);
    sigaddset(&b, 64);
    INT(sigandset(&c, &a, &b));
    INT(sigismember(&c, 64));
    INT(sigorset(&c, &a, &b));
    INT(sigaddset(&c, 0));
    INT(sigaddset(&c, 65));
    INT(sigaddset(&c, 33));
    INT(sigismember(&c, 33));
    INT(SIGRTMIN);
    INT(SIGRTMAX);
}

int main(void)
{
    clocks();
    naps();
    timers();
    signals_with_time();
    return 0;
}
