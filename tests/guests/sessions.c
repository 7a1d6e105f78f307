// Sessions and process groups, and the terminal that belongs to one.
#include "pty.h"

static int ends[2], go[2];
static volatile sig_atomic_t handled[65];

static void counts(int n) { handled[n]++; }

static int execs(void)
{
    execl("/proc/self/exe", "sessions", "exec", NULL);
    return 98;
}

static int member(void)
{
    char byte;
    pid_t session = getsid(0);
    CHECK("the parent's session", session == getsid(getppid()) && getpgrp() == getpgid(getppid()));
    OK("setpgid", setpgid(0, 0));
    EQ("its own group", getpgrp(), getpid());
    EQ("the session stays", getsid(0), session);
    ERR("a leader of a group makes no session", setsid(), EPERM);
    ERR("a group of nobody", setpgid(0, 0x3fffffff), EPERM);
    ERR("a negative one", setpgid(0, -1), EINVAL);
    ERR("of nobody", setpgid(0x3fffffff, 0), ESRCH);
    ERR("of the parent, not a child", setpgid(getppid(), 0), ESRCH);
    pid_t pid = child(waits_forever);
    EQ("a child is in the group", getpgid(pid), getpgrp());
    OK("put into its own", setpgid(pid, pid));
    EQ("it is", getpgid(pid), pid);
    OK("and back", setpgid(pid, getpgrp()));
    kill(pid, SIGKILL);
    end_of(pid);
    NEED(read(go[0], &byte, 1));
    return 0;
}

// A session without a terminal, then with one.
static int leader(void)
{
    pid_t group = 0, pid, id;
    OK("setsid", setsid());
    CHECK("leader of both", getsid(0) == getpid() && getpgrp() == getpid());
    ERR("again", setsid(), EPERM);
    ERR("a leader's group stays", setpgid(0, 0), EPERM);
    ERR("no terminal", open("/dev/tty", O_RDWR), ENXIO);
    id = getpid();
    NEED(write(ends[1], &id, sizeof id));
    if (!pty_open()) {
        SKIP("terminal", "no devpts");
        return 0;
    }
    ERR("not the session's", tcgetpgrp(pty_slave), ENOTTY);
    OK("TIOCSCTTY", ioctl(pty_slave, TIOCSCTTY, 0));
    EQ("its foreground is mine", tcgetpgrp(pty_slave), getpid());
    EQ("its session, too", tcgetsid(pty_slave), getpid());
    int tty = open("/dev/tty", O_RDWR);
    OK("/dev/tty", tty == -1 && errno == ENOENT ? 0 : tty);
    pid = child(waits_forever);
    NEED(setpgid(pid, pid));
    OK("tcsetpgrp", tcsetpgrp(pty_slave, pid));
    EQ("the foreground", tcgetpgrp(pty_slave), pid);
    OK("asked of the other side", ioctl(pty_master, TIOCGPGRP, &group));
    EQ("as well", group, pid);
    ERR("a group of another session", (signal(SIGTTOU, SIG_IGN), tcsetpgrp(pty_slave, getppid())), EPERM);
    OK("back to me", tcsetpgrp(pty_slave, getpid()));
    kill(pid, SIGKILL);
    end_of(pid);
    handle(SIGWINCH, counts, 0);
    NEED(ioctl(pty_master, TIOCSWINSZ, &(struct winsize){33, 99, 0, 0}));
    UNTIL(handled[SIGWINCH]);
    printf("ok SIGWINCH\n");
    handle(SIGINT, counts, 0);
    NEED(write(pty_master, "\003", 1));
    UNTIL(handled[SIGINT]);
    printf("ok the key for SIGINT\n");
    EQ("a child and exec keep the terminal", child_end(execs), 41);
    // Given up, it tells the foreground.
    handle(SIGHUP, counts, 0);
    handle(SIGCONT, counts, 0);
    OK("TIOCNOTTY", ioctl(pty_slave, TIOCNOTTY));
    UNTIL(handled[SIGHUP] && handled[SIGCONT]);
    ERR("none any more", open("/dev/tty", O_RDWR), ENXIO);
    OK("taken again", ioctl(pty_slave, TIOCSCTTY, 0));
    // The other side closes: that is a hangup for the leader.
    handled[SIGHUP] = 0;
    close(pty_master);
    UNTIL(handled[SIGHUP]);
    char byte;
    EQ("end of file", read(pty_slave, &byte, 1), 0);
    return 0;
}

// When the leader ends, its foreground is hung up.
static int short_leader(void)
{
    setsid();
    if (!pty_open() || ioctl(pty_slave, TIOCSCTTY, 0))
        return 1;
    pid_t pid = fork_child();
    if (pid == 0) {
        char byte = 'x';
        handle(SIGHUP, counts, 0);
        NEED(write(go[1], &byte, 1));
        UNTIL(handled[SIGHUP]);
        NEED(write(ends[1], "hup", 3));
        _exit(0);
    }
    char byte;
    NEED(read(go[0], &byte, 1));
    return 42;
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "exec")) {
        int tty = open("/dev/tty", O_RDWR);
        return (tty >= 0 ? tcgetpgrp(tty) == getpgrp() && getsid(0) == getppid() : errno == ENOENT) ? 41 : 42;
    }
    tasks_begin();
    pid_t id = 0;
    char text[4] = "";
    NEED(pipe(ends));
    NEED(pipe(go));
    pid_t pid = child(member);
    NEED(write(go[1], "x", 1));
    EQ("member", end_of(pid), 0);
    pid = child(leader);
    NEED(read(ends[0], &id, sizeof id));
    EQ("another's session", getsid(pid), pid);
    EQ("leader", end_of(pid), 0);
    ERR("of nobody", getsid(0x3fffffff), ESRCH);
    if (pty_open()) {
        close(pty_slave);
        close(pty_master);
        EQ("a leader ends", child_end(short_leader), 42);
        NEED(read(ends[0], text, 3));
        STR("its foreground is told", text, "hup");
    }
    return check_done();
}
