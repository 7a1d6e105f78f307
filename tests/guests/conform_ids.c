// Users, groups, capabilities, sessions and process groups, with wrong arguments and without the privilege.
// Raw calls: the C library makes no difference.
// km-test: links=static-musl,static-kontain
// km-test: timeout=60
#include "conform_child.h"
#include <sys/prctl.h>

static const long ids[] = {-1, 0, 1, 1234, NOBODY, INT_MAX, 0x80000000, 0xfffffffe, 0xdead00000001};

static void three(const char *user)
{
    unsigned id[3] = {7, 7, 7};
    probe("getresuid", "", DONE, SYS_getresuid, (long)&id[0], (long)&id[1], (long)&id[2]);
    printf("%s: %u %u %u", user, id[0], id[1], id[2]);
    probe("getresgid", "", DONE, SYS_getresgid, (long)&id[0], (long)&id[1], (long)&id[2]);
    printf("%s: %u %u %u, %ld %ld %ld %ld\n", user, id[0], id[1], id[2], syscall(SYS_getuid), syscall(SYS_geteuid), syscall(SYS_getgid),
           syscall(SYS_getegid));
}

static long chosen;

static void set_uid(void) { probe("setuid", "", NUMBER, SYS_setuid, chosen); three("after setuid"); }
static void set_gid(void) { probe("setgid", "", NUMBER, SYS_setgid, chosen); three("after setgid"); }
static void set_reuid(void) { probe("setreuid", "", NUMBER, SYS_setreuid, -1, chosen); three("after setreuid"); }
static void set_reuid_real(void) { probe("setreuid", "real", NUMBER, SYS_setreuid, chosen, -1); three("after setreuid"); }
static void set_regid(void) { probe("setregid", "", NUMBER, SYS_setregid, chosen, chosen); three("after setregid"); }
static void set_resuid(void) { probe("setresuid", "", NUMBER, SYS_setresuid, -1, chosen, -1); three("after setresuid"); }
static void set_resgid(void) { probe("setresgid", "", NUMBER, SYS_setresgid, chosen, -1, chosen); three("after setresgid"); }

static void set_fsuid(void)
{
    // They tell what was before, and fail without a word.
    probe("setfsuid", "", NUMBER, SYS_setfsuid, chosen);
    probe("setfsuid", "again", NUMBER, SYS_setfsuid, -1);
    probe("setfsgid", "", NUMBER, SYS_setfsgid, chosen);
    probe("setfsgid", "again", NUMBER, SYS_setfsgid, -1);
}

static void all_ids(void)
{
    static void (*const changes[])(void) = {set_uid, set_gid, set_reuid, set_reuid_real, set_regid, set_resuid, set_resgid, set_fsuid};
    three("now");
    for (size_t change = 0; change < conform_len(changes); change++)
        for (size_t i = 0; i < conform_len(ids); i++) {
            chosen = ids[i];
            apart("ids", changes[change]);
        }
}

static void groups(void)
{
    static unsigned list[70000], got[8];
    list[0] = 5;
    list[1] = 77;
    const struct subject subjects[] = {
        {"getresuid", SYS_getresuid, DONE, {{OUT, (long)&got[0], 4}, {OUT, (long)&got[1], 4}, {OUT, (long)&got[2], 4}}, NULL},
        {"getresgid", SYS_getresgid, DONE, {{OUT, (long)&got[0], 4}, {OUT, (long)&got[1], 4}, {OUT, (long)&got[2], 4}}, NULL},
        {"setgroups", SYS_setgroups, DONE, {{COUNT32, 2, 0}, {IN, (long)list, 8}}, NULL},
        {"getgroups", SYS_getgroups, NUMBER, {{COUNT32, 2, 0}, {OUT, (long)got, 8}}, NULL},
    };
    conform(subjects, conform_len(subjects));
    probe("setgroups", "of two", NUMBER, SYS_setgroups, 2, (long)list);
    probe("getgroups", "of room for one", NUMBER, SYS_getgroups, 1, (long)got);
    probe("getgroups", "of room for one, at 1", NUMBER, SYS_getgroups, 1, 1);
    probe("getgroups", "of no room, at 1", NUMBER, SYS_getgroups, 0, 1);
    probe("getgroups", "of two, at 1", NUMBER, SYS_getgroups, 2, 1);
    probe("getgroups", "of eight", NUMBER, SYS_getgroups, 8, (long)got);
    printf("%u %u\n", got[0], got[1]);
    probe("setgroups", "of 65536", NUMBER, SYS_setgroups, 65536, (long)list);
    probe("setgroups", "of 65537", NUMBER, SYS_setgroups, 65537, (long)list);
    probe("setgroups", "of 65537, at 1", NUMBER, SYS_setgroups, 65537, 1);
    list[1] = (unsigned)-1;
    probe("setgroups", "of -1", NUMBER, SYS_setgroups, 2, (long)list);
}

static void capabilities(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2], more[2];
    NEED(syscall(SYS_capget, &header, data));
    const struct subject subjects[] = {
        {"capget", SYS_capget, DONE, {{INOUT, (long)&header, 8}, {OUT, (long)more, sizeof more}}, NULL},
        {"capset", SYS_capset, DONE, {{INOUT, (long)&header, 8}, {IN, (long)data, sizeof data}}, NULL},
    };
    conform(subjects, conform_len(subjects));
    static const unsigned versions[] = {0, _LINUX_CAPABILITY_VERSION_1, _LINUX_CAPABILITY_VERSION_2, 0xffffffff};
    for (size_t i = 0; i < conform_len(versions); i++) {
        char how[32];
        snprintf(how, sizeof how, "version %x", versions[i]);
        struct __user_cap_header_struct old = {versions[i], 0};
        probe("capget", how, DONE, SYS_capget, (long)&old, (long)more);
        printf("%x\n", old.version);
        old = (struct __user_cap_header_struct){versions[i], 0};
        probe("capget without room", how, DONE, SYS_capget, (long)&old, 0);
        old = (struct __user_cap_header_struct){versions[i], -1};
        probe("capget of -1", how, DONE, SYS_capget, (long)&old, (long)more);
        if (versions[i] != _LINUX_CAPABILITY_VERSION_1) {
            old = (struct __user_cap_header_struct){versions[i], 0};
            probe("capset", how, DONE, SYS_capset, (long)&old, (long)data);
            printf("%x\n", old.version);
        }
    }
    static const int others[] = {1, -1, 99999999, INT_MIN};
    for (size_t i = 0; i < conform_len(others); i++) {
        struct __user_cap_header_struct other = {_LINUX_CAPABILITY_VERSION_3, others[i]};
        probe("capget", "of another", DONE, SYS_capget, (long)&other, (long)more);
        probe("capset", "of another", DONE, SYS_capset, (long)&other, (long)data);
    }
    // Nobody gets one back, or permits what is not permitted.
    memset(more, 0, sizeof more);
    more[0].effective = 1;
    probe("capset", "effective and not permitted", DONE, SYS_capset, (long)&header, (long)more);
    drop_capabilities();
    more[0].permitted = 1;
    probe("capset", "one again", DONE, SYS_capset, (long)&header, (long)more);
    memset(more, 0, sizeof more);
    more[0].inheritable = 1;
    probe("capset", "inheritable", DONE, SYS_capset, (long)&header, (long)more);
    probe("PR_CAPBSET_DROP", "", DONE, SYS_prctl, PR_CAPBSET_DROP, 1, 0, 0, 0);
    probe("PR_CAPBSET_READ", "1", NUMBER, SYS_prctl, PR_CAPBSET_READ, 1, 0, 0, 0);
    probe("PR_CAPBSET_READ", "99", NUMBER, SYS_prctl, PR_CAPBSET_READ, 99, 0, 0, 0);
    probe("PR_CAP_AMBIENT", "raise", NUMBER, SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 1, 0, 0);
    probe("PR_CAP_AMBIENT", "of 99", NUMBER, SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 99, 0, 0);
    probe("PR_SET_SECUREBITS", "", NUMBER, SYS_prctl, PR_SET_SECUREBITS, 1, 0, 0, 0);
}

static int told;

static void in_session(void)
{
    int leader = getpid();
    probe("getpgid", "of its parent's group", DONE, SYS_getpgid, getppid());
    probe("setpgid", "to a group of its own", NUMBER, SYS_setpgid, 0, 0);
    probe("setsid", "of a group's leader", DONE, SYS_setsid);
    printf("%d %d\n", syscall(SYS_getpgrp) == leader, syscall(SYS_getsid, 0) == leader);
}

static void new_session(void)
{
    int own = getpid();
    printf("setsid: %d\n", syscall(SYS_setsid) == own);
    probe("setsid", "again", NUMBER, SYS_setsid);
    probe("setpgid", "of a session's leader", NUMBER, SYS_setpgid, 0, 0);
    probe("setpgid", "of its parent", NUMBER, SYS_setpgid, getppid(), 0);
    probe("setpgid", "to its parent's group", NUMBER, SYS_setpgid, 0, getppid());
    printf("%d %d %d\n", syscall(SYS_getpgrp) == own, syscall(SYS_getsid, 0) == own, syscall(SYS_getsid, own) == own);
    int ends[2];
    NEED(pipe(ends));
    int child = NEED((int)syscall(SYS_fork));
    if (child == 0) {
        char end;
        _exit(read(ends[0], &end, 1) != 1 || syscall(SYS_getppid) != own);
    }
    probe("setpgid", "of a child", NUMBER, SYS_setpgid, child, child);
    printf("%d\n", syscall(SYS_getpgid, child) == child);
    probe("setpgid", "of a child to no group", NUMBER, SYS_setpgid, child, 99999999);
    probe("setpgid", "of a child back", NUMBER, SYS_setpgid, child, own);
    probe("getsid", "of a child", DONE, SYS_getsid, child);
    NEED(write(ends[1], "x", 1));
    told = end_of(child);
    probe("setpgid", "of a child that is gone", NUMBER, SYS_setpgid, child, 0);
    printf("%d\n", told);
}

static void as_nobody(void)
{
    become_nobody();
    unsigned list = 1;
    probe("setgroups", "of nobody", NUMBER, SYS_setgroups, 1, (long)&list);
    probe("setgroups", "of nobody, at 1", NUMBER, SYS_setgroups, 1, 1);
    probe("chroot", "of nobody", NUMBER, SYS_chroot, (long)".");
    probe("getpriority", "of a user", DONE, SYS_getpriority, 2, 0);
    all_ids();
}

static void as_root_without(void)
{
    drop_capabilities();
    all_ids();
}

int main(void)
{
    conform_start();
    apart("ids", all_ids);
    apart("nobody's ids", as_nobody);
    apart("ids without capabilities", as_root_without);
    apart("groups", groups);
    apart("capabilities", capabilities);
    apart("session", in_session);
    apart("new session", new_session);
    return conform_done();
}
