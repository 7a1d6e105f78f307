// Every call that makes a descriptor, where the process may have no more of them.
// Raw calls: the C library makes no difference.
// km-test: links=static-musl,static-kontain
// km-test: timeout=60
#include "conform_child.h"
#include <sys/stat.h>

static int dir, listening, ep;

static void no_more(void)
{
    unsigned long set = 1, how[3] = {O_RDONLY, 0, 0}, attr[4] = {0, 0, 0, 0};
    int ends[2] = {7, 7};
    struct { unsigned bytes; int type; unsigned char handle[128]; } handle = {128, 0, {0}};
    int mount;
    long known = syscall(SYS_name_to_handle_at, dir, "file", &handle, &mount, 0);
    NEED(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, 4096}));
    const struct { const char *name; long nr, args[6]; } calls[] = {
        {"open", SYS_open, {(long)"file", O_RDONLY}},
        {"open of a file that is not there", SYS_open, {(long)"none", O_RDONLY}},
        {"open of a new file", SYS_open, {(long)"new", O_RDWR | O_CREAT, 0600}},
        {"creat", SYS_creat, {(long)"new", 0600}},
        {"openat", SYS_openat, {dir, (long)"file", O_RDONLY}},
        {"openat with O_PATH", SYS_openat, {dir, (long)"file", O_PATH}},
        {"openat2", SYS_openat2, {dir, (long)"file", (long)how, 24}},
        {"dup", SYS_dup, {dir}},
        {"dup of none", SYS_dup, {777}},
        {"dup2", SYS_dup2, {dir, 500}},
        {"dup2 onto itself", SYS_dup2, {dir, dir}},
        {"dup3", SYS_dup3, {dir, 500, 0}},
        {"F_DUPFD", SYS_fcntl, {dir, F_DUPFD, 0}},
        {"F_DUPFD_CLOEXEC", SYS_fcntl, {dir, F_DUPFD_CLOEXEC, 100}},
        {"pipe", SYS_pipe, {(long)ends}},
        {"pipe at 1", SYS_pipe, {1}},
        {"pipe2", SYS_pipe2, {(long)ends, O_CLOEXEC}},
        {"socket", SYS_socket, {AF_UNIX, SOCK_STREAM, 0}},
        {"socket of no family", SYS_socket, {1000, SOCK_STREAM, 0}},
        {"socketpair", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, (long)ends}},
        {"socketpair at 1", SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, 1}},
        {"accept", SYS_accept, {listening, 0, 0}},
        {"accept4", SYS_accept4, {listening, 0, 0, SOCK_CLOEXEC}},
        {"epoll_create", SYS_epoll_create, {1}},
        {"epoll_create1", SYS_epoll_create1, {0}},
        {"eventfd", SYS_eventfd, {0}},
        {"eventfd2", SYS_eventfd2, {0, 0}},
        {"signalfd", SYS_signalfd, {-1, (long)&set, 8}},
        {"signalfd4", SYS_signalfd4, {-1, (long)&set, 8, 0}},
        {"timerfd_create", SYS_timerfd_create, {CLOCK_MONOTONIC, 0}},
        {"inotify_init", SYS_inotify_init, {0}},
        {"inotify_init1", SYS_inotify_init1, {0}},
        {"fanotify_init", SYS_fanotify_init, {0, 0}},
        {"memfd_create", SYS_memfd_create, {(long)"name", 0}},
        {"pidfd_open", SYS_pidfd_open, {getpid(), 0}},
        {"mq_open", SYS_mq_open, {(long)"conform-limits-none", O_RDWR}},
        {"open_by_handle_at", SYS_open_by_handle_at, {dir, known ? 1 : (long)&handle, O_RDONLY}},
        {"open_tree", 428, {dir, (long)".", 0}},
        {"open_tree_attr", 467, {dir, (long)".", 0, (long)attr, 32}},
        {"fsopen", 430, {(long)"tmpfs", 0}},
        {"fspick", 433, {dir, (long)".", 0}},
    };
    for (size_t i = 0; i < conform_len(calls); i++) {
        errno = 0;
        long got = conform_call(calls[i].nr, calls[i].args);
        report(calls[i].name, "", "", got, errno, got == dir ? DONE : NEWFD);
    }
    printf("%d %d\n", ends[0], ends[1]);
    // A file that cannot be opened is not made either.
    printf("new: %d\n", access("new", F_OK));
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0};
    probe("epoll_ctl", "", DONE, SYS_epoll_ctl, ep, EPOLL_CTL_ADD, listening, (long)&event);
    probe("fcntl", "F_GETFD", NUMBER, SYS_fcntl, dir, F_GETFD);
}

// A file may not grow, memory may not, and nothing may be locked.
static void smaller(void)
{
    signal(SIGXFSZ, SIG_IGN);
    int file = NEED(open("file", O_RDWR));
    NEED(setrlimit(RLIMIT_FSIZE, &(struct rlimit){8, 1 << 20}));
    probe("write", "over the limit", NUMBER, SYS_write, file, (long)"0123456789", 10);
    probe("write", "at the limit", NUMBER, SYS_write, file, (long)"0123456789", 10);
    probe("pwrite64", "beyond the limit", NUMBER, SYS_pwrite64, file, (long)"0123456789", 10, 100);
    probe("pwritev", "over the limit", NUMBER, SYS_pwritev, file, (long)&(struct { void *at; long size; }){"0123456789", 10}, 1, 4, 0);
    probe("ftruncate", "beyond the limit", NUMBER, SYS_ftruncate, file, 100);
    probe("truncate", "beyond the limit", NUMBER, SYS_truncate, (long)"file", 100);
    probe("fallocate", "beyond the limit", NUMBER, SYS_fallocate, file, 0, 0, 100);
    probe("truncate", "back", NUMBER, SYS_truncate, (long)"file", 0);
    close(file);
    // For what is printed.
    NEED(setrlimit(RLIMIT_FSIZE, &(struct rlimit){1 << 20, 1 << 20}));
    become_nobody();
    NEED(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){0, 1 << 20}));
    probe("mlock", "of what may be none", NUMBER, SYS_mlock, (long)rooms[0].data, PAGE);
    probe("mlockall", "of what may be none", NUMBER, SYS_mlockall, 1);
    NEED(setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){PAGE, 1 << 20}));
    probe("mlock", "of a page", NUMBER, SYS_mlock, (long)rooms[0].data, PAGE);
    probe("mlock", "of two", NUMBER, SYS_mlock, (long)rooms[0].data, 2 * PAGE);
    probe("munlock", "of two", NUMBER, SYS_munlock, (long)rooms[0].data, 2 * PAGE);
    probe("mmap", "locked", DONE, SYS_mmap, 0, 4 * PAGE, RW, ANON | MAP_LOCKED, -1, 0);
    // Less than is there: nothing can be added.
    NEED(setrlimit(RLIMIT_AS, &(struct rlimit){PAGE, RLIM_INFINITY}));
    probe("mmap", "beyond the limit", DONE, SYS_mmap, 0, PAGE, RW, ANON, -1, 0);
    probe("mremap", "beyond the limit", DONE, SYS_mremap, (long)rooms[1].data, PAGE, 1L << 30, 1, 0);
    long end = syscall(SYS_brk, 0);
    printf("brk: %d\n", syscall(SYS_brk, end + 100 * (long)PAGE) == end);
    NEED(setrlimit(RLIMIT_AS, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}));
    NEED(setrlimit(RLIMIT_SIGPENDING, &(struct rlimit){0, 0}));
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_code = -1;
    block(40);
    probe("rt_sigqueueinfo", "beyond the limit", NUMBER, SYS_rt_sigqueueinfo, getpid(), 40, (long)&info);
    int timer;
    probe("timer_create", "beyond the limit", NUMBER, SYS_timer_create, CLOCK_MONOTONIC, 0, (long)&timer);
    NEED(setrlimit(RLIMIT_MSGQUEUE, &(struct rlimit){0, 0}));
    probe("mq_open", "beyond the limit", NEWFD, SYS_mq_open, (long)"conform-limits-none", O_RDWR | O_CREAT, 0600, 0);
    probe("setrlimit", "soft beyond hard", DONE, SYS_setrlimit, RLIMIT_CPU, (long)&(struct rlimit){100, 99});
    NEED(setrlimit(RLIMIT_RTPRIO, &(struct rlimit){0, 0}));
    probe("setrlimit", "hard higher", DONE, SYS_setrlimit, RLIMIT_RTPRIO, (long)&(struct rlimit){0, 5});
    probe("prlimit64", "of the first process", DONE, SYS_prlimit64, 1, RLIMIT_CPU, 0, (long)&(struct rlimit){0, 0});
}

int main(void)
{
    conform_start();
    NEED(chmod(".", 0777));
    dir = NEED(open(".", O_RDONLY | O_DIRECTORY));
    close(NEED(open("file", O_RDWR | O_CREAT, 0666)));
    // Somebody is connected, and waits to be accepted.
    struct { unsigned short family; char path[20]; } address = {AF_UNIX, "\0conform-limits"};
    snprintf(address.path + 1, sizeof address.path - 1, "conform-%d", getpid());
    listening = NEED(socket(AF_UNIX, SOCK_STREAM, 0));
    NEED(bind(listening, (void *)&address, sizeof address));
    NEED(listen(listening, 5));
    int connected = NEED(socket(AF_UNIX, SOCK_STREAM, 0));
    NEED(connect(connected, (void *)&address, sizeof address));
    ep = NEED(epoll_create1(0));
    apart("no more descriptors", no_more);
    apart("smaller", smaller);
    unlink("file");
    return conform_done();
}
