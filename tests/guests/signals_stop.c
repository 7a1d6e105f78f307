// Job control: children that are stopped and go on, by signals, by keys, and by using a terminal that is not theirs.
#include "pty.h"

static int ends[2], way;

static int stop_of(pid_t pid)
{
    int status = 0;
    if (waitpid(pid, &status, WUNTRACED) != pid)
        return -1;
    return WIFSTOPPED(status) ? WSTOPSIG(status) : -end_code(status);
}

static int goes_on(pid_t pid)
{
    int status = 0;
    kill(pid, SIGCONT);
    return waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status);
}

static volatile sig_atomic_t handled;
static void counts(int n) { handled += n; }

static int counts_conts(void)
{
    char byte = 'x';
    handle(SIGCONT, counts, 0);
    handle(SIGTSTP, counts, 0);
    block(SIGTERM);
    NEED(write(ends[1], &byte, 1));
    UNTIL(handled >= SIGCONT);
    NEED(write(ends[1], &byte, 1));
    UNTIL(handled == SIGCONT + SIGTSTP);
    return 11;
}

static void stops(void)
{
    char byte;
    int status;
    pid_t pid = child(waits_forever);
    for (int i = 0; i < 3; i++) {
        EQ("none yet", waitpid(pid, &status, WUNTRACED | WCONTINUED | WNOHANG), 0);
        kill(pid, SIGSTOP);
        EQ("stopped", stop_of(pid), SIGSTOP);
        EQ("told once", waitpid(pid, &status, WUNTRACED | WNOHANG), 0);
        CHECK("continued", goes_on(pid));
    }
    kill(pid, SIGSTOP);
    EQ("stopped", stop_of(pid), SIGSTOP);
    kill(pid, SIGTERM);
    EQ("a stopped one does not yet die", waitpid(pid, &status, WNOHANG), 0);
    kill(pid, SIGCONT);
    EQ("it does when it goes on", end_of(pid), 1000 + SIGTERM);
    pid = child(waits_forever);
    kill(pid, SIGSTOP);
    EQ("stopped", stop_of(pid), SIGSTOP);
    kill(pid, SIGKILL);
    EQ("SIGKILL at once", end_of(pid), 1000 + SIGKILL);

    pid = child(counts_conts);
    NEED(read(ends[0], &byte, 1));
    kill(pid, SIGSTOP);
    EQ("stopped", stop_of(pid), SIGSTOP);
    CHECK("continued", goes_on(pid));
    NEED(read(ends[0], &byte, 1));
    kill(pid, SIGTSTP);
    EQ("handlers of SIGCONT, and of SIGTSTP instead of the stop", end_of(pid), 11);
}

static int stops_itself(void)
{
    static const int signals[] = {SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
    for (int i = 0; i < 4; i++)
        raise(signals[i]);
    return 12;
}

static int uses_terminal(void)
{
    char buf[16] = {0};
    struct termios t;
    setpgid(0, 0);
    tcgetattr(pty_slave, &t);
    switch (way) {
    case 0: return read(pty_slave, buf, sizeof buf) == 5 ? 21 : 1;
    case 1: return write(pty_slave, "job\n", 4) == 4 ? 22 : 1;
    case 2: return tcsetattr(pty_slave, TCSANOW, &t) == 0 ? 23 : 1;
    case 3: return tcsetpgrp(pty_slave, getpgrp()) == 0 ? 24 : 1;
    case 4:
        signal(SIGTTIN, SIG_IGN);
        return read(pty_slave, buf, sizeof buf) == -1 && errno == EIO ? 25 : 1;
    case 5:
        signal(SIGTTOU, SIG_IGN);
        return write(pty_slave, "job\n", 4) == 4 ? 26 : 1;
    }
    return 2;
}

// What a shell does: a session with a terminal, and jobs.
static int shell(void)
{
    static const int stopped[] = {SIGTTIN, SIGTTOU, SIGTTOU, SIGTTOU};
    static const struct {
        char key;
        int signal;
    } keys[] = {{3, SIGINT}, {28, SIGQUIT}, {26, SIGTSTP}};
    struct termios t;
    NEED(setsid());
    NEED(ioctl(pty_slave, TIOCSCTTY, 0));
    signal(SIGTTOU, SIG_IGN);
    tcgetattr(pty_slave, &t);
    t.c_lflag |= TOSTOP;
    t.c_lflag &= ~ECHO;
    NEED(tcsetattr(pty_slave, TCSANOW, &t));
    signal(SIGTTOU, SIG_DFL);
    pid_t pid = child(stops_itself);
    setpgid(pid, pid);
    for (int i = 0; i < 4; i++) {
        int which = stop_of(pid);
        CHECK("a job that stops itself", which == SIGSTOP || which == SIGTSTP || which == SIGTTIN || which == SIGTTOU);
        kill(pid, SIGCONT);
    }
    EQ("its end", end_of(pid), 12);
    for (way = 0; way < 6; way++) {
        pid = child(uses_terminal);
        setpgid(pid, pid);
        if (way < 4) {
            EQ("in the background: stopped", stop_of(pid), stopped[way]);
            NEED(tcsetpgrp(pty_slave, pid));
            if (way == 0)
                NEED(write(pty_master, "line\n", 5));
            kill(-pid, SIGCONT);
        }
        EQ("its end", end_of(pid), 21 + way);
        signal(SIGTTOU, SIG_IGN);
        NEED(tcsetpgrp(pty_slave, getpgrp()));
        signal(SIGTTOU, SIG_DFL);
    }
    for (int i = 0; i < 3; i++) {
        signal(SIGTTOU, SIG_IGN);
        pid = child(waits_forever);
        setpgid(pid, pid);
        NEED(tcsetpgrp(pty_slave, pid));
        NEED(write(pty_master, &keys[i].key, 1));
        int status = 0;
        EQ("a key", waitpid(pid, &status, WUNTRACED), pid);
        EQ("its signal", WIFSTOPPED(status) ? WSTOPSIG(status) : WTERMSIG(status), keys[i].signal);
        kill(pid, SIGKILL);
        if (WIFSTOPPED(status))
            end_of(pid);
        NEED(tcsetpgrp(pty_slave, getpgrp()));
        signal(SIGTTOU, SIG_DFL);
    }
    return 0;
}

int main(void)
{
    tasks_begin();
    NEED(pipe(ends));
    stops();
    if (pty_open())
        EQ("with a terminal", child_end(shell), 0);
    else
        SKIP("with a terminal", "no devpts");
    return check_done();
}
