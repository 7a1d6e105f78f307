// exec by any thread of several: the process stays, all its other threads are gone, and the caller is the first.
#include "files.h"
#include "tasks.h"
#include <limits.h>

extern char **environ;
static char self[PATH_MAX], id[20];
static int ends[2], running;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t barrier;

static void *blocks(void *arg)
{
    char byte;
    __atomic_fetch_add(&running, 1, __ATOMIC_SEQ_CST);
    if (read(ends[0], &byte, 1) != 1)
        return arg;
    return NULL;
}

static void *waits(void *arg)
{
    __atomic_fetch_add(&running, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_lock(&mutex);
    return arg;
}

static void *spins(void *arg)
{
    __atomic_fetch_add(&running, 1, __ATOMIC_SEQ_CST);
    for (volatile long i = 0;; i = i + 1)
        if (i < 0)
            return arg;
}

static void *calls(void *arg)
{
    __atomic_fetch_add(&running, 1, __ATOMIC_SEQ_CST);
    for (;;)
        if (pthread_mutex_trylock(&mutex) != EBUSY || syscall(SYS_getppid) == -1)
            return arg;
}

static void *execs(void *arg)
{
    block(SIGUSR2);
    execl(self, "exec_threads", (char *)arg, id, NULL);
    return NULL;
}

static void *meets_and_execs(void *arg)
{
    pthread_barrier_wait(&barrier);
    return execs(arg);
}

static void others(void)
{
    snprintf(id, sizeof id, "%d", getpid());
    NEED(pipe(ends));
    pthread_mutex_lock(&mutex);
    block(SIGUSR1);
    thread(blocks, NULL);
    thread(waits, NULL);
    thread(spins, NULL);
    thread(calls, NULL);
    UNTIL(__atomic_load_n(&running, __ATOMIC_SEQ_CST) == 4);
}

static int from_main(void)
{
    others();
    execs("alone");
    return 98;
}

static int from_another(void)
{
    others();
    join(thread(execs, "alone"));
    return 98;
}

static int two_at_once(void)
{
    snprintf(id, sizeof id, "%d", getpid());
    pthread_barrier_init(&barrier, NULL, 2);
    thread(meets_and_execs, "one of two");
    join(thread(meets_and_execs, "one of two"));
    // Whoever was second is killed before it can come back.
    return waits_forever();
}

static int main_is_gone(void)
{
    snprintf(id, sizeof id, "%d", getpid());
    thread(execs, "alone");
    pthread_exit(NULL);
}

// A failed exec ends nobody.
static void *fails(void *arg)
{
    execl("/no/such/file", "x", NULL);
    *(int *)arg = errno;
    return arg;
}

static int after_failure(void)
{
    int error = 0;
    others();
    join(thread(fails, &error));
    NEED(write(ends[1], "x", 1));
    pause_ms(1);
    return error == ENOENT ? 6 : 7;
}

static int seen(char **argv)
{
    sigset_t set;
    EQ("process", getpid(), atoi(argv[2]));
    EQ("first thread", tid(), getpid());
    EQ("threads", entries("/proc/self/task"), 1);
    sigprocmask(SIG_BLOCK, NULL, &set);
    CHECK("the caller's mask", sigismember(&set, SIGUSR2));
    EQ("a new thread", join(thread(fails, id)), id);
    return check_failures ? 99 : 5;
}

int main(int argc, char **argv)
{
    if (argc > 2 && !strcmp(argv[1], "alone"))
        return seen(argv);
    if (argc > 2)
        return tid() == atoi(argv[2]) && entries("/proc/self/task") == 1 ? 4 : 3;
    tasks_begin();
    NEED(readlink("/proc/self/exe", self, sizeof self - 1));
    EQ("from main", child_end(from_main), 5);
    EQ("from another", child_end(from_another), 5);
    int bad = 0;
    for (int i = 0; i < 3; i++)
        bad += child_end(two_at_once) != 4;
    EQ("two at once", bad, 0);
    EQ("when main is gone", child_end(main_is_gone), 5);
    EQ("when it failed", child_end(after_failure), 6);
    return check_done();
}
