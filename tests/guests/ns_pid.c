// PID namespaces: numbers, the first process and its end, children of every kind that start in one, threads, signals across.
// km-test: timeout=40
#include "namespaces.h"
#include <spawn.h>
#include <sys/mman.h>

extern char **environ;
static char program[4096];

// In a child that starts in the namespace of `enter`.
static int inside(int (*run)(void))
{
    fflush(stdout);
    pid_t pid = fork_child();
    if (pid == 0) {
        if (enter(CLONE_NEWPID) != 0)
            _exit(98);
        _exit(child_end(run));
    }
    return end_of(pid);
}

static int numbers(void)
{
    EQ("the first", getpid(), 1);
    EQ("its thread", tid(), 1);
    EQ("its parent is outside", getppid(), 0);
    EQ("its session is outside", getsid(0), 0);
    pid_t pid = fork_child();
    if (pid == 0)
        _exit(getpid() > 1 && getppid() == 1 && tid() == getpid() ? 5 : 6);
    CHECK("the next", pid > 1 && pid < 20);
    EQ("as it sees itself", end_of(pid), 5);
    ERR("nobody else", kill(20, 0), ESRCH);
    EQ("all of them", kill(-1, 0) == -1 ? errno : 0, ESRCH);
    return 0;
}

static void *id_of_thread(void *arg) { return (void *)((long)arg * 100 + tid()); }

static int threads(void)
{
    for (long i = 0; i < 3; i++)
        EQ("a thread's id is above the first", (long)join(thread(id_of_thread, (void *)i)) - i * 100 > 1, 1);
    pthread_t idle = thread(stays, NULL);
    pid_t pid = fork_child();
    if (pid == 0)
        _exit(together(id_of_thread, 2) > 300 ? 5 : 6);
    EQ("a child beside a thread", end_of(pid), 5);
    pthread_cancel(idle);
    join(idle);
    return 0;
}

static volatile int got, got_pid;
static void note(int number, siginfo_t *info, void *context)
{
    (void)context;
    got = number;
    got_pid = info->si_pid;
}

static int signals(void)
{
    // The first process is not hurt by what it does not handle.
    OK("not handled", kill(1, SIGTERM));
    OK("not even by itself", raise(SIGINT));
    OK("not by the signals of faults", kill(1, SIGSEGV));
    OK("nor", raise(SIGBUS));
    OK("nor", raise(SIGKILL));
    pid_t pid = fork_child();
    if (pid == 0) {
        kill(1, SIGSEGV);
        kill(1, SIGBUS);
        kill(1, SIGKILL);
        kill(1, SIGTERM);
        _exit(5);
    }
    EQ("not by others", end_of(pid), 5);
    handle(SIGUSR1, (void *)note, SA_SIGINFO);
    raise(SIGUSR1);
    EQ("handled", got, SIGUSR1);
    EQ("by", got_pid, 1);
    handle(SIGSEGV, (void *)note, SA_SIGINFO);
    kill(1, SIGSEGV);
    EQ("a fault's signal, sent", got, SIGSEGV);
    signal(SIGSEGV, SIG_DFL);
    pid = fork_child();
    if (pid == 0) {
        kill(getppid(), SIGUSR1);
        _exit(0);
    }
    end_of(pid);
    EQ("from a child", got_pid, pid);
    pid = child(waits_forever);
    kill(pid, SIGSEGV);
    EQ("others are killed", end_of(pid), 1000 + SIGSEGV);
    return 0;
}

static volatile int *volatile nothing = (volatile int *)8;
static int segfault(void) { return *nothing; }
static int illegal(void)
{
    __asm__ volatile("ud2");
    return 0;
}
static int trap(void)
{
    __asm__ volatile("int3");
    return 0;
}
static int divide(void)
{
    volatile int one = 1, zero = 0;
    return one / zero;
}
static int beyond(void)
{
    int fd = memfd_create("short", 0);
    volatile char *page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    return *page;
}
static int aborts(void) { abort(); }

static int grandchild_end(void)
{
    // All others end with the first.
    int pipe_end[2];
    NEED(pipe(pipe_end));
    for (int i = 0; i < 3; i++) {
        if (fork_child() == 0) {
            tell(pipe_end[1]);
            waits_forever();
        }
        await(pipe_end[0]);
    }
    return 9;
}

static int executes(void)
{
    char *args[] = {program, "executed", NULL};
    execve(program, args, environ);
    return 97;
}

// What a vforked or spawned child in a new namespace may do, beside threads that make the world stop.
static volatile int go_on = 1, rounds;
static void *maps_and_forks(void *arg)
{
    while (go_on) {
        void *page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        mprotect(page, 4096, PROT_READ);
        munmap(page, 4096);
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        waitpid(pid, NULL, 0);
        rounds++;
    }
    return arg;
}

static int vforks(void)
{
    volatile int seen[4] = {0};
    pid_t pid = vfork();
    if (pid == 0) {
        seen[0] = getpid();
        seen[1] = tid();
        pid_t nested = vfork();
        if (nested == 0)
            _exit(getpid() > 1 && getpid() < 20 ? 3 : 4);
        int status;
        waitpid(nested, &status, 0);
        seen[2] = WEXITSTATUS(status);
        nested = fork();
        if (nested == 0)
            _exit(getpid() > 1 && getpid() < 20 ? 3 : 4);
        waitpid(nested, &status, 0);
        seen[3] = WEXITSTATUS(status);
        _exit(7);
    }
    EQ("its end", end_of(pid), 7);
    EQ("its id", seen[0], 1);
    EQ("its thread", seen[1], 1);
    EQ("a child of its own, by vfork", seen[2], 3);
    EQ("by fork", seen[3], 3);
    return 0;
}

static int vfork_elsewhere(void)
{
    pthread_t busy = thread(maps_and_forks, NULL);
    UNTIL(rounds > 2);
    for (int i = 0; i < 20; i++) {
        volatile int id = 0;
        // As vfork, with a namespace.
        pid_t pid;
        unsigned long flags = CLONE_VM | CLONE_VFORK | CLONE_NEWPID | SIGCHLD;
        __asm__ volatile("syscall" : "=a"(pid) : "a"(SYS_clone), "D"(flags), "S"(0), "d"(0) : "rcx", "r11", "memory");
        if (pid == 0) {
            id = getpid();
            void *page = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            memset(page, 1, 1 << 16);
            munmap(page, 1 << 16);
            if (i % 2) {
                char *args[] = {program, "executed", NULL};
                execve(program, args, environ);
            }
            _exit(8);
        }
        int code = end_of(pid);
        if (id != 1 || code != (i % 2 ? 11 : 8)) {
            EQ("id", id, 1);
            EQ("end", code, i % 2 ? 11 : 8);
        }
    }
    go_on = 0;
    join(busy);
    OK("twenty of them", 0);
    return 0;
}

static int spawns(void)
{
    char *args[] = {program, "executed", NULL};
    pid_t pid;
    EQ("spawned", posix_spawn(&pid, program, NULL, NULL, args, environ), 0);
    EQ("the first", end_of(pid), 11);
    return 0;
}

static int after_unshare(void)
{
    if (enter(CLONE_NEWPID) != 0)
        return 98;
    EQ("the own id stays", getpid() > 1, 1);
    pthread_t t;
    CHECK("no thread", pthread_create(&t, NULL, stays, NULL) != 0);
    unsigned long flags = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_FILES | CLONE_FS;
    ERR("nor by itself", syscall(SYS_clone, flags, &t, NULL, NULL, NULL), EINVAL);
    ERR("no file of it yet", open("/proc/self/ns/pid_for_children", O_RDONLY), ENOENT);
    return spawns();
}

static int after_unshare_vfork(void)
{
    if (enter(CLONE_NEWPID) != 0)
        return 98;
    return vforks();
}

static int only_vfork(int ends)
{
    if (enter(CLONE_NEWPID) != 0)
        return 98;
    pid_t pid = vfork();
    if (pid == 0) {
        if (ends)
            __asm__ volatile("ud2");
        _exit(3);
    }
    EQ("its end", end_of(pid), ends ? 1000 + SIGILL : 3);
    // The namespace ends with its first process.
    ERR("then no more", fork(), ENOMEM);
    ERR("nor by vfork", vfork(), ENOMEM);
    return 0;
}

static int vfork_that_exits(void) { return only_vfork(0); }
static int vfork_that_dies(void) { return only_vfork(1); }

static int entered(void)
{
    int go[2], ready[2];
    NEED(pipe(go));
    NEED(pipe(ready));
    fflush(stdout);
    pid_t outer = NEED(clone_child(CLONE_NEWPID));
    if (outer == 0) {
        pid_t pid = fork();
        if (pid == 0) {
            pause();
            _exit(0);
        }
        NEED(write(ready[1], &pid, sizeof pid));
        await(go[0]);
        _exit(getpid());
    }
    pid_t waiting = 0;
    NEED(read(ready[0], &waiting, sizeof waiting));
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/pid", outer);
    int fd = NEED(open(path, O_RDONLY));
    int own = NEED(open("/proc/self/ns/pid", O_RDONLY));
    OK("enter", setns(fd, CLONE_NEWPID));
    pid_t inner = fork_child();
    if (inner == 0)
        _exit(getpid() < 20 && kill(waiting, SIGKILL) == 0 && getppid() == 0 ? 5 : 6);
    EQ("a child there", end_of(inner), 5);
    OK("back", setns(own, 0));
    inner = fork_child();
    if (inner == 0)
        _exit(getppid() == 1 ? 5 : 6);
    EQ("a child here", end_of(inner), 5);
    EQ("threads here", together(id_of_thread, 2) > 300, 1);
    tell(go[1]);
    EQ("the first there", end_of(outer), 1);
    return 0;
}

static int with_proc(void)
{
    NEED(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    NEED(mount("proc", "/proc", "proc", 0, NULL));
    return entered();
}

static int in_own(void)
{
    // As root of a user namespace, whose first PID namespace is its own.
    if (enter(CLONE_NEWPID | CLONE_NEWNS) != 0)
        return 98;
    return child_end(with_proc);
}

static int vfork_in_own(void)
{
    if (enter(CLONE_NEWPID | CLONE_NEWNS) != 0)
        return 98;
    return child_end(vfork_elsewhere);
}

// A program that is executed after unshare, with no fork before.
static int exec_then_fork(void)
{
    if (enter(CLONE_NEWPID | CLONE_NEWNS) != 0)
        return 98;
    // Not there where the caller may enter its own PID namespace again.
    fflush(stdout);
    pid_t pid = fork_child();
    if (pid == 0) {
        NEED(unshare(CLONE_NEWPID));
        char *args[] = {program, "forks", NULL};
        execve(program, args, environ);
        _exit(96);
    }
    EQ("the program's child", end_of(pid), 12);
    return 0;
}

int main(int argc, char **argv)
{
    tasks_begin();
    if (argc > 1 && strcmp(argv[1], "executed") == 0)
        return getpid() == 1 ? 11 : 10;
    if (argc > 1 && strcmp(argv[1], "forks") == 0) {
        pid_t pid = fork_child();
        if (pid == 0)
            _exit(getpid() == 1 ? 12 : 13);
        return end_of(pid);
    }
    CHECK("realpath", realpath(argv[0], program) != NULL);
    if (!may_enter(CLONE_NEWPID)) {
        SKIP("PID namespaces", "not permitted here");
        return check_done();
    }
    static const struct {
        const char *name;
        int (*run)(void);
        int end;
    } ends[] = {
        {"numbers", numbers, 0}, {"threads", threads, 0}, {"signals", signals, 0}, {"segfault", segfault, 1000 + SIGSEGV},
        {"illegal", illegal, 1000 + SIGILL}, {"trap", trap, 1000 + SIGTRAP}, {"divide", divide, 1000 + SIGFPE},
        {"beyond", beyond, 1000 + SIGBUS}, {"aborts", aborts, 1000 + SIGSEGV}, {"others end with it", grandchild_end, 9},
        {"executes", executes, 11},
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        printf("%s\n", ends[i].name);
        int code = inside(ends[i].run);
        // What the first process of a namespace dies of, its parent passes on as a number below 256.
        EQ(ends[i].name, code, ends[i].end & 255);
    }
    static const struct {
        const char *name;
        int (*run)(void);
    } others[] = {
        {"after unshare", after_unshare}, {"vfork after unshare", after_unshare_vfork}, {"vfork that exits", vfork_that_exits},
        {"vfork that dies", vfork_that_dies}, {"entered", in_own}, {"vfork into one", vfork_in_own}, {"exec before fork", exec_then_fork},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        printf("%s\n", others[i].name);
        EQ(others[i].name, child_end(others[i].run), 0);
    }
    return check_done();
}
