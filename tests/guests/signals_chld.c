// SIGCHLD: what it tells of a child that ends, stops and goes on; flags that leave it out; children nobody waits for.
#include "tasks.h"

static volatile sig_atomic_t handled, reaped;
static siginfo_t last;
static sigset_t chld;

static void notes(int n, siginfo_t *info, void *context)
{
    (void)n, (void)context;
    last = *info;
    handled++;
}

static void reaps(int n)
{
    int saved = errno;
    (void)n;
    while (waitpid(-1, NULL, WNOHANG) > 0)
        reaped++;
    errno = saved;
}

static int code;
static int exits(void) { return code; }
static int dies(void)
{
    raise(code);
    return 0;
}
static const char *of_child(pid_t pid, int what, int status)
{
    siginfo_t info;
    if (sigwaitinfo(&chld, &info) != SIGCHLD)
        return "no SIGCHLD";
    if (info.si_pid != pid || info.si_uid != getuid() || info.si_signo != SIGCHLD)
        return "of another";
    if (info.si_code != what || info.si_status != status)
        return "another event";
    return "as it was";
}

static void events(void)
{
    int status;
    block(SIGCHLD);
    code = 3;
    pid_t pid = child(exits);
    STR("CLD_EXITED", of_child(pid, CLD_EXITED, 3), "as it was");
    EQ("to be waited for yet", end_of(pid), 3);
    code = SIGTERM;
    pid = child(dies);
    STR("CLD_KILLED", of_child(pid, CLD_KILLED, SIGTERM), "as it was");
    EQ("signal", end_of(pid), 1000 + SIGTERM);
    pid = child(waits_forever);
    kill(pid, SIGSTOP);
    STR("CLD_STOPPED", of_child(pid, CLD_STOPPED, SIGSTOP), "as it was");
    EQ("WUNTRACED", waitpid(pid, &status, WUNTRACED), pid);
    CHECK("stopped", WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    kill(pid, SIGCONT);
    STR("CLD_CONTINUED", of_child(pid, CLD_CONTINUED, SIGCONT), "as it was");
    EQ("WCONTINUED", waitpid(pid, &status, WCONTINUED), pid);
    CHECK("continued", WIFCONTINUED(status));
    kill(pid, SIGKILL);
    STR("CLD_KILLED", of_child(pid, CLD_KILLED, SIGKILL), "as it was");
    end_of(pid);
    unblock(SIGCHLD);
}

static void flags(void)
{
    int status;
    handle(SIGCHLD, notes, SA_SIGINFO | SA_NOCLDSTOP | SA_RESTART);
    handled = 0;
    pid_t pid = child(waits_forever);
    kill(pid, SIGSTOP);
    EQ("stopped", waitpid(pid, &status, WUNTRACED), pid);
    kill(pid, SIGCONT);
    EQ("continued", waitpid(pid, &status, WCONTINUED), pid);
    EQ("SA_NOCLDSTOP: no signal for these", handled, 0);
    kill(pid, SIGKILL);
    end_of(pid);
    EQ("but for the end", handled, 1);
    CHECK("whose", last.si_pid == pid && last.si_code == CLD_KILLED && last.si_status == SIGKILL);

    // SA_NOCLDWAIT: wait waits for all, and has none.
    handle(SIGCHLD, notes, SA_SIGINFO | SA_NOCLDWAIT | SA_RESTART);
    handled = 0;
    code = 4;
    for (int i = 0; i < 3; i++)
        child(exits);
    ERR("SA_NOCLDWAIT", waitpid(-1, &status, 0), ECHILD);
    CHECK("signals yet", handled >= 1 && last.si_code == CLD_EXITED && last.si_status == 4);
    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 3; i++)
        child(exits);
    ERR("ignored", waitpid(-1, &status, 0), ECHILD);
    signal(SIGCHLD, SIG_DFL);
    pid = child(exits);
    EQ("by default there is a zombie", end_of(pid), 4);
}

int main(void)
{
    tasks_begin();
    chld = set_of(SIGCHLD);
    events();
    flags();
    // A handler that waits for whoever has ended, as servers do.
    handle(SIGCHLD, reaps, SA_RESTART);
    code = 0;
    for (int i = 0; i < 12; i++)
        child(exits);
    UNTIL(reaped == 12);
    EQ("all were found", reaped, 12);
    ERR("none is left", waitpid(-1, NULL, WNOHANG), ECHILD);
    // By default it interrupts nothing.
    signal(SIGCHLD, SIG_DFL);
    int ends[2];
    char byte;
    NEED(pipe(ends));
    pid_t pid = child(exits);
    siginfo_t info;
    NEED(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
    NEED(write(ends[1], "x", 1));
    EQ("read", read(ends[0], &byte, 1), 1);
    end_of(pid);
    return check_done();
}
