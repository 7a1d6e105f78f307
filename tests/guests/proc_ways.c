// Every way to the files of the own process under /proc: they show this program, whatever the path.
#include "tasks.h"
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>

static char real[PATH_MAX];
static struct stat self;

static int is_self(const struct stat *st) { return st->st_ino == self.st_ino && st->st_dev == self.st_dev; }

static void leads_here(const char *name, int directory, const char *path)
{
    char text[64];
    struct stat st = {0};
    snprintf(text, sizeof text, "%s: stat", name);
    CHECK(text, fstatat(directory, path, &st, 0) == 0 && is_self(&st));
    snprintf(text, sizeof text, "%s: open", name);
    int fd = openat(directory, path, O_RDONLY);
    CHECK(text, fd >= 0 && fstat(fd, &st) == 0 && is_self(&st));
    close(fd);
    snprintf(text, sizeof text, "%s: open the path", name);
    fd = openat(directory, path, O_PATH);
    CHECK(text, fd >= 0 && fstat(fd, &st) == 0 && is_self(&st));
    close(fd);
    snprintf(text, sizeof text, "%s: access", name);
    OK(text, faccessat(directory, path, X_OK, 0));
}

static void is_link(const char *name, int directory, const char *path)
{
    char text[64], target[PATH_MAX] = {0};
    struct stat st = {0};
    snprintf(text, sizeof text, "%s: lstat", name);
    CHECK(text, fstatat(directory, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode));
    snprintf(text, sizeof text, "%s: readlink", name);
    CHECK(text, readlinkat(directory, path, target, sizeof target - 1) > 0 && strcmp(target, real) == 0);
    snprintf(text, sizeof text, "%s: a link is not opened", name);
    ERR(text, openat(directory, path, O_RDONLY | O_NOFOLLOW), ELOOP);
    snprintf(text, sizeof text, "%s: only its path", name);
    int fd = openat(directory, path, O_PATH | O_NOFOLLOW);
    memset(target, 0, sizeof target);
    CHECK(text, fd >= 0 && readlinkat(fd, "", target, sizeof target - 1) > 0 && strcmp(target, real) == 0);
    close(fd);
}

static void program(void)
{
    char path[PATH_MAX];
    int own = NEED(open("/proc/self", O_RDONLY | O_DIRECTORY)), root = NEED(open("/proc", O_PATH));
    static const char *const names[] = {
        "/proc/self/exe", "/proc/thread-self/exe", "/proc/self/../self/./exe", "//proc//self//exe", "/proc/self/root/proc/self/exe",
        "/proc/self/task/../exe",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        leads_here(names[i], AT_FDCWD, names[i]);
        is_link(names[i], AT_FDCWD, names[i]);
    }
    leads_here("by a directory", own, "exe");
    is_link("by a directory", own, "exe");
    leads_here("by the root of proc", root, "self/exe");
    is_link("by the root of proc", root, "self/exe");
    snprintf(path, sizeof path, "/proc/%d/task/%d/exe", getpid(), tid());
    leads_here("by numbers", AT_FDCWD, path);
    is_link("by numbers", AT_FDCWD, path);
    snprintf(path, sizeof path, "/proc/self/fd/%d/exe", own);
    leads_here("by a descriptor", AT_FDCWD, path);
    is_link("by a descriptor", AT_FDCWD, path);
    OK("a link", symlink("/proc/self/exe", "link"));
    leads_here("by a link", AT_FDCWD, "link");
    OK("a link to it", symlink("/proc/self/cwd/link", "link2"));
    leads_here("by two links", AT_FDCWD, "link2");
    OK("a link on the way", symlink("/proc/self", "dir"));
    leads_here("by a link on the way", AT_FDCWD, "dir/exe");
    is_link("by a link on the way", AT_FDCWD, "dir/exe");
    OK("into proc", chdir("/proc/self"));
    leads_here("from there", AT_FDCWD, "exe");
    is_link("from there", AT_FDCWD, "exe");
    OK("back", fchdir(NEED(open("/proc/self/fd", O_PATH))));
    leads_here("from fd", AT_FDCWD, "../exe");
    close(own);
    close(root);
}

static long open2(const char *path, unsigned long flags, unsigned long mode, unsigned long resolve, size_t size)
{
    struct {
        struct open_how how;
        unsigned long more;
    } room = {{flags, mode, resolve}, 0};
    long fd = syscall(SYS_openat2, AT_FDCWD, path, &room, size);
    if (fd >= 0)
        close((int)fd);
    return fd >= 0 ? 0 : -1;
}

static void through_links(void)
{
    char path[PATH_MAX];
    int fd = NEED(open("file", O_CREAT | O_RDWR | O_TRUNC, 0600));
    NEED(write(fd, "12345", 5));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct stat st;
    OK("chmod", chmod(path, 0640));
    EQ("mode", fstat(fd, &st) == 0 ? st.st_mode & 0777 : 0, 0640);
    OK("truncate", truncate(path, 3));
    EQ("size", fstat(fd, &st) == 0 ? st.st_size : -1, 3);
    int again = open(path, O_RDWR | O_TRUNC);
    CHECK("opened anew", again >= 0 && again != fd);
    EQ("emptied", fstat(fd, &st) == 0 ? st.st_size : -1, 0);
    EQ("flags", fcntl(again, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK), O_RDWR);
    EQ("not close-on-exec", fcntl(again, F_GETFD), 0);
    close(again);
    again = open(path, O_WRONLY | O_CLOEXEC | O_APPEND | O_CREAT, 0600);
    EQ("flags", fcntl(again, F_GETFL) & (O_ACCMODE | O_APPEND | O_NONBLOCK), O_WRONLY | O_APPEND);
    EQ("close-on-exec", fcntl(again, F_GETFD), FD_CLOEXEC);
    close(again);
    ERR("it is there", open(path, O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
    ERR("no directory", open(path, O_DIRECTORY), ENOTDIR);
    strcat(path, "/");
    ERR("no directory, by a slash", open(path, O_RDONLY), ENOTDIR);
    close(fd);
    ERR("closed", open(path, O_RDONLY), ENOENT);

    fd = open("/proc/self/cwd/new", O_CREAT | O_EXCL | O_RDWR, 0604);
    CHECK("made through cwd", fd >= 0 && stat("new", &st) == 0 && (st.st_mode & 0777) == 0604);
    close(fd);
    ERR("made twice", open("/proc/self/cwd/new", O_CREAT | O_EXCL | O_RDWR, 0604), EEXIST);
    ERR("not there", open("/proc/self/cwd/none", O_RDWR), ENOENT);
    ERR("nothing below", open("/proc/self/cwd/none/none", O_CREAT | O_RDWR, 0600), ENOENT);
    ERR("not below a file", open("/proc/self/cwd/new/none", O_CREAT | O_RDWR, 0600), ENOTDIR);
    ERR("a directory to write", open("/proc/self/cwd", O_RDWR), EISDIR);
    ERR("a directory to make", open("/proc/self/cwd/.", O_CREAT | O_RDONLY, 0600), EISDIR);
    fd = open("/proc/self/cwd", O_TMPFILE | O_RDWR, 0600);
    CHECK("without a name", fd >= 0 || errno == EOPNOTSUPP);
    if (fd >= 0)
        close(fd);
    NEED(symlink("nowhere", "dangling"));
    ERR("a link to nothing", open("/proc/self/cwd/dangling", O_RDONLY), ENOENT);
    ERR("a link in the way", open("/proc/self/cwd/dangling", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
    fd = open("/proc/self/cwd/dangling", O_CREAT | O_RDWR, 0600);
    CHECK("what it leads to is made", fd >= 0 && stat("nowhere", &st) == 0);
    close(fd);
    NEED(symlink("loop", "loop"));
    ERR("a loop", open("/proc/self/cwd/loop", O_RDONLY), ELOOP);
    ERR("a loop by itself", open("loop", O_RDONLY), ELOOP);
    ERR("a loop, not made", open("loop", O_CREAT | O_RDWR, 0600), ELOOP);
    OK("unlink through cwd", unlink("/proc/self/cwd/new"));

    unsigned long magic = RESOLVE_NO_MAGICLINKS;
    OK("openat2", open2("/proc/self/exe", O_RDONLY, 0, 0, 24));
    OK("with more zeroes", open2("/proc/self/exe", O_RDONLY, 0, 0, 32));
    ERR("no magic links", open2("/proc/self/exe", O_RDONLY, 0, magic, 24), ELOOP);
    ERR("no links", open2("/proc/self/exe", O_RDONLY, 0, RESOLVE_NO_SYMLINKS, 24), ELOOP);
    ERR("beneath", open2("/proc/self/exe", O_RDONLY, 0, RESOLVE_BENEATH, 24), EXDEV);
    OK("ordinary links", open2("dangling", O_RDONLY, 0, magic, 24));
    ERR("too short", open2("file", O_RDONLY, 0, 0, 16), EINVAL);
    ERR("unknown flags", open2("file", 1ul << 40, 0, 0, 24), EINVAL);
    ERR("unknown resolution", open2("file", O_RDONLY, 0, 1ul << 40, 24), EINVAL);
    ERR("mode without need", open2("file", O_RDONLY, 0600, 0, 24), EINVAL);
    ERR("too long", open2("file", O_RDONLY, 0, 0, 8192), E2BIG);
    ERR("no path", open2(NULL, O_RDONLY, 0, 0, 24), EFAULT);
    ERR("empty", open2("", O_RDONLY, 0, 0, 24), ENOENT);
}

static void *both(void *unused)
{
    program();
    return unused;
}

enum { EXECUTED = 42 };

static int executes(const char *path, int directory, int flags)
{
    pid_t pid = fork_child();
    if (pid == 0) {
        char *args[] = {"again", "again", NULL};
        syscall(SYS_execveat, directory, path, args, environ, flags);
        _exit(errno);
    }
    return end_of(pid);
}

static void programs(void)
{
    int own = NEED(open("/proc/self", O_RDONLY | O_DIRECTORY));
    int exe = NEED(open("/proc/thread-self/../../exe", O_PATH));
    NEED(symlink("/proc/self/exe", "link"));
    EQ("exe", executes("/proc/self/exe", AT_FDCWD, 0), EXECUTED);
    EQ("by a link", executes("link", AT_FDCWD, 0), EXECUTED);
    EQ("by two", executes("/proc/self/cwd/link", AT_FDCWD, 0), EXECUTED);
    EQ("from a directory", executes("exe", own, 0), EXECUTED);
    EQ("by its path only", executes("", exe, AT_EMPTY_PATH), EXECUTED);
    EQ("a link not followed", executes("exe", own, AT_SYMLINK_NOFOLLOW), ELOOP);
    EQ("another link not followed", executes("link", AT_FDCWD, AT_SYMLINK_NOFOLLOW), ELOOP);
    NEED(unlink("link"));
    close(own);
    close(exe);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return EXECUTED;
    tasks_begin();
    CHECK("realpath", realpath(argv[0], real) != NULL);
    NEED(stat(real, &self));
    int here = NEED(open(".", O_PATH));
    through_links();
    programs();
    program();
    // With threads, files are looked up in another way.
    NEED(fchdir(here));
    const char *const made[] = {"link", "link2", "dir", "file", "nowhere", "dangling", "loop"};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        NEED(unlink(made[i]));
    join(thread(both, NULL));
    NEED(fchdir(here));
    for (size_t i = 0; i < 3; i++)
        NEED(unlink(made[i]));
    pthread_t idle = thread(stays, NULL);
    (void)idle;
    through_links();
    return check_done();
}
