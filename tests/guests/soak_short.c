// A short soak: ../soak with few rounds, whose checksums are the same at each run.
// km-test: links=static-musl,dynamic-glibc
// km-test: hosts=native,kvm
// km-test: timeout=100
#include "../soak/soak.h"

int main(int argc, char **argv)
{
    // A child of vfork that is killed in the monitor's code may leave a lock of its parent's held.
    static const char *const preset[] = {"rounds=200", "without=vfork-killed", NULL};
    return soak_main(argc, argv, preset);
}
