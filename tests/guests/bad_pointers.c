// Pointers that lead nowhere, in every argument of many calls: an error, never more.
#include "check.h"
#include "probe.h"
#include <poll.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>

static int file, zero, dir, sock, timer, epoll, pipes[2];
static char *last; // the last page of a mapping; nothing lies behind it
static char *closed; // a PROT_NONE page

static long call(long nr, long a, long b, long c, long d, long e)
{
    errno = 0;
    return syscall(nr, a, b, c, d, e, 0L);
}

// Calls with one bad pointer `p`, all of which Linux answers with EFAULT.
static int wrong_answers(long p, int writes_only, const char *kind)
{
    long buf = (long)last, at = AT_FDCWD;
    struct { const char *name; int writes; long nr, a, b, c, d, e; } calls[] = {
        {"read", 1, SYS_read, zero, p, 16, 0, 0},
        {"pread64", 1, SYS_pread64, file, p, 4, 0, 0},
        {"write", 0, SYS_write, pipes[1], p, 16, 0, 0},
        {"pwrite64", 0, SYS_pwrite64, file, p, 16, 0, 0},
        {"open", 0, SYS_open, p, O_RDONLY, 0, 0, 0},
        {"openat", 0, SYS_openat, at, p, O_RDONLY, 0, 0},
        {"stat path", 0, SYS_stat, p, buf, 0, 0, 0},
        {"stat", 1, SYS_stat, (long)".", p, 0, 0, 0},
        {"fstat", 1, SYS_fstat, file, p, 0, 0, 0},
        {"newfstatat", 1, SYS_newfstatat, at, (long)".", p, 0, 0},
        {"statx", 1, SYS_statx, at, (long)".", 0, 0x7ff, p},
        {"statfs", 1, SYS_statfs, (long)".", p, 0, 0, 0},
        {"access", 0, SYS_access, p, 0, 0, 0, 0},
        {"rename from", 0, SYS_rename, p, (long)"x", 0, 0, 0},
        {"rename to", 0, SYS_rename, (long)"file", p, 0, 0, 0},
        {"unlink", 0, SYS_unlink, p, 0, 0, 0, 0},
        {"mkdir", 0, SYS_mkdir, p, 0700, 0, 0, 0},
        {"chdir", 0, SYS_chdir, p, 0, 0, 0, 0},
        {"symlink", 0, SYS_symlink, (long)"x", p, 0, 0, 0},
        {"readlink", 1, SYS_readlink, (long)"link", p, 16, 0, 0},
        {"getcwd", 1, SYS_getcwd, p, 4096, 0, 0, 0},
        {"getdents64", 1, SYS_getdents64, dir, p, 4096, 0, 0},
        {"uname", 1, SYS_uname, p, 0, 0, 0, 0},
        {"pipe2", 1, SYS_pipe2, p, 0, 0, 0, 0},
        {"getrandom", 1, SYS_getrandom, p, 16, 0, 0, 0},
        {"clock_gettime", 1, SYS_clock_gettime, 1, p, 0, 0, 0},
        {"clock_getres", 1, SYS_clock_getres, 1, p, 0, 0, 0},
        {"gettimeofday", 1, SYS_gettimeofday, p, 0, 0, 0, 0},
        {"nanosleep", 0, SYS_nanosleep, p, 0, 0, 0, 0},
        {"times", 1, SYS_times, p, 0, 0, 0, 0},
        {"getrusage", 1, SYS_getrusage, 0, p, 0, 0, 0},
        {"sysinfo", 1, SYS_sysinfo, p, 0, 0, 0, 0},
        {"getrlimit", 1, SYS_getrlimit, 3, p, 0, 0, 0},
        {"prlimit64 new", 0, SYS_prlimit64, 0, 3, p, 0, 0},
        {"prlimit64 old", 1, SYS_prlimit64, 0, 3, 0, p, 0},
        {"sched_getaffinity", 1, SYS_sched_getaffinity, 0, 128, p, 0, 0},
        {"getresuid", 1, SYS_getresuid, p, buf, buf, 0, 0},
        {"poll", 0, SYS_poll, p, 1, 0, 0, 0},
        {"select", 0, SYS_select, 1, p, 0, 0, 0},
        {"utimensat", 0, SYS_utimensat, at, (long)"file", p, 0, 0},
        {"socketpair", 1, SYS_socketpair, 1, 1, 0, p, 0},
        {"getsockname", 1, SYS_getsockname, sock, p, buf, 0, 0},
        {"getsockname length", 0, SYS_getsockname, sock, buf, p, 0, 0},
        {"setsockopt", 0, SYS_setsockopt, sock, SOL_SOCKET, SO_SNDBUF, p, 4},
        {"connect", 0, SYS_connect, sock, p, 16, 0, 0},
        {"sendmsg", 0, SYS_sendmsg, sock, p, 0, 0, 0},
        {"recvmsg", 0, SYS_recvmsg, sock, p, MSG_DONTWAIT, 0, 0},
        {"timerfd_settime", 0, SYS_timerfd_settime, timer, 0, p, 0, 0},
        {"timerfd_gettime", 1, SYS_timerfd_gettime, timer, p, 0, 0, 0},
        {"epoll_ctl", 0, SYS_epoll_ctl, epoll, EPOLL_CTL_ADD, pipes[0], p, 0},
        {"mincore", 1, SYS_mincore, buf, 4096, p, 0, 0},
        {"ioctl FIONREAD", 1, SYS_ioctl, pipes[0], 0x541B, p, 0, 0},
        {"ioctl FIONBIO", 0, SYS_ioctl, pipes[0], 0x5421, p, 0, 0},
        {"fcntl F_GETLK", 0, SYS_fcntl, file, 5, p, 0, 0},
        {"memfd_create", 0, SYS_memfd_create, p, 0, 0, 0, 0},
        {"futex wait", 0, SYS_futex, p & ~3L, 0 /* WAIT */, 0, 0, 0},
        {"rt_sigprocmask", 0, SYS_rt_sigprocmask, 0, p, 0, 8, 0},
        {"getxattr", 0, SYS_getxattr, p, (long)"user.a", buf, 16, 0},
        {"copy_file_range", 0, SYS_copy_file_range, file, p, file, 0, 1},
    };
    int wrong = 0;
    for (unsigned i = 0; i < sizeof calls / sizeof *calls; i++) {
        if (writes_only && !calls[i].writes)
            continue;
        long r = call(calls[i].nr, calls[i].a, calls[i].b, calls[i].c, calls[i].d, calls[i].e);
        if (r != -1 || errno != EFAULT) {
            printf("  %s with %s pointer: got %ld, errno %d\n", calls[i].name, kind, r, errno);
            wrong++;
        }
    }
    return wrong;
}

static void order_of_errors(void)
{
    ERR("read", call(SYS_read, -1, 8, 1, 0, 0), EBADF);
    ERR("write", call(SYS_write, -1, 8, 1, 0, 0), EBADF);
    ERR("readv", call(SYS_readv, -1, 8, 1, 0, 0), EBADF);
    ERR("fstat", call(SYS_fstat, -1, 8, 0, 0, 0), EBADF);
    ERR("getdents64", call(SYS_getdents64, -1, 8, 100, 0, 0), EBADF);
    ERR("ioctl", call(SYS_ioctl, -1, 0x5401, 8, 0, 0), EBADF);
    ERR("openat takes the path first", call(SYS_openat, -1, 8, 0, 0, 0), EFAULT);
    ERR("epoll_ctl the event", call(SYS_epoll_ctl, -1, EPOLL_CTL_ADD, 0, 8, 0), EFAULT);
    ERR("epoll_wait without room", call(SYS_epoll_wait, epoll, 8, 0, 0, 0), EINVAL);
    ERR("poll of too many", call(SYS_poll, 8, 1 << 30, 0, 0, 0), EINVAL);
    EQ("poll of none", call(SYS_poll, 8, 0, 0, 0, 0), 0);
    EQ("read of nothing from the end of a file", (lseek(file, 0, SEEK_END), call(SYS_read, file, 8, 16, 0, 0)), 0);
    EQ("write of nothing", call(SYS_write, pipes[1], 8, 0, 0, 0), 0);
    ERR("closed directory", call(SYS_openat, 999, (long)"x", 0, 0, 0), EBADF);
    EQ("NULL where it is allowed", call(SYS_gettimeofday, 0, 0, 0, 0, 0), 0);
    ERR("sigset size before pointer", call(SYS_rt_sigprocmask, 0, 8, 0, 4, 0), EINVAL);
}

static void lengths(void)
{
    ERR("read 2^63", call(SYS_read, zero, (long)last, 1L << 63, 0, 0), EFAULT);
    ERR("read -1", call(SYS_read, zero, (long)last, -1, 0, 0), EFAULT);
    ERR("write 2^63", call(SYS_write, pipes[1], (long)last, 1L << 63, 0, 0), EFAULT);
    ERR("getcwd of a bad pointer, 2^63", call(SYS_getcwd, 8, 1L << 63, 0, 0, 0), EFAULT);
    EQ("getcwd 2^63", call(SYS_getcwd, (long)last, 1L << 63, 0, 0, 0) > 1, 1);
    EQ("readlink 2^31-1", call(SYS_readlink, (long)"link", (long)last, 0x7fffffff, 0, 0), 4);
    ERR("readlink -1", call(SYS_readlink, (long)"link", (long)last, -1, 0, 0), EINVAL);
    ERR("setsockopt -1", call(SYS_setsockopt, sock, SOL_SOCKET, SO_SNDBUF, (long)last, -1), EINVAL);
    ERR("connect -1", call(SYS_connect, sock, (long)last, -1, 0, 0), EINVAL);
    EQ("getrandom to the end of the mapping", call(SYS_getrandom, (long)last + PAGE - 64, 64, 0, 0, 0), 64);

    // The kernel copies up to where memory ends.
    // (/dev/zero may count in steps of eight bytes.)
    EQ("read over the end", read(zero, last + PAGE - 16, 100), 16);
    EQ("pread over the end", (NEED(ftruncate(file, 100)), pread(file, last + PAGE - 10, 100, 0)), 10);
    EQ("file write over the end", pwrite(file, last + PAGE - 7, 100, 0), 7);
    NEED(write(pipes[1], "0123456789", 10));
    ERR("pipe read over the end", read(pipes[0], last + PAGE - 4, 10), EFAULT);
    char buf[16];
    EQ("the pipe still has it", read(pipes[0], buf, 16), 10);
    ERR("fstat over the end", call(SYS_fstat, file, (long)last + PAGE - 8, 0, 0, 0), EFAULT);
    // Far more than there is, but from an address where the end is still a user address.
    char *low = NEED(mmap((void *)0x10000000, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0));
    EQ("read 2 GiB", read(zero, low, 1UL << 31), 2 * PAGE);
    EQ("read 1 TiB", read(zero, low + 8, 1UL << 40), 2 * PAGE - 8);
    NEED(munmap(low, 2 * PAGE));
}

static void paths(void)
{
    memset(last, 'p', PAGE);
    ERR("unterminated, short", open(last + PAGE - 100, O_RDONLY), EFAULT);
    ERR("unterminated, long", open(last, O_RDONLY), ENAMETOOLONG);
    last[PAGE - 1] = 0;
    ERR("ends with the mapping", open(last + PAGE - 100, O_RDONLY), ENOENT);
    ERR("component too long", open(last + PAGE - 1000, O_RDONLY), ENAMETOOLONG);
    char *name = last + PAGE - 5;
    memcpy(name, "file", 5);
    int fd = open(name, O_RDONLY);
    OK("good one at the very end", fd);
    close(fd);
    ERR("empty, at the very end", open(last + PAGE - 1, O_RDONLY), ENOENT);
}

int main(void)
{
    file = NEED(open("file", O_RDWR | O_CREAT, 0600));
    NEED(write(file, "content", 7));
    NEED(symlink("file", "link"));
    zero = NEED(open("/dev/zero", O_RDONLY));
    dir = NEED(open(".", O_RDONLY));
    sock = NEED(socket(AF_UNIX, SOCK_DGRAM, 0));
    timer = NEED(timerfd_create(CLOCK_MONOTONIC, 0));
    epoll = NEED(epoll_create1(0));
    NEED(pipe(pipes));
    last = private_pages(3 * PAGE);
    last += PAGE;
    NEED(munmap(last + PAGE, PAGE));
    *(int *)last = 64;
    closed = NEED(mmap(NULL, PAGE, PROT_NONE, ANON, -1, 0));
    char *constant = NEED(mmap(NULL, PAGE, PROT_READ, ANON, -1, 0));

    EQ("small address", wrong_answers(0x18, 0, "a small"), 0);
    EQ("just unmapped", wrong_answers((long)last + PAGE, 0, "an unmapped"), 0);
    EQ("closed page", wrong_answers((long)closed, 0, "a closed"), 0);
    EQ("non-canonical", wrong_answers(0x0000800000000000, 0, "a non-canonical"), 0);
    EQ("non-canonical, top bits", wrong_answers(0x4141414141414141, 0, "a non-canonical"), 0);
    EQ("kernel half", wrong_answers((long)0xffff888000000000, 0, "a kernel"), 0);
    EQ("vsyscall page and above", wrong_answers(-16, 0, "a top"), 0);
    EQ("first address beyond user space", wrong_answers(0x7ffffffff000, 0, "a beyond-user"), 0);
    EQ("read-only page, written to", wrong_answers((long)constant, 1, "a read-only"), 0);
    EQ("own code, written to", wrong_answers((long)wrong_answers, 1, "a code"), 0);
    order_of_errors();
    lengths();
    paths();
    unlink("file");
    unlink("link");
    return check_done();
}
