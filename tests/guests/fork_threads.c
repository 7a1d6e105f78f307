// fork while other threads run, allocate and hold locks: the child has one thread, whole memory and free locks.
#include "files.h"
#include "tasks.h"
#include <sched.h>

static int stop, allocated, recording = 1;
static char order[8];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static __thread int own;

static void *busy(void *arg)
{
    char *blocks[8] = {0};
    for (unsigned i = 0; !__atomic_load_n(&stop, __ATOMIC_SEQ_CST); i++) {
        free(blocks[i % 8]);
        blocks[i % 8] = malloc(i * 31 % 3000 + 1);
        blocks[i % 8][0] = (char)i;
        pthread_mutex_lock(&mutex);
        allocated++;
        pthread_mutex_unlock(&mutex);
        if (i % 64 == 0)
            pause_ms(1);
    }
    for (int i = 0; i < 8; i++)
        free(blocks[i]);
    return arg;
}

static void note(char c)
{
    if (recording)
        order[strlen(order)] = c;
}

static void prepare1(void) { note('b'); }
static void prepare2(void) { note('a'); pthread_mutex_lock(&mutex); }
static void parent1(void) { note('c'); }
static void parent2(void) { pthread_mutex_unlock(&mutex); note('d'); }
static void child1(void) { note('e'); }
static void child2(void) { pthread_mutex_unlock(&mutex); note('f'); }

static void *adds(void *arg)
{
    own = 3;
    ++*(int *)arg;
    return malloc(100);
}

static int in_child(void)
{
    int count = 0;
    if (tid() != getpid() || entries("/proc/self/task") != 1)
        return 1;
    // The others are gone: what they held stays allocated, but nothing is locked.
    for (int i = 0; i < 50; i++)
        free(malloc((size_t)i * 100));
    pthread_mutex_lock(&mutex);
    int before = allocated;
    pthread_mutex_unlock(&mutex);
    sched_yield();
    if (allocated != before)
        return 2;
    for (int i = 0; i < 3; i++)
        free(join(thread(adds, &count)));
    return count == 3 && own == 77 ? 42 : 3;
}

static int nested(void) { return child_end(in_child) == 42 ? 43 : 4; }

static void *forks(void *arg)
{
    own = 77;
    int bad = 0;
    for (int i = 0; i < 4; i++)
        bad += child_end(in_child) != 42;
    *(int *)arg = bad;
    return NULL;
}

// The forking thread is not main; its child may end as a thread does.
static void *forks_and_exits(void *arg)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        pthread_exit(arg);
    *(int *)arg = waitpid(pid, &status, 0) == pid ? end_code(status) : -1;
    return NULL;
}

static int quiet(void)
{
    return strcmp(order, "abef") ? 9 : 8;
}

int main(void)
{
    pthread_t t[4], f[2];
    int bad[2], end;
    tasks_begin();
    own = 77;
    EQ("atfork", pthread_atfork(prepare1, parent1, child1), 0);
    EQ("another", pthread_atfork(prepare2, parent2, child2), 0);
    EQ("handlers in the child", child_end(quiet), 8);
    STR("handlers in the parent", order, "abcd");
    recording = 0;
    for (int i = 0; i < 4; i++)
        t[i] = thread(busy, &allocated);
    int wrong = 0;
    for (int i = 0; i < 4; i++)
        wrong += child_end(in_child) != 42;
    EQ("by main, others busy", wrong, 0);
    EQ("a child's child", child_end(nested), 43);
    fflush(stdout);
    for (int i = 0; i < 2; i++)
        f[i] = thread(forks, &bad[i]);
    join(f[0]);
    join(f[1]);
    EQ("by two others at a time", bad[0] + bad[1], 0);
    join(thread(forks_and_exits, &end));
    EQ("its child ends as a thread", end, 0);
    __atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
    for (int i = 0; i < 4; i++)
        EQ("a busy one lived on", join(t[i]), &allocated);
    return check_done();
}
