// A static executable linked at 0x20000000.
// km-test: links=static-musl,static-glibc
#include "elf_linked.h"

int main(void) { return is_linked_at(0x20000000); }
