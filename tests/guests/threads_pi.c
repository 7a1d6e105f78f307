// Priority inheritance: the kernel's own locks, by the call and by mutexes.
#include "tasks.h"
#include <linux/futex.h>
#include <limits.h>
#include <sys/mman.h>

static unsigned lock, cond;
static int step;
static long counter;
static pthread_mutex_t mutex;

static int last_tid;

static void *tries(void *arg)
{
    last_tid = tid();
    *(long *)arg = futex(&lock, FUTEX_TRYLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
    *(long *)arg = *(long *)arg == -1 ? errno : 0;
    return NULL;
}

static void *locks(void *arg)
{
    __atomic_store_n(&step, 1, __ATOMIC_SEQ_CST);
    long r = futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
    *(int *)arg = r == 0 && (lock & FUTEX_TID_MASK) == (unsigned)tid();
    if (futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0))
        *(int *)arg = -errno;
    return NULL;
}

static void *unlocks(void *arg)
{
    *(long *)arg = futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0) == -1 ? errno : 0;
    return NULL;
}

static void *counts(void *arg)
{
    for (int i = 0; i < 200; i++) {
        unsigned none = 0, me = (unsigned)tid();
        if (!__atomic_compare_exchange_n(&lock, &none, me, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            *(int *)arg |= futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0) != 0;
        counter++;
        if (!__atomic_compare_exchange_n(&lock, &me, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            *(int *)arg |= futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0) != 0;
    }
    return NULL;
}

static void *dies_with_it(void *arg)
{
    futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0);
    __atomic_store_n(&step, 2, __ATOMIC_SEQ_CST);
    UNTIL(__atomic_load_n(&lock, __ATOMIC_SEQ_CST) & FUTEX_WAITERS);
    return arg;
}

static void *times_out(void *arg)
{
    struct timespec past = {1, 0};
    *(long *)arg = futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, &past, NULL, 0) == -1 ? errno : 0;
    return NULL;
}

static void *is_requeued(void *arg)
{
    long r;
    // The kernel may wake one for nothing.
    while ((r = futex(&cond, FUTEX_WAIT_REQUEUE_PI_PRIVATE, 0, NULL, &lock, 0)) == -1 && errno == EAGAIN) {
    }
    *(int *)arg = r == 0 && (__atomic_load_n(&lock, __ATOMIC_SEQ_CST) & FUTEX_TID_MASK) == (unsigned)tid();
    futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
    return NULL;
}

static void requeues(void)
{
    pthread_t t[3];
    int good[3] = {0};
    long met = 0, bad = 0;
    NEED(futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
    for (int i = 0; i < 3; i++)
        t[i] = thread(is_requeued, &good[i]);
    while (met < 3) {
        long n = futex(&cond, FUTEX_CMP_REQUEUE_PI_PRIVATE, 1, (void *)INT_MAX, &lock, 0);
        bad += n < 0;
        met += n < 0 ? 3 : n;
        pause_ms(1);
    }
    EQ("FUTEX_CMP_REQUEUE_PI", bad, 0);
    EQ("all met", met, 3);
    CHECK("none has it yet", !(good[0] || good[1] || good[2]));
    futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0);
    for (int i = 0; i < 3; i++)
        join(t[i]);
    EQ("one after the other", good[0] + good[1] + good[2], 3);
}

static void *with_mutex(void *arg)
{
    for (int i = 0; i < 200; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
    }
    return arg;
}

static void *leaves_locked(void *arg)
{
    pthread_mutex_lock(&mutex);
    return arg;
}

static void mutexes(void)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    EQ("PTHREAD_PRIO_INHERIT", pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT), 0);
    EQ("robust, too", pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST), 0);
    EQ("mutex", pthread_mutex_init(&mutex, &attr), 0);
    counter = 0;
    together(with_mutex, 4);
    EQ("counted", counter, 800);
    join(thread(leaves_locked, NULL));
    EQ("its owner is dead", pthread_mutex_lock(&mutex), EOWNERDEAD);
    EQ("mended", pthread_mutex_consistent(&mutex), 0);
    EQ("unlocked", pthread_mutex_unlock(&mutex), 0);
}

static void calls(void)
{
    long result = 0;
    int good = 0, bad = 0;
    pthread_t t[4];
    OK("FUTEX_LOCK_PI", futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
    EQ("the owner is in the word", lock, tid());
    ERR("again", futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), EDEADLK);
    join(thread(tries, &result));
    EQ("tried by another", result, EAGAIN);
    join(thread(unlocks, &result));
    EQ("unlocked by another", result, EPERM);
    t[0] = thread(locks, &good);
    // Once somebody waits, the kernel notes it in the word.
    UNTIL(__atomic_load_n(&lock, __ATOMIC_SEQ_CST) & FUTEX_WAITERS);
    OK("FUTEX_UNLOCK_PI", futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
    join(t[0]);
    EQ("the waiter has got it", good, 1);
    UNTIL(__atomic_load_n(&lock, __ATOMIC_SEQ_CST) == 0);
    join(thread(tries, &result));
    EQ("free", result, 0);
    UNTIL(syscall(SYS_tgkill, getpid(), last_tid, 0) == -1);
    EQ("left by one that ended", futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0) == -1 ? errno : 0, ESRCH);
    lock = 0;
    for (int i = 0; i < 4; i++)
        t[i] = thread(counts, &bad);
    for (int i = 0; i < 4; i++)
        join(t[i]);
    EQ("counted", counter, 800);
    EQ("without an error", bad, 0);
    lock = 0;
    NEED(futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
    join(thread(times_out, &result));
    EQ("timeout", result, ETIMEDOUT);
    NEED(futex(&lock, FUTEX_UNLOCK_PI_PRIVATE, 0, NULL, NULL, 0));
    t[0] = thread(dies_with_it, NULL);
    UNTIL(__atomic_load_n(&step, __ATOMIC_SEQ_CST) == 2);
    OK("the owner ends while I wait", futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
    EQ("it is mine", lock & FUTEX_TID_MASK, tid());
    join(t[0]);
    lock = 0x3fffffff & FUTEX_TID_MASK;
    ERR("an owner that is not there", futex(&lock, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0), ESRCH);
    lock = 0;
}

int main(void)
{
    tasks_begin();
    calls();
    requeues();
    mutexes();
    return check_done();
}
