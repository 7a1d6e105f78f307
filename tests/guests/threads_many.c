// A thousand threads at once.
// km-test: hosts=native,kvm
#include "tasks.h"
#include <stdint.h>

enum { COUNT = 1000 };
static pthread_barrier_t barrier;
static __thread long own;
static long sum;

static void *meets(void *arg)
{
    own = (intptr_t)arg;
    pthread_barrier_wait(&barrier);
    __atomic_fetch_add(&sum, own, __ATOMIC_SEQ_CST);
    return (void *)(own * 2);
}

int main(void)
{
    tasks_begin();
    static pthread_t t[COUNT];
    pthread_attr_t attr;
    long bad = 0, made = 0;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 65536);
    pthread_barrier_init(&barrier, NULL, COUNT + 1);
    for (intptr_t i = 0; i < COUNT; i++)
        made += pthread_create(&t[i], &attr, meets, (void *)i) == 0;
    EQ("made", made, COUNT);
    if (made < COUNT)
        _exit(1);
    pthread_barrier_wait(&barrier);
    for (intptr_t i = 0; i < COUNT; i++)
        bad += join(t[i]) != (void *)(i * 2);
    EQ("joined", bad, 0);
    EQ("all have run", sum, (long)COUNT * (COUNT - 1) / 2);
    return check_done();
}
