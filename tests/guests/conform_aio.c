// Asynchronous I/O of Linux, with wrong arguments. Nothing is waited for that is not done.
// Raw calls: the C library makes no difference.
// km-test: links=static-musl,static-kontain
// km-test: timeout=60
#include "conform_child.h"
#include <linux/aio_abi.h>

static unsigned long context;
static int file;
static char data[16];
static struct iocb control, *list[3] = {&control, &control, &control};

static void read_control(struct iocb *to)
{
    memset(to, 0, sizeof *to);
    to->aio_lio_opcode = IOCB_CMD_PREAD;
    to->aio_fildes = (unsigned)file;
    to->aio_buf = (unsigned long)data;
    to->aio_nbytes = sizeof data;
}

// Reads of a file are done when they are submitted.
static void one_event(void)
{
    struct io_event events[8];
    struct timespec none = {0, 0};
    while (syscall(SYS_io_getevents, context, 0, 8, events, &none) > 0) {}
    read_control(&control);
    syscall(SYS_io_submit, context, 1, list);
}

static void contexts(void)
{
    unsigned long fresh = 0;
    const struct subject subjects[] = {
        {"io_setup", SYS_io_setup, NUMBER, {{COUNT32, 1, 0}, {INOUT, (long)&fresh, 8}}, NULL},
    };
    conform(subjects, conform_len(subjects));
    probe("io_setup", "a context that is", NUMBER, SYS_io_setup, 1, (long)&context);
    probe("io_setup", "a context that is, of none", NUMBER, SYS_io_setup, 0, (long)&context);
    static const long wrong[] = {0, 1, -1, 4096, 0x4141414141414141, (long)0xffff888000000000};
    for (size_t i = 0; i < conform_len(wrong); i++) {
        probe("io_destroy", "of none", NUMBER, SYS_io_destroy, wrong[i]);
        probe("io_submit", "of none", NUMBER, SYS_io_submit, wrong[i], 1, (long)list);
        probe("io_submit", "of none, nothing", NUMBER, SYS_io_submit, wrong[i], 0, 0);
        probe("io_submit", "of none, -1", NUMBER, SYS_io_submit, wrong[i], -1, 1);
        probe("io_getevents", "of none", NUMBER, SYS_io_getevents, wrong[i], 0, 1, 1, 1);
        probe("io_getevents", "of none, no time", NUMBER, SYS_io_getevents, wrong[i], 0, 1, 1, 0);
        probe("io_pgetevents", "of none", NUMBER, SYS_io_pgetevents, wrong[i], 0, 1, 1, 0, 0);
        probe("io_cancel", "of none", NUMBER, SYS_io_cancel, wrong[i], (long)&control, 1);
        probe("io_cancel", "of none, at 1", NUMBER, SYS_io_cancel, wrong[i], 1, 1);
    }
}

static void submissions(void)
{
    struct io_event events[4];
    struct timespec none = {0, 0};
    unsigned long set = 1UL << (SIGUSR1 - 1);
    struct { unsigned long at, size; } mask = {(unsigned long)&set, 8}, wrong = {(unsigned long)&set, 7}, bad = {1, 8}, absent = {0, 3};
    read_control(&control);
    const struct subject subjects[] = {
        {"io_submit", SYS_io_submit, NUMBER, {{KEEP, (long)context, 0}, {KEEP, 2, 0}, {IN, (long)list, 16}}, one_event},
        {"io_getevents", SYS_io_getevents, NUMBER,
         {{KEEP, (long)context, 0}, {WORD, 0, 4}, {WORD, 4, 6}, {OUT, (long)events, sizeof events}, {IN, (long)&none, 16}}, one_event},
        {"io_pgetevents", SYS_io_pgetevents, NUMBER,
         {{KEEP, (long)context, 0}, {KEEP, 0, 0}, {KEEP, 4, 0}, {OUT, (long)events, sizeof events}, {IN, (long)&none, 16},
          {IN, (long)&mask, 16}}, one_event},
        {"io_cancel", SYS_io_cancel, NUMBER, {{KEEP, (long)context, 0}, {IN, (long)&control, sizeof control}, {OUT, (long)events, 32}}, NULL},
    };
    conform(subjects, conform_len(subjects));
    one_event();
    probe("io_pgetevents", "mask of 7 bytes", NUMBER, SYS_io_pgetevents, context, 0, 4, (long)events, (long)&none, (long)&wrong);
    probe("io_pgetevents", "mask at 1", NUMBER, SYS_io_pgetevents, context, 0, 4, (long)events, (long)&none, (long)&bad);
    probe("io_pgetevents", "no mask of 3 bytes", NUMBER, SYS_io_pgetevents, context, 0, 4, (long)events, (long)&none, (long)&absent);
    struct timespec strange = {0, 1000000000};
    probe("io_getevents", "wrong nanoseconds", NUMBER, SYS_io_getevents, context, 0, 4, (long)events, (long)&strange);
    probe("io_submit", "nothing, at 1", NUMBER, SYS_io_submit, context, 0, 1);
    probe("io_submit", "-1", NUMBER, SYS_io_submit, context, -1, (long)list);
    struct iocb *second_bad[2] = {&control, (struct iocb *)1};
    probe("io_submit", "the second at 1", NUMBER, SYS_io_submit, context, 2, (long)second_bad);
}

static void controls(void)
{
    for (int op = 0; op < 12; op++)
        for (size_t i = 0; i < wrong_fd_count; i++) {
            char how[64];
            // To poll and to sync are done later: their events would come when they like.
            if (op == IOCB_CMD_FSYNC || op == IOCB_CMD_FDSYNC || op == IOCB_CMD_POLL)
                continue;
            snprintf(how, sizeof how, "%d of %s", op, wrong_fds[i].name);
            read_control(&control);
            control.aio_lio_opcode = (unsigned short)op;
            control.aio_fildes = (unsigned)wrong_fds[i].fd;
            control.aio_buf = 1;
            probe("io_submit", how, NUMBER, SYS_io_submit, context, 1, (long)list);
        }
    static const unsigned nothing[] = {777, 15000, (unsigned)-1};
    for (size_t i = 0; i < conform_len(nothing); i++) {
        read_control(&control);
        control.aio_fildes = nothing[i];
        probe("io_submit", "of no descriptor", NUMBER, SYS_io_submit, context, 1, (long)list);
        read_control(&control);
        control.aio_flags = IOCB_FLAG_RESFD;
        control.aio_resfd = nothing[i];
        probe("io_submit", "to no eventfd", NUMBER, SYS_io_submit, context, 1, (long)list);
    }
    for (size_t i = 0; i < wrong_fd_count; i++) {
        read_control(&control);
        control.aio_flags = IOCB_FLAG_RESFD;
        control.aio_resfd = (unsigned)wrong_fds[i].fd;
        probe("io_submit to", wrong_fds[i].name, NUMBER, SYS_io_submit, context, 1, (long)list);
    }
    for (int bit = 0; bit < 32; bit++) {
        char how[24];
        snprintf(how, sizeof how, "bit %d", bit);
        read_control(&control);
        control.aio_rw_flags = 1 << bit;
        // What is in the cache is the host's affair.
        if (1 << bit != RWF_NOWAIT)
            probe("io_submit rw_flags", how, NUMBER, SYS_io_submit, context, 1, (long)list);
        read_control(&control);
        control.aio_flags = 1U << bit;
        if (control.aio_flags != IOCB_FLAG_RESFD)
            probe("io_submit flags", how, NUMBER, SYS_io_submit, context, 1, (long)list);
    }
    read_control(&control);
    control.aio_reserved2 = 1;
    probe("io_submit", "reserved", NUMBER, SYS_io_submit, context, 1, (long)list);
    read_control(&control);
    control.aio_nbytes = -1UL;
    probe("io_submit", "of -1 bytes", NUMBER, SYS_io_submit, context, 1, (long)list);
    read_control(&control);
    control.aio_offset = -1;
    probe("io_submit", "from -1", NUMBER, SYS_io_submit, context, 1, (long)list);
}

// A context's ring is mapped where there is room: not between what the probes point to.
static void fill_holes(void)
{
    for (size_t i = 0; i < conform_len(rooms); i++) {
        char *holes[] = {rooms[i].data - PAGE, rooms[i].data + ROOM, rooms[i].constant + ROOM, rooms[i].closed + ROOM};
        for (size_t h = 0; h < conform_len(holes); h++)
            NEED(mmap(holes[h], PAGE, PROT_NONE, ANON | MAP_FIXED, -1, 0));
        NEED(mmap(rooms[i].closed + ROOM + PAGE, PAGE, PROT_NONE, ANON | MAP_FIXED, -1, 0));
    }
}

int main(void)
{
    conform_start();
    fill_holes();
    file = NEED(open("aio", O_RDWR | O_CREAT, 0600));
    NEED(write(file, "what can be read", 16));
    NEED(unlink("aio"));
    long made = syscall(SYS_io_setup, 512, &context);
    if (made < 0) {
        // A kernel without it, or a machine that has none left.
        printf("skip: %s\n", error_name(errno));
        return conform_done();
    }
    // A child has none of them.
    contexts();
    submissions();
    controls();
    probe("io_destroy", "", NUMBER, SYS_io_destroy, context);
    probe("io_destroy", "again", NUMBER, SYS_io_destroy, context);
    return conform_done();
}
