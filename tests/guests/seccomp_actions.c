// seccomp: each action of a filter, and which of several is heard.
#include "seccomp.h"
#include <sys/stat.h>

static void errors(void)
{
    static const unsigned values[] = {0, 1, EACCES, 512, 514, 4095, 4096, 0xffff};
    char name[40];
    // The newest is heard.
    for (size_t i = 0; i < COUNT(values); i++) {
        forbid(SYS_getppid, ERRNO_OF(values[i]));
        snprintf(name, sizeof name, "errno %u", values[i]);
        EQ(name, raw(SYS_getppid, 0, 0, 0), values[i] > 4095 ? -4095 : -(long)values[i]);
    }
    ERR("as the C library sees it", syscall(SYS_getppid), 4095);
    CHECK("other calls", getpid() > 0);
}

static void numbers(void)
{
    static const long of[] = {NOBODY, -1, -2, 0x40000000 + 39, 0x7fffffff, 333};
    for (size_t i = 0; i < COUNT(of); i++) {
        forbid((uint32_t)of[i], ERRNO_OF(100 + i));
        EQ("a number", raw(of[i], 0, 0, 0), -100 - (long)i);
    }
    // The upper half of the register is not looked at.
    EQ("upper half", raw(0x500000000 + NOBODY, 0, 0, 0), -100);
}

static void order(void)
{
    forbid(SYS_getuid, ERRNO_OF(5));
    forbid(SYS_getuid, SECCOMP_RET_ALLOW);
    EQ("error before allow", raw(SYS_getuid, 0, 0, 0), -5);
    forbid(SYS_getuid, SECCOMP_RET_LOG);
    EQ("error before log", raw(SYS_getuid, 0, 0, 0), -5);
    forbid(SYS_getuid, SECCOMP_RET_TRACE | 9);
    EQ("error before trace", raw(SYS_getuid, 0, 0, 0), -5);
    forbid(SYS_getuid, ERRNO_OF(6));
    EQ("newest of equals", raw(SYS_getuid, 0, 0, 0), -6);
}

static void plain(void)
{
    forbid(SYS_getgid, SECCOMP_RET_LOG | 3);
    EQ("log allows", raw(SYS_getgid, 0, 0, 0), getegid());
    forbid(SYS_getgid, SECCOMP_RET_TRACE | 3);
    EQ("trace without a tracer", raw(SYS_getgid, 0, 0, 0), -ENOSYS);
    forbid(SYS_geteuid, SECCOMP_RET_USER_NOTIF);
    EQ("notify without a listener", raw(SYS_geteuid, 0, 0, 0), -ENOSYS);
    forbid(SYS_umask, SECCOMP_RET_ALLOW | 0xffff);
    umask(022);
    EQ("allow with data", raw(SYS_umask, 0, 0, 0), 022);
}

// What the program is told of a call.
static void data(void)
{
    static const long wide = 0x1122334455667788;
    for (int i = 0; i < 6; i++) {
        long args[6] = {0};
        args[i] = wide;
        const struct sock_filter low[] = {LOAD(FIELD(nr)), UNLESS(NOBODY + 1 + i, 3), LOAD(ARG(i)),
                                          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x55667788, 0, 1), RETURN(ERRNO_OF(61)),
                                          RETURN(SECCOMP_RET_ALLOW)};
        const struct sock_filter high[] = {LOAD(FIELD(nr)), UNLESS(NOBODY + 1 + i, 3), LOAD(ARG(i) + 4),
                                           BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x11223344, 0, 1), RETURN(ERRNO_OF(62)),
                                           RETURN(SECCOMP_RET_ALLOW)};
        NEED(install_as(0, low, COUNT(low)));
        errno = 0;
        syscall(NOBODY + 1 + i, args[0], args[1], args[2], args[3], args[4], args[5]);
        EQ("lower half of an argument", errno, 61);
        NEED(install_as(0, high, COUNT(high)));
        syscall(NOBODY + 1 + i, args[0], args[1], args[2], args[3], args[4], args[5]);
        EQ("upper half", errno, 62);
        syscall(NOBODY + 1 + i, 0L, 0L, 0L, 0L, 0L, 0L);
        EQ("not another", errno, ENOSYS);
    }
    INSTALL(LOAD(FIELD(nr)), UNLESS(NOBODY + 10, 3), LOAD(FIELD(arch)), UNLESS(AUDIT_ARCH_X86_64, 1), RETURN(ERRNO_OF(63)),
            RETURN(SECCOMP_RET_ALLOW));
    EQ("architecture", raw(NOBODY + 10, 0, 0, 0), -63);
}

long call_from_here(long number);
extern const char after_the_call[];
__asm__(".pushsection .text\n"
        ".globl call_from_here, after_the_call\n"
        ".hidden call_from_here, after_the_call\n"
        "call_from_here: mov %rdi, %rax\n"
        " syscall\n"
        "after_the_call: ret\n"
        ".popsection\n");

// The address is that of the next instruction.
static void address(void)
{
    uint64_t next = (uint64_t)after_the_call;
    INSTALL(LOAD(FIELD(nr)), UNLESS(NOBODY + 20, 5), LOAD(FIELD(instruction_pointer)),
            UNLESS((uint32_t)next, 3), LOAD(FIELD(instruction_pointer) + 4), UNLESS((uint32_t)(next >> 32), 1),
            RETURN(ERRNO_OF(64)), RETURN(SECCOMP_RET_ALLOW));
    EQ("address", call_from_here(NOBODY + 20), -64);
    EQ("from elsewhere", raw(NOBODY + 20, 0, 0, 0), -ENOSYS);
}

static uint32_t fatal;

static int dies(void)
{
    no_new_privs();
    forbid(SYS_getppid, fatal);
    raw(SYS_getppid, 0, 0, 0);
    return 1;
}

// A handler does not help.
static void survives(int n) { (void)n; }

static int dies_with_handler(void)
{
    signal(SIGSYS, survives);
    return dies();
}

static int dies_blocked(void)
{
    block(SIGSYS);
    signal(SIGSYS, SIG_IGN);
    return dies();
}

static void ends(void)
{
    static const struct {
        const char *name;
        uint32_t value;
    } of[] = {{"kill process", SECCOMP_RET_KILL_PROCESS}, {"kill thread, the only one", SECCOMP_RET_KILL_THREAD},
              {"trap", SECCOMP_RET_TRAP},                 {"unknown action", 0x00010000},
              {"unknown negative action", 0xfff00000}};
    for (size_t i = 0; i < COUNT(of); i++) {
        fatal = of[i].value;
        EQ(of[i].name, child_end(dies), 1000 + SIGSYS);
        EQ("blocked and ignored", child_end(dies_blocked), 1000 + SIGSYS);
        EQ("handled", child_end(dies_with_handler), fatal == SECCOMP_RET_TRAP ? 1 : 1000 + SIGSYS);
    }
}

int main(void)
{
    tasks_begin();
    ends();
    no_new_privs();
    errors();
    numbers();
    order();
    plain();
    data();
    address();
    return check_done();
}
