// What is known about a file: stat in all forms, modes, times, sizes, extended attributes.
#include "check.h"
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

// musl 1.2.3 has no struct statx.
struct km_statx {
    uint32_t mask, blksize;
    uint64_t attributes;
    uint32_t nlink, uid, gid;
    uint16_t mode, pad;
    uint64_t ino, size, blocks, attributes_mask;
    struct { int64_t sec; uint32_t nsec; int32_t pad; } atime, btime, ctime, mtime;
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t rest[14];
};
#define BASIC_STATS 0x7ff

static void stats(int fd)
{
    struct stat a, b, c;
    OK("stat", stat("file", &a));
    OK("fstat", fstat(fd, &b));
    OK("fstatat", fstatat(AT_FDCWD, "file", &c, AT_SYMLINK_NOFOLLOW));
    CHECK("the same", a.st_ino == b.st_ino && b.st_ino == c.st_ino && a.st_dev == c.st_dev && a.st_size == c.st_size);
    EQ("size", a.st_size, 5);
    EQ("owner", a.st_uid, geteuid());
    OK("fstatat empty path", syscall(SYS_newfstatat, fd, "", &c, AT_EMPTY_PATH));
    EQ("same file", c.st_ino, a.st_ino);
    ERR("fstatat unknown flag", syscall(SYS_newfstatat, fd, "", &c, 0x40000000), EINVAL);

    struct km_statx x;
    memset(&x, 0xff, sizeof x);
    EQ("statx is 256 bytes", sizeof x, 256);
    OK("statx", syscall(SYS_statx, AT_FDCWD, "file", 0, BASIC_STATS, &x));
    EQ("mask", x.mask & BASIC_STATS, BASIC_STATS);
    CHECK("as stat says", x.ino == a.st_ino && x.size == 5 && x.mode == a.st_mode && x.nlink == a.st_nlink &&
                              x.uid == a.st_uid && x.dev_major == major(a.st_dev) && x.dev_minor == minor(a.st_dev));
    EQ("mtime", x.mtime.sec, a.st_mtim.tv_sec);
    EQ("mtime, nanoseconds", x.mtime.nsec, a.st_mtim.tv_nsec);
    OK("statx empty path", syscall(SYS_statx, fd, "", AT_EMPTY_PATH, BASIC_STATS, &x));
    EQ("same file by descriptor", x.ino, a.st_ino);
    ERR("statx reserved mask", syscall(SYS_statx, fd, "", AT_EMPTY_PATH, 0x80000000U, &x), EINVAL);

    NEED(stat("/dev/null", &a));
    CHECK("/dev/null", S_ISCHR(a.st_mode) && a.st_rdev == makedev(1, 3));
    struct statfs fs;
    OK("statfs", statfs("/proc", &fs));
    EQ("proc", fs.f_type, 0x9fa0);
    OK("fstatfs", fstatfs(fd, &fs));
    CHECK("block size", fs.f_bsize >= 512);
    struct statvfs vfs;
    OK("statvfs", statvfs(".", &vfs));
    CHECK("name length", vfs.f_namemax >= 255);
}

static void modes(int fd)
{
    struct stat st;
    EQ("umask", umask(027), 022);
    EQ("umask read back", umask(022), 027);
    OK("chmod", chmod("file", 04751));
    NEED(fstat(fd, &st));
    EQ("mode", st.st_mode & 07777, 04751);
    OK("fchmod", fchmod(fd, 0600));
    OK("fchmodat", fchmodat(AT_FDCWD, "file", 0640, 0));
    NEED(fstat(fd, &st));
    EQ("mode again", st.st_mode & 07777, 0640);
    OK("access", access("file", R_OK | W_OK));
    ERR("no one may execute it", access("file", X_OK), EACCES);
    ERR("access of nothing", access("none", F_OK), ENOENT);
    ERR("access mode", syscall(SYS_access, "file", 8), EINVAL);
    OK("faccessat", faccessat(AT_FDCWD, "file", R_OK, 0));
    OK("faccessat2", syscall(439, AT_FDCWD, "file", R_OK, AT_EACCESS));
    OK("chown to oneself", chown("file", geteuid(), getegid()));
    OK("fchown of nothing", fchown(fd, (uid_t)-1, (gid_t)-1));
    OK("lchown", lchown("file", (uid_t)-1, getegid()));
    OK("fchownat", fchownat(fd, "", (uid_t)-1, (gid_t)-1, AT_EMPTY_PATH));
}

static void times(int fd)
{
    struct stat st;
    struct timespec ts[2] = {{1000000000, 123456789}, {1500000000, 987654321}};
    OK("utimensat", utimensat(AT_FDCWD, "file", ts, 0));
    NEED(fstat(fd, &st));
    EQ("atime", st.st_atim.tv_sec, 1000000000);
    EQ("mtime", st.st_mtim.tv_sec, 1500000000);
    EQ("mtime ns", st.st_mtim.tv_nsec, 987654321);
    ts[0].tv_nsec = UTIME_OMIT;
    ts[1].tv_nsec = UTIME_NOW;
    OK("futimens", futimens(fd, ts));
    NEED(fstat(fd, &st));
    EQ("atime omitted", st.st_atim.tv_sec, 1000000000);
    CHECK("mtime now", st.st_mtim.tv_sec > 1000000000 && st.st_mtim.tv_sec != 1500000000);
    ts[1].tv_nsec = 1000000000;
    ERR("bad nanoseconds", futimens(fd, ts), EINVAL);
    OK("now", utimensat(AT_FDCWD, "file", NULL, 0));
    NEED(symlink("file", "link"));
    ts[0] = ts[1] = (struct timespec){1234, 0};
    OK("of a link itself", utimensat(AT_FDCWD, "link", ts, AT_SYMLINK_NOFOLLOW));
    NEED(lstat("link", &st));
    EQ("link's mtime", st.st_mtim.tv_sec, 1234);
    unlink("link");
}

static void sizes(int fd)
{
    struct stat st;
    OK("ftruncate up", ftruncate(fd, 1 << 20));
    NEED(fstat(fd, &st));
    EQ("size", st.st_size, 1 << 20);
    CHECK("sparse", st.st_blocks < 2048);
    OK("truncate down", truncate("file", 3));
    char buf[8];
    EQ("rest", pread(fd, buf, 8, 0), 3);
    ERR("negative", ftruncate(fd, -1), EINVAL);
    ERR("truncate nothing", truncate("none", 1), ENOENT);
    ERR("truncate a directory", truncate(".", 1), EISDIR);
    OK("fsync", fsync(fd));
    OK("fdatasync", fdatasync(fd));
    OK("sync_file_range", sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE));
}

static void attributes(int fd)
{
    char buf[64];
    if (fsetxattr(fd, "user.km", "value", 5, 0) == -1 && errno == EOPNOTSUPP) {
        SKIP("xattr", "file system");
        return;
    }
    OK("setxattr", setxattr("file", "user.km2", "", 0, XATTR_CREATE));
    ERR("create again", setxattr("file", "user.km2", "", 0, XATTR_CREATE), EEXIST);
    ERR("replace nothing", setxattr("file", "user.km3", "", 0, XATTR_REPLACE), ENODATA);
    EQ("length", getxattr("file", "user.km", NULL, 0), 5);
    EQ("getxattr", fgetxattr(fd, "user.km", buf, sizeof buf), 5);
    CHECK("value", memcmp(buf, "value", 5) == 0);
    ERR("too small", lgetxattr("file", "user.km", buf, 2), ERANGE);
    ssize_t n = listxattr("file", buf, sizeof buf);
    int names = 0;
    for (ssize_t i = 0; i < n; i += (ssize_t)strlen(buf + i) + 1)
        names += strncmp(buf + i, "user.km", 7) == 0;
    EQ("listxattr", names, 2);
    OK("removexattr", fremovexattr(fd, "user.km"));
    ERR("gone", getxattr("file", "user.km", buf, sizeof buf), ENODATA);
    ERR("unknown space", getxattr("file", "nonsense.km", buf, sizeof buf), EOPNOTSUPP);
}

int main(void)
{
    umask(022);
    int fd = NEED(open("file", O_RDWR | O_CREAT, 0644));
    NEED(write(fd, "hello", 5));
    stats(fd);
    modes(fd);
    times(fd);
    sizes(fd);
    attributes(fd);
    close(fd);
    unlink("file");
    return check_done();
}
