// Vectors and message headers with everything wrong in them.
#include "check.h"
#include "probe.h"
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>

#define IOV_LIMIT 1024

static char *last; // nothing lies behind this page
static struct iovec many[IOV_LIMIT + 1];
static char bytes[IOV_LIMIT + 1];

static long vector(long nr, int fd, const void *iov, long count)
{
    return syscall(nr, (long)fd, iov, count, 0L, 0L, 0L);
}

static void counts(int file)
{
    for (int i = 0; i <= IOV_LIMIT; i++)
        many[i] = (struct iovec){bytes + i, 1};
    EQ("writev of the most", vector(SYS_writev, file, many, IOV_LIMIT), IOV_LIMIT);
    ERR("writev of one more", vector(SYS_writev, file, many, IOV_LIMIT + 1), EINVAL);
    ERR("readv of one more", vector(SYS_readv, file, many, IOV_LIMIT + 1), EINVAL);
    ERR("count -1", vector(SYS_readv, file, many, -1), EINVAL);
    ERR("count 2^31", vector(SYS_readv, file, many, 1L << 31), EINVAL);
    EQ("count 0, wild pointer", vector(SYS_readv, file, (void *)8, 0), 0);
    ERR("wild pointer", vector(SYS_readv, file, (void *)8, 1), EFAULT);
    ERR("kernel pointer", vector(SYS_writev, file, (void *)0xffff888000000000, 1), EFAULT);
    ERR("bad descriptor first", vector(SYS_writev, -1, (void *)8, IOV_LIMIT + 1), EBADF);
    struct iovec *edge = (struct iovec *)(last + PAGE) - 2;
    edge[0] = edge[1] = (struct iovec){bytes, 3};
    EQ("vector at the end of a mapping", vector(SYS_pwritev, file, edge, 2), 6);
    ERR("vector over the end of a mapping", vector(SYS_pwritev, file, edge, 3), EFAULT);
    struct iovec *odd = (struct iovec *)(last + 3);
    memcpy(odd, edge, 2 * sizeof *odd);
    EQ("misaligned vector", vector(SYS_pwritev, file, odd, 2), 6);
}

static void contents(int file, int *pipes)
{
    struct iovec iov[3] = {{bytes, 4}, {(void *)8, 4}, {bytes, 4}};
    EQ("good, then bad: what was done counts", vector(SYS_pwritev, file, iov, 3), 4);
    iov[0].iov_base = (void *)8;
    ERR("bad at once", vector(SYS_pwritev, file, iov, 3), EFAULT);
    iov[0] = (struct iovec){(void *)8, 0};
    iov[1] = (struct iovec){bytes, 4};
    EQ("bad but of length 0", vector(SYS_pwritev, file, iov, 3), 8);
    iov[0] = (struct iovec){bytes, (size_t)-1};
    ERR("negative length", vector(SYS_pwritev, file, iov, 1), EINVAL);
    iov[0] = (struct iovec){bytes, 1UL << 63};
    ERR("length 2^63", vector(SYS_readv, file, iov, 1), EINVAL);
    iov[0] = (struct iovec){(void *)0xffff888000000000, 16};
    ERR("kernel address in it", vector(SYS_pwritev, file, iov, 1), EFAULT);
    iov[0] = (struct iovec){(void *)0x800000000000, 16};
    ERR("non-canonical address in it", vector(SYS_pwritev, file, iov, 1), EFAULT);
    iov[0] = (struct iovec){last + PAGE - 5, 50};
    EQ("over the end of memory", vector(SYS_pwritev, file, iov, 2), 5);
    // A buffer that ends exactly where memory ends, and one that lies in two mappings.
    iov[0] = (struct iovec){last + PAGE - 5, 5};
    iov[1] = (struct iovec){last - 2, 4};
    EQ("to the very end, and across mappings", vector(SYS_pwritev, file, iov, 2), 9);
    NEED(ftruncate(file, 0));
    NEED(pwrite(file, "abcdefgh", 8, 0));
    // Two vectors onto the same bytes, in order.
    iov[0] = (struct iovec){bytes, 4};
    iov[1] = (struct iovec){bytes, 4};
    EQ("overlapping", vector(SYS_preadv, file, iov, 2), 8);
    EQ("the later one wins", memcmp(bytes, "efgh", 4), 0);
    iov[0] = (struct iovec){(void *)8, 4};
    ERR("pipe, bad", vector(SYS_writev, pipes[1], iov, 1), EFAULT);
    iov[0] = (struct iovec){bytes, 4};
    iov[1] = (struct iovec){iov, 16};
    EQ("a vector that contains itself", vector(SYS_writev, pipes[1], iov, 2), 20);
    char back[64];
    EQ("as written", read(pipes[0], back, sizeof back), 20);
}

static void messages(void)
{
    int s[2];
    NEED(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
    struct iovec iov[2] = {{"abc", 3}, {"def", 3}};
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};
    EQ("sendmsg", sendmsg(s[0], &m, 0), 6);
    char buf[16];
    EQ("arrives as one", recv(s[1], buf, sizeof buf, 0), 6);

    m.msg_iovlen = IOV_LIMIT + 1;
    m.msg_iov = many;
    ERR("too many vectors", syscall(SYS_sendmsg, s[0], &m, 0), EMSGSIZE);
    m.msg_iov = (void *)8;
    m.msg_iovlen = 1;
    ERR("wild vector", syscall(SYS_sendmsg, s[0], &m, 0), EFAULT);
    ERR("wild vector to receive", syscall(SYS_recvmsg, s[1], &m, MSG_DONTWAIT), EFAULT);
    iov[0].iov_base = (void *)8;
    m.msg_iov = iov;
    ERR("wild buffer", syscall(SYS_sendmsg, s[0], &m, 0), EFAULT);
    iov[0].iov_base = "abc";
    m.msg_name = (void *)8;
    m.msg_namelen = sizeof(struct sockaddr_un);
    ERR("wild name", syscall(SYS_sendmsg, s[0], &m, 0), EFAULT);
    m.msg_namelen = (socklen_t)-1;
    ERR("negative name length", syscall(SYS_sendmsg, s[0], &m, 0), EINVAL);
    m.msg_name = NULL;
    m.msg_namelen = 0;
    m.msg_control = (void *)8;
    m.msg_controllen = 32;
    ERR("wild control", syscall(SYS_sendmsg, s[0], &m, 0), EFAULT);
    // musl declares 32 of the kernel's 64 bits.
    memcpy(&m.msg_controllen, &(size_t){1UL << 40}, sizeof(size_t));
    ERR("endless control", syscall(SYS_sendmsg, s[0], &m, 0), ENOBUFS);
    struct cmsghdr c = {.cmsg_len = sizeof c + 4, .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    char control[64];
    memcpy(control, &c, sizeof c);
    *(int *)(control + sizeof c) = 999;
    m.msg_control = control;
    memcpy(&m.msg_controllen, &(size_t){CMSG_SPACE(4)}, sizeof(size_t));
    ERR("a closed descriptor sent", syscall(SYS_sendmsg, s[0], &m, 0), EBADF);
    ((struct cmsghdr *)control)->cmsg_len = 1000;
    ERR("control longer than said", syscall(SYS_sendmsg, s[0], &m, 0), EINVAL);

    struct sockaddr_un un = {.sun_family = AF_UNIX};
    ERR("name too long", bind(s[0], (void *)&un, sizeof un + 1), EINVAL);
    ERR("name too short", syscall(SYS_sendto, s[0], "x", 1L, 0L, &un, 1L), EINVAL);
    ERR("sendto wild name", syscall(SYS_sendto, s[0], "x", 1L, 0L, 8L, 16L), EFAULT);
    ERR("recv wild buffer", (NEED(send(s[0], "12345", 5, 0)), recv(s[1], (void *)8, 5, 0)), EFAULT);
    ERR("nothing left of it", recv(s[1], buf, 5, MSG_DONTWAIT), EAGAIN);
    struct iovec out[2] = {{buf, 2}, {(void *)8, 8}};
    m = (struct msghdr){.msg_iov = out, .msg_iovlen = 2};
    NEED(send(s[0], "12345", 5, 0));
    ERR("second buffer wild", recvmsg(s[1], &m, MSG_DONTWAIT), EFAULT);
}

int main(void)
{
    char *area = private_pages(4 * PAGE);
    NEED(munmap(area + 3 * PAGE, PAGE));
    last = area + 2 * PAGE;
    // Another mapping just before it, so that a buffer can lie across two.
    NEED(mmap(area, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    int pipes[2], file = NEED(open("file", O_RDWR | O_CREAT, 0600));
    NEED(pipe(pipes));
    counts(file);
    contents(file, pipes);
    messages();
    unlink("file");
    return check_done();
}
