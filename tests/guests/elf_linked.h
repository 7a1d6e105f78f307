// A static executable at the address it was linked for.
#ifndef KM_ELF_LINKED_H
#define KM_ELF_LINKED_H

#include "check.h"
#include <elf.h>

extern const Elf64_Ehdr __ehdr_start;
static int data[5000] = {7};
static char bss[100000];

static inline int is_linked_at(unsigned long address)
{
    EQ("type", __ehdr_start.e_type, ET_EXEC);
    EQ("at its link address", &__ehdr_start, address);
    EQ("data", data[0] + data[4999], 7);
    for (unsigned i = 0; i < sizeof bss; i++)
        check_failures += bss[i] != 0;
    EQ("bss is zero", check_failures, 0);
    return check_done();
}

#endif
