// Namespaces, with wrong arguments and without the privilege.
// Raw calls: the C library makes no difference.
// km-test: links=static-musl,static-kontain
// km-test: timeout=60
#include "conform_child.h"
#include <sched.h>

// Those of which a process can have new ones, and what else it can have for itself.
static const struct { const char *name; long flag; } kinds[] = {
    {"NEWUTS", CLONE_NEWUTS}, {"NEWIPC", CLONE_NEWIPC}, {"NEWNS", CLONE_NEWNS}, {"NEWNET", CLONE_NEWNET}, {"NEWPID", CLONE_NEWPID},
    {"NEWCGROUP", 0x02000000}, {"FS", CLONE_FS}, {"FILES", CLONE_FILES}, {"SYSVSEM", CLONE_SYSVSEM}, {"nothing", 0},
};
static long flag;

static void one(void)
{
    probe("unshare", "", DONE, SYS_unshare, flag);
    probe("unshare", "again", DONE, SYS_unshare, flag);
}

static void wrong(void)
{
    static const long flags[] = {1, CLONE_VFORK, CLONE_PARENT, CLONE_PTRACE, CLONE_SETTLS, CLONE_UNTRACED, CLONE_DETACHED, CLONE_PIDFD, 1UL << 31, 0xff, -1};
    for (size_t i = 0; i < conform_len(flags); i++) {
        char how[32];
        snprintf(how, sizeof how, "%lx", flags[i]);
        probe("unshare", how, DONE, SYS_unshare, flags[i]);
        probe("setns of a file", how, DONE, SYS_setns, wrong_fds[2].fd, flags[i]);
    }
}

static void entered(void)
{
    int own = NEED(open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC)), pidfd = NEED((int)syscall(SYS_pidfd_open, getpid(), 0));
    const struct subject subjects[] = {
        {"setns", SYS_setns, DONE, {{DESC, own, 0}, {KEEP, CLONE_NEWUTS, 0}}, NULL},
        {"setns of any kind", SYS_setns, DONE, {{DESC, own, 0}, {KEEP, 0, 0}}, NULL},
    };
    conform(subjects, conform_len(subjects));
    for (size_t i = 0; i < conform_len(kinds); i++)
        if (kinds[i].flag != CLONE_NEWUTS && kinds[i].flag)
            probe("setns of another kind", kinds[i].name, DONE, SYS_setns, own, kinds[i].flag);
    probe("setns", "of a process, no kind", DONE, SYS_setns, pidfd, 0);
    probe("setns", "of a process, bit 0", DONE, SYS_setns, pidfd, 1);
    probe("setns", "of a process, FILES", DONE, SYS_setns, pidfd, CLONE_FILES);
}

static void as_nobody(void)
{
    become_nobody();
    int own = NEED(open("/proc/thread-self/ns/uts", O_RDONLY | O_CLOEXEC));
    for (size_t i = 0; i < conform_len(kinds); i++)
        probe("unshare of nobody", kinds[i].name, DONE, SYS_unshare, kinds[i].flag);
    probe("setns", "of nobody", DONE, SYS_setns, own, CLONE_NEWUTS);
    probe("setns", "of nobody, of none", DONE, SYS_setns, -1, CLONE_NEWUTS);
}

int main(void)
{
    conform_start();
    for (size_t i = 0; i < conform_len(kinds); i++) {
        flag = kinds[i].flag;
        apart(kinds[i].name, one);
    }
    apart("wrong", wrong);
    apart("entered", entered);
    apart("nobody", as_nobody);
    return conform_done();
}
