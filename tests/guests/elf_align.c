// Segments aligned to 2 MiB: Linux places a PIE at an address aligned like its segments.
#include "check.h"
#include <elf.h>
#include <sys/auxv.h>

extern const Elf64_Ehdr __ehdr_start;
static char bss[3 << 20];
static int data[1024] = {1, 2, 3};

int main(void)
{
    const Elf64_Phdr *ph = (const void *)((const char *)&__ehdr_start + __ehdr_start.e_phoff);
    unsigned long align = 0;
    int loads = 0;
    for (int i = 0; i < __ehdr_start.e_phnum; i++) {
        if (ph[i].p_type != PT_LOAD)
            continue;
        loads++;
        if (ph[i].p_align > align)
            align = ph[i].p_align;
    }
    CHECK("several segments", loads >= 2);
    EQ("alignment", align, 0x200000);
    EQ("base is aligned", (unsigned long)&__ehdr_start % align, 0);
    EQ("phdr", getauxval(AT_PHDR), ph);
    EQ("data", data[0] + data[1] + data[2], 6);
    for (unsigned i = 0; i < sizeof bss; i += 4096) {
        if (bss[i])
            EQ("bss is zero", bss[i], 0);
        bss[i] = 1;
    }
    return check_done();
}
