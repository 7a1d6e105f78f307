// Every signal: what is done by default, what a handler is told, and how the flags of an action change it.
#include "tasks.h"
#include <ucontext.h>

static volatile sig_atomic_t count, depth, deepest;
static siginfo_t told;
static int number, order[80];
static char stack[65536];

static void notes(int n, siginfo_t *info, void *context)
{
    (void)context;
    told = *info;
    order[count++] = n;
}

static int by_default(void)
{
    raise(number);
    return 7;
}

// 32 to 34 are partly the libraries' own.
static int usable(int n) { return n != SIGKILL && n != SIGSTOP && (n < 32 || n > 34); }

static void defaults(void)
{
    static const int kill_by[] = {SIGHUP, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGUSR1, SIGSEGV,
                                  SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGSTKFLT, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGIO,
                                  SIGPWR, SIGSYS, 40, 64};
    static const int ignored[] = {SIGCHLD, SIGCONT, SIGURG, SIGWINCH};
    for (unsigned i = 0; i < sizeof kill_by / sizeof *kill_by; i++) {
        number = kill_by[i];
        EQ("kills", child_end(by_default) - 1000, number);
    }
    for (int i = 0; i < 4; i++)
        EQ("is ignored", raise(ignored[i]), 0);
}

static void every_one(void)
{
    struct sigaction act = {.sa_flags = SA_SIGINFO | SA_RESTART, .sa_sigaction = notes}, old;
    int set = 0, same = 0, code = 0, bad_flags = 0;
    sigaddset(&act.sa_mask, SIGUSR1);
    for (int n = 1; n <= 64; n++) {
        if (!usable(n))
            continue;
        set += sigaction(n, &act, NULL) == 0;
        memset(&old, 0xff, sizeof old);
        sigaction(n, NULL, &old);
        same += old.sa_sigaction == notes && sigismember(&old.sa_mask, SIGUSR1) && !sigismember(&old.sa_mask, SIGUSR2);
        bad_flags += (old.sa_flags & (SA_SIGINFO | SA_RESTART | SA_NODEFER | SA_ONSTACK | SA_NOCLDSTOP)) != (SA_SIGINFO | SA_RESTART);
        count = 0;
        kill(getpid(), n);
        code += count == 1 && told.si_signo == n && told.si_code == SI_USER && told.si_pid == getpid() && told.si_uid == getuid();
    }
    EQ("handlers for all", set, 59);
    EQ("told as set", same, 59);
    EQ("flags", bad_flags, 0);
    EQ("each was handled at once", code, 59);
    ERR("SIGKILL", sigaction(SIGKILL, &act, NULL), EINVAL);
    ERR("SIGSTOP", sigaction(SIGSTOP, &act, NULL), EINVAL);
    ERR("65", sigaction(65, &act, NULL), EINVAL);
    ERR("0", sigaction(0, NULL, &act), EINVAL);
    ERR("wrong size", syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4), EINVAL);
    ERR("bad pointer", syscall(SYS_rt_sigaction, SIGUSR1, 8, NULL, 8), EFAULT);

    count = 0;
    raise(SIGUSR1);
    CHECK("raise", told.si_code == SI_TKILL && told.si_pid == getpid());
    sigqueue(getpid(), SIGUSR2, (union sigval){.sival_ptr = (void *)0x123456789abc});
    CHECK("sigqueue", told.si_code == SI_QUEUE && told.si_value.sival_ptr == (void *)0x123456789abc && told.si_pid == getpid());
}

// All are held back at once, then come in the kernel's order: 59 without SIGALRM, the two below, and SIGTSTP, SIGTTIN and
// SIGTTOU, which a SIGCONT sent after them takes away.
static void all_at_once(void)
{
    struct sigaction act = {.sa_flags = SA_SIGINFO, .sa_sigaction = notes};
    sigset_t all, before;
    sigfillset(&act.sa_mask);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    for (int n = 64; n; n--)
        if (usable(n) && n != SIGSEGV && n != SIGBUS) {
            NEED(sigaction(n, &act, NULL));
            if (n != SIGALRM)
                kill(getpid(), n);
        }
    count = 0;
    sigpending(&all);
    int pending = 0;
    for (int n = 1; n <= 64; n++)
        pending += sigismember(&all, n) == 1;
    EQ("pending", pending, 53);
    sigprocmask(SIG_SETMASK, &before, NULL);
    EQ("all came", count, 53);
    for (int i = 0; i < count; i++)
        printf("%d ", order[i]);
    printf("\n");
    static const int faults[] = {SIGSEGV, SIGBUS};
    for (int i = 0; i < 2; i++) {
        count = 0;
        block(faults[i]);
        kill(getpid(), faults[i]);
        EQ("sent, a fault's signal can be held back", count, 0);
        unblock(faults[i]);
        EQ("and comes", count, 1);
    }
}

static void recurses(int n)
{
    count++;
    if (++depth > deepest)
        deepest = depth;
    if (count < 4)
        raise(n);
    depth--;
}

static void sends_other(int n)
{
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    CHECK("blocked inside: mask, itself", sigismember(&now, SIGUSR2) && sigismember(&now, n) == (depth != 5));
    CHECK("nothing else", !sigismember(&now, SIGHUP));
    raise(SIGUSR2);
    EQ("held back inside", count, 0);
}

static void masks_hup(int n, siginfo_t *info, void *context)
{
    (void)n, (void)info;
    sigaddset(&((ucontext_t *)context)->uc_sigmask, SIGHUP);
    block(SIGTERM);
}

static void flags(void)
{
    sigset_t now;
    count = deepest = depth = 0;
    handle(SIGUSR1, recurses, 0);
    raise(SIGUSR1);
    CHECK("one after the other", count == 4 && deepest == 1);
    count = deepest = 0;
    handle(SIGUSR1, recurses, SA_NODEFER);
    raise(SIGUSR1);
    CHECK("SA_NODEFER: one in the other", count == 4 && deepest == 4);

    // The mask is applied with and without SA_SIGINFO, and without SA_NODEFER the signal itself is added.
    static const int with[] = {0, SA_SIGINFO, SA_NODEFER};
    for (int i = 0; i < 3; i++) {
        struct sigaction act = {.sa_flags = with[i]};
        act.sa_handler = sends_other;
        sigaddset(&act.sa_mask, SIGUSR2);
        NEED(sigaction(SIGUSR1, &act, NULL));
        handle(SIGUSR2, recurses, 0);
        depth = with[i] & SA_NODEFER ? 5 : 0;
        count = 0;
        raise(SIGUSR1);
        depth = 0;
        CHECK("delivered afterwards", count > 0);
        sigprocmask(SIG_BLOCK, NULL, &now);
        CHECK("mask is back", !sigismember(&now, SIGUSR1) && !sigismember(&now, SIGUSR2));
    }
    handle(SIGUSR1, masks_hup, SA_SIGINFO);
    raise(SIGUSR1);
    sigprocmask(SIG_BLOCK, NULL, &now);
    CHECK("the mask is the context's", sigismember(&now, SIGHUP) && !sigismember(&now, SIGTERM));
    unblock(SIGHUP);
    struct sigaction old;
    count = 3;
    handle(SIGUSR1, recurses, SA_RESETHAND);
    raise(SIGUSR1);
    sigaction(SIGUSR1, NULL, &old);
    CHECK("SA_RESETHAND", count == 4 && old.sa_handler == SIG_DFL);
}

static void on_stack(int n)
{
    stack_t now;
    char here;
    count = n;
    CHECK("on it", &here > stack && &here < stack + sizeof stack);
    sigaltstack(NULL, &now);
    EQ("SS_ONSTACK", now.ss_flags, SS_ONSTACK);
    ERR("not to be changed now", sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL), EPERM);
    if (n == SIGUSR1)
        raise(SIGUSR2);
}

static void stacks(void)
{
    stack_t alt = {.ss_sp = stack, .ss_size = sizeof stack}, now;
    OK("sigaltstack", sigaltstack(&alt, NULL));
    handle(SIGUSR1, on_stack, SA_ONSTACK);
    handle(SIGUSR2, on_stack, SA_ONSTACK);
    raise(SIGUSR1);
    EQ("one on top of the other", count, SIGUSR2);
    sigaltstack(NULL, &now);
    EQ("off it again", now.ss_flags, 0);
    alt.ss_size = 100;
    ERR("too small", sigaltstack(&alt, NULL), ENOMEM);
    alt.ss_flags = 77;
    alt.ss_size = sizeof stack;
    ERR("unknown flags", sigaltstack(&alt, NULL), EINVAL);
    handle(SIGUSR1, notes, SA_SIGINFO);
}

int main(void)
{
    tasks_begin();
    defaults();
    every_one();
    all_at_once();
    flags();
    stacks();
    return check_done();
}
