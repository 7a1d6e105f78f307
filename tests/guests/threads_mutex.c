// Locks: every kind of mutex, read-write locks, spin locks.
#include "tasks.h"

enum { THREADS = 4, ROUNDS = 500 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static long counter, turns;

static void *with_mutex(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        pthread_mutex_unlock(&mutex);
    }
    return arg;
}

static void *with_spin(void *arg)
{
    for (int i = 0; i < ROUNDS; i++) {
        pthread_spin_lock(&spin);
        counter++;
        pthread_spin_unlock(&spin);
    }
    return arg;
}

static void *with_rwlock(void *arg)
{
    long bad = 0;
    for (int i = 0; i < ROUNDS / 5; i++) {
        if (i % 4 == 0) {
            pthread_rwlock_wrlock(&rwlock);
            counter++;
            turns++;
        } else {
            pthread_rwlock_rdlock(&rwlock);
            bad += counter != turns;
        }
        pthread_rwlock_unlock(&rwlock);
    }
    return bad ? arg : NULL;
}

static void *takes(void *arg)
{
    (void)arg;
    return (void *)(long)pthread_mutex_trylock(&mutex);
}

static void *times_out(void *arg)
{
    (void)arg;
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (void *)(long)pthread_mutex_timedlock(&mutex, &t);
}

static void *unlocks(void *arg)
{
    return (void *)(long)pthread_mutex_unlock(arg);
}

static void kinds(void)
{
    pthread_mutex_t m;
    pthread_mutexattr_t attr;
    together(with_mutex, THREADS);
    EQ("counted with a mutex", counter, THREADS * ROUNDS);
    pthread_mutex_lock(&mutex);
    EQ("trylock", join(thread(takes, NULL)), EBUSY);
    EQ("timedlock", join(thread(times_out, NULL)), ETIMEDOUT);
    pthread_mutex_unlock(&mutex);
    EQ("free again", pthread_mutex_trylock(&mutex), 0);
    pthread_mutex_unlock(&mutex);
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&m, &attr);
    pthread_mutex_lock(&m);
    EQ("recursive", pthread_mutex_lock(&m), 0);
    EQ("of another", join(thread(unlocks, &m)), EPERM);
    pthread_mutex_unlock(&m);
    EQ("twice", pthread_mutex_unlock(&m), 0);
    EQ("not a third time", pthread_mutex_unlock(&m), EPERM);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
    pthread_mutex_init(&m, &attr);
    pthread_mutex_lock(&m);
    EQ("error checking", pthread_mutex_lock(&m), EDEADLK);
    EQ("of another", join(thread(unlocks, &m)), EPERM);
    EQ("mine", pthread_mutex_unlock(&m), 0);
    pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
    counter = 0;
    together(with_spin, THREADS);
    EQ("counted with a spin lock", counter, THREADS * ROUNDS);
    counter = 0;
    long bad = together(with_rwlock, THREADS);
    EQ("counted with a read-write lock", counter, THREADS * ROUNDS / 20);
    EQ("readers saw no half", bad, 0);
    pthread_rwlock_rdlock(&rwlock);
    EQ("two readers", pthread_rwlock_tryrdlock(&rwlock), 0);
    EQ("no writer", pthread_rwlock_trywrlock(&rwlock), EBUSY);
    pthread_rwlock_unlock(&rwlock);
    pthread_rwlock_unlock(&rwlock);
}

int main(void)
{
    tasks_begin();
    kinds();
    return check_done();
}
