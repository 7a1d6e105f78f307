// Who can be sent signals: oneself, children, groups, nobody; by number and by descriptor.
#include "tasks.h"
#include <poll.h>

static volatile sig_atomic_t handled;
static int ends[2];

static void counts(int n)
{
    (void)n;
    handled++;
}

static int sends_to_group(void)
{
    int status;
    NEED(setpgid(0, 0));
    handle(SIGTERM, counts, 0);
    pid_t apart = fork_child();
    if (apart == 0) {
        setpgid(0, 0);
        NEED(write(ends[1], "x", 1));
        waits_forever();
    }
    char byte;
    NEED(read(ends[0], &byte, 1));
    pid_t member[2];
    for (int i = 0; i < 2; i++)
        if ((member[i] = fork_child()) == 0) {
            signal(SIGTERM, SIG_DFL);
            NEED(write(ends[1], "x", 1));
            waits_forever();
        }
    NEED(read(ends[0], &byte, 1));
    NEED(read(ends[0], &byte, 1));
    handled = 0;
    OK("kill(0): the group", kill(0, SIGTERM));
    EQ("I, too", handled, 1);
    for (int i = 0; i < 2; i++)
        EQ("a member", end_of(member[i]), 1000 + SIGTERM);
    EQ("not the one apart", waitpid(apart, &status, WNOHANG), 0);
    OK("signal 0 to its group", kill(-apart, 0));
    OK("killpg", killpg(apart, SIGKILL));
    EQ("by its group", end_of(apart), 1000 + SIGKILL);
    ERR("an empty group", kill(-apart, 0), ESRCH);
    return 0;
}

static void descriptors(void)
{
    siginfo_t info;
    pid_t pid = child(waits_forever);
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    OK("pidfd_open", fd);
    EQ("close-on-exec", fcntl(fd, F_GETFD), FD_CLOEXEC);
    struct pollfd p = {fd, POLLIN, 0};
    EQ("runs", poll(&p, 1, 0), 0);
    OK("signal 0", syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
    ERR("flags", syscall(SYS_pidfd_send_signal, fd, 0, NULL, 77), EINVAL);
    ERR("no such signal", syscall(SYS_pidfd_send_signal, fd, 65, NULL, 0), EINVAL);
    memset(&info, 0, sizeof info);
    info.si_signo = SIGTERM;
    info.si_code = SI_QUEUE;
    ERR("another signal in siginfo", syscall(SYS_pidfd_send_signal, fd, SIGHUP, &info, 0), EINVAL);
    OK("with siginfo", syscall(SYS_pidfd_send_signal, fd, SIGTERM, &info, 0));
    EQ("it ends", poll(&p, 1, -1), 1);
    OK("a zombie is still there", syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
    EQ("by the signal", end_of(pid), 1000 + SIGTERM);
    ERR("gone", syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0), ESRCH);
    close(fd);
    ERR("of nobody", syscall(SYS_pidfd_open, 0x3fffffff, 0), ESRCH);
    ERR("number 0", syscall(SYS_pidfd_open, 0, 0), EINVAL);
    ERR("unknown flags", syscall(SYS_pidfd_open, getpid(), 1), EINVAL);
    ERR("not such a descriptor", syscall(SYS_pidfd_send_signal, ends[0], 0, NULL, 0), EBADF);
    fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    handled = 0;
    handle(SIGUSR1, counts, 0);
    OK("to myself", syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0));
    EQ("handled", handled, 1);
    int copy = (int)syscall(438, fd, ends[0], 0);
    OK("pidfd_getfd", copy == -1 && (errno == EPERM || errno == ENOSYS) ? 0 : copy);
    close(fd);
}

static int not_allowed(void)
{
    if (setresuid(65534, 65534, 65534))
        return 1;
    ERR("of another user", kill(getppid(), SIGTERM), EPERM);
    ERR("even signal 0", kill(getppid(), 0), EPERM);
    OK("myself", kill(getpid(), 0));
    return 0;
}

int main(void)
{
    tasks_begin();
    NEED(pipe(ends));
    handle(SIGUSR1, counts, 0);
    OK("signal 0 to myself", kill(getpid(), 0));
    OK("to my group", kill(0, 0));
    OK("kill", kill(getpid(), SIGUSR1));
    EQ("handled before kill is back", handled, 1);
    ERR("nobody", kill(0x3fffffff, 0), ESRCH);
    ERR("no such group", kill(-0x3fffffff, 0), ESRCH);
    ERR("no such signal", kill(getpid(), 65), EINVAL);
    ERR("negative", kill(getpid(), -1), EINVAL);
    pid_t pid = child(waits_forever);
    OK("a child", kill(pid, 0));
    ERR("a child, no such signal", kill(pid, 1000), EINVAL);
    OK("tgkill", syscall(SYS_tgkill, pid, pid, SIGTERM));
    EQ("it dies", end_of(pid), 1000 + SIGTERM);
    ERR("it is gone", kill(pid, 0), ESRCH);
    EQ("groups", child_end(sends_to_group), 0);
    descriptors();
    if (geteuid() == 0)
        EQ("rights", child_end(not_allowed), 0);
    else
        SKIP("rights", "not root");
    return check_done();
}
