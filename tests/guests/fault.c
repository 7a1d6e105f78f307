// Faults of a program without handlers: it dies of the right signal, with its output so far intact.
// km-test-case: null_read args=null_read signal=SIGSEGV
// km-test-case: null_write args=null_write signal=SIGSEGV
// km-test-case: null_call args=null_call signal=SIGSEGV
// km-test-case: wild_read args=wild_read signal=SIGSEGV
// km-test-case: kernel_read args=kernel_read signal=SIGSEGV
// km-test-case: noncanonical_read args=noncanonical_read signal=SIGSEGV
// km-test-case: noncanonical_jump args=noncanonical_jump signal=SIGSEGV
// km-test-case: beyond_user_read args=beyond_user_read signal=SIGSEGV
// km-test-case: beyond_user_jump args=beyond_user_jump signal=SIGSEGV
// km-test-case: jump_to_data args=jump_to_data signal=SIGSEGV
// km-test-case: jump_to_heap args=jump_to_heap signal=SIGSEGV
// km-test-case: jump_to_stack args=jump_to_stack signal=SIGSEGV
// km-test-case: write_to_text args=write_to_text signal=SIGSEGV
// km-test-case: write_to_rodata args=write_to_rodata signal=SIGSEGV
// km-test-case: read_closed args=read_closed signal=SIGSEGV
// km-test-case: write_readonly args=write_readonly signal=SIGSEGV
// km-test-case: read_unmapped args=read_unmapped signal=SIGSEGV
// km-test-case: run_after_nx args=run_after_nx signal=SIGSEGV
// km-test-case: write_after_ro args=write_after_ro signal=SIGSEGV
// km-test-case: stack_overflow args=stack_overflow signal=SIGSEGV
// km-test-case: stack_far_below args=stack_far_below signal=SIGSEGV
// km-test-case: rsp_zero args=rsp_zero signal=SIGSEGV
// km-test-case: rsp_noncanonical args=rsp_noncanonical signal=SIGBUS hosts=native,kvm
// km-test-case: rsp_readonly args=rsp_readonly signal=SIGSEGV
// km-test-case: brk_shrunk args=brk_shrunk signal=SIGSEGV
// km-test-case: vsyscall_write args=vsyscall_write signal=SIGSEGV
// km-test-case: vdso_write args=vdso_write signal=SIGSEGV
// km-test-case: eof_read args=eof_read signal=SIGBUS
// km-test-case: eof_write args=eof_write signal=SIGBUS
// km-test-case: eof_private args=eof_private signal=SIGBUS
// km-test-case: eof_truncated args=eof_truncated signal=SIGBUS
// km-test-case: eof_run args=eof_run signal=SIGBUS
// km-test-case: gs_base_null args=gs_base_null signal=SIGSEGV
// km-test-case: last_instruction args=last_instruction signal=SIGSEGV
//
// (rsp_noncanonical: QEMU's processor emulation gives #GP where a processor gives #SS.)
#include "check.h"
#include "fault.h"
#include "probe.h"
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

static const char constant[64] = "constant";
static unsigned char data_code[16] = {0xc3}; // ret

static __attribute__((noinline, noclone)) void read_at(uintptr_t at) { (void)*(volatile char *)at; }
static __attribute__((noinline, noclone)) void write_at(uintptr_t at) { *(volatile char *)at = 1; }
static void jump_to(uintptr_t at) { __asm__ volatile("call *%0" : : "r"(at) : "memory"); }

static void null_read(void) { read_at(0); }
static void null_write(void) { write_at(0); }
static void null_call(void) { jump_to(0); }
static void wild_read(void) { read_at(0x123456789000 & ~0xfffUL); }
static void kernel_read(void) { read_at(0xffff888000000000); }
static void noncanonical_read(void) { read_at(0x4141414141414141); }
static void noncanonical_jump(void) { jump_to(0x4141414141414141); }
static void beyond_user_read(void) { read_at(0x7ffffffff000); }
static void beyond_user_jump(void) { jump_to(0x800000000000); }
static void jump_to_data(void) { jump_to((uintptr_t)data_code); }
static void write_to_text(void) { write_at((uintptr_t)write_at); }
static void write_to_rodata(void) { write_at((uintptr_t)constant); }
static void vdso_write(void) { write_at(getauxval(AT_SYSINFO_EHDR)); }
static void vsyscall_write(void) { write_at(0xffffffffff600000); }
static void gs_base_null(void) { __asm__ volatile("movq %%gs:16, %%rax" : : : "rax"); }

static char *pages(int prot)
{
    char *p = private_pages(4 * PAGE);
    memset(p, 0xc3, 4 * PAGE); // ret
    NEED(mprotect(p, 4 * PAGE, prot));
    return p;
}

static void jump_to_heap(void)
{
    unsigned char *p = malloc(64);
    p[0] = 0xc3;
    jump_to((uintptr_t)p);
}

static void jump_to_stack(void)
{
    volatile unsigned char code[16] = {0xc3};
    jump_to((uintptr_t)code);
}

static void read_closed(void) { read_at((uintptr_t)pages(PROT_NONE)); }
static void write_readonly(void) { write_at((uintptr_t)pages(PROT_READ) + PAGE); }
static void rsp_readonly(void)
{
    char *p = pages(PROT_READ);
    __asm__ volatile("mov %0, %%rsp\n push $1" : : "r"(p + 2 * PAGE) : "memory");
}

static void read_unmapped(void)
{
    char *p = pages(RW);
    read_at((uintptr_t)p);
    NEED(munmap(p, 4 * PAGE));
    read_at((uintptr_t)p);
}

// Allowed at first, used, and then taken away.
static void run_after_nx(void)
{
    char *p = pages(PROT_READ | PROT_EXEC);
    jump_to((uintptr_t)p);
    NEED(mprotect(p, 4 * PAGE, PROT_READ));
    jump_to((uintptr_t)p);
}

static void write_after_ro(void)
{
    char *p = pages(RW);
    write_at((uintptr_t)p);
    NEED(mprotect(p, 4 * PAGE, PROT_READ));
    read_at((uintptr_t)p);
    write_at((uintptr_t)p);
}

// Code that runs over the end of its mapping.
static void last_instruction(void)
{
    char *p = pages(RW);
    memset(p, 0x90, PAGE); // nop
    NEED(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
    NEED(munmap(p + PAGE, 3 * PAGE));
    jump_to((uintptr_t)p + PAGE - 8);
}

static __attribute__((noinline)) int overflow(int n)
{
    volatile char frame[4096];
    frame[0] = (char)n;
    return n < 0 ? 0 : overflow(n + 1) + frame[0];
}

static void stack_overflow(void) { overflow(1); }

// Beyond the limit nothing grows, even if nothing is there.
static void stack_far_below(void) { read_at((uintptr_t)__builtin_frame_address(0) - (64UL << 20)); }
static void rsp_zero(void) { __asm__ volatile("xor %%esp, %%esp\n push %%rax" : : : "memory"); }
static void rsp_noncanonical(void) { __asm__ volatile("mov %0, %%rsp\n push %%rax" : : "r"(0x4141414141414140UL) : "memory"); }

static void brk_shrunk(void)
{
    char *brk = (char *)(((uintptr_t)syscall(SYS_brk, 0) + PAGE - 1) & ~(PAGE - 1));
    syscall(SYS_brk, brk + 16 * PAGE);
    write_at((uintptr_t)brk + 10 * PAGE);
    syscall(SYS_brk, brk);
    write_at((uintptr_t)brk + 10 * PAGE);
}

static char *one_page_file(int prot, int flags, int truncate)
{
    int fd = NEED(open("file", O_RDWR | O_CREAT | O_TRUNC, 0600));
    NEED(unlink("file"));
    NEED(ftruncate(fd, 4 * PAGE));
    if (!truncate)
        NEED(ftruncate(fd, 100));
    char *p = NEED(mmap(NULL, 4 * PAGE, prot, flags, fd, 0));
    read_at((uintptr_t)p + 101);
    if (truncate) {
        read_at((uintptr_t)p + PAGE);
        NEED(ftruncate(fd, 100));
    }
    return p + PAGE;
}

static void eof_read(void) { read_at((uintptr_t)one_page_file(PROT_READ, MAP_SHARED, 0)); }
static void eof_write(void) { write_at((uintptr_t)one_page_file(RW, MAP_SHARED, 0)); }
static void eof_private(void) { write_at((uintptr_t)one_page_file(RW, MAP_PRIVATE, 0)); }
static void eof_truncated(void) { read_at((uintptr_t)one_page_file(PROT_READ, MAP_SHARED, 1)); }
static void eof_run(void) { jump_to((uintptr_t)one_page_file(PROT_READ | PROT_EXEC, MAP_PRIVATE, 0)); }

static const struct fault faults[] = {
    FAULT(null_read), FAULT(null_write), FAULT(null_call), FAULT(wild_read), FAULT(kernel_read),
    FAULT(noncanonical_read), FAULT(noncanonical_jump), FAULT(beyond_user_read), FAULT(beyond_user_jump),
    FAULT(jump_to_data), FAULT(jump_to_heap), FAULT(jump_to_stack), FAULT(write_to_text), FAULT(write_to_rodata),
    FAULT(read_closed), FAULT(write_readonly), FAULT(read_unmapped), FAULT(run_after_nx), FAULT(write_after_ro),
    FAULT(stack_overflow), FAULT(stack_far_below), FAULT(rsp_zero), FAULT(rsp_noncanonical), FAULT(rsp_readonly),
    FAULT(brk_shrunk), FAULT(vsyscall_write), FAULT(vdso_write), FAULT(eof_read), FAULT(eof_write),
    FAULT(eof_private), FAULT(eof_truncated), FAULT(eof_run), FAULT(gs_base_null), FAULT(last_instruction),
};

int main(int argc, char **argv)
{
    return run_fault(faults, sizeof faults / sizeof *faults, argc, argv);
}
