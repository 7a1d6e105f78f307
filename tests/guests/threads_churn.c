// Twenty thousand threads, a few at a time: nothing is used up.
// km-test: hosts=native,kvm
// km-test: timeout=100
#include "tasks.h"
#include <stdint.h>

static __thread int own = 3;

static void *runs(void *arg)
{
    int was = own;
    own = 4;
    return (void *)((intptr_t)arg + was);
}

int main(void)
{
    tasks_begin();
    pthread_t t[4];
    long bad = 0;
    for (intptr_t i = 0; i < 5000; i++) {
        for (int j = 0; j < 4; j++)
            t[j] = thread(runs, (void *)(i + j));
        for (int j = 0; j < 4; j++)
            bad += join(t[j]) != (void *)(i + j + 3);
    }
    EQ("all", bad, 0);
    EQ("mine", own, 3);
    return check_done();
}
