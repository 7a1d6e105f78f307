// A short soak: ../soak/soak.c with few rounds, whose checksums are the same at each run.
// km-test: links=static-musl,dynamic-glibc
// km-test: hosts=native,kvm
// km-test: timeout=100
#define SOAK_ROUNDS 200
#include "../soak/soak.c"
