// Reading and writing at places: vectors, offsets, seeks, holes, preallocation.
#include "check.h"
#include "probe.h"
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static int fd;

static const char *whole(void)
{
    static char buf[256];
    ssize_t n = pread(fd, buf, sizeof buf - 1, 0);
    buf[n < 0 ? 0 : n] = 0;
    return buf;
}

static void positions(void)
{
    char buf[32] = {0};
    EQ("write", write(fd, "abcdefghij", 10), 10);
    EQ("pwrite", pwrite(fd, "XY", 2, 3), 2);
    STR("content", whole(), "abcXYfghij");
    EQ("position unmoved", lseek(fd, 0, SEEK_CUR), 10);
    EQ("seek from the end", lseek(fd, -4, SEEK_END), 6);
    EQ("read", read(fd, buf, 32), 4);
    STR("tail", buf, "ghij");
    EQ("read at the end", read(fd, buf, 32), 0);
    EQ("read of 0 bytes", read(fd, buf, 0), 0);
    ERR("seek before the start", lseek(fd, -1, SEEK_SET), EINVAL);
    ERR("seek whence", lseek(fd, 0, 99), EINVAL);
    EQ("seek beyond the end", lseek(fd, 100, SEEK_SET), 100);
    EQ("write there", write(fd, "z", 1), 1);
    EQ("gap is zero", (pread(fd, buf, 1, 50), buf[0]), 0);
    ERR("pread negative", pread(fd, buf, 1, -1), EINVAL);
    int pipes[2];
    NEED(pipe(pipes));
    ERR("seek in a pipe", lseek(pipes[0], 0, SEEK_SET), ESPIPE);
    ERR("pread from a pipe", pread(pipes[0], buf, 1, 0), ESPIPE);
    close(pipes[0]);
    close(pipes[1]);
    NEED(ftruncate(fd, 0));
    NEED(lseek(fd, 0, SEEK_SET));
}

static void vectors(void)
{
    struct iovec out[4] = {{"one", 3}, {"", 0}, {"two", 3}, {"three", 5}};
    EQ("writev", writev(fd, out, 4), 11);
    STR("content", whole(), "onetwothree");
    EQ("pwritev", pwritev(fd, out, 1, 3), 3);
    STR("content", whole(), "oneonethree");
    EQ("pwritev2 at the position", syscall(SYS_pwritev2, fd, out, 1, -1L, -1L, 0), 3);
    STR("content", whole(), "oneonethreeone");
    EQ("pwritev2 append", syscall(SYS_pwritev2, fd, out + 2, 1, 0L, 0L, 0x10), 3);
    STR("content", whole(), "oneonethreeonetwo");
    ERR("pwritev2 unknown flag", syscall(SYS_pwritev2, fd, out, 1, 0L, 0L, 0x40000000), EOPNOTSUPP);
    char a[4] = {0}, b[5] = {0}, c[32] = {0};
    struct iovec in[3] = {{a, 3}, {b, 4}, {c, 31}};
    NEED(lseek(fd, 0, SEEK_SET));
    EQ("readv", readv(fd, in, 3), 17);
    STR("first", a, "one");
    STR("second", b, "onet");
    STR("third", c, "hreeonetwo");
    EQ("preadv", preadv(fd, in, 2, 6), 7);
    STR("first again", a, "thr");
    EQ("preadv2", syscall(SYS_preadv2, fd, in, 2, 3L, 0L, 0), 7);
    STR("first at 3", a, "one");
    EQ("no vectors", readv(fd, in, 0), 0);
    // One vector over many pages, and many vectors over one page.
    static char big[20 * PAGE];
    memset(big, 'q', sizeof big);
    EQ("large write", pwrite(fd, big, sizeof big, 0), sizeof big);
    static struct iovec many[1024];
    static char back[20 * PAGE];
    for (int i = 0; i < 1024; i++)
        many[i] = (struct iovec){back + i * 80, 80};
    EQ("1024 vectors", preadv(fd, many, 1024, 0), sizeof back);
    CHECK("all there", memcmp(big, back, sizeof back) == 0);
    NEED(ftruncate(fd, 0));
}

static void holes(void)
{
    NEED(ftruncate(fd, 64 * PAGE));
    NEED(pwrite(fd, "data", 4, 32 * PAGE));
    EQ("SEEK_DATA", lseek(fd, 0, SEEK_DATA), 32 * PAGE);
    EQ("SEEK_HOLE", lseek(fd, 0, SEEK_HOLE), 0);
    EQ("hole behind the data", lseek(fd, 32 * PAGE, SEEK_HOLE), 33 * PAGE);
    ERR("no data left", lseek(fd, 40 * PAGE, SEEK_DATA), ENXIO);
    OK("fallocate", fallocate(fd, 0, 0, 4 * PAGE));
    struct stat st;
    NEED(fstat(fd, &st));
    CHECK("blocks taken", st.st_blocks >= 40);
    OK("posix_fallocate", posix_fallocate(fd, 64 * PAGE, PAGE) ? -1 : 0);
    NEED(fstat(fd, &st));
    EQ("size grown", st.st_size, 65 * PAGE);
    OK("keep size", fallocate(fd, FALLOC_FL_KEEP_SIZE, 65 * PAGE, PAGE));
    NEED(fstat(fd, &st));
    EQ("size kept", st.st_size, 65 * PAGE);
    OK("punch hole", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 32 * PAGE, PAGE));
    char c = 1;
    NEED(pread(fd, &c, 1, 32 * PAGE));
    EQ("hole is zero", c, 0);
    ERR("fallocate length 0", fallocate(fd, 0, 0, 0), EINVAL);
    ERR("fallocate negative", fallocate(fd, 0, -1, 10), EINVAL);
    ERR("fallocate unknown mode", fallocate(fd, 0x4000, 0, PAGE), EOPNOTSUPP);
    OK("posix_fadvise", posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL) ? -1 : 0);
    EQ("bad advice", posix_fadvise(fd, 0, 0, 77), EINVAL);
    OK("readahead", readahead(fd, 0, PAGE));
    NEED(ftruncate(fd, 0));
}

// Buffers that straddle mappings and lie at odd addresses.
static void odd_buffers(void)
{
    static char area[3 * PAGE + 1];
    int wrong = 0;
    NEED(lseek(fd, 0, SEEK_SET));
    for (size_t len = 1; len < 2 * PAGE; len = len * 2 + 1) {
        for (size_t at = 0; at < 8; at++) {
            memset(area, (int)(len + at), sizeof area);
            NEED(ftruncate(fd, 0));
            wrong += pwrite(fd, area + at, len, 0) != (ssize_t)len;
            memset(area, 0, sizeof area);
            wrong += pread(fd, area + PAGE - at, sizeof area - PAGE, 0) != (ssize_t)len;
            wrong += !all_bytes(area + PAGE - at, len, (unsigned char)(len + at)) || area[PAGE - at + len];
        }
    }
    EQ("odd buffers", wrong, 0);
}

int main(void)
{
    fd = NEED(open("file", O_RDWR | O_CREAT, 0644));
    positions();
    vectors();
    holes();
    odd_buffers();
    unlink("file");
    return check_done();
}
