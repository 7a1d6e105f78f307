// Numbers that no thread has opened stay closed while threads come and go: nothing else in the process shows up there, can be
// kept, closed or mapped.
#include "tasks.h"
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

enum { THREADS = 40, KEPT = 400 };
static atomic_int stop;
static pthread_barrier_t all;
static int lowest;

// How often the number was open after all.
static long by_dup2(void) { return dup2(lowest, KEPT) >= 0; }
static long by_dup(void)
{
    int fd = dup(lowest);
    return fd >= 0 ? close(fd), 1 : 0;
}
static long by_fcntl(void)
{
    int fd = fcntl(lowest, F_DUPFD, KEPT);
    return fd >= 0 ? close(fd), 1 : 0;
}
static long by_close(void) { return close(lowest) == 0; }
static long by_mmap(void) { return mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, lowest, 0) != MAP_FAILED; }

static long by_sending(void)
{
    static int pair[2] = {-1, -1};
    if (pair[0] < 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0) {
        // Out of the way of the lowest numbers.
        for (int i = 0; i < 2; i++) {
            int high = fcntl(pair[i], F_DUPFD, KEPT + 10);
            close(pair[i]);
            pair[i] = high;
        }
    }
    char byte = 0;
    struct iovec iov = {&byte, 1};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.room};
    control.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &lowest, sizeof lowest);
    return sendmsg(pair[0], &m, MSG_DONTWAIT) >= 0;
}

static void *hunts(void *what)
{
    long (*try)(void) = (long (*)(void))what;
    long found = 0;
    do
        found += try();
    while (!stop);
    return (void *)found;
}

// A program that takes the number for itself, at any time, finds its own file there.
static void *uses(void *unused)
{
    (void)unused;
    long wrong = 0;
    do {
        if (dup2(STDIN_FILENO, lowest) != lowest)
            wrong++;
        else if (fcntl(lowest, F_GETFD) != 0 || close(lowest) != 0)
            wrong++;
    } while (!stop);
    return (void *)wrong;
}

static void *waits(void *unused)
{
    pthread_barrier_wait(&all);
    return unused;
}

// All at once, so that none can have what another left.
static void come_and_go(void)
{
    static pthread_t t[THREADS];
    pthread_barrier_init(&all, NULL, THREADS);
    for (int i = 0; i < THREADS; i++)
        t[i] = thread(waits, NULL);
    for (int i = 0; i < THREADS; i++)
        join(t[i]);
}

struct trial {
    const char *name;
    void *(*run)(void *);
    long (*try)(void);
};
static const struct trial *trial;

// In a process of its own, whose threads are its first.
static int hunted(void)
{
    pthread_t hunter = thread(trial->run, (void *)trial->try);
    come_and_go();
    stop = 1;
    EQ(trial->name, (long)join(hunter), 0);
    return 0;
}

int main(void)
{
    static const struct trial trials[] = {
        {"kept by dup2", hunts, by_dup2}, {"kept by dup", hunts, by_dup}, {"kept by fcntl", hunts, by_fcntl},
        {"closed", hunts, by_close},      {"mapped", hunts, by_mmap},     {"sent", hunts, by_sending},
        {"used at any time", uses, NULL},
    };
    tasks_begin();
    lowest = NEED(dup(STDIN_FILENO));
    close(lowest);
    for (size_t i = 0; i < sizeof trials / sizeof *trials; i++) {
        trial = &trials[i];
        EQ("child", child_end(hunted), 0);
    }
    return check_done();
}
