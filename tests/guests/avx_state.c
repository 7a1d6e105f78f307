// AVX and AVX-512 registers, where the CPU has them, over calls and page faults; and that CPUID and XCR0 agree on them.
#include "check.h"
#include "probe.h"
#include <cpuid.h>
#include <stdint.h>
#include <sys/syscall.h>

static char *pages;

static uint64_t xcr0(void)
{
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return (uint64_t)hi << 32 | lo;
}

static void fill(uint64_t *at, int n, uint64_t seed)
{
    for (int i = 0; i < n; i++)
        at[i] = (seed + (uint64_t)i) * 0x9e3779b97f4a7c15;
}

#define EVENT "testl %[fault], %[fault]\n jnz 1f\n syscall\n jmp 2f\n1: movb $1, (%[page])\n2:\n"

static __attribute__((target("avx"))) int ymm_round(int fault, char *page, uint64_t seed)
{
    _Alignas(32) uint64_t in[64], out[64];
    fill(in, 64, seed);
    memset(out, 0, sizeof out);
    long rax = SYS_getppid;
#define L(n, at) "vmovaps " #at "(%[in]), %%ymm" #n "\n"
#define S(n, at) "vmovaps %%ymm" #n ", " #at "(%[out])\n"
#define ALL(X) X(0, 0) X(1, 32) X(2, 64) X(3, 96) X(4, 128) X(5, 160) X(6, 192) X(7, 224) X(8, 256) X(9, 288) \
    X(10, 320) X(11, 352) X(12, 384) X(13, 416) X(14, 448) X(15, 480)
    __asm__ volatile(ALL(L) EVENT ALL(S) "vzeroupper\n"
                     : "+a"(rax)
                     : [in] "r"(in), [out] "r"(out), [fault] "r"(fault), [page] "r"(page)
                     : "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
#undef L
#undef S
#undef ALL
    return memcmp(in, out, sizeof in) != 0;
}

static __attribute__((target("avx512f"))) int zmm_round(int fault, char *page, uint64_t seed)
{
    _Alignas(64) uint64_t in[256], out[256];
    uint16_t k_in[7], k_out[7];
    fill(in, 256, seed);
    for (int i = 0; i < 7; i++)
        k_in[i] = (uint16_t)(seed * 7919 + (uint64_t)i * 12345);
    memset(out, 0, sizeof out);
    long rax = SYS_getppid;
#define L(n, at) "vmovaps " #at "(%[in]), %%zmm" #n "\n"
#define S(n, at) "vmovaps %%zmm" #n ", " #at "(%[out])\n"
#define ALL(X) X(0, 0) X(1, 64) X(2, 128) X(3, 192) X(4, 256) X(5, 320) X(6, 384) X(7, 448) X(8, 512) X(9, 576) \
    X(10, 640) X(11, 704) X(12, 768) X(13, 832) X(14, 896) X(15, 960) X(16, 1024) X(17, 1088) X(18, 1152) X(19, 1216) \
    X(20, 1280) X(21, 1344) X(22, 1408) X(23, 1472) X(24, 1536) X(25, 1600) X(26, 1664) X(27, 1728) X(28, 1792) \
    X(29, 1856) X(30, 1920) X(31, 1984)
#define KL(n, at) "kmovw " #at "(%[kin]), %%k" #n "\n"
#define KS(n, at) "kmovw %%k" #n ", " #at "(%[kout])\n"
#define KALL(X) X(1, 0) X(2, 2) X(3, 4) X(4, 6) X(5, 8) X(6, 10) X(7, 12)
    __asm__ volatile(ALL(L) KALL(KL) EVENT ALL(S) KALL(KS) "vzeroupper\n"
                     : "+a"(rax)
                     : [in] "r"(in), [out] "r"(out), [kin] "r"(k_in), [kout] "r"(k_out), [fault] "r"(fault),
                       [page] "r"(page)
                     : "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17", "xmm18", "xmm19",
                       "xmm20", "xmm21", "xmm22", "xmm23", "xmm24", "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30",
                       "xmm31", "k1", "k2", "k3", "k4", "k5", "k6", "k7");
    return memcmp(in, out, sizeof in) != 0 || memcmp(k_in, k_out, sizeof k_in) != 0;
}

// Sums in the widest registers, as a compiler makes them.
static __attribute__((target("avx2,fma"), optimize("O3"))) float dot(const float *a, const float *b, int n)
{
    float sums[8] = {0};
    for (int i = 0; i < n; i += 8)
        for (int j = 0; j < 8; j++)
            sums[j] += a[i + j] * b[i + j];
    float sum = 0;
    for (int j = 0; j < 8; j++)
        sum += sums[j];
    return sum;
}

int main(void)
{
    unsigned a, b, c, d, leaf7_b = 0, leaf7_d = 0;
    __cpuid(1, a, b, c, d);
    int avx = (c >> 28) & 1, fma = (c >> 12) & 1, osxsave = (c >> 27) & 1;
    if (__get_cpuid_max(0, NULL) >= 7)
        __cpuid_count(7, 0, a, leaf7_b, c, leaf7_d);
    int avx2 = leaf7_b >> 5 & 1, avx512f = leaf7_b >> 16 & 1, amx = leaf7_d >> 24 & 1;
    if (!osxsave) {
        SKIP("all", "no XSAVE");
        return check_done();
    }
    uint64_t x = xcr0();
    EQ("x87 and SSE in XCR0", x & 3, 3);
    EQ("AVX as in XCR0", avx, x >> 2 & 1);
    EQ("AVX-512 as in XCR0", avx512f ? 7 : 0, x >> 5 & 7);
    EQ("AMX as in XCR0", amx ? 3 : 0, x >> 17 & 3);
    __cpuid_count(0xd, 0, a, b, c, d);
    EQ("XCR0 within what CPUID knows", x & ~((uint64_t)d << 32 | a), 0);
    CHECK("state size", b >= 576 + (avx ? 256 : 0) && b <= c);

    pages = private_pages(256 * PAGE);
    int wrong = 0, page = 0;
    if (avx) {
        for (int i = 0; i < 50; i++)
            wrong += ymm_round(i & 1, pages + page++ * (int)PAGE, (uint64_t)i + 1);
        EQ("sixteen AVX registers", wrong, 0);
    } else {
        SKIP("AVX", "not in this CPU");
    }
    if (avx2 && fma) {
        static float p[1024], q[1024];
        int want = 0;
        for (int i = 0; i < 1024; i++) {
            p[i] = (float)(i % 17);
            q[i] = (float)(i % 13);
            want += i % 17 * (i % 13);
        }
        EQ("AVX2 arithmetic", dot(p, q, 1024), want);
    } else {
        SKIP("AVX2", "not in this CPU");
    }
    if (avx512f) {
        for (int i = 0; i < 50; i++)
            wrong += zmm_round(i & 1, pages + page++ * (int)PAGE, (uint64_t)i + 1);
        EQ("thirty-two AVX-512 registers and masks", wrong, 0);
    } else {
        SKIP("AVX-512", "not in this CPU");
    }
    return check_done();
}
