// Meetings of threads: conditions, barriers, semaphores, once; also between processes.
#include "pages.h"
#include "tasks.h"
#include <semaphore.h>

enum { THREADS = 4 };
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_barrier_t barrier;
static sem_t sem;
static long counter, turns, onces, serials;

static struct timespec soon(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    t.tv_nsec += 3000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    return t;
}

/* Two that take turns. */
static void *plays(void *arg)
{
    long me = (long)arg;
    pthread_mutex_lock(&mutex);
    for (int i = 0; i < 50; i++) {
        while (turns % 2 != me)
            pthread_cond_wait(&cond, &mutex);
        turns++;
        pthread_cond_broadcast(&cond);
    }
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void *awaits(void *arg)
{
    pthread_mutex_lock(&mutex);
    turns++;
    while (!counter)
        pthread_cond_wait(&cond, &mutex);
    pthread_mutex_unlock(&mutex);
    return arg;
}

static void conditions(void)
{
    pthread_t t[THREADS];
    turns = counter = 0;
    t[0] = thread(plays, (void *)0);
    t[1] = thread(plays, (void *)1);
    join(t[0]);
    join(t[1]);
    EQ("taking turns", turns, 100);
    turns = 0;
    for (int i = 0; i < THREADS; i++)
        t[i] = thread(awaits, NULL);
    pthread_mutex_lock(&mutex);
    while (turns < THREADS) {
        pthread_mutex_unlock(&mutex);
        pause_ms(1);
        pthread_mutex_lock(&mutex);
    }
    counter = 1;
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < THREADS; i++)
        join(t[i]);
    printf("ok broadcast\n");
    pthread_condattr_t attr;
    pthread_cond_t monotonic;
    pthread_condattr_init(&attr);
    EQ("monotonic", pthread_condattr_setclock(&attr, CLOCK_MONOTONIC), 0);
    pthread_cond_init(&monotonic, &attr);
    struct timespec when = soon(CLOCK_MONOTONIC), real = soon(CLOCK_REALTIME);
    pthread_mutex_lock(&mutex);
    EQ("timed out", pthread_cond_timedwait(&monotonic, &mutex, &when), ETIMEDOUT);
    EQ("by the other clock", pthread_cond_timedwait(&cond, &mutex, &real), ETIMEDOUT);
    EQ("the mutex is held again", pthread_mutex_trylock(&mutex), EBUSY);
    pthread_mutex_unlock(&mutex);
}

static void counts_once(void)
{
    onces++;
    pause_ms(2);
}

static void *meets(void *arg)
{
    for (int i = 0; i < 10; i++)
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            __atomic_fetch_add(&serials, 1, __ATOMIC_SEQ_CST);
    pthread_once(&once, counts_once);
    sem_wait(&sem);
    __atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
    return onces == 1 ? NULL : arg;
}

static void *posts(void *arg)
{
    for (int i = 0; i < THREADS; i++)
        sem_post(&sem);
    return arg;
}

static void meetings(void)
{
    int bad = 0, value = -1;
    pthread_barrier_init(&barrier, NULL, THREADS);
    OK("sem_init", sem_init(&sem, 0, 0));
    pthread_t poster = thread(posts, NULL), t[THREADS];
    counter = 0;
    for (int i = 0; i < THREADS; i++)
        t[i] = thread(meets, &value);
    for (int i = 0; i < THREADS; i++)
        bad += join(t[i]) != NULL;
    join(poster);
    EQ("one of the barrier each time", serials, 10);
    EQ("once, and waited for", bad, 0);
    EQ("through the semaphore", counter, THREADS);
    ERR("trywait", sem_trywait(&sem), EAGAIN);
    struct timespec when = soon(CLOCK_REALTIME);
    ERR("timedwait", sem_timedwait(&sem, &when), ETIMEDOUT);
    sem_post(&sem);
    sem_getvalue(&sem, &value);
    EQ("value", value, 1);
}

static struct common {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    sem_t sem;
    int turn, count;
} *common;

static int plays_along(void)
{
    for (int i = 0; i < 200; i++) {
        pthread_mutex_lock(&common->mutex);
        common->count++;
        pthread_mutex_unlock(&common->mutex);
    }
    pthread_mutex_lock(&common->mutex);
    common->turn = 1;
    pthread_cond_signal(&common->cond);
    while (common->turn != 2)
        pthread_cond_wait(&common->cond, &common->mutex);
    pthread_mutex_unlock(&common->mutex);
    sem_wait(&common->sem);
    return 5;
}

static void processes(void)
{
    pthread_mutexattr_t mattr;
    pthread_condattr_t cattr;
    common = shared_pages(PAGE);
    pthread_mutexattr_init(&mattr);
    pthread_condattr_init(&cattr);
    EQ("shared", pthread_mutexattr_setpshared(&mattr, PTHREAD_PROCESS_SHARED), 0);
    pthread_condattr_setpshared(&cattr, PTHREAD_PROCESS_SHARED);
    pthread_mutex_init(&common->mutex, &mattr);
    pthread_cond_init(&common->cond, &cattr);
    NEED(sem_init(&common->sem, 1, 0));
    pid_t pid = child(plays_along);
    for (int i = 0; i < 200; i++) {
        pthread_mutex_lock(&common->mutex);
        common->count++;
        pthread_mutex_unlock(&common->mutex);
    }
    pthread_mutex_lock(&common->mutex);
    while (common->turn != 1)
        pthread_cond_wait(&common->cond, &common->mutex);
    EQ("counted by two processes", common->count, 400);
    common->turn = 2;
    pthread_cond_signal(&common->cond);
    pthread_mutex_unlock(&common->mutex);
    sem_post(&common->sem);
    EQ("the other", end_of(pid), 5);
}

int main(void)
{
    tasks_begin();
    conditions();
    meetings();
    processes();
    return check_done();
}
