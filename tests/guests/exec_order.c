// exec that has several reasons to fail: which of them it tells.
#include "tasks.h"
#include <sys/stat.h>

#define CHECK_ONLY 0x10000

extern char **environ;
static char *const plain[] = {"x", NULL};

static int at(int dir, const char *path, int flags)
{
    return (int)syscall(SYS_execveat, dir, path, plain, environ, flags);
}

static int make(const char *name, const char *text, mode_t mode)
{
    int fd = NEED(open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0700));
    NEED(write(fd, text, strlen(text)));
    NEED(fchmod(fd, mode));
    return fd;
}

static void flags(void)
{
    close(make("text", "text\n", 0700));
    NEED(symlink("text", "link"));
    NEED(symlink("nowhere", "dangling"));
    NEED(symlink(".", "here"));
    int text = NEED(open("text", O_RDONLY)), dir = NEED(open(".", O_RDONLY | O_DIRECTORY));
    int link = NEED(open("link", O_PATH | O_NOFOLLOW)), path = NEED(open("text", O_PATH));
    char name[64];
    ERR("path from nowhere and unknown flags", at(dir, (char *)8, 1), EFAULT);
    ERR("no path and unknown flags", at(dir, "", 1), ENOENT);
    ERR("nothing there and unknown flags", at(dir, "nothing", 1), EINVAL);
    ERR("no descriptor and unknown flags", at(999, "text", 1), EINVAL);
    ERR("no descriptor and no path", at(999, "", 0), ENOENT);
    ERR("no descriptor by AT_EMPTY_PATH", at(999, "", AT_EMPTY_PATH), EBADF);
    ERR("a negative one", at(-1, "text", 0), EBADF);
    snprintf(name, sizeof name, "/proc/self/fd/%d", text);
    ERR("no descriptor needed", at(999, name, 0), ENOEXEC);
    ERR("the working directory", at(AT_FDCWD, "", AT_EMPTY_PATH), EACCES);
    ERR("a file", at(text, "", AT_EMPTY_PATH), ENOEXEC);
    ERR("AT_EMPTY_PATH and a path", at(dir, "text", AT_EMPTY_PATH), ENOEXEC);
    ERR("a file that is only a path", at(path, "", AT_EMPTY_PATH), ENOEXEC);
    ERR("a link that is only a path", at(link, "", AT_EMPTY_PATH), ELOOP);
    ERR("a file and AT_SYMLINK_NOFOLLOW", at(text, "", AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW), ENOEXEC);
    ERR("no link", at(dir, "text", AT_SYMLINK_NOFOLLOW), ENOEXEC);
    ERR("a link", at(dir, "link", AT_SYMLINK_NOFOLLOW), ELOOP);
    ERR("in the working directory", at(AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW), ELOOP);
    ERR("a dangling link", at(dir, "dangling", AT_SYMLINK_NOFOLLOW), ELOOP);
    ERR("a dangling link is followed", at(dir, "dangling", 0), ENOENT);
    ERR("a link on the way", at(dir, "here/text", AT_SYMLINK_NOFOLLOW), ENOEXEC);
    ERR("a slash behind a link", at(dir, "here/", AT_SYMLINK_NOFOLLOW), EACCES);
    ERR("a descriptor's name", at(dir, name, AT_SYMLINK_NOFOLLOW), ELOOP);
    ERR("the program's name", at(dir, "/proc/self/exe", AT_SYMLINK_NOFOLLOW), ELOOP);
    close(text), close(dir), close(link), close(path);
}

static void busy(void)
{
    if (at(AT_FDCWD, "text", CHECK_ONLY) == -1 && errno == EINVAL) {
        // Before Linux 6.14 km cannot tell that a file is open for writing.
        SKIP("open for writing", "no AT_EXECVE_CHECK in this kernel");
        return;
    }
    ERR("to check: nothing there", at(AT_FDCWD, "nothing", CHECK_ONLY), ENOENT);
    OK("to check: not what is in it", at(AT_FDCWD, "text", CHECK_ONLY));
    ERR("to check: its arguments", syscall(SYS_execveat, AT_FDCWD, "text", 8, environ, CHECK_ONLY), EFAULT);
    int fd = NEED(open("text", O_WRONLY));
    ERR("to check: open for writing", at(AT_FDCWD, "text", CHECK_ONLY), ETXTBSY);
    ERR("text", execve("text", plain, environ), ETXTBSY);
    ERR("text by a link", execve("link", plain, environ), ETXTBSY);
    ERR("before the arguments", syscall(SYS_execve, "text", 8, environ), ETXTBSY);
    fchmod(fd, 0600);
    ERR("and not executable", execve("text", plain, environ), EACCES);
    fchmod(fd, 0700);
    close(make("script", "#!./text\n", 0700));
    ERR("a script's interpreter", execve("script", plain, environ), ETXTBSY);
    ERR("the arguments before it", syscall(SYS_execve, "script", 8, environ), EFAULT);
    close(fd);
    ERR("not any more", execve("script", plain, environ), ENOEXEC);
    fd = NEED(open("script", O_RDWR));
    ERR("a script", execve("script", plain, environ), ETXTBSY);
    close(fd);
    unlink("script");
}

int main(void)
{
    tasks_begin();
    flags();
    busy();
    static const char *const files[] = {"text", "link", "dangling", "here"};
    for (int i = 0; i < 4; i++)
        unlink(files[i]);
    return check_done();
}
