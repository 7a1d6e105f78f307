// The own files under /proc by a mount of a part of it, from another root, and after the end of a thread: they show this program or
// are refused. Without the rights to mount or to change the root these ways do not exist.
#include "tasks.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static long word = 0x1122334455667788;

// Whether the text of an open `maps` has the word in it.
static int shows_word(int fd)
{
    FILE *file = fdopen(fd, "r");
    char line[8192];
    int shown = 0;
    while (file && fgets(line, sizeof line, file)) {
        unsigned long start, end;
        if (sscanf(line, "%lx-%lx", &start, &end) == 2)
            shown |= start <= (unsigned long)&word && (unsigned long)&word < end;
    }
    fclose(file);
    return shown;
}

static void look(const char *name, int directory, const char *below)
{
    char text[64], path[256];
    long found = 0;
    snprintf(text, sizeof text, "%s: maps", name);
    snprintf(path, sizeof path, "%smaps", below);
    int fd = openat(directory, path, O_RDONLY);
    CHECK(text, fd == -1 || shows_word(fd));
    snprintf(text, sizeof text, "%s: mem", name);
    snprintf(path, sizeof path, "%smem", below);
    fd = openat(directory, path, O_RDWR);
    CHECK(text, fd == -1 || (pread(fd, &found, sizeof found, (off_t)&word) == sizeof found && found == word));
    close(fd);
}

static void by_mounts(void)
{
    char point[] = "/tmp/proc_mounts.XXXXXX", path[64];
    NEED(mkdtemp(point) ? 0 : -1);
    snprintf(path, sizeof path, "%s/", point);
    int mounted = unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                  mount("/proc/self", point, NULL, MS_BIND, NULL) == 0;
    look("a mount of a directory", mounted ? AT_FDCWD : -1, mounted ? path : "");
    if (mounted)
        umount2(point, MNT_DETACH);
    rmdir(point);
    int detached = (int)syscall(SYS_open_tree, AT_FDCWD, "/proc/self", 1 /* OPEN_TREE_CLONE */);
    look("a mount that is nowhere", detached, "");
    close(detached);
    int fs = (int)syscall(SYS_fsopen, "proc", 0);
    syscall(SYS_fsconfig, fs, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0);
    int other = (int)syscall(SYS_fsmount, fs, 0, 0);
    look("another procfs", other, "self/");
    close(other);
    close(fs);
}

static void by_roots(void)
{
    int self = NEED(open("/proc/self", O_RDONLY | O_DIRECTORY));
    pid_t pid = fork();
    if (pid == 0) {
        int inside = chroot("/proc/self") == 0 && chdir("/") == 0;
        look("a root in procfs", inside ? AT_FDCWD : -1, inside ? "/" : "");
        fflush(stdout);
        _exit(0);
    }
    CHECK("the first child", waitpid(pid, NULL, 0) == pid);
    int elsewhere = chroot("/tmp") == 0;
    look("a root elsewhere", elsewhere ? self : -1, "");
    elsewhere = elsewhere && fchdir(self) == 0;
    look("a root elsewhere, from the inside", elsewhere ? AT_FDCWD : -1, "");
    char text[64];
    snprintf(text, sizeof text, "/proc_mounts.%d", getpid());
    int fd = open(elsewhere ? text : "/dev/null", O_CREAT | O_RDWR, 0600);
    OK("a file there", elsewhere ? fchmod(fd, 0644) | unlink(text) : 0);
}

int main(void)
{
    by_mounts();
    fflush(stdout);
    by_roots();
    return check_done();
}
