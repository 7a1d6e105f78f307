// seccomp: filters go on to children and to other programs, and /proc tells of them. The program runs itself.
#include "seccomp.h"
#include <limits.h>
#include <spawn.h>

static char self[PATH_MAX], *const no_env[] = {NULL};

static int line_of(const char *path, const char *key)
{
    char line[256];
    int value = -1;
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, key, strlen(key)) && line[strlen(key)] == ':')
            value = atoi(line + strlen(key) + 1);
    if (f)
        fclose(f);
    return value;
}

static int base_mode, base_filters;

static void lines(const char *path, int privs, int mode, int filters)
{
    EQ("NoNewPrivs", line_of(path, "NoNewPrivs"), privs);
    EQ("Seccomp", line_of(path, "Seccomp"), mode);
    EQ("Seccomp_filters", line_of(path, "Seccomp_filters") - base_filters, filters);
}

static long probe(void)
{
    long result = raw(SYS_getppid, 0, 0, 0);
    return result > 0 ? 0 : result;
}

static int forked(void)
{
    EQ("in the child", probe(), -81);
    lines("/proc/self/status", 1, 2, 1);
    forbid(SYS_getppid, ERRNO_OF(82));
    EQ("its own", probe(), -82);
    lines("/proc/self/status", 1, 2, 2);
    return 0;
}

static int run(const char *what, const char *filters)
{
    char base[16];
    snprintf(base, sizeof base, "%d", base_filters);
    char *argv[] = {"inherit", (char *)what, (char *)filters, base, NULL};
    return execve(self, argv, no_env);
}

static int executes(void) { return run("-81", "1"); }

static int adds_and_executes(void)
{
    forbid(SYS_getppid, ERRNO_OF(83));
    return run("-83", "2");
}

// Neither may the program be executed.
static int may_not_execute(void)
{
    forbid(SYS_execve, ERRNO_OF(84));
    EQ("execve", run("0", "0"), -1);
    return errno;
}

static int dies_in_execve(void)
{
    forbid(SYS_execve, SECCOMP_RET_KILL_PROCESS);
    run("0", "0");
    return 1;
}

// The new program dies of its first calls.
static int forbids_its_start(void)
{
    INSTALL(LOAD(FIELD(nr)), ON(SYS_execve, SECCOMP_RET_ALLOW), ON(SYS_exit_group, SECCOMP_RET_ALLOW),
            RETURN(SECCOMP_RET_KILL_PROCESS));
    return run("0", "0");
}

static const struct sock_filter more[] = {LOAD(FIELD(nr)), ON(SYS_getppid, ERRNO_OF(85)), RETURN(SECCOMP_RET_ALLOW)};
static const struct sock_fprog one_more = {.len = COUNT(more), .filter = (struct sock_filter *)more};

// What a child does that uses its parent's stack has a place of its own there.
static __attribute__((noinline, noreturn)) void installs(void)
{
    long before = raw(SYS_getppid, 0, 0, 0);
    raw(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&one_more);
    long after = raw(SYS_getppid, 0, 0, 0);
    _exit(before == -81 && after == -85 ? 6 : 1);
}

static __attribute__((noinline, noreturn)) void installs_and_forks(void)
{
    raw(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, (long)&one_more);
    pid_t inner = (pid_t)raw(SYS_fork, 0, 0, 0);
    if (inner == 0)
        raw(SYS_exit_group, raw(SYS_getppid, 0, 0, 0) == -85 ? 7 : 1, 0, 0);
    int status = 0;
    syscall(SYS_wait4, inner, &status, 0, NULL);
    _exit(WEXITSTATUS(status));
}

static __attribute__((noinline, noreturn)) void executes_or_exits(void)
{
    run("-81", "1");
    _exit(1);
}

static int borrowed(void)
{
    pid_t pid = vfork();
    if (pid == 0)
        installs();
    EQ("vfork", end_of(pid), 6);
    EQ("the parent's are as before", probe(), -81);
    lines("/proc/self/status", 1, 2, 1);
    return 0;
}

static int borrowed_executes(void)
{
    pid_t pid = vfork();
    if (pid == 0)
        executes_or_exits();
    EQ("vfork and execve", end_of(pid), 0);
    return 0;
}

// The child of a child in its parent's place.
static int forks_from_vfork(void)
{
    pid_t pid = vfork();
    if (pid == 0)
        installs_and_forks();
    EQ("fork in vfork", end_of(pid), 7);
    EQ("the parent's are as before", probe(), -81);
    return 0;
}

static int spawns(void)
{
    char base[16];
    snprintf(base, sizeof base, "%d", base_filters);
    char *argv[] = {"inherit", "-81", "1", base, NULL};
    pid_t pid;
    EQ("posix_spawn", posix_spawn(&pid, self, NULL, NULL, argv, no_env), 0);
    EQ("its end", end_of(pid), 0);
    return 0;
}

// As many as may be, to be handed on.
static int hands_on_many(void)
{
    char count[16];
    struct sock_filter filter[1000];
    for (size_t i = 0; i < COUNT(filter) - 1; i++)
        filter[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, (uint32_t)-1 - (uint32_t)i);
    filter[COUNT(filter) - 1] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
    int more = 0;
    while (install_as(0, filter, COUNT(filter)) == 0)
        more++;
    EQ("until", errno, ENOMEM);
    fflush(stdout);
    snprintf(count, sizeof count, "%d", 1 + more);
    return run("-81", count);
}

static void *in_a_thread(void *arg)
{
    char path[64];
    (void)arg;
    forbid(SYS_getppid, ERRNO_OF(87));
    lines("/proc/thread-self/status", 1, 2, 2);
    snprintf(path, sizeof path, "/proc/self/task/%d/status", tid());
    lines(path, 1, 2, 2);
    snprintf(path, sizeof path, "/proc/self/task/%d/status", getpid());
    lines(path, 1, 2, 1);
    lines("/proc/self/status", 1, 2, 1);
    return NULL;
}

static int threads(void)
{
    join(thread(in_a_thread, NULL));
    return 0;
}

int main(int argc, char **argv)
{
    tasks_begin();
    if (argc == 4) {
        base_filters = atoi(argv[3]);
        printf("a new program\n");
        EQ("its call", probe(), atoi(argv[1]));
        lines("/proc/self/status", 1, 2, atoi(argv[2]));
        EQ("mode", prctl(PR_GET_SECCOMP), 2);
        return check_done();
    }
    NEED(readlink("/proc/self/exe", self, sizeof self - 1));
    base_mode = line_of("/proc/self/status", "Seccomp");
    base_filters = line_of("/proc/self/status", "Seccomp_filters");
    EQ("mode", prctl(PR_GET_SECCOMP), base_mode);
    no_new_privs();
    lines("/proc/self/status", 1, base_mode, 0);
    forbid(SYS_getppid, ERRNO_OF(81));
    lines("/proc/self/status", 1, 2, 1);
    EQ("fork", child_end(forked), 0);
    EQ("not the parent's", probe(), -81);
    EQ("exec", child_end(executes), 0);
    EQ("one more, and exec", child_end(adds_and_executes), 0);
    EQ("exec forbidden", child_end(may_not_execute), 84);
    EQ("exec kills", child_end(dies_in_execve), 1000 + SIGSYS);
    EQ("the new program may do nothing", child_end(forbids_its_start), 1000 + SIGSYS);
    EQ("vfork", child_end(borrowed), 0);
    EQ("vfork and exec", child_end(borrowed_executes), 0);
    EQ("vfork and fork", child_end(forks_from_vfork), 0);
    EQ("spawn", child_end(spawns), 0);
    EQ("many", child_end(hands_on_many), 0);
    EQ("threads", child_end(threads), 0);
    return check_done();
}
