// The own memory as a file, /proc/self/mem: read and written at addresses, whatever the pages allow.
#include "tasks.h"
#include <stdint.h>
#include <sys/mman.h>
#include <sys/uio.h>

static char data[64] = "what is in memory";
static const char constant[64] = "this cannot be written";

static void *volatile nowhere = (void *)16;

static off_t place(const volatile void *address) { return (off_t)(uintptr_t)address; }

static void by_offset(void)
{
    char text[64] = {0};
    int fd = NEED(open("/proc/self/mem", O_RDWR | O_CLOEXEC));
    EQ("flags", fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
    EQ("close-on-exec", fcntl(fd, F_GETFD), FD_CLOEXEC);
    EQ("pread", pread(fd, text, 18, place(data)), 18);
    CHECK("read", strcmp(text, data) == 0);
    EQ("pwrite", pwrite(fd, "WHAT", 4, place(data)), 4);
    CHECK("written", strcmp(data, "WHAT is in memory") == 0);
    EQ("nothing", pread(fd, text, 0, place(data)), 0);
    ERR("nowhere", pread(fd, text, 8, 16), EIO);
    ERR("nor to there", pwrite(fd, text, 8, 16), EIO);
    ERR("beyond all addresses", pread(fd, text, 8, -1L ^ (1L << 63)), EIO);
    ERR("before the first", pread(fd, text, 8, -8), EINVAL);
    ERR("to nowhere", pread(fd, nowhere, 8, place(data)), EFAULT);
    ERR("from nowhere", pwrite(fd, nowhere, 8, place(data)), EFAULT);

    struct iovec io[3] = {{text, 4}, {text + 32, 1}, {text + 4, 3}};
    memset(text, 0, sizeof text);
    EQ("preadv", preadv(fd, io, 3, place(data)), 8);
    CHECK("gathered", strcmp(text, "WHATis ") == 0 && text[32] == ' ');
    EQ("pwritev", pwritev(fd, io, 3, place(data) + 8), 8);
    CHECK("scattered", memcmp(data, "WHAT is WHAT is y", 17) == 0);
    ERR("too many", syscall(SYS_preadv, fd, io, 2000, place(data), 0), EINVAL);
    ERR("vectors nowhere", syscall(SYS_preadv, fd, nowhere, 1, place(data), 0), EFAULT);
    close(fd);
    ERR("closed", pread(fd, text, 8, place(data)), EBADF);
}

static void by_position(void)
{
    char text[64] = {0};
    int fd = NEED(open("/proc/thread-self/mem", O_RDWR)), copy = NEED(dup(fd));
    EQ("seek", lseek(fd, place(data), SEEK_SET), place(data));
    EQ("read", read(fd, text, 4), 4);
    EQ("moved", lseek(copy, 0, SEEK_CUR), place(data) + 4);
    EQ("read on", read(copy, text + 4, 3), 3);
    CHECK("both", strcmp(text, "WHAT is") == 0);
    EQ("write", write(fd, "-----", 5), 5);
    EQ("moved", lseek(fd, 0, SEEK_CUR), place(data) + 12);
    CHECK("written", memcmp(data, "WHAT is-----", 12) == 0);
    struct iovec io[2] = {{text, 2}, {text + 2, 2}};
    EQ("readv", readv(fd, io, 2), 4);
    EQ("moved", lseek(fd, 0, SEEK_CUR), place(data) + 16);
    EQ("writev", writev(fd, io, 2), 4);
    EQ("moved", lseek(fd, 0, SEEK_CUR), place(data) + 20);
    EQ("seek back", lseek(fd, -20, SEEK_CUR), place(data));
    close(fd);
    close(copy);
}

static void by_access(void)
{
    char text[8], path[64];
    int fd = NEED(open("/proc/self/mem", O_RDONLY));
    EQ("flags", fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    EQ("read", pread(fd, text, 8, place(data)), 8);
    ERR("not written", pwrite(fd, text, 8, place(data)), EBADF);
    close(fd);
    snprintf(path, sizeof path, "/proc/%d/task/%d/mem", getpid(), tid());
    fd = NEED(open(path, O_WRONLY));
    EQ("flags", fcntl(fd, F_GETFL) & O_ACCMODE, O_WRONLY);
    EQ("written", pwrite(fd, text, 8, place(data)), 8);
    ERR("not read", pread(fd, text, 8, place(data)), EBADF);
    close(fd);
    ERR("no directory", open("/proc/self/mem", O_RDONLY | O_DIRECTORY), ENOTDIR);
    int directory = NEED(open("/proc/self", O_PATH));
    fd = NEED(openat(directory, "../self/mem", O_RDONLY));
    EQ("by a directory", pread(fd, text, 8, place(data)), 8);
    close(fd);
    close(directory);
}

static void whatever_pages_allow(void)
{
    char text[64] = {0};
    int fd = NEED(open("/proc/self/mem", O_RDWR));
    EQ("a constant", pwrite(fd, "that", 4, place(constant)), 4);
    EQ("written", ((const volatile char *)constant)[2], 'a');
    char *pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(pages, 'x', 3 * 4096);
    OK("no access", mprotect(pages, 4096, PROT_NONE));
    EQ("read", pread(fd, text, 8, place(pages)), 8);
    CHECK("seen", memcmp(text, "xxxxxxxx", 8) == 0);
    EQ("write", pwrite(fd, "abc", 3, place(pages)), 3);
    OK("access", mprotect(pages, 4096, PROT_READ));
    CHECK("written", memcmp(pages, "abcx", 4) == 0);
    // Several mappings, and then none.
    EQ("over their ends", pread(fd, text, 8, place(pages) + 4092), 8);
    OK("unmap", munmap(pages + 2 * 4096, 4096));
    EQ("to the end", pread(fd, text, 16, place(pages) + 2 * 4096 - 6), 6);
    ERR("behind it", pread(fd, text, 16, place(pages) + 2 * 4096), EIO);
    munmap(pages, 2 * 4096);
    close(fd);
}

// Code that was executed, then changed through the file.
static void code(void)
{
    static const unsigned char returns_1[] = {0xb8, 1, 0, 0, 0, 0xc3}, two = 2;
    unsigned char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(page, returns_1, sizeof returns_1);
    NEED(mprotect(page, 4096, PROT_READ | PROT_EXEC));
    int (*function)(void) = (int (*)(void))(uintptr_t)page;
    EQ("before", function(), 1);
    int fd = NEED(open("/proc/self/mem", O_WRONLY));
    EQ("changed", pwrite(fd, &two, 1, place(page) + 1), 1);
    EQ("after", function(), 2);
    close(fd);
    munmap(page, 4096);
}

static void *beside(void *arg)
{
    char text[18] = {0};
    int fd = NEED(open("/proc/self/mem", O_RDWR));
    EQ("from a thread", pread(fd, text, 17, place(data)), 17);
    CHECK("read", memcmp(text, data, 17) == 0);
    EQ("write", pwrite(fd, "thread", 6, place(data)), 6);
    close(fd);
    EQ("through another's", pread(*(int *)arg, text, 6, place(data)), 6);
    CHECK("read", memcmp(text, "thread", 6) == 0);
    return NULL;
}

static void with_threads(void)
{
    int fd = NEED(open("/proc/self/mem", O_RDONLY));
    pthread_join(thread(beside, &fd), NULL);
    close(fd);
}

static int forked(void)
{
    char text[8] = {0};
    data[0] = 'C';
    int fd = NEED(open("/proc/self/mem", O_RDONLY));
    EQ("its own", pread(fd, text, 6, place(data)), 6);
    CHECK("read", memcmp(text, "Chread", 6) == 0);
    close(fd);
    with_threads();
    return 0;
}

int main(void)
{
    setbuf(stdout, NULL);
    by_offset();
    by_position();
    by_access();
    whatever_pages_allow();
    code();
    with_threads();
    EQ("the child", child_end(forked), 0);
    EQ("the parent's", data[0], 't');
    return 0;
}
