// Threads: every kind of mutex, reader-writer locks, conditions, barriers, semaphores, once, keys, attributes.
// km-test: links=static-musl,dynamic-musl,static-kontain,dynamic-kontain
// km-test: truth=static-musl
#include "libc.h"
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <time.h>

#define THREADS 4

static struct timespec in_ms(clockid_t clock, long ms)
{
    struct timespec t;
    clock_gettime(clock, &t);
    t.tv_nsec += ms * 1000000;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

static void *result_of(void *(*run)(void *), void *arg)
{
    pthread_t t;
    void *result = NULL;
    pthread_create(&t, NULL, run, arg);
    pthread_join(t, &result);
    return result;
}

static pthread_mutex_t mutex;
static long shared;

static void *tries(void *arg) { return (void *)(long)pthread_mutex_trylock(arg); }
static void *unlocks(void *arg) { return (void *)(long)pthread_mutex_unlock(arg); }
static void *times_out(void *arg)
{
    struct timespec at = in_ms(CLOCK_REALTIME, 5), past = {1, 0};
    long r = pthread_mutex_timedlock(arg, &at);
    return (void *)(r * 1000 + pthread_mutex_timedlock(arg, &past));
}
static void *counts(void *arg)
{
    for (int i = 0; i < 2000; i++) {
        pthread_mutex_lock(arg);
        shared = shared + 1;
        pthread_mutex_unlock(arg);
    }
    return NULL;
}
static void *dies_holding(void *arg)
{
    pthread_mutex_lock(arg);
    return NULL;
}

static void mutexes(void)
{
    static const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK};
    static const int protocols[] = {PTHREAD_PRIO_NONE, PTHREAD_PRIO_INHERIT, PTHREAD_PRIO_PROTECT};
    for (size_t t = 0; t < COUNT(types); t++)
        for (size_t p = 0; p < COUNT(protocols); p++)
            for (int robust = 0; robust < 2; robust++)
                for (int pshared = 0; pshared < 2; pshared++) {
                    pthread_mutexattr_t attr;
                    pthread_mutexattr_init(&attr);
                    int r1 = pthread_mutexattr_settype(&attr, types[t]), r2 = pthread_mutexattr_setprotocol(&attr,
                        protocols[p]);
                    int r3 = pthread_mutexattr_setrobust(&attr, robust), r4 = pthread_mutexattr_setpshared(&attr, pshared);
                    int type = -1, protocol = -1, is_robust = -1, is_shared = -1;
                    pthread_mutexattr_gettype(&attr, &type);
                    pthread_mutexattr_getprotocol(&attr, &protocol);
                    pthread_mutexattr_getrobust(&attr, &is_robust);
                    pthread_mutexattr_getpshared(&attr, &is_shared);
                    printf("type %d %d protocol %d %d robust %d %d shared %d %d\n", r1, type, r2, protocol, r3, is_robust,
                        r4, is_shared);
                    if (r2)
                        continue;
                    printf("  init %d", pthread_mutex_init(&mutex, &attr));
                    printf(" lock %d", pthread_mutex_lock(&mutex));
                    // A normal one would wait for itself.
                    if (types[t] != PTHREAD_MUTEX_NORMAL)
                        printf(" again %d", pthread_mutex_lock(&mutex));
                    printf(" try %d", pthread_mutex_trylock(&mutex));
                    printf(" other tries %ld", (long)result_of(tries, &mutex));
                    printf(" waits %ld", (long)result_of(times_out, &mutex));
                    if (types[t] != PTHREAD_MUTEX_NORMAL)
                        printf(" unlocks %ld", (long)result_of(unlocks, &mutex));
                    // As often as it says yes; a normal one, that takes any number, only once.
                    int unlocked = 0;
                    while (unlocked < 5 && pthread_mutex_unlock(&mutex) == 0) {
                        unlocked++;
                        if (types[t] == PTHREAD_MUTEX_NORMAL)
                            break;
                    }
                    printf(" unlocked %d\n", unlocked);
                    pthread_t threads[THREADS];
                    shared = 0;
                    for (int i = 0; i < THREADS; i++)
                        pthread_create(&threads[i], NULL, counts, &mutex);
                    for (int i = 0; i < THREADS; i++)
                        pthread_join(threads[i], NULL);
                    printf("  counted %ld", shared);
                    if (robust) {
                        result_of(dies_holding, &mutex);
                        printf(" owner died: lock %d", pthread_mutex_lock(&mutex));
                        printf(" consistent %d", pthread_mutex_consistent(&mutex));
                        printf(" unlock %d", pthread_mutex_unlock(&mutex));
                        result_of(dies_holding, &mutex);
                        printf(" not mended: %d", pthread_mutex_trylock(&mutex));
                        printf(" %d", pthread_mutex_unlock(&mutex));
                        printf(" lost for good: %d", pthread_mutex_lock(&mutex));
                        printf(" %ld", (long)result_of(tries, &mutex));
                    } else {
                        printf(" consistent %d", pthread_mutex_consistent(&mutex));
                    }
                    printf(" destroy %d\n", pthread_mutex_destroy(&mutex));
                }
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    INT(pthread_mutexattr_settype(&attr, 7));
    INT(pthread_mutexattr_setrobust(&attr, 2));
    INT(pthread_mutexattr_setpshared(&attr, 2));
    INT(pthread_mutexattr_setprotocol(&attr, 9));
}

static pthread_rwlock_t rwlock;
static void *tries_both(void *arg)
{
    (void)arg;
    long r = pthread_rwlock_tryrdlock(&rwlock);
    if (r == 0)
        pthread_rwlock_unlock(&rwlock);
    long w = pthread_rwlock_trywrlock(&rwlock);
    if (w == 0)
        pthread_rwlock_unlock(&rwlock);
    struct timespec at = in_ms(CLOCK_REALTIME, 5);
    long t = pthread_rwlock_timedwrlock(&rwlock, &at);
    if (t == 0)
        pthread_rwlock_unlock(&rwlock);
    return (void *)(r * 1000000 + w * 1000 + t);
}
static long pair[2];
static void *reads_and_writes(void *arg)
{
    long torn = 0;
    for (int i = 0; i < 1000; i++)
        if (i % 4 == (int)(long)arg) {
            pthread_rwlock_wrlock(&rwlock);
            pair[0]++;
            pair[1]++;
            pthread_rwlock_unlock(&rwlock);
        } else {
            pthread_rwlock_rdlock(&rwlock);
            torn += pair[0] != pair[1];
            pthread_rwlock_unlock(&rwlock);
        }
    return (void *)torn;
}

static void rwlocks(void)
{
    INT(pthread_rwlock_init(&rwlock, NULL));
    INT(result_of(tries_both, NULL));
    INT(pthread_rwlock_rdlock(&rwlock));
    INT(pthread_rwlock_tryrdlock(&rwlock));
    INT(result_of(tries_both, NULL));
    INT(pthread_rwlock_trywrlock(&rwlock));
    INT(pthread_rwlock_unlock(&rwlock));
    INT(pthread_rwlock_unlock(&rwlock));
    INT(pthread_rwlock_wrlock(&rwlock));
    INT(result_of(tries_both, NULL));
    INT(pthread_rwlock_unlock(&rwlock));
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, reads_and_writes, (void *)i);
    long torn = 0;
    for (int i = 0; i < THREADS; i++) {
        void *t;
        pthread_join(threads[i], &t);
        torn += (long)t;
    }
    printf("torn %ld, %ld %ld\n", torn, pair[0], pair[1]);
    INT(pthread_rwlock_destroy(&rwlock));
}

static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int stage, woken;
static void *waits_for_stage(void *arg)
{
    pthread_mutex_lock(&mutex);
    while (stage < (int)(long)arg)
        pthread_cond_wait(&cond, &mutex);
    woken++;
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void conditions(void)
{
    pthread_mutex_init(&mutex, NULL);
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, waits_for_stage, (void *)(i + 1));
    for (int i = 0; i < THREADS; i++) {
        pthread_mutex_lock(&mutex);
        stage = i + 1;
        pthread_cond_broadcast(&cond);
        pthread_mutex_unlock(&mutex);
        pthread_join(threads[i], NULL);
        pthread_mutex_lock(&mutex);
        printf("stage %d, %d woken\n", stage, woken);
        pthread_mutex_unlock(&mutex);
    }
    static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, 99};
    for (size_t i = 0; i < COUNT(clocks); i++) {
        pthread_condattr_t attr;
        pthread_cond_t timed;
        pthread_condattr_init(&attr);
        printf("clock %d: %d", clocks[i], pthread_condattr_setclock(&attr, clocks[i]));
        clockid_t clock = -1;
        pthread_condattr_getclock(&attr, &clock);
        printf(" is %d init %d", clock, pthread_cond_init(&timed, &attr));
        struct timespec at = in_ms(clock, 5), past = {1, 0}, wrong = {0, -1};
        pthread_mutex_lock(&mutex);
        printf(" wait %d", pthread_cond_timedwait(&timed, &mutex, &at));
        printf(" past %d", pthread_cond_timedwait(&timed, &mutex, &past));
        printf(" wrong %d", pthread_cond_timedwait(&timed, &mutex, &wrong));
        pthread_mutex_unlock(&mutex);
        printf(" destroy %d\n", pthread_cond_destroy(&timed));
    }
    pthread_mutex_destroy(&mutex);
}

static pthread_barrier_t barrier;
static int arrived[8];
static void *meets(void *arg)
{
    (void)arg;
    long serial = 0;
    for (int i = 0; i < 8; i++) {
        __atomic_add_fetch(&arrived[i], 1, __ATOMIC_SEQ_CST);
        serial += pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD;
        if (__atomic_load_n(&arrived[i], __ATOMIC_SEQ_CST) != THREADS)
            serial += 1000;
    }
    return (void *)serial;
}

static pthread_spinlock_t spin;
static void *spins(void *arg)
{
    for (int i = 0; i < 500; i++) {
        pthread_spin_lock(&spin);
        shared++;
        pthread_spin_unlock(&spin);
    }
    return arg;
}

static sem_t sem;
static void *posts(void *arg)
{
    for (int i = 0; i < 100; i++)
        sem_post(&sem);
    return arg;
}

static void others(void)
{
    pthread_t threads[THREADS];
    INT(pthread_barrier_init(&barrier, NULL, 0));
    INT(pthread_barrier_init(&barrier, NULL, THREADS));
    long serial = 0;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, meets, NULL);
    for (int i = 0; i < THREADS; i++) {
        void *s;
        pthread_join(threads[i], &s);
        serial += (long)s;
    }
    printf("%ld times the last\n", serial);
    INT(pthread_barrier_destroy(&barrier));

    pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
    shared = 0;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, spins, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    INT(shared);
    INT(pthread_spin_trylock(&spin));
    INT(pthread_spin_trylock(&spin));
    INT(pthread_spin_unlock(&spin));

    INT(sem_init(&sem, 0, 2));
    int value = -1;
    INT(sem_getvalue(&sem, &value));
    INT(value);
    INT(sem_trywait(&sem));
    INT(sem_wait(&sem));
    INT(sem_trywait(&sem));
    struct timespec at = in_ms(CLOCK_REALTIME, 5), wrong = {0, 1 << 30};
    INT(sem_timedwait(&sem, &at));
    INT(sem_timedwait(&sem, &wrong));
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, posts, NULL);
    for (int i = 0; i < 100 * THREADS; i++)
        sem_wait(&sem);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    INT(sem_getvalue(&sem, &value));
    INT(value);
    INT(sem_init(&sem, 0, (unsigned)INT_MAX + 1));
    sem_init(&sem, 0, INT_MAX);
    INT(sem_post(&sem));
    INT(sem_destroy(&sem));
    char name[64];
    snprintf(name, sizeof name, "/km-libc-%d", getpid());
    sem_t *named = sem_open(name, O_CREAT | O_EXCL, 0600, 3);
    INT(named != SEM_FAILED);
    INT(sem_open(name, O_CREAT | O_EXCL, 0600, 3) == SEM_FAILED);
    INT(sem_open(name, 0) == named);
    INT(sem_unlink(name));
    INT(sem_unlink(name));
    INT(sem_open(name, 0) == SEM_FAILED);
    INT(sem_trywait(named));
    INT(sem_close(named));

    // Between processes, by shared memory.
    struct { pthread_mutex_t mutex; sem_t sem; int count; } *both = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, 1);
    pthread_mutexattr_setrobust(&attr, 1);
    pthread_mutex_init(&both->mutex, &attr);
    sem_init(&both->sem, 1, 0);
    fflush(stdout);
    if (fork() == 0) {
        pthread_mutex_lock(&both->mutex);
        both->count = 5;
        sem_post(&both->sem);
        _exit(0);
    }
    // It may find it posted, or wait.
    printf("waited %d\n", sem_wait(&both->sem));
    wait(NULL);
    INT(pthread_mutex_lock(&both->mutex));
    INT(both->count);
    INT(pthread_mutex_consistent(&both->mutex));
    INT(pthread_mutex_unlock(&both->mutex));
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int onces;
static void first(void) { onces++; }
static void *calls_once(void *arg)
{
    pthread_once(&once, first);
    return arg;
}

static pthread_key_t keys[3];
static int rounds;
static void destroy(void *value)
{
    printf("destructor of %s\n", (char *)value);
    // It is called again for what it sets, a limited number of times.
    if (rounds++ < 10)
        pthread_setspecific(keys[0], value);
}
static void *sets_keys(void *arg)
{
    INT(pthread_setspecific(keys[0], arg));
    TEXT(pthread_getspecific(keys[0]));
    INT(pthread_getspecific(keys[1]) == NULL);
    INT(pthread_setspecific(keys[1], "no destructor"));
    return NULL;
}

static void *stack_bytes(void *arg)
{
    pthread_attr_t attr;
    size_t size = 0, guard = 0;
    void *at = NULL;
    int detach = -1;
    pthread_getattr_np(pthread_self(), &attr);
    pthread_attr_getstack(&attr, &at, &size);
    pthread_attr_getguardsize(&attr, &guard);
    pthread_attr_getdetachstate(&attr, &detach);
    char here;
    printf("stack of %zu or more %d, guard %zu, detached %d, within %d\n", (size_t)arg, size >= (size_t)arg, guard, detach,
        &here > (char *)at && &here < (char *)at + size);
    return NULL;
}

static void attributes(void)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, calls_once, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    INT(onces);
    INT(pthread_key_create(&keys[0], destroy));
    INT(pthread_key_create(&keys[1], NULL));
    result_of(sets_keys, "value");
    INT(rounds);
    INT(pthread_key_delete(keys[0]));
    pthread_key_t many[PTHREAD_KEYS_MAX + 1];
    int n = 0;
    while (n <= PTHREAD_KEYS_MAX && pthread_key_create(&many[n], NULL) == 0)
        n++;
    printf("%d more keys, then %d\n", n, pthread_key_create(&keys[2], NULL));
    while (n--)
        pthread_key_delete(many[n]);

    pthread_attr_t attr;
    INT(pthread_attr_init(&attr));
    size_t size = 0;
    int value = -1;
    struct sched_param param = {0};
    INT(pthread_attr_getstacksize(&attr, &size));
    INT(size);
    INT(pthread_attr_getguardsize(&attr, &size));
    INT(size);
    INT(pthread_attr_setstacksize(&attr, 100));
    INT(pthread_attr_setstacksize(&attr, 300000));
    INT(pthread_attr_setguardsize(&attr, 10000));
    INT(pthread_attr_setdetachstate(&attr, 2));
    INT(pthread_attr_setinheritsched(&attr, 5));
    INT(pthread_attr_setscope(&attr, PTHREAD_SCOPE_PROCESS));
    INT(pthread_attr_getschedpolicy(&attr, &value));
    INT(value);
    INT(pthread_attr_getschedparam(&attr, &param));
    INT(param.sched_priority);
    pthread_create(&threads[0], &attr, stack_bytes, (void *)300000);
    pthread_join(threads[0], NULL);
    char *room = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    INT(pthread_attr_setstack(&attr, room, 65536));
    INT(pthread_attr_setstack(&attr, room, 1024));
    pthread_create(&threads[0], &attr, stack_bytes, (void *)60000);
    pthread_join(threads[0], NULL);
    result_of(stack_bytes, (void *)65536);
    INT(pthread_setname_np(pthread_self(), "a name that is too long"));
    INT(pthread_setname_np(pthread_self(), "short"));
    char name[16];
    INT(pthread_getname_np(pthread_self(), name, 16));
    TEXT(name);
    INT(pthread_equal(pthread_self(), pthread_self()));
    INT(pthread_getschedparam(pthread_self(), &value, &param));
    INT(value);
    INT(pthread_setschedprio(pthread_self(), 5));
    INT(pthread_getconcurrency());
    INT(pthread_setconcurrency(3));
    INT(pthread_setconcurrency(-1));
    INT(pthread_kill(pthread_self(), 0));
    INT(pthread_kill(pthread_self(), 999));
    sigset_t set;
    sigemptyset(&set);
    INT(pthread_sigmask(77, &set, NULL));
    INT(pthread_setcancelstate(9, NULL));
    INT(pthread_setcanceltype(9, NULL));
}

int main(void)
{
    mutexes();
    rwlocks();
    conditions();
    others();
    attributes();
    return 0;
}
