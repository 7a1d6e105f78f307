// Threads that are cancelled: at once, in calls that wait, in a loop; what they leave is cleaned up. And pthread_kill.
#include "tasks.h"
#include <semaphore.h>
#include <sys/socket.h>

static int ends[2], sockets[2], cleaned, ready, done;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static sem_t sem;
static pthread_key_t key;
static volatile sig_atomic_t handled;

static void cleans(void *arg) { cleaned += (int)(long)arg; }
static void unlocks(void *arg)
{
    cleaned += 100;
    pthread_mutex_unlock(arg);
}

static void is_ready(void) { __atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST); }

static void *waits(void *arg)
{
    char byte;
    fd_set set;
    pthread_cleanup_push(cleans, (void *)1);
    pthread_cleanup_push(cleans, (void *)10);
    pthread_setspecific(key, &key);
    is_ready();
    switch ((long)arg) {
    case 0: read(ends[0], &byte, 1); break;
    case 1: recv(sockets[0], &byte, 1, 0); break;
    case 2: sem_wait(&sem); break;
    case 3:
        pthread_mutex_lock(&mutex);
        pthread_cleanup_push(unlocks, &mutex);
        while (!done)
            pthread_cond_wait(&cond, &mutex);
        pthread_cleanup_pop(1);
        break;
    case 4: for (;;) pause();
    case 5: for (;;) sleep(100);
    case 6:
        FD_ZERO(&set);
        FD_SET(ends[0], &set);
        select(ends[0] + 1, &set, NULL, NULL, NULL);
        break;
    case 7:
        for (;;)
            pthread_testcancel();
    case 8:
        pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
        for (volatile long i = 0; i >= 0; i = i + 1) {
        }
        break;
    }
    pthread_cleanup_pop(0);
    pthread_cleanup_pop(0);
    return NULL;
}

static void key_destroyed(void *value) { cleaned += value == &key ? 1000 : 0; }

static void everywhere(void)
{
    static const char *const names[] = {"read", "recv", "sem_wait", "pthread_cond_wait", "pause", "sleep", "select",
                                        "a loop with tests", "a loop, asynchronously"};
    pthread_key_create(&key, key_destroyed);
    for (long i = 0; i < 9; i++) {
        cleaned = ready = 0;
        pthread_t t = thread(waits, (void *)i);
        UNTIL(__atomic_load_n(&ready, __ATOMIC_SEQ_CST));
        if (i % 2)
            pause_ms(2);
        EQ("pthread_cancel", pthread_cancel(t), 0);
        CHECK(names[i], join(t) == PTHREAD_CANCELED);
        EQ("cleaned up", cleaned, i == 3 && cleaned > 1100 ? 1111 : 1011);
    }
    EQ("the mutex is free", pthread_mutex_trylock(&mutex), 0);
    pthread_mutex_unlock(&mutex);
}

static void *disabled(void *arg)
{
    int old;
    char byte;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    is_ready();
    ssize_t n = read(ends[0], &byte, 1);
    pthread_testcancel();
    *(int *)arg = (int)n + (old == PTHREAD_CANCEL_ENABLE);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
    pthread_testcancel();
    return NULL;
}

static void *cancels_itself(void *arg)
{
    pthread_cancel(pthread_self());
    *(int *)arg = 1;
    pthread_testcancel();
    *(int *)arg = 2;
    return NULL;
}

static void later(void)
{
    int result = 0;
    ready = 0;
    pthread_t t = thread(disabled, &result);
    UNTIL(__atomic_load_n(&ready, __ATOMIC_SEQ_CST));
    pthread_cancel(t);
    pause_ms(2);
    NEED(write(ends[1], "x", 1));
    CHECK("disabled, then enabled", join(t) == PTHREAD_CANCELED);
    EQ("it has read meanwhile", result, 2);
    CHECK("itself", join(thread(cancels_itself, &result)) == PTHREAD_CANCELED);
    EQ("at its test", result, 1);
}

static void counts(int n)
{
    (void)n;
    handled++;
}

static void *is_interrupted(void *arg)
{
    char byte;
    is_ready();
    *(int *)arg = read(ends[0], &byte, 1) == -1 ? errno : 0;
    __atomic_store_n(&done, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void kills(void)
{
    int result = 0;
    handle(SIGUSR1, counts, 0);
    ready = done = 0;
    pthread_t t = thread(is_interrupted, &result);
    EQ("signal 0", pthread_kill(t, 0), 0);
    EQ("no such signal", pthread_kill(t, 1000), EINVAL);
    UNTIL(__atomic_load_n(&ready, __ATOMIC_SEQ_CST));
    // Again and again, for it may not yet be in its call.
    UNTIL(pthread_kill(t, SIGUSR1) || __atomic_load_n(&done, __ATOMIC_SEQ_CST));
    join(t);
    EQ("interrupted", result, EINTR);
    CHECK("handled", handled > 0);
}

int main(void)
{
    tasks_begin();
    NEED(pipe(ends));
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
    NEED(sem_init(&sem, 0, 0));
    everywhere();
    later();
    kills();
    return check_done();
}
