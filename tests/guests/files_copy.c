// Moving data without touching it: copy_file_range, sendfile, splice, tee, vmsplice.
#include "check.h"
#include "probe.h"
#include <sys/sendfile.h>
#include <sys/uio.h>

static unsigned char data[5 * PAGE], back[5 * PAGE];

static int same(int fd, off_t at, size_t from, size_t len)
{
    return pread(fd, back, len, at) == (ssize_t)len && memcmp(back, data + from, len) == 0;
}

int main(void)
{
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 31 + i / 256);
    int in = NEED(open("in", O_RDWR | O_CREAT, 0600));
    int out = NEED(open("out", O_RDWR | O_CREAT, 0600));
    EQ("write", write(in, data, sizeof data), sizeof data);
    int p[2], q[2];
    NEED(pipe(p));
    NEED(pipe(q));

    off_t from = PAGE, to = 0;
    EQ("copy_file_range", copy_file_range(in, &from, out, &to, PAGE + 5, 0), PAGE + 5);
    EQ("source offset moved", from, 2 * PAGE + 5);
    EQ("target offset moved", to, PAGE + 5);
    CHECK("content", same(out, 0, PAGE, PAGE + 5));
    EQ("at the end of the source", copy_file_range(in, NULL, out, NULL, 10, 0), 0);
    NEED(lseek(in, 10, SEEK_SET));
    EQ("with the files' own positions", copy_file_range(in, NULL, out, NULL, 20, 0), 20);
    EQ("source position", lseek(in, 0, SEEK_CUR), 30);
    ERR("flags", copy_file_range(in, NULL, out, NULL, 20, 1), EINVAL);
    ERR("bad descriptor", copy_file_range(999, NULL, out, NULL, 20, 0), EBADF);
    ERR("bad offset pointer", copy_file_range(in, (off_t *)8, out, NULL, 20, 0), EFAULT);
    ERR("from a pipe", copy_file_range(p[0], NULL, out, NULL, 20, 0), EINVAL);

    NEED(ftruncate(out, 0));
    NEED(lseek(out, 0, SEEK_SET));
    from = 100;
    EQ("sendfile", sendfile(out, in, &from, 3 * PAGE), 3 * PAGE);
    EQ("offset moved", from, 100 + 3 * PAGE);
    EQ("position not", lseek(in, 0, SEEK_CUR), 30);
    CHECK("content", same(out, 0, 100, 3 * PAGE));
    EQ("sendfile by position", sendfile(out, in, NULL, 50), 50);
    EQ("position moved", lseek(in, 0, SEEK_CUR), 80);
    CHECK("content", same(out, 3 * PAGE, 30, 50));
    from = sizeof data;
    EQ("at the end", sendfile(out, in, &from, 10), 0);
    ERR("sendfile from a pipe", sendfile(out, p[0], NULL, 10), EINVAL);
    ERR("bad offset pointer", sendfile(out, in, (off_t *)-8, 10), EFAULT);
    from = -5;
    ERR("negative offset", sendfile(out, in, &from, 10), EINVAL);

    from = 200;
    EQ("splice file to pipe", splice(in, &from, p[1], NULL, 2 * PAGE, 0), 2 * PAGE);
    EQ("offset moved", from, 200 + 2 * PAGE);
    EQ("tee", tee(p[0], q[1], PAGE, SPLICE_F_NONBLOCK), PAGE);
    NEED(ftruncate(out, 0));
    to = 7;
    EQ("splice pipe to file", splice(p[0], NULL, out, &to, 2 * PAGE, 0), 2 * PAGE);
    CHECK("content", same(out, 7, 200, 2 * PAGE));
    EQ("the teed pipe", read(q[0], back, sizeof back), PAGE);
    CHECK("its content", memcmp(back, data + 200, PAGE) == 0);
    EQ("pipe to pipe", (NEED(write(p[1], "abc", 3)), splice(p[0], NULL, q[1], NULL, 3, 0)), 3);
    EQ("arrives", read(q[0], back, 10), 3);
    ERR("empty pipe", splice(p[0], NULL, out, NULL, 10, SPLICE_F_NONBLOCK), EAGAIN);
    ERR("no pipe", splice(in, NULL, out, NULL, 10, 0), EINVAL);
    ERR("offset of a pipe", splice(p[0], &from, out, NULL, 10, 0), ESPIPE);
    ERR("tee of a file", tee(in, p[1], 10, 0), EINVAL);

    struct iovec iov[2] = {{data, 100}, {data + PAGE, 200}};
    EQ("vmsplice", vmsplice(p[1], iov, 2, 0), 300);
    EQ("read", read(p[0], back, sizeof back), 300);
    CHECK("content", memcmp(back, data, 100) == 0 && memcmp(back + 100, data + PAGE, 200) == 0);
    NEED(write(p[1], "from the pipe", 13));
    iov[0] = (struct iovec){back, 13};
    EQ("vmsplice out of the pipe", vmsplice(p[0], iov, 1, 0), 13);
    CHECK("content", memcmp(back, "from the pipe", 13) == 0);
    iov[0].iov_base = (void *)16;
    ERR("vmsplice bad pointer", vmsplice(p[1], iov, 1, 0), EFAULT);

    EQ("F_SETPIPE_SZ", fcntl(p[1], F_SETPIPE_SZ, 8 * PAGE), 8 * PAGE);
    EQ("F_GETPIPE_SZ", fcntl(p[1], F_GETPIPE_SZ), 8 * PAGE);
    // Fill it to the brim.
    NEED(fcntl(p[1], F_SETFL, O_NONBLOCK));
    size_t filled = 0;
    ssize_t n;
    while ((n = write(p[1], data, PAGE)) > 0)
        filled += (size_t)n;
    EQ("full pipe", filled, 8 * PAGE);
    ERR("takes no more", write(p[1], data, 1), EAGAIN);
    EQ("and is emptied", read(p[0], back, sizeof back), sizeof back);
    unlink("in");
    unlink("out");
    return check_done();
}
