// Asynchronous I/O of Linux by its system calls: files, vectors, pipes by poll, an eventfd for results, waiting with and without a
// time limit, what is refused, and what a forked child has of it.
#include "tasks.h"
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define COUNT 32

static long setup(unsigned events, aio_context_t *context) { return syscall(SYS_io_setup, events, context); }
static long destroy(aio_context_t context) { return syscall(SYS_io_destroy, context); }
static long submit(aio_context_t context, long count, struct iocb **blocks) { return syscall(SYS_io_submit, context, count, blocks); }
static long fetch(aio_context_t context, long least, long most, struct io_event *events, struct timespec *limit)
{
    return syscall(SYS_io_getevents, context, least, most, events, limit);
}

static struct iocb prepare(int opcode, int fd, const void *buffer, size_t bytes, long offset)
{
    return (struct iocb){
        .aio_data = 0x5eed0000UL + (unsigned long)offset, .aio_key = 77, .aio_lio_opcode = (unsigned short)opcode,
        .aio_fildes = (unsigned)fd, .aio_buf = (unsigned long)buffer, .aio_nbytes = bytes, .aio_offset = offset};
}

static void files(aio_context_t context, int fd)
{
    static char out[COUNT][512], in[COUNT][512];
    static struct iocb blocks[COUNT];
    static struct io_event events[COUNT];
    struct iocb *list[COUNT];
    for (int i = 0; i < COUNT; i++) {
        memset(out[i], 'a' + i % 26, sizeof out[i]);
        blocks[i] = prepare(IOCB_CMD_PWRITE, fd, out[i], sizeof out[i], 512L * i);
        list[i] = &blocks[i];
    }
    EQ("all are written", submit(context, COUNT, list), COUNT);
    EQ("all are told of", fetch(context, COUNT, COUNT, events, NULL), COUNT);
    int right = 0;
    for (int i = 0; i < COUNT; i++) {
        struct iocb *of = (struct iocb *)events[i].obj;
        right += of >= blocks && of < blocks + COUNT && events[i].data == of->aio_data && events[i].res == 512 && of->aio_key == 0;
    }
    EQ("each with its block", right, COUNT);
    struct iovec vector[COUNT];
    for (int i = 0; i < COUNT; i++)
        vector[i] = (struct iovec){in[i], sizeof in[i]};
    blocks[0] = prepare(IOCB_CMD_PREADV, fd, vector, COUNT, 0);
    EQ("a vector is read", submit(context, 1, list), 1);
    memset(vector, 0, sizeof vector);
    EQ("and told of", fetch(context, 1, 1, events, NULL), 1);
    EQ("bytes", (long)events[0].res, sizeof in);
    CHECK("what was written", memcmp(in, out, sizeof in) == 0);
    blocks[0] = prepare(IOCB_CMD_PREAD, fd, in, 512, 512 * COUNT);
    blocks[1] = prepare(IOCB_CMD_FSYNC, fd, NULL, 0, 0);
    EQ("the end of the file, and a sync", submit(context, 2, list), 2);
    EQ("both are told of", fetch(context, 2, COUNT, events, NULL), 2);
    EQ("no bytes, no error", (long)(events[0].res | events[1].res), 0);
}

static void waiting(aio_context_t context)
{
    struct io_event events[4];
    struct timespec none = {0, 0}, soon = {0, 20000000};
    int ends[2], told = NEED(eventfd(0, EFD_NONBLOCK));
    uint64_t number = 0;
    NEED(pipe(ends));
    EQ("nothing yet", fetch(context, 1, 4, events, &none), 0);
    EQ("nothing soon", fetch(context, 1, 4, events, &soon), 0);
    struct iocb poll = prepare(IOCB_CMD_POLL, ends[0], NULL, 0, 0), *list[] = {&poll};
    poll.aio_buf = POLLIN;
    poll.aio_flags = IOCB_FLAG_RESFD;
    poll.aio_resfd = (unsigned)told;
    EQ("a pipe is polled", submit(context, 1, list), 1);
    EQ("it is empty", fetch(context, 0, 4, events, &none), 0);
    pid_t pid = fork_child();
    if (pid == 0) {
        ERR("the child has no context", fetch(context, 0, 4, events, &none), EINVAL);
        pause_ms(20);
        fflush(stdout);
        _exit(write(ends[1], "x", 1) != 1);
    }
    EQ("until it is written to", fetch(context, 1, 4, events, NULL), 1);
    CHECK("by this block", events[0].obj == (unsigned long)&poll && events[0].res & POLLIN);
    EQ("the eventfd has it", read(told, &number, sizeof number), sizeof number);
    EQ("once", (long)number, 1);
    EQ("the child", end_of(pid), 0);
    signal(SIGALRM, SIG_IGN);
    struct { sigset_t *set; size_t size; } mask = {NULL, 8};
    EQ("with a mask", syscall(SYS_io_pgetevents, context, 0, 4, events, &none, &mask), 0);
}

static void refused(aio_context_t context, int fd)
{
    struct io_event event;
    struct timespec none = {0, 0};
    char byte = 0;
    aio_context_t other = 1;
    ERR("a context that is one", setup(4, &other), EINVAL);
    other = 0;
    ERR("no events", setup(0, &other), EINVAL);
    ERR("nowhere", setup(4, NULL), EFAULT);
    ERR("no context", submit(12345, 1, NULL), EINVAL);
    ERR("fewer than none", submit(context, -1, NULL), EINVAL);
    EQ("none", submit(context, 0, NULL), 0);
    ERR("no list", submit(context, 1, NULL), EFAULT);
    struct iocb good = prepare(IOCB_CMD_PREAD, fd, &byte, 1, 0), bad = good, *list[] = {&good, &bad};
    bad.aio_lio_opcode = 4711;
    EQ("as many as are good", submit(context, 2, list), 1);
    EQ("and is told of", fetch(context, 1, 1, &event, NULL), 1);
    CHECK("with what it read", event.res == 1 && byte == 'a');
    list[0] = &bad;
    ERR("no operation", submit(context, 1, list), EINVAL);
    bad = good;
    bad.aio_fildes = 777;
    ERR("no descriptor", submit(context, 1, list), EBADF);
    bad = good;
    bad.aio_reserved2 = 1;
    ERR("what is reserved", submit(context, 1, list), EINVAL);
    bad = good;
    bad.aio_buf = 16;
    EQ("a bad buffer", submit(context, 1, list), 1);
    EQ("is an event", fetch(context, 1, 1, &event, NULL), 1);
    EQ("of an error", (long)event.res, -EFAULT);
    ERR("more than there may be", fetch(context, 2, 1, &event, &none), EINVAL);
    ERR("events nowhere", fetch(777, 0, 1, &event, &none), EINVAL);
    ERR("nothing to cancel", syscall(SYS_io_cancel, context, &good, &event), EINVAL);
}

int main(void)
{
    aio_context_t context = 0;
    tasks_begin();
    int fd = NEED(open("file", O_RDWR | O_CREAT, 0600));
    EQ("a context", setup(COUNT, &context), 0);
    CHECK("has a name", context != 0);
    files(context, fd);
    waiting(context);
    refused(context, fd);
    EQ("its end", destroy(context), 0);
    ERR("once", destroy(context), EINVAL);
    unlink("file");
    return check_done();
}
