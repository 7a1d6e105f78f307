// A static executable linked at 0x200000.
// km-test: links=static-musl,static-glibc
#include "check.h"
#include <elf.h>

extern const Elf64_Ehdr __ehdr_start;
static int data[5000] = {7};
static char bss[100000];

int main(void)
{
    EQ("type", __ehdr_start.e_type, ET_EXEC);
    EQ("at its link address", &__ehdr_start, 0x200000);
    EQ("data", data[0] + data[4999], 7);
    for (unsigned i = 0; i < sizeof bss; i++)
        check_failures += bss[i] != 0;
    EQ("bss is zero", check_failures, 0);
    return check_done();
}
