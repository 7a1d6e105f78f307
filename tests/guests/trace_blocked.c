// A thread that makes calls without end, and a fork once it seems to make none any more. Under `km --strace` it stands still when
// the pipe for the trace is full (tests/src/command_line.rs).
#include "tasks.h"

#define CALLS 4000
#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_SEQ_CST)

static int calls;

static void *makes(void *arg)
{
    for (int i = 0; i < CALLS; i++) {
        __atomic_fetch_add(&calls, 1, __ATOMIC_SEQ_CST);
        syscall(SYS_getppid);
    }
    return arg;
}

static long now(void)
{
    struct timespec t;
    // No system call with the vDSO.
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int main(void)
{
    tasks_begin();
    pthread_t t = thread(makes, NULL);
    int seen = -1;
    for (long since = now(); seen < CALLS && now() - since < 300;)
        if (LOAD(calls) != seen)
            seen = LOAD(calls), since = now();
    // The library would make other calls before.
    pid_t pid = (pid_t)syscall(SYS_fork);
    if (pid == 0) {
        NEED(write(1, "ok the child\n", 13));
        _exit(0);
    }
    EQ("its end", end_of(pid), 0);
    join(t);
    return check_done();
}
