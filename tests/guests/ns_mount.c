// Mount namespaces: mounts of every kind, by the old calls and the new, other roots, and programs that are executed where there
// is no /proc and nothing else.
// km-test: links=static-musl,static-pie-musl,static-glibc,dynamic-glibc
#include "namespaces.h"
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

extern char **environ;
static char program[4096];

#define FSCONFIG_SET_STRING_ 1
#define FSCONFIG_CREATE_ 6
#define MOVE_F_EMPTY_ 4
#define TREE_CLONE_ 1

static int is_there(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

static void make(const char *path)
{
    int fd = NEED(open(path, O_CREAT | O_WRONLY, 0600));
    NEED(write(fd, path, strlen(path)));
    close(fd);
}

static int classic(void)
{
    NEED(mkdir("t", 0700));
    NEED(mkdir("b", 0700));
    OK("tmpfs", mount("none", "t", "tmpfs", MS_NOSUID, "size=1m,mode=0711"));
    struct stat st;
    EQ("its mode", stat("t", &st) == 0 ? st.st_mode & 0777 : 0, 0711);
    make("t/file");
    OK("bind", mount("t", "b", NULL, MS_BIND, NULL));
    CHECK("the same", is_there("b/file"));
    OK("read only", mount(NULL, "b", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID, NULL));
    ERR("no writing", open("b/other", O_CREAT | O_WRONLY, 0600), EROFS);
    make("t/other");
    OK("private", mount(NULL, "b", NULL, MS_PRIVATE, NULL));
    OK("a file", mount("t/file", "t/other", NULL, MS_BIND, NULL));
    ERR("busy", umount("t"), EBUSY);
    OK("from it", umount("t/other"));
    NEED(mkdir("t/deep", 0700));
    OK("deeper", mount("none", "t/deep", "tmpfs", 0, NULL));
    OK("move", mount("t/deep", "b", NULL, MS_MOVE, NULL));
    CHECK("moved", !is_there("b/file"));
    OK("from there", umount2("b", MNT_DETACH));
    OK("and below", umount2("b", UMOUNT_NOFOLLOW));
    ERR("no more", umount("b"), EINVAL);
    OK("lazily", umount2("t", MNT_DETACH));
    CHECK("empty", !is_there("t/file"));
    ERR("no such kind", mount("none", "t", "nothing", 0, NULL), ENODEV);
    ERR("no such place", mount("none", "none", "tmpfs", 0, NULL), ENOENT);
    ERR("no such options", mount("none", "t", "tmpfs", 0, "what=1"), EINVAL);
    return 0;
}

static int overlays(void)
{
    static const char *const made[] = {"o", "o/low", "o/up", "o/work", "merged"};
    NEED(mkdir(made[0], 0700));
    NEED(mount("none", "o", "tmpfs", 0, NULL));
    for (size_t i = 1; i < sizeof made / sizeof *made; i++)
        NEED(mkdir(made[i], 0700));
    make("o/low/a");
    make("o/low/b");
    if (mount("overlay", "merged", "overlay", 0, "lowerdir=o/low,upperdir=o/up,workdir=o/work,userxattr") != 0) {
        SKIP("overlay", "not permitted here");
        return 0;
    }
    make("merged/c");
    OK("remove", unlink("merged/a"));
    make("merged/b");
    CHECK("below as before", is_there("o/low/a") && !is_there("o/low/c"));
    CHECK("above", is_there("o/up/c") && is_there("o/up/b"));
    CHECK("merged", !is_there("merged/a") && is_there("merged/b") && is_there("merged/c"));
    int fd = NEED(open("merged/b", O_RDONLY));
    struct statfs fs;
    EQ("its kind", fstatfs(fd, &fs) == 0 ? fs.f_type : 0, 0x794c7630);
    close(fd);
    OK("from it", umount("merged"));
    return 0;
}

static int modern(void)
{
    NEED(mkdir("m", 0700));
    NEED(mkdir("n", 0700));
    int fs = (int)syscall(SYS_fsopen, "tmpfs", 1);
    OK("fsopen", fs);
    OK("fsconfig", syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING_, "size", "1m", 0));
    ERR("no such option", syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING_, "what", "1", 0), EINVAL);
    OK("create", syscall(SYS_fsconfig, fs, FSCONFIG_CREATE_, NULL, NULL, 0));
    int mounted = (int)syscall(SYS_fsmount, fs, 1, 0);
    OK("fsmount", mounted);
    int fd = openat(mounted, "inside", O_CREAT | O_WRONLY, 0600);
    OK("a file, mounted nowhere", fd);
    close(fd);
    OK("move_mount", syscall(SYS_move_mount, mounted, "", AT_FDCWD, "m", MOVE_F_EMPTY_));
    CHECK("there", is_there("m/inside"));
    int tree = (int)syscall(SYS_open_tree, AT_FDCWD, "m", TREE_CLONE_ | O_CLOEXEC);
    OK("open_tree", tree);
    struct {
        unsigned long set, clear, propagation, user;
    } readonly = {.set = 1 /* MOUNT_ATTR_RDONLY */};
    OK("mount_setattr", syscall(442, tree, "", AT_EMPTY_PATH, &readonly, sizeof readonly));
    OK("move_mount of it", syscall(SYS_move_mount, tree, "", AT_FDCWD, "n", MOVE_F_EMPTY_));
    ERR("read only", open("n/more", O_CREAT | O_WRONLY, 0600), EROFS);
    int picked = (int)syscall(SYS_fspick, AT_FDCWD, "m", 0);
    OK("fspick", picked);
    close(fs);
    close(mounted);
    close(tree);
    close(picked);
    OK("umount", umount("n"));
    OK("umount of the other", umount("m"));
    return 0;
}

static int through_links(void)
{
    NEED(mkdir("l", 0700));
    int fd = NEED(open("l", O_PATH | O_DIRECTORY));
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    OK("by a descriptor", mount("none", path, "tmpfs", 0, NULL));
    make("l/file");
    int file = NEED(open("l/file", O_PATH));
    make("target");
    char from[64];
    snprintf(from, sizeof from, "/proc/self/fd/%d", file);
    OK("from a descriptor", mount(from, "target", NULL, MS_BIND, NULL));
    char text[16] = "";
    int target = NEED(open("target", O_RDONLY));
    NEED(read(target, text, sizeof text - 1));
    STR("the same", text, "l/file");
    close(target);
    close(file);
    OK("umount", umount("target"));
    OK("umount, by a descriptor's way", umount2("l", MNT_DETACH));
    close(fd);
    return 0;
}

// The program alone in a new root: at /program, with what it needs at its place.
static int alone_in(const char *root)
{
    char path[256], line[512];
    snprintf(path, sizeof path, "%s/program", root);
    make(path);
    NEED(mount(program, path, NULL, MS_BIND, NULL));
    // The libraries' directories.
    static const char *const needed[] = {"lib", "lib64", "usr"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(line, sizeof line, "/%s", needed[i]);
        snprintf(path, sizeof path, "%s/%s", root, needed[i]);
        char target[64] = "";
        ssize_t len = readlink(line, target, sizeof target - 1);
        if (len > 0) {
            NEED(symlink(target, path));
        } else if (is_there(line)) {
            NEED(mkdir(path, 0700));
            NEED(mount(line, path, NULL, MS_BIND | MS_REC, NULL));
        }
    }
    return 0;
}

enum { EXECUTED = 33, IN_ANOTHERS_PLACE = 66 };

static int executes(const char *path, int fd)
{
    fflush(stdout);
    pid_t pid = fork_child();
    if (pid == 0) {
        char *args[] = {"/program", "executed", NULL};
        if (path)
            execve(path, args, environ);
        else
            syscall(SYS_execveat, fd, "", args, environ, AT_EMPTY_PATH);
        _exit(errno);
    }
    return end_of(pid);
}

static void in_root(int fd)
{
    CHECK("the program", is_there("/program"));
    CHECK("nothing else", !is_there("/proc/self") && !is_there("/etc"));
    EQ("executed", executes("/program", -1), EXECUTED);
    EQ("executed by a descriptor", executes(NULL, fd), EXECUTED);
    EQ("not by proc", executes("/proc/self/exe", -1), ENOENT);
    ERR("nor opened", open("/proc/self/exe", O_RDONLY), ENOENT);
    char target[64];
    ERR("nor read", readlink("/proc/self/exe", target, sizeof target), ENOENT);
    ERR("nor its descriptors", open("/proc/self/fd/0", O_RDONLY), ENOENT);
    pid_t pid = fork_child();
    if (pid == 0)
        _exit(4);
    EQ("a child", end_of(pid), 4);
    EQ("a file", open("/made", O_CREAT | O_WRONLY, 0600) >= 0 ? chmod("/made", 0640) : -1, 0);
}

static int changes_root(void)
{
    int fd = NEED(open(program, O_RDONLY));
    NEED(mkdir("r", 0700));
    NEED(mount("none", "r", "tmpfs", 0, NULL));
    alone_in("r");
    OK("chroot", chroot("r"));
    OK("chdir", chdir("/"));
    in_root(fd);
    return 0;
}

static int pivots(void)
{
    int fd = NEED(open(program, O_RDONLY));
    NEED(mkdir("r", 0700));
    NEED(mount("none", "r", "tmpfs", 0, NULL));
    alone_in("r");
    NEED(mkdir("r/old", 0700));
    if (syscall(SYS_pivot_root, "r", "r/old") != 0) {
        // Not where the first root is one that cannot be moved.
        EQ("pivot_root", errno, EINVAL);
        SKIP("pivot_root", "not from this root");
        return 0;
    }
    OK("chdir", chdir("/"));
    OK("without the old", umount2("/old", MNT_DETACH));
    in_root(fd);
    // A false /proc is a directory like any other.
    NEED(mkdir("/proc", 0700));
    NEED(mkdir("/proc/self", 0700));
    make("/proc/self/maps");
    make("/proc/self/exe");
    int maps = open("/proc/self/maps", O_RDWR);
    char text[64] = "";
    CHECK("a file of that name", read(maps, text, sizeof text - 1) > 0);
    STR("its content", text, "/proc/self/maps");
    const char lines[] = "10000-20000000 r--p 00000000 00:00 0 [vvar]\n20000000-20002000 r-xp 00000000 00:00 0 [vdso]\n";
    CHECK("changed", pwrite(maps, lines, sizeof lines - 1, 0) == sizeof lines - 1);
    close(maps);
    EQ("executed beside it", executes("/program", -1), EXECUTED);
    ERR("its exe", executes("/proc/self/exe", -1) == EACCES ? (errno = EACCES, -1) : 0, EACCES);
    return 0;
}

// Programs that the kernel would have others run in a user namespace: what is executed here is still this program, with the
// arguments it was given, and not one in the place of a monitor.
static int interpreted(void)
{
    unsigned char head[20] = {0};
    int fd = NEED(open(program, O_RDONLY));
    NEED(read(fd, head, sizeof head));
    NEED(mkdir("f", 0700));
    int mounted = mount("binfmt_misc", "f", "binfmt_misc", 0, NULL);
    if (mounted != 0) {
        int fs = (int)syscall(SYS_fsopen, "binfmt_misc", 0);
        syscall(SYS_fsconfig, fs, FSCONFIG_CREATE_, NULL, NULL, 0);
        mounted = (int)syscall(SYS_fsmount, fs, 0, 0);
        if (mounted >= 0)
            syscall(SYS_move_mount, mounted, "", AT_FDCWD, "f", MOVE_F_EMPTY_);
    }
    // Programs of another kind than this one, which is linked at a fixed address, are to be run by it.
    char line[4400];
    snprintf(line, sizeof line, ":km:M:16:\\x03\\x00::%s:", program);
    if (head[16] == 2)
        put("f/register", line);
    EQ("executed", executes(program, -1), EXECUTED);
    EQ("executed by a descriptor", executes(NULL, fd), EXECUTED);
    return 0;
}

static void *own_mounts(void *arg)
{
    (void)arg;
    OK("in a thread", unshare(CLONE_NEWNS));
    OK("mounted", mount("none", "th", "tmpfs", 0, NULL));
    make("th/seen");
    return (void *)(long)is_there("th/seen");
}

static int threads(void)
{
    NEED(mkdir("th", 0700));
    int own = NEED(open("/proc/thread-self/ns/mnt", O_RDONLY));
    EQ("there", (long)join(thread(own_mounts, NULL)), 1);
    CHECK("not here", !is_there("th/seen"));
    // A thread that shares its directory cannot go elsewhere.
    pthread_t idle = thread(stays, NULL);
    (void)idle;
    ERR("shared", setns(own, CLONE_NEWNS), EINVAL);
    OK("its own", unshare(CLONE_FS));
    OK("entered", setns(own, CLONE_NEWNS));
    return 0;
}

static int entered(void)
{
    int go[2], ready[2];
    NEED(pipe(go));
    NEED(pipe(ready));
    fflush(stdout);
    NEED(mkdir("e", 0700));
    pid_t pid = fork_child();
    if (pid == 0) {
        int failed = unshare(CLONE_NEWNS) | mount("none", "e", "tmpfs", 0, NULL);
        make("e/inside");
        tell(ready[1]);
        await(go[0]);
        _exit(failed ? 6 : 5);
    }
    await(ready[0]);
    CHECK("not here", !is_there("e/inside"));
    char path[64];
    char here[4096];
    NEED(getcwd(here, sizeof here) ? 0 : -1);
    snprintf(path, sizeof path, "/proc/%d/ns/mnt", pid);
    int theirs = NEED(open(path, O_RDONLY)), own = NEED(open("/proc/self/ns/mnt", O_RDONLY));
    snprintf(path, sizeof path, "/proc/%d/root", pid);
    int root = NEED(open(path, O_PATH | O_DIRECTORY));
    char below[4200];
    snprintf(below, sizeof below, ".%s/e/inside", here);
    struct stat st;
    OK("by the root of a process", fstatat(root, below, &st, 0));
    OK("enter", setns(theirs, CLONE_NEWNS));
    NEED(chdir(here));
    CHECK("there", is_there("e/inside"));
    OK("back", setns(own, 0));
    NEED(chdir(here));
    CHECK("here", !is_there("e/inside"));
    tell(go[1]);
    EQ("the other", end_of(pid), 5);
    return 0;
}

int main(int argc, char **argv)
{
    tasks_begin();
    if (argc > 1)
        return strcmp(argv[argc - 1], "executed") == 0 ? EXECUTED : IN_ANOTHERS_PLACE;
    CHECK("realpath", realpath(argv[0], program) != NULL);
    if (!may_enter(CLONE_NEWNS)) {
        SKIP("mount namespaces", "not permitted here");
        return check_done();
    }
    static const struct {
        const char *name;
        int (*run)(void);
    } parts[] = {
        {"classic", classic}, {"overlays", overlays}, {"modern", modern}, {"through links", through_links},
        {"changes root", changes_root}, {"pivots", pivots}, {"interpreted", interpreted}, {"threads", threads}, {"entered", entered},
    };
    char directory[] = "0";
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        printf("%s\n", parts[i].name);
        fflush(stdout);
        NEED(mkdir(directory, 0700));
        pid_t pid = fork_child();
        if (pid == 0) {
            NEED(chdir(directory));
            if (enter_with_mounts(0) != 0)
                _exit(98);
            _exit(child_end(parts[i].run));
        }
        EQ(parts[i].name, end_of(pid), 0);
        directory[0]++;
    }
    return check_done();
}
