// Numbers without a call give ENOSYS, whatever the arguments.
#include "check.h"
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

// Calls that were removed or never came to x86-64.
static const int gone[] = {156, 174, 177, 178, 180, 181, 182, 183, 184, 185, 205, 211, 214, 215, 236};
static const long far[] = {600, 1000, 4095, 9999, 65536, INT_MAX, -1, -2, -4095, INT_MIN, INT_MIN + 39};

static int answers(long nr, long argument)
{
    errno = 0;
    return syscall(nr, argument, argument, argument, argument, argument, argument) == -1 && errno == ENOSYS;
}

int main(void)
{
    int wrong = 0;
    for (unsigned i = 0; i < sizeof gone / sizeof *gone; i++)
        wrong += !answers(gone[i], 0) || !answers(gone[i], -1);
    EQ("removed calls", wrong, 0);
    // 335 and 336 exist in newer kernels, 424 and on in all of this century's.
    for (int nr = 337; nr < 424; nr++)
        wrong += !answers(nr, 0) || !answers(nr, 0x4141414141414141);
    EQ("the gap", wrong, 0);
    for (unsigned i = 0; i < sizeof far / sizeof *far; i++)
        if (!answers(far[i], 8)) {
            printf("  number %ld: errno %d\n", far[i], errno);
            wrong++;
        }
    EQ("far out", wrong, 0);
    EQ("and the program goes on", syscall(SYS_getpid), getpid());
    return check_done();
}
