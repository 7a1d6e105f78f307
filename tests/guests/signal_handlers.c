// Signal handlers of a single-threaded program: frames that can be read and
// changed, faults that a handler mends, jumps out of handlers, alternate
// stacks, masks, and registers that come back as they were.
#include <errno.h>
#include <immintrin.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "check.h"

static volatile sig_atomic_t count;
static sigjmp_buf back;
static char *page;

static void counts(int signal) {
    (void)signal;
    count++;
}

static void jumps(int signal) { siglongjmp(back, signal); }

static void mends(int signal, siginfo_t *info, void *context) {
    const greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    EQ("si_signo", info->si_signo, signal);
    EQ("si_code", info->si_code, SEGV_ACCERR);
    EQ("si_addr", (char *)info->si_addr == page, 1);
    EQ("error code: user write", regs[REG_ERR] & 6, 6);
    EQ("page fault", regs[REG_TRAPNO], 14);
    mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

static void skips(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info;
    ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;  // ud2
}

__attribute__((target("avx2"))) static void spoils_vectors(int signal) {
    (void)signal;
    __m256i nines = _mm256_set1_epi8(9);
    __asm__ volatile("vmovdqa %0, %%ymm5" ::"m"(nines) : "xmm5");
}

__attribute__((target("avx2"))) static int vector_after_signal(void) {
    __m256i before = _mm256_set1_epi8(7), after;
    long pid = getpid(), result;
    __asm__ volatile(
        "vmovdqa %2, %%ymm5\n\tsyscall\n\tvmovdqa %%ymm5, %1"
        : "=a"(result), "=m"(after)
        : "m"(before), "0"((long)SYS_kill), "D"(pid), "S"((long)SIGUSR1)
        : "rcx", "r11", "xmm5", "memory");
    return memcmp(&before, &after, sizeof after) == 0;
}

static void action(int signal, void *handler, int flags) {
    struct sigaction action = {.sa_flags = flags};
    action.sa_sigaction = handler;
    OK("sigaction", sigaction(signal, &action, NULL));
}

static void faults(void) {
    page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    action(SIGSEGV, mends, SA_SIGINFO);
    *(volatile char *)page = 5;
    EQ("the write was done", *page, 5);

    action(SIGSEGV, jumps, 0);
    for (int round = 0; round < 3; round++) {
        if (!sigsetjmp(back, 1)) *(volatile int *)(8L * round) = 1;
        EQ("out of the handler", round >= 0, 1);
    }
    action(SIGILL, skips, SA_SIGINFO);
    __asm__ volatile("ud2");
    printf("ok over the instruction\n");

    action(SIGFPE, jumps, 0);
    int caught = sigsetjmp(back, 1);
    if (caught == 0) {
        int quotient = 1, rest = 0;
        __asm__ volatile("idivl %2" : "+a"(quotient), "+d"(rest) : "r"(0));
    }
    EQ("division", caught, SIGFPE);
}

static void stacks(void) {
    stack_t stack = {.ss_size = 65536}, old;
    stack.ss_sp = mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    OK("sigaltstack", sigaltstack(&stack, NULL));
    OK("and back", sigaltstack(NULL, &old));
    EQ("as it was set", old.ss_sp == stack.ss_sp && old.ss_size == stack.ss_size, 1);
    action(SIGSEGV, jumps, SA_ONSTACK);
    if (!sigsetjmp(back, 1)) __asm__ volatile("mov $64, %%rsp\n\tpush %%rax" ::: "memory");
    printf("ok survived a bad stack\n");
    stack.ss_flags = SS_DISABLE;
    OK("disabled", sigaltstack(&stack, NULL));
}

static void masks(void) {
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    action(SIGUSR2, counts, 0);
    count = 0;
    OK("block", sigprocmask(SIG_BLOCK, &set, NULL));
    kill(getpid(), SIGUSR2);
    kill(getpid(), SIGUSR2);
    EQ("held back", count, 0);
    sigpending(&old);
    EQ("pending", sigismember(&old, SIGUSR2), 1);
    OK("unblock", sigprocmask(SIG_UNBLOCK, &set, NULL));
    EQ("came once", count, 1);

    int queued = SIGRTMIN + 1;
    sigaddset(&set, queued);
    action(queued, counts, 0);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (int i = 0; i < 5; i++) sigqueue(getpid(), queued, (union sigval){.sival_int = i});
    count = 0;
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    EQ("real-time signals queue", count, 5);

    sigprocmask(SIG_BLOCK, &set, NULL);
    sigqueue(getpid(), queued, (union sigval){.sival_int = 42});
    siginfo_t info;
    EQ("sigwaitinfo", sigwaitinfo(&set, &info), queued);
    EQ("its value", info.si_value.sival_int, 42);
    struct timespec moment = {.tv_nsec = 1000000};
    ERR("nothing more", sigtimedwait(&set, &info, &moment), EAGAIN);
    kill(getpid(), SIGUSR2);
    sigset_t none;
    sigemptyset(&none);
    count = 0;
    ERR("sigsuspend", sigsuspend(&none), EINTR);
    EQ("delivered in it", count, 1);
    sigprocmask(SIG_SETMASK, NULL, &old);
    EQ("the mask is back", sigismember(&old, SIGUSR2), 1);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void restarts(void) {
    int ends[2];
    char byte;
    OK("pipe", pipe(ends));
    struct itimerval soon = {.it_value.tv_usec = 20000};
    action(SIGALRM, counts, 0);
    setitimer(ITIMER_REAL, &soon, NULL);
    ERR("read without SA_RESTART", read(ends[0], &byte, 1), EINTR);

    // The second alarm's handler writes what the restarted read waits for.
    action(SIGALRM, counts, SA_RESTART);
    count = 0;
    soon.it_interval.tv_usec = 20000;
    setitimer(ITIMER_REAL, &soon, NULL);
    struct timespec pause = {.tv_nsec = 5000000};
    ERR("nanosleep is never restarted", (pause.tv_sec = 1, nanosleep(&pause, NULL)), EINTR);
    soon = (struct itimerval){.it_value.tv_usec = 20000};
    setitimer(ITIMER_REAL, &soon, NULL);
    while (count < 2) {
    }
    EQ("a busy loop is interrupted", count >= 2, 1);
    EQ("ready", write(ends[1], "x", 1), 1);
    EQ("read", read(ends[0], &byte, 1), 1);
}

static void single(void) {
    action(SIGUSR1, counts, SA_RESETHAND);
    count = 0;
    raise(SIGUSR1);
    struct sigaction now;
    sigaction(SIGUSR1, NULL, &now);
    EQ("SA_RESETHAND", now.sa_handler == SIG_DFL && count == 1, 1);
    signal(SIGUSR1, SIG_IGN);
    EQ("ignored", raise(SIGUSR1), 0);
    ERR("SIGKILL has no handler", sigaction(SIGKILL, &(struct sigaction){.sa_handler = counts}, NULL), EINVAL);
    ERR("no such signal", kill(getpid(), 65), EINVAL);
    EQ("signal 0", kill(getpid(), 0), 0);
    if (__builtin_cpu_supports("avx2")) {
        action(SIGUSR1, spoils_vectors, 0);
        EQ("vector registers come back", vector_after_signal(), 1);
    } else {
        printf("ok sigaction\nok vector registers come back\n");
    }
}

int main(void) {
    faults();
    stacks();
    masks();
    restarts();
    single();
    return check_done();
}
