// Processes: posix_spawn with its actions and attributes, the exec family, popen and system, ends and their handlers.
// km-test: links=static-musl,dynamic-musl,static-kontain,dynamic-kontain
// km-test: truth=static-musl
#include "libc.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

extern char **environ;
static char self[4096];

// What a child started by us sees; `argv[1]` says what to look at.
static int child(int argc, char **argv)
{
    printf("child");
    for (int i = 1; i < argc; i++)
        printf(" %s", argv[i]);
    sigset_t blocked;
    sigprocmask(SIG_SETMASK, NULL, &blocked);
    struct sigaction usr1;
    sigaction(SIGUSR1, NULL, &usr1);
    printf(": blocked %d%d, USR1 %s, leader %d%d, open", sigismember(&blocked, SIGUSR1), sigismember(&blocked, SIGUSR2),
        usr1.sa_handler == SIG_IGN ? "ignored" : "default", getpgrp() == getpid(), getsid(0) == getpid());
    for (int fd = 0; fd < 16; fd++)
        if (fcntl(fd, F_GETFD) != -1 && fd > 2)
            printf(" %d", fd);
    char directory[4096];
    char *base = strrchr(getcwd(directory, sizeof directory), '/');
    printf(", in %s, KM_X %s\n", strcmp(base, "/sub") ? "another" : "sub", getenv("KM_X") ? getenv("KM_X") : "unset");
    return argc > 2 ? atoi(argv[2]) : 0;
}

// Starts `program`, or what PATH leads to; its output is there before what came of it.
static void spawned(const char *what, const char *program, const posix_spawn_file_actions_t *actions,
    const posix_spawnattr_t *attr, char *const *envp)
{
    char *argv[] = {"p", "child", "3", NULL};
    pid_t pid = 0;
    int status = 0;
    fflush(stdout);
    int error = (strchr(program, '/') ? posix_spawn : posix_spawnp)(&pid, program, actions, attr, argv, envp);
    if (!error)
        waitpid(pid, &status, 0);
    printf("%s: error %d, status %#x\n", what, error, error ? 0u : (unsigned)status);
    fflush(stdout);
}

static void show_file(const char *name)
{
    char text[400];
    FILE *f = fopen(name, "r");
    printf("%s: ", name);
    show_bytes(text, f ? fread(text, 1, sizeof text, f) : 0);
    putchar('\n');
    if (f)
        fclose(f);
    fflush(stdout);
}

static void spawns(void)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    spawned("plain", self, NULL, NULL, environ);
    spawned("environment", self, NULL, NULL, (char *[]){"KM_X=given", NULL});
    spawned("none", "/none/such", NULL, NULL, environ);
    spawned("no program", "/dev/null", NULL, NULL, environ);
    spawned("by no path", "km-none-such", NULL, NULL, environ);

    int fd = open("leaks", O_RDWR | O_CREAT, 0600);
    int kept = fcntl(fd, F_DUPFD, 12), closed = fcntl(fd, F_DUPFD_CLOEXEC, 13);
    posix_spawn_file_actions_init(&actions);
    INT(posix_spawn_file_actions_addopen(&actions, 1, "out", O_WRONLY | O_CREAT | O_TRUNC, 0640));
    INT(posix_spawn_file_actions_adddup2(&actions, 1, 7));
    INT(posix_spawn_file_actions_adddup2(&actions, closed, closed));
    INT(posix_spawn_file_actions_addclose(&actions, fd));
    INT(posix_spawn_file_actions_addclose(&actions, 999));
    INT(posix_spawn_file_actions_addclose(&actions, -1));
    INT(posix_spawn_file_actions_addopen(&actions, -1, "x", 0, 0));
    spawned("actions", self, &actions, NULL, environ);
    show_file("out");
    struct stat st;
    stat("out", &st);
    INT(st.st_mode & 0777);
    mkdir("sub", 0755);
    INT(posix_spawn_file_actions_addchdir_np(&actions, "sub"));
    INT(posix_spawn_file_actions_addopen(&actions, 1, "out", O_WRONLY | O_CREAT | O_TRUNC, 0640));
    spawned("directory", self, &actions, NULL, environ);
    show_file("sub/out");
    posix_spawn_file_actions_addopen(&actions, 5, "not there", O_RDONLY, 0);
    spawned("failing open", self, &actions, NULL, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawn_file_actions_init(&actions);
    int directory = open("sub", O_RDONLY | O_CLOEXEC);
    INT(posix_spawn_file_actions_addfchdir_np(&actions, directory));
    spawned("fchdir", self, &actions, NULL, environ);
    posix_spawn_file_actions_adddup2(&actions, 500, 1);
    spawned("failing dup2", self, &actions, NULL, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(directory);
    close(fd);
    close(kept);
    close(closed);

    sigset_t both;
    sigemptyset(&both);
    sigaddset(&both, SIGUSR1);
    sigprocmask(SIG_BLOCK, &both, NULL);
    signal(SIGUSR1, SIG_IGN);
    spawned("inherited", self, NULL, NULL, environ);
    static const short flags[] = {0, POSIX_SPAWN_SETSIGMASK, POSIX_SPAWN_SETSIGDEF, POSIX_SPAWN_SETPGROUP,
        POSIX_SPAWN_SETSID, POSIX_SPAWN_RESETIDS, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP};
    for (size_t i = 0; i < COUNT(flags); i++) {
        posix_spawnattr_init(&attr);
        printf("flags %d", posix_spawnattr_setflags(&attr, flags[i]));
        posix_spawnattr_setsigdefault(&attr, &both);
        sigset_t other;
        sigemptyset(&other);
        sigaddset(&other, SIGUSR2);
        posix_spawnattr_setsigmask(&attr, &other);
        printf(" %d\n", posix_spawnattr_setpgroup(&attr, 0));
        char name[32];
        snprintf(name, sizeof name, "flags %#x", (unsigned)flags[i]);
        spawned(name, self, NULL, &attr, environ);
        posix_spawnattr_destroy(&attr);
    }
    INT(posix_spawnattr_setflags(&attr, 0x4000));
    signal(SIGUSR1, SIG_DFL);
    sigprocmask(SIG_UNBLOCK, &both, NULL);
    fflush(stdout);
}

static int forked(void (*run)(void))
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        run();
        _exit(111);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return status;
}

static void by_execl(void) { execl(self, "p", "child", "4", (char *)NULL); }
static void by_execle(void) { execle(self, "p", "child", "5", (char *)NULL, (char *[]){"KM_X=le", NULL}); }
static void by_execlp(void) { execlp(self, "p", "child", "6", (char *)NULL); }
static void by_execv(void) { execv(self, (char *[]){"p", "child", "7", NULL}); }
static void by_execvpe(void) { execvpe("copy", (char *[]){"p", "child", "8", NULL}, (char *[]){"KM_X=vpe", NULL}); }
static void by_fexecve(void) { fexecve(open(self, O_RDONLY | O_CLOEXEC), (char *[]){"p", "child", "9", NULL}, environ); }
static void by_no_path(void)
{
    setenv("PATH", "/none:/dev/null:sub", 1);
    execlp("copy", "p", (char *)NULL);
    _exit(errno);
}
static void by_long_name(void)
{
    char name[5000];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = 0;
    execvp(name, (char *[]){"p", NULL});
    _exit(errno);
}
static void by_no_permission(void)
{
    setenv("PATH", "sub", 1);
    close(open("sub/plain", O_WRONLY | O_CREAT, 0600));
    execlp("plain", "p", (char *)NULL);
    _exit(errno);
}

static void execs(void)
{
    setenv("PATH", "/none:sub", 1);
    symlink(self, "sub/copy");
    INT(forked(by_execl));
    INT(forked(by_execle));
    INT(forked(by_execlp));
    INT(forked(by_execv));
    INT(forked(by_execvpe));
    INT(forked(by_fexecve));
    unlink("sub/copy");
    INT(forked(by_no_path));
    INT(forked(by_long_name));
    INT(forked(by_no_permission));
    setenv("PATH", "/usr/bin:/bin", 1);
    unlink("sub/plain");
}

static void at_1(void) { printf("at 1\n"); }
static void at_2(void) { printf("at 2\n"); }
static void at_adds(void)
{
    printf("at adds\n");
    atexit(at_1);
}
static void at_quick(void)
{
    printf("quick\n");
    fflush(stdout);
}
__attribute__((constructor)) static void built(void) { setenv("KM_BUILT", "yes", 1); }
__attribute__((destructor)) static void unbuilt(void)
{
    if (getenv("KM_ENDS"))
        printf("destructor\n");
}

static void ends_by_exit(void)
{
    setenv("KM_ENDS", "1", 1);
    atexit(at_1);
    atexit(at_2);
    atexit(at_adds);
    for (int i = 0; i < 40; i++)
        atexit(at_2);
    at_quick_exit(at_quick);
    printf("unflushed, ");
    exit(0x123);
}
static void ends_quickly(void)
{
    atexit(at_1);
    at_quick_exit(at_quick);
    at_quick_exit(at_quick);
    printf("lost? ");
    quick_exit(3);
}
static void ends_at_once(void)
{
    atexit(at_1);
    printf("never seen");
    _Exit(4);
}
static void ends_by_abort(void)
{
    atexit(at_1);
    signal(SIGABRT, SIG_IGN);
    abort();
}

static void shells(void)
{
    TEXT(getenv("KM_BUILT"));
    INT(forked(ends_by_exit));
    INT(forked(ends_quickly));
    INT(forked(ends_at_once));
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    INT(forked(ends_by_abort));
    // Without a shell, as on the emulated host, these fail in the same way.
    fflush(stdout);
    INT(system(NULL));
    INT(system("exit 7"));
    INT(system("echo from the shell; kill -9 $$"));
    INT(system("none-of-that-name 2>/dev/null"));
    fflush(stdout);
    FILE *f = popen("echo one; cat; echo two; exit 5", "r");
    char text[64];
    while (f && fgets(text, sizeof text, f))
        show_text(text);
    INT(f ? pclose(f) : -1);
    fflush(stdout);
    f = popen("cat > piped; exit 6", "w");
    signal(SIGPIPE, SIG_IGN);
    INT(f ? fputs("to the pipe\n", f) : -1);
    INT(f ? pclose(f) : -1);
    show_file("piped");
    INT(popen("true", "x") == NULL);
    unlink("piped");
    f = popen("cat", "re");
    INT(f ? fcntl(fileno(f), F_GETFD) : -1);
    if (f)
        pclose(f);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return child(argc, argv);
    realpath("/proc/self/exe", self);
    setvbuf(stdout, NULL, _IOFBF, 4096);
    spawns();
    execs();
    shells();
    unlink("out");
    unlink("leaks");
    unlink("sub/out");
    rmdir("sub");
    return 0;
}
