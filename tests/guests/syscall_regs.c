// What a system call and a page fault do to registers, flags and the stack: no more than Linux says.
#include "check.h"
#include "probe.h"
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

struct regs {
    uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, flags;
};

// Loads all registers but rsp from *in, does the event, and stores them to *out.
// fault: touch the page instead. `next` becomes the address behind `syscall`.
extern void regs_round(const struct regs *in, struct regs *out, char *page, int fault, uint64_t *next);
__asm__(".text\n"
        ".type regs_round, @function\n"
        "regs_round:\n"
        " push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
        " push %rsi\n push %rdx\n" // out, page
        " lea 2f(%rip), %rax\n mov %rax, (%r8)\n"
        " test %ecx, %ecx\n pushfq\n"
        " mov 8(%rdi), %rbx\n mov 16(%rdi), %rcx\n mov 24(%rdi), %rdx\n mov 32(%rdi), %rsi\n"
        " mov 48(%rdi), %rbp\n mov 56(%rdi), %r8\n mov 64(%rdi), %r9\n mov 72(%rdi), %r10\n mov 80(%rdi), %r11\n"
        " mov 88(%rdi), %r12\n mov 96(%rdi), %r13\n mov 104(%rdi), %r14\n mov 112(%rdi), %r15\n"
        " mov 0(%rdi), %rax\n mov 40(%rdi), %rdi\n"
        " popfq\n jnz 1f\n"
        " syscall\n"
        "2: jmp 3f\n"
        // The page's address is exchanged into rbx, so the touch needs no further register.
        "1: xchg %rbx, (%rsp)\n movb $1, (%rbx)\n xchg %rbx, (%rsp)\n"
        "3: pushfq\n push %rax\n mov 24(%rsp), %rax\n" // out
        " mov %rbx, 8(%rax)\n mov %rcx, 16(%rax)\n mov %rdx, 24(%rax)\n mov %rsi, 32(%rax)\n mov %rdi, 40(%rax)\n"
        " mov %rbp, 48(%rax)\n mov %r8, 56(%rax)\n mov %r9, 64(%rax)\n mov %r10, 72(%rax)\n mov %r11, 80(%rax)\n"
        " mov %r12, 88(%rax)\n mov %r13, 96(%rax)\n mov %r14, 104(%rax)\n mov %r15, 112(%rax)\n"
        " pop %rbx\n mov %rbx, 0(%rax)\n pop %rbx\n mov %rbx, 120(%rax)\n"
        " pop %rdx\n pop %rsi\n pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n ret\n"
        ".size regs_round, . - regs_round\n");

static char *pages;
static int page;

static char *fresh(void)
{
    return pages + page++ * (int)PAGE;
}

static void registers(void)
{
    struct regs in, out;
    uint64_t next;
    int wrong = 0, call_regs = 0;
    for (int i = 0; i < 40; i++) {
        uint64_t *r = (uint64_t *)&in;
        for (int j = 0; j < 15; j++)
            r[j] = 0x0123456789abcdefUL * (uint64_t)(i * 16 + j + 1);
        int fault = i & 1;
        if (!fault)
            in.rax = SYS_getppid;
        regs_round(&in, &out, fresh(), fault, &next);
        if (!fault) {
            wrong += out.rax != (uint64_t)getppid();
            call_regs += out.rcx != next || out.r11 != out.flags;
            in.rax = out.rax;
            in.rcx = out.rcx;
            in.r11 = out.r11;
        }
        wrong += memcmp(&in, &out, offsetof(struct regs, flags)) != 0;
    }
    EQ("registers kept", wrong, 0);
    EQ("rcx and r11 after a call", call_regs, 0);

    // Arguments are kept even by calls that fail and by those that do not exist.
    memset(&in, 0x5a, sizeof in);
    in.rax = 9999;
    regs_round(&in, &out, pages, 0, &next);
    EQ("unknown call", (int64_t)out.rax, -ENOSYS);
    CHECK("arguments kept", out.rdi == in.rdi && out.rsi == in.rsi && out.rdx == in.rdx && out.r10 == in.r10 &&
                                out.r8 == in.r8 && out.r9 == in.r9);
    // Only the low half of rax is the number.
    in.rax = 0x5555555500000000 | SYS_getppid;
    regs_round(&in, &out, pages, 0, &next);
    EQ("upper half of the number", out.rax, getppid());
}

// The 128 bytes below rsp: written, an event, compared.
static int red_zone_round(int fault, char *p)
{
    uint64_t differ;
    long rax = SYS_getppid;
    __asm__ volatile("sub $256, %%rsp\n"
                     "mov $16, %%ecx\n mov %[seed], %%rdx\n lea -128(%%rsp), %%rdi\n"
                     "1: mov %%rdx, (%%rdi)\n add %[seed], %%rdx\n add $8, %%rdi\n dec %%ecx\n jnz 1b\n"
                     "test %[fault], %[fault]\n jnz 2f\n syscall\n jmp 3f\n2: movb $1, (%[page])\n3:\n"
                     "mov $16, %%ecx\n mov %[seed], %%rdx\n lea -128(%%rsp), %%rdi\n xor %%esi, %%esi\n"
                     "4: mov (%%rdi), %%r8\n xor %%rdx, %%r8\n or %%r8, %%rsi\n add %[seed], %%rdx\n add $8, %%rdi\n"
                     "dec %%ecx\n jnz 4b\n"
                     "add $256, %%rsp\n"
                     : "=&S"(differ), "+a"(rax)
                     : [seed] "r"(0x1234567812345679UL), [fault] "r"(fault), [page] "r"(p)
                     : "rcx", "rdx", "rdi", "r8", "r11", "memory", "cc");
    return differ != 0;
}

static uint64_t flags_round(uint64_t set, int fault, char *p)
{
    uint64_t flags;
    long rax = SYS_getppid;
    __asm__ volatile("sub $128, %%rsp\n"
                     "pushfq\n orq %[set], (%%rsp)\n"
                     "test %[fault], %[fault]\n jnz 1f\n"
                     "popfq\n syscall\n pushfq\n jmp 2f\n"
                     "1: popfq\n movb $1, (%[page])\n pushfq\n"
                     "2: mov (%%rsp), %[flags]\n andq $~0x40c00, (%%rsp)\n popfq\n cld\n" // AC, DF, OF
                     "add $128, %%rsp\n"
                     : [flags] "=&r"(flags), "+a"(rax)
                     : [set] "r"(set), [fault] "r"(fault), [page] "r"(p)
                     : "rcx", "r11", "memory", "cc");
    return flags & set;
}

static void flags(void)
{
    static const struct { const char *name; uint64_t bits; } tests[] = {
        {"arithmetic flags", 0x8d5}, {"direction flag", 0x400}, {"alignment check flag", 0x40000}, {"ID flag", 0x200000},
    };
    for (unsigned i = 0; i < sizeof tests / sizeof *tests; i++) {
        int wrong = 0;
        for (int fault = 0; fault < 2; fault++)
            wrong += flags_round(tests[i].bits, fault, fresh()) != tests[i].bits;
        EQ(tests[i].name, wrong, 0);
    }
    uint64_t f;
    __asm__ volatile("sub $128, %%rsp\n pushfq\n pop %0\n add $128, %%rsp" : "=r"(f) : : "cc");
    EQ("interrupts on, IOPL 0, no trap", f & 0x37300, 0x200);
    // What ring 3 may not change it does not change.
    __asm__ volatile("sub $128, %%rsp\n pushfq\n andq $~0x200, (%%rsp)\n orq $0x3000, (%%rsp)\n popfq\n pushfq\n pop %0\n"
                     "add $128, %%rsp" : "=r"(f) : : "cc", "memory");
    EQ("popf cannot change them", f & 0x37300, 0x200);
}

int main(void)
{
    pages = private_pages(256 * PAGE);
    (void)(madvise(pages, 256 * PAGE, MADV_NOHUGEPAGE));
    registers();
    int wrong = 0;
    for (int i = 0; i < 40; i++)
        wrong += red_zone_round(i & 1, fresh());
    EQ("red zone", wrong, 0);
    flags();
    return check_done();
}
