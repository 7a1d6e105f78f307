// A limit on the size of files binds what the program writes, and nothing else: it reads of itself, executes programs, and is
// sent SIGXFSZ for its own writes only.
// km-test-case: plain
// km-test-case: ignored args=ignored
#include "tasks.h"
#include <limits.h>

static char self[PATH_MAX];
static volatile int signals;

static void count(int number)
{
    (void)number;
    signals++;
}

static void limit_to(rlim_t bytes)
{
    struct rlimit limit;
    NEED(getrlimit(RLIMIT_FSIZE, &limit));
    limit.rlim_cur = bytes;
    NEED(setrlimit(RLIMIT_FSIZE, &limit));
}

// How many bytes /proc/self/status has, or -1.
static long status_length(void)
{
    char text[8192];
    int fd = open("/proc/self/status", O_RDONLY);
    long length = read(fd, text, sizeof text);
    close(fd);
    return length;
}

static int soft_limit(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) ? -1 : (int)limit.rlim_cur;
}

static int reads(void)
{
    limit_to(0);
    return status_length() > 500 ? 5 : 6;
}

static int reads_in_part(void)
{
    limit_to(100);
    return status_length() > 500 && soft_limit() == 100 ? 5 : 6;
}

static int executes(void)
{
    limit_to(0);
    execl(self, "x", "exit", NULL);
    return 6;
}

static int executes_after_vfork(void)
{
    limit_to(0);
    pid_t pid = vfork();
    if (pid == 0) {
        execl(self, "x", "exit", NULL);
        _exit(6);
    }
    return end_of(pid);
}

// Its own write draws the signal, and no other.
static int counts(void)
{
    signal(SIGXFSZ, count);
    limit_to(0);
    int before = status_length() > 500 ? signals : 10;
    int fd = open("file", O_WRONLY | O_CREAT, 0600);
    int refused = write(fd, "x", 1) == -1 && errno == EFBIG;
    unlink("file");
    return before == 0 && refused && signals == 1 ? 5 : 6;
}

// One that is blocked and waits goes on waiting, and none comes beside it.
static int keeps_one(void)
{
    signal(SIGXFSZ, count);
    block(SIGXFSZ);
    limit_to(0);
    sigset_t set;
    if (status_length() < 500 || sigpending(&set) || sigismember(&set, SIGXFSZ))
        return 6;
    raise(SIGXFSZ);
    if (status_length() < 500 || sigpending(&set) || !sigismember(&set, SIGXFSZ))
        return 7;
    set = set_of(SIGXFSZ);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    return signals == 1 && status_length() > 500 && signals == 1 ? 5 : 8;
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "exit"))
        return status_length() > 500 && soft_limit() == 0 ? 5 : 7;
    tasks_begin();
    NEED(readlink("/proc/self/exe", self, sizeof self - 1));
    signal(SIGXFSZ, argc > 1 ? SIG_IGN : SIG_DFL);
    EQ("reads", child_end(reads), 5);
    EQ("reads, some of it below the limit", child_end(reads_in_part), 5);
    EQ("executes", child_end(executes), 5);
    EQ("executes in a child of vfork", child_end(executes_after_vfork), 5);
    EQ("its own signal", child_end(counts), 5);
    EQ("one that waits", child_end(keeps_one), 5);
    return check_done();
}
