// The bases of FS and GS, by call and by instruction, and the segment registers.
#include "check.h"
#include <asm/prctl.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static uint64_t area[16] = {0x1111, 0x2222, 0x3333, 0x4444, 0x5555};
static __thread uint64_t thread_value = 0x7777;

static uint64_t gs_at_8(void)
{
    uint64_t v;
    __asm__ volatile("movq %%gs:8, %0" : "=r"(v));
    return v;
}

static uint64_t get(int code)
{
    uint64_t v = 0;
    return syscall(SYS_arch_prctl, code, &v) == 0 ? v : 0;
}

static void by_call(void)
{
    EQ("GS base at start", get(ARCH_GET_GS), 0);
    uint64_t self;
    __asm__ volatile("movq %%fs:0, %0" : "=r"(self));
    EQ("FS base is the thread's own", get(ARCH_GET_FS), self);
    OK("set GS", syscall(SYS_arch_prctl, ARCH_SET_GS, area));
    EQ("get GS", get(ARCH_GET_GS), (uintptr_t)area);
    EQ("through GS", gs_at_8(), 0x2222);
    __asm__ volatile("movq %0, %%gs:16" : : "r"(0x9999UL) : "memory");
    EQ("written through GS", area[2], 0x9999);
    for (int i = 0; i < 10; i++)
        syscall(SYS_getppid);
    EQ("after calls", gs_at_8(), 0x2222);
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *page = 1;
    EQ("after a page fault", gs_at_8(), 0x2222);
    OK("set GS elsewhere", syscall(SYS_arch_prctl, ARCH_SET_GS, area + 1));
    EQ("through it", gs_at_8(), 0x9999);
    ERR("kernel address in GS", syscall(SYS_arch_prctl, ARCH_SET_GS, 0xffff888000000000), EPERM);
    ERR("kernel address in FS", syscall(SYS_arch_prctl, ARCH_SET_FS, 0xffff888000000000), EPERM);
    ERR("non-canonical address", syscall(SYS_arch_prctl, ARCH_SET_GS, 0x1234567800000000), EPERM);
    EQ("unchanged", gs_at_8(), 0x9999);
    ERR("bad pointer", syscall(SYS_arch_prctl, ARCH_GET_GS, 8), EFAULT);
    ERR("unknown code", syscall(SYS_arch_prctl, 0x9999, 0), EINVAL);
    OK("GS zero", syscall(SYS_arch_prctl, ARCH_SET_GS, 0));
    EQ("zero", get(ARCH_GET_GS), 0);

    // FS changed and put back between two calls, with nothing of the library's in between.
    uint64_t saved = get(ARCH_GET_FS), fs_at_8, fake = (uintptr_t)area;
    long r1, r2;
    __asm__ volatile("syscall\n"
                     "movq %%rax, %[r1]\n"
                     "movq %%fs:8, %[value]\n"
                     "movl %[nr], %%eax\n movl %[set], %%edi\n movq %[saved], %%rsi\n"
                     "syscall\n"
                     : [r1] "=&r"(r1), [value] "=&r"(fs_at_8), "=a"(r2), "+S"(fake)
                     : "2"((long)SYS_arch_prctl), "D"((long)ARCH_SET_FS), [saved] "r"(saved), [nr] "i"(SYS_arch_prctl),
                       [set] "i"(ARCH_SET_FS)
                     : "rcx", "r11", "memory");
    EQ("set FS", r1, 0);
    EQ("through FS", fs_at_8, 0x2222);
    EQ("set it back", r2, 0);
    EQ("thread storage as before", thread_value, 0x7777);
}

static __attribute__((target("fsgsbase"))) void by_instruction(void)
{
    uint64_t v, saved;
    __asm__ volatile("rdfsbase %0" : "=r"(saved));
    EQ("rdfsbase", saved, get(ARCH_GET_FS));
    __asm__ volatile("wrgsbase %0" : : "r"(area));
    __asm__ volatile("rdgsbase %0" : "=r"(v));
    EQ("rdgsbase", v, (uintptr_t)area);
    EQ("through GS", gs_at_8(), 0x2222);
    EQ("the kernel knows", get(ARCH_GET_GS), (uintptr_t)area);
    for (int i = 0; i < 10; i++)
        syscall(SYS_getppid);
    EQ("after calls", gs_at_8(), 0x2222);
    // FS by instruction, and a call while it is changed.
    uint64_t fs_at_8;
    long r = SYS_getppid;
    __asm__ volatile("wrfsbase %[fake]\n syscall\n movq %%fs:8, %[value]\n wrfsbase %[saved]\n"
                     : [value] "=&r"(fs_at_8), "+a"(r)
                     : [fake] "r"(area), [saved] "r"(saved)
                     : "rcx", "r11", "memory");
    EQ("FS by instruction survives a call", fs_at_8, 0x2222);
    EQ("the call was made", r, getppid());
    EQ("thread storage as before", thread_value, 0x7777);
    // Any canonical address may be set: it is only not to be used.
    __asm__ volatile("wrgsbase %0" : : "r"(0xffff888000000000));
    syscall(SYS_getppid);
    __asm__ volatile("rdgsbase %0" : "=r"(v));
    EQ("kernel address by instruction", v, (long long)0xffff888000000000);
    __asm__ volatile("wrgsbase %0" : : "r"(0UL));
}

static void selectors(void)
{
    uint16_t cs, ss, ds, es, fs, gs;
    __asm__ volatile("mov %%cs, %0\n mov %%ss, %1\n mov %%ds, %2\n mov %%es, %3\n mov %%fs, %4\n mov %%gs, %5\n"
                     : "=r"(cs), "=r"(ss), "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs));
    EQ("CS", cs, 0x33);
    EQ("SS", ss, 0x2b);
    EQ("DS, ES, FS, GS", ds | es | fs | gs, 0);
    __asm__ volatile("mov %0, %%ds\n mov %0, %%es\n" : : "r"(0x2b));
    syscall(SYS_getppid);
    __asm__ volatile("mov %%ds, %0\n mov %%es, %1\n" : "=r"(ds), "=r"(es));
    EQ("DS loaded", ds, 0x2b);
    EQ("ES loaded", es, 0x2b);
    __asm__ volatile("mov %0, %%ds\n mov %0, %%es\n" : : "r"(0));
}

int main(void)
{
    by_call();
    if (getauxval(AT_HWCAP2) & 2)
        by_instruction();
    else
        SKIP("instructions", "no FSGSBASE");
    selectors();
    return check_done();
}
