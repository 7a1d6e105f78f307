// File mappings, private and shared, against the file's own view.
#include "check.h"
#include "probe.h"
#include <stdint.h>
#include <sys/stat.h>

static int make_file(const char *name, size_t len)
{
    int fd = NEED(open(name, O_RDWR | O_CREAT | O_TRUNC, 0600));
    unsigned char buf[PAGE];
    for (size_t at = 0; at < len; at += sizeof buf) {
        memset(buf, (int)(at / PAGE + 1), sizeof buf);
        size_t n = len - at < sizeof buf ? len - at : sizeof buf;
        NEED(write(fd, buf, n));
    }
    return fd;
}

static int byte_at(int fd, off_t at)
{
    unsigned char b = 0;
    return pread(fd, &b, 1, at) == 1 ? b : -1;
}

static void private_mapping(void)
{
    int fd = make_file("private", 4 * PAGE);
    unsigned char *p = NEED(mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0));
    CHECK("content", p[0] == 1 && p[PAGE] == 2 && p[4 * PAGE - 1] == 4);
    p[0] = 100;
    EQ("write stays private", byte_at(fd, 0), 1);
    unsigned char new_byte = 200;
    NEED(pwrite(fd, &new_byte, 1, PAGE));
    EQ("file's change seen in untouched page", p[PAGE], 200);
    NEED(pwrite(fd, &new_byte, 1, 1));
    EQ("not in a copied page", p[1], 1);
    unsigned char *q = NEED(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 2 * PAGE));
    EQ("offset", q[0], 3);
    EQ("read-only", writable(q), 0);
    close(fd);
    EQ("closed file stays mapped", p[2 * PAGE], 3);
    NEED(unlink("private"));
    EQ("and removed", p[3 * PAGE], 4);
    EQ("read by the kernel", readable(p + 3 * PAGE), 1);
    NEED(munmap(p, 4 * PAGE));
    NEED(munmap(q, PAGE));
}

static void shared_mapping(void)
{
    int fd = make_file("shared", 4 * PAGE);
    unsigned char *p = NEED(mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0));
    unsigned char *q = NEED(mmap(NULL, 2 * PAGE, RW, MAP_SHARED, fd, PAGE));
    p[PAGE + 5] = 77;
    EQ("seen by read", byte_at(fd, PAGE + 5), 77);
    EQ("seen by the other mapping", q[5], 77);
    q[PAGE] = 78;
    EQ("and back", p[2 * PAGE], 78);
    unsigned char b = 79;
    NEED(pwrite(fd, &b, 1, 3));
    EQ("write seen in the mapping", p[3], 79);
    OK("msync sync", msync(p, 4 * PAGE, MS_SYNC));
    OK("msync async", msync(p, PAGE, MS_ASYNC));
    OK("msync invalidate", msync(p, PAGE, MS_INVALIDATE));
    ERR("msync both", msync(p, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
    ERR("msync misaligned", msync(p + 1, PAGE, MS_SYNC), EINVAL);
    // A read from the file straight into a mapping of the same file.
    EQ("pread into its own mapping", pread(fd, p + 3 * PAGE, 10, PAGE), 10);
    EQ("what it read", byte_at(fd, 3 * PAGE + 5), 77);
    NEED(munmap(p, 4 * PAGE));
    EQ("written back", byte_at(fd, PAGE + 5), 77);
    NEED(munmap(q, 2 * PAGE));
    ERR("msync unmapped", msync(p, PAGE, MS_SYNC), ENOMEM);
    close(fd);
    unlink("shared");
}

static void end_of_file(void)
{
    int fd = make_file("partial", PAGE + 100);
    unsigned char *p = NEED(mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0));
    EQ("last byte", p[PAGE + 99], 2);
    CHECK("rest of the last page is zero", all_bytes(p + PAGE + 100, PAGE - 100, 0));
    p[PAGE + 100] = 55;
    EQ("no byte beyond the end", byte_at(fd, PAGE + 100), -1);
    p[PAGE + 100] = 0;
    EQ("nothing beyond the last page", readable(p + 2 * PAGE), 0);
    EQ("nor to write", writable(p + 3 * PAGE), 0);
    NEED(ftruncate(fd, 3 * PAGE));
    EQ("grown file appears", p[2 * PAGE], 0);
    p[2 * PAGE] = 66;
    EQ("and is written", byte_at(fd, 2 * PAGE), 66);
    NEED(ftruncate(fd, PAGE));
    EQ("truncated away", readable(p + PAGE), 0);
    EQ("first page kept", p[0], 1);
    NEED(ftruncate(fd, 2 * PAGE));
    EQ("grown again, zero", p[PAGE + 5], 0);
    NEED(munmap(p, 4 * PAGE));
    close(fd);
    unlink("partial");
}

static void residency(void)
{
    int fd = make_file("core", 3 * PAGE);
    unsigned char *p = NEED(mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0));
    unsigned char vec[3] = {0};
    int sum = p[0] + p[PAGE] + p[2 * PAGE];
    EQ("touched", sum, 6);
    OK("mincore", mincore(p, 3 * PAGE, vec));
    CHECK("resident", (vec[0] & vec[1] & vec[2] & 1) == 1);
    ERR("mincore misaligned", mincore(p + 1, PAGE, vec), EINVAL);
    ERR("mincore bad vector", mincore(p, PAGE, (unsigned char *)8), EFAULT);
    NEED(munmap(p + PAGE, PAGE));
    ERR("mincore over a hole", mincore(p, 3 * PAGE, vec), ENOMEM);
    NEED(munmap(p, 3 * PAGE));
    close(fd);
    unlink("core");
}

// A larger file read through a mapping gives what read gives.
static void large(void)
{
    size_t size = 2 << 20;
    int fd = make_file("large", size);
    unsigned char *p = NEED(mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0));
    unsigned sum = 0, want = 0;
    for (size_t i = 0; i < size; i += 64)
        sum += p[i];
    for (size_t i = 0; i < size; i += 64)
        want += (unsigned char)(i / PAGE + 1);
    EQ("sum of a large mapping", sum, want);
    OK("fixed over part of it", mmap(p + 7 * PAGE, PAGE, RW, MAP_PRIVATE | MAP_FIXED, fd, 0));
    EQ("another part of the file there", p[7 * PAGE], 1);
    EQ("behind it as before", p[8 * PAGE], 9);
    NEED(munmap(p, size));
    close(fd);
    unlink("large");
}

int main(void)
{
    private_mapping();
    shared_mapping();
    end_of_file();
    residency();
    large();
    return check_done();
}
