// Threads and children of a test, and how they end.
#ifndef KM_TASKS_H
#define KM_TASKS_H

#include "check.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Nothing here may hang: the program, and each of its children, dies of SIGALRM after so many seconds.
#define LIMIT 90

// To be the first in main. A parent may have left signals blocked or ignored.
static inline void tasks_begin(void)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGCHLD, SIG_DFL);
    signal(SIGALRM, SIG_DFL);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    alarm(LIMIT);
}

static inline void pause_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&t, &t) == -1 && errno == EINTR) {
    }
}

#define UNTIL(cond)       \
    do {                  \
        while (!(cond))   \
            pause_ms(1);  \
    } while (0)

// Exit code, or 1000 and the signal it died of.
static inline int end_code(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status); }

static inline int end_of(pid_t pid)
{
    int status = 0;
    pid_t got;
    while ((got = waitpid(pid, &status, 0)) == -1 && errno == EINTR) {
    }
    return got > 0 && got == pid ? end_code(status) : -1;
}

static inline pid_t fork_child(void)
{
    pid_t pid = NEED(fork());
    if (pid == 0)
        alarm(LIMIT);
    return pid;
}

// A child that runs this and exits with what it returns. It may make checks, for its output is written before.
static inline pid_t child(int (*run)(void))
{
    fflush(stdout);
    pid_t pid = fork_child();
    if (pid == 0) {
        check_failures = 0;
        int code = run();
        fflush(stdout);
        _exit(code ? code : check_failures ? 99 : 0);
    }
    return pid;
}

// For a child that others end.
static inline int waits_forever(void)
{
    for (;;)
        pause();
    return 0;
}

static inline int child_end(int (*run)(void)) { return end_of(child(run)); }

static inline pthread_t thread(void *(*run)(void *), void *arg)
{
    pthread_t t;
    int error = pthread_create(&t, NULL, run, arg);
    if (error) {
        printf("FAIL setup, pthread_create: %s\n", strerror(error));
        exit(1);
    }
    return t;
}

static inline void *join(pthread_t t)
{
    void *result = NULL;
    int error = pthread_join(t, &result);
    if (error) {
        printf("FAIL pthread_join: %s\n", strerror(error));
        exit(1);
    }
    return result;
}

// So many threads at a time, the first of them told 1, the next 2; the sum of what they give.
static inline long together(void *(*run)(void *), int count)
{
    pthread_t t[16];
    long sum = 0;
    for (long i = 0; i < count; i++)
        t[i] = thread(run, (void *)(i + 1));
    for (int i = 0; i < count; i++)
        sum += (long)join(t[i]);
    return sum;
}

// For a thread that others end.
static inline void *stays(void *arg)
{
    waits_forever();
    return arg;
}

static inline pid_t tid(void) { return (pid_t)syscall(SYS_gettid); }

static inline long futex(void *word, int op, unsigned value, const void *time, void *word2, unsigned value3)
{
    return syscall(SYS_futex, word, op, value, time, word2, value3);
}

static inline void handle(int number, void *handler, int flags)
{
    struct sigaction action = {.sa_flags = flags};
    action.sa_sigaction = (void (*)(int, siginfo_t *, void *))handler;
    NEED(sigaction(number, &action, NULL));
}

static inline sigset_t set_of(int number)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    return set;
}

static inline void block(int number)
{
    sigset_t set = set_of(number);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static inline void unblock(int number)
{
    sigset_t set = set_of(number);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

#endif
