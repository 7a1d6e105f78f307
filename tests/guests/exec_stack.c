// Linked with an executable stack: code on it runs.
#include "check.h"
#include <elf.h>
#include <stdint.h>
#include <sys/auxv.h>

static __attribute__((noinline)) int run_on_stack(int value)
{
    unsigned char code[16] = {0xb8, 0, 0, 0, 0, 0xc3}; // mov $value, %eax; ret
    memcpy(code + 1, &value, 4);
    __asm__ volatile("" : : "r"(code) : "memory");
    return ((int (*)(void))(uintptr_t)code)();
}

static __attribute__((noinline)) int deep(int level)
{
    volatile char frame[4096];
    frame[0] = (char)level;
    return level ? deep(level - 1) + (frame[0] == (char)level) : run_on_stack(1000);
}

int main(void)
{
    const Elf64_Phdr *ph = (const void *)getauxval(AT_PHDR);
    unsigned flags = 0;
    for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++)
        if (ph[i].p_type == PT_GNU_STACK)
            flags = ph[i].p_flags;
    EQ("asked for", flags, PF_R | PF_W | PF_X);
    EQ("runs", run_on_stack(42), 42);
    EQ("other code", run_on_stack(43), 43);
    EQ("where the stack has grown", deep(100), 1100);
    return check_done();
}
