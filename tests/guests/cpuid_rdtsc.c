// The processor as a program sees it: CPUID, the time stamp counter, and that the instructions it promises work.
#include "check.h"
#include <cpuid.h>
#include <stdint.h>
#include <unistd.h>

static uint64_t rdtsc(void)
{
    uint32_t lo, hi;
    __asm__ volatile("lfence\n rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}

static const char *cpuinfo(const char *key)
{
    static char line[8192];
    FILE *f = fopen("/proc/cpuinfo", "r");
    const char *found = "";
    while (f && !*found && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        if (colon && strncmp(line, key, strlen(key)) == 0) {
            line[strcspn(line, "\n")] = 0;
            found = colon + 2;
        }
    }
    if (f)
        fclose(f);
    return found;
}

static __attribute__((target("popcnt"))) int popcount(unsigned v) { return __builtin_popcount(v); }
static __attribute__((target("sse4.2"))) unsigned crc(unsigned v) { return __builtin_ia32_crc32si(~0U, v); }
static __attribute__((target("bmi"))) int trailing(unsigned v) { return (int)__builtin_ia32_tzcnt_u32(v); }
static __attribute__((target("bmi2"))) uint64_t deposit(uint64_t v, uint64_t m) { return __builtin_ia32_pdep_di(v, m); }

static int random_works(int seed)
{
    unsigned long v;
    unsigned char ok = 0;
    for (int i = 0; i < 1000 && !ok; i++) {
        if (seed)
            __asm__ volatile("rdseed %0\n setc %1" : "=r"(v), "=qm"(ok) : : "cc");
        else
            __asm__ volatile("rdrand %0\n setc %1" : "=r"(v), "=qm"(ok) : : "cc");
    }
    return ok;
}

static int cas16(void)
{
    _Alignas(16) uint64_t m[2] = {1, 2};
    unsigned char ok;
    __asm__ volatile("lock cmpxchg16b %1\n setz %0" : "=q"(ok), "+m"(m) : "a"(1UL), "d"(2UL), "b"(3UL), "c"(4UL) : "cc");
    return ok && m[0] == 3 && m[1] == 4;
}

int main(void)
{
    unsigned a, b, c, d, max;
    char vendor[13] = {0};
    __cpuid(0, max, b, c, d);
    memcpy(vendor, &b, 4);
    memcpy(vendor + 4, &d, 4);
    memcpy(vendor + 8, &c, 4);
    printf("vendor %s\n", vendor);
    STR("as the system says", cpuinfo("vendor_id"), vendor);
    CHECK("leaves", max >= 1);
    __cpuid(1, a, b, c, d);
    unsigned family = (a >> 8 & 15) == 15 ? (a >> 8 & 15) + (a >> 20 & 255) : a >> 8 & 15;
    EQ("family as the system says", family, atoi(cpuinfo("cpu family")));
    CHECK("FPU, TSC, CX8, CMOV, FXSR, SSE, SSE2", (d & 0x07008111) == 0x07008111);
    unsigned c1 = c, b7 = 0;
    if (max >= 7) {
        __cpuid_count(7, 0, a, b, c, d);
        b7 = b;
    }
    unsigned brand[12];
    for (unsigned i = 0; i < 3; i++)
        __cpuid(0x80000002 + i, brand[i * 4], brand[i * 4 + 1], brand[i * 4 + 2], brand[i * 4 + 3]);
    char text[49] = {0};
    memcpy(text, brand, 48);
    CHECK("brand string", strlen(text) > 3);
    __cpuid(0x80000008, a, b, c, d);
    CHECK("address widths", (a & 255) >= 36 && (a >> 8 & 255) >= 48);
    __cpuid(0x80000001, a, b, c, d);
    EQ("long mode, NX, syscall", d & 0x20100800, 0x20100800);
    unsigned d81 = d;

    uint64_t last = rdtsc();
    int back = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t now = rdtsc();
        back += now < last;
        last = now;
    }
    EQ("the counter never goes back", back, 0);
    usleep(1000);
    CHECK("and goes on while one sleeps", rdtsc() - last > 100000);
    if (d81 >> 27 & 1) {
        uint32_t lo, hi, aux;
        __asm__ volatile("rdtscp" : "=a"(lo), "=d"(hi), "=c"(aux));
        CHECK("rdtscp", ((uint64_t)hi << 32 | lo) >= last && (aux & 0xfff) < (unsigned)sysconf(_SC_NPROCESSORS_CONF));
    } else {
        SKIP("rdtscp", "not in this CPU");
    }

    // What CPUID promises can be used.
    if (c1 >> 27 & 1) {
        uint32_t lo, hi;
        __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
        EQ("xgetbv", lo & 3, 3);
    }
    if (c1 >> 13 & 1)
        CHECK("cmpxchg16b", cas16());
    if (c1 >> 23 & 1)
        EQ("popcnt", popcount(0xf0f0), 8);
    if (c1 >> 20 & 1)
        CHECK("crc32", crc(0x12345678) != 0 && crc(1) != crc(2));
    if (b7 >> 3 & 1)
        EQ("tzcnt", trailing(0x100), 8);
    if (b7 >> 8 & 1)
        EQ("pdep", deposit(0xf, 0x1111), 0x1111);
    if (c1 >> 30 & 1)
        CHECK("rdrand", random_works(0));
    if (b7 >> 18 & 1)
        CHECK("rdseed", random_works(1));
    return check_done();
}
