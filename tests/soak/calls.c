// Calls that a signal may interrupt, and the start of threads and children.
#include "soak.h"

#define STACK 65536

void pause_us(unsigned us)
{
    struct timespec t = {us / 1000000, us % 1000000 * 1000};
    while (nanosleep(&t, &t) == -1 && errno == EINTR) {
    }
}

uint64_t take(int fd)
{
    uint64_t value = 0;
    ssize_t n;
    while ((n = read(fd, &value, sizeof value)) == -1 && errno == EINTR) {
    }
    return n == sizeof value ? value : 0;
}

void give(int fd, uint64_t value)
{
    ssize_t n;
    while ((n = write(fd, &value, sizeof value)) == -1 && errno == EINTR) {
    }
    if (n != sizeof value)
        off("write", (uint64_t)n, sizeof value);
}

void pipe_of(int fd[2])
{
    if (pipe2(fd, O_CLOEXEC))
        off("pipe2", 1, 0);
}

void close_both(int fd[2])
{
    close(fd[0]);
    close(fd[1]);
}

uint64_t take_from_child(int fd[2])
{
    close(fd[1]);
    uint64_t value = take(fd[0]);
    close(fd[0]);
    return value;
}

pthread_t start(void *(*run)(void *), void *arg, int detached)
{
    pthread_t t = 0;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    if (detached)
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    int error = pthread_create(&t, &attr, run, arg);
    pthread_attr_destroy(&attr);
    if (error) {
        errno = error;
        off("pthread_create", 1, 0);
        exit(1);
    }
    return t;
}

pid_t forked(void)
{
    pid_t pid = fork();
    if (pid == -1)
        off("fork", 1, 0);
    if (pid == 0) {
        alarm(LIMIT);
        failed = 0;
    }
    return pid;
}
