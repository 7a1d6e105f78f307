// exec: what the process keeps and what is gone. The program runs itself.
#include "files.h"
#include "tasks.h"
#include <limits.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <xmmintrin.h>

extern char **environ;
static char self[PATH_MAX], *const no_env[] = {NULL};

static void nothing(int n) { (void)n; }

/* The low numbers are for what a program opens itself. */
static int put(int fd, int at, int flags)
{
    NEED(dup3(fd, at, flags));
    close(fd);
    return at;
}

static int keeps(void)
{
    int p[2];
    struct epoll_event ev = {.events = EPOLLIN, .data.u64 = 0x123456789abcdef0};
    NEED(pipe(p));
    NEED(write(p[1], "pipe", 4));
    put(p[0], 50, 0), put(p[1], 51, 0);
    put(NEED(open("data", O_RDWR | O_CREAT, 0600)), 52, 0);
    NEED(write(52, "0123456789", 10));
    NEED(lseek(52, 4, SEEK_SET));
    put(NEED(eventfd(3, 0)), 53, 0);
    put(NEED(epoll_create1(0)), 54, 0);
    NEED(epoll_ctl(54, EPOLL_CTL_ADD, 50, &ev));
    put(NEED(timerfd_create(CLOCK_MONOTONIC, 0)), 55, 0);
    NEED(timerfd_settime(55, 0, &(struct itimerspec){{0, 0}, {0, 1}}, NULL));
    sigset_t set = set_of(SIGUSR1);
    sigaddset(&set, SIGRTMIN);
    put(NEED(signalfd(-1, &set, 0)), 56, 0);
    put(NEED(dup(52)), 57, O_CLOEXEC);
    put(NEED(dup(52)), 58, 0);
    NEED(fcntl(58, F_SETFD, FD_CLOEXEC));

    sigprocmask(SIG_BLOCK, &set, NULL);
    kill(getpid(), SIGUSR1);
    for (int i = 1; i <= 3; i++)
        sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i});
    signal(SIGHUP, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
    signal(SIGUSR2, nothing);
    static char stack[65536];
    NEED(sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL));
    NEED(mkdir("sub", 0755));
    NEED(chdir("sub"));
    umask(027);
    NEED(setpgid(0, 0));
    NEED(setrlimit(RLIMIT_STACK, &(struct rlimit){3 << 20, RLIM_INFINITY}) == -1 &&
         setrlimit(RLIMIT_STACK, &(struct rlimit){3 << 20, 8 << 20}));
    NEED(setrlimit(RLIMIT_NOFILE, &(struct rlimit){111, 222}));
    NEED(nice(3));
    NEED(prctl(PR_SET_NAME, "another"));
    NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    NEED(prctl(PR_SET_PDEATHSIG, SIGUSR2));
    NEED(prctl(PR_SET_DUMPABLE, 0));
    alarm(1000);
    NEED(setitimer(ITIMER_VIRTUAL, &(struct itimerval){{0, 0}, {2000, 0}}, NULL));
    timer_t timer;
    NEED(timer_create(CLOCK_MONOTONIC, &(struct sigevent){.sigev_notify = SIGEV_NONE}, &timer));
    _mm_setcsr(0x5fc0);
    unsigned short word = 0x0c7f;
    __asm__ volatile("fldcw %0" : : "m"(word));
    char id[20];
    snprintf(id, sizeof id, "%d", getpid());
    char *const argv[] = {"keeps", id, NULL};
    return execve(self, argv, no_env);
}

static void descriptors(void)
{
    char buf[16] = {0};
    uint64_t count = 0;
    struct epoll_event ev;
    EQ("epoll keeps its list", epoll_wait(54, &ev, 1, 0), 1);
    EQ("and its data", ev.data.u64, 0x123456789abcdef0);
    EQ("pipe", read(50, buf, sizeof buf), 4);
    EQ("epoll still watches", epoll_wait(54, &ev, 1, 0), 0);
    EQ("its other end", write(51, "x", 1), 1);
    EQ("offset", lseek(52, 0, SEEK_CUR), 4);
    EQ("eventfd", read(53, &count, 8) == 8 ? count : 0, 3);
    EQ("timerfd", read(55, &count, 8) == 8 ? count : 0, 1);
    ERR("close-on-exec", fcntl(57, F_GETFD), EBADF);
    ERR("set by fcntl", fcntl(58, F_GETFD), EBADF);
    struct signalfd_siginfo info;
    EQ("signalfd, standard signal", read(56, &info, sizeof info) > 0 ? info.ssi_signo : 0, SIGUSR1);
    for (int i = 1; i <= 3; i++)
        EQ("queued signal", read(56, &info, sizeof info) > 0 ? info.ssi_int : 0, i);
}

static void see_kept(char **argv)
{
    char buf[PATH_MAX];
    struct sigaction act;
    sigset_t set;
    stack_t stack;
    struct rlimit limit;
    struct itimerval timer;
    unsigned short word;
    unsigned csr = _mm_getcsr();
    __asm__ volatile("fnstcw %0" : "=m"(word));
    EQ("MXCSR is fresh", csr & ~0x3fu, 0x1f80);
    EQ("x87 control word is fresh", word, 0x37f);
    EQ("same process", getpid(), atoi(argv[1]));
    EQ("its first thread", tid(), getpid());
    sigprocmask(SIG_BLOCK, NULL, &set);
    CHECK("mask", sigismember(&set, SIGUSR1) && sigismember(&set, SIGRTMIN) && !sigismember(&set, SIGUSR2));
    sigpending(&set);
    CHECK("pending", sigismember(&set, SIGUSR1) && sigismember(&set, SIGRTMIN));
    sigaction(SIGHUP, NULL, &act);
    CHECK("ignored stays ignored", act.sa_handler == SIG_IGN);
    sigaction(SIGCHLD, NULL, &act);
    CHECK("SIGCHLD, too", act.sa_handler == SIG_IGN);
    EQ("really", raise(SIGHUP), 0);
    sigaction(SIGUSR2, NULL, &act);
    CHECK("handled becomes default", act.sa_handler == SIG_DFL);
    sigaltstack(NULL, &stack);
    EQ("no alternate stack", stack.ss_flags, SS_DISABLE);
    CHECK("directory", getcwd(buf, sizeof buf) && !strcmp(strrchr(buf, '/'), "/sub"));
    EQ("umask", umask(0), 027);
    EQ("process group", getpgrp(), getpid());
    getrlimit(RLIMIT_STACK, &limit);
    EQ("RLIMIT_STACK", limit.rlim_cur, 3 << 20);
    getrlimit(RLIMIT_NOFILE, &limit);
    CHECK("RLIMIT_NOFILE", limit.rlim_cur == 111 && limit.rlim_max == 222);
    EQ("nice", getpriority(PRIO_PROCESS, 0) - getpriority(PRIO_PROCESS, getppid()), 3);
    STR("name is the file's", line_of("/proc/self/comm", buf, sizeof buf), "exec_keeps");
    EQ("NO_NEW_PRIVS", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
    int death = 0;
    prctl(PR_GET_PDEATHSIG, &death);
    EQ("PDEATHSIG", death, SIGUSR2);
    EQ("dumpable again", prctl(PR_GET_DUMPABLE), 1);
    unsigned left = alarm(LIMIT);
    CHECK("alarm goes on", left > 800 && left <= 1000);
    getitimer(ITIMER_VIRTUAL, &timer);
    CHECK("interval timer goes on", timer.it_value.tv_sec > 1000);
    EQ("environment is empty", environ[0] == NULL, 1);
    descriptors();
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        see_kept(argv);
        return check_failures;
    }
    tasks_begin();
    NEED(readlink("/proc/self/exe", self, sizeof self - 1));
    EQ("kept", child_end(keeps), 0);
    rmdir("sub");
    unlink("data");
    return check_done();
}
