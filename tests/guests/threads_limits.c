// Limits are what the program set, whatever its threads do meanwhile, and so in a child that is made at any time.
#include "tasks.h"
#include <stdatomic.h>

enum { FILES = 100, BYTES = 64, MILLISECONDS = 120 };
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
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur != FILES)
        return 1;
    return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur != BYTES;
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

static struct rlimit set(int resource, rlim_t soft)
{
    struct rlimit limit, old;
    NEED(getrlimit(resource, &old));
    limit = old;
    limit.rlim_cur = soft;
    NEED(setrlimit(resource, &limit));
    return old;
}

int main(void)
{
    tasks_begin();
    set(RLIMIT_NOFILE, FILES);
    struct rlimit file_size = set(RLIMIT_FSIZE, BYTES);
    pthread_t openers[] = {thread(opens, "/dev/null"), thread(opens, "/proc/self/status")};
    int here = ever(is_wrong), in_child = ever(is_wrong_in_child);
    stop = 1;
    join(openers[0]);
    join(openers[1]);
    NEED(setrlimit(RLIMIT_FSIZE, &file_size));
    EQ("while threads open files", here, 0);
    EQ("in children made meanwhile", in_child, 0);
    return check_done();
}
