// Sockets: addresses, messages and their control data, with wrong arguments.
// Raw calls: the C library makes no difference.
// km-test: links=static-musl,static-kontain
// km-test: timeout=60
#include "conform.h"
#include <netinet/in.h>
#include <sys/uio.h>
#include <sys/un.h>

static int ends[2], streams[2], listener;
static const char text[] = "some text";

// A message waits to be read, and nothing waits at the other end.
static void sent(void)
{
    char all[256];
    while (recv(ends[1], all, sizeof all, MSG_DONTWAIT) >= 0) {}
    while (recv(ends[0], all, sizeof all, MSG_DONTWAIT) >= 0) {}
    send(ends[1], text, sizeof text, MSG_DONTWAIT);
}

static struct iovec parts[2];
static struct msghdr header;
static union { char bytes[256]; struct cmsghdr align; } control;

// One message with this control data.
static void control_of(const char *how, int level, int type, size_t length, const void *data, size_t size)
{
    struct iovec iov = {(void *)text, sizeof text};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = CMSG_SPACE(size)};
    memset(&control, 0, sizeof control);
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = level;
    c->cmsg_type = type;
    memcpy(&c->cmsg_len, &length, sizeof(unsigned));
    memcpy(CMSG_DATA(c), data, size);
    sent();
    probe("sendmsg control", how, NUMBER, SYS_sendmsg, ends[0], (long)&message, MSG_DONTWAIT);
}

static void show_control(const char *how, struct msghdr *message)
{
    printf("%s: flags %x, control %u:", how, (unsigned)message->msg_flags, (unsigned)message->msg_controllen);
    if ((uintptr_t)message->msg_control > 4096 && (uintptr_t)message->msg_control < 1UL << 46)
        for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
            printf(" %d/%d/%u", c->cmsg_level, c->cmsg_type, (unsigned)c->cmsg_len);
            if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
                continue;
            for (size_t i = 0; CMSG_LEN((i + 1) * sizeof(int)) <= c->cmsg_len; i++) {
                int fd;
                memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
                close(fd);
            }
        }
    putchar('\n');
}

// Three descriptors arrive where there is room for `room` bytes at `at`.
static void receive(const char *how, char *where, size_t room, int flags)
{
    int three[3] = {0, 1, 2};
    control_of(how, SOL_SOCKET, SCM_RIGHTS, CMSG_LEN(sizeof three), three, sizeof three);
    char data[64];
    struct iovec iov = {data, sizeof data};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = where, .msg_controllen = room};
    char all[256];
    while (recv(ends[0], all, sizeof all, MSG_DONTWAIT) >= 0) {}
    probe("recvmsg control", how, NUMBER, SYS_recvmsg, ends[1], (long)&message, MSG_DONTWAIT | flags);
    show_control(how, &message);
}

static void controls(void)
{
    int fd = 0, none = -1, own = 15000, closed = 777, many[60];
    for (int i = 0; i < 60; i++)
        many[i] = i % 3;
    struct ucred me = {getpid(), getuid(), getgid()}, other = {getpid(), getuid() + 1, getgid()};
    control_of("one descriptor", SOL_SOCKET, SCM_RIGHTS, CMSG_LEN(4), &fd, 4);
    control_of("sixty", SOL_SOCKET, SCM_RIGHTS, CMSG_LEN(sizeof(int) * 40), many, sizeof(int) * 40);
    control_of("descriptor -1", SOL_SOCKET, SCM_RIGHTS, CMSG_LEN(4), &none, 4);
    control_of("descriptor 15000", SOL_SOCKET, SCM_RIGHTS, CMSG_LEN(4), &own, 4);
    control_of("a closed one", SOL_SOCKET, SCM_RIGHTS, CMSG_LEN(4), &closed, 4);
    control_of("no descriptor", SOL_SOCKET, SCM_RIGHTS, CMSG_LEN(0), &fd, 0);
    control_of("3 bytes of one", SOL_SOCKET, SCM_RIGHTS, CMSG_LEN(3), &fd, 4);
    control_of("longer than it is", SOL_SOCKET, SCM_RIGHTS, CMSG_LEN(40), &fd, 4);
    control_of("length 0", SOL_SOCKET, SCM_RIGHTS, 0, &fd, 4);
    control_of("length 15", SOL_SOCKET, SCM_RIGHTS, 15, &fd, 4);
    control_of("own credentials", SOL_SOCKET, SCM_CREDENTIALS, CMSG_LEN(sizeof me), &me, sizeof me);
    control_of("credentials of 8 bytes", SOL_SOCKET, SCM_CREDENTIALS, CMSG_LEN(8), &me, 8);
    if (getuid() != 0)
        control_of("another's credentials", SOL_SOCKET, SCM_CREDENTIALS, CMSG_LEN(sizeof other), &other, sizeof other);
    for (int type = 0; type < 10; type++)
        control_of("a type", SOL_SOCKET, type + 20, CMSG_LEN(4), &fd, 4);
    control_of("SO_MARK", SOL_SOCKET, 36, CMSG_LEN(4), &fd, 4);
    control_of("another level", SOL_IP, 1, CMSG_LEN(4), &fd, 4);
    control_of("a level of nobody", 999, 1, CMSG_LEN(4), &fd, 4);
    for (size_t room = 0; room <= 48; room += 4)
        receive("room for some", control.bytes, room, 0);
    receive("NULL", NULL, 64, 0);
    receive("at 1", (char *)1, 64, 0);
    receive("above memory", rooms[0].data + ROOM, 64, 0);
    receive("half in memory", rooms[0].data + ROOM - 12, 64, 0);
    receive("header in memory", rooms[0].data + ROOM - 16, 64, 0);
    receive("one in memory", rooms[0].data + ROOM - 20, 64, 0);
    receive("huge", control.bytes, 1UL << 40, 0);
    receive("CLOEXEC", control.bytes, sizeof control, MSG_CMSG_CLOEXEC);
    int on = 1;
    setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    for (size_t room = 16; room <= 80; room += 8)
        receive("credentials, room for some", control.bytes, room, 0);
    receive("credentials, at 1", (char *)1, 64, 0);
    setsockopt(ends[1], SOL_SOCKET, 76, &on, sizeof on);
    for (size_t room = 16; room <= 80; room += 8)
        receive("a pidfd as well, room for some", control.bytes, room, 0);
    int off = 0;
    setsockopt(ends[1], SOL_SOCKET, 76, &off, sizeof off);
    setsockopt(ends[1], SOL_SOCKET, SO_PASSCRED, &off, sizeof off);
}

static struct mmsghdr several[4];
static struct iovec each[4];
static char data[4][16];

static void prepare_several(void)
{
    for (int i = 0; i < 4; i++) {
        each[i] = (struct iovec){data[i], i == 0 ? 10 : 4};
        several[i].msg_hdr.msg_iov = &each[i];
        several[i].msg_hdr.msg_iovlen = 1;
        several[i].msg_len = 99;
    }
}

static void show_several(void)
{
    for (int i = 0; i < 4; i++)
        printf(" %u/%x", several[i].msg_len, (unsigned)several[i].msg_hdr.msg_flags);
    putchar('\n');
}

static void batches(void)
{
    struct timespec none = {0, 0}, wrong = {0, -1}, second = {1, 0};
    char all[64];
    prepare_several();
    const struct subject subjects[] = {
        {"sendmmsg", SYS_sendmmsg, NUMBER,
         {{DESC, ends[0], 0}, {INOUT, (long)several, sizeof several}, {WORD, 4, 6}, {BITS, MSG_DONTWAIT, 1UL << 26}}, sent},
        {"recvmmsg", SYS_recvmmsg, NUMBER,
         {{DESC, ends[0], 0}, {INOUT, (long)several, sizeof several}, {WORD, 4, 6}, {BITS, MSG_DONTWAIT, 0},
          {INOUT, (long)&none, 16}}, sent},
    };
    conform(subjects, conform_len(subjects));
    sent();
    prepare_several();
    probe("sendmmsg", "too many", NUMBER, SYS_sendmmsg, ends[1], (long)several, 4, MSG_DONTWAIT);
    show_several();
    prepare_several();
    probe("recvmmsg", "four of five", NUMBER, SYS_recvmmsg, ends[0], (long)several, 4, MSG_DONTWAIT | MSG_WAITFORONE, 0);
    show_several();
    sent();
    prepare_several();
    several[1].msg_hdr.msg_iov = (void *)1;
    probe("recvmmsg", "second vector bad", NUMBER, SYS_recvmmsg, ends[0], (long)several, 4, MSG_DONTWAIT, 0);
    show_several();
    sent();
    prepare_several();
    several[0].msg_hdr.msg_name = (void *)1;
    several[0].msg_hdr.msg_namelen = 16;
    probe("recvmmsg", "a bad name", NUMBER, SYS_recvmmsg, ends[0], (long)several, 4, MSG_DONTWAIT, 0);
    show_several();
    several[0].msg_hdr.msg_namelen = (unsigned)-1;
    probe("recvmmsg", "a name of -1", NUMBER, SYS_recvmmsg, ends[0], (long)several, 4, MSG_DONTWAIT, 0);
    several[0].msg_hdr.msg_name = NULL;
    several[0].msg_hdr.msg_namelen = 0;
    sent();
    prepare_several();
    each[2].iov_base = (void *)1;
    probe("sendmmsg", "third buffer bad", NUMBER, SYS_sendmmsg, ends[0], (long)several, 4, MSG_DONTWAIT);
    show_several();
    sent();
    prepare_several();
    // The array ends in the middle.
    struct mmsghdr *cut = (struct mmsghdr *)(rooms[0].data + ROOM) - 2;
    memcpy(cut, several, 2 * sizeof *several);
    probe("sendmmsg", "two of four there", NUMBER, SYS_sendmmsg, ends[0], (long)cut, 4, MSG_DONTWAIT);
    while (recv(ends[1], all, sizeof all, MSG_DONTWAIT) >= 0) {}
    cut = (struct mmsghdr *)(rooms[0].data + ROOM - 120);
    memcpy(cut, several, 120);
    probe("sendmmsg", "all but the second length there", NUMBER, SYS_sendmmsg, ends[0], (long)cut, 2, MSG_DONTWAIT);
    prepare_several();
    probe("recvmmsg", "wrong time", NUMBER, SYS_recvmmsg, ends[0], (long)several, 4, MSG_DONTWAIT, (long)&wrong);
    probe("recvmmsg", "wrong time on nothing", NUMBER, SYS_recvmmsg, -1, (long)several, 4, MSG_DONTWAIT, (long)&wrong);
    probe("recvmmsg", "2000 of them", NUMBER, SYS_recvmmsg, ends[0], (long)several, 2000, MSG_DONTWAIT, 0);
    probe("recvmmsg", "none", NUMBER, SYS_recvmmsg, ends[0], (long)several, 0, MSG_DONTWAIT, 0);
    probe("recvmmsg", "none, at 1, of none", NUMBER, SYS_recvmmsg, -1, 1, 0, MSG_DONTWAIT, 0);
    sent();
    probe("recvmmsg", "some time left", NUMBER, SYS_recvmmsg, ends[0], (long)several, 1, 0, (long)&second);
    printf("time left: %d\n", second.tv_sec == 0 && second.tv_nsec > 0);
}

int main(void)
{
    conform_start();
    NEED(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends));
    NEED(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, streams));
    struct sockaddr_un name = {AF_UNIX, "conform.socket"}, from;
    unsigned length = sizeof from;
    listener = NEED(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    NEED(bind(listener, (void *)&name, sizeof name));
    NEED(listen(listener, 100));
    int stranger = NEED(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    int udp = NEED(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    struct sockaddr_in nobody = {.sin_family = AF_INET};
    int pair[2];
    char buffer[32];
    parts[0] = (struct iovec){buffer, 16};
    parts[1] = (struct iovec){buffer + 16, 16};
    header.msg_iov = parts;
    header.msg_iovlen = 2;

    const struct subject subjects[] = {
        {"socket", SYS_socket, NEWFD, {{WORD, AF_UNIX, 3}, {WORD, SOCK_STREAM, 12}, {WORD, 0, 3}}, NULL},
        {"socket flags", SYS_socket, NEWFD, {{KEEP, AF_UNIX, 0}, {BITS, SOCK_STREAM, 0}, {KEEP, 0, 0}}, NULL},
        {"socketpair", SYS_socketpair, DONE, {{WORD, AF_UNIX, 3}, {KEEP, SOCK_STREAM, 0}, {WORD, 0, 3}, {OUT, (long)pair, 8}}, NULL},
        {"bind", SYS_bind, DONE, {{DESC, udp, 0}, {IN, (long)&nobody, 16}, {COUNT32, 16, 0}}, NULL},
        {"connect", SYS_connect, DONE, {{DESC, stranger, 0}, {IN, (long)&name, sizeof name}, {COUNT32, sizeof name, 0}}, NULL},
        {"listen", SYS_listen, DONE, {{DESC, listener, 0}, {COUNT32, 100, 0}}, NULL},
        {"accept", SYS_accept, NEWFD, {{DESC, listener, 0}, {OUT, (long)&from, sizeof from}, {INOUT, (long)&length, 4}}, NULL},
        {"accept4", SYS_accept4, NEWFD,
         {{DESC, listener, 0}, {OUT, (long)&from, sizeof from}, {INOUT, (long)&length, 4}, {BITS, 0, 0}}, NULL},
        {"getsockname", SYS_getsockname, DONE, {{DESC, listener, 0}, {OUT, (long)&from, sizeof from}, {INOUT, (long)&length, 4}}, NULL},
        {"getpeername", SYS_getpeername, DONE, {{DESC, streams[0], 0}, {OUT, (long)&from, sizeof from}, {INOUT, (long)&length, 4}}, NULL},
        {"sendto", SYS_sendto, NUMBER,
         {{DESC, ends[1], 0}, {IN, (long)text, sizeof text}, {COUNT, sizeof text, 0}, {BITS, MSG_DONTWAIT, 0}, {KEEP, 0, 0}, {KEEP, 0, 0}},
         sent},
        {"sendto a name", SYS_sendto, NUMBER,
         {{DESC, udp, 0}, {KEEP, (long)text, 0}, {KEEP, 4, 0}, {KEEP, MSG_DONTWAIT, 0}, {IN, (long)&name, sizeof name}, {COUNT32, 110, 0}},
         NULL},
        {"recvfrom", SYS_recvfrom, NUMBER,
         {{DESC, ends[0], 0}, {OUT, (long)buffer, 16}, {COUNT, 16, 0}, {BITS, MSG_DONTWAIT, 0}, {OUT, (long)&from, sizeof from},
          {INOUT, (long)&length, 4}}, sent},
        {"sendmsg", SYS_sendmsg, NUMBER, {{DESC, ends[1], 0}, {IN, (long)&header, sizeof header}, {BITS, MSG_DONTWAIT, 0}}, sent},
        {"recvmsg", SYS_recvmsg, NUMBER, {{DESC, ends[0], 0}, {INOUT, (long)&header, sizeof header}, {BITS, MSG_DONTWAIT, 0}}, sent},
        {"sendmsg on a stream", SYS_sendmsg, NUMBER,
         {{KEEP, streams[1], 0}, {KEEP, (long)&header, sizeof header}, {BITS, MSG_DONTWAIT, 1 << 0}}, NULL},
        {"recvmsg on a stream", SYS_recvmsg, NUMBER,
         {{KEEP, streams[0], 0}, {KEEP, (long)&header, sizeof header}, {BITS, MSG_DONTWAIT, 0}}, NULL},
        {"shutdown", SYS_shutdown, DONE, {{DESC, streams[0], 0}, {WORD, 0, 5}}, NULL},
    };
    conform(subjects, conform_len(subjects));

    static const unsigned lengths[] = {0, 1, 2, 3, 8, 15, 16, 100, 110, 111, 128, 0x7fffffff, 0x80000000, 0xffffffff};
    for (size_t i = 0; i < conform_len(lengths); i++) {
        char how[32];
        snprintf(how, sizeof how, "%x bytes", lengths[i]);
        unsigned room = lengths[i];
        probe("getsockname", how, DONE, SYS_getsockname, listener, (long)&from, (long)&room);
        printf("%x\n", room);
        room = lengths[i];
        probe("getsockname at 1", how, DONE, SYS_getsockname, listener, 1, (long)&room);
        printf("%x\n", room);
        sent();
        header.msg_name = &from;
        header.msg_namelen = lengths[i];
        probe("recvmsg name", how, NUMBER, SYS_recvmsg, ends[0], (long)&header, MSG_DONTWAIT);
        printf("%x %x\n", header.msg_namelen, (unsigned)header.msg_flags);
        header.msg_namelen = lengths[i];
        probe("sendmsg name", how, NUMBER, SYS_sendmsg, udp, (long)&header, MSG_DONTWAIT);
        header.msg_name = (void *)1;
        probe("sendmsg name at 1", how, NUMBER, SYS_sendmsg, udp, (long)&header, MSG_DONTWAIT);
        header.msg_name = NULL;
        probe("sendmsg no name", how, NUMBER, SYS_sendmsg, ends[0], (long)&header, MSG_DONTWAIT);
        header.msg_namelen = 0;
        sent();
        header.msg_control = control.bytes;
        memset(&control, 0, sizeof control);
        header.msg_controllen = lengths[i];
        probe("sendmsg control", how, NUMBER, SYS_sendmsg, ends[0], (long)&header, MSG_DONTWAIT);
        header.msg_control = (void *)1;
        probe("sendmsg control at 1", how, NUMBER, SYS_sendmsg, ends[0], (long)&header, MSG_DONTWAIT);
        header.msg_controllen = lengths[i];
        sent();
        probe("recvmsg control at 1", how, NUMBER, SYS_recvmsg, ends[0], (long)&header, MSG_DONTWAIT);
        printf("%x\n", (unsigned)header.msg_controllen);
        header.msg_control = NULL;
        header.msg_controllen = 0;
        memcpy(&header.msg_iovlen, &(size_t){lengths[i]}, sizeof header.msg_iovlen);
        sent();
        if (lengths[i] != 2 && lengths[i] < 1024 && lengths[i] > 1)
            header.msg_iov = (void *)1;
        probe("sendmsg parts", how, NUMBER, SYS_sendmsg, ends[0], (long)&header, MSG_DONTWAIT);
        probe("recvmsg parts", how, NUMBER, SYS_recvmsg, ends[0], (long)&header, MSG_DONTWAIT);
        header.msg_iov = parts;
        header.msg_iovlen = 2;
        parts[1].iov_len = lengths[i] & 0x80000000 ? (size_t)(long)(int)lengths[i] : lengths[i];
        parts[1].iov_base = (void *)1;
        sent();
        probe("sendmsg second part", how, NUMBER, SYS_sendmsg, ends[0], (long)&header, MSG_DONTWAIT);
        probe("recvmsg second part", how, NUMBER, SYS_recvmsg, ends[0], (long)&header, MSG_DONTWAIT);
        parts[1] = (struct iovec){buffer + 16, 16};
    }
    controls();
    batches();
    unlink("conform.socket");
    return conform_done();
}
