// fork and the ways to wait: what is private, what is shared, how a child ends, who inherits it.
#include "tasks.h"
#include <sys/mman.h>
#include <sys/prctl.h>

static volatile int global = 1;
static int *heap, ends[2], file;

static int changes(void)
{
    EQ("child sees", global + *heap, 3);
    global = 10;
    *heap = 20;
    char buf[4] = "";
    EQ("child reads", read(file, buf, 3), 3);
    STR("child's part", buf, "abc");
    NEED(fcntl(file, F_SETFL, O_APPEND));
    NEED(fcntl(file, F_SETFD, FD_CLOEXEC));
    close(ends[0]);
    close(ends[1]);
    return global + *heap;
}

static void privacy(void)
{
    volatile int local = 3;
    heap = malloc(sizeof *heap);
    *heap = 2;
    file = NEED(open("file", O_RDWR | O_CREAT, 0600));
    NEED(write(file, "abcdef", 6));
    NEED(lseek(file, 0, SEEK_SET));
    NEED(pipe(ends));
    EQ("child's code", child_end(changes), 30);
    EQ("memory is private", global + *heap + local, 6);
    EQ("the offset is shared", lseek(file, 0, SEEK_CUR), 3);
    EQ("so are its flags", fcntl(file, F_GETFL) & O_APPEND, O_APPEND);
    EQ("the descriptor's are not", fcntl(file, F_GETFD), 0);
    EQ("closed only there", write(ends[1], "x", 1), 1);
    NEED(unlink("file"));
    // The parent's changes are not the child's either.
    fflush(stdout);
    pid_t pid = fork_child();
    if (pid == 0) {
        char byte;
        NEED(read(ends[0], &byte, 1));
        NEED(read(ends[0], &byte, 1));
        _exit(global * 10 + local);
    }
    global = 5;
    local = 6;
    NEED(write(ends[1], "y", 1));
    EQ("as at the fork", end_of(pid), 13);
    global = 1;
}

static int code, number;
static int exits(void) { _exit(code); }
static int dies(void)
{
    raise(number);
    return 0;
}
static int faults(void)
{
    volatile int *volatile nowhere = (int *)8;
    *nowhere = 1;
    return 0;
}
static int aborts(void) { abort(); }
static int leaves(void) { exit(9); }

static void endings(void)
{
    static const int codes[] = {0, 1, 42, 255, 256, -1}, wanted[] = {0, 1, 42, 255, 0, 255};
    static const int signals[] = {SIGKILL, SIGTERM, SIGHUP, SIGPIPE, SIGUSR1};
    for (int i = 0; i < 6; i++) {
        code = codes[i];
        EQ("exit code", child_end(exits), wanted[i]);
    }
    for (int i = 0; i < 5; i++) {
        number = signals[i];
        EQ("died of", child_end(dies) - 1000, number);
    }
    EQ("fault", child_end(faults), 1000 + SIGSEGV);
    EQ("abort", child_end(aborts), 1000 + SIGABRT);
    EQ("exit", child_end(leaves), 9);
}

static int who(void)
{
    pid_t ids[4] = {getpid(), getppid(), tid(), getpgrp()};
    return write(ends[1], ids, sizeof ids) != sizeof ids;
}

static int waits_for_byte(void)
{
    char byte;
    return read(ends[0], &byte, 1) != 1;
}

static void waits(void)
{
    struct rusage usage;
    siginfo_t info;
    pid_t ids[4], pid;
    int status = 77;
    code = 0;
    pid = child(exits);
    memset(&usage, 0xff, sizeof usage);
    EQ("wait4", wait4(pid, &status, 0, &usage), pid);
    EQ("status", status, 0);
    CHECK("rusage", usage.ru_maxrss >= 0 && usage.ru_utime.tv_usec < 1000000 && usage.ru_nswap == 0);
    pid = child(who);
    NEED(read(ends[0], ids, sizeof ids));
    CHECK("ids", ids[0] == pid && ids[1] == getpid() && ids[2] == pid && ids[3] == getpgrp());
    EQ("pid 0: my group", waitpid(0, NULL, 0), pid);

    pid = child(waits_for_byte);
    EQ("WNOHANG", waitpid(pid, &status, WNOHANG), 0);
    memset(&info, 0, sizeof info);
    OK("waitid, WNOHANG", waitid(P_PID, pid, &info, WEXITED | WNOHANG));
    EQ("nobody", info.si_pid, 0);
    NEED(write(ends[1], "x", 1));
    for (int i = 0; i < 2; i++) {
        OK("WNOWAIT", waitid(P_ALL, 0, &info, WEXITED | WNOWAIT));
        CHECK("siginfo", info.si_pid == pid && info.si_signo == SIGCHLD && info.si_code == CLD_EXITED &&
                             info.si_status == 0 && info.si_uid == getuid());
    }
    EQ("signal 0 to a zombie", kill(pid, 0), 0);
    OK("P_PID", waitid(P_PID, pid, &info, WEXITED));
    ERR("gone", kill(pid, 0), ESRCH);
    ERR("waited for already", waitpid(pid, NULL, 0), ECHILD);

    number = SIGTERM;
    pid = child(dies);
    OK("P_PGID", waitid(P_PGID, getpgrp(), &info, WEXITED));
    CHECK("killed", info.si_pid == pid && info.si_code == CLD_KILLED && info.si_status == SIGTERM);
    code = 5;
    pid = child(exits);
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    OK("pidfd_open", pidfd);
    OK("P_PIDFD", waitid((idtype_t)3, pidfd, &info, WEXITED));
    EQ("its code", info.si_status, 5);
    close(pidfd);
    ERR("nothing to wait for", waitid(P_ALL, 0, &info, 0), EINVAL);
    ERR("unknown option", waitpid(-1, NULL, 0x10000), EINVAL);
    ERR("no children", waitpid(-1, NULL, WNOHANG), ECHILD);
    ERR("not my child", waitpid(getpid(), NULL, 0), ECHILD);
    pid = child(exits);
    EQ("no status wanted", waitpid(-1, NULL, 0), pid);
}

static int orphan(void)
{
    pid_t parent = getppid();
    if (fork_child() == 0) {
        UNTIL(getppid() == parent);
        pid_t now = getppid();
        NEED(write(ends[1], &now, sizeof now));
        _exit(44);
    }
    return 3;
}

static int generations(void)
{
    static int depth;
    return ++depth < 4 ? child_end(generations) + depth : 4;
}

int main(void)
{
    tasks_begin();
    privacy();
    endings();
    waits();
    NEED(prctl(PR_SET_CHILD_SUBREAPER, 1));
    // The grandchild's parent is the child, until that is gone.
    pid_t middle = child(orphan), now = 0;
    EQ("in the middle", end_of(middle), 3);
    EQ("told", read(ends[0], &now, sizeof now), sizeof now);
    EQ("the orphan is mine", now, getpid());
    int status = 0;
    CHECK("and waited for by me", wait(&status) > 0 && end_code(status) == 44);
    ERR("the last", wait(NULL), ECHILD);
    EQ("generations", child_end(generations), 10);
    return check_done();
}
