// What a signal leaves alone, and what its handler may change: the 128 bytes below the stack pointer, and the registers
// with the vectors, as the context shows them.
#include "pages.h"
#include "tasks.h"
#include <stdint.h>
#include <ucontext.h>

static char *page;
static volatile sig_atomic_t handled;
static uint64_t seen[3], wanted[2] = {0x0123456789abcdef, 0xfedcba9876543210};

static void mends(int n, siginfo_t *info, void *context)
{
    (void)n, (void)info, (void)context;
    handled++;
    mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

static void looks(int n, siginfo_t *info, void *context)
{
    mcontext_t *m = &((ucontext_t *)context)->uc_mcontext;
    (void)n, (void)info;
    handled++;
    seen[0] = (uint64_t)m->gregs[REG_R12];
    m->gregs[REG_R12] = 0x5555;
    if (!m->fpregs)
        return;
    // The legacy area: sixteen bytes for each vector register, from byte 160 on.
    char *xmm7 = (char *)m->fpregs + 160 + 7 * 16;
    memcpy(&seen[1], xmm7, 16);
    memcpy(xmm7, wanted, 16);
}

// Sixteen words are put below the stack pointer; then there is a fault, or a call that sends a signal; then they are
// counted. Not a word may have changed.
static __attribute__((noinline)) int red_zone(long call, void *touch)
{
    long bad = 0, rax = call;
    __asm__ volatile("mov %%rsp, %%r14\n sub $1024, %%rsp\n"
                     "mov $-128, %%rcx\n"
                     "1: mov %%rcx, (%%rsp,%%rcx)\n add $8, %%rcx\n jnz 1b\n"
                     "test %%rax, %%rax\n jz 2f\n"
                     "syscall\n jmp 3f\n"
                     "2: movb $1, (%[touch])\n"
                     "3: mov $-128, %%rcx\n"
                     "4: cmp %%rcx, (%%rsp,%%rcx)\n je 5f\n inc %[bad]\n"
                     "5: add $8, %%rcx\n jnz 4b\n"
                     "mov %%r14, %%rsp\n"
                     : [bad] "+r"(bad), "+a"(rax)
                     : [touch] "r"(touch), "D"((long)getpid()), "S"((long)SIGUSR1)
                     : "rcx", "r11", "r14", "memory", "cc");
    return (int)bad;
}

static void registers(void)
{
    uint64_t r12, out[2], in[2] = {0x1111222233334444, 0x5555666677778888};
    long rax = SYS_kill;
    __asm__ volatile("mov $0x1212, %%r12\n movups (%[in]), %%xmm7\n"
                     "syscall\n"
                     "mov %%r12, %[r12]\n movups %%xmm7, (%[out])\n"
                     : "+a"(rax), [r12] "=&r"(r12)
                     : [in] "r"(in), [out] "r"(out), "D"((long)getpid()), "S"((long)SIGUSR1)
                     : "rcx", "r11", "r12", "xmm7", "memory");
    EQ("the handler saw the register", seen[0], 0x1212);
    CHECK("and the vector", seen[1] == in[0] && seen[2] == in[1]);
    EQ("it has changed the register", r12, 0x5555);
    CHECK("and the vector", out[0] == wanted[0] && out[1] == wanted[1]);
}

static volatile int stop;

static void *pokes(void *arg)
{
    while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
        pthread_kill(*(pthread_t *)arg, SIGUSR2);
        pause_ms(1);
    }
    return NULL;
}

int main(void)
{
    tasks_begin();
    page = NEED(mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    handle(SIGSEGV, mends, SA_SIGINFO);
    handle(SIGUSR1, looks, SA_SIGINFO);
    EQ("below the stack pointer: a call", red_zone(SYS_getppid, page), 0);
    EQ("a fault with a handler", red_zone(0, page), 0);
    EQ("it was handled", handled, 1);
    char *fresh = private_pages(PAGE);
    EQ("a page touched first", red_zone(0, fresh), 0);
    EQ("a call that sends a signal", red_zone(SYS_kill, page), 0);
    EQ("it was handled", handled, 2);
    registers();
    // At any moment, too.
    handle(SIGUSR2, mends, SA_SIGINFO);
    pthread_t me = pthread_self(), t = thread(pokes, &me);
    int bad = 0;
    for (handled = 0; handled < 10;)
        bad += red_zone(0, fresh);
    __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
    join(t);
    EQ("signals at any moment", bad, 0);
    return check_done();
}
