// What a process is allowed and called: prctl, users, groups, capabilities, limits of another. Changes are made in
// children.
#include "files.h"
#include "tasks.h"
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <sys/prctl.h>

static int ends[2];
static char self[PATH_MAX];

static int middle_dies(void)
{
    // The grandchild is told of its parent's death.
    pid_t pid = fork_child();
    if (pid == 0) {
        block(SIGUSR1);
        sigset_t set = set_of(SIGUSR1);
        siginfo_t info;
        int death = 0;
        prctl(PR_SET_PDEATHSIG, SIGUSR1);
        prctl(PR_GET_PDEATHSIG, &death);
        NEED(write(ends[1], "r", 1));
        char told = sigwaitinfo(&set, &info) == SIGUSR1 && death == SIGUSR1 ? 'y' : 'n';
        NEED(write(ends[1], &told, 1));
        _exit(0);
    }
    char byte;
    NEED(read(ends[0], &byte, 1));
    return 3;
}

static int inherited(void)
{
    int death = -1, reaper = -1;
    prctl(PR_GET_PDEATHSIG, &death);
    EQ("PDEATHSIG is not inherited", death, 0);
    prctl(PR_GET_CHILD_SUBREAPER, &reaper);
    EQ("CHILD_SUBREAPER neither", reaper, 0);
    EQ("NO_NEW_PRIVS is", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
    char name[16] = "";
    prctl(PR_GET_NAME, name);
    STR("the name, too", name, "a name");
    return 0;
}

static int options(void)
{
    int value = -1;
    OK("NAME", prctl(PR_SET_NAME, "a name"));
    OK("PDEATHSIG", prctl(PR_SET_PDEATHSIG, SIGUSR2));
    ERR("no such signal", prctl(PR_SET_PDEATHSIG, 65), EINVAL);
    OK("CHILD_SUBREAPER", prctl(PR_SET_CHILD_SUBREAPER, 1));
    OK("asked", prctl(PR_GET_CHILD_SUBREAPER, &value));
    EQ("set", value, 1);
    EQ("NO_NEW_PRIVS", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ERR("it cannot be taken back", prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
    OK("DUMPABLE", prctl(PR_SET_DUMPABLE, 0));
    EQ("asked", prctl(PR_GET_DUMPABLE), 0);
    ERR("a value too many", prctl(PR_SET_DUMPABLE, 5), EINVAL);
    prctl(PR_SET_DUMPABLE, 1);
    OK("SECUREBITS", prctl(PR_GET_SECUREBITS));
    OK("TIMERSLACK", prctl(PR_SET_TIMERSLACK, 123456));
    EQ("asked", prctl(PR_GET_TIMERSLACK), 123456);
    EQ("KEEPCAPS", prctl(PR_GET_KEEPCAPS), 0);
    ERR("unknown", prctl(54321, 0, 0, 0, 0), EINVAL);
    EQ("a child", child_end(inherited), 0);
    return 0;
}

static int ready[2];

static int waits_for_limits(void)
{
    char byte;
    struct rlimit limit;
    NEED(write(ready[1], "r", 1));
    NEED(read(ends[0], &byte, 1));
    getrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur == 33 && limit.rlim_max > 44 ? 4 : 5;
}

static void limits(void)
{
    struct rlimit old, now;
    char byte;
    NEED(pipe(ready));
    pid_t pid = child(waits_for_limits);
    NEED(read(ready[0], &byte, 1));
    OK("asked before", syscall(SYS_prlimit64, pid, RLIMIT_NOFILE, NULL, &now));
    now.rlim_cur = 33;
    OK("prlimit of a child", syscall(SYS_prlimit64, pid, RLIMIT_NOFILE, &now, &old));
    CHECK("the old one", old.rlim_cur > 44);
    OK("asked", syscall(SYS_prlimit64, pid, RLIMIT_NOFILE, NULL, &old));
    CHECK("the new one", old.rlim_cur == 33 && old.rlim_max == now.rlim_max);
    NEED(write(ends[1], "x", 1));
    EQ("it has it", end_of(pid), 4);
    ERR("of nobody", syscall(SYS_prlimit64, 0x3fffffff, RLIMIT_NOFILE, NULL, &old), ESRCH);
    ERR("soft over hard", setrlimit(RLIMIT_CORE, &(struct rlimit){5, 4}), EINVAL);
    ERR("which", syscall(SYS_prlimit64, 0, 99, NULL, &old), EINVAL);
}

static void *sees_users(void *arg)
{
    char byte;
    NEED(read(*(int *)arg, &byte, 1));
    return (void *)(long)(getuid() == 65534 && geteuid() == 65534 && getgid() == 65534);
}

static int execs(void)
{
    execl("./copy", "copy", "who", NULL);
    return 98;
}

static int drops(void)
{
    uid_t r, e, s;
    int p[2];
    pthread_t t[3];
    NEED(pipe(p));
    for (int i = 0; i < 3; i++)
        t[i] = thread(sees_users, &p[0]);
    OK("setgroups", setgroups(0, NULL));
    OK("setresgid", setresgid(65534, 65534, 65534));
    OK("setresuid", setresuid(65534, 65534, 65534));
    getresuid(&r, &e, &s);
    CHECK("dropped", r == 65534 && e == 65534 && s == 65534 && getgroups(0, NULL) == 0);
    NEED(write(p[1], "xxx", 3));
    for (int i = 0; i < 3; i++)
        EQ("in another thread, too", join(t[i]), 1);
    ERR("no way back", setresuid(0, 0, 0), EPERM);
    ERR("nor by setuid", setuid(0), EPERM);
    ERR("a file of root's", open("secret", O_RDONLY), EACCES);
    EQ("fork and exec", child_end(execs), 31);
    return 0;
}

static int capabilities(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    OK("capget", syscall(SYS_capget, &header, data));
    data[0].effective &= ~(1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH | 1u << CAP_SETUID);
    data[0].permitted &= ~(1u << CAP_SETUID);
    OK("capset", syscall(SYS_capset, &header, data));
    OK("asked", syscall(SYS_capget, &header, data));
    CHECK("as set", !(data[0].effective >> CAP_DAC_OVERRIDE & 1) && !(data[0].permitted >> CAP_SETUID & 1));
    ERR("another user", setresuid(1, 1, 1), EPERM);
    data[0].permitted |= 1u << CAP_SETUID;
    ERR("more than permitted", syscall(SYS_capset, &header, data), EPERM);
    header.version = 1;
    ERR("version", syscall(SYS_capget, &header, data), EINVAL);
    EQ("the one to use", header.version, _LINUX_CAPABILITY_VERSION_3);
    OK("CAPBSET_DROP", prctl(PR_CAPBSET_DROP, CAP_NET_RAW));
    EQ("CAPBSET_READ", prctl(PR_CAPBSET_READ, CAP_NET_RAW), 0);
    ERR("no such capability", prctl(PR_CAPBSET_READ, 1000), EINVAL);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "who"))
        return getuid() == 65534 && geteuid() == 65534 && getegid() == 65534 && getgroups(0, NULL) == 0 ? 31 : 32;
    tasks_begin();
    umask(022);
    NEED(pipe(ends));
    NEED(readlink("/proc/self/exe", self, sizeof self - 1));
    EQ("options", child_end(options), 0);
    char byte;
    EQ("in the middle", child_end(middle_dies), 3);
    NEED(read(ends[0], &byte, 1));
    EQ("told of the parent's death", byte, 'y');
    limits();
    if (geteuid() != 0) {
        SKIP("users", "not root");
        return check_done();
    }
    // A directory anybody may use, wherever it lies.
    NEED(mkdir("open", 0755));
    NEED(chdir("open"));
    close(copy_file(self, "copy", 0755));
    close(NEED(open("secret", O_WRONLY | O_CREAT, 0600)));
    EQ("users", child_end(drops), 0);
    EQ("capabilities", child_end(capabilities), 0);
    unlink("copy");
    unlink("secret");
    NEED(chdir(".."));
    rmdir("open");
    return check_done();
}
