// Probes of system calls, one line of output each: call, argument, what was wrong with it, what came of it. No answer is
// written down here: the native kernel's is the truth, and the runner compares.
//
// A program declares calls that succeed, with the kind of every argument (`struct subject`); `conform` makes each of them
// once as it is, and then once for everything that can be wrong with each argument. What has no such form is a `probe`.
#ifndef KM_CONFORM_H
#define KM_CONFORM_H

#include "pages.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

// What an argument is.
enum kind {
    END,
    KEEP,  // nothing to try
    DESC,  // a descriptor
    IN,    // a pointer to `size` bytes that are read
    OUT,   // a pointer to `size` bytes that are written
    INOUT, // both
    NAME,  // a string
    COUNT, // a number of bytes or elements, 64 bits
    COUNT32,
    BITS, // flags of 32 bits; `size` are bits not to be tried, as they would wait or change the machine
    WORD, // one of a set of small numbers
};

struct arg {
    enum kind kind;
    long value;    // or the address of what is pointed to
    size_t size;
};

// What is printed of a result that is no error.
enum result {
    NUMBER, // itself
    DONE,   // "ok"
    NEWFD,  // "fd"; it is closed
};

struct subject {
    const char *name;
    long nr;
    enum result result;
    struct arg args[6];
    void (*before)(void); // run before every probe
};

#define conform_len(array) (sizeof(array) / sizeof *(array))

static const char *error_name(int error)
{
    static const struct { int error; const char *name; } names[] = {
#define N(e) {e, #e}
        N(EPERM), N(ENOENT), N(ESRCH), N(EINTR), N(EIO), N(ENXIO), N(E2BIG), N(ENOEXEC), N(EBADF), N(ECHILD), N(EAGAIN),
        N(ENOMEM), N(EACCES), N(EFAULT), N(ENOTBLK), N(EBUSY), N(EEXIST), N(EXDEV), N(ENODEV), N(ENOTDIR), N(EISDIR),
        N(EINVAL), N(ENFILE), N(EMFILE), N(ENOTTY), N(ETXTBSY), N(EFBIG), N(ENOSPC), N(ESPIPE), N(EROFS), N(EMLINK),
        N(EPIPE), N(EDOM), N(ERANGE), N(EDEADLK), N(ENAMETOOLONG), N(ENOLCK), N(ENOSYS), N(ENOTEMPTY), N(ELOOP),
        N(ENOMSG), N(EIDRM), N(ENODATA), N(EBADMSG), N(EOVERFLOW), N(ENOTSOCK), N(EDESTADDRREQ), N(EMSGSIZE),
        N(EPROTOTYPE), N(ENOPROTOOPT), N(EPROTONOSUPPORT), N(ESOCKTNOSUPPORT), N(EOPNOTSUPP), N(EAFNOSUPPORT),
        N(EADDRINUSE), N(EADDRNOTAVAIL), N(ENETDOWN), N(ENETUNREACH), N(ECONNABORTED), N(ECONNRESET), N(ENOBUFS),
        N(EISCONN), N(ENOTCONN), N(ETIMEDOUT), N(ECONNREFUSED), N(EHOSTUNREACH), N(EALREADY), N(EINPROGRESS), N(ESTALE),
        N(EDQUOT), N(ECANCELED), N(EBADFD), N(ENOTUNIQ), N(EREMOTEIO), N(EUCLEAN), N(ENOKEY), N(ENONET), N(ENOPKG),
        N(EPROTO), N(ENOTNAM), N(EMEDIUMTYPE), N(EBADE),
#undef N
    };
    static char other[16];
    for (size_t i = 0; i < conform_len(names); i++)
        if (names[i].error == error)
            return names[i].name;
    snprintf(other, sizeof other, "errno %d", error);
    return other;
}

static void report(const char *name, const char *what, const char *how, long result, int error, enum result shown)
{
    printf("%s %s%s%s: ", name, what, *how ? " " : "", how);
    if (result == -1 && error)
        printf("%s\n", error_name(error));
    else if (shown == NUMBER)
        printf("%ld\n", result);
    else
        printf("%s\n", shown == NEWFD ? "fd" : "ok");
    if (shown == NEWFD && result >= 0)
        close((int)result);
}

static long conform_call(long nr, const long *a)
{
    errno = 0;
    return syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

// One call by hand. `how` says what is special about it.
#define probe(name, how, shown, nr, ...)                                  \
    __extension__({                                                       \
        long probe_args[6] = {__VA_ARGS__};                               \
        long probe_result = conform_call(nr, probe_args);                 \
        report(name, "", how, probe_result, errno, shown);                \
        probe_result;                                                     \
    })

// Memory for what an argument points to: it ends where nothing is mapped.
#define ROOM (2 * PAGE)
static struct room {
    char *data, *constant, *closed;
} rooms[6];

// Descriptors of many types, all of which never wait.
static struct { const char *name; int fd; } wrong_fds[32];
static size_t wrong_fd_count;

static void add_fd(const char *name, int fd)
{
    // Well above the numbers a program's own descriptors have.
    int moved = fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 200);
    if (fd >= 0)
        close(fd);
    wrong_fds[wrong_fd_count].name = name;
    wrong_fds[wrong_fd_count++].fd = moved;
}

static int socket_pair_end(int type)
{
    int ends[2];
    if (socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends))
        return -1;
    fcntl(ends[1], F_DUPFD_CLOEXEC, 300);
    close(ends[1]);
    return ends[0];
}

static int readable_file(void)
{
    int fd = open("conform.file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (write(fd, "what can be read", 16) != 16)
        exit(2);
    close(fd);
    fd = open("conform.file", O_RDONLY | O_CLOEXEC);
    unlink("conform.file");
    return fd;
}

static void too_long(int signal)
{
    (void)signal;
    static const char text[] = "a probe waits\n";
    fflush(stdout);
    if (write(1, text, sizeof text - 1))
        _exit(1);
    _exit(1);
}

// To be called first: memory, descriptors, a buffer for the output.
static void conform_start(void)
{
    static char output[1 << 16];
    setvbuf(stdout, output, _IOFBF, sizeof output);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGIO, SIG_IGN);
    signal(SIGALRM, too_long);
    for (size_t i = 0; i < conform_len(rooms); i++) {
        char *start = private_pages(3 * ROOM + 5 * PAGE);
        // Never where the next room's neighbour could make a probe succeed.
        rooms[i].data = start + PAGE;
        rooms[i].constant = start + ROOM + 2 * PAGE;
        rooms[i].closed = start + 2 * ROOM + 3 * PAGE;
        munmap(start, PAGE);
        munmap(rooms[i].data + ROOM, PAGE);
        munmap(rooms[i].constant + ROOM, PAGE);
        mprotect(rooms[i].constant, ROOM, PROT_READ);
        mprotect(rooms[i].closed, ROOM, PROT_NONE);
        munmap(rooms[i].closed + ROOM, 2 * PAGE);
    }
    int pipes[2];
    if (pipe2(pipes, O_NONBLOCK | O_CLOEXEC))
        exit(2);
    sigset_t none;
    sigemptyset(&none);
    add_fd("a file opened by O_PATH", open(".", O_PATH | O_CLOEXEC));
    add_fd("a directory", open(".", O_RDONLY | O_CLOEXEC));
    add_fd("a file to read", readable_file());
    add_fd("a file to write", open("conform.file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    // Not /dev/null: dockerd and others hold locks on it.
    add_fd("/dev/zero", open("/dev/zero", O_RDWR | O_CLOEXEC));
    add_fd("a pipe to read", pipes[0]);
    add_fd("a pipe to write", pipes[1]);
    add_fd("an eventfd", eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    add_fd("an epoll", epoll_create1(EPOLL_CLOEXEC));
    add_fd("a timerfd", timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    add_fd("a signalfd", signalfd(-1, &none, SFD_NONBLOCK | SFD_CLOEXEC));
    add_fd("an inotify", inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    add_fd("a memfd", (int)syscall(SYS_memfd_create, "conform", 1));
    add_fd("a pidfd", (int)syscall(SYS_pidfd_open, getpid(), 0));
    add_fd("a stream socket", socket_pair_end(SOCK_STREAM));
    add_fd("a datagram socket", socket_pair_end(SOCK_DGRAM));
    add_fd("a socket of no one", socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    add_fd("a UDP socket", socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    unlink("conform.file");
    alarm(90);
}

static const struct subject *at;
static long args[6];
static int argument;

static int is_pointer(enum kind kind)
{
    return kind == IN || kind == OUT || kind == INOUT || kind == NAME;
}

static size_t pointed(const struct arg *arg)
{
    return arg->kind == NAME ? strlen((const char *)arg->value) + 1 : arg->size;
}

// All arguments as the subject has them, what they point to at the end of its room.
static void prepare(void)
{
    for (int i = 0; i < 6; i++) {
        const struct arg *arg = &at->args[i];
        args[i] = arg->value;
        if (is_pointer(arg->kind) && arg->value) {
            char *place = rooms[i].data + ROOM - pointed(arg);
            memcpy(place, (void *)arg->value, pointed(arg));
            args[i] = (long)place;
        }
    }
    if (at->before)
        at->before();
}

// The call with the argument in turn replaced.
static void with(const char *how, long value)
{
    prepare();
    args[argument] = value;
    long result = conform_call(at->nr, args);
    static char what[24];
    snprintf(what, sizeof what, "argument %d", argument + 1);
    report(at->name, what, how, result, errno, at->result);
}

static void try_pointer(const struct arg *arg)
{
    const struct room *room = &rooms[argument];
    size_t size = pointed(arg);
    char *end = room->data + ROOM;
    with("NULL", 0);
    with("at 1", 1);
    with("just below memory", (long)room->data - 8);
    with("just above memory", (long)end);
    with("not accessible", (long)room->closed);
    with("beyond user addresses", 0x7ffffffff000);
    with("not canonical", 0x0000800000000000);
    with("not canonical, text", 0x4141414141414141);
    with("of the kernel", (long)0xffff888000000000);
    with("-16", -16);
    with("-1", -1);
    if (size > 1)
        with("one byte short", (long)end - (long)size + 1);
    if (size > 2)
        with("half of it there", (long)end - (long)(size / 2));
    if (size > 8)
        with("the last 8 bytes there", (long)end - 8);
    if (arg->kind == OUT || arg->kind == INOUT)
        with("constant", (long)room->constant + ROOM - (long)size);
    if (arg->value && arg->kind != OUT) {
        // Where writing is allowed but not wanted: nothing says so.
        memcpy(room->data + 1, (void *)arg->value, size);
        with("at an odd address", (long)room->data + 1);
    }
    if (arg->kind == NAME) {
        memset(room->data, 'n', ROOM);
        with("without an end", (long)end - 100);
        with("a page without an end", (long)end - PAGE);
        end[-1] = 0;
        with("of 99 bytes", (long)end - 100);
        with("of 255 bytes", (long)end - 256);
        with("of 256 bytes", (long)end - 257);
        with("of 4095 bytes", (long)end - 4096);
        with("of 4096 bytes", (long)end - 4097);
        with("empty", (long)end - 1);
        memcpy(end - 2, "/", 2);
        with("/", (long)end - 2);
        memcpy(end - 10, "no/such/x", 10);
        with("nowhere", (long)end - 10);
    }
}

static void try_descriptor(void)
{
    struct rlimit limit = {0, 0};
    getrlimit(RLIMIT_NOFILE, &limit);
    with("-1", -1);
    with("-2", -2);
    with("AT_FDCWD", AT_FDCWD);
    with("not open", 777);
    with("2^31-1", INT_MAX);
    with("-2^31", INT_MIN);
    for (long fd = 0; fd < 4; fd++)
        with("at the limit", (long)(limit.rlim_cur & 0x7fffffff) + fd);
    with("15000", 15000);
    with("15001", 15001);
    with("with high bits", (long)((unsigned long)at->args[argument].value | 0xdead00000000UL));
    for (size_t i = 0; i < wrong_fd_count; i++)
        with(wrong_fds[i].name, wrong_fds[i].fd);
}

static void try_number(enum kind kind, long value)
{
    static const struct { const char *name; long value; } values[] = {
        {"0", 0}, {"1", 1}, {"7", 7}, {"4095", 4095}, {"2^31-1", INT_MAX}, {"2^31", 1L << 31}, {"2^32-1", 0xffffffff},
        {"-1", -1}, {"-4096", -4096}, {"2^63", LONG_MIN}, {"2^63-1", LONG_MAX}, {"2^47", 1L << 47},
    };
    for (size_t i = 0; i < conform_len(values); i++)
        with(values[i].name, values[i].value);
    with("one less", value - 1);
    with("one more", value + 1);
    with("with high bits", (long)((unsigned long)value | 0xdead00000000UL));
    if (kind == COUNT)
        with("a page", PAGE);
}

static void try_bits(const struct arg *arg)
{
    char how[16];
    for (int bit = 0; bit < 32; bit++) {
        if (arg->size >> bit & 1)
            continue;
        snprintf(how, sizeof how, "bit %d", bit);
        with(how, arg->value ^ (long)(1U << bit));
    }
    with("bit 40", arg->value | 1L << 40);
    if (!arg->size)
        with("-1", -1);
}

static void try_word(const struct arg *arg)
{
    char how[24];
    for (long value = -2; value <= (long)(arg->size ? arg->size : 40); value++) {
        snprintf(how, sizeof how, "= %ld", value);
        with(how, value);
    }
    with("= 2^31-1", INT_MAX);
    with("= -2^31", INT_MIN);
    with("with high bits", (long)((unsigned long)arg->value | 0xdead00000000UL));
}

static inline void conform(const struct subject *subjects, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        at = &subjects[i];
        prepare();
        long result = conform_call(at->nr, args);
        int error = errno;
        report(at->name, "as it should be", "", result, error, at->result);
        // A kernel without the call looks at no argument.
        if (result == -1 && error == ENOSYS)
            continue;
        for (argument = 0; argument < 6 && at->args[argument].kind != END; argument++) {
            const struct arg *arg = &at->args[argument];
            switch (arg->kind) {
            case DESC: try_descriptor(); break;
            case IN: case OUT: case INOUT: case NAME: try_pointer(arg); break;
            case COUNT: case COUNT32: try_number(arg->kind, arg->value); break;
            case BITS: try_bits(arg); break;
            case WORD: try_word(arg); break;
            case END: case KEEP: break;
            }
        }
    }
}

static int conform_done(void)
{
    printf("done\n");
    return fflush(stdout) != 0;
}

#endif
