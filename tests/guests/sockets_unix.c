// Sockets without a network: pairs, names, abstract names, descriptors and credentials sent along.
#include "check.h"
#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static char buf[4096];

static void pairs(void)
{
    int s[2];
    OK("socketpair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, s));
    EQ("close-on-exec", fcntl(s[0], F_GETFD), FD_CLOEXEC);
    ERR("nothing there", recv(s[0], buf, 10, 0), EAGAIN);
    EQ("send", send(s[0], "hello", 5, 0), 5);
    EQ("peek", recv(s[1], buf, 3, MSG_PEEK), 3);
    EQ("read all the same", read(s[1], buf, 10), 5);
    EQ("write", write(s[1], "back", 4), 4);
    EQ("recv in part", recv(s[0], buf, 2, 0), 2);
    EQ("and the rest", recv(s[0], buf, 10, 0), 2);
    struct iovec v[2] = {{"two ", 4}, {"parts", 5}};
    EQ("writev", writev(s[0], v, 2), 9);
    char a[3], b[10];
    struct iovec w[2] = {{a, 3}, {b, 10}};
    struct msghdr m = {.msg_iov = w, .msg_iovlen = 2};
    EQ("recvmsg", recvmsg(s[1], &m, 0), 9);
    CHECK("in two buffers", memcmp(a, "two", 3) == 0 && memcmp(b, " parts", 6) == 0);
    OK("shutdown", shutdown(s[0], SHUT_WR));
    EQ("end", recv(s[1], buf, 1, 0), 0);
    ERR("no more to send", send(s[0], "x", 1, MSG_NOSIGNAL), EPIPE);
    close(s[1]);
    close(s[0]);
    NEED(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s));
    NEED(send(s[0], "12345", 5, 0));
    NEED(send(s[0], "678", 3, 0));
    m = (struct msghdr){.msg_iov = w, .msg_iovlen = 1};
    EQ("packet cut", recvmsg(s[1], &m, 0), 3);
    EQ("says so", m.msg_flags & MSG_TRUNC, MSG_TRUNC);
    EQ("next packet", recv(s[1], buf, 10, 0), 3);
    int type;
    socklen_t len = sizeof type;
    OK("SO_TYPE", getsockopt(s[0], SOL_SOCKET, SO_TYPE, &type, &len));
    EQ("type", type, SOCK_SEQPACKET);
    ERR("unknown type", socketpair(AF_UNIX, 77, 0, s), EINVAL);
    ERR("unknown family", socket(99, SOCK_STREAM, 0), EAFNOSUPPORT);
    close(s[0]);
    close(s[1]);
}

static void connection(const char *kind, struct sockaddr_un *name, socklen_t len)
{
    printf("%s\n", kind);
    int server = NEED(socket(AF_UNIX, SOCK_STREAM, 0));
    int client = NEED(socket(AF_UNIX, SOCK_STREAM, 0));
    ERR("nobody there", connect(client, (void *)name, len), name->sun_path[0] ? ENOENT : ECONNREFUSED);
    OK("bind", bind(server, (void *)name, len));
    OK("listen", listen(server, 5));
    int again = NEED(socket(AF_UNIX, SOCK_STREAM, 0));
    ERR("name taken", bind(again, (void *)name, len), EADDRINUSE);
    close(again);
    OK("connect", connect(client, (void *)name, len));
    struct sockaddr_un peer;
    socklen_t peer_len = sizeof peer;
    int conn = accept4(server, (void *)&peer, &peer_len, SOCK_CLOEXEC);
    OK("accept4", conn);
    EQ("unnamed client", peer_len, sizeof(sa_family_t));
    memset(&peer, 0, sizeof peer);
    peer_len = sizeof peer;
    OK("getpeername", getpeername(client, (void *)&peer, &peer_len));
    CHECK("the server's name", memcmp(peer.sun_path, name->sun_path, len - offsetof(struct sockaddr_un, sun_path)) == 0);
    peer_len = 4;
    OK("getsockname, cut", getsockname(server, (void *)&peer, &peer_len));
    CHECK("full length told", peer_len > 4);
    struct ucred cred;
    socklen_t cred_len = sizeof cred;
    OK("SO_PEERCRED", getsockopt(conn, SOL_SOCKET, SO_PEERCRED, &cred, &cred_len));
    CHECK("oneself", cred.pid == getpid() && cred.uid == geteuid() && cred.gid == getegid());
    EQ("to the server", send(client, "request", 7, 0), 7);
    EQ("there", recv(conn, buf, sizeof buf, 0), 7);
    EQ("to the client", send(conn, "answer", 6, 0), 6);
    EQ("there too", recv(client, buf, sizeof buf, 0), 6);
    close(conn);
    close(client);
    close(server);
}

static void descriptors(void)
{
    int s[2], p[2];
    NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    NEED(pipe(p));
    int on = 1;
    OK("SO_PASSCRED", setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
    union {
        char bytes[CMSG_SPACE(2 * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred))];
        struct cmsghdr align;
    } c;
    struct iovec v = {"fds", 3};
    memset(&c, 0, sizeof c);
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = c.bytes, .msg_controllen = CMSG_SPACE(8)};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(8);
    memcpy(CMSG_DATA(h), p, 8);
    EQ("two descriptors sent", sendmsg(s[0], &m, 0), 3);
    close(p[1]);
    memset(&c, 0, sizeof c);
    v = (struct iovec){buf, sizeof buf};
    m = (struct msghdr){.msg_iov = &v, .msg_iovlen = 1, .msg_control = c.bytes, .msg_controllen = sizeof c.bytes};
    EQ("received", recvmsg(s[1], &m, MSG_CMSG_CLOEXEC), 3);
    int got[2] = {-1, -1};
    struct ucred cred = {0};
    for (h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
        if (h->cmsg_type == SCM_RIGHTS)
            memcpy(got, CMSG_DATA(h), 8);
        if (h->cmsg_type == SCM_CREDENTIALS)
            memcpy(&cred, CMSG_DATA(h), sizeof cred);
    }
    CHECK("two new numbers", got[0] > 2 && got[1] > 2 && got[0] != p[0] && got[1] != got[0]);
    EQ("close-on-exec", fcntl(got[0], F_GETFD), FD_CLOEXEC);
    EQ("credentials", cred.pid, getpid());
    EQ("write through one", write(got[1], "via", 3), 3);
    EQ("read through the old", read(p[0], buf, 10), 3);
    close(got[1]);
    EQ("all writers closed", read(got[0], buf, 10), 0);
    // No room for the control data.
    m.msg_controllen = 4;
    NEED(send(s[0], "x", 1, 0));
    EQ("received anyway", recvmsg(s[1], &m, 0), 1);
    EQ("control cut", m.msg_flags & MSG_CTRUNC, MSG_CTRUNC);
    close(s[0]);
    close(s[1]);
    close(p[0]);
    close(got[0]);
}

static void many_messages(void)
{
    int s[2];
    NEED(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, s));
    struct iovec v[3] = {{"a", 1}, {"bb", 2}, {"ccc", 3}};
    struct mmsghdr m[4];
    memset(m, 0, sizeof m);
    for (int i = 0; i < 3; i++) {
        m[i].msg_hdr.msg_iov = &v[i];
        m[i].msg_hdr.msg_iovlen = 1;
    }
    EQ("sendmmsg", sendmmsg(s[0], m, 3, 0), 3);
    EQ("each length", m[0].msg_len * 100 + m[1].msg_len * 10 + m[2].msg_len, 123);
    char in[4][8];
    struct iovec w[4];
    memset(m, 0, sizeof m);
    for (int i = 0; i < 4; i++) {
        w[i] = (struct iovec){in[i], 8};
        m[i].msg_hdr.msg_iov = &w[i];
        m[i].msg_hdr.msg_iovlen = 1;
    }
    EQ("recvmmsg", recvmmsg(s[1], m, 4, 0, NULL), 3);
    EQ("each length received", m[0].msg_len * 100 + m[1].msg_len * 10 + m[2].msg_len, 123);
    ERR("no more", recvmmsg(s[1], m, 4, 0, NULL), EAGAIN);
}

int main(void)
{
    pairs();
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "socket"};
    connection("by path", &name, sizeof name);
    struct stat st;
    CHECK("a socket in the directory", stat("socket", &st) == 0 && S_ISSOCK(st.st_mode));
    unlink("socket");
    // The abstract name space is shared by all processes: the name is one's own.
    memset(&name.sun_path, 0, sizeof name.sun_path);
    int n = snprintf(name.sun_path + 1, 60, "km-guest-%d", getpid());
    connection("by abstract name", &name, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n));
    descriptors();
    many_messages();
    return check_done();
}
