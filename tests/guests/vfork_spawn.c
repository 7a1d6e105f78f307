// vfork and posix_spawn: the child runs in the parent's memory while the parent waits.
#include "tasks.h"
#include <limits.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>

extern char **environ;
static char self[PATH_MAX];
static volatile int seen;

static void vforks(void)
{
    volatile int local = 1;
    fflush(stdout);
    pid_t me = getpid(), pid = vfork();
    if (pid == 0) {
        pause_ms(10);
        seen = getppid() == me && getpid() != me ? 7 : 8;
        local = 2;
        _exit(5);
    }
    EQ("the parent waited, and sees what the child wrote", seen, 7);
    EQ("on the stack, too", local, 2);
    EQ("exit code", end_of(pid), 5);

    pid = vfork();
    if (pid == 0) {
        seen = 9;
        execl(self, "x", "exit", "6", NULL);
        _exit(99);
    }
    EQ("before exec", seen, 9);
    EQ("exec", end_of(pid), 6);

    pid = vfork();
    if (pid == 0) {
        execl("./not there", "x", NULL);
        seen = errno;
        _exit(12);
    }
    EQ("exec's error", seen, ENOENT);
    EQ("failed exec", end_of(pid), 12);

    int fd = NEED(open("/dev/null", O_RDONLY));
    pid = vfork();
    if (pid == 0) {
        close(fd);
        seen = fcntl(fd, F_GETFD);
        _exit(0);
    }
    EQ("closed there", seen, -1);
    EQ("its descriptors are its own", fcntl(fd, F_GETFD), 0);
    end_of(pid);
    pid = vfork();
    if (pid == 0) {
        kill(getpid(), SIGKILL);
        _exit(0);
    }
    EQ("killed", end_of(pid), 1000 + SIGKILL);
    close(fd);
    volatile int bad = 0;
    for (volatile int i = 0; i < 10; i++) {
        if ((pid = vfork()) == 0)
            _exit(i);
        bad = bad + (end_of(pid) != i);
    }
    EQ("ten times", bad, 0);
}

// As many strings as Linux lets a program have.
static void many_strings(void)
{
    enum { COUNT = 600000 };
    static char *argv[COUNT + 1] = {"x", "exit", "9"};
    struct rlimit stack;
    NEED(getrlimit(RLIMIT_STACK, &stack));
    if (stack.rlim_max < 24UL << 20) {
        SKIP("many strings", "a small limit on the stack");
        return;
    }
    for (int i = 3; i < COUNT; i++)
        argv[i] = "";
    fflush(stdout);
    pid_t pid = vfork();
    if (pid == 0) {
        stack.rlim_cur = 24UL << 20;
        setrlimit(RLIMIT_STACK, &stack);
        execv(self, argv);
        _exit(99);
    }
    EQ("many strings", end_of(pid), 9);
}

static int cloned(void *arg)
{
    *(int *)arg += 30;
    return 3;
}

static void clones(void)
{
    static _Alignas(16) char stack[65536];
    static int word = 12;
    pid_t pid = clone(cloned, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &word);
    EQ("CLONE_VM | CLONE_VFORK", word, 42);
    EQ("its code", end_of(pid), 3);
    pid = clone(cloned, stack + sizeof stack, CLONE_VFORK | SIGCHLD, &word);
    EQ("CLONE_VFORK alone: a copy", word, 42);
    EQ("its code", end_of(pid), 3);
}

static int spawned(const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attr, const char *role,
                   const char *arg)
{
    char *argv[] = {"spawned", (char *)role, (char *)arg, NULL};
    pid_t pid = -1;
    fflush(stdout);
    int error = posix_spawn(&pid, self, actions, attr, argv, environ);
    return error ? -error : end_of(pid);
}

static void spawns(void)
{
    char *argv[] = {"x", "exit", "7", NULL};
    pid_t pid;
    EQ("posix_spawn", spawned(NULL, NULL, "exit", "7"), 7);
    EQ("no such file", posix_spawn(&pid, "./not there", NULL, NULL, argv, environ), ENOENT);
    EQ("a directory", posix_spawn(&pid, "/", NULL, NULL, argv, environ), EACCES);
    EQ("not in PATH", posix_spawnp(&pid, "km-not-there", NULL, NULL, argv, environ), ENOENT);
    ERR("no child is left of them", waitpid(-1, NULL, WNOHANG), ECHILD);
    NEED(symlink(self, "km-spawned"));
    setenv("PATH", "/nowhere:.", 1);
    EQ("in PATH", posix_spawnp(&pid, "km-spawned", NULL, NULL, argv, environ), 0);
    EQ("its code", end_of(pid), 7);
    unlink("km-spawned");

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    NEED(mkdir("sub", 0700));
    posix_spawn_file_actions_addopen(&actions, 20, "made", O_RDWR | O_CREAT, 0600);
    posix_spawn_file_actions_adddup2(&actions, 20, 21);
    posix_spawn_file_actions_addclose(&actions, 20);
    posix_spawn_file_actions_addchdir_np(&actions, "sub");
    EQ("file actions", spawned(&actions, NULL, "actions", NULL), 0);
    rmdir("sub");
    unlink("made");
    posix_spawn_file_actions_addopen(&actions, 22, "not there", O_RDONLY, 0);
    EQ("one that fails", spawned(&actions, NULL, "actions", NULL), -ENOENT);
    posix_spawn_file_actions_destroy(&actions);
    unlink("made");
    EQ("parent's directory", access("sub", F_OK), -1);

    posix_spawnattr_t attr;
    sigset_t set = set_of(SIGUSR2);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setsigmask(&attr, &set);
    set = set_of(SIGHUP);
    posix_spawnattr_setsigdefault(&attr, &set);
    posix_spawnattr_setpgroup(&attr, 0);
    signal(SIGHUP, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    block(SIGUSR1);
    EQ("attributes", spawned(NULL, &attr, "attributes", "1"), 0);
    EQ("inherited", spawned(NULL, NULL, "attributes", "0"), 0);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_RESETIDS);
    EQ("a session", spawned(NULL, &attr, "session", NULL), 0);
    posix_spawnattr_destroy(&attr);
    sigprocmask(SIG_BLOCK, NULL, &set);
    CHECK("my mask is as before", sigismember(&set, SIGUSR1) && !sigismember(&set, SIGUSR2) && !sigismember(&set, SIGHUP));
}

static void *in_thread(void *arg)
{
    for (int i = 0; i < 3; i++)
        if (spawned(NULL, NULL, "exit", "8") != 8)
            return NULL;
    return arg;
}

static void shells(void)
{
    char line[16] = "";
    if (access("/bin/sh", X_OK)) {
        SKIP("shell", "no /bin/sh");
        return;
    }
    setenv("PATH", "/usr/bin:/bin", 1);
    EQ("system", system("exit 4") >> 8, 4);
    FILE *pipe = popen("echo from the shell; exit 2", "r");
    CHECK("popen", pipe && fgets(line, sizeof line, pipe));
    STR("its line", line, "from the shell\n");
    EQ("pclose", pclose(pipe) >> 8, 2);
}

int main(int argc, char **argv)
{
    struct sigaction act;
    sigset_t set;
    if (argc > 2 && !strcmp(argv[1], "exit"))
        return atoi(argv[2]);
    if (argc > 1 && !strcmp(argv[1], "actions"))
        return fcntl(20, F_GETFD) != -1 || fcntl(21, F_GETFD) != 0 || access("../made", F_OK) || access("../sub", F_OK);
    if (argc > 2 && !strcmp(argv[1], "attributes")) {
        int set_by_attr = argv[2][0] == '1';
        sigprocmask(SIG_BLOCK, NULL, &set);
        CHECK("mask", sigismember(&set, SIGUSR2) == set_by_attr && sigismember(&set, SIGUSR1) == !set_by_attr);
        sigaction(SIGHUP, NULL, &act);
        CHECK("default", act.sa_handler == (set_by_attr ? SIG_DFL : SIG_IGN));
        sigaction(SIGQUIT, NULL, &act);
        CHECK("still ignored", act.sa_handler == SIG_IGN);
        CHECK("group", (getpgrp() == getpid()) == set_by_attr);
        return check_failures;
    }
    if (argc > 1 && !strcmp(argv[1], "session"))
        return getsid(0) != getpid();
    tasks_begin();
    NEED(readlink("/proc/self/exe", self, sizeof self - 1));
    vforks();
    many_strings();
    clones();
    spawns();
    pthread_t t[3];
    for (int i = 0; i < 3; i++)
        t[i] = thread(in_thread, &t);
    int good = 0;
    for (int i = 0; i < 3; i++)
        good += join(t[i]) != NULL;
    EQ("from three threads", good, 3);
    shells();
    return check_done();
}
