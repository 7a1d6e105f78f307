// ioctl: what may be asked of which descriptor, and what is written where.
// Raw calls: the C library makes no difference.
// km-test: links=static-musl,static-kontain
// km-test: timeout=60
#include "conform_child.h"
#include <linux/fs.h>
#include <linux/nsfs.h>
#include <linux/random.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

// Those whose argument is a pointer, or not looked at: by all descriptors, and with bad pointers.
static const struct { const char *name; unsigned long request; unsigned long size; } requests[] = {
    {"FIBMAP", 1, 4}, {"FIGETBSZ", 2, 4}, {"FIONREAD", 0x541b, 4}, {"FIONBIO", 0x5421, 4}, {"FIOASYNC", 0x5452, 4}, {"FIOQSIZE", 0x5460, 8},
    {"FIOCLEX", 0x5451, 0}, {"FIONCLEX", 0x5450, 0},
    {"TCGETS", 0x5401, 36}, {"TCGETS2", 0x802c542a, 44}, {"TCGETA", 0x5405, 18}, {"TIOCGWINSZ", 0x5413, 8}, {"TIOCGPGRP", 0x540f, 4},
    {"TIOCGSID", 0x5429, 4}, {"TIOCOUTQ", 0x5411, 4}, {"TIOCGPTN", 0x80045430, 4}, {"TIOCGETD", 0x5424, 4}, {"TIOCMGET", 0x5415, 4},
    {"TIOCGSERIAL", 0x541e, 72}, {"TIOCGLCKTRMIOS", 0x5456, 36}, {"TIOCGRS485", 0x542e, 32}, {"TIOCEXCL", 0x540c, 0}, {"TIOCNXCL", 0x540d, 0},
    {"FS_IOC_GETFLAGS", 0x80086601, 8}, {"FS_IOC_GETVERSION", 0x80087601, 8}, {"FS_IOC_FSGETXATTR", 0x801c581f, 28}, {"FS_IOC_GETFSLABEL", 0x81009431, 256},
    {"FS_IOC_GETFSUUID", 0x80111500, 17}, {"FS_IOC_GETFSSYSFSPATH", 0x80811501, 129}, {"FS_IOC_FIEMAP", 0xc020660b, 32},
    {"FS_IOC_GET_ENCRYPTION_POLICY", 0x400c6615, 12}, {"FS_IOC_GET_ENCRYPTION_POLICY_EX", 0xc0096616, 9}, {"FS_IOC_GET_ENCRYPTION_NONCE", 0x8010661b, 16},
    {"FS_IOC_MEASURE_VERITY", 0xc0046686, 4}, {"FIDEDUPERANGE", 0xc0189436, 24}, {"FICLONERANGE", 0x4020940d, 32}, {"FAT_IOCTL_GET_ATTRIBUTES", 0x80047210, 4},
    {"BLKROGET", 0x125e, 4}, {"BLKGETSIZE", 0x1260, 8}, {"BLKSSZGET", 0x1268, 4}, {"BLKGETSIZE64", 0x80081272, 8}, {"BLKPBSZGET", 0x127b, 4}, {"BLKGETZONESZ", 0x80041284, 4},
    {"LOOP_GET_STATUS", 0x4c03, 168}, {"LOOP_GET_STATUS64", 0x4c05, 232}, {"CDROM_DISC_STATUS", 0x5327, 0}, {"HDIO_GETGEO", 0x301, 16},
    {"SIOCATMARK", 0x8905, 4}, {"SIOCGPGRP", 0x8904, 4}, {"SIOCGIFNAME", 0x8910, 40}, {"SIOCGIFFLAGS", 0x8913, 40}, {"SIOCGIFMTU", 0x8921, 40},
    {"SIOCGIFINDEX", 0x8933, 40}, {"SIOCGIFHWADDR", 0x8927, 40}, {"SIOCGIFADDR", 0x8915, 40}, {"SIOCGIFCONF", 0x8912, 16}, {"SIOCGIFMAP", 0x8970, 40},
    {"SIOCGIFTXQLEN", 0x8942, 40}, {"SIOCGARP", 0x8954, 68}, {"SIOCGMIIPHY", 0x8947, 40}, {"SIOCGIFVLAN", 0x8982, 56}, {"SIOCGIWNAME", 0x8b01, 40},
    {"SIOCGIFPFLAGS", 0x8935, 40}, {"SIOCGIFCOUNT", 0x8938, 4}, {"SIOCOUTQNSD", 0x894b, 4}, {"SIOCGSTAMP", 0x8906, 16},
    {"RNDGETENTCNT", 0x80045200, 4}, {"RTC_RD_TIME", 0x80247009, 36}, {"RTC_ALM_READ", 0x80247008, 36}, {"VT_GETSTATE", 0x5603, 6}, {"VT_GETMODE", 0x5601, 8}, {"KDGETMODE", 0x4b3b, 4},
    {"KDGKBMODE", 0x4b44, 4}, {"KDGKBTYPE", 0x4b33, 1}, {"NS_GET_NSTYPE", 0xb703, 0}, {"NS_GET_OWNER_UID", 0xb704, 4}, {"NS_GET_MNTNS_ID", 0x8008b705, 8},
    {"EPIOCGPARAMS", 0x80088a02, 8}, {"EPIOCSPARAMS", 0x40088a01, 8}, {"TUNGETIFF", 0x800454d2, 40}, {"TUNGETFEATURES", 0x800454cf, 4}, {"FUSE_DEV_IOC_CLONE", 0x8004e500, 4},
};

static void ask(const char *of, int fd)
{
    static char room[512];
    for (size_t i = 0; i < conform_len(requests); i++) {
        char how[96];
        snprintf(how, sizeof how, "%s of %s", requests[i].name, of);
        memset(room, 0, sizeof room);
        probe("ioctl", how, DONE, SYS_ioctl, fd, (long)requests[i].request, (long)room);
        probe("ioctl at 1", how, DONE, SYS_ioctl, fd, (long)requests[i].request, 1);
        if (requests[i].size > 1)
            probe("ioctl without room", how, DONE, SYS_ioctl, fd, (long)requests[i].request, (long)rooms[2].data + ROOM - (long)requests[i].size + 1);
        probe("ioctl into constant memory", how, DONE, SYS_ioctl, fd, (long)requests[i].request, (long)rooms[2].constant);
        probe("ioctl with high bits", how, DONE, SYS_ioctl, fd, (long)(requests[i].request | 0xdead00000000), (long)room);
    }
    // By which error depends on who does not know it.
    static const unsigned unknown[] = {0, 0x12345678, 0xffffffff};
    for (size_t i = 0; i < conform_len(unknown); i++)
        printf("ioctl unknown of %s: %ld\n", of, syscall(SYS_ioctl, fd, unknown[i], room));
}

static void all(void)
{
    static const struct { const char *name, *path; int flags; } devices[] = {
        {"/dev/null", "/dev/null", O_RDWR}, {"/dev/zero", "/dev/zero", O_RDONLY}, {"/dev/urandom", "/dev/urandom", O_RDONLY},
        {"a terminal's master", "/dev/ptmx", O_RDWR | O_NOCTTY}, {"a namespace", "/proc/self/ns/net", O_RDONLY}, {"a namespace of processes", "/proc/self/ns/pid", O_RDONLY},
        {"a file of /proc", "/proc/version", O_RDONLY}, {"a tunnel", "/dev/net/tun", O_RDWR}, {"a clock", "/dev/rtc0", O_RDONLY},
    };
    for (size_t i = 0; i < wrong_fd_count; i++)
        ask(wrong_fds[i].name, wrong_fds[i].fd);
    ask("none", 777);
    ask("15000", 15000);
    ask("-1", -1);
    for (size_t i = 0; i < conform_len(devices); i++) {
        int fd = open(devices[i].path, devices[i].flags | O_NONBLOCK);
        if (fd < 0) {
            printf("skip %s: %s\n", devices[i].name, error_name(errno));
            continue;
        }
        ask(devices[i].name, fd);
        close(fd);
    }
}

static void terminals(void)
{
    int master = open("/dev/ptmx", O_RDWR | O_NOCTTY), unlock = 0;
    if (master < 0) {
        printf("skip terminals: %s\n", error_name(errno));
        return;
    }
    NEED(ioctl(master, TIOCSPTLCK, &unlock));
    int slave = NEED((int)syscall(SYS_ioctl, master, 0x5441, O_RDWR | O_NOCTTY));
    ask("a terminal", slave);
    char settings[64];
    const struct subject subjects[] = {
        {"TCGETS", SYS_ioctl, DONE, {{DESC, slave, 0}, {KEEP, 0x5401, 0}, {OUT, (long)settings, 36}}, NULL},
        {"TIOCSWINSZ", SYS_ioctl, DONE, {{KEEP, slave, 0}, {KEEP, TIOCSWINSZ, 0}, {IN, (long)&(struct winsize){25, 80, 0, 0}, 8}}, NULL},
        {"TIOCGPTPEER", SYS_ioctl, NEWFD, {{DESC, master, 0}, {KEEP, 0x5441, 0}, {BITS, O_RDWR | O_NOCTTY, 0}}, NULL},
        {"TCFLSH", SYS_ioctl, DONE, {{KEEP, slave, 0}, {KEEP, TCFLSH, 0}, {WORD, 0, 0}}, NULL},
        {"TIOCSPGRP", SYS_ioctl, DONE, {{KEEP, slave, 0}, {KEEP, TIOCSPGRP, 0}, {IN, (long)&(int){1}, 4}}, NULL},
        {"TIOCSETD", SYS_ioctl, DONE, {{KEEP, slave, 0}, {KEEP, TIOCSETD, 0}, {IN, (long)&(int){77}, 4}}, NULL},
        {"TIOCSTI", SYS_ioctl, DONE, {{KEEP, slave, 0}, {KEEP, TIOCSTI, 0}, {IN, (long)"", 1}}, NULL},
    };
    conform(subjects, conform_len(subjects));
}

static void files(void)
{
    int file = NEED(open("file", O_RDWR | O_CREAT, 0600)), other = NEED(open("other", O_RDWR | O_CREAT, 0600));
    static char block[4096];
    NEED(pwrite(file, block, sizeof block, 0));
    NEED(pwrite(other, block, sizeof block, 0));
    int dir = NEED(open(".", O_RDONLY));
    ask("a file that is written", file);
    struct { long fd; unsigned long from, length, to; } range = {other, 0, 4096, 0};
    // The head, and two destinations.
    static struct { unsigned long from, length; unsigned short count, zero; unsigned rest; struct { long fd; unsigned long at, done; int status; unsigned rest; } to[128]; }
        same = {0, 4096, 2, 0, 0, {{0, 0, 7, 7, 0}, {777, 0, 7, 7, 0}}};
    same.to[0].fd = other;
    const struct subject subjects[] = {
        {"FICLONE", SYS_ioctl, DONE, {{DESC, file, 0}, {KEEP, FICLONE, 0}, {DESC, other, 0}}, NULL},
        {"FICLONERANGE", SYS_ioctl, DONE, {{DESC, file, 0}, {KEEP, FICLONERANGE, 0}, {IN, (long)&range, sizeof range}}, NULL},
        {"FIDEDUPERANGE", SYS_ioctl, DONE, {{DESC, file, 0}, {KEEP, FIDEDUPERANGE, 0}, {INOUT, (long)&same, 24 + 2 * 32}}, NULL},
        {"FS_IOC_GETFLAGS", SYS_ioctl, DONE, {{DESC, dir, 0}, {KEEP, FS_IOC_GETFLAGS, 0}, {OUT, (long)block, 4}}, NULL},
        {"FS_IOC_SETFLAGS", SYS_ioctl, DONE, {{DESC, dir, 0}, {KEEP, FS_IOC_SETFLAGS, 0}, {IN, (long)&(int){-1}, 4}}, NULL},
    };
    conform(subjects, conform_len(subjects));
    static const long fds[] = {-1, 777, 15000, 1L << 32};
    for (size_t i = 0; i < conform_len(fds); i++) {
        same.to[0].fd = fds[i];
        same.to[0].done = same.to[0].status = 7;
        probe("FIDEDUPERANGE", "of one of two", DONE, SYS_ioctl, file, FIDEDUPERANGE, (long)&same);
        printf("%lu %d, %lu %d, %d\n", same.to[0].done, same.to[0].status, same.to[1].done, same.to[1].status, same.to[0].fd == fds[i]);
    }
    same.count = 127;
    probe("FIDEDUPERANGE", "of 127", DONE, SYS_ioctl, file, FIDEDUPERANGE, (long)&same);
    same.count = 128;
    probe("FIDEDUPERANGE", "of 128", DONE, SYS_ioctl, file, FIDEDUPERANGE, (long)&same);
    same.count = 0;
    probe("FIDEDUPERANGE", "of none", DONE, SYS_ioctl, file, FIDEDUPERANGE, (long)&same);
    same.zero = 1;
    probe("FIDEDUPERANGE", "reserved", DONE, SYS_ioctl, file, FIDEDUPERANGE, (long)&same);
    unlink("file");
    unlink("other");
}

static void as_nobody(void)
{
    become_nobody();
    int random = NEED(open("/dev/urandom", O_RDONLY)), udp = NEED(socket(AF_INET, SOCK_DGRAM, 0));
    static char interface[64] = "lo";
    probe("RNDADDTOENTCNT", "of nobody", DONE, SYS_ioctl, random, RNDADDTOENTCNT, (long)&(int){1});
    probe("RNDADDENTROPY", "of nobody", DONE, SYS_ioctl, random, RNDADDENTROPY, 1);
    probe("RNDZAPENTCNT", "of nobody", DONE, SYS_ioctl, random, RNDZAPENTCNT, 0);
    probe("SIOCSIFFLAGS", "of nobody", DONE, SYS_ioctl, udp, 0x8914, (long)interface);
    probe("SIOCSIFADDR", "of nobody", DONE, SYS_ioctl, udp, 0x8916, (long)interface);
    probe("SIOCBRADDBR", "of nobody", DONE, SYS_ioctl, udp, 0x89a0, (long)interface);
    probe("SIOCBONDENSLAVE", "of nobody", DONE, SYS_ioctl, udp, 0x8990, (long)interface);
    probe("SIOCGSKNS", "of nobody", NEWFD, SYS_ioctl, udp, 0x894c, 0);
    int pidfd = NEED((int)syscall(SYS_pidfd_open, getpid(), 0));
    for (int request = 0xff01; request < 0xff0b; request++)
        probe("a namespace of a process", "of nobody", NEWFD, SYS_ioctl, pidfd, request, 0);
    static unsigned long info[32];
    for (long size = 56; size < 120; size += 8) {
        info[0] = 0;
        probe("PIDFD_GET_INFO", "", DONE, SYS_ioctl, pidfd, 0xc000ff0b | size << 16, (long)info);
        printf("%d\n", (int)(info[2] & 0xffffffff) == getpid());
    }
    int file = NEED(open("secret", O_RDONLY));
    probe("FS_IOC_SETFLAGS", "of nobody", DONE, SYS_ioctl, file, FS_IOC_SETFLAGS, (long)&(int){0x10});
    probe("FIBMAP", "of nobody", DONE, SYS_ioctl, file, FIBMAP, (long)&(int){0});
    probe("FIFREEZE", "of nobody", DONE, SYS_ioctl, file, FIFREEZE, 0);
    probe("FITRIM", "of nobody", DONE, SYS_ioctl, file, FITRIM, 1);
}

int main(void)
{
    conform_start();
    NEED(chmod(".", 0755));
    close(NEED(open("secret", O_RDWR | O_CREAT, 0644)));
    apart("all", all);
    apart("terminals", terminals);
    apart("files", files);
    apart("nobody", as_nobody);
    unlink("secret");
    return conform_done();
}
