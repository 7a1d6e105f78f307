// User namespaces: made by clone and by unshare, their ids mapped from both sides, entered by setns; what they ask of the caller,
// and that everything else of the process goes on.
#include "namespaces.h"
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

static volatile int signals;
static void count(int number) { signals += number == SIGUSR1; }

static int in_new(void)
{
    // What must survive: memory, registers, a handler, a pending signal, a mapping, a descriptor.
    unsigned char *memory = malloc(1 << 20);
    memset(memory, 0x5a, 1 << 20);
    handle(SIGUSR1, (void *)count, 0);
    block(SIGUSR2);
    raise(SIGUSR2);
    ino_t before = namespace_of("self", "user");
    unsigned uid = geteuid(), gid = getegid();
    double given = 1.25, kept = 0;
    long result, callee = 0x1234567;
    __asm__ volatile("movsd %[given], %%xmm9; mov %[callee], %%r12; syscall; movsd %%xmm9, %[kept]; mov %%r12, %[callee]"
                     : "=a"(result), [kept] "=m"(kept), [callee] "+m"(callee)
                     : "a"(SYS_unshare), "D"((long)CLONE_NEWUSER), [given] "m"(given)
                     : "rcx", "r11", "r12", "xmm9", "memory");
    EQ("unshare", result, 0);
    CHECK("registers", kept == given && callee == 0x1234567);
    CHECK("another namespace", namespace_of("self", "user") != before);
    EQ("nobody yet", getuid(), 65534);
    OK("ids", map_ids("self", uid, gid));
    EQ("user", getuid(), 0);
    EQ("group", getgid(), 0);
    ERR("once only", put("/proc/self/uid_map", "1 1 1"), EPERM);
    int same = 1;
    for (int i = 0; i < 1 << 20; i++)
        same &= memory[i] == 0x5a;
    CHECK("memory", same);
    raise(SIGUSR1);
    EQ("a handler", signals, 1);
    sigset_t pending;
    sigpending(&pending);
    EQ("a pending signal", sigismember(&pending, SIGUSR2), 1);
    OK("a host name of the own", unshare(CLONE_NEWUTS));
    OK("set", sethostname("inside", 6));
    ERR("the same namespace", setns(NEED(open("/proc/self/ns/user", O_RDONLY)), CLONE_NEWUSER), EINVAL);
    for (int i = 0; i < 3; i++)
        OK("deeper", enter(0));
    EQ("a child", child_end((int (*)(void))getuid), 0);
    free(memory);
    return 0;
}

static int nothing_to_unshare(void)
{
    OK("nothing", unshare(0));
    OK("of a process with one thread", unshare(CLONE_THREAD | CLONE_SIGHAND | CLONE_VM));
    OK("files", unshare(CLONE_FILES));
    OK("directory", unshare(CLONE_FS));
    OK("undo list", unshare(CLONE_SYSVSEM));
    ERR("no such flag", unshare(CLONE_VFORK), EINVAL);
    ERR("no such flag, high", syscall(SYS_unshare, 1ul << 40), EINVAL);
    ERR("with others", unshare(CLONE_NEWUSER | CLONE_VFORK), EINVAL);
    return 0;
}

static int with_threads(void)
{
    pthread_t idle = thread(stays, NULL);
    (void)idle;
    ERR("user", unshare(CLONE_NEWUSER), EINVAL);
    ERR("thread", unshare(CLONE_THREAD), EINVAL);
    ERR("memory", unshare(CLONE_VM), EINVAL);
    ERR("handlers", unshare(CLONE_SIGHAND), EINVAL);
    OK("directory", unshare(CLONE_FS));
    ERR("setns", setns(NEED(open("/proc/self/ns/user", O_RDONLY)), 0), EINVAL);
    return 0;
}

static void *ends(void *arg) { return arg; }

static int after_threads(void)
{
    for (int i = 0; i < 3; i++)
        join(thread(ends, NULL));
    // The last may be on its way out still.
    int done;
    UNTIL((done = unshare(CLONE_NEWUSER)) == 0 || errno != EINVAL);
    EQ("once the threads have ended", done ? errno : 0, 0);
    EQ("threads again", together(ends, 4), 1 + 2 + 3 + 4);
    return 0;
}

static int refused(void)
{
    // From below another root there is no user namespace.
    if (enter(0) != 0 || chroot(".") != 0)
        return 1;
    for (int i = 0; i < 3; i++)
        ERR("from another root", unshare(CLONE_NEWUSER), EPERM);
    ERR("with others", unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET), EPERM);
    pid_t pid = fork_child();
    if (pid == 0)
        _exit(7);
    EQ("a child", end_of(pid), 7);
    EQ("threads", together(ends, 3), 6);
    return 0;
}

static int maps_of_a_child(void)
{
    int go[2], ready[2];
    NEED(pipe(go));
    NEED(pipe(ready));
    fflush(stdout);
    pid_t pid = NEED(clone_child(CLONE_NEWUSER | CLONE_NEWUTS));
    if (pid == 0) {
        tell(ready[1]);
        await(go[0]);
        _exit(getuid() == 0 && getgid() == 0 && sethostname("child", 5) == 0 ? 5 : 6);
    }
    await(ready[0]);
    char name[32];
    snprintf(name, sizeof name, "%d", pid);
    CHECK("another namespace", namespace_of(name, "user") != namespace_of("self", "user"));
    OK("ids from outside", map_ids(name, geteuid(), getegid()));
    tell(go[1]);
    EQ("root inside", end_of(pid), 5);
    ERR("gone", map_ids(name, 0, 0), ENOENT);
    return 0;
}

static int entered(void)
{
    int go[2], ready[2];
    char name[32], path[64];
    NEED(pipe(go));
    NEED(pipe(ready));
    fflush(stdout);
    pid_t pid = fork_child();
    if (pid == 0) {
        int failed = enter(CLONE_NEWUTS);
        tell(ready[1]);
        await(go[0]);
        _exit(failed ? 6 : 5);
    }
    await(ready[0]);
    snprintf(name, sizeof name, "%d", pid);
    snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
    int user = NEED(open(path, O_RDONLY | O_CLOEXEC));
    snprintf(path, sizeof path, "/proc/%d/ns/uts", pid);
    int uts = NEED(open(path, O_RDONLY | O_CLOEXEC));
    ERR("another kind", setns(user, CLONE_NEWNET), EINVAL);
    ERR("no namespace", setns(go[0], 0), EINVAL);
    ERR("closed", setns(-1, 0), EBADF);
    OK("enter", setns(user, CLONE_NEWUSER));
    OK("then another", setns(uts, 0));
    CHECK("the same", namespace_of("self", "user") == namespace_of(name, "user"));
    CHECK("the same name", namespace_of("self", "uts") == namespace_of(name, "uts"));
    EQ("user", getuid(), 0);
    OK("name", sethostname("entered", 7));
    tell(go[1]);
    EQ("the other", end_of(pid), 5);
    return 0;
}

static int by_pidfd(void)
{
    int go[2], ready[2];
    NEED(pipe(go));
    NEED(pipe(ready));
    fflush(stdout);
    pid_t pid = fork_child();
    if (pid == 0) {
        int failed = enter(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNS | CLONE_NEWPID);
        // The namespace has a process once this has a child.
        pid_t first = fork();
        if (first == 0) {
            tell(ready[1]);
            await(go[0]);
            _exit(failed ? 6 : 5);
        }
        _exit(end_of(first));
    }
    await(ready[0]);
    char name[32];
    snprintf(name, sizeof name, "%d", pid);
    int fd = NEED((int)syscall(SYS_pidfd_open, pid, 0));
    OK("all of them", setns(fd, CLONE_NEWUSER | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNS));
    CHECK("the same", namespace_of("self", "mnt") == namespace_of(name, "mnt"));
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/pid_for_children", pid);
    int pids = NEED(open(path, O_RDONLY));
    OK("for children", setns(pids, CLONE_NEWPID));
    pid_t inside = fork_child();
    if (inside == 0)
        _exit(getpid() > 1 && getpid() < 10 ? 4 : 3);
    EQ("a child inside", end_of(inside), 4);
    tell(go[1]);
    EQ("the other", end_of(pid), 5);
    return 0;
}

static int vforked(void)
{
    unsigned uid = geteuid(), gid = getegid();
    volatile int shared = 0;
    fflush(stdout);
    pid_t pid = vfork();
    if (pid == 0) {
        shared = unshare(CLONE_NEWUSER) == 0 && map_ids("self", uid, gid) == 0 && getuid() == 0 ? 1 : 2;
        _exit(shared);
    }
    EQ("a child in this memory", end_of(pid), 1);
    EQ("its memory", shared, 1);
    EQ("not this process", getuid(), uid);
    return 0;
}

int main(void)
{
    tasks_begin();
    if (!may_enter(0)) {
        SKIP("user namespaces", "not permitted here");
        return check_done();
    }
    static const struct {
        const char *name;
        int (*run)(void);
    } parts[] = {
        {"a new one", in_new}, {"nothing to unshare", nothing_to_unshare}, {"with threads", with_threads},
        {"after threads", after_threads}, {"refused", refused}, {"maps of a child", maps_of_a_child}, {"entered", entered},
        {"by a pidfd", by_pidfd}, {"vfork", vforked},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        printf("%s\n", parts[i].name);
        EQ(parts[i].name, child_end(parts[i].run), 0);
    }
    return check_done();
}
