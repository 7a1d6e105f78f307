// Socket options of every level on sockets of many families: what may be asked, with which lengths and pointers.
// Raw calls: the C library makes no difference.
// km-test: links=static-musl,static-kontain
// km-test: timeout=60
#include "conform.h"
#include <netinet/in.h>

static char value[512];

static void shown(const char *call, const char *socket, int level, int option, const char *how, long result, long length)
{
    if (result == 0 && length >= 0)
        printf("%s %s %d/%d %s: ok, %ld bytes\n", call, socket, level, option, how, length);
    else
        printf("%s %s %d/%d %s: %s\n", call, socket, level, option, how, result ? error_name(errno) : "ok");
}

static void get(const char *socket, int fd, int level, int option, const char *how, void *where, unsigned length)
{
    unsigned room = length;
    errno = 0;
    long result = syscall(SYS_getsockopt, fd, level, option, where, &room);
    shown("get", socket, level, option, how, result, room);
    // A descriptor, if it is one.
    if (result == 0 && level == SOL_SOCKET && option == 77 && where == value && room >= 4)
        close(*(int *)(void *)value);
}

static void set(const char *socket, int fd, int level, int option, const char *how, const void *where, unsigned length)
{
    errno = 0;
    shown("set", socket, level, option, how, syscall(SYS_setsockopt, fd, level, option, where, length), -1);
}

// Those that hold pointers, which km does not know.
static int left_out(int level, int option)
{
    return (level == IPPROTO_TCP && option == 35) || (level == 284 && option == 4) || (level == SOL_PACKET && option == 22)
        || (level == IPPROTO_IP && option >= 128) || (level == IPPROTO_IPV6 && option == 64);
}

// All options of one level.
static void level(const char *socket, int fd, int level, int last)
{
    for (int option = 0; option <= last; option++) {
        if (left_out(level, option))
            continue;
        memset(value, 0, sizeof value);
        get(socket, fd, level, option, "0 bytes", value, 0);
        get(socket, fd, level, option, "3 bytes", value, 3);
        get(socket, fd, level, option, "4 bytes", value, 4);
        memset(value, 0, sizeof value);
        get(socket, fd, level, option, "512 bytes", value, sizeof value);
        get(socket, fd, level, option, "at 1", (void *)1, 4);
        get(socket, fd, level, option, "-1 bytes", value, (unsigned)-1);
        memset(value, 0, sizeof value);
        set(socket, fd, level, option, "0 bytes", value, 0);
        set(socket, fd, level, option, "3 bytes", value, 3);
        set(socket, fd, level, option, "4 bytes", value, 4);
        set(socket, fd, level, option, "4 bytes of 1", &(int){1}, 4);
        set(socket, fd, level, option, "16 bytes", value, 16);
        set(socket, fd, level, option, "at 1", (void *)1, 4);
        set(socket, fd, level, option, "16 at 1", (void *)1, 16);
        set(socket, fd, level, option, "-1 bytes", value, (unsigned)-1);
    }
}

int main(void)
{
    conform_start();
    int unix_fd = NEED(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    int ends[2];
    NEED(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends));
    int number = 4;
    unsigned length = 4;
    const struct subject subjects[] = {
        {"setsockopt", SYS_setsockopt, DONE,
         {{DESC, unix_fd, 0}, {WORD, SOL_SOCKET, 300}, {KEEP, SO_PRIORITY, 0}, {IN, (long)&number, 4}, {COUNT32, 4, 0}}, NULL},
        {"getsockopt", SYS_getsockopt, DONE,
         {{DESC, unix_fd, 0}, {WORD, SOL_SOCKET, 300}, {KEEP, SO_PRIORITY, 0}, {OUT, (long)&number, 4}, {INOUT, (long)&length, 4}}, NULL},
    };
    conform(subjects, conform_len(subjects));
    level("unix", unix_fd, SOL_SOCKET, 90);
    level("pair", ends[0], SOL_SOCKET, 90);
    static const struct { const char *name; int family, type, protocol, level, last; } families[] = {
        {"tcp", AF_INET, SOCK_STREAM, 0, SOL_SOCKET, 90},
        {"tcp", AF_INET, SOCK_STREAM, 0, IPPROTO_IP, 60},
        {"tcp", AF_INET, SOCK_STREAM, 0, IPPROTO_TCP, 50},
        {"tcp", AF_INET, SOCK_STREAM, 0, IPPROTO_UDP, 5},
        {"udp", AF_INET, SOCK_DGRAM, 0, SOL_SOCKET, 90},
        {"udp", AF_INET, SOCK_DGRAM, 0, IPPROTO_IP, 60},
        {"udp", AF_INET, SOCK_DGRAM, 0, IPPROTO_UDP, 110},
        {"tcp6", AF_INET6, SOCK_STREAM, 0, IPPROTO_IPV6, 84},
        {"udp6", AF_INET6, SOCK_DGRAM, 0, IPPROTO_IPV6, 84},
        {"udp6", AF_INET6, SOCK_DGRAM, 0, IPPROTO_IP, 40},
        {"raw", AF_INET, SOCK_RAW, 1, SOL_RAW, 5},
        {"raw6", AF_INET6, SOCK_RAW, 58, IPPROTO_ICMPV6, 5},
        {"raw6", AF_INET6, SOCK_RAW, 58, IPPROTO_RAW, 8},
        {"netlink", AF_NETLINK, SOCK_RAW, 0, SOL_NETLINK, 14},
        {"packet", AF_PACKET, SOCK_DGRAM, 0, SOL_PACKET, 26},
        {"vsock", 40, SOCK_STREAM, 0, 40, 10},
        {"alg", 38, SOCK_SEQPACKET, 0, SOL_ALG, 8},
        {"mptcp", AF_INET, SOCK_STREAM, 262, 284, 6},
    };
    for (size_t i = 0; i < conform_len(families); i++) {
        int fd = socket(families[i].family, families[i].type | SOCK_NONBLOCK, families[i].protocol);
        if (fd < 0) {
            printf("no socket %s: %s\n", families[i].name, error_name(errno));
            continue;
        }
        level(families[i].name, fd, families[i].level, families[i].last);
        close(fd);
    }
    static const int levels[] = {-1, 2, 7, 99, 256, 257, 258, 259, 260, 261, 262, 264, 265, 266, 267, 268, 269, 272, 273, 274, 275, 277, 280, 281, 282, 285, 1000, INT_MAX};
    int tcp = NEED(socket(AF_INET, SOCK_STREAM, 0));
    for (size_t i = 0; i < conform_len(levels); i++)
        for (int option = 0; option < 3; option++) {
            get("unix", unix_fd, levels[i], option, "of a strange level", value, 4);
            set("unix", unix_fd, levels[i], option, "of a strange level", value, 4);
            get("tcp", tcp, levels[i], option, "of a strange level", value, 4);
            set("tcp", tcp, levels[i], option, "of a strange level", value, 4);
            get("closed", 777, levels[i], option, "of a strange level", value, 4);
            get("file", 0, levels[i], option, "of a strange level", value, 4);
            set("file", 0, levels[i], option, "of a strange level", value, 4);
        }
    struct { unsigned short count; void *code; } filter = {1, (void *)1};
    set("tcp", tcp, SOL_SOCKET, SO_ATTACH_FILTER, "code at 1", &filter, 16);
    filter.code = NULL;
    set("tcp", tcp, SOL_SOCKET, SO_ATTACH_FILTER, "no code", &filter, 16);
    filter.code = &(unsigned long){6};
    set("tcp", tcp, SOL_SOCKET, SO_ATTACH_FILTER, "one instruction", &filter, 16);
    set("tcp", tcp, SOL_SOCKET, SO_ATTACH_FILTER, "one instruction, 15 bytes", &filter, 15);
    set("tcp", tcp, SOL_SOCKET, SO_ATTACH_FILTER, "one instruction, 17 bytes", &filter, 17);
    set("tcp", tcp, SOL_SOCKET, SO_DETACH_FILTER, "detached", &filter, 4);
    filter.count = 5000;
    set("tcp", tcp, SOL_SOCKET, SO_ATTACH_FILTER, "5000 instructions", &filter, 16);
    filter.count = 0;
    set("tcp", tcp, SOL_SOCKET, SO_ATTACH_FILTER, "no instruction", &filter, 16);
    return conform_done();
}
