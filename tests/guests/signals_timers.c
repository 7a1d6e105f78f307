// Timers that send signals: the three interval timers, alarm, POSIX timers with all ways to tell. No duration is asked
// for, only that it happens.
// km-test: hosts=native,kvm
#include "tasks.h"
#include <sys/time.h>

static volatile sig_atomic_t handled;
static volatile pid_t handled_by;
static siginfo_t told;
static int called;

static void notes(int n, siginfo_t *info, void *context)
{
    (void)n, (void)context;
    told = *info;
    handled_by = tid();
    handled++;
}

// SIGALRM is tested here, so something else must end this if it hangs.
static void guard(void)
{
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    alarm(0);
    NEED(timer_create(CLOCK_MONOTONIC, &event, &timer));
    NEED(timer_settime(timer, 0, &(struct itimerspec){{0, 0}, {LIMIT, 0}}, NULL));
}

static void intervals(void)
{
    static const int which[] = {ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF}, signals[] = {SIGALRM, SIGVTALRM, SIGPROF};
    static const char *const names[] = {"ITIMER_REAL", "ITIMER_VIRTUAL", "ITIMER_PROF"};
    struct itimerval long_time = {{500, 0}, {1000, 0}}, often = {{0, 2000}, {0, 2000}}, off = {{0, 0}, {0, 0}}, old;
    for (int i = 0; i < 3; i++) {
        handle(signals[i], notes, SA_SIGINFO);
        handled = 0;
        OK(names[i], setitimer(which[i], &long_time, NULL));
        OK("asked", getitimer(which[i], &old));
        CHECK("about as set", old.it_interval.tv_sec == 500 && old.it_value.tv_sec > 900 && old.it_value.tv_sec <= 1000);
        OK("another", setitimer(which[i], &often, &old));
        CHECK("the one before", old.it_value.tv_sec > 900);
        // Time of the program passes only while it runs.
        while (handled < 3) {
        }
        OK("off", setitimer(which[i], &off, NULL));
        EQ("si_code", told.si_code, SI_KERNEL);
        getitimer(which[i], &old);
        CHECK("it is off", !old.it_value.tv_sec && !old.it_value.tv_usec);
    }
    often.it_value.tv_usec = 1000000;
    ERR("microseconds", setitimer(ITIMER_REAL, &often, NULL), EINVAL);
    ERR("which", setitimer(3, &off, NULL), EINVAL);
    ERR("to nowhere", syscall(SYS_getitimer, ITIMER_REAL, 8), EFAULT);
    EQ("alarm", alarm(1000), 0);
    unsigned left = alarm(0);
    CHECK("what was left", left > 900 && left <= 1000);
    EQ("none", alarm(0), 0);
}

static void posix(void)
{
    sigset_t set = set_of(SIGRTMIN + 1);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 4711};
    struct itimerspec soon = {{0, 0}, {0, 2000000}}, often = {{0, 1000000}, {0, 1000000}}, off = {{0, 0}, {0, 0}}, now;
    timer_t timer, silent;
    siginfo_t info;
    block(SIGRTMIN + 1);
    OK("timer_create", timer_create(CLOCK_MONOTONIC, &event, &timer));
    OK("set", timer_settime(timer, 0, &soon, NULL));
    EQ("comes", sigwaitinfo(&set, &info), SIGRTMIN + 1);
    CHECK("SI_TIMER", info.si_code == SI_TIMER && info.si_value.sival_int == 4711);
    EQ("no overrun", timer_getoverrun(timer), 0);
    OK("get", timer_gettime(timer, &now));
    CHECK("once", !now.it_value.tv_sec && !now.it_value.tv_nsec && !now.it_interval.tv_nsec);
    // Held back, it is queued once, and counts how often it would have come.
    OK("often", timer_settime(timer, 0, &often, NULL));
    pause_ms(10);
    EQ("comes", sigwaitinfo(&set, &info), SIGRTMIN + 1);
    int overrun = timer_getoverrun(timer);
    CHECK("overruns", overrun >= 5 && info.si_overrun == overrun);
    EQ("and again", sigwaitinfo(&set, &info), SIGRTMIN + 1);
    OK("off", timer_settime(timer, 0, &off, &now));
    EQ("its interval was", now.it_interval.tv_nsec, 1000000);
    while (sigtimedwait(&set, &info, &(struct timespec){0, 0}) > 0) {
    }
    soon.it_value = (struct timespec){1, 0};
    OK("a moment long past", timer_settime(timer, TIMER_ABSTIME, &soon, NULL));
    EQ("comes", sigwaitinfo(&set, &info), SIGRTMIN + 1);
    soon.it_value.tv_nsec = 1000000000;
    ERR("nanoseconds", timer_settime(timer, 0, &soon, NULL), EINVAL);
    OK("delete", timer_delete(timer));

    event = (struct sigevent){.sigev_notify = SIGEV_NONE};
    OK("SIGEV_NONE", timer_create(CLOCK_REALTIME, &event, &silent));
    NEED(timer_settime(silent, 0, &(struct itimerspec){{0, 0}, {1000, 0}}, NULL));
    timer_gettime(silent, &now);
    CHECK("runs", now.it_value.tv_sec > 900);
    OK("delete", timer_delete(silent));
    ERR("clock", timer_create(77, &event, &timer), EINVAL);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = 65;
    ERR("no such signal", syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer), EINVAL);
    ERR("no such timer", syscall(SYS_timer_gettime, 12345, &now), EINVAL);
    ERR("none to delete", syscall(SYS_timer_delete, 12345), EINVAL);
    unblock(SIGRTMIN + 1);
}

static void *burns(void *arg)
{
    while (!handled) {
    }
    return arg;
}

// As the kernel has it: the number of the thread is where the libraries do not agree on a name.
static void to_thread(void)
{
    struct {
        union sigval value;
        int signal, notify;
        pid_t thread;
        int padding[11];
    } event = {.value.sival_int = 3, .signal = SIGUSR1, .notify = 4, .thread = tid()};
    int id = -1;
    pthread_t t[2];
    handle(SIGUSR1, notes, SA_SIGINFO);
    handled = 0;
    for (int i = 0; i < 2; i++)
        t[i] = thread(burns, NULL);
    OK("SIGEV_THREAD_ID", syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id));
    OK("set", syscall(SYS_timer_settime, id, 0, &(struct itimerspec){{0, 0}, {0, 1000000}}, NULL));
    while (!handled) {
    }
    EQ("in the thread", handled_by, tid());
    CHECK("with its value", told.si_code == SI_TIMER && told.si_value.sival_int == 3);
    for (int i = 0; i < 2; i++)
        join(t[i]);
    OK("delete", syscall(SYS_timer_delete, id));
    event.thread = 0x3fffffff;
    ERR("not my thread", syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id), EINVAL);
    event.notify = 77;
    ERR("unknown way", syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &id), EINVAL);

    // Of the processor's time.
    event.notify = SIGEV_SIGNAL;
    handled = 0;
    OK("process time", syscall(SYS_timer_create, CLOCK_PROCESS_CPUTIME_ID, &event, &id));
    OK("set", syscall(SYS_timer_settime, id, 0, &(struct itimerspec){{0, 0}, {0, 1000000}}, NULL));
    while (!handled) {
    }
    EQ("passes", told.si_code, SI_TIMER);
    OK("delete", syscall(SYS_timer_delete, id));
}

static void calls(union sigval value)
{
    __atomic_store_n(&called, value.sival_int, __ATOMIC_SEQ_CST);
}

static int not_inherited(void)
{
    struct itimerspec now;
    ERR("a child has none", syscall(SYS_timer_gettime, 0, &now), EINVAL);
    return 0;
}

int main(void)
{
    tasks_begin();
    guard();
    intervals();
    posix();
    to_thread();
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = calls, .sigev_value.sival_int = 88};
    OK("SIGEV_THREAD", timer_create(CLOCK_MONOTONIC, &event, &timer));
    NEED(timer_settime(timer, 0, &(struct itimerspec){{0, 0}, {0, 1000000}}, NULL));
    UNTIL(__atomic_load_n(&called, __ATOMIC_SEQ_CST) == 88);
    OK("delete", timer_delete(timer));
    EQ("fork", child_end(not_inherited), 0);
    return check_done();
}
