// UDP and TCP over the loopback, both ends in one process.
#include "check.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static char buf[200000], big[100000];

// On a bare machine nobody has brought it up: root does it here.
static int loopback_up(void)
{
    struct ifreq r = {0};
    int s = socket(AF_INET, SOCK_DGRAM, 0);
    if (s < 0)
        return 0;
    strcpy(r.ifr_name, "lo");
    int up = ioctl(s, SIOCGIFFLAGS, &r) == 0 && (r.ifr_flags & IFF_UP);
    if (!up) {
        r.ifr_flags |= IFF_UP;
        up = ioctl(s, SIOCSIFFLAGS, &r) == 0;
    }
    close(s);
    return up;
}

static struct sockaddr_in any_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static void datagrams(void)
{
    int a = NEED(socket(AF_INET, SOCK_DGRAM, 0)), b = NEED(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    struct sockaddr_in at = any_port(), from;
    socklen_t len = sizeof at;
    OK("bind", bind(a, (void *)&at, sizeof at));
    OK("getsockname", getsockname(a, (void *)&at, &len));
    CHECK("a port was given", at.sin_port != 0 && len == sizeof at);
    EQ("sendto", sendto(b, "datagram", 8, 0, (void *)&at, sizeof at), 8);
    len = sizeof from;
    EQ("recvfrom", recvfrom(a, buf, sizeof buf, 0, (void *)&from, &len), 8);
    EQ("answer", sendto(a, "reply", 5, 0, (void *)&from, len), 5);
    EQ("arrives", recv(b, buf, sizeof buf, 0), 5);
    OK("connect", connect(b, (void *)&at, sizeof at));
    EQ("send", send(b, "123456789", 9, 0), 9);
    EQ("cut", recv(a, buf, 4, MSG_TRUNC), 9);
    ERR("too long", send(b, big, 70000, 0), EMSGSIZE);
    close(a);
    close(b);
}

static void stream(void)
{
    int server = NEED(socket(AF_INET, SOCK_STREAM, 0));
    int on = 1, value = 0;
    socklen_t len = sizeof value;
    OK("SO_REUSEADDR", setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
    OK("read back", getsockopt(server, SOL_SOCKET, SO_REUSEADDR, &value, &len));
    EQ("value", value, 1);
    struct sockaddr_in at = any_port();
    NEED(bind(server, (void *)&at, sizeof at));
    len = sizeof at;
    NEED(getsockname(server, (void *)&at, &len));
    OK("listen", listen(server, 4));
    NEED(fcntl(server, F_SETFL, O_NONBLOCK));
    ERR("nobody yet", accept(server, NULL, NULL), EAGAIN);
    int client = NEED(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    int r = connect(client, (void *)&at, sizeof at);
    OK("connect", r == -1 && errno != EINPROGRESS ? -1 : 0);
    struct pollfd f = {server, POLLIN, 0};
    EQ("somebody", poll(&f, 1, 5000), 1);
    struct sockaddr_in peer;
    len = sizeof peer;
    int conn = accept4(server, (void *)&peer, &len, SOCK_NONBLOCK);
    OK("accept4", conn);
    EQ("from here", peer.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    f = (struct pollfd){client, POLLOUT, 0};
    EQ("connected", poll(&f, 1, 5000), 1);
    len = sizeof value;
    OK("SO_ERROR", getsockopt(client, SOL_SOCKET, SO_ERROR, &value, &len));
    EQ("no error", value, 0);
    OK("TCP_NODELAY", setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on));
    len = 1;
    OK("one byte of an option", getsockopt(client, IPPROTO_TCP, TCP_NODELAY, &value, &len));
    EQ("its length", len, 1);

    // Much data, sent and received in turn.
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 7 + i / 999);
    size_t sent = 0, got = 0;
    int idle = 0;
    while (got < sizeof big && idle < 1000) {
        ssize_t n = sent < sizeof big ? send(client, big + sent, sizeof big - sent, 0) : 0;
        if (n > 0)
            sent += (size_t)n;
        ssize_t m = recv(conn, buf + got, sizeof buf - got, 0);
        if (m > 0)
            got += (size_t)m;
        else if (poll(&(struct pollfd){conn, POLLIN, 0}, 1, 10) <= 0)
            idle++;
    }
    EQ("all received", got, sizeof big);
    CHECK("content", memcmp(buf, big, sizeof big) == 0);
    OK("shutdown", shutdown(client, SHUT_WR));
    f = (struct pollfd){conn, POLLIN | POLLRDHUP, 0};
    EQ("noticed", poll(&f, 1, 5000), 1);
    EQ("end of stream", recv(conn, buf, 1, 0), 0);
    close(client);
    close(conn);
    close(server);
    client = NEED(socket(AF_INET, SOCK_STREAM, 0));
    ERR("nobody there any more", connect(client, (void *)&at, sizeof at), ECONNREFUSED);
    close(client);
}

static void errors(void)
{
    int s = NEED(socket(AF_INET, SOCK_STREAM, 0));
    struct sockaddr_in at = any_port();
    ERR("not connected", send(s, "x", 1, MSG_NOSIGNAL), EPIPE);
    ERR("no peer", getpeername(s, (void *)&at, &(socklen_t){sizeof at}), ENOTCONN);
    ERR("accept without listen", accept(s, NULL, NULL), EINVAL);
    at = any_port();
    ERR("address too short", bind(s, (void *)&at, 4), EINVAL);
    at.sin_addr.s_addr = htonl(0x08080808);
    ERR("another's address", bind(s, (void *)&at, sizeof at), EADDRNOTAVAIL);
    ERR("unknown option", setsockopt(s, SOL_SOCKET, 9999, &at, 4), ENOPROTOOPT);
    ERR("not a socket", listen(0, 1), ENOTSOCK);
    ERR("closed", listen(999, 1), EBADF);
    close(s);
}

int main(void)
{
    if (!loopback_up()) {
        SKIP("loopback", "down");
        return check_done();
    }
    datagrams();
    stream();
    errors();
    return check_done();
}
