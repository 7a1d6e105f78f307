// Time: the vDSO's answers against the kernel's own, sleeping, and errors.
#include "check.h"
#include "vdso.h"
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

static int (*vdso_gettime)(clockid_t, struct timespec *);
static int (*vdso_gettimeofday)(struct timeval *, void *);
static time_t (*vdso_time)(time_t *);
static long (*vdso_getcpu)(unsigned *, unsigned *, void *);
static int (*vdso_getres)(clockid_t, struct timespec *);

static long long ns(struct timespec t)
{
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static long long by_vdso(clockid_t c)
{
    struct timespec t = {-1, -1};
    return vdso_gettime(c, &t) == 0 ? ns(t) : -1;
}

static long long by_kernel(clockid_t c)
{
    struct timespec t = {-1, -1};
    return syscall(SYS_clock_gettime, c, &t) == 0 ? ns(t) : -1;
}

// vDSO, kernel, vDSO: the three times are in order, and some triple takes less than a millisecond.
static int agrees(clockid_t c)
{
    int close_enough = 0;
    for (int i = 0; i < 100; i++) {
        long long a = by_vdso(c), b = by_kernel(c), d = by_vdso(c);
        if (a <= 0 || b < a || d < b)
            return 0;
        close_enough |= d - a < 1000000;
    }
    return close_enough;
}

static int never_back(clockid_t c)
{
    long long last = 0;
    for (int i = 0; i < 20000; i++) {
        long long now = by_vdso(c);
        if (now < last)
            return 0;
        last = now;
    }
    return 1;
}

static void clocks(void)
{
    CHECK("realtime agrees", agrees(CLOCK_REALTIME));
    CHECK("monotonic agrees", agrees(CLOCK_MONOTONIC));
    CHECK("raw agrees", agrees(CLOCK_MONOTONIC_RAW));
    CHECK("boottime agrees", agrees(CLOCK_BOOTTIME));
    CHECK("tai agrees", agrees(CLOCK_TAI));
    CHECK("realtime coarse agrees", agrees(CLOCK_REALTIME_COARSE));
    CHECK("monotonic coarse agrees", agrees(CLOCK_MONOTONIC_COARSE));
    CHECK("process time agrees", agrees(CLOCK_PROCESS_CPUTIME_ID));
    CHECK("thread time agrees", agrees(CLOCK_THREAD_CPUTIME_ID));
    CHECK("monotonic never back", never_back(CLOCK_MONOTONIC));
    CHECK("raw never back", never_back(CLOCK_MONOTONIC_RAW));
    CHECK("coarse is not ahead", by_vdso(CLOCK_MONOTONIC_COARSE) <= by_vdso(CLOCK_MONOTONIC));
    CHECK("boot time is not less than monotonic", by_vdso(CLOCK_MONOTONIC) <= by_vdso(CLOCK_BOOTTIME));

    struct timespec t;
    EQ("unknown clock, vDSO", vdso_gettime(99, &t), -EINVAL);
    ERR("unknown clock", clock_gettime(99, &t), EINVAL);
    OK("clock_getres", clock_getres(CLOCK_MONOTONIC, &t));
    CHECK("resolution", t.tv_sec == 0 && t.tv_nsec > 0 && t.tv_nsec <= 10000000);
    if (vdso_getres) {
        struct timespec u;
        EQ("vDSO clock_getres", vdso_getres(CLOCK_MONOTONIC, &u), 0);
        EQ("the same", u.tv_nsec, t.tv_nsec);
    }
    OK("library", clock_gettime(CLOCK_MONOTONIC, &t));
    ERR("setting monotonic time", clock_settime(CLOCK_MONOTONIC, &t), EINVAL);
}

static void others(void)
{
    struct timeval tv;
    struct timezone tz;
    long long a = by_vdso(CLOCK_REALTIME) / 1000;
    EQ("gettimeofday", vdso_gettimeofday(&tv, &tz), 0);
    long long b = by_vdso(CLOCK_REALTIME) / 1000, now = tv.tv_sec * 1000000LL + tv.tv_usec;
    CHECK("between", a <= now && now <= b);
    time_t t, s = vdso_time(&t);
    EQ("time", s, t);
    CHECK("time is near", s >= tv.tv_sec - 1 && s <= tv.tv_sec + 2);
    CHECK("library time", time(NULL) >= s);

    unsigned cpu = 9999, node = 9999;
    EQ("getcpu", vdso_getcpu(&cpu, &node, NULL), 0);
    CHECK("a cpu there is", cpu < (unsigned)sysconf(_SC_NPROCESSORS_CONF));
    // It may have moved on meanwhile, but not every time.
    int same = 0;
    for (int i = 0; i < 20; i++) {
        unsigned x, y;
        vdso_getcpu(&x, NULL, NULL);
        syscall(SYS_getcpu, &y, NULL, NULL);
        same += x == y;
    }
    CHECK("getcpu agrees with the kernel", same > 0);
    CHECK("sched_getcpu", sched_getcpu() >= 0);

    struct tms tms;
    CHECK("times", times(&tms) != -1 && tms.tms_cutime == 0);
    struct rusage ru;
    OK("getrusage", getrusage(RUSAGE_SELF, &ru));
    CHECK("memory was used", ru.ru_maxrss > 0 && ru.ru_minflt > 0);
    OK("getrusage of the thread", getrusage(RUSAGE_THREAD, &ru));
    ERR("getrusage of whom?", getrusage(77, &ru), EINVAL);
    clock_t c = clock();
    CHECK("clock", c != (clock_t)-1);
}

static void sleeping(void)
{
    struct timespec t = {0, 2000000}, until;
    long long a = by_vdso(CLOCK_MONOTONIC);
    OK("nanosleep", nanosleep(&t, NULL));
    CHECK("long enough", by_vdso(CLOCK_MONOTONIC) - a >= 2000000);
    NEED(clock_gettime(CLOCK_MONOTONIC, &until));
    until.tv_nsec += 3000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    EQ("clock_nanosleep", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0);
    CHECK("until then", by_vdso(CLOCK_MONOTONIC) >= ns(until));
    EQ("into the past", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0);
    EQ("unknown clock", clock_nanosleep(99, 0, &t, NULL), EINVAL);
    t.tv_nsec = 1000000000;
    ERR("nanoseconds", nanosleep(&t, NULL), EINVAL);
    t.tv_nsec = -1;
    ERR("negative", nanosleep(&t, NULL), EINVAL);
    OK("usleep", usleep(100));
    OK("sched_yield", sched_yield());
    // A busy wait goes on by the clock alone.
    a = by_vdso(CLOCK_MONOTONIC);
    while (by_vdso(CLOCK_MONOTONIC) - a < 1000000)
        ;
    CHECK("process time went on", by_kernel(CLOCK_PROCESS_CPUTIME_ID) > 500000);
}

int main(void)
{
    vdso_gettime = (int (*)(clockid_t, struct timespec *))vdso_symbol("__vdso_clock_gettime");
    vdso_gettimeofday = (int (*)(struct timeval *, void *))vdso_symbol("__vdso_gettimeofday");
    vdso_time = (time_t(*)(time_t *))vdso_symbol("__vdso_time");
    vdso_getcpu = (long (*)(unsigned *, unsigned *, void *))vdso_symbol("__vdso_getcpu");
    vdso_getres = (int (*)(clockid_t, struct timespec *))vdso_symbol("__vdso_clock_getres");
    if (!vdso_gettime || !vdso_gettimeofday || !vdso_time || !vdso_getcpu) {
        printf("FAIL vDSO: functions missing\n");
        return 1;
    }
    clocks();
    others();
    sleeping();
    return check_done();
}
