// x87 and SSE state belongs to the program: calls, page faults and time leave it alone.
#include "check.h"
#include "probe.h"
#include <fenv.h>
#include <math.h>
#include <stdint.h>
#include <sys/syscall.h>

static char *fresh_page(void)
{
    static char *area;
    static size_t used;
    if (!area || used == 256 * PAGE) {
        area = private_pages(256 * PAGE);
        NEED(madvise(area, 256 * PAGE, MADV_NOHUGEPAGE) == -1 && errno != EINVAL ? -1 : 0);
        used = 0;
    }
    used += PAGE;
    return area + used - PAGE;
}

static inline void event(int fault)
{
    if (fault)
        *(volatile char *)fresh_page() = 1;
    else
        syscall(SYS_getppid);
}

// All sixteen registers are set, then a call is made or a page touched, then they are read back.
static int sse_round(int fault, uint64_t seed)
{
    _Alignas(16) uint64_t in[32], out[32];
    for (int i = 0; i < 32; i++)
        in[i] = seed * (uint64_t)(i + 1) * 0x9e3779b97f4a7c15;
    char *page = fresh_page();
    long rax = SYS_getppid;
    __asm__ volatile(
        "movaps 0(%[in]), %%xmm0\n movaps 16(%[in]), %%xmm1\n movaps 32(%[in]), %%xmm2\n movaps 48(%[in]), %%xmm3\n"
        "movaps 64(%[in]), %%xmm4\n movaps 80(%[in]), %%xmm5\n movaps 96(%[in]), %%xmm6\n movaps 112(%[in]), %%xmm7\n"
        "movaps 128(%[in]), %%xmm8\n movaps 144(%[in]), %%xmm9\n movaps 160(%[in]), %%xmm10\n"
        "movaps 176(%[in]), %%xmm11\n movaps 192(%[in]), %%xmm12\n movaps 208(%[in]), %%xmm13\n"
        "movaps 224(%[in]), %%xmm14\n movaps 240(%[in]), %%xmm15\n"
        "testl %[fault], %[fault]\n jnz 1f\n syscall\n jmp 2f\n1: movb $1, (%[page])\n2:\n"
        "movaps %%xmm0, 0(%[out])\n movaps %%xmm1, 16(%[out])\n movaps %%xmm2, 32(%[out])\n movaps %%xmm3, 48(%[out])\n"
        "movaps %%xmm4, 64(%[out])\n movaps %%xmm5, 80(%[out])\n movaps %%xmm6, 96(%[out])\n movaps %%xmm7, 112(%[out])\n"
        "movaps %%xmm8, 128(%[out])\n movaps %%xmm9, 144(%[out])\n movaps %%xmm10, 160(%[out])\n"
        "movaps %%xmm11, 176(%[out])\n movaps %%xmm12, 192(%[out])\n movaps %%xmm13, 208(%[out])\n"
        "movaps %%xmm14, 224(%[out])\n movaps %%xmm15, 240(%[out])\n"
        : "+a"(rax)
        : [in] "r"(in), [out] "r"(out), [fault] "r"(fault), [page] "r"(page)
        : "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
          "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
    return memcmp(in, out, sizeof in) != 0;
}

// Eight values on the x87 stack over an event.
static int x87_round(int fault, double seed)
{
    double in[8], out[8];
    for (int i = 0; i < 8; i++)
        in[i] = seed + i * 0.37;
    char *page = fresh_page();
    long rax = SYS_getppid;
    __asm__ volatile("fninit\n"
                     "fldl 0(%[in])\n fldl 8(%[in])\n fldl 16(%[in])\n fldl 24(%[in])\n"
                     "fldl 32(%[in])\n fldl 40(%[in])\n fldl 48(%[in])\n fldl 56(%[in])\n"
                     "testl %[fault], %[fault]\n jnz 1f\n syscall\n jmp 2f\n1: movb $1, (%[page])\n2:\n"
                     "fstpl 56(%[out])\n fstpl 48(%[out])\n fstpl 40(%[out])\n fstpl 32(%[out])\n"
                     "fstpl 24(%[out])\n fstpl 16(%[out])\n fstpl 8(%[out])\n fstpl 0(%[out])\n"
                     : "+a"(rax)
                     : [in] "r"(in), [out] "r"(out), [fault] "r"(fault), [page] "r"(page)
                     : "rcx", "r11", "memory", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)");
    return memcmp(in, out, sizeof in) != 0;
}

static void initial_state(void)
{
    unsigned mxcsr;
    unsigned short cw;
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(cw));
    EQ("MXCSR at start", mxcsr & 0xffc0, 0x1f80);
    EQ("x87 control word at start", cw, 0x37f);
}

static void control_words(void)
{
    unsigned mxcsr, want = 0x1f80 | 0x6000 | 0x8000; // round to zero, flush to zero
    unsigned short cw, cw_want = 0x37f & ~0x300; // single precision
    __asm__ volatile("ldmxcsr %0" : : "m"(want));
    __asm__ volatile("fldcw %0" : : "m"(cw_want));
    int wrong = 0;
    for (int i = 0; i < 20; i++) {
        event(i & 1);
        __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
        __asm__ volatile("fnstcw %0" : "=m"(cw));
        wrong += (mxcsr & ~0x3fU) != want || cw != cw_want;
    }
    want = 0x1f80;
    cw_want = 0x37f;
    __asm__ volatile("ldmxcsr %0" : : "m"(want));
    __asm__ volatile("fldcw %0" : : "m"(cw_want));
    EQ("control words survive", wrong, 0);

    // Sticky exception flags survive as well.
    feclearexcept(FE_ALL_EXCEPT);
    volatile double zero = 0, huge = 1e308, x;
    x = 1 / zero;
    x = huge * huge;
    event(0);
    event(1);
    EQ("exception flags survive", fetestexcept(FE_DIVBYZERO | FE_OVERFLOW | FE_INVALID), FE_DIVBYZERO | FE_OVERFLOW);
    CHECK("infinite", isinf(x));
    feclearexcept(FE_ALL_EXCEPT);

    static const int modes[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO, FE_TONEAREST};
    static const double third[] = {0x1.5555555555556p-2, 0x1.5555555555555p-2, 0x1.5555555555555p-2, 0x1.5555555555555p-2};
    volatile double one = 1, three = 3;
    for (int i = 0; i < 4; i++) {
        fesetround(modes[i]);
        event(i & 1);
        wrong += one / three != third[i] || fegetround() != modes[i];
    }
    EQ("rounding modes survive", wrong, 0);
}

// A sum that leans on every step: the same bits at the end as without interruptions.
static double series(int interrupted)
{
    double sum = 0;
    for (int i = 1; i <= 300; i++) {
        sum += sin(i) / i + 1.0 / ((double)i * i);
        if (interrupted)
            event(i % 7 == 0);
    }
    return sum;
}

int main(void)
{
    initial_state();
    int wrong = 0;
    for (int i = 0; i < 50; i++)
        wrong += sse_round(i & 1, (uint64_t)i + 3);
    EQ("sixteen SSE registers", wrong, 0);
    for (int i = 0; i < 50; i++)
        wrong += x87_round(i & 1, i * 1.25);
    EQ("eight x87 registers", wrong, 0);
    control_words();
    CHECK("series", series(0) == series(1));
    printf("pi is %.17g, e is %.17g, and with 80 bits %.20Lg\n", acos(-1), exp(1), 4 * atanl(1.0L));
    return check_done();
}
