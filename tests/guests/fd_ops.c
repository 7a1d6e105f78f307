// Descriptors: duplicates, flags, locks, ranges, limits.
#include "check.h"
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef F_OFD_SETLK
#define F_OFD_GETLK 36
#define F_OFD_SETLK 37
#endif

static int is_open(int fd)
{
    return fcntl(fd, F_GETFD) != -1;
}

static void duplicates(int fd)
{
    int d = dup(fd);
    CHECK("dup", d > fd);
    NEED(lseek(fd, 3, SEEK_SET));
    EQ("shares the position", lseek(d, 0, SEEK_CUR), 3);
    EQ("dup2", dup2(fd, 50), 50);
    EQ("dup2 over", dup2(fd, 50), 50);
    EQ("dup2 on itself", dup2(50, 50), 50);
    ERR("dup2 of a closed one on itself", dup2(51, 51), EBADF);
    EQ("dup3", dup3(fd, 51, O_CLOEXEC), 51);
    EQ("dup3 close-on-exec", fcntl(51, F_GETFD), FD_CLOEXEC);
    ERR("dup3 on itself", dup3(51, 51, 0), EINVAL);
    ERR("dup3 flags", syscall(SYS_dup3, fd, 52, O_APPEND), EINVAL);
    ERR("dup of a closed one", dup(60), EBADF);
    ERR("dup2 to a negative", dup2(fd, -1), EBADF);
    ERR("dup2 far out", dup2(fd, 1 << 30), EBADF);
    EQ("F_DUPFD", fcntl(fd, F_DUPFD, 70), 70);
    EQ("F_DUPFD next", fcntl(fd, F_DUPFD_CLOEXEC, 70), 71);
    EQ("its flag", fcntl(71, F_GETFD), FD_CLOEXEC);
    ERR("F_DUPFD negative", fcntl(fd, F_DUPFD, -1), EINVAL);

    OK("close_range", syscall(436, 50, 60, 0));
    CHECK("closed", !is_open(50) && !is_open(51) && is_open(70));
    OK("close_range sets close-on-exec", syscall(436, 70, 71, 4));
    EQ("flag set", fcntl(70, F_GETFD), FD_CLOEXEC);
    ERR("close_range backwards", syscall(436, 9, 8, 0), EINVAL);
    ERR("close_range flags", syscall(436, 70, 71, 1), EINVAL);
    OK("close_range to the end", syscall(436, 60, ~0U, 0));
    CHECK("closed too", !is_open(70) && !is_open(71) && is_open(fd));
    close(d);
}

static void flags(int fd)
{
    EQ("no flag", fcntl(fd, F_GETFD), 0);
    OK("F_SETFD", fcntl(fd, F_SETFD, FD_CLOEXEC));
    EQ("set", fcntl(fd, F_GETFD), FD_CLOEXEC);
    OK("F_SETFL", fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK));
    EQ("read back", fcntl(fd, F_GETFL) & (O_APPEND | O_NONBLOCK | O_ACCMODE), O_APPEND | O_NONBLOCK | O_RDWR);
    OK("F_SETFL none", fcntl(fd, F_SETFL, 0));
    EQ("none", fcntl(fd, F_GETFL) & (O_APPEND | O_NONBLOCK), 0);
    ERR("unknown command", fcntl(fd, 9999), EINVAL);
    ERR("closed", fcntl(999, F_GETFD), EBADF);
    int p[2];
    OK("pipe2", pipe2(p, O_NONBLOCK | O_CLOEXEC));
    EQ("pipe2 close-on-exec", fcntl(p[0], F_GETFD), FD_CLOEXEC);
    char c;
    ERR("pipe2 nonblock", read(p[0], &c, 1), EAGAIN);
    ERR("pipe2 flags", pipe2(p, O_APPEND), EINVAL);
    close(p[1]);
    EQ("no writer", read(p[0], &c, 1), 0);
    close(p[0]);
    ERR("pipe bad pointer", syscall(SYS_pipe, 8L), EFAULT);
}

static void locks(int fd)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10};
    OK("F_SETLK", fcntl(fd, F_SETLK, &l));
    l.l_type = F_RDLCK;
    OK("F_GETLK", fcntl(fd, F_GETLK, &l));
    EQ("own locks do not hinder", l.l_type, F_UNLCK);
    l = (struct flock){.l_type = F_UNLCK, .l_whence = SEEK_SET};
    OK("unlock", fcntl(fd, F_SETLK, &l));
    l.l_type = 99;
    ERR("lock type", fcntl(fd, F_SETLK, &l), EINVAL);

    int other = NEED(open("file", O_RDWR));
    l = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 5};
    OK("open-file lock", fcntl(fd, F_OFD_SETLK, &l));
    ERR("hinders another open file", fcntl(other, F_OFD_SETLK, &l), EAGAIN);
    l.l_start = 100;
    OK("but not elsewhere", fcntl(other, F_OFD_SETLK, &l));
    l = (struct flock){.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 7};
    OK("F_OFD_GETLK", fcntl(other, F_OFD_GETLK, &l));
    EQ("says where", l.l_start, 5);
    EQ("and who: no process", l.l_pid, -1);

    OK("flock", flock(fd, LOCK_EX));
    ERR("flock of another open file", flock(other, LOCK_SH | LOCK_NB), EWOULDBLOCK);
    OK("to shared", flock(fd, LOCK_SH));
    OK("both share", flock(other, LOCK_SH | LOCK_NB));
    OK("unlock", flock(fd, LOCK_UN));
    ERR("flock operation", flock(fd, 16), EINVAL);
    close(other);
}

static void limit(int fd)
{
    struct rlimit old, low;
    NEED(getrlimit(RLIMIT_NOFILE, &old));
    low = old;
    low.rlim_cur = 40;
    OK("RLIMIT_NOFILE", setrlimit(RLIMIT_NOFILE, &low));
    ERR("dup2 to the limit", dup2(fd, 40), EBADF);
    EQ("dup2 below it", dup2(fd, 39), 39);
    int last = -1, d;
    while ((d = dup(fd)) >= 0)
        last = d;
    EQ("too many", errno, EMFILE);
    EQ("last number", last, 38);
    ERR("open as well", open("file", O_RDONLY), EMFILE);
    ERR("F_DUPFD beyond", fcntl(fd, F_DUPFD, 40), EINVAL);
    OK("limit back", setrlimit(RLIMIT_NOFILE, &old));
    for (int i = fd + 1; i < 40; i++)
        close(i);
    // As far up as the limit reaches.
    int top = old.rlim_cur > 2000 ? 1999 : (int)old.rlim_cur - 1;
    EQ("high number", dup2(fd, top), top);
    close(top);
}

int main(void)
{
    // Whatever the parent left open shall not count here.
    for (int i = 3; i < 200; i++)
        close(i);
    int fd = NEED(open("file", O_RDWR | O_CREAT, 0600));
    EQ("first descriptor", fd, 3);
    duplicates(fd);
    flags(fd);
    locks(fd);
    limit(fd);
    // Standard streams can be closed and taken.
    int saved = NEED(dup(0));
    close(0);
    EQ("number 0 is a number", open("file", O_RDONLY), 0);
    NEED(dup2(saved, 0));
    unlink("file");
    return check_done();
}
