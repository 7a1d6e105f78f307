// Descriptors over exec: those that are closed let pipes end; the new program has what it was given, and nothing else.
#include "files.h"
#include "tasks.h"
#include <limits.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

static char self[PATH_MAX];
static int in, out;
static const char *role;

// The filter: every small letter becomes a capital.
static int filter(void)
{
    char buf[512];
    ssize_t n;
    while ((n = read(0, buf, sizeof buf)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            buf[i] -= buf[i] >= 'a' && buf[i] <= 'z' ? 32 : 0;
        if (write(1, buf, n) != n)
            return 2;
    }
    return n == 0 ? 0 : 1;
}

// Writes until nobody reads.
static int floods(void)
{
    static char buf[4096];
    for (;;)
        if (write(1, buf, sizeof buf) < 0)
            return errno == EPIPE ? 17 : 18;
}

static int starts(void)
{
    if (in >= 0)
        NEED(dup2(in, 0));
    if (out >= 0)
        NEED(dup2(out, 1));
    execl(self, "cloexec_pipes", role, NULL);
    return 98;
}

static pid_t start(const char *what, int from, int to)
{
    role = what;
    in = from;
    out = to;
    return child(starts);
}

static void pipelines(void)
{
    int p[4][2];
    char buf[64] = "";
    pid_t pids[3];
    for (int i = 0; i < 4; i++)
        NEED(pipe2(p[i], O_CLOEXEC));
    for (int i = 0; i < 3; i++)
        pids[i] = start("filter", p[i][0], p[i + 1][1]);
    // Only the writing end of the first is still needed here; the children's copies are closed by exec.
    for (int i = 0; i < 3; i++) {
        close(p[i][0]);
        close(p[i + 1][1]);
    }
    EQ("in", write(p[0][1], "through three of them\n", 22), 22);
    close(p[0][1]);
    size_t got = 0;
    ssize_t n;
    while ((n = read(p[3][0], buf + got, sizeof buf - 1 - got)) > 0)
        got += (size_t)n;
    STR("out", buf, "THROUGH THREE OF THEM\n");
    EQ("end of file", n, 0);
    for (int i = 0; i < 3; i++)
        EQ("filter", end_of(pids[i]), 0);
    close(p[3][0]);

    NEED(pipe2(p[0], O_CLOEXEC));
    pids[0] = start("flood", -1, p[0][1]);
    close(p[0][1]);
    NEED(read(p[0][0], buf, sizeof buf));
    close(p[0][0]);
    EQ("the reader goes: SIGPIPE", end_of(pids[0]), 1000 + SIGPIPE);
    NEED(pipe2(p[0], O_CLOEXEC));
    signal(SIGPIPE, SIG_IGN);
    pids[0] = start("flood", -1, p[0][1]);
    close(p[0][1]);
    NEED(read(p[0][0], buf, sizeof buf));
    close(p[0][0]);
    EQ("ignored: EPIPE", end_of(pids[0]), 17);
    signal(SIGPIPE, SIG_DFL);
}

static void flags(void)
{
    struct {
        const char *name;
        int fd;
    } made[16];
    int n = 0, pair[2], epoll = epoll_create1(EPOLL_CLOEXEC);
    sigset_t set = set_of(SIGUSR1);
    // The caller may have left some open.
    int base = end_of(start("list", -1, -1));
    CHECK("the standard ones", base >= 3);
#define MAKE(call) made[n].name = #call, made[n++].fd = call
    NEED(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
    MAKE(epoll);
    MAKE(pair[0]);
    MAKE(pair[1]);
    MAKE(open("/dev/null", O_RDONLY | O_CLOEXEC));
    MAKE(fcntl(0, F_DUPFD_CLOEXEC, 130));
    MAKE(dup3(0, 140, O_CLOEXEC));
    MAKE(eventfd(0, EFD_CLOEXEC));
    MAKE(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
    MAKE(signalfd(-1, &set, SFD_CLOEXEC));
    MAKE((int)syscall(SYS_memfd_create, "m", 1));
    MAKE(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    MAKE((int)syscall(SYS_pidfd_open, getpid(), 0));
    for (int i = 0; i < n; i++)
        EQ(made[i].name, made[i].fd < 0 ? -errno : fcntl(made[i].fd, F_GETFD), FD_CLOEXEC);
    ERR("dup3 onto itself", dup3(0, 0, O_CLOEXEC), EINVAL);
    int copy = NEED(dup(made[0].fd));
    EQ("dup does not copy the flag", fcntl(copy, F_GETFD), 0);
    close(copy);
    EQ("none of them is in the new program", end_of(start("list", -1, -1)) - base, 0);
    fcntl(made[3].fd, F_SETFD, 0);
    EQ("one, its flag taken away", end_of(start("list", -1, -1)) - base, 1);
    if (syscall(436, 190, 250, 4) == -1 && (errno == ENOSYS || errno == EINVAL)) {
        SKIP("close_range", "not in this kernel");
    } else {
        for (int i = 41; i < 50; i++)
            NEED(dup2(0, 150 + i));
        EQ("nine more", end_of(start("list", -1, -1)) - base, 10);
        OK("CLOSE_RANGE_CLOEXEC", syscall(436, 190, 250, 4));
        EQ("none of them", end_of(start("list", -1, -1)) - base, 1);
        EQ("still open here", fcntl(195, F_GETFD), FD_CLOEXEC);
    }
    for (int i = 0; i < n; i++)
        close(made[i].fd);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return !strcmp(argv[1], "filter") ? filter() : !strcmp(argv[1], "flood") ? floods() : entries("/proc/self/fd") - 1;
    tasks_begin();
    NEED(readlink("/proc/self/exe", self, sizeof self - 1));
    pipelines();
    flags();
    return check_done();
}
