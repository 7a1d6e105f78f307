// Actions: children that exit, die, are killed or stopped, and talk through pipes.
#include "soak.h"
#include <sys/mman.h>

// The first thread of a forked child may end before the others; with musl 1.2 that is a deadlock in the C library.
#ifdef __GLIBC__
#define WAYS_TO_EXIT 4
#else
#define WAYS_TO_EXIT 3
#endif

static void *gives_later(void *arg)
{
    uint64_t *seed_and_fd = arg;
    pause_us(500);
    give((int)seed_and_fd[1], chain(seed_and_fd[0]));
    return arg;
}

// A child that does some of this and exits: as usual, while its threads run, or with its last thread.
uint64_t forks(uint64_t seed)
{
    uint64_t r = ~seed, wrong = 0;
    int fd[2], how = (int)below(&r, WAYS_TO_EXIT), code = how == 3 ? 0 : 1 + (int)below(&r, 100);
    pipe_of(fd);
    pid_t pid = forked();
    if (pid == 0) {
        static uint64_t seed_and_fd[2];
        seed_and_fd[0] = seed;
        seed_and_fd[1] = (uint64_t)fd[1];
        if (how == 3) {
            start(gives_later, seed_and_fd, 0);
            pthread_exit(NULL);
        }
        if (how == 2)
            crowd_of(&r, 3);
        give(fd[1], mixture(seed, 1));
        _exit(failed ? 120 : code);
    }
    wrong += off("child's result", take_from_child(fd), chain(seed));
    wrong += off("child's code", (uint64_t)end_of(pid), (uint64_t)code);
    return chain(seed) + wrong;
}

// A child with threads that is killed at any time, or dies by itself.
uint64_t killed(uint64_t seed)
{
    static const int by[] = {SIGKILL, SIGTERM, SIGSEGV, SIGABRT};
    uint64_t r = ~seed, wrong = 0;
    int fd[2], number = by[below(&r, 4)], waits = (int)below(&r, 3), n = (int)below(&r, 4);
    volatile char *read_only = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int from_outside = number == SIGKILL || number == SIGTERM;
    pipe_of(fd);
    pid_t pid = forked();
    if (pid == 0) {
        crowd_of(&r, n);
        give(fd[1], seed);
        if (from_outside)
            work_forever(&r);
        pause_us(below(&r, 2000));
        if (number == SIGSEGV) {
            signal(SIGSEGV, SIG_DFL);
            *read_only = 1;
        }
        abort();
    }
    if (waits)
        wrong += off("killed child's word", take_from_child(fd), seed);
    else
        close_both(fd);
    pause_us(below(&r, 5000));
    if (from_outside)
        kill(pid, number);
    wrong += off("killed child", (uint64_t)end_of(pid), (uint64_t)(1000 + number));
    munmap((void *)read_only, PAGE);
    return chain(seed) + wrong;
}

uint64_t stopped(uint64_t seed)
{
    uint64_t r = ~seed, wrong = 0;
    int status = 0;
    pid_t pid = forked();
    if (pid == 0) {
        crowd_of(&r, 1);
        work_forever(&r);
    }
    pause_us(below(&r, 3000));
    kill(pid, SIGSTOP);
    while (waitpid(pid, &status, WUNTRACED) == -1 && errno == EINTR) {
    }
    wrong += off("stopped", (uint64_t)(WIFSTOPPED(status) ? WSTOPSIG(status) : 0), SIGSTOP);
    kill(pid, SIGCONT);
    while (waitpid(pid, &status, WCONTINUED) == -1 && errno == EINTR) {
    }
    wrong += off("continued", (uint64_t)status, 0xffff);
    kill(pid, SIGKILL);
    return chain(seed) + wrong + off("killed after that", (uint64_t)end_of(pid), 1000 + SIGKILL);
}

// Children in a row, each with a pipe to the next.
uint64_t pipes(uint64_t seed)
{
    uint64_t r = ~seed, wrong = 0;
    int fd[PROCESSES + 1][2], n = 1 + (int)below(&r, PROCESSES), words = 1 + (int)below(&r, 16);
    pid_t pids[PROCESSES];
    for (int i = 0; i <= n; i++)
        pipe_of(fd[i]);
    for (int i = 0; i < n; i++) {
        if ((pids[i] = forked()) == 0) {
            for (int j = 0; j < words; j++)
                give(fd[i + 1][1], chain(take(fd[i][0])));
            _exit(0);
        }
    }
    for (int j = 0; j < words; j++)
        give(fd[0][1], seed + (uint64_t)j);
    for (int j = 0; j < words; j++) {
        uint64_t want = seed + (uint64_t)j;
        for (int i = 0; i < n; i++)
            want = chain(want);
        wrong += off("word through pipes", take(fd[n][0]), want);
    }
    for (int i = 0; i < n; i++)
        wrong += off("child between pipes", (uint64_t)end_of(pids[i]), 0);
    for (int i = 0; i <= n; i++)
        close_both(fd[i]);
    return chain(seed) + wrong;
}
