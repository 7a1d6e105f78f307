// Processes, identity, scheduling, signals, clocks and timers, with wrong arguments.
// Raw calls: the C library makes no difference.
// km-test: links=static-musl,static-kontain
// km-test: timeout=60
#include "conform.h"
#include <asm/prctl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>

static int child, timer;

// A child that has ended and waits to be asked about.
static void ended(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0) {}
    child = (int)syscall(SYS_fork);
    if (child == 0)
        _exit(3);
    siginfo_t info;
    waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
}

static void pending(void)
{
    syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1);
}

static void stopped(void)
{
    struct itimerspec off = {{0, 0}, {0, 0}};
    syscall(SYS_timer_settime, timer, 0, &off, NULL);
}

static void refused(void)
{
    static const struct { const char *name; long nr; } calls[] = {
        {"add_key", SYS_add_key}, {"io_uring_setup", SYS_io_uring_setup},
    };
    // The host may have them: what km says is in the table, and that a bad argument makes no difference is all there is to see.
    for (size_t i = 0; i < conform_len(calls); i++) {
        long got = syscall(calls[i].nr, 0, 0, 0, 0, 0);
        printf("%s: %s\n", calls[i].name, got == -1 ? "refused" : "done");
    }
    probe("no such call", "1000", NUMBER, 1000);
    probe("no such call", "-1", NUMBER, -1);
    probe("no such call", "335 and more", NUMBER, 400);
}

static void prctls(void)
{
    for (int op = 0; op < 80; op++) {
        char how[24];
        // Those that change the program, or that not every kernel has: the others only ask, or refuse.
        if (op == PR_SET_MM || op == PR_SET_SECCOMP || op == PR_SET_PDEATHSIG || op == PR_SET_TSC || (op >= 20 && op <= 22) || op == PR_SET_DUMPABLE
            || op == PR_CAPBSET_DROP || op == PR_SET_NAME || op == PR_SET_SECUREBITS || op == PR_MCE_KILL || op == PR_SET_TAGGED_ADDR_CTRL || op == 41 || op == 59 || op > 77)
            continue;
        snprintf(how, sizeof how, "%d", op);
        probe("prctl at 1", how, DONE, SYS_prctl, op, 1, 0, 0, 1);
    }
    probe("prctl", "-1", DONE, SYS_prctl, -1);
    probe("PR_SET_PDEATHSIG", "65", DONE, SYS_prctl, PR_SET_PDEATHSIG, 65);
    probe("PR_SET_DUMPABLE", "2", DONE, SYS_prctl, PR_SET_DUMPABLE, 2);
    probe("PR_SET_NAME", "at 1", DONE, SYS_prctl, PR_SET_NAME, 1);
    probe("PR_SET_NAME", "NULL", DONE, SYS_prctl, PR_SET_NAME, 0);
    probe("PR_GET_NAME", "constant", DONE, SYS_prctl, PR_GET_NAME, (long)rooms[0].constant);
    probe("PR_SET_NO_NEW_PRIVS", "2", DONE, SYS_prctl, PR_SET_NO_NEW_PRIVS, 2, 0, 0, 0);
    probe("PR_SET_NO_NEW_PRIVS", "with more", DONE, SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0);
    for (int op = 0x1000; op < 0x1006; op++)
        if (op != ARCH_SET_GS && op != ARCH_SET_FS)
            probe("arch_prctl", "at 1", DONE, SYS_arch_prctl, op, 1);
    probe("arch_prctl", "FS of the kernel", DONE, SYS_arch_prctl, ARCH_SET_FS, -4096);
    probe("arch_prctl", "GS not canonical", DONE, SYS_arch_prctl, ARCH_SET_GS, 1L << 47);
    probe("arch_prctl", "0", DONE, SYS_arch_prctl, 0, 0);
}

int main(void)
{
    conform_start();
    int status, pidfd = NEED((int)syscall(SYS_pidfd_open, getpid(), 0));
    struct rusage usage;
    siginfo_t info, own;
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    struct __user_cap_header_struct caps = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    struct sched_param param = {0};
    struct timespec none = {0, 0}, got;
    struct itimerspec once = {{0, 0}, {1000, 0}}, was;
    struct itimerval interval = {{0, 0}, {0, 0}}, before;
    struct sigevent event;
    struct tms all;
    struct timeval now;
    unsigned long set = 1UL << (SIGUSR1 - 1), old, cpus[128];
    struct { unsigned long handler, flags, restorer, mask; } action = {0, 0x04000000, 1, 0};
    stack_t stack = {.ss_sp = rooms[5].data, .ss_size = ROOM};
    int id;
    memset(&own, 0, sizeof own);
    own.si_code = -1;
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_NONE;
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, 8);
    NEED((int)syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &timer));

    const struct subject subjects[] = {
        {"wait4", SYS_wait4, DONE, {{KEEP, -1, 0}, {OUT, (long)&status, 4}, {BITS, 0, 0}, {OUT, (long)&usage, sizeof usage}}, ended},
        {"waitid", SYS_waitid, DONE,
         {{WORD, P_ALL, 5}, {KEEP, 0, 0}, {OUT, (long)&info, sizeof info}, {BITS, WEXITED | WNOHANG, 0}, {OUT, (long)&usage, sizeof usage}}, ended},
        {"waitid of a pidfd", SYS_waitid, DONE, {{KEEP, 3, 0}, {DESC, pidfd, 0}, {KEEP, 0, 0}, {KEEP, WEXITED | WNOHANG, 0}, {KEEP, 0, 0}}, NULL},
        {"pidfd_open", SYS_pidfd_open, NEWFD, {{KEEP, getpid(), 0}, {BITS, 0, 0}}, NULL},
        {"pidfd_send_signal", SYS_pidfd_send_signal, DONE, {{DESC, pidfd, 0}, {KEEP, 0, 0}, {IN, (long)&own, sizeof own}, {BITS, 0, 0}}, NULL},
        {"getrusage", SYS_getrusage, DONE, {{WORD, 0, 4}, {OUT, (long)&usage, sizeof usage}}, NULL},
        {"getrlimit", SYS_getrlimit, DONE, {{WORD, RLIMIT_CORE, 20}, {OUT, (long)&limit, 16}}, NULL},
        {"setrlimit", SYS_setrlimit, DONE, {{KEEP, RLIMIT_RTTIME, 0}, {IN, (long)&limit, 16}}, NULL},
        {"prlimit64", SYS_prlimit64, DONE, {{KEEP, 0, 0}, {WORD, RLIMIT_RTTIME, 1}, {IN, (long)&limit, 16}, {OUT, (long)&limit, 16}}, NULL},
        {"capget", SYS_capget, DONE, {{INOUT, (long)&caps, 8}, {OUT, (long)data, sizeof data}}, NULL},
        {"sched_getparam", SYS_sched_getparam, DONE, {{KEEP, 0, 0}, {OUT, (long)&param, 4}}, NULL},
        {"sched_setparam", SYS_sched_setparam, DONE, {{KEEP, 0, 0}, {IN, (long)&param, 4}}, NULL},
        {"sched_setscheduler", SYS_sched_setscheduler, DONE, {{KEEP, 0, 0}, {KEEP, 0, 0}, {IN, (long)&param, 4}}, NULL},
        {"sched_get_priority_max", SYS_sched_get_priority_max, NUMBER, {{WORD, 0, 9}}, NULL},
        {"sched_rr_get_interval", SYS_sched_rr_get_interval, DONE, {{KEEP, 0, 0}, {OUT, (long)&got, 16}}, NULL},
        {"sched_getaffinity", SYS_sched_getaffinity, DONE, {{KEEP, 0, 0}, {COUNT32, 1024, 0}, {OUT, (long)cpus, 1024}}, NULL},
        {"getpriority", SYS_getpriority, DONE, {{WORD, 0, 4}, {KEEP, 0, 0}}, NULL},
        {"ioprio_get", SYS_ioprio_get, DONE, {{WORD, 1, 5}, {KEEP, 0, 0}}, NULL},
        {"getgroups", SYS_getgroups, DONE, {{KEEP, 0, 0}, {KEEP, 1, 0}}, NULL},
        {"times", SYS_times, DONE, {{OUT, (long)&all, sizeof all}}, NULL},
        {"uname", SYS_uname, DONE, {{OUT, (long)rooms[4].data, 390}}, NULL},
        {"sysinfo", SYS_sysinfo, DONE, {{OUT, (long)rooms[4].data, 112}}, NULL},
        {"getcpu", SYS_getcpu, DONE, {{OUT, (long)&id, 4}, {OUT, (long)&id, 4}, {KEEP, 1, 0}}, NULL},
        {"set_robust_list", SYS_set_robust_list, DONE, {{KEEP, 0, 0}, {COUNT, 24, 0}}, NULL},
        {"get_robust_list", SYS_get_robust_list, DONE, {{KEEP, 0, 0}, {OUT, (long)cpus, 8}, {OUT, (long)&old, 8}}, NULL},
        {"membarrier", SYS_membarrier, DONE, {{WORD, 0, 0}, {BITS, 0, 0}, {KEEP, 0, 0}}, NULL},
        {"rt_sigaction", SYS_rt_sigaction, DONE,
         {{WORD, SIGUSR2, 66}, {IN, (long)&action, 32}, {OUT, (long)rooms[4].data, 32}, {COUNT, 8, 0}}, NULL},
        {"rt_sigprocmask", SYS_rt_sigprocmask, DONE, {{WORD, SIG_BLOCK, 5}, {IN, (long)&set, 8}, {OUT, (long)&old, 8}, {COUNT, 8, 0}}, NULL},
        {"rt_sigpending", SYS_rt_sigpending, DONE, {{OUT, (long)&old, 8}, {COUNT, 8, 0}}, NULL},
        {"rt_sigtimedwait", SYS_rt_sigtimedwait, NUMBER,
         {{IN, (long)&set, 8}, {OUT, (long)&info, sizeof info}, {IN, (long)&none, 16}, {COUNT, 8, 0}}, pending},
        {"rt_sigqueueinfo", SYS_rt_sigqueueinfo, DONE, {{KEEP, getpid(), 0}, {KEEP, 0, 0}, {IN, (long)&own, sizeof own}}, NULL},
        {"rt_tgsigqueueinfo", SYS_rt_tgsigqueueinfo, DONE, {{KEEP, getpid(), 0}, {KEEP, getpid(), 0}, {KEEP, 0, 0}, {IN, (long)&own, sizeof own}}, NULL},
        {"sigaltstack", SYS_sigaltstack, DONE, {{IN, (long)&stack, sizeof stack}, {OUT, (long)rooms[4].data, 24}}, NULL},
        {"clock_gettime", SYS_clock_gettime, DONE, {{WORD, CLOCK_MONOTONIC, 16}, {OUT, (long)&got, 16}}, NULL},
        {"clock_getres", SYS_clock_getres, DONE, {{WORD, CLOCK_MONOTONIC, 16}, {OUT, (long)&got, 16}}, NULL},
        {"clock_nanosleep", SYS_clock_nanosleep, DONE, {{WORD, CLOCK_MONOTONIC, 16}, {BITS, 0, 0}, {IN, (long)&none, 16}, {OUT, (long)&got, 16}}, NULL},
        {"nanosleep", SYS_nanosleep, DONE, {{IN, (long)&none, 16}, {OUT, (long)&got, 16}}, NULL},
        {"gettimeofday", SYS_gettimeofday, DONE, {{OUT, (long)&now, 16}, {OUT, (long)cpus, 8}}, NULL},
        {"time", SYS_time, DONE, {{OUT, (long)&old, 8}}, NULL},
        {"timer_create", SYS_timer_create, DONE, {{WORD, CLOCK_MONOTONIC, 16}, {IN, (long)&event, sizeof event}, {OUT, (long)&id, 4}}, NULL},
        {"timer_settime", SYS_timer_settime, DONE, {{KEEP, timer, 0}, {BITS, 0, 0}, {IN, (long)&once, 32}, {OUT, (long)&was, 32}}, stopped},
        {"timer_gettime", SYS_timer_gettime, DONE, {{KEEP, timer, 0}, {OUT, (long)&was, 32}}, NULL},
        {"getitimer", SYS_getitimer, DONE, {{WORD, 1, 4}, {OUT, (long)&before, 32}}, NULL},
        {"setitimer", SYS_setitimer, DONE, {{KEEP, 1, 0}, {IN, (long)&interval, 32}, {OUT, (long)&before, 32}}, NULL},
    };
    conform(subjects, conform_len(subjects));

    static const long nobody[] = {-1, -2, 99999999, INT_MAX, INT_MIN};
    for (size_t i = 0; i < conform_len(nobody); i++) {
        char how[24];
        snprintf(how, sizeof how, "of %ld", nobody[i]);
        probe("waitid", how, DONE, SYS_waitid, P_PID, nobody[i], 1, WEXITED | WNOHANG, 1);
        probe("setpgid", how, DONE, SYS_setpgid, nobody[i], 0);
        probe("setpgid to", how, DONE, SYS_setpgid, 0, nobody[i]);
        probe("getpgid", how, DONE, SYS_getpgid, nobody[i]);
        probe("getsid", how, DONE, SYS_getsid, nobody[i]);
        probe("pidfd_open", how, NEWFD, SYS_pidfd_open, nobody[i], 0);
        probe("prlimit64", how, DONE, SYS_prlimit64, nobody[i], 0, 1, 1);
        probe("sched_getscheduler", how, DONE, SYS_sched_getscheduler, nobody[i]);
        probe("sched_getparam", how, DONE, SYS_sched_getparam, nobody[i], 1);
        probe("sched_getaffinity", how, DONE, SYS_sched_getaffinity, nobody[i], 8, 1);
        probe("tkill", how, DONE, SYS_tkill, nobody[i], 0);
        probe("tgkill", how, DONE, SYS_tgkill, getpid(), nobody[i], 0);
        probe("tgkill of", how, DONE, SYS_tgkill, nobody[i], getpid(), 0);
        probe("get_robust_list", how, DONE, SYS_get_robust_list, nobody[i], 1, 1);
        probe("timer_delete", how, DONE, SYS_timer_delete, nobody[i]);
        probe("timer_gettime", how, DONE, SYS_timer_gettime, nobody[i], 1);
        probe("timer_settime", how, DONE, SYS_timer_settime, nobody[i], 0, 1, 0);
        probe("timer_getoverrun", how, DONE, SYS_timer_getoverrun, nobody[i]);
    }
    probe("kill", "65", DONE, SYS_kill, getpid(), 65);
    probe("kill", "of INT_MIN", DONE, SYS_kill, INT_MIN, 0);
    probe("tgkill", "-1", DONE, SYS_tgkill, getpid(), getpid(), -1);
    struct timespec wrong = {0, 1000000000}, minus = {-1, 0};
    probe("nanosleep", "wrong nanoseconds", DONE, SYS_nanosleep, (long)&wrong, 1);
    probe("nanosleep", "negative", DONE, SYS_nanosleep, (long)&minus, 1);
    probe("clock_nanosleep", "negative", DONE, SYS_clock_nanosleep, CLOCK_REALTIME, 0, (long)&minus, 1);
    probe("clock_nanosleep", "wrong clock, at 1", DONE, SYS_clock_nanosleep, 99, 0, 1, 1);
    probe("clock_nanosleep", "of this thread", DONE, SYS_clock_nanosleep, CLOCK_THREAD_CPUTIME_ID, 0, 1, 1);
    for (int notify = -1; notify < 8; notify++)
        for (int number = -1; number < 67; number += 11) {
            event.sigev_notify = notify;
            event.sigev_signo = number;
            probe("timer_create", "of another kind", DONE, SYS_timer_create, CLOCK_MONOTONIC, (long)&event, (long)&id);
        }
    stack.ss_size = 100;
    probe("sigaltstack", "small", DONE, SYS_sigaltstack, (long)&stack, 0);
    stack.ss_flags = 8;
    probe("sigaltstack", "wrong flags", DONE, SYS_sigaltstack, (long)&stack, 0);
    prctls();
    refused();
    return conform_done();
}
