// ioctl: terminals, and what is none.
#include "check.h"
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

static void no_terminal(void)
{
    int p[2], n = 0;
    struct winsize ws;
    struct termios t;
    NEED(pipe(p));
    EQ("isatty of a pipe", isatty(p[0]), 0);
    EQ("its error", errno, ENOTTY);
    ERR("TIOCGWINSZ", ioctl(p[0], TIOCGWINSZ, &ws), ENOTTY);
    ERR("TCGETS", tcgetattr(p[0], &t), ENOTTY);
    ERR("unknown request", ioctl(p[0], 0x12345678, &n), ENOTTY);
    ERR("closed", ioctl(999, TIOCGWINSZ, &ws), EBADF);
    OK("FIONREAD", ioctl(p[0], FIONREAD, &n));
    EQ("empty", n, 0);
    NEED(write(p[1], "seven!!", 7));
    NEED(ioctl(p[0], FIONREAD, &n));
    EQ("seven bytes", n, 7);
    n = 1;
    OK("FIONBIO", ioctl(p[0], FIONBIO, &n));
    EQ("non-blocking", fcntl(p[0], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    OK("FIOCLEX", ioctl(p[0], FIOCLEX));
    EQ("close-on-exec", fcntl(p[0], F_GETFD), FD_CLOEXEC);
    OK("FIONCLEX", ioctl(p[0], FIONCLEX));
    EQ("not any more", fcntl(p[0], F_GETFD), 0);
    int file = NEED(open("file", O_RDWR | O_CREAT, 0600));
    NEED(write(file, "0123456789", 10));
    NEED(lseek(file, 4, SEEK_SET));
    OK("FIONREAD of a file", ioctl(file, FIONREAD, &n));
    EQ("what is left", n, 6);
    ERR("TIOCGWINSZ of a file", ioctl(file, TIOCGWINSZ, &ws), ENOTTY);
    unlink("file");
    int s = NEED(socket(AF_UNIX, SOCK_DGRAM, 0));
    struct ifconf conf = {.ifc_len = 0, .ifc_buf = NULL};
    OK("SIOCGIFCONF", ioctl(s, SIOCGIFCONF, &conf) == -1 && errno != ENOTTY && errno != ENODEV ? -1 : 0);
    close(s);
    close(file);
    close(p[0]);
    close(p[1]);
}

static int wait_input(int fd)
{
    struct pollfd f = {fd, POLLIN, 0};
    return poll(&f, 1, 2000);
}

// What one side writes reaches the other by a worker of the kernel, in pieces
// as it likes.
static ssize_t read_all(int fd, char *buf, size_t len)
{
    size_t have = 0;
    while (have < len && wait_input(fd) == 1) {
        ssize_t n = read(fd, buf + have, len - have);
        if (n <= 0)
            return n;
        have += (size_t)n;
    }
    return (ssize_t)have;
}

static void terminal(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    int number = -1, unlock = 0;
    if (master < 0 || ioctl(master, TIOCGPTN, &number) != 0) {
        SKIP("pty", "no devpts");
        return;
    }
    EQ("isatty", isatty(master), 1);
    CHECK("number", number >= 0);
    OK("TIOCSPTLCK", ioctl(master, TIOCSPTLCK, &unlock));
    char name[64];
    snprintf(name, sizeof name, "/dev/pts/%d", number);
    STR("ptsname", ptsname(master), name);
    int tty = open(name, O_RDWR | O_NOCTTY);
    if (tty < 0) {
        // The directory is another mount's: ask the master itself.
        tty = ioctl(master, 0x5441 /* TIOCGPTPEER */, O_RDWR | O_NOCTTY);
    }
    OK("other side", tty);
    if (tty < 0)
        return;
    struct winsize ws = {24, 80, 0, 0}, back;
    OK("TIOCSWINSZ", ioctl(tty, TIOCSWINSZ, &ws));
    OK("TIOCGWINSZ", ioctl(master, TIOCGWINSZ, &back));
    CHECK("size", back.ws_row == 24 && back.ws_col == 80);
    struct termios t;
    OK("TCGETS", tcgetattr(tty, &t));
    CHECK("cooked", (t.c_lflag & ICANON) && (t.c_lflag & ECHO));

    // Cooked: a line at a time, echoed, with the newline made two characters.
    char buf[64];
    EQ("typed", write(master, "hello\n", 6), 6);
    EQ("line", read(tty, buf, sizeof buf), 6);
    EQ("waits for the echo", wait_input(master), 1);
    EQ("echo", read_all(master, buf, 7), 7);
    CHECK("echo text", memcmp(buf, "hello\r\n", 7) == 0);
    EQ("printed", write(tty, "a\nb", 3), 3);
    EQ("waits", wait_input(master), 1);
    EQ("with carriage return", read_all(master, buf, 4), 4);

    cfmakeraw(&t);
    t.c_cc[VMIN] = 1;
    t.c_cc[VTIME] = 0;
    OK("TCSETS", tcsetattr(tty, TCSANOW, &t));
    EQ("a key", write(master, "\003", 1), 1);
    EQ("waits", wait_input(tty), 1);
    EQ("arrives as it is", read(tty, buf, sizeof buf), 1);
    EQ("which one", buf[0], 3);
    int n = -1;
    OK("TIOCOUTQ", ioctl(tty, TIOCOUTQ, &n));
    OK("TCFLSH", tcflush(tty, TCIOFLUSH));
    OK("TCSBRK", tcdrain(tty));
    ERR("no controlling terminal", ioctl(tty, TIOCGPGRP, &n), ENOTTY);
    close(tty);
    EQ("hangup", wait_input(master), 1);
    ERR("other side closed", read(master, buf, 1), EIO);
    close(master);
}

int main(void)
{
    no_terminal();
    terminal();
    return check_done();
}
