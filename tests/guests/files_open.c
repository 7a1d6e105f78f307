// open and openat in all their ways.
#include "check.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct km_open_how {
    unsigned long flags, mode, resolve;
};

static char long_name[300], long_path[5000];

int main(void)
{
    umask(022);
    ERR("not there", open("none", O_RDONLY), ENOENT);
    int fd = open("a", O_RDWR | O_CREAT | O_EXCL, 0666);
    OK("create", fd);
    struct stat st;
    NEED(fstat(fd, &st));
    EQ("mode under umask", st.st_mode, S_IFREG | 0644);
    EQ("write", write(fd, "0123456789", 10), 10);
    ERR("create exclusively again", open("a", O_RDWR | O_CREAT | O_EXCL, 0666), EEXIST);
    EQ("access mode", fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
    close(fd);
    ERR("closed", write(fd, "x", 1), EBADF);

    fd = NEED(open("a", O_RDONLY));
    ERR("write to read-only", write(fd, "x", 1), EBADF);
    ERR("truncate read-only", ftruncate(fd, 1), EINVAL);
    close(fd);
    fd = NEED(open("a", O_WRONLY));
    char buf[64];
    ERR("read from write-only", read(fd, buf, 1), EBADF);
    close(fd);
    fd = NEED(open("a", O_WRONLY | O_APPEND));
    NEED(lseek(fd, 0, SEEK_SET));
    EQ("append", write(fd, "ab", 2), 2);
    EQ("position behind it", lseek(fd, 0, SEEK_CUR), 12);
    EQ("pwrite appends too", pwrite(fd, "cd", 2, 0), 2);
    NEED(fstat(fd, &st));
    EQ("size", st.st_size, 14);
    close(fd);
    fd = NEED(open("a", O_RDWR | O_TRUNC));
    NEED(fstat(fd, &st));
    EQ("truncate on open", st.st_size, 0);
    close(fd);

    // Paths.
    ERR("empty path", open("", O_RDONLY), ENOENT);
    ERR("file as directory", open("a/b", O_RDONLY), ENOTDIR);
    ERR("O_DIRECTORY on a file", open("a", O_RDONLY | O_DIRECTORY), ENOTDIR);
    ERR("directory for writing", open(".", O_RDWR), EISDIR);
    memset(long_name, 'n', 255);
    fd = open(long_name, O_RDWR | O_CREAT, 0600);
    OK("longest name", fd);
    close(fd);
    OK("unlink it", unlink(long_name));
    long_name[255] = 'n';
    ERR("name too long", open(long_name, O_RDWR | O_CREAT, 0600), ENAMETOOLONG);
    for (int i = 0; i < 4094; i += 2)
        memcpy(long_path + i, "./", 2);
    long_path[4094] = 'a';
    fd = open(long_path, O_RDONLY);
    OK("longest path", fd);
    close(fd);
    memmove(long_path + 2, long_path, 4096);
    memcpy(long_path, "./", 2);
    ERR("path too long", open(long_path, O_RDONLY), ENAMETOOLONG);
    NEED(symlink("loop", "loop"));
    ERR("symlink loop", open("loop", O_RDONLY), ELOOP);
    NEED(symlink("a", "link"));
    ERR("O_NOFOLLOW", open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
    fd = NEED(open("link", O_PATH | O_NOFOLLOW));
    NEED(fstat(fd, &st));
    EQ("O_PATH sees the link itself", st.st_mode & S_IFMT, S_IFLNK);
    ERR("O_PATH cannot be read", read(fd, buf, 1), EBADF);
    EQ("readlinkat of it", readlinkat(fd, "", buf, sizeof buf), 1);
    close(fd);

    // Relative to a directory.
    NEED(mkdir("d", 0700));
    int dir = NEED(open("d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    EQ("O_CLOEXEC", fcntl(dir, F_GETFD), FD_CLOEXEC);
    fd = openat(dir, "inner", O_CREAT | O_RDWR, 0600);
    OK("openat", fd);
    close(fd);
    OK("seen below", access("d/inner", R_OK));
    int path = NEED(open("d", O_PATH));
    fd = openat(path, "inner", O_RDONLY);
    OK("openat below O_PATH", fd);
    ERR("openat below a file", openat(fd, "x", O_RDONLY), ENOTDIR);
    close(fd);
    ERR("openat below a bad descriptor", openat(999, "x", O_RDONLY), EBADF);
    snprintf(buf, sizeof buf, "/proc/self/fd/%d", dir);
    fd = openat(999, buf, O_RDONLY);
    OK("absolute path ignores the descriptor", fd);
    close(fd);
    fd = openat(AT_FDCWD, "d/../a", O_RDONLY);
    OK("AT_FDCWD", fd);
    close(fd);
    ERR("directory cannot be read", read(dir, buf, 1), EISDIR);

    fd = open(".", O_TMPFILE | O_RDWR, 0600);
    if (fd == -1 && (errno == EOPNOTSUPP || errno == EISDIR)) {
        SKIP("O_TMPFILE", "file system");
    } else {
        OK("O_TMPFILE", fd);
        EQ("write to it", write(fd, "tmp", 3), 3);
        snprintf(buf, sizeof buf, "/proc/self/fd/%d", fd);
        OK("give it a name", linkat(AT_FDCWD, buf, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
        NEED(stat("named", &st));
        EQ("its size", st.st_size, 3);
        close(fd);
        unlink("named");
    }

    struct km_open_how how = {.flags = O_RDONLY, .resolve = 0x08 /* RESOLVE_BENEATH */};
    fd = (int)syscall(437, dir, "inner", &how, sizeof how);
    OK("openat2", fd);
    close(fd);
    ERR("openat2 beneath", syscall(437, dir, "../a", &how, sizeof how), EXDEV);
    how.resolve = 1UL << 40;
    ERR("openat2 unknown flag", syscall(437, dir, "inner", &how, sizeof how), EINVAL);
    ERR("openat2 too small", syscall(437, dir, "inner", &how, 8), EINVAL);
    fd = creat("created", 0640);
    OK("creat", fd);
    close(fd);
    // The lowest free number, always.
    int first = NEED(open("a", O_RDONLY));
    int second = NEED(open("a", O_RDONLY));
    close(first);
    EQ("lowest free number", open("a", O_RDONLY), first);
    EQ("next one", open("a", O_RDONLY), second + 1);
    ERR("close twice", close(second + 100), EBADF);

    unlinkat(dir, "inner", 0);
    OK("remove the directory", unlinkat(AT_FDCWD, "d", AT_REMOVEDIR));
    unlink("a");
    unlink("link");
    unlink("loop");
    unlink("created");
    return check_done();
}
