// Time namespaces: the clocks of a child, by the vDSO and by the system call, after a fork, after exec, and after setns.
#include "namespaces.h"
#include <time.h>

extern char **environ;
static char program[4096];

static double seconds(struct timespec t) { return (double)t.tv_sec + (double)t.tv_nsec / 1e9; }

static double by_call(clockid_t clock)
{
    struct timespec t;
    NEED(syscall(SYS_clock_gettime, clock, &t));
    return seconds(t);
}

static double by_library(clockid_t clock)
{
    struct timespec t;
    NEED(clock_gettime(clock, &t));
    return seconds(t);
}

// Both ways agree, and differ from the time outside by this.
static int agrees(clockid_t clock)
{
    for (int i = 0; i < 30; i++) {
        double before = by_call(clock), between = by_library(clock), after = by_call(clock);
        // The coarse clocks stand still for a tick.
        if (between < before - 0.011 || between > after + 0.011)
            return 0;
    }
    return 1;
}

static const struct {
    const char *name;
    clockid_t clock;
    int shifted;
} clocks[] = {
    {"monotonic", CLOCK_MONOTONIC, 1}, {"monotonic, coarse", CLOCK_MONOTONIC_COARSE, 1}, {"boot time", CLOCK_BOOTTIME, 2},
    {"monotonic, raw", CLOCK_MONOTONIC_RAW, 1}, {"real time", CLOCK_REALTIME, 0},
};

enum { MONOTONIC = 1000000, BOOT = 2000000 };

static void look(const char *where, double outside[])
{
    char label[96];
    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        snprintf(label, sizeof label, "%s: %s", where, clocks[i].name);
        CHECK(label, agrees(clocks[i].clock));
        double shift = by_library(clocks[i].clock) - outside[i];
        double wanted = clocks[i].shifted == 1 ? MONOTONIC : clocks[i].shifted == 2 ? BOOT : 0;
        snprintf(label, sizeof label, "%s: %s is shifted", where, clocks[i].name);
        CHECK(label, shift > wanted - 60 && shift < wanted + 120);
    }
    // A sleep until a time of the namespace's.
    struct timespec until;
    NEED(clock_gettime(CLOCK_MONOTONIC, &until));
    until.tv_nsec += 20000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    snprintf(label, sizeof label, "%s: sleep", where);
    EQ(label, clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0);
    CHECK(label, by_library(CLOCK_MONOTONIC) >= seconds(until));
}

static double outside[8];

static int shift(void)
{
    char text[64];
    snprintf(text, sizeof text, "monotonic %d 0\nboottime %d 0\n", MONOTONIC, BOOT);
    return put("/proc/self/timens_offsets", text);
}

static int executes(void)
{
    char room[8][40], *args[12] = {program};
    int count = 1;
    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        snprintf(room[i], sizeof room[i], "%.6f", outside[i]);
        args[count++] = room[i];
    }
    args[count] = NULL;
    fflush(stdout);
    execve(program, args, environ);
    return 97;
}

static int in_child(void)
{
    look("a child", outside);
    fflush(stdout);
    pid_t pid = fork_child();
    if (pid == 0) {
        look("its child", outside);
        fflush(stdout);
        _exit(check_failures ? 99 : 0);
    }
    EQ("its child", end_of(pid), 0);
    EQ("a program", child_end(executes), 0);
    return 0;
}

static int vforks(void)
{
    fflush(stdout);
    volatile int good = 1;
    pid_t pid = vfork();
    if (pid == 0) {
        // Still in its parent's memory, and time.
        good = by_library(CLOCK_MONOTONIC) < outside[0] + 1000;
        _exit(executes());
    }
    if (pid == -1) {
        // Before Linux 6.3.
        EQ("vfork", errno, EINVAL);
        return 0;
    }
    EQ("a program by vfork", end_of(pid), 0);
    EQ("time before it", good, 1);
    return 0;
}

static int in_new(void)
{
    if (enter(CLONE_NEWTIME) != 0 || shift() != 0)
        return 98;
    CHECK("not yet", by_library(CLOCK_MONOTONIC) < outside[0] + 1000);
    EQ("a child", child_end(in_child), 0);
    EQ("vfork", vforks(), 0);
    // By a file of it, into the same.
    fflush(stdout);
    pid_t pid = fork_child();
    if (pid == 0) {
        OK("shifted already", 0);
        fflush(stdout);
        _exit(by_library(CLOCK_MONOTONIC) > outside[0] + MONOTONIC - 60 ? 5 : 6);
    }
    EQ("child", end_of(pid), 5);
    int fd = NEED(open("/proc/self/ns/time_for_children", O_RDONLY));
    OK("enter", setns(fd, CLONE_NEWTIME));
    look("entered", outside);
    EQ("a child of it", child_end(in_child), 0);
    return 0;
}

static int with_threads(void)
{
    if (enter(CLONE_NEWTIME) != 0 || shift() != 0)
        return 98;
    pthread_t idle;
    if (pthread_create(&idle, NULL, stays, NULL) != 0) {
        // As of vfork.
        SKIP("with threads", "not with this kernel");
        return 0;
    }
    int fd = NEED(open("/proc/self/ns/time_for_children", O_RDONLY));
    ERR("with threads", setns(fd, CLONE_NEWTIME), EUSERS);
    EQ("a child", child_end(in_child), 0);
    return 0;
}

static int cloned(void)
{
    if (enter(0) != 0)
        return 98;
    struct {
        unsigned long flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    } args = {.flags = CLONE_NEWTIME, .exit_signal = SIGCHLD};
    fflush(stdout);
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0)
        // What is in use cannot be shifted any more.
        _exit(shift() == -1 && errno == EACCES && agrees(CLOCK_MONOTONIC) ? 5 : 6);
    EQ("by clone3", end_of(pid), 5);
    return 0;
}

int main(int argc, char **argv)
{
    tasks_begin();
    if (argc > 1) {
        for (int i = 1; i < argc; i++)
            outside[i - 1] = atof(argv[i]);
        look("a program", outside);
        fflush(stdout);
        return check_failures != 0;
    }
    CHECK("realpath", realpath(argv[0], program) != NULL);
    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++)
        outside[i] = by_call(clocks[i].clock);
    if (!may_enter(CLONE_NEWTIME)) {
        SKIP("time namespaces", "not permitted here");
        return check_done();
    }
    EQ("a new one", child_end(in_new), 0);
    EQ("threads", child_end(with_threads), 0);
    EQ("clone3", child_end(cloned), 0);
    return check_done();
}
