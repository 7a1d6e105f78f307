// Two hundred megabytes of bss, nearly all of them untouched.
#include "check.h"

#define SIZE (200UL << 20)
static char big[SIZE];
static int data[3] = {1, 2, 3};
static char small[5000];

int main(void)
{
    int wrong = 0;
    // An odd step, so that pages are touched at all their offsets.
    for (unsigned long i = 0; i < SIZE; i += (1 << 20) + 4097) {
        wrong += big[i] != 0;
        big[i] = (char)(i >> 20 | 1);
    }
    EQ("zero", wrong, 0);
    for (unsigned long i = 0; i < SIZE; i += (1 << 20) + 4097)
        wrong += big[i] != (char)(i >> 20 | 1);
    EQ("kept", wrong, 0);
    big[SIZE - 1] = 1;
    EQ("last byte", big[SIZE - 1], 1);
    EQ("data before it", data[0] + data[1] + data[2], 6);
    for (unsigned i = 0; i < sizeof small; i++)
        wrong += small[i];
    EQ("small bss", wrong, 0);
    return check_done();
}
