// /dev/nsm as a file, and what is wrong with a request: errors in the order
// that they are looked for, and no effect where there is one. Natively there
// is no such device, and nothing but the names of the checks is printed.
// km-test: nsm=emulated
// km-test-case: ioctl args=ioctl
// km-test-case: call args=call
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>

#include "nsm.h"
#include "pages.h"

/* As the checks of check.h, where there is a module. */
#define IS(name, got, want) \
    do {                    \
        if (inside())       \
            EQ(name, got, want); \
        else                \
            printf("ok %s\n", name); \
    } while (0)
#define FAILS(name, call, want)      \
    do {                             \
        if (inside())                \
            ERR(name, call, want);   \
        else                         \
            printf("ok %s\n", name); \
    } while (0)

static struct nsm_message message_of(const struct bytes *request, struct bytes *answer)
{
    return (struct nsm_message){(uintptr_t)request->at, request->length, (uintptr_t)answer->at,
                                sizeof answer->at};
}

static struct bytes extension(void)
{
    return encoded((struct request){.name = "ExtendPCR", .index = 20, .data = "x", .length = 1});
}

static int is_extended(void)
{
    static const uint8_t zero[48];
    struct bytes answer = nsm_ask((struct request){.name = "DescribePCR", .index = 20});
    return nsm_find(&answer, zero, 48) == NULL;
}

static void pointers(void)
{
    struct bytes request = extension(), answer;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    /* Two pages, of which only the first can be used, and one that is not written to. */
    uint8_t *edge = private_pages(2 * page);
    NEED(mprotect(edge + page, page, PROT_NONE));
    uint8_t *fixed = private_pages(page);
    struct nsm_message m, good = message_of(&request, &answer);

    FAILS("no structure", nsm_send(NULL), EFAULT);
    FAILS("half a structure", nsm_send((void *)(edge + page - 16)), EFAULT);
    FAILS("a structure beyond all addresses", nsm_send((void *)-16l), EFAULT);
    memcpy(fixed, &good, sizeof good);
    NEED(mprotect(fixed, page, PROT_READ));
    FAILS("a structure that cannot be written", nsm_send((void *)fixed), EFAULT);
    m = good, m.request_length = 4097;
    FAILS("a long request", nsm_send(&m), EMSGSIZE);
    m.request = 0;
    FAILS("its length comes first", nsm_send(&m), EMSGSIZE);
    m.request_length = ~0ull;
    FAILS("a longer one", nsm_send(&m), EMSGSIZE);
    m.request_length = 0;
    FAILS("an empty request", nsm_send(&m), EINVAL);
    m.request_length = 10;
    FAILS("no request", nsm_send(&m), EFAULT);
    m.request = (uintptr_t)edge + page - 5;
    FAILS("half a request", nsm_send(&m), EFAULT);
    m.request = ~0ull - 4;
    FAILS("a request beyond all addresses", nsm_send(&m), EFAULT);
    m = good, m.response = 0;
    FAILS("nowhere for the answer", nsm_send(&m), EFAULT);
    m.response = (uintptr_t)fixed;
    FAILS("an answer that cannot be written", nsm_send(&m), EFAULT);
    m.response = (uintptr_t)edge + page - 8;
    FAILS("room for half an answer", nsm_send(&m), EFAULT);
    m.response = ~0ull - 4, m.response_length = 64;
    FAILS("an answer beyond all addresses", nsm_send(&m), EFAULT);
    IS("nothing of all that has had an effect", is_extended(), 0);

    memset(answer.at, 0xee, 64);
    m = good, m.response_length = 12;
    IS("a cut answer", nsm_send(&m), 0);
    IS("is as long as there is room", m.response_length, 12);
    IS("and ends there", answer.at[11] != 0xee && answer.at[12] == 0xee, 1);
    IS("it has had an effect", is_extended(), 1);
    m = good, m.response_length = 0, m.response = 0;
    IS("no room at all", nsm_send(&m), 0);
    m = good, m.response_length = ~0ull;
    IS("more room than there is memory", nsm_send(&m), 0);
    IS("the length that is told", m.response_length, 67);
    memcpy(edge + page - request.length, request.at, request.length);
    m = good, m.request = (uintptr_t)edge + page - request.length;
    IS("a request at the end of memory", nsm_send(&m), 0);
    m = good, m.response = (uintptr_t)edge + page - 67, m.response_length = 67;
    IS("an answer at the end of memory", nsm_send(&m), 0);
    m = good, m.response = m.request;
    IS("the answer over the request", nsm_send(&m), 0);
    m = good, m.response = (uintptr_t)&m, m.response_length = 16;
    IS("the answer over the structure", nsm_send(&m), 0);
    IS("whose length comes last", m.response_length, 16);
    IS("no such length", nsm_send(&(struct nsm_message){1, 2, 3, 4}), -1);
}

struct rewriting {
    volatile struct nsm_message message;
    struct nsm_message good;
    atomic_int end;
};

/* One field after the other becomes wrong, and right again, for as long as the message is sent. */
static void *rewrite(void *given)
{
    struct rewriting *it = given;
    while (!it->end) {
        it->message.request_length = 5000;
        it->message.response = 0;
        it->message.request_length = 0;
        it->message.request = 1;
        it->message.response_length = 8;
        it->message.request = it->good.request;
        it->message.response_length = it->good.response_length;
        it->message.response = it->good.response;
        it->message.request_length = it->good.request_length;
        sched_yield();
    }
    return NULL;
}

/* A request is what was read of it at one time, whatever becomes of it meanwhile. */
static void rewritten(void)
{
    struct bytes request = extension(), answer;
    struct rewriting it = {.good = message_of(&request, &answer)};
    int wrong = 0;
    pthread_t thread;
    it.message = it.good;
    if (inside()) {
        NEED(-pthread_create(&thread, NULL, rewrite, &it));
        for (int i = 0; i < 100; i++) {
            answer.at[0] = 0;
            int failed = nsm_send((struct nsm_message *)&it.message);
            wrong += failed ? errno != EMSGSIZE && errno != EINVAL && errno != EFAULT : answer.at[0] != 0xa1;
        }
        it.end = 1;
        NEED(-pthread_join(thread, NULL));
    }
    IS("no request that is rewritten meanwhile is another one", wrong, 0);
    it.message = it.good;
    IS("and the next is as ever", nsm_send((struct nsm_message *)&it.message), 0);
}

static int asks(int fd)
{
    struct bytes request = encoded((struct request){.name = "DescribeNSM"}), answer;
    struct nsm_message m = message_of(&request, &answer);
    int failed = ioctl(fd, NSM_IOCTL, &m);
    answer.length = m.response_length;
    return !failed && nsm_find(&answer, "dev-nsm-", 8);
}

static void device(char **argv)
{
    struct stat by_path, by_fd;
    /* struct statx, which musl 1.2.3 has not: mode at 28, inode at 32, major at 128. */
    uint64_t wide[32];
    const uint8_t *in_wide = (const uint8_t *)wide;
    char name[64], text[64] = "";
    int fd = inside() ? NEED(open("/dev/nsm", O_RDWR)) : -1;
    int reads = inside() ? NEED(open("/dev/nsm", O_RDONLY | O_CLOEXEC)) : -1;
    int writes = inside() ? NEED(open("/dev//./nsm", O_WRONLY | O_CREAT | O_TRUNC, 0600)) : -1;
    int path = inside() ? NEED(open("/dev/nsm", O_PATH)) : -1;
    int dev = NEED(open("/dev", O_RDONLY | O_DIRECTORY));
    int below = inside() ? NEED(openat(dev, "nsm", O_RDWR | O_NOFOLLOW)) : -1;

    IS("stat", stat("/dev/nsm", &by_path), 0);
    IS("a character device", (by_path.st_mode & S_IFMT) == S_IFCHR, 1);
    IS("for all", by_path.st_mode & 0777, 0666);
    IS("of a misc driver", by_path.st_rdev >> 8 & 0xfff, 10);
    IS("fstat", fstat(fd, &by_fd), 0);
    IS("the same", by_fd.st_ino == by_path.st_ino && by_fd.st_rdev == by_path.st_rdev &&
        by_fd.st_mode == by_path.st_mode && by_fd.st_dev == by_path.st_dev, 1);
    IS("statx", syscall(SYS_statx, AT_FDCWD, "/dev/nsm", 0, 0x7ff, wide), 0);
    IS("the same there", wide[4] == by_path.st_ino && *(const uint32_t *)(in_wide + 128) == 10 &&
        *(const uint16_t *)(in_wide + 28) == by_path.st_mode, 1);
    IS("statx of a descriptor", syscall(SYS_statx, fd, "", AT_EMPTY_PATH, 0x7ff, wide), 0);
    IS("the same by it", wide[4] == by_path.st_ino && *(const uint16_t *)(in_wide + 28) == by_path.st_mode, 1);
    IS("lstat", lstat("/dev/nsm", &by_fd), 0);
    IS("from a directory", fstatat(dev, "nsm", &by_fd, AT_SYMLINK_NOFOLLOW), 0);
    IS("access", access("/dev/nsm", R_OK | W_OK), 0);
    FAILS("nobody executes it", access("/dev/nsm", X_OK), EACCES);
    FAILS("no link", readlink("/dev/nsm", text, sizeof text), EINVAL);
    IS("realpath", inside() && realpath("/dev/../dev/nsm", NULL) != NULL, 1);
    FAILS("it is there already", open("/dev/nsm", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
    FAILS("no directory", open("/dev/nsm", O_RDONLY | O_DIRECTORY), ENOTDIR);
    FAILS("no other name", open("/dev/nsm2", O_RDONLY), ENOENT);
    FAILS("nor elsewhere", open("/tmp/../nsm", O_RDONLY), ENOENT);
    NEED(symlink("/dev/nsm", "link"));
    IS("by a link", asks(open("link", O_RDWR)), 1);
    FAILS("a link not followed", open("link", O_RDWR | O_NOFOLLOW), ELOOP);
    NEED(unlink("link"));

    IS("each descriptor asks", asks(fd) && asks(reads) && asks(writes) && asks(below), 1);
    FAILS("but not one of a path", ioctl(path, NSM_IOCTL, NULL), EBADF);
    IS("access modes", (fcntl(reads, F_GETFL) & O_ACCMODE) == O_RDONLY &&
        (fcntl(writes, F_GETFL) & O_ACCMODE) == O_WRONLY, 1);
    IS("close-on-exec", fcntl(reads, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    IS("a copy", asks(dup(fd)), 1);
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    IS("opened anew", asks(open(name, O_RDONLY)), 1);
    IS("its name", readlink(name, text, sizeof text), 8);
    IS("is the device's", strncmp(text, "/dev/nsm", 9), 0);

    struct termios terminal;
    FAILS("another command", ioctl(fd, TCGETS, &terminal), EINVAL);
    FAILS("a command of its kind", ioctl(fd, NSM_IOCTL + 1, &terminal), EINVAL);
    IS("a command of the kernel's", ioctl(fd, FIOCLEX), 0);
    IS("was carried out", fcntl(fd, F_GETFD), FD_CLOEXEC);
    IS("and back", ioctl(fd, FIONCLEX), 0);
    FAILS("read", read(fd, text, 1), EINVAL);
    FAILS("pread", pread(fd, text, 1, 0), EINVAL);
    FAILS("read where it is not open for it", read(writes, text, 1), EBADF);
    FAILS("write", write(fd, "x", 1), EINVAL);
    FAILS("write where it is not open for it", write(reads, "x", 1), EBADF);
    FAILS("mmap", mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0), ENODEV);
    IS("lseek", lseek(fd, 1, SEEK_CUR), 0);
    FAILS("ftruncate", ftruncate(fd, 1), EINVAL);
    FAILS("fsync", fsync(fd), EINVAL);
    struct pollfd ready = {.fd = fd, .events = POLLIN | POLLOUT};
    IS("always ready", poll(&ready, 1, 0), 1);
    int epoll = NEED(epoll_create1(0));
    struct epoll_event event = {.events = EPOLLIN};
    FAILS("not for epoll", epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), EPERM);

    struct bytes request = encoded((struct request){.name = "ExtendPCR", .index = 21, .data = "x", .length = 1});
    pid_t child = NEED(fork());
    if (child == 0) {
        if (!inside()) _exit(0);
        struct bytes answer;
        struct nsm_message m = message_of(&request, &answer);
        int failed = ioctl(fd, NSM_IOCTL, &m);
        snprintf(name, sizeof name, "%d", fd);
        execl(argv[0], argv[0], "again", name, (char *)NULL);
        _exit(10 + failed);
    }
    int status = -1;
    NEED(waitpid(child, &status, 0));
    IS("a child, and what it executes, have the same module", status, 0);
    struct bytes answer = nsm_ask((struct request){.name = "DescribePCR", .index = 21});
    model((struct request){.name = "ExtendPCR", .index = 21, .data = "x", .length = 1});
    model((struct request){.name = "ExtendPCR", .index = 21, .data = "x", .length = 1});
    struct bytes wanted = model((struct request){.name = "DescribePCR", .index = 21});
    IS("which has seen both", nsm_is(&answer, &wanted), 1);
    for (int i = 3; i < 20; i++) close(i);
    FAILS("closed", ioctl(fd, NSM_IOCTL, NULL), EBADF);
}

int main(int argc, char **argv)
{
    if (argc > 2) {
        nsm_fd = atoi(argv[2]);
        struct bytes request = encoded((struct request){.name = "ExtendPCR", .index = 21, .data = "x", .length = 1});
        nsm_bytes(&request);
        return 0;
    }
    nsm_open(argc > 1 && !strcmp(argv[1], "call"));
    pointers();
    rewritten();
    if (!nsm_by_call) device(argv);
    return check_done();
}
