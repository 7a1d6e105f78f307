// What belongs to the whole machine: clocks, names, the kernel's log, randomness, security modules. With wrong arguments or without
// the privilege, so that nothing of it is changed.
// Raw calls: the C library makes no difference.
// km-test: links=static-musl,static-kontain
// km-test: timeout=60
#include "conform_child.h"
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/timex.h>
#include <time.h>

static void clocks(void)
{
    struct timex told;
    memset(&told, 0, sizeof told);
    const struct subject subjects[] = {
        {"adjtimex", SYS_adjtimex, DONE, {{INOUT, (long)&told, sizeof told}}, NULL},
        {"clock_adjtime", SYS_clock_adjtime, DONE, {{WORD, CLOCK_REALTIME, 0}, {INOUT, (long)&told, sizeof told}}, NULL},
    };
    conform(subjects, conform_len(subjects));
    struct timespec wrong[] = {{0, 1000000000}, {0, -1}, {-1, 0}, {LONG_MAX, 0}, {LONG_MIN, 0}};
    for (size_t i = 0; i < conform_len(wrong); i++)
        for (int clock = -2; clock < 14; clock++) {
            char how[32];
            snprintf(how, sizeof how, "clock %d, time %zu", clock, i);
            probe("clock_settime", how, NUMBER, SYS_clock_settime, clock, (long)&wrong[i]);
            probe("clock_settime at 1", how, NUMBER, SYS_clock_settime, clock, 1);
        }
    struct timeval odd[] = {{0, 1000000}, {0, -1}, {-1, 0}};
    for (size_t i = 0; i < conform_len(odd); i++)
        probe("settimeofday", "wrong", NUMBER, SYS_settimeofday, (long)&odd[i], 0);
    probe("settimeofday", "at 1", NUMBER, SYS_settimeofday, 1, 0);
    probe("settimeofday", "zone at 1", NUMBER, SYS_settimeofday, 0, 1);
    probe("settimeofday", "wrong time, zone at 1", NUMBER, SYS_settimeofday, (long)&odd[0], 1);
    probe("settimeofday", "zone of 2000 minutes", NUMBER, SYS_settimeofday, 0, (long)&(int[2]){2000, 0});
    for (int bit = 0; bit < 16; bit++) {
        char how[32];
        struct timex change;
        memset(&change, 0, sizeof change);
        change.modes = 1U << bit;
        // All of them out of range, where there is one.
        change.tick = change.freq = change.offset = change.maxerror = LONG_MIN;
        change.time = (struct timeval){LONG_MIN, -1};
        snprintf(how, sizeof how, "mode %d", bit);
        if (geteuid() != 0 || change.modes == ADJ_TICK || change.modes == ADJ_SETOFFSET)
            probe("adjtimex", how, DONE, SYS_adjtimex, (long)&change);
        probe("clock_adjtime of another", how, DONE, SYS_clock_adjtime, CLOCK_MONOTONIC, (long)&change);
    }
}

static void names(void)
{
    static const long lengths[] = {-1, 65, INT_MAX, INT_MIN, 4096, 0x100000000 - 1};
    for (size_t i = 0; i < conform_len(lengths); i++) {
        char how[32];
        snprintf(how, sizeof how, "of %ld", lengths[i]);
        probe("sethostname", how, NUMBER, SYS_sethostname, (long)"km", lengths[i]);
        probe("setdomainname", how, NUMBER, SYS_setdomainname, (long)"km", lengths[i]);
        probe("sethostname at 1", how, NUMBER, SYS_sethostname, 1, lengths[i]);
    }
    for (size_t i = 0; i < conform_len(rooms); i++) {
        probe("sethostname", "not accessible", NUMBER, SYS_sethostname, (long)rooms[i].closed, 5);
        probe("setdomainname", "not accessible", NUMBER, SYS_setdomainname, (long)rooms[i].closed, 5);
    }
    probe("sethostname", "of the kernel", NUMBER, SYS_sethostname, (long)0xffff888000000000, 5);
    probe("setdomainname", "half of it there", NUMBER, SYS_setdomainname, (long)rooms[0].data + ROOM - 2, 5);
}

static void log_of_kernel(void)
{
    static char text[256];
    // Those that take away what others want to read, or change where it is told, only with wrong arguments.
    static const int quiet[] = {-1, 0, 1, 11, 12, INT_MAX, INT_MIN, 9, 10};
    for (size_t i = 0; i < conform_len(quiet); i++) {
        char how[32];
        snprintf(how, sizeof how, "%d", quiet[i]);
        probe("syslog", how, DONE, SYS_syslog, quiet[i], (long)text, (long)sizeof text);
        probe("syslog at 1", how, DONE, SYS_syslog, quiet[i], 1, 5);
    }
    for (int type = 2; type < 5; type++) {
        char how[32];
        snprintf(how, sizeof how, "%d", type);
        probe("syslog without room", how, DONE, SYS_syslog, type, 0, 5);
        probe("syslog of -1", how, DONE, SYS_syslog, type, (long)text, -1);
        probe("syslog of nothing", how, DONE, SYS_syslog, type, (long)text, 0);
    }
    probe("syslog", "all", DONE, SYS_syslog, 3, (long)text, (long)sizeof text);
    probe("syslog", "all, of the kernel", DONE, SYS_syslog, 3, (long)0xffff888000000000, 200);
    probe("syslog", "level 0", DONE, SYS_syslog, 8, 0, 0);
    probe("syslog", "level 9", DONE, SYS_syslog, 8, 0, 9);
}

static void others(void)
{
    static char random[16];
    static unsigned long ids[64];
    static unsigned size = sizeof ids;
    struct stat here;
    NEED(stat(".", &here));
    long device = (long)(major(here.st_dev) << 8 | (minor(here.st_dev) & 0xff) | (minor(here.st_dev) & ~0xffU) << 12);
    const struct subject subjects[] = {
        {"getrandom", SYS_getrandom, NUMBER, {{OUT, (long)random, 16}, {COUNT, 16, 0}, {BITS, 0, 0}}, NULL},
        {"ustat", SYS_ustat, DONE, {{KEEP, device, 0}, {OUT, (long)ids, 32}}, NULL},
        {"lsm_list_modules", 461, DONE, {{OUT, (long)ids, sizeof ids}, {INOUT, (long)&size, 4}, {BITS, 0, 0}}, NULL},
        {"lsm_get_self_attr", 459, DONE, {{WORD, 100, 110}, {OUT, (long)ids, sizeof ids}, {INOUT, (long)&size, 4}, {BITS, 0, 0}}, NULL},
        {"sysinfo", SYS_sysinfo, DONE, {{OUT, (long)ids, 112}}, NULL},
    };
    conform(subjects, conform_len(subjects));
    probe("ustat", "of no device", DONE, SYS_ustat, 0xffffff, (long)ids);
    probe("ustat", "of no device, at 1", DONE, SYS_ustat, 0xffffff, 1);
    NEED(mkdir("directory", 0700));
    // None of these is a file that records could be written to.
    static const char *const files[] = {"directory", "none", "directory/none", "none/none", "", "/dev/null"};
    for (size_t i = 0; i < conform_len(files); i++)
        probe("acct", files[i], DONE, SYS_acct, (long)files[i]);
    probe("acct", "at 1", DONE, SYS_acct, 1);
    probe("acct", "not accessible", DONE, SYS_acct, (long)rooms[0].closed);
    NEED(rmdir("directory"));
}

// A session of its own has no terminal that could be hung up.
static void hang_up(void)
{
    NEED(syscall(SYS_setsid));
    drop_capabilities();
    probe("vhangup", "without privilege", NUMBER, SYS_vhangup);
}

static void as_nobody(void)
{
    become_nobody();
    clocks();
    names();
    struct timespec now;
    NEED(clock_gettime(CLOCK_REALTIME, &now));
    probe("clock_settime", "of nobody", NUMBER, SYS_clock_settime, CLOCK_REALTIME, (long)&now);
    probe("settimeofday", "of nobody", NUMBER, SYS_settimeofday, (long)&(struct timeval){now.tv_sec, 0}, 0);
    probe("sethostname", "of nobody", NUMBER, SYS_sethostname, (long)"km", 2);
    probe("setdomainname", "of nobody", NUMBER, SYS_setdomainname, (long)"km", 2);
    probe("acct", "of nobody", NUMBER, SYS_acct, 0);
    probe("syslog", "of nobody", DONE, SYS_syslog, 5, 0, 0);
    probe("syslog", "of nobody, console off", DONE, SYS_syslog, 6, 0, 0);
}

int main(void)
{
    conform_start();
    clocks();
    names();
    log_of_kernel();
    others();
    apart("hang up", hang_up);
    apart("nobody", as_nobody);
    return conform_done();
}
