// Who and where one is: ids, names, the machine.
#include "check.h"
#include "files.h"
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

static char buf[512];

static void ids(void)
{
    /* In a pid namespace a leader from outside it has the number 0. */
    int parent = -1, group = -1, session = -1;
    const char *stat = strrchr(line_of("/proc/self/stat", buf, sizeof buf), ')');
    EQ("stat", stat ? sscanf(stat, ") %*c %d %d %d", &parent, &group, &session) : 0, 3);

    CHECK("pid", getpid() > 0);
    EQ("first thread", syscall(SYS_gettid), getpid());
    EQ("parent", getppid() - parent, 0);
    EQ("set_tid_address", syscall(SYS_set_tid_address, NULL), getpid());
    CHECK("process group", getpgrp() == group && getpgid(0) == group);
    CHECK("session", getsid(0) == session);
    ERR("process group of nobody", getpgid(0x3fffffff), ESRCH);

    uid_t ru, eu, su;
    gid_t rg, eg, sg;
    OK("getresuid", getresuid(&ru, &eu, &su));
    OK("getresgid", getresgid(&rg, &eg, &sg));
    CHECK("uids agree", ru == getuid() && eu == geteuid() && rg == getgid() && eg == getegid());
    OK("setresuid to the same", setresuid(ru, eu, su));
    OK("setresgid to the same", setresgid(rg, eg, sg));
    OK("setuid to the same", setuid(ru));
    int n = getgroups(0, NULL);
    CHECK("getgroups", n >= 0);
    gid_t groups[256];
    if (n > 0 && n <= 256)
        EQ("as many as said", getgroups(n, groups), n);
    if (n > 1)
        ERR("no room", getgroups(1, groups), EINVAL);
    EQ("file system uid", syscall(SYS_setfsuid, -1), geteuid());
    struct { unsigned version; int pid; } header = {0x20080522, 0};
    unsigned caps[6] = {0};
    OK("capget", syscall(SYS_capget, &header, caps));
}

static void names(void)
{
    struct utsname u;
    OK("uname", uname(&u));
    STR("sysname", u.sysname, "Linux");
    STR("machine", u.machine, "x86_64");
    CHECK("release", u.release[0] >= '1' && u.release[0] <= '9');
    STR("/proc ostype", line_of("/proc/sys/kernel/ostype", buf, sizeof buf), u.sysname);
    STR("/proc osrelease", line_of("/proc/sys/kernel/osrelease", buf, sizeof buf), u.release);
    STR("/proc version", line_of("/proc/sys/kernel/version", buf, sizeof buf), u.version);
    STR("/proc hostname", line_of("/proc/sys/kernel/hostname", buf, sizeof buf), u.nodename);
    char host[256];
    OK("gethostname", gethostname(host, sizeof host));
    STR("the same", host, u.nodename);

    char name[17] = {0};
    OK("PR_SET_NAME", prctl(PR_SET_NAME, "a-rather-long-thread-name"));
    OK("PR_GET_NAME", prctl(PR_GET_NAME, name));
    STR("cut to fifteen", name, "a-rather-long-t");
    STR("comm", line_of("/proc/self/comm", buf, sizeof buf), "a-rather-long-t");
    ERR("prctl unknown", prctl(12345, 0, 0, 0, 0), EINVAL);
    EQ("dumpable", prctl(PR_GET_DUMPABLE), 1);
    OK("no new privileges", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    EQ("read back", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
    EQ("personality", syscall(SYS_personality, 0xffffffffL) & 0xff, 0);
}

static void machine(void)
{
    struct sysinfo si;
    OK("sysinfo", sysinfo(&si));
    CHECK("memory", si.totalram > 0 && si.mem_unit > 0 && si.freeram <= si.totalram);
    CHECK("uptime and processes", si.uptime > 0 && si.procs > 0);
    EQ("page size", sysconf(_SC_PAGESIZE), 4096);
    long online = sysconf(_SC_NPROCESSORS_ONLN), configured = sysconf(_SC_NPROCESSORS_CONF);
    CHECK("processors", online >= 1 && configured >= online);
    cpu_set_t set;
    CPU_ZERO(&set);
    OK("sched_getaffinity", sched_getaffinity(0, sizeof set, &set));
    CHECK("some of them", CPU_COUNT(&set) >= 1 && CPU_COUNT(&set) <= configured);
    OK("sched_setaffinity to the same", sched_setaffinity(0, sizeof set, &set));
    CPU_ZERO(&set);
    ERR("to none", sched_setaffinity(0, sizeof set, &set), EINVAL);
    EQ("scheduler", syscall(SYS_sched_getscheduler, 0), 0);
    errno = 0;
    EQ("priority", getpriority(PRIO_PROCESS, 0) - (int)getpriority(PRIO_PROCESS, getpid()), 0);
    OK("nice", setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0)));
    EQ("highest priority of SCHED_FIFO", sched_get_priority_max(SCHED_FIFO), 99);
    ERR("of an unknown policy", sched_get_priority_max(99), EINVAL);
    CHECK("ioprio_get", syscall(SYS_ioprio_get, 1, 0) >= 0);
}

static void randomness(void)
{
    unsigned char a[256] = {0}, b[256] = {0};
    EQ("getrandom", syscall(SYS_getrandom, a, sizeof a, 0), sizeof a);
    EQ("again", syscall(SYS_getrandom, b, sizeof b, 0), sizeof b);
    CHECK("differs", memcmp(a, b, sizeof a) != 0);
    EQ("no waiting", syscall(SYS_getrandom, a, 1, 1), 1);
    ERR("unknown flags", syscall(SYS_getrandom, a, 1, 0x80), EINVAL);
    EQ("nothing", syscall(SYS_getrandom, a, 0, 0), 0);
    int fd = NEED(open("/dev/urandom", O_RDONLY));
    EQ("/dev/urandom", read(fd, a, sizeof a), sizeof a);
    CHECK("differs too", memcmp(a, b, sizeof a) != 0);
    close(fd);
}

int main(void)
{
    ids();
    names();
    machine();
    randomness();
    return check_done();
}
