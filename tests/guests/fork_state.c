// What a forked child starts with: registers with the vectors, signal state, thread-local data, mappings, the break.
#include "pages.h"
#include "tasks.h"
#include <immintrin.h>
#include <stdint.h>
#include <sys/time.h>

static __thread int own = 5;
static volatile sig_atomic_t handled;
static char stack[65536], *shared, *private, *dontfork, *wiped, *file_private;
static char *brk_end;

static void counts(int n)
{
    (void)n;
    handled++;
}

// The call is made between load and store, so that nothing else is: all sixteen halves, the control words, RFLAGS' DF.
__attribute__((target("avx"), noinline)) static long fork_with_vectors(int *same)
{
    _Alignas(32) uint64_t in[64], out[64] = {0};
    unsigned csr = 0x7f80, csr_after, csr_before = _mm_getcsr();
    unsigned short word = 0x0f7f, word_after, word_before;
    long pid = SYS_fork, callee[4] = {0};
    for (int i = 0; i < 64; i++)
        in[i] = (uint64_t)(i + 1) * 0x9e3779b97f4a7c15;
    __asm__ volatile("fnstcw %0" : "=m"(word_before));
    __asm__ volatile("ldmxcsr %0\n fldcw %1\n fldpi\n" : : "m"(csr), "m"(word));
#define EACH(OP) OP(0) OP(1) OP(2) OP(3) OP(4) OP(5) OP(6) OP(7) OP(8) OP(9) OP(10) OP(11) OP(12) OP(13) OP(14) OP(15)
#define LOAD(n) "vmovdqa " #n "*32(%[in]), %%ymm" #n "\n"
#define STORE(n) "vmovdqa %%ymm" #n ", " #n "*32(%[out])\n"
    __asm__ volatile(EACH(LOAD)
                     "mov $0x1111, %%r12\n mov $0x2222, %%r13\n mov $0x3333, %%r8\n mov $0x4444, %%r10\n"
                     "syscall\n" EACH(STORE)
                     "mov %%r12, 0(%[callee])\n mov %%r13, 8(%[callee])\n mov %%r8, 16(%[callee])\n mov %%r10, 24(%[callee])\n"
                     : "+a"(pid)
                     : [in] "r"(in), [out] "r"(out), [callee] "r"(callee)
                     : "rcx", "r11", "r12", "r13", "r8", "r10", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
                       "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    double pi;
    __asm__ volatile("fstpl %0\n stmxcsr %1\n fnstcw %2" : "=m"(pi), "=m"(csr_after), "=m"(word_after));
    __asm__ volatile("ldmxcsr %0\n fldcw %1" : : "m"(csr_before), "m"(word_before));
    *same = memcmp(in, out, sizeof in) == 0;
    *same |= (pi > 3.14159 && pi < 3.1416) << 1;
    *same |= (csr_after == csr && word_after == word) << 2;
    *same |= (callee[0] == 0x1111 && callee[1] == 0x2222 && callee[2] == 0x3333 && callee[3] == 0x4444) << 3;
    return pid;
}

static void registers(void)
{
    if (!__builtin_cpu_supports("avx")) {
        SKIP("vectors", "no AVX");
        return;
    }
    for (int i = 0; i < 2; i++) {
        int same;
        fflush(stdout);
        long pid = fork_with_vectors(&same);
        if (pid == 0)
            _exit(same);
        EQ("parent's registers", same, 15);
        EQ("child's registers", end_of((pid_t)pid), 15);
    }
}

static int signals(void)
{
    struct sigaction act;
    struct itimerval timer;
    sigset_t set;
    stack_t alt;
    getitimer(ITIMER_VIRTUAL, &timer);
    CHECK("no interval timer", timer.it_value.tv_sec == 0 && timer.it_value.tv_usec == 0);
    sigpending(&set);
    CHECK("nothing is pending", !sigismember(&set, SIGUSR1) && !sigismember(&set, SIGRTMIN));
    sigprocmask(SIG_BLOCK, NULL, &set);
    CHECK("mask", sigismember(&set, SIGUSR1) && sigismember(&set, SIGRTMIN) && !sigismember(&set, SIGUSR2));
    sigaction(SIGUSR2, NULL, &act);
    CHECK("handler", act.sa_handler == counts);
    sigaction(SIGHUP, NULL, &act);
    CHECK("ignored", act.sa_handler == SIG_IGN);
    sigaltstack(NULL, &alt);
    CHECK("alternate stack", alt.ss_sp == stack && alt.ss_size == sizeof stack && alt.ss_flags == 0);
    raise(SIGUSR2);
    EQ("it works", handled, 1);
    raise(SIGUSR1);
    EQ("held back", handled, 1);
    unblock(SIGUSR1);
    EQ("own", handled, 2);
    return 0;
}

/* Started without the alarm that child() sets. */
static int alarm_left(void)
{
    fflush(stdout);
    pid_t pid = NEED(fork());
    if (pid == 0)
        _exit(alarm(0) != 0);
    return end_of(pid);
}

static int memory(void)
{
    EQ("shared", shared[0], 1);
    EQ("private", private[0], 2);
    EQ("private of a file", file_private[0], 'f');
    shared[0] = 11;
    private[0] = 12;
    file_private[0] = 'g';
    CHECK("wiped", wiped[0] == 0 && wiped[PAGE - 1] == 0);
    EQ("its neighbour is not", wiped[PAGE], 4);
    int zero = NEED(open("/dev/zero", O_RDONLY));
    ERR("not forked", read(zero, dontfork, 1), EFAULT);
    EQ("thread-local", own, 6);
    own = 7;
    EQ("break", syscall(SYS_brk, 0), brk_end);
    EQ("what is below", brk_end[-1], 9);
    EQ("grown", syscall(SYS_brk, brk_end + 3 * PAGE), brk_end + 3 * PAGE);
    brk_end[2 * PAGE] = 1;
    char *p = private_pages(4 * PAGE);
    p[3 * PAGE] = 1;
    OK("unmap the parent's", munmap(private, PAGE));
    OK("protect the parent's", mprotect(wiped + PAGE, PAGE, PROT_NONE));
    return 0;
}

static int faults(void)
{
    wiped[PAGE] = 1; // read-only, now
    return 0;
}

static void mappings(void)
{
    int fd = NEED(open("file", O_RDWR | O_CREAT, 0600));
    NEED(write(fd, "file", 4));
    shared = shared_pages(PAGE);
    private = private_pages(PAGE);
    dontfork = private_pages(PAGE);
    wiped = private_pages(2 * PAGE);
    file_private = NEED(mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0));
    shared[0] = 1, private[0] = 2, dontfork[0] = 3, wiped[0] = wiped[PAGE - 1] = wiped[PAGE] = 4;
    OK("MADV_DONTFORK", madvise(dontfork, PAGE, MADV_DONTFORK));
    OK("MADV_WIPEONFORK", madvise(wiped, PAGE, 18));
    own = 6;
    brk_end = (char *)syscall(SYS_brk, 0) + PAGE;
    EQ("brk", syscall(SYS_brk, brk_end), brk_end);
    brk_end[-1] = 9;
    EQ("child", child_end(memory), 0);
    EQ("what it wrote to shared memory", shared[0], 11);
    CHECK("and to private", private[0] == 2 && file_private[0] == 'f' && own == 6);
    CHECK("mine is here", dontfork[0] == 3 && wiped[0] == 4 && wiped[PAGE] == 4);
    EQ("my break", syscall(SYS_brk, 0), brk_end);
    wiped[PAGE] = 5;
    OK("MADV_DOFORK", madvise(dontfork, PAGE, MADV_DOFORK));
    OK("read-only", mprotect(wiped + PAGE, PAGE, PROT_READ));
    EQ("in the child, too", child_end(faults), 1000 + SIGSEGV);
    unlink("file");
}

int main(void)
{
    tasks_begin();
    registers();
    sigset_t set = set_of(SIGUSR1);
    sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    kill(getpid(), SIGUSR1);
    sigqueue(getpid(), SIGRTMIN, (union sigval){0});
    handle(SIGUSR2, counts, 0);
    handle(SIGUSR1, counts, 0);
    signal(SIGHUP, SIG_IGN);
    NEED(sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL));
    NEED(setitimer(ITIMER_VIRTUAL, &(struct itimerval){{0, 0}, {1000, 0}}, NULL));
    EQ("signals", child_end(signals), 0);
    EQ("alarm", alarm_left(), 0);
    sigpending(&set);
    CHECK("mine are pending", sigismember(&set, SIGUSR1) && sigismember(&set, SIGRTMIN));
    CHECK("mine goes on", alarm(LIMIT) > 0);
    mappings();
    return check_done();
}
