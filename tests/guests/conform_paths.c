// Paths, attributes and handles of files, with wrong arguments.
// Raw calls: the C library makes no difference.
// km-test: links=static-musl,static-kontain
// km-test: timeout=60
#include "conform.h"
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>

static int dir;

static void made(void)
{
    unlink("new");
    unlink("link");
    rmdir("new");
    syscall(SYS_setxattr, "file", "user.a", "value", 5, 0);
    if (symlink("file", "link"))
        exit(2);
}

static void one_file(void)
{
    made();
    rename("new", "file");
    unlink("new");
    close(open("file", O_RDWR | O_CREAT, 0600));
}

int main(void)
{
    conform_start();
    umask(022);
    dir = NEED(open(".", O_RDONLY | O_DIRECTORY));
    int file = NEED(open("file", O_RDWR | O_CREAT, 0600)), back = dir;
    struct stat st;
    struct statfs fs;
    char buf[256];
    struct timespec times[2] = {{1, 0}, {2, 0}};
    struct timeval old[2] = {{1, 0}, {2, 0}};
    unsigned long how[3] = {O_RDONLY, 0, 0}, attributes[4] = {0, 0, 0, 0};
    struct { unsigned bytes; int type; unsigned char handle[128]; } handle = {128, 0, {0}};
    int mount;
    // struct xattr_args.
    struct { unsigned long value; unsigned size, flags; } value = {(unsigned long)"value", 5, 0}, room = {(unsigned long)buf, 16, 0};
    memset(buf, 0, sizeof buf);

    const struct subject subjects[] = {
        {"stat", SYS_stat, DONE, {{NAME, (long)"file", 0}, {OUT, (long)&st, sizeof st}}, NULL},
        {"lstat", SYS_lstat, DONE, {{NAME, (long)"file", 0}, {OUT, (long)&st, sizeof st}}, NULL},
        {"newfstatat", SYS_newfstatat, DONE, {{DESC, dir, 0}, {NAME, (long)"file", 0}, {OUT, (long)&st, sizeof st}, {BITS, 0, 0}}, NULL},
        {"statx", SYS_statx, DONE,
         {{DESC, dir, 0}, {NAME, (long)"file", 0}, {BITS, 0, 0}, {BITS, 0x7ff, 0}, {OUT, (long)buf, 256}}, NULL},
        {"statfs", SYS_statfs, DONE, {{NAME, (long)"file", 0}, {OUT, (long)&fs, sizeof fs}}, NULL},
        {"fstatfs", SYS_fstatfs, DONE, {{DESC, dir, 0}, {OUT, (long)&fs, sizeof fs}}, NULL},
        {"open", SYS_open, NEWFD, {{NAME, (long)"file", 0}, {BITS, 0, 0}, {KEEP, 0600, 0}}, made},
        {"openat", SYS_openat, NEWFD, {{DESC, dir, 0}, {NAME, (long)"file", 0}, {BITS, 0, 0}, {KEEP, 0600, 0}}, made},
        {"openat2", SYS_openat2, NEWFD, {{DESC, dir, 0}, {NAME, (long)"file", 0}, {IN, (long)how, 24}, {COUNT, 24, 0}}, made},
        {"creat", SYS_creat, NEWFD, {{NAME, (long)"new", 0}, {KEEP, 0600, 0}}, made},
        {"access", SYS_access, DONE, {{NAME, (long)"file", 0}, {WORD, 0, 10}}, NULL},
        {"faccessat", SYS_faccessat, DONE, {{DESC, dir, 0}, {NAME, (long)"file", 0}, {WORD, 0, 10}}, NULL},
        {"faccessat2", SYS_faccessat2, DONE, {{DESC, dir, 0}, {NAME, (long)"file", 0}, {WORD, 0, 10}, {BITS, 0, 0}}, NULL},
        {"readlink", SYS_readlink, NUMBER, {{NAME, (long)"link", 0}, {OUT, (long)buf, 8}, {COUNT32, 8, 0}}, made},
        {"readlinkat", SYS_readlinkat, NUMBER, {{DESC, dir, 0}, {NAME, (long)"link", 0}, {OUT, (long)buf, 8}, {COUNT32, 8, 0}}, made},
        {"mkdir", SYS_mkdir, DONE, {{NAME, (long)"new", 0}, {KEEP, 0700, 0}}, made},
        {"mkdirat", SYS_mkdirat, DONE, {{DESC, dir, 0}, {NAME, (long)"new", 0}, {BITS, 0700, 0}}, made},
        {"mknodat", SYS_mknodat, DONE, {{DESC, dir, 0}, {NAME, (long)"new", 0}, {BITS, S_IFIFO | 0600, 1 << 13}, {KEEP, 0, 0}}, made},
        {"mknod", SYS_mknod, DONE, {{NAME, (long)"new", 0}, {BITS, S_IFIFO | 0600, 1 << 13}, {KEEP, 0, 0}}, made},
        {"rmdir", SYS_rmdir, DONE, {{NAME, (long)"none", 0}}, NULL},
        {"unlink", SYS_unlink, DONE, {{NAME, (long)"link", 0}}, made},
        {"unlinkat", SYS_unlinkat, DONE, {{DESC, dir, 0}, {NAME, (long)"link", 0}, {BITS, 0, 0}}, made},
        {"link", SYS_link, DONE, {{NAME, (long)"file", 0}, {NAME, (long)"new", 0}}, made},
        {"linkat", SYS_linkat, DONE, {{DESC, dir, 0}, {NAME, (long)"file", 0}, {DESC, dir, 0}, {NAME, (long)"new", 0}, {BITS, 0, 0}}, made},
        {"symlink", SYS_symlink, DONE, {{NAME, (long)"file", 0}, {NAME, (long)"new", 0}}, made},
        {"symlinkat", SYS_symlinkat, DONE, {{NAME, (long)"file", 0}, {DESC, dir, 0}, {NAME, (long)"new", 0}}, made},
        {"rename", SYS_rename, DONE, {{NAME, (long)"file", 0}, {NAME, (long)"new", 0}}, one_file},
        {"renameat", SYS_renameat, DONE, {{DESC, dir, 0}, {NAME, (long)"file", 0}, {DESC, dir, 0}, {NAME, (long)"new", 0}}, one_file},
        {"renameat2", SYS_renameat2, DONE,
         {{DESC, dir, 0}, {NAME, (long)"file", 0}, {DESC, dir, 0}, {NAME, (long)"new", 0}, {BITS, 0, 0}}, one_file},
        {"chmod", SYS_chmod, DONE, {{NAME, (long)"file", 0}, {KEEP, 0600, 0}}, NULL},
        {"fchmodat", SYS_fchmodat, DONE, {{DESC, dir, 0}, {NAME, (long)"file", 0}, {KEEP, 0600, 0}}, NULL},
        {"fchmodat2", 452, DONE, {{DESC, dir, 0}, {NAME, (long)"file", 0}, {KEEP, 0600, 0}, {BITS, 0, 0}}, NULL},
        {"chown", SYS_chown, DONE, {{NAME, (long)"file", 0}, {KEEP, -1, 0}, {KEEP, -1, 0}}, NULL},
        {"lchown", SYS_lchown, DONE, {{NAME, (long)"file", 0}, {KEEP, -1, 0}, {KEEP, -1, 0}}, NULL},
        {"fchownat", SYS_fchownat, DONE, {{DESC, dir, 0}, {NAME, (long)"file", 0}, {KEEP, -1, 0}, {KEEP, -1, 0}, {BITS, 0, 0}}, NULL},
        {"truncate", SYS_truncate, DONE, {{NAME, (long)"file", 0}, {WORD, 0, 2}}, NULL},
        {"utime", SYS_utime, DONE, {{NAME, (long)"file", 0}, {IN, (long)times, 16}}, NULL},
        {"utimes", SYS_utimes, DONE, {{NAME, (long)"file", 0}, {IN, (long)old, 32}}, NULL},
        {"futimesat", SYS_futimesat, DONE, {{DESC, dir, 0}, {NAME, (long)"file", 0}, {IN, (long)old, 32}}, NULL},
        {"utimensat", SYS_utimensat, DONE, {{DESC, dir, 0}, {NAME, (long)"file", 0}, {IN, (long)times, 32}, {BITS, 0, 0}}, NULL},
        {"chdir", SYS_chdir, DONE, {{NAME, (long)".", 0}}, NULL},
        {"getcwd", SYS_getcwd, DONE, {{OUT, (long)buf, 256}, {COUNT, 256, 0}}, NULL},
        {"setxattr", SYS_setxattr, DONE,
         {{NAME, (long)"file", 0}, {NAME, (long)"user.a", 0}, {IN, (long)"value", 5}, {COUNT, 5, 0}, {BITS, 0, 0}}, made},
        {"lsetxattr", SYS_lsetxattr, DONE,
         {{NAME, (long)"file", 0}, {NAME, (long)"user.a", 0}, {IN, (long)"value", 5}, {COUNT, 5, 0}, {BITS, 0, 0}}, made},
        {"fsetxattr", SYS_fsetxattr, DONE,
         {{DESC, file, 0}, {NAME, (long)"user.a", 0}, {IN, (long)"value", 5}, {COUNT, 5, 0}, {BITS, 0, 0}}, made},
        {"getxattr", SYS_getxattr, NUMBER, {{NAME, (long)"file", 0}, {NAME, (long)"user.a", 0}, {OUT, (long)buf, 16}, {COUNT, 16, 0}}, made},
        {"lgetxattr", SYS_lgetxattr, NUMBER, {{NAME, (long)"file", 0}, {NAME, (long)"user.a", 0}, {OUT, (long)buf, 16}, {COUNT, 16, 0}}, made},
        {"fgetxattr", SYS_fgetxattr, NUMBER, {{DESC, file, 0}, {NAME, (long)"user.a", 0}, {OUT, (long)buf, 16}, {COUNT, 16, 0}}, made},
        {"listxattr", SYS_listxattr, NUMBER, {{NAME, (long)"file", 0}, {OUT, (long)buf, 64}, {COUNT, 64, 0}}, made},
        {"llistxattr", SYS_llistxattr, NUMBER, {{NAME, (long)"file", 0}, {OUT, (long)buf, 64}, {COUNT, 64, 0}}, made},
        {"flistxattr", SYS_flistxattr, NUMBER, {{DESC, file, 0}, {OUT, (long)buf, 64}, {COUNT, 64, 0}}, made},
        {"removexattr", SYS_removexattr, DONE, {{NAME, (long)"file", 0}, {NAME, (long)"user.a", 0}}, made},
        {"lremovexattr", SYS_lremovexattr, DONE, {{NAME, (long)"file", 0}, {NAME, (long)"user.a", 0}}, made},
        {"fremovexattr", SYS_fremovexattr, DONE, {{DESC, file, 0}, {NAME, (long)"user.a", 0}}, made},
        {"setxattrat", 463, DONE,
         {{DESC, dir, 0}, {NAME, (long)"file", 0}, {BITS, 0, 0}, {NAME, (long)"user.a", 0}, {IN, (long)&value, 16}, {COUNT, 16, 0}}, made},
        {"getxattrat", 464, NUMBER,
         {{DESC, dir, 0}, {NAME, (long)"link", 0}, {BITS, 0, 0}, {NAME, (long)"user.a", 0}, {IN, (long)&room, 16}, {COUNT, 16, 0}}, made},
        {"listxattrat", 465, NUMBER, {{DESC, dir, 0}, {NAME, (long)"file", 0}, {BITS, 0, 0}, {OUT, (long)buf, 64}, {COUNT, 64, 0}}, made},
        {"removexattrat", 466, DONE, {{DESC, dir, 0}, {NAME, (long)"file", 0}, {BITS, 0, 0}, {NAME, (long)"user.a", 0}}, made},
        {"file_getattr", 468, DONE, {{DESC, dir, 0}, {NAME, (long)"file", 0}, {OUT, (long)attributes, 24}, {COUNT, 24, 0}, {BITS, 0, 0}}, NULL},
        {"file_setattr", 469, DONE, {{DESC, dir, 0}, {NAME, (long)"file", 0}, {IN, (long)attributes, 24}, {COUNT, 24, 0}, {BITS, 0, 0}}, NULL},
        {"name_to_handle_at", SYS_name_to_handle_at, DONE,
         {{DESC, dir, 0}, {NAME, (long)"file", 0}, {INOUT, (long)&handle, sizeof handle}, {OUT, (long)&mount, 4}, {BITS, 0, 0}}, NULL},
        {"open_by_handle_at", SYS_open_by_handle_at, NEWFD, {{DESC, dir, 0}, {IN, (long)&handle, sizeof handle}, {BITS, 0, 0}}, NULL},
        {"fchdir", SYS_fchdir, DONE, {{KEEP, back, 0}}, NULL},
    };
    conform(subjects, conform_len(subjects));
    NEED(fchdir(back));

    for (unsigned size = 0; size < 140; size += 3) {
        char text[24];
        snprintf(text, sizeof text, "%u bytes", size);
        handle.bytes = size;
        probe("name_to_handle_at", text, DONE, SYS_name_to_handle_at, dir, (long)"file", (long)&handle, (long)&mount, 0);
        printf("%u\n", handle.bytes);
    }
    handle.bytes = 128;
    for (int bit = 0; bit < 64; bit++) {
        char text[24];
        snprintf(text, sizeof text, "bit %d", bit);
        unsigned long with_flag[3] = {1UL << bit, 0, 0}, with_resolve[3] = {0, 0, 1UL << bit}, with_mode[3] = {O_CREAT, 1UL << bit, 0};
        made();
        probe("openat2 flags", text, NEWFD, SYS_openat2, dir, (long)"file", (long)with_flag, 24);
        // What is in the cache is the host's affair.
        if (with_resolve[2] != RESOLVE_CACHED) {
            probe("openat2 resolve", text, NEWFD, SYS_openat2, dir, (long)"file", (long)with_resolve, 24);
            probe("openat2 resolve of a link", text, NEWFD, SYS_openat2, dir, (long)"link", (long)with_resolve, 24);
        }
        probe("openat2 mode", text, NEWFD, SYS_openat2, dir, (long)"new", (long)with_mode, 24);
        unsigned long longer[8] = {0, 0, 0, 1UL << bit, 0, 0, 0, 0};
        probe("openat2 longer", text, NEWFD, SYS_openat2, dir, (long)"file", (long)longer, 64);
        struct timespec strange[2] = {{1, (long)(1UL << bit)}, {2, 0}};
        probe("utimensat nanoseconds", text, DONE, SYS_utimensat, dir, (long)"file", (long)strange, 0);
    }
    static const struct { const char *name; unsigned long at; unsigned size, flags; } values[] = {
        {"at 1", 1, 5, 0}, {"NULL", 0, 5, 0}, {"nothing", 0, 0, 0}, {"of the kernel", 0xffff888000000000, 5, 0}, {"too long", 1, 65537, 0},
        {"2^32-1 long", 1, UINT_MAX, 0}, {"to be new", (unsigned long)"b", 1, 1}, {"to be replaced", (unsigned long)"b", 1, 2}, {"flag 2", (unsigned long)"b", 1, 4},
    };
    for (size_t i = 0; i < conform_len(values); i++) {
        unsigned long with[4] = {values[i].at, values[i].size | (unsigned long)values[i].flags << 32, 0, 0};
        made();
        probe("setxattrat", values[i].name, NUMBER, 463, dir, (long)"file", 0, (long)"user.a", (long)with, 16);
        probe("setxattrat longer", values[i].name, NUMBER, 463, dir, (long)"file", 0, (long)"user.a", (long)with, 24);
        probe("getxattrat", values[i].name, NUMBER, 464, dir, (long)"file", 0, (long)"user.a", (long)with, 16);
        probe("getxattrat of none", values[i].name, NUMBER, 464, dir, (long)"file", 0, (long)"user.none", (long)with, 16);
        with[3] = 1;
        probe("setxattrat longer, not zero", values[i].name, NUMBER, 463, dir, (long)"file", 0, (long)"user.a", (long)with, 32);
    }
    probe("setxattrat", "of a descriptor", NUMBER, 463, file, (long)"", AT_EMPTY_PATH, (long)"user.a", (long)&value, 16);
    probe("setxattrat", "of a descriptor without a name", NUMBER, 463, file, 0, AT_EMPTY_PATH, (long)"user.a", (long)&value, 16);
    probe("getxattrat", "of a descriptor", NUMBER, 464, file, (long)"", AT_EMPTY_PATH, (long)"user.a", (long)&room, 16);
    printf("%.5s\n", buf);
    probe("getxattrat", "of a link itself", NUMBER, 464, dir, (long)"link", AT_SYMLINK_NOFOLLOW, (long)"user.a", (long)&room, 16);
    unsigned long longer[8] = {0};
    probe("openat2", "longer", NEWFD, SYS_openat2, dir, (long)"file", (long)longer, 64);
    probe("utimensat", "of a descriptor", DONE, SYS_utimensat, file, 0, (long)times, 0);
    probe("utimensat", "UTIME_OMIT twice, of nothing", DONE, SYS_utimensat, -1, 1, (long)&(struct timespec[2]){{0, UTIME_OMIT}, {0, UTIME_OMIT}}, 0);
    probe("newfstatat", "EMPTY_PATH of NULL", DONE, SYS_newfstatat, file, 0, (long)&st, AT_EMPTY_PATH);
    probe("newfstatat", "EMPTY_PATH of AT_FDCWD", DONE, SYS_newfstatat, AT_FDCWD, (long)"", (long)&st, AT_EMPTY_PATH);
    probe("newfstatat", "EMPTY_PATH of 15000", DONE, SYS_newfstatat, 15000, (long)"", (long)&st, AT_EMPTY_PATH);
    probe("statx", "EMPTY_PATH of NULL", DONE, SYS_statx, file, 0, AT_EMPTY_PATH, 0x7ff, (long)buf);
    probe("linkat", "EMPTY_PATH", DONE, SYS_linkat, file, (long)"", dir, (long)"another", AT_EMPTY_PATH);
    unlink("another");
    unlink("new");
    unlink("link");
    unlink("file");
    return conform_done();
}
