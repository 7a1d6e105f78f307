// Faults and their handlers: what the handler is told, mending and going on, jumping out, faults in handlers, stacks that
// cannot be written to, and faults that are blocked or ignored.
#include "pages.h"
#include "tasks.h"
#include <setjmp.h>
#include <stdint.h>
#include <ucontext.h>

static sigjmp_buf back, outer;
static volatile int code, trap, error, number, depth;
static void *volatile address;
static char *volatile page;

static void notes(int n, siginfo_t *info, void *context)
{
    const greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    number = n;
    code = info->si_code;
    address = info->si_addr;
    trap = (int)regs[REG_TRAPNO];
    error = (int)regs[REG_ERR];
    siglongjmp(back, 1);
}

#define FAULTS(what)                 \
    do {                             \
        number = 0;                  \
        if (!sigsetjmp(back, 1))     \
            what;                    \
    } while (0)

static void told(const char *name, int n, int c, int t, int e, void *at)
{
    printf("%s: ", name);
    CHECK("signal, code", number == n && code == c);
    CHECK("address", at == (void *)-1 || address == at);
    if (t >= 0)
        EQ("trap", trap, t);
    if (e >= 0)
        EQ("error", error & 0x17, e);
}

static void kinds(void)
{
    static const int caught[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    for (int i = 0; i < 5; i++)
        handle(caught[i], notes, SA_SIGINFO);
    page = NEED(mmap(NULL, PAGE, PROT_READ, ANON, -1, 0));
    int fd = NEED(open("file", O_RDWR | O_CREAT, 0600));
    char *volatile beyond = NEED(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0));
    char *volatile nowhere = private_pages(PAGE);
    NEED(munmap(nowhere, PAGE));
    FAULTS((void)*(volatile char *)(nowhere + 7));
    told("read, nothing there", SIGSEGV, SEGV_MAPERR, 14, 4, nowhere + 7);
    FAULTS(nowhere[9] = 1);
    told("write, nothing there", SIGSEGV, SEGV_MAPERR, 14, 6, nowhere + 9);
    (void)*(volatile char *)page;
    FAULTS(page[11] = 1);
    told("write, read-only", SIGSEGV, SEGV_ACCERR, 14, 7, page + 11);
    FAULTS(((void (*)(void))(uintptr_t)page)());
    told("run, no code", SIGSEGV, SEGV_ACCERR, 14, 0x15, page);
    FAULTS((void)*(volatile char *)0x4141414141414141);
    told("not canonical", SIGSEGV, SI_KERNEL, 13, 0, NULL);
    FAULTS((void)*(volatile char *)0xffff888000000000);
    told("kernel's", SIGSEGV, SEGV_MAPERR, 14, 5, (void *)0xffff888000000000);
    FAULTS(__asm__ volatile("hlt"));
    told("privileged", SIGSEGV, SI_KERNEL, 13, 0, NULL);
    FAULTS((void)*(volatile char *)(beyond + 3));
    told("beyond the file", SIGBUS, BUS_ADRERR, -1, -1, beyond + 3);
    FAULTS(__asm__ volatile("idivl %2" : : "a"(1), "d"(0), "r"(0)));
    told("division", SIGFPE, FPE_INTDIV, 0, 0, (void *)-1);
    unsigned csr = 0x1f80 & ~0x200u, old = 0x1f80;
    float zero = 0, one = 1;
    FAULTS(__asm__ volatile("ldmxcsr %0\n movss %1, %%xmm0\n divss %2, %%xmm0" : : "m"(csr), "m"(one), "m"(zero) : "xmm0"));
    __asm__ volatile("ldmxcsr %0" : : "m"(old));
    if (number)
        told("SSE division", SIGFPE, FPE_FLTDIV, 19, 0, (void *)-1);
    else
        SKIP("SSE division", "QEMU's processor emulation has no such fault");
    FAULTS(__asm__ volatile("ud2"));
    told("no instruction", SIGILL, ILL_ILLOPN, 6, 0, (void *)-1);
    FAULTS(__asm__ volatile("int3"));
    told("breakpoint", SIGTRAP, SI_KERNEL, 3, 0, NULL);
    unlink("file");
}

static void mends(int n, siginfo_t *info, void *context)
{
    (void)n, (void)context;
    depth++;
    mprotect((void *)((uintptr_t)info->si_addr & ~(PAGE - 1)), PAGE, RW);
}

static void faults_again(int n)
{
    // Another fault while this one is handled: masked are only the signal's own.
    volatile int *volatile null = NULL;
    if (n == SIGFPE)
        *null = 1;
    siglongjmp(outer, n);
}

static void handled(void)
{
    char *area = NEED(mmap(NULL, 32 * PAGE, PROT_NONE, ANON, -1, 0));
    handle(SIGSEGV, mends, SA_SIGINFO);
    depth = 0;
    for (int i = 0; i < 32; i++)
        ((volatile char *)area)[i * PAGE + i] = (char)i;
    EQ("mended, each", depth, 32);
    int bad = 0;
    for (int i = 0; i < 32; i++)
        bad += area[i * PAGE + i] != i;
    EQ("and written", bad, 0);

    handle(SIGSEGV, faults_again, 0);
    handle(SIGFPE, faults_again, 0);
    volatile int caught = sigsetjmp(outer, 1);
    if (!caught)
        raise(SIGFPE);
    EQ("a fault in another's handler", caught, SIGSEGV);
    sigset_t set;
    sigprocmask(SIG_BLOCK, NULL, &set);
    CHECK("the mask is back", !sigismember(&set, SIGSEGV) && !sigismember(&set, SIGFPE));
}

static void returns(int n) { (void)n; }

static int way;

static int dies(void)
{
    volatile int *volatile null = NULL;
    switch (way) {
    case 0:
        handle(SIGSEGV, returns, 0);
        block(SIGSEGV);
        *null = 1;
        break;
    case 1:
        signal(SIGSEGV, SIG_IGN);
        *null = 1;
        break;
    case 2:
        // No room for the frame.
        handle(SIGSEGV, returns, 0);
        __asm__ volatile("mov $4096, %%rsp\n ud2" : : : "memory");
        break;
    case 3:
        handle(SIGUSR1, returns, 0);
        __asm__ volatile("mov $4096, %%rsp\n syscall\n hlt" : : "a"(SYS_kill), "D"(getpid()), "S"(SIGUSR1) : "memory");
        break;
    case 4:
        // The alternate stack is no better.
        sigaltstack(&(stack_t){.ss_sp = (void *)PAGE, .ss_size = 65536}, NULL);
        handle(SIGSEGV, returns, SA_ONSTACK);
        *null = 1;
        break;
    case 5:
        // A fault in its own handler, where it is blocked.
        handle(SIGSEGV, faults_again, 0);
        handle(SIGFPE, faults_again, 0);
        block(SIGSEGV);
        raise(SIGFPE);
        break;
    case 6:
        handle(SIGSEGV, returns, SA_RESETHAND);
        *null = 1;
        break;
    case 7:
        // A frame that is none.
        __asm__ volatile("mov %0, %%rsp\n mov $15, %%eax\n syscall" : : "r"(4096L) : "rax", "memory");
        break;
    }
    return 5;
}

int main(void)
{
    tasks_begin();
    kinds();
    handled();
    static const char *const ways[] = {"blocked",  "ignored", "a bad stack", "a bad stack, another signal", "a bad alternate stack",
                                       "in a handler", "a second time", "a bad frame"};
        for (way = 0; way < 8; way++)
        EQ(ways[way], child_end(dies), 1000 + SIGSEGV);
    return check_done();
}
