// A dynamic executable at a fixed address: fixed segments and a relocated interpreter in one process.
// km-test: links=dynamic-musl,dynamic-glibc
#include "check.h"
#include <elf.h>

extern const Elf64_Ehdr __ehdr_start;
static int data = 42;

int main(void)
{
    EQ("type", __ehdr_start.e_type, ET_EXEC);
    CHECK("at its link address", (unsigned long)&__ehdr_start == 0x400000);
    CHECK("data near it", (unsigned long)&data < 0x600000);
    EQ("data", data, 42);
    return check_done();
}
