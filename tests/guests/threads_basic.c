// Threads: results, ids, stacks, data of their own, many one after the other and many at once.
#include "pages.h"
#include "tasks.h"
#include <sched.h>
#include <stdint.h>

static __thread int own = 7;
static __thread char own_zero[5000];
static int shared;
static pthread_key_t key;
static int destroyed;

static void *returns(void *arg) { return (char *)arg + 1; }

static void *exits(void *arg)
{
    pthread_exit((char *)arg + 2);
}

static void *tells_tid(void *arg)
{
    *(pid_t *)arg = tid();
    return getpid() == tid() ? NULL : arg;
}

static void *self(void *arg)
{
    *(pthread_t *)arg = pthread_self();
    return NULL;
}

static void destroys(void *value) { __atomic_add_fetch(&destroyed, (int)(intptr_t)value, __ATOMIC_RELAXED); }

static void *uses_own(void *arg)
{
    int bad = own != 7;
    for (unsigned i = 0; i < sizeof own_zero; i++)
        bad |= own_zero[i];
    own = (int)(intptr_t)arg;
    memset(own_zero, own, sizeof own_zero);
    bad |= pthread_getspecific(key) != NULL;
    pthread_setspecific(key, arg);
    errno = own;
    sched_yield();
    bad |= own != (int)(intptr_t)arg || own_zero[4999] != own || errno != own;
    return (void *)(intptr_t)bad;
}

static void basics(void)
{
    pid_t id = 0;
    pthread_t me = pthread_self(), itself;
    EQ("main's id is the process's", tid(), getpid());
    EQ("returned", join(thread(returns, (void *)41)), 42);
    EQ("by pthread_exit", join(thread(exits, (void *)40)), 42);
    EQ("other id, same process", join(thread(tells_tid, &id)), &id);
    CHECK("id", id > 0 && id != getpid());
    pthread_t t = thread(self, &itself);
    join(t);
    CHECK("pthread_self", pthread_equal(t, itself) && !pthread_equal(me, itself));
    CHECK("mine is still mine", pthread_equal(me, pthread_self()));
}

static void locals(void)
{
    own = 100;
    EQ("key", pthread_key_create(&key, destroys), 0);
    EQ("data of their own", together(uses_own, 8), 0);
    EQ("mine is untouched", own, 100);
    EQ("destructors", destroyed, 36);
    EQ("delete key", pthread_key_delete(key), 0);
}

static void *where(void *arg)
{
    *(void **)arg = __builtin_frame_address(0);
    return NULL;
}

static void *uses_stack(void *arg)
{
    volatile char big[700 * 1024];
    for (size_t i = 0; i < sizeof big; i += 1024)
        big[i] = (char)(i / 1024);
    int sum = 0;
    for (size_t i = 0; i < sizeof big; i += 1024)
        sum += big[i] & 1;
    *(int *)arg = sum;
    return NULL;
}

static void stacks(void)
{
    pthread_t t;
    pthread_attr_t attr;
    size_t size = 0, given = 256 * 1024;
    int sum = 0;
    char *local = NULL;
    EQ("attributes", pthread_attr_init(&attr), 0);
    EQ("stack size", pthread_attr_setstacksize(&attr, 1024 * 1024), 0);
    pthread_attr_getstacksize(&attr, &size);
    EQ("as set", size, 1024 * 1024);
    EQ("too small", pthread_attr_setstacksize(&attr, 100), EINVAL);
    EQ("with it", pthread_create(&t, &attr, uses_stack, &sum), 0);
    join(t);
    EQ("a large frame", sum, 350);
    char *memory = private_pages(given);
    EQ("own memory", pthread_attr_setstack(&attr, memory, given), 0);
    EQ("on it", pthread_create(&t, &attr, where, &local), 0);
    join(t);
    CHECK("there", local > memory && local < memory + given);
    OK("it can be unmapped", munmap(memory, given));
    pthread_attr_destroy(&attr);
}

static void *detaches(void *arg)
{
    (void)arg;
    pthread_detach(pthread_self());
    __atomic_fetch_add(&shared, 1, __ATOMIC_SEQ_CST);
    return NULL;
}

static void *counts(void *arg)
{
    __atomic_fetch_add(&shared, 1, __ATOMIC_SEQ_CST);
    return arg;
}

static void *nests(void *arg)
{
    intptr_t depth = (intptr_t)arg;
    return (void *)(depth ? (intptr_t)join(thread(nests, (void *)(depth - 1))) + 1 : 0);
}

static pthread_barrier_t barrier;

static void *meets(void *arg)
{
    *(pid_t *)arg = tid();
    pthread_barrier_wait(&barrier);
    return arg;
}

static void many(void)
{
    enum { COUNT = 64 };
    pthread_t t[COUNT];
    pthread_attr_t attr;
    pid_t ids[COUNT];
    int same = 0;
    for (int i = 0; i < 10; i++)
        thread(detaches, NULL);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    for (int i = 0; i < 10; i++)
        pthread_create(&t[0], &attr, counts, NULL);
    UNTIL(__atomic_load_n(&shared, __ATOMIC_SEQ_CST) == 20);
    printf("ok detached\n");
    for (int i = 0; i < 100; i++)
        join(thread(counts, NULL));
    EQ("one after the other", shared, 120);
    EQ("each starts the next", join(thread(nests, (void *)10)), 10);
    pthread_barrier_init(&barrier, NULL, COUNT + 1);
    for (int i = 0; i < COUNT; i++)
        t[i] = thread(meets, &ids[i]);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < COUNT; i++)
        same += join(t[i]) != &ids[i];
    for (int i = 0; i < COUNT; i++)
        for (int j = 0; j < i; j++)
            same += ids[i] == ids[j];
    EQ("ids of 64 at once differ", same, 0);
}

int main(void)
{
    tasks_begin();
    basics();
    locals();
    stacks();
    many();
    return check_done();
}
