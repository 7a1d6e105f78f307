// Exceptions of the processor, and instructions that ring 3 may not use.
// km-test-case: divide_by_zero args=divide_by_zero signal=SIGFPE
// km-test-case: divide_overflow args=divide_overflow signal=SIGFPE
// km-test-case: x87_exception args=x87_exception signal=SIGFPE
// km-test-case: sse_exception args=sse_exception signal=SIGFPE hosts=native,kvm
// km-test-case: ud2 args=ud2 signal=SIGILL
// km-test-case: bad_opcode args=bad_opcode signal=SIGILL
// km-test-case: bad_lock args=bad_lock signal=SIGILL hosts=native,kvm
// km-test-case: misaligned_sse args=misaligned_sse signal=SIGSEGV
// km-test-case: alignment_check args=alignment_check signal=SIGBUS hosts=native,kvm
// km-test-case: int3 args=int3 signal=SIGTRAP
// km-test-case: int3_long args=int3_long signal=SIGTRAP
// km-test-case: icebp args=icebp signal=SIGTRAP hosts=native,kvm
// km-test-case: single_step args=single_step signal=SIGTRAP
// km-test-case: int4 args=int4 signal=SIGSEGV
// km-test-case: int_0x81 args=int_0x81 signal=SIGSEGV
// km-test-case: int_0x20 args=int_0x20 signal=SIGSEGV
// km-test-case: int_14 args=int_14 signal=SIGSEGV
// km-test-case: hlt args=hlt signal=SIGSEGV
// km-test-case: cli args=cli signal=SIGSEGV
// km-test-case: sti args=sti signal=SIGSEGV
// km-test-case: in_0x60 args=in_0x60 signal=SIGSEGV
// km-test-case: in_0xc0 args=in_0xc0 signal=SIGSEGV
// km-test-case: in_16 args=in_16 signal=SIGSEGV
// km-test-case: in_32_high args=in_32_high signal=SIGSEGV
// km-test-case: out_0x3f8 args=out_0x3f8 signal=SIGSEGV
// km-test-case: out_16 args=out_16 signal=SIGSEGV
// km-test-case: out_32 args=out_32 signal=SIGSEGV
// km-test-case: outs args=outs signal=SIGSEGV
// km-test-case: ins args=ins signal=SIGSEGV
// km-test-case: rdmsr args=rdmsr signal=SIGSEGV
// km-test-case: wrmsr args=wrmsr signal=SIGSEGV
// km-test-case: mov_from_cr0 args=mov_from_cr0 signal=SIGSEGV
// km-test-case: mov_to_cr3 args=mov_to_cr3 signal=SIGSEGV
// km-test-case: mov_to_cr4 args=mov_to_cr4 signal=SIGSEGV
// km-test-case: mov_to_dr7 args=mov_to_dr7 signal=SIGSEGV
// km-test-case: lgdt args=lgdt signal=SIGSEGV
// km-test-case: lidt args=lidt signal=SIGSEGV
// km-test-case: ltr args=ltr signal=SIGSEGV
// km-test-case: swapgs args=swapgs signal=SIGSEGV
// km-test-case: sysret args=sysret signal=SIGSEGV
// km-test-case: invlpg args=invlpg signal=SIGSEGV
// km-test-case: wbinvd args=wbinvd signal=SIGSEGV
// km-test-case: clts args=clts signal=SIGSEGV
// km-test-case: xsetbv args=xsetbv signal=SIGSEGV
// km-test-case: load_kernel_selector args=load_kernel_selector signal=SIGSEGV
// km-test-case: load_bad_selector args=load_bad_selector signal=SIGSEGV
// km-test-case: far_call_kernel args=far_call_kernel signal=SIGSEGV
// km-test-case: mxcsr_reserved args=mxcsr_reserved signal=SIGSEGV hosts=native,kvm
//
// Cases without the host `svm` are those QEMU's processor emulation does not have.
#include "fault.h"
#include <stdint.h>

static _Alignas(64) char area[256];

static void divide_by_zero(void)
{
    __asm__ volatile("xor %%edx, %%edx\n xor %%ecx, %%ecx\n mov $1, %%eax\n div %%ecx" : : : "eax", "ecx", "edx", "cc");
}

static void divide_overflow(void)
{
    __asm__ volatile("mov $0x80000000, %%eax\n cdq\n mov $-1, %%ecx\n idiv %%ecx" : : : "eax", "ecx", "edx", "cc");
}

// Unmasked, the exception comes with the next waiting instruction.
static void x87_exception(void)
{
    unsigned short cw = 0x37f & ~4; // zero divide
    __asm__ volatile("fldcw %0\n fld1\n fldz\n fdivrp %%st, %%st(1)\n fwait" : : "m"(cw));
}

static void sse_exception(void)
{
    unsigned mxcsr = 0x1f80 & ~0x200; // zero divide
    double one = 1, zero = 0;
    __asm__ volatile("ldmxcsr %0\n movsd %1, %%xmm0\n divsd %2, %%xmm0" : : "m"(mxcsr), "m"(one), "m"(zero) : "xmm0");
}

static void mxcsr_reserved(void)
{
    unsigned mxcsr = 0x80000000;
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
}

static void ud2(void) { __asm__ volatile("ud2"); }
static void bad_opcode(void) { __asm__ volatile(".byte 0x06"); } // push %es
static void bad_lock(void) { __asm__ volatile(".byte 0xf0, 0x89, 0xc0"); } // lock mov %eax, %eax
static void misaligned_sse(void) { __asm__ volatile("movaps %0, %%xmm0" : : "m"(area[8]) : "xmm0"); }

static void alignment_check(void)
{
    __asm__ volatile("sub $128, %%rsp\n pushfq\n orq $0x40000, (%%rsp)\n popfq\n mov (%0), %%eax\n"
                     : : "r"(area + 1) : "eax", "memory", "cc");
}

static void int3(void) { __asm__ volatile("int3"); }
static void int3_long(void) { __asm__ volatile(".byte 0xcd, 0x03"); }
static void icebp(void) { __asm__ volatile(".byte 0xf1"); }

static void single_step(void)
{
    __asm__ volatile("sub $128, %%rsp\n pushfq\n orq $0x100, (%%rsp)\n popfq\n nop\n nop\n add $128, %%rsp"
                     : : : "memory", "cc");
}

static void int4(void) { __asm__ volatile("int $4"); }
static void int_0x81(void) { __asm__ volatile("int $0x81"); }
static void int_0x20(void) { __asm__ volatile("int $0x20"); }
static void int_14(void) { __asm__ volatile("int $14"); }
static void hlt(void) { __asm__ volatile("hlt"); }
static void cli(void) { __asm__ volatile("cli"); }
static void sti(void) { __asm__ volatile("sti"); }
static void in_0x60(void) { __asm__ volatile("inb $0x60, %%al" : : : "eax"); }
static void in_0xc0(void) { __asm__ volatile("inb $0xc0, %%al" : : : "eax"); }
static void in_16(void) { __asm__ volatile("inw %%dx, %%ax" : : "d"(0x3f8) : "eax"); }
static void in_32_high(void) { __asm__ volatile("inl %%dx, %%eax" : : "d"(0xfffc) : "eax"); }
static void out_0x3f8(void) { __asm__ volatile("outb %%al, %%dx" : : "a"('x'), "d"(0x3f8)); }
static void out_16(void) { __asm__ volatile("outw %%ax, %%dx" : : "a"(0), "d"(0x70)); }
static void out_32(void) { __asm__ volatile("outl %%eax, %%dx" : : "a"(0), "d"(0xcf8)); }
static void outs(void) { __asm__ volatile("outsb" : : "S"(area), "d"(0x3f8)); }
static void ins(void) { __asm__ volatile("insb" : : "D"(area), "d"(0x60)); }
static void rdmsr(void) { __asm__ volatile("rdmsr" : : "c"(0xc0000080) : "eax", "edx"); }
static void wrmsr(void) { __asm__ volatile("wrmsr" : : "c"(0xc0000082), "a"(0), "d"(0)); }
static void mov_from_cr0(void) { __asm__ volatile("mov %%cr0, %%rax" : : : "rax"); }
static void mov_to_cr3(void) { __asm__ volatile("mov %0, %%cr3" : : "r"(0UL)); }
static void mov_to_cr4(void) { __asm__ volatile("mov %0, %%cr4" : : "r"(0UL)); }
static void mov_to_dr7(void) { __asm__ volatile("mov %0, %%dr7" : : "r"(0UL)); }
static void lgdt(void) { __asm__ volatile("lgdt %0" : : "m"(area)); }
static void lidt(void) { __asm__ volatile("lidt %0" : : "m"(area)); }
static void ltr(void) { __asm__ volatile("ltr %%ax" : : "a"(0x40)); }
static void swapgs(void) { __asm__ volatile("swapgs"); }
static void sysret(void) { __asm__ volatile("sysretq" : : "c"(0x1000UL) : "r11"); }
static void invlpg(void) { __asm__ volatile("invlpg %0" : : "m"(area)); }
static void wbinvd(void) { __asm__ volatile("wbinvd"); }
static void clts(void) { __asm__ volatile("clts"); }
static void xsetbv(void) { __asm__ volatile("xsetbv" : : "c"(0), "a"(3), "d"(0)); }
static void load_kernel_selector(void) { __asm__ volatile("mov %0, %%ss" : : "r"(0x18)); }
static void load_bad_selector(void) { __asm__ volatile("mov %0, %%ds" : : "r"(0xfff8)); }

static void far_call_kernel(void)
{
    struct { uint32_t offset; uint16_t selector; } __attribute__((packed)) target = {0x1000, 0x10};
    __asm__ volatile("lcall *%0" : : "m"(target));
}

static const struct fault faults[] = {
    FAULT(divide_by_zero), FAULT(divide_overflow), FAULT(x87_exception), FAULT(sse_exception), FAULT(ud2),
    FAULT(bad_opcode), FAULT(bad_lock), FAULT(misaligned_sse), FAULT(alignment_check), FAULT(int3), FAULT(int3_long),
    FAULT(icebp), FAULT(single_step), FAULT(int4), FAULT(int_0x81), FAULT(int_0x20), FAULT(int_14), FAULT(hlt),
    FAULT(cli), FAULT(sti), FAULT(in_0x60), FAULT(in_0xc0), FAULT(in_16), FAULT(in_32_high), FAULT(out_0x3f8), FAULT(out_16),
    FAULT(out_32), FAULT(outs), FAULT(ins), FAULT(rdmsr), FAULT(wrmsr), FAULT(mov_from_cr0), FAULT(mov_to_cr3),
    FAULT(mov_to_cr4), FAULT(mov_to_dr7), FAULT(lgdt), FAULT(lidt), FAULT(ltr), FAULT(swapgs), FAULT(sysret),
    FAULT(invlpg), FAULT(wbinvd), FAULT(clts), FAULT(xsetbv), FAULT(load_kernel_selector), FAULT(load_bad_selector),
    FAULT(far_call_kernel), FAULT(mxcsr_reserved),
};

int main(int argc, char **argv)
{
    return run_fault(faults, sizeof faults / sizeof *faults, argc, argv);
}
