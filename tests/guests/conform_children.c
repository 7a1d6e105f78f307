// Children and programs: fork and its kin, exec, what is told of processes and done to them, with wrong arguments.
// Raw calls: the C library makes no difference.
// km-test: links=static-musl,static-kontain
// km-test: timeout=60
#include "conform_child.h"
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/stat.h>

enum { PIDFD_SEND_SIGNAL = 424, CLONE3 = 435, PROCESS_MRELEASE = 448 };

// A child that ends at once.
static void ends(const char *how, long pid)
{
    if (pid == 0)
        syscall(SYS_exit, 3);
    if (pid < 0)
        printf("%s: %s\n", how, error_name(errno));
    else
        printf("%s: %d\n", how, end_of((int)pid));
}

static void made(void)
{
    ends("fork", syscall(SYS_fork));
    ends("clone", syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    pid_t pid = vfork();
    if (pid == 0)
        _exit(4);
    printf("vfork: %d\n", end_of(pid));
    struct clone_args args;
    memset(&args, 0, sizeof args);
    args.exit_signal = SIGCHLD;
    ends("clone3", syscall(CLONE3, &args, sizeof args));
    ends("clone3 of 64 bytes", syscall(CLONE3, &args, 64));
    // The number is there or not: the child is.
    ends("clone, its number at 1", syscall(SYS_clone, SIGCHLD | CLONE_PARENT_SETTID, 0, 1, 0, 0));
    ends("clone, its number in it at 1", syscall(SYS_clone, SIGCHLD | CLONE_CHILD_SETTID, 0, 0, 1, 0));
    ends("clone, a pidfd at 1", syscall(SYS_clone, SIGCHLD | CLONE_PIDFD, 0, 1, 0, 0));
    ends("clone, a pidfd in constant memory", syscall(SYS_clone, SIGCHLD | CLONE_PIDFD, 0, rooms[0].constant, 0, 0));
}

static void clones(void)
{
    static const struct { const char *name; long flags; } wrong[] = {
        {"THREAD", CLONE_THREAD}, {"SIGHAND", CLONE_SIGHAND}, {"THREAD and SIGHAND", CLONE_THREAD | CLONE_SIGHAND},
        {"PIDFD and PARENT_SETTID", CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD},
        {"PIDFD and DETACHED", CLONE_PIDFD | CLONE_DETACHED | SIGCHLD},
    };
    for (size_t i = 0; i < conform_len(wrong); i++)
        probe("clone", wrong[i].name, DONE, SYS_clone, wrong[i].flags, 0, (long)rooms[0].data, 0, 0);
    struct clone_args args;
    memset(&args, 0, sizeof args);
    // Of a number there is no signal: no child comes of it.
    args.exit_signal = 65;
    const struct subject subjects[] = {
        {"clone3", CLONE3, DONE, {{IN, (long)&args, sizeof args}, {COUNT, sizeof args, 0}}, NULL},
    };
    conform(subjects, conform_len(subjects));
    static char longer[4200];
    memcpy(longer, &args, sizeof args);
    probe("clone3", "longer", DONE, CLONE3, (long)longer, 128);
    longer[120] = 1;
    probe("clone3", "longer, not zero", DONE, CLONE3, (long)longer, 128);
    static const struct { const char *name; struct clone_args args; } odd[] = {
        {"a signal in the flags", {.flags = SIGCHLD}},
        {"DETACHED", {.flags = CLONE_DETACHED, .exit_signal = SIGCHLD}},
        {"flag 40", {.flags = 1UL << 40, .exit_signal = SIGCHLD}},
        {"flag 63", {.flags = 1UL << 63, .exit_signal = SIGCHLD}},
        {"THREAD with a signal", {.flags = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, .exit_signal = SIGCHLD}},
        {"PARENT with a signal", {.flags = CLONE_PARENT, .exit_signal = SIGCHLD}},
        {"a stack of no size", {.stack = 4096, .exit_signal = SIGCHLD}},
        {"a size of no stack", {.stack_size = 4096, .exit_signal = SIGCHLD}},
        {"a stack of the kernel's", {.stack = 0xffff888000000000, .stack_size = 4096, .exit_signal = SIGCHLD}},
        {"SIGHAND", {.flags = CLONE_SIGHAND, .exit_signal = SIGCHLD}},
        {"a signal of 256", {.exit_signal = 256}},
        {"CLEAR_SIGHAND with SIGHAND", {.flags = CLONE_CLEAR_SIGHAND | CLONE_SIGHAND | CLONE_VM, .exit_signal = SIGCHLD}},
    };
    for (size_t i = 0; i < conform_len(odd); i++)
        probe("clone3", odd[i].name, DONE, CLONE3, (long)&odd[i].args, sizeof args);
}

// Whoever may have no more processes gets none.
static void limited(void)
{
    become_nobody();
    NEED(setrlimit(RLIMIT_NPROC, &(struct rlimit){0, 0}));
    ends("fork beyond the limit", syscall(SYS_fork));
    pid_t pid = vfork();
    if (pid == 0)
        _exit(4);
    printf("vfork beyond the limit: %s\n", pid < 0 ? error_name(errno) : "done");
    struct clone_args args;
    memset(&args, 0, sizeof args);
    args.exit_signal = SIGCHLD;
    ends("clone beyond the limit", syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
    ends("clone3 beyond the limit", syscall(CLONE3, &args, sizeof args));
}

static void executions(void)
{
    static char *argv[2] = {"program", NULL}, *envp[2] = {"A=B", NULL}, *bad[3] = {"program", (char *)1, NULL};
    int dir = NEED(open(".", O_RDONLY | O_DIRECTORY));
    // Neither a program nor a script.
    int out = NEED(open("garbage", O_WRONLY | O_CREAT, 0700));
    NEED(write(out, "\1\2\3\4 what is no program\n", 25));
    close(out);
    close(NEED(open("plain", O_WRONLY | O_CREAT, 0600)));
    NEED(mkdir("directory", 0700));
    NEED(symlink("garbage", "link"));
    NEED(symlink("loop", "loop"));
    const struct subject subjects[] = {
        {"execve", SYS_execve, DONE, {{NAME, (long)"garbage", 0}, {IN, (long)argv, 16}, {IN, (long)envp, 16}}, NULL},
        {"execveat", SYS_execveat, DONE,
         {{DESC, dir, 0}, {NAME, (long)"garbage", 0}, {IN, (long)argv, 16}, {IN, (long)envp, 16}, {BITS, 0, 1 << 16}}, NULL},
        {"execveat of a link", SYS_execveat, DONE, {{DESC, dir, 0}, {NAME, (long)"link", 0}, {KEEP, (long)argv, 0}, {KEEP, (long)envp, 0}, {BITS, 0, 1 << 16}}, NULL},
    };
    conform(subjects, conform_len(subjects));
    static const char *const files[] = {"plain", "directory", "none", "none/none", "garbage/none", "loop", "garbage/", "directory/", "/", "."};
    for (size_t i = 0; i < conform_len(files); i++) {
        probe("execve", files[i], DONE, SYS_execve, (long)files[i], (long)argv, (long)envp);
        probe("execveat", files[i], DONE, SYS_execveat, dir, (long)files[i], (long)argv, (long)envp, 0);
    }
    probe("execve", "an argument at 1", DONE, SYS_execve, (long)"garbage", (long)bad, (long)envp);
    probe("execve", "a variable at 1", DONE, SYS_execve, (long)"garbage", (long)argv, (long)bad);
    static char *many[70000];
    static char long_one[140000];
    memset(long_one, 'x', sizeof long_one - 1);
    char *one[2] = {long_one, NULL};
    probe("execve", "a string too long", DONE, SYS_execve, (long)"garbage", (long)one, (long)envp);
    for (size_t i = 0; i + 1 < conform_len(many); i++)
        many[i] = long_one + sizeof long_one - 300;
    probe("execve", "too much together", DONE, SYS_execve, (long)"garbage", (long)many, (long)envp);
    for (size_t i = 0; i < wrong_fd_count; i++)
        probe("execveat EMPTY_PATH", wrong_fds[i].name, DONE, SYS_execveat, wrong_fds[i].fd, (long)"", (long)argv, (long)envp, AT_EMPTY_PATH);
    unlink("loop");
    unlink("link");
    unlink("plain");
    unlink("garbage");
    rmdir("directory");
}

static void others(void)
{
    int pidfd = NEED((int)syscall(SYS_pidfd_open, getpid(), 0)), own = getpid();
    const struct subject subjects[] = {
        {"process_mrelease", PROCESS_MRELEASE, DONE, {{DESC, pidfd, 0}, {BITS, 0, 0}}, NULL},
        {"kcmp", SYS_kcmp, DONE, {{KEEP, own, 0}, {KEEP, own, 0}, {WORD, 0, 0}, {DESC, 1, 0}, {KEEP, 1, 0}}, NULL},
        {"kcmp EPOLL_TFD", SYS_kcmp, DONE, {{KEEP, own, 0}, {KEEP, own, 0}, {KEEP, 7, 0}, {KEEP, 1, 0}, {IN, (long)&(int[3]){1, 2, 3}, 12}}, NULL},
        {"seccomp", SYS_seccomp, DONE, {{WORD, 99, 0}, {BITS, 1 << 20, 0}, {KEEP, 1, 0}}, NULL},
    };
    conform(subjects, conform_len(subjects));
    unsigned action = SECCOMP_RET_ALLOW;
    probe("seccomp", "is allowing known", DONE, SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, (long)&action);
    action = 0x12345678;
    probe("seccomp", "is nothing known", DONE, SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, (long)&action);
    probe("seccomp", "is what is at 1 known", DONE, SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, 1);
    probe("kcmp", "of nobody", NUMBER, SYS_kcmp, own, 99999999, 0, 0, 0);
    probe("kcmp", "of descriptors that are not open", NUMBER, SYS_kcmp, own, own, 0, 777, 778);
    probe("personality", "as it is", NUMBER, SYS_personality, 0xffffffff);
    probe("personality", "16 bits of a time", NUMBER, SYS_personality, 0x0020000);
    probe("personality", "as it is now", NUMBER, SYS_personality, 0xffffffff);
    siginfo_t info;
    int child = NEED((int)syscall(SYS_fork));
    if (child == 0)
        waits_forever();
    int of_child = NEED((int)syscall(SYS_pidfd_open, child, 0));
    probe("process_mrelease", "of one that lives", DONE, PROCESS_MRELEASE, of_child, 0);
    probe("waitid", "nothing to tell", DONE, SYS_waitid, P_PID, child, (long)&info, WEXITED | WNOHANG, 0);
    probe("pidfd_send_signal", "65", DONE, PIDFD_SEND_SIGNAL, of_child, 65, 0, 0);
    probe("pidfd_send_signal", "KILL", DONE, PIDFD_SEND_SIGNAL, of_child, SIGKILL, 0, 0);
    printf("%d\n", end_of(child));
    probe("pidfd_send_signal", "to one that is gone", DONE, PIDFD_SEND_SIGNAL, of_child, 0, 0, 0);
    probe("process_mrelease", "of one that is gone", DONE, PROCESS_MRELEASE, of_child, 0);
    probe("kcmp", "of one that is gone", NUMBER, SYS_kcmp, own, child, 0, 0, 0);
    probe("wait4", "of no child", DONE, SYS_wait4, -1, 0, 0, 0);
    probe("wait4", "of no child, at 1", DONE, SYS_wait4, -1, 1, 0, 1);
    probe("wait4", "of INT_MIN", DONE, SYS_wait4, INT_MIN, 0, 0, 0);
    probe("waitid", "of no child", DONE, SYS_waitid, P_ALL, 0, 0, WEXITED, 0);
}

int main(void)
{
    conform_start();
    apart("made", made);
    apart("clones", clones);
    apart("limited", limited);
    apart("executions", executions);
    apart("others", others);
    return conform_done();
}
