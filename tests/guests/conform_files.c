// Files by descriptor: reading, writing, locks, fcntl, splice and its kin, memfd, directories, with wrong arguments.
// Raw calls: the C library makes no difference.
// km-test: links=static-musl,static-kontain
// km-test: timeout=90
#include "conform.h"
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>

static int file, other, dir, pipes[2], zero;

static void content(void)
{
    char all[8192];
    while (read(pipes[0], all, sizeof all) > 0) {}
    if (write(pipes[1], "0123456789abcdef", 16) < 0)
        exit(2);
    if (ftruncate(file, 0) || pwrite(file, "the content of a file", 21, 0) < 0 || lseek(file, 0, SEEK_SET) < 0)
        exit(2);
    lseek(dir, 0, SEEK_SET);
}

static void unlocked(void)
{
    struct flock all = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    flock(file, LOCK_UN);
    fcntl(file, F_SETLK, &all);
    fcntl(file, 37, &all);
    // All of these can be locked, and some share an inode.
    for (size_t i = 0; i < wrong_fd_count; i++) {
        fcntl(wrong_fds[i].fd, F_SETLK, &all);
        fcntl(wrong_fds[i].fd, 37, &all);
        flock(wrong_fds[i].fd, LOCK_UN);
    }
}

static void locks(void)
{
    // To read, also where the file can be written: some of the wrong descriptors share their inode with every process of
    // the machine (eventfd, epoll, /dev/null), and a lock to write would be in the way of a trial that runs meanwhile.
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 4};
    static const struct { const char *name; int op; } ops[] = {
        {"F_GETLK", F_GETLK}, {"F_SETLK", F_SETLK}, {"F_SETLKW", F_SETLKW},
        {"F_OFD_GETLK", 36}, {"F_OFD_SETLK", 37}, {"F_OFD_SETLKW", 38},
    };
    for (size_t i = 0; i < conform_len(ops); i++) {
        struct subject one = {ops[i].name, SYS_fcntl, NUMBER,
                              {{DESC, file, 0}, {KEEP, ops[i].op, 0}, {INOUT, (long)&lock, sizeof lock}}, unlocked};
        conform(&one, 1);
        for (int type = -1; type < 6; type++)
            for (int whence = -1; whence < 4; whence++) {
                char how[32];
                snprintf(how, sizeof how, "type %d, whence %d", type, whence);
                struct flock strange = {.l_type = (short)type, .l_whence = (short)whence, .l_start = -5, .l_len = 0};
                probe(ops[i].name, how, NUMBER, SYS_fcntl, file, ops[i].op, (long)&strange);
                strange.l_start = LONG_MAX;
                strange.l_len = 2;
                probe(ops[i].name, how, NUMBER, SYS_fcntl, file, ops[i].op, (long)&strange);
                strange.l_start = 5;
                strange.l_len = -9;
                probe(ops[i].name, how, NUMBER, SYS_fcntl, file, ops[i].op, (long)&strange);
                strange.l_len = 1;
                strange.l_pid = 1;
                probe(ops[i].name, how, NUMBER, SYS_fcntl, file, ops[i].op, (long)&strange);
                unlocked();
            }
    }
}

static void commands(void)
{
    // Those whose answer is a number of a process or depends on the machine say only whether they work.
    for (int op = -1; op < 50; op++)
        for (size_t i = 0; i < wrong_fd_count; i++) {
            char how[64];
            // Kept away from: locks (above), and signals to whoever owns 0.
            if ((op >= 5 && op <= 8) || (op >= 36 && op <= 38) || op == 15)
                continue;
            snprintf(how, sizeof how, "%d of %s", op, wrong_fds[i].name);
            probe("fcntl 0", how, op == F_DUPFD ? NEWFD : DONE, SYS_fcntl, wrong_fds[i].fd, op, 0);
            probe("fcntl -1", how, op == F_DUPFD ? NEWFD : DONE, SYS_fcntl, wrong_fds[i].fd, op, -1);
        }
    for (int op = 1024; op < 1045; op++)
        for (size_t i = 0; i < wrong_fd_count; i++) {
            char how[64];
            snprintf(how, sizeof how, "%d of %s", op, wrong_fds[i].name);
            enum result shown = op == F_DUPFD_CLOEXEC ? NEWFD : DONE;
            probe("fcntl at 1", how, shown, SYS_fcntl, wrong_fds[i].fd, op, 1);
            if (op == F_SETPIPE_SZ)
                continue;
            probe("fcntl 0", how, shown, SYS_fcntl, wrong_fds[i].fd, op, 0);
            probe("fcntl -1", how, shown, SYS_fcntl, wrong_fds[i].fd, op, -1);
            unsigned long word[4] = {0, 0, 0, 0};
            probe("fcntl a pointer", how, shown, SYS_fcntl, wrong_fds[i].fd, op, (long)word);
            word[0] = 77;
            probe("fcntl a pointer to 77", how, shown, SYS_fcntl, wrong_fds[i].fd, op, (long)word);
        }
    for (size_t i = 0; i < wrong_fd_count; i++)
        fcntl(wrong_fds[i].fd, F_SETFL, O_NONBLOCK);
    struct rlimit limit;
    NEED(getrlimit(RLIMIT_NOFILE, &limit));
    probe("F_DUPFD", "at the limit", NEWFD, SYS_fcntl, file, F_DUPFD, (long)limit.rlim_cur);
    probe("F_DUPFD", "15000", DONE, SYS_fcntl, 15000, F_DUPFD, 0);
    probe("dup2", "onto the limit", NEWFD, SYS_dup2, file, (long)limit.rlim_cur);
    probe("dup3", "onto itself", NEWFD, SYS_dup3, file, file, 0);
    probe("dup3", "onto -1", NEWFD, SYS_dup3, file, -1, 0);
    probe("close", "the limit", DONE, SYS_close, (long)limit.rlim_cur);
    probe("F_SETOWN_EX", "of type 7", NUMBER, SYS_fcntl, pipes[0], 15, (long)&(int[2]){7, getpid()});
    probe("F_SETOWN_EX", "of nobody", NUMBER, SYS_fcntl, pipes[0], 15, (long)&(int[2]){1, 99999999});
    probe("F_SETOWN_EX", "of 0", NUMBER, SYS_fcntl, pipes[0], 15, (long)&(int[2]){1, 0});
    probe("F_SETSIG", "65", NUMBER, SYS_fcntl, pipes[0], F_SETSIG, 65);
    probe("F_SETLEASE", "7", NUMBER, SYS_fcntl, file, F_SETLEASE, 7);
    probe("F_SETLEASE", "of a file that is written", NUMBER, SYS_fcntl, file, F_SETLEASE, F_RDLCK);
    probe("F_SETLEASE", "of what another has open", NUMBER, SYS_fcntl, other, F_SETLEASE, F_WRLCK);
}

static void pieces(void)
{
    struct { off_t from, to; } at = {2, 100};
    // Not left to chance, as it is the top of a length where an array is read a byte too far on.
    static _Alignas(256) char buf[64];
    struct iovec iov[2] = {{"one", 3}, {"two", 3}}, into[2] = {{buf, 8}, {buf + 8, 8}};
    const struct subject subjects[] = {
        {"read", SYS_read, NUMBER, {{DESC, file, 0}, {OUT, (long)buf, 16}, {COUNT, 16, 0}}, content},
        {"write", SYS_write, NUMBER, {{DESC, file, 0}, {IN, (long)"0123456789abcdef", 16}, {COUNT, 16, 0}}, content},
        {"pread64", SYS_pread64, NUMBER, {{DESC, file, 0}, {OUT, (long)buf, 16}, {COUNT, 16, 0}, {COUNT, 0, 0}}, content},
        {"pwrite64", SYS_pwrite64, NUMBER, {{DESC, other, 0}, {IN, (long)"0123456789abcdef", 16}, {KEEP, 16, 0}, {WORD, 0, 0}}, content},
        {"read a pipe", SYS_read, NUMBER, {{KEEP, pipes[0], 0}, {OUT, (long)buf, 16}, {COUNT, 16, 0}}, content},
        {"write a pipe", SYS_write, NUMBER, {{KEEP, pipes[1], 0}, {IN, (long)"0123456789abcdef", 16}, {COUNT, 16, 0}}, content},
        {"readv", SYS_readv, NUMBER, {{DESC, file, 0}, {IN, (long)into, sizeof into}, {COUNT, 2, 0}}, content},
        {"writev", SYS_writev, NUMBER, {{DESC, file, 0}, {IN, (long)iov, sizeof iov}, {COUNT, 2, 0}}, content},
        {"preadv", SYS_preadv, NUMBER, {{DESC, file, 0}, {IN, (long)into, sizeof into}, {COUNT, 2, 0}, {COUNT, 1, 0}, {KEEP, 0, 0}}, content},
        {"preadv2", SYS_preadv2, NUMBER,
         {{DESC, file, 0}, {IN, (long)into, sizeof into}, {COUNT, 2, 0}, {COUNT, 1, 0}, {KEEP, 0, 0}, {BITS, 0, 0}}, content},
        {"pwritev", SYS_pwritev, NUMBER, {{DESC, file, 0}, {IN, (long)iov, sizeof iov}, {COUNT, 2, 0}, {COUNT, 1, 0}, {KEEP, 0, 0}}, content},
        {"pwritev2", SYS_pwritev2, NUMBER,
         {{DESC, file, 0}, {IN, (long)iov, sizeof iov}, {COUNT, 2, 0}, {KEEP, -1, 0}, {KEEP, 0, 0}, {BITS, 0, 0}}, content},
        {"lseek", SYS_lseek, NUMBER, {{DESC, file, 0}, {COUNT, 3, 0}, {WORD, 0, 7}}, content},
        {"sendfile", SYS_sendfile, NUMBER, {{DESC, other, 0}, {DESC, file, 0}, {INOUT, (long)&at.from, 8}, {COUNT, 8, 0}}, content},
        {"splice", SYS_splice, NUMBER,
         {{DESC, file, 0}, {INOUT, (long)&at.from, 8}, {DESC, pipes[1], 0}, {KEEP, 0, 0}, {COUNT, 8, 0}, {BITS, SPLICE_F_NONBLOCK, 0}}, content},
        {"splice out", SYS_splice, NUMBER,
         {{DESC, pipes[0], 0}, {KEEP, 0, 0}, {DESC, other, 0}, {INOUT, (long)&at.to, 8}, {COUNT, 8, 0}, {BITS, SPLICE_F_NONBLOCK, 0}}, content},
        {"tee", SYS_tee, NUMBER, {{DESC, pipes[0], 0}, {DESC, wrong_fds[6].fd, 0}, {COUNT, 8, 0}, {BITS, SPLICE_F_NONBLOCK, 0}}, content},
        {"vmsplice", SYS_vmsplice, NUMBER,
         {{DESC, pipes[1], 0}, {IN, (long)iov, sizeof iov}, {COUNT, 2, 0}, {BITS, SPLICE_F_NONBLOCK, 0}}, content},
        {"vmsplice out", SYS_vmsplice, NUMBER,
         {{KEEP, pipes[0], 0}, {IN, (long)into, sizeof into}, {COUNT, 2, 0}, {BITS, SPLICE_F_NONBLOCK, 0}}, content},
        {"copy_file_range", SYS_copy_file_range, NUMBER,
         {{DESC, file, 0}, {INOUT, (long)&at.from, 8}, {DESC, other, 0}, {INOUT, (long)&at.to, 8}, {COUNT, 8, 0}, {BITS, 0, 0}}, content},
        {"ftruncate", SYS_ftruncate, DONE, {{DESC, other, 0}, {KEEP, 3, 0}}, NULL},
        {"ftruncate to", SYS_ftruncate, DONE, {{KEEP, other, 0}, {WORD, 3, 0}}, NULL},
        {"fallocate", SYS_fallocate, DONE, {{DESC, other, 0}, {BITS, 0, 0}, {WORD, 0, 3}, {WORD, 4096, 3}}, content},
        {"fadvise64", SYS_fadvise64, DONE, {{DESC, file, 0}, {COUNT, 0, 0}, {COUNT, 0, 0}, {WORD, 0, 9}}, NULL},
        {"readahead", SYS_readahead, DONE, {{DESC, wrong_fds[2].fd, 0}, {COUNT, 0, 0}, {KEEP, 1, 0}}, NULL},
        {"sync_file_range", SYS_sync_file_range, DONE, {{DESC, file, 0}, {COUNT, 0, 0}, {COUNT, 1, 0}, {BITS, 0, 0}}, NULL},
        {"fsync", SYS_fsync, DONE, {{DESC, file, 0}}, NULL},
        {"fdatasync", SYS_fdatasync, DONE, {{DESC, file, 0}}, NULL},
        {"syncfs", SYS_syncfs, DONE, {{DESC, wrong_fds[4].fd, 0}}, NULL},
        {"flock", SYS_flock, DONE, {{DESC, file, 0}, {WORD, LOCK_SH, 40}}, unlocked},
        {"fstat", SYS_fstat, DONE, {{DESC, file, 0}, {OUT, (long)buf, 64}}, NULL},
        {"fchmod", SYS_fchmod, DONE, {{DESC, file, 0}, {BITS, 0666, 0}}, NULL}, // as /dev/null has it
        {"fchown", SYS_fchown, DONE, {{DESC, file, 0}, {KEEP, -1, 0}, {KEEP, -1, 0}}, NULL},
        {"fchdir", SYS_fchdir, DONE, {{DESC, dir, 0}}, NULL},
        {"getdents64", SYS_getdents64, NUMBER, {{DESC, dir, 0}, {OUT, (long)rooms[5].data, 512}, {COUNT32, 512, 0}}, content},
        {"getdents", SYS_getdents, NUMBER, {{DESC, dir, 0}, {OUT, (long)rooms[5].data, 512}, {COUNT32, 512, 0}}, content},
        {"dup", SYS_dup, NEWFD, {{DESC, file, 0}}, NULL},
        {"dup3", SYS_dup3, NEWFD, {{DESC, file, 0}, {KEEP, 600, 0}, {BITS, 0, 0}}, NULL},
        {"pipe2", SYS_pipe2, DONE, {{OUT, (long)buf, 8}, {BITS, 0, 0}}, NULL},
        {"memfd_create", SYS_memfd_create, NEWFD, {{NAME, (long)"conform", 0}, {BITS, 0, 1 << 2}}, NULL},
        {"cachestat", 451, DONE, {{DESC, file, 0}, {IN, (long)&(unsigned long[2]){0, 0}, 16}, {OUT, (long)buf, 40}, {BITS, 0, 0}}, NULL},
        {"close_range", SYS_close_range, DONE, {{KEEP, 4000, 0}, {COUNT32, 5000, 0}, {BITS, 0, 0}}, NULL},
    };
    conform(subjects, conform_len(subjects));
    for (long len = 0; len < 60; len += 4) {
        char how[24];
        snprintf(how, sizeof how, "%ld bytes", len);
        lseek(dir, 0, SEEK_SET);
        probe("getdents64", how, NUMBER, SYS_getdents64, dir, (long)rooms[0].data, len);
        lseek(dir, 0, SEEK_SET);
        probe("getdents", how, NUMBER, SYS_getdents, dir, (long)rooms[0].data, len);
    }
    iov[1].iov_base = (void *)1;
    content();
    probe("writev", "second bad", NUMBER, SYS_writev, file, (long)iov, 2);
    probe("writev", "second bad, to a pipe", NUMBER, SYS_writev, pipes[1], (long)iov, 2);
    probe("vmsplice", "second bad", NUMBER, SYS_vmsplice, pipes[1], (long)iov, 2, SPLICE_F_NONBLOCK);
    iov[1].iov_len = (size_t)-1;
    probe("writev", "second of -1", NUMBER, SYS_writev, file, (long)iov, 2);
    iov[1].iov_len = 1UL << 62;
    probe("writev", "second of 2^62", NUMBER, SYS_writev, file, (long)iov, 2);
    iov[1].iov_len = 0;
    probe("writev", "second bad, of nothing", NUMBER, SYS_writev, file, (long)iov, 2);
    probe("writev", "1025", NUMBER, SYS_writev, file, (long)iov, 1025);
    into[1].iov_base = rooms[0].data + ROOM - 3;
    content();
    probe("readv", "second runs out", NUMBER, SYS_readv, file, (long)into, 2);
    content();
    probe("readv", "second runs out, from a pipe", NUMBER, SYS_readv, pipes[0], (long)into, 2);
    probe("readv", "from /dev/zero", NUMBER, SYS_readv, zero, (long)into, 2);
}

int main(void)
{
    conform_start();
    umask(022);
    file = NEED(open("conform.one", O_RDWR | O_CREAT, 0600));
    other = NEED(open("conform.two", O_RDWR | O_CREAT, 0600));
    int second = NEED(open("conform.two", O_RDONLY));
    zero = NEED(open("/dev/zero", O_RDONLY));
    NEED(mkdir("d", 0700));
    dir = NEED(open("d", O_RDONLY));
    close(NEED(open("d/a name", O_RDWR | O_CREAT, 0600)));
    NEED(pipe2(pipes, O_NONBLOCK));
    int back = NEED(open(".", O_RDONLY));
    locks();
    commands();
    pieces();
    // Some probe has changed it.
    NEED(fchmod(back, 0755));
    NEED(fchdir(back));
    close(second);
    unlink("d/a name");
    rmdir("d");
    unlink("conform.one");
    unlink("conform.two");
    return conform_done();
}
