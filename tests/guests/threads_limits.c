// Limits are what the program set, whatever its threads do meanwhile, and so in a child that is made at any time.
#include "tasks.h"
#include <stdatomic.h>

enum { FILES = 100, MILLISECONDS = 120 };
static atomic_int stop;

static void *opens(void *path)
{
    while (!stop) {
        int fd = open(path, O_RDONLY);
        if (fd >= 0)
            close(fd);
    }
    return NULL;
}

static long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static int is_wrong(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur != FILES;
}

static int is_wrong_in_child(void)
{
    pid_t pid = vfork();
    if (pid == 0)
        _exit(is_wrong());
    return end_of(pid) != 0;
}

static int ever(int (*wrong)(void))
{
    long end = now() + MILLISECONDS;
    int found = 0;
    while (now() < end)
        found |= wrong();
    return found;
}

int main(void)
{
    struct rlimit limit;
    tasks_begin();
    NEED(getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = FILES;
    NEED(setrlimit(RLIMIT_NOFILE, &limit));
    pthread_t openers[] = {thread(opens, "/dev/null"), thread(opens, "/proc/self/status")};
    EQ("while a thread opens files", ever(is_wrong), 0);
    EQ("in children made meanwhile", ever(is_wrong_in_child), 0);
    stop = 1;
    join(openers[0]);
    join(openers[1]);
    return check_done();
}
