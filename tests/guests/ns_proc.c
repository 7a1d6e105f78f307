// /proc where there are several: in a new PID namespace, by the procfs of the outer one and by its own, through mounts of single
// files and directories, file systems that are mounted nowhere, and other processes' roots. Whatever is shown is of this program;
// what would be of something else has to be refused.
// km-test: timeout=40
#include "namespaces.h"
#include <dirent.h>
#include <sys/mman.h>
#include <sys/uio.h>

static volatile long word = 0x1122334455667788;
static char program[4096];

static int reads(int fd, char *text, size_t size)
{
    size_t len = 0;
    ssize_t got;
    while (len < size - 1 && (got = read(fd, text + len, size - 1 - len)) > 0)
        len += (size_t)got;
    text[len] = 0;
    return (int)len;
}

// Whether the text of `maps` has nothing but what this program can read, and the word in it. Each start of a range has to be
// mapped in this program: another process's would not be.
static int is_own_maps(char *text)
{
    int shown = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        unsigned long start, end;
        char rights[8];
        if (sscanf(line, "%lx-%lx %7s", &start, &end, rights) != 3)
            continue;
        shown |= start <= (unsigned long)&word && (unsigned long)&word < end;
        // What may be read is there.
        if (rights[0] == 'r' && !strstr(line, "[v")) {
            unsigned char vec;
            if (mincore((void *)start, 1, &vec) != 0 && errno == ENOMEM && !strstr(line, "[stack]"))
                shown = -1000;
        }
    }
    return shown == 1;
}

// The files below `path` from a directory, or that directory itself: of this process or refused.
static void look(const char *name, int directory, const char *below)
{
    static char text[1 << 16];
    char label[96], path[256];
    snprintf(label, sizeof label, "%s: maps", name);
    snprintf(path, sizeof path, "%smaps", below);
    int fd = openat(directory, path, O_RDONLY);
    CHECK(label, fd == -1 || (reads(fd, text, sizeof text), is_own_maps(text)));
    close(fd);
    long found = 0;
    snprintf(label, sizeof label, "%s: mem", name);
    snprintf(path, sizeof path, "%smem", below);
    for (int mode = O_RDONLY; mode <= O_RDWR; mode++) {
        fd = openat(directory, path, mode);
        CHECK(label, fd == -1 || mode == O_WRONLY ||
                         (pread(fd, &found, sizeof found, (off_t)&word) == sizeof found && found == word));
        close(fd);
    }
    snprintf(label, sizeof label, "%s: auxv", name);
    snprintf(path, sizeof path, "%sauxv", below);
    fd = openat(directory, path, O_RDONLY);
    int len = fd < 0 ? 0 : reads(fd, text, sizeof text);
    int plain = 1;
    for (int i = 0; i + 16 <= len; i += 16)
        plain &= *(unsigned long *)(text + i) < 4096;
    CHECK(label, plain);
    close(fd);
    // More than the program has opened is somebody else's.
    snprintf(label, sizeof label, "%s: fd", name);
    snprintf(path, sizeof path, "%sfd", below);
    fd = openat(directory, path, O_RDONLY | O_DIRECTORY);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);
    int all_open = 1;
    for (struct dirent *entry; list && (entry = readdir(list)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        all_open &= fcntl(atoi(entry->d_name), F_GETFD) != -1;
    }
    CHECK(label, all_open);
    if (list)
        closedir(list);
    snprintf(label, sizeof label, "%s: task", name);
    snprintf(path, sizeof path, "%stask", below);
    fd = openat(directory, path, O_RDONLY | O_DIRECTORY);
    list = fd < 0 ? NULL : fdopendir(fd);
    int threads = 0;
    for (struct dirent *entry; list && (entry = readdir(list)) != NULL;)
        threads += entry->d_name[0] != '.';
    CHECK(label, list == NULL || threads == 1);
    if (list)
        closedir(list);
    snprintf(label, sizeof label, "%s: exe", name);
    snprintf(path, sizeof path, "%sexe", below);
    struct stat st, self;
    NEED(stat(program, &self));
    fd = openat(directory, path, O_PATH);
    CHECK(label, fd == -1 || (fstat(fd, &st) == 0 && st.st_ino == self.st_ino && st.st_dev == self.st_dev));
    close(fd);
    char target[4096] = "";
    snprintf(label, sizeof label, "%s: exe as a link", name);
    CHECK(label, readlinkat(directory, path, target, sizeof target - 1) == -1 || strcmp(target, program) == 0);
    static const char *const secret[] = {"map_files", "pagemap", "clear_refs", "stack", "syscall", "numa_maps"};
    for (size_t i = 0; i < sizeof secret / sizeof *secret; i++) {
        // Natively these are this program's; under a monitor they would be the monitor's.
        snprintf(path, sizeof path, "%s%s", below, secret[i]);
        fd = openat(directory, path, O_RDONLY);
        close(fd);
    }
    // No descriptor beyond those of the program.
    snprintf(label, sizeof label, "%s: descriptors", name);
    int beyond = 0;
    struct rlimit limit;
    NEED(getrlimit(RLIMIT_NOFILE, &limit));
    for (unsigned i = 0; i < 16; i++) {
        snprintf(path, sizeof path, "%sfd/%u", below, (unsigned)limit.rlim_cur + i);
        beyond += readlinkat(directory, path, target, sizeof target) != -1;
    }
    EQ(label, beyond, 0);
}

// As `look`, and that nothing was refused: this is the way for everybody.
static void shows(const char *name, int directory, const char *below)
{
    static char text[1 << 16];
    char label[96], path[256];
    snprintf(path, sizeof path, "%smaps", below);
    snprintf(label, sizeof label, "%s: shown", name);
    int fd = openat(directory, path, O_RDONLY);
    OK(label, fd);
    close(fd);
    snprintf(path, sizeof path, "%sstat", below);
    fd = openat(directory, path, O_RDONLY);
    reads(fd, text, sizeof text);
    close(fd);
    snprintf(label, sizeof label, "%s: stat", name);
    int id = atoi(text), threads = 0;
    char *behind = strrchr(text, ')');
    if (behind)
        sscanf(behind + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d", &threads);
    CHECK(label, id > 0 && threads == 1);
    snprintf(path, sizeof path, "%sstatus", below);
    fd = openat(directory, path, O_RDONLY);
    reads(fd, text, sizeof text);
    close(fd);
    snprintf(label, sizeof label, "%s: status", name);
    char *line = strstr(text, "\nThreads:"), *ids = strstr(text, "\nNSpid:");
    CHECK(label, line && atoi(line + 9) == 1 && ids != NULL);
    // The last of its numbers is the one it has itself.
    if (ids) {
        ids[strcspn(ids + 1, "\n") + 1] = 0;
        snprintf(label, sizeof label, "%s: the own number", name);
        EQ(label, atoi(strrchr(ids, '\t') + 1), getpid());
    }
    look(name, directory, below);
}

static void single_file(const char *file)
{
    static char text[1 << 16];
    char label[96];
    int fd = open("point", O_CREAT | O_RDWR, 0600);
    close(fd);
    snprintf(label, sizeof label, "%s, mounted on a file", file);
    if (mount(file, "point", NULL, MS_BIND, NULL) != 0) {
        OK(label, 0);
    } else {
        fd = open("point", O_RDONLY);
        if (fd < 0) {
            OK(label, 0);
        } else if (strstr(file, "mem")) {
            long found = 0;
            CHECK(label, pread(fd, &found, sizeof found, (off_t)&word) == sizeof found && found == word);
        } else if (strstr(file, "exe")) {
            struct stat st, self;
            CHECK(label, fstat(fd, &st) == 0 && stat(program, &self) == 0 && st.st_ino == self.st_ino);
        } else {
            reads(fd, text, sizeof text);
            CHECK(label, strstr(file, "maps") ? is_own_maps(text) : 1);
        }
        close(fd);
        umount2("point", MNT_DETACH);
    }
    unlink("point");
}

static void by_mounts(const char *proc)
{
    char path[64];
    static const char *const files[] = {"maps", "mem", "smaps", "auxv", "exe", "pagemap"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/self/%s", proc, files[i]);
        single_file(path);
    }
    NEED(mkdir("dir", 0700));
    snprintf(path, sizeof path, "%s/self", proc);
    OK("a directory mounted", mount(path, "dir", NULL, MS_BIND, NULL));
    look("a directory mounted", AT_FDCWD, "dir/");
    // A mount that looks like another place once the root is there.
    NEED(mkdir("root", 0700));
    NEED(mkdir("root/12", 0700));
    OK("bound deeper", mount("dir", "root/12", NULL, MS_BIND, NULL));
    look("bound deeper", AT_FDCWD, "root/12/");
    OK("bound over it", mount("root/12", "root", NULL, MS_BIND, NULL));
    look("bound over it", AT_FDCWD, "root/");
    umount2("root", MNT_DETACH);
    umount2("root/12", MNT_DETACH);
    umount2("dir", MNT_DETACH);
    rmdir("root/12");
    rmdir("root");
    int tree = (int)syscall(SYS_open_tree, AT_FDCWD, path, 1 /* OPEN_TREE_CLONE */);
    look("a tree of the own process", tree, "");
    close(tree);
    tree = (int)syscall(SYS_open_tree, AT_FDCWD, proc, 1);
    look("a tree of all", tree, "self/");
    close(tree);
    rmdir("dir");
}

static void nowhere(void)
{
    int fs = (int)syscall(SYS_fsopen, "proc", 0);
    syscall(SYS_fsconfig, fs, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0);
    int other = (int)syscall(SYS_fsmount, fs, 0, 0);
    if (other < 0) {
        SKIP("procfs that is mounted nowhere", "not permitted here");
        close(fs);
        return;
    }
    shows("procfs that is mounted nowhere", other, "self/");
    int self = openat(other, "self", O_PATH | O_DIRECTORY);
    look("by its directory", self, "");
    close(self);
    close(other);
    close(fs);
}

static int first(void)
{
    // Number 1 in a namespace of its own, with the procfs of the one outside.
    EQ("number", getpid(), 1);
    NEED(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    shows("the outer procfs", AT_FDCWD, "/proc/self/");
    shows("the outer procfs, by the thread", AT_FDCWD, "/proc/thread-self/");
    look("number 1 there, another process", -1, "/none/");
    by_mounts("/proc");
    NEED(mkdir("proc", 0700));
    if (mount("proc", "proc", "proc", 0, NULL) != 0) {
        SKIP("the own procfs", "not permitted here");
        rmdir("proc");
        return 0;
    }
    shows("the own procfs", AT_FDCWD, "proc/self/");
    shows("the own procfs, by number", AT_FDCWD, "proc/1/");
    shows("both after another", AT_FDCWD, "/proc/self/");
    by_mounts("proc");
    nowhere();
    look("through the root of a process", AT_FDCWD, "proc/1/root/proc/self/");
    look("through its directory", AT_FDCWD, "proc/1/cwd/proc/1/");
    OK("in the place of the other", mount("proc", "/proc", NULL, MS_MOVE, NULL) == 0 ? 0 : mount("proc", "/proc", "proc", 0, NULL));
    shows("in its place", AT_FDCWD, "/proc/self/");
    char path[32];
    fflush(stdout);
    pid_t pid = fork_child();
    if (pid == 0) {
        snprintf(path, sizeof path, "/proc/%d/", getpid());
        shows("a child", AT_FDCWD, path);
        // Its parent's are not its own.
        int fd = open("/proc/1/mem", O_RDONLY);
        long found = 0;
        CHECK("its parent's memory", fd == -1 || pread(fd, &found, sizeof found, (off_t)&word) == sizeof found);
        close(fd);
        fflush(stdout);
        _exit(check_failures ? 99 : 5);
    }
    EQ("a child", end_of(pid), 5);
    NEED(umount2("/proc", MNT_DETACH));
    rmdir("proc");
    return 0;
}

// From another root, with a procfs of its own below it.
static int rooted(void)
{
    NEED(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    NEED(mkdir("new", 0700));
    NEED(mkdir("new/proc", 0700));
    NEED(mkdir("new/old", 0700));
    if (mount("proc", "new/proc", "proc", 0, NULL) != 0) {
        SKIP("another root", "not permitted here");
        return 0;
    }
    int old = NEED(open("/proc/self", O_PATH | O_DIRECTORY));
    OK("bound", mount("/proc/self", "new/old", NULL, MS_BIND, NULL));
    OK("chroot", chroot("new"));
    OK("chdir", chdir("/"));
    // The program's name means nothing there.
    static char text[1 << 16];
    static const char *const ways[] = {"/proc/self/", "/proc/1/", "/old/", "/proc/self/root/proc/self/"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        char path[64], label[64];
        for (int way = 0; way < 2; way++) {
            snprintf(path, sizeof path, "%smaps", ways[i]);
            snprintf(label, sizeof label, "%s: maps", ways[i]);
            int fd = way ? openat(old, "maps", O_RDONLY) : open(path, O_RDONLY);
            CHECK(label, fd == -1 || (reads(fd, text, sizeof text), is_own_maps(text)));
            close(fd);
            snprintf(path, sizeof path, "%smem", ways[i]);
            snprintf(label, sizeof label, "%s: mem", ways[i]);
            fd = way ? openat(old, "mem", O_RDONLY) : open(path, O_RDONLY);
            long found = 0;
            CHECK(label, fd == -1 || (pread(fd, &found, sizeof found, (off_t)&word) == sizeof found && found == word));
            close(fd);
        }
    }
    return 0;
}

// Threads that move what is mounted, and change the root, while others open files by it.
static volatile int go_on = 1;
static int moves_root;

static void *moves(void *arg)
{
    (void)arg;
    while (go_on) {
        syscall(SYS_mount, "a/x", "b", NULL, MS_MOVE, NULL);
        syscall(SYS_mount, "b", "a/x", NULL, MS_MOVE, NULL);
        if (moves_root && chroot("a") == 0) {
            // Back by a descriptor.
            if (fchdir(moves_root) != 0 || chroot(".") != 0)
                break;
        }
    }
    return NULL;
}

static int moved(int roots)
{
    NEED(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    NEED(mkdir("a", 0700));
    NEED(mkdir("a/x", 0700));
    NEED(mkdir("b", 0700));
    NEED(mount("none", "a", "tmpfs", 0, NULL));
    NEED(mkdir("a/x", 0700));
    NEED(mount("/proc", "a/x", NULL, MS_BIND | MS_REC, NULL));
    int directory = NEED(open("a/x/self", O_PATH | O_DIRECTORY));
    if (roots) {
        int root = NEED(open("/", O_PATH | O_DIRECTORY));
        moves_root = roots ? root : 0;
    }
    pthread_t mover = thread(moves, NULL);
    int bad = 0;
    for (int i = 0; i < 100; i++) {
        int fd = openat(directory, "mem", O_RDONLY);
        long found = 0;
        bad += fd != -1 && (pread(fd, &found, sizeof found, (off_t)&word) != sizeof found || found != word);
        close(fd);
        static char text[1 << 16];
        fd = openat(directory, "maps", O_RDONLY);
        bad += fd != -1 && (reads(fd, text, sizeof text), !is_own_maps(text));
        close(fd);
    }
    go_on = 0;
    join(mover);
    EQ("nothing of anything else", bad, 0);
    return 0;
}

static int mounts_moved(void) { return moved(0); }
static int roots_moved(void) { return moved(1); }

int main(int argc, char **argv)
{
    (void)argc;
    tasks_begin();
    CHECK("realpath", realpath(argv[0], program) != NULL);
    if (!may_enter(CLONE_NEWPID | CLONE_NEWNS)) {
        SKIP("namespaces", "not permitted here");
        return check_done();
    }
    static const struct {
        const char *name;
        int (*run)(void);
    } parts[] = {{"first", first}, {"rooted", rooted}, {"mounts moved", mounts_moved}, {"roots moved", roots_moved}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        printf("%s\n", parts[i].name);
        fflush(stdout);
        pid_t pid = fork_child();
        if (pid == 0) {
            if (enter(CLONE_NEWPID | CLONE_NEWNS) != 0)
                _exit(98);
            _exit(child_end(parts[i].run));
        }
        EQ(parts[i].name, end_of(pid), 0);
        static const char *const made[] = {"new/proc", "new/old", "new", "a/x", "a", "b"};
        for (size_t j = 0; j < sizeof made / sizeof *made; j++)
            rmdir(made[j]);
    }
    return check_done();
}
