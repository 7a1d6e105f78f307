// seccomp: what a handler of SIGSYS is told of a call, and what it may make of it.
#include "seccomp.h"
#include <ucontext.h>

static volatile sig_atomic_t traps;
static siginfo_t seen;
static long seen_rax, seen_rdi, seen_rip;
static int seen_blocked, seen_on_stack;
static char stack[65536];

static void on_trap(int n, siginfo_t *info, void *context)
{
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    sigset_t now;
    char here;
    (void)n;
    traps++;
    seen = *info;
    seen_rax = r[REG_RAX], seen_rdi = r[REG_RDI], seen_rip = r[REG_RIP];
    sigprocmask(SIG_BLOCK, NULL, &now);
    seen_blocked = sigismember(&now, SIGSYS);
    seen_on_stack = &here >= stack && &here < stack + sizeof stack;
    // Stands in for the call.
    r[REG_RAX] = info->si_errno == 77 ? -EPROTO : 4711;
}

static void told(void)
{
    handle(SIGSYS, on_trap, SA_SIGINFO);
    forbid(SYS_getppid, SECCOMP_RET_TRAP | 77);
    EQ("the handler's result", raw(SYS_getppid, 0x123, 2, 3), -EPROTO);
    EQ("once", traps, 1);
    EQ("si_signo", seen.si_signo, SIGSYS);
    EQ("si_errno", seen.si_errno, 77);
    EQ("si_code", seen.si_code, 1);
    EQ("si_syscall", seen.si_syscall, SYS_getppid);
    EQ("si_arch", seen.si_arch, AUDIT_ARCH_X86_64);
    CHECK("si_call_addr", (long)seen.si_call_addr == seen_rip);
    EQ("the call's number is still there", seen_rax, SYS_getppid);
    EQ("its arguments as well", seen_rdi, 0x123);
    EQ("SIGSYS is blocked meanwhile", seen_blocked, 1);

    forbid(NOBODY, SECCOMP_RET_TRAP | 0xffff);
    EQ("a number nobody has", raw(NOBODY + 0x7700000000, 0, 0, 0), 4711);
    EQ("si_errno is the whole data", seen.si_errno, 0xffff);
    EQ("the whole register", seen_rax, NOBODY + 0x7700000000);
    EQ("its lower half", seen.si_syscall, NOBODY);

    forbid(SYS_getuid, SECCOMP_RET_TRAP);
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    handle(SIGSYS, on_trap, SA_SIGINFO | SA_ONSTACK | SA_NODEFER);
    EQ("on the alternate stack", raw(SYS_getuid, 0, 0, 0) == 4711 && seen_on_stack, 1);
    EQ("SA_NODEFER", seen_blocked, 0);
    EQ("no data", seen.si_errno, 0);
}

static long inner;

static void nested(int n, siginfo_t *info, void *context)
{
    (void)n;
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    if (info->si_syscall == NOBODY + 1) {
        inner = raw(NOBODY + 2, 0, 0, 0);
        r[REG_RAX] = 1;
    } else {
        r[REG_RAX] = 2;
    }
}

// A trap in the handler needs SA_NODEFER.
static int traps_in_handler(void)
{
    forbid(NOBODY + 1, SECCOMP_RET_TRAP);
    forbid(NOBODY + 2, SECCOMP_RET_TRAP);
    handle(SIGSYS, nested, SA_SIGINFO | SA_NODEFER);
    EQ("outer", raw(NOBODY + 1, 0, 0, 0), 1);
    EQ("inner", inner, 2);
    fflush(stdout);
    handle(SIGSYS, nested, SA_SIGINFO);
    raw(NOBODY + 1, 0, 0, 0);
    return 1;
}

static int reset_handler(void)
{
    handle(SIGSYS, on_trap, SA_SIGINFO | SA_RESETHAND);
    EQ("first", raw(SYS_getppid, 0, 0, 0), -EPROTO);
    fflush(stdout);
    raw(SYS_getppid, 0, 0, 0);
    return 1;
}

static int ignored(void)
{
    signal(SIGSYS, SIG_IGN);
    raw(SYS_getppid, 0, 0, 0);
    return 1;
}

static int blocked(void)
{
    block(SIGSYS);
    raw(SYS_getppid, 0, 0, 0);
    return 1;
}

// From another process it is a signal like others.
static int ignored_from_outside(void)
{
    signal(SIGSYS, SIG_IGN);
    kill(getpid(), SIGSYS);
    return 5;
}

// The vDSO's calls are none.
static int without_a_call(void)
{
    struct timespec t;
    forbid(SYS_clock_gettime, ERRNO_OF(EPERM));
    EQ("the call itself", raw(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&t, 0), -EPERM);
    return 0;
}

int main(void)
{
    tasks_begin();
    no_new_privs();
    told();
    EQ("a trap in the handler", child_end(traps_in_handler), 1000 + SIGSYS);
    EQ("SA_RESETHAND", child_end(reset_handler), 1000 + SIGSYS);
    EQ("ignored", child_end(ignored), 1000 + SIGSYS);
    EQ("blocked", child_end(blocked), 1000 + SIGSYS);
    EQ("ignored, from outside", child_end(ignored_from_outside), 5);
    EQ("clock_gettime", child_end(without_a_call), 0);
    return check_done();
}
