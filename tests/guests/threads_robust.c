// Robust mutexes: one whose owner ends is found again by the next, in the same process and in another.
#include "pages.h"
#include "tasks.h"
#include <linux/futex.h>

static struct common {
    pthread_mutex_t mutex;
    int value;
} *common;
static int ends[2], mode;

static void new_mutex(void)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    EQ("robust", pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST), 0);
    memset(&common->mutex, 0, sizeof common->mutex);
    pthread_mutex_init(&common->mutex, &attr);
    pthread_mutexattr_destroy(&attr);
}

static void *dies_with_it(void *arg)
{
    pthread_mutex_lock(&common->mutex);
    common->value++;
    return arg;
}

static void *locks(void *arg)
{
    *(int *)arg = pthread_mutex_lock(&common->mutex);
    if (*(int *)arg == EOWNERDEAD)
        pthread_mutex_consistent(&common->mutex);
    pthread_mutex_unlock(&common->mutex);
    return arg;
}

static void threads(void)
{
    int result = -1;
    new_mutex();
    join(thread(dies_with_it, NULL));
    EQ("the owner is dead", pthread_mutex_lock(&common->mutex), EOWNERDEAD);
    EQ("what he wrote", common->value, 1);
    EQ("consistent", pthread_mutex_consistent(&common->mutex), 0);
    EQ("unlock", pthread_mutex_unlock(&common->mutex), 0);
    EQ("as good as new", pthread_mutex_lock(&common->mutex), 0);
    // One waits while the owner, here a second time a thread, ends.
    pthread_mutex_unlock(&common->mutex);
    pthread_t owner = thread(dies_with_it, NULL);
    UNTIL(__atomic_load_n(&common->value, __ATOMIC_SEQ_CST) == 2);
    pthread_t waiter = thread(locks, &result);
    join(owner);
    join(waiter);
    EQ("the waiter is told", result, EOWNERDEAD);
    join(thread(dies_with_it, NULL));
    EQ("trylock is told, too", pthread_mutex_trylock(&common->mutex), EOWNERDEAD);
    pthread_mutex_unlock(&common->mutex);
    EQ("not mended: lost", pthread_mutex_lock(&common->mutex), ENOTRECOVERABLE);
}

static int owner(void)
{
    char byte = 'l';
    pthread_mutex_lock(&common->mutex);
    common->value = mode;
    NEED(write(ends[1], &byte, 1));
    if (mode == 1)
        _exit(3);
    volatile int *volatile nowhere = (int *)8;
    if (mode == 2)
        *nowhere = 1;
    // The process goes on by exec, and its memory is gone.
    execl("/proc/self/exe", "x", "exit", NULL);
    return 98;
}

static void processes(void)
{
    static const char *const names[] = {"ended", "fault", "exec"};
    static const int codes[] = {3, 1000 + SIGSEGV, 4};
    char byte;
    for (mode = 1; mode < 4; mode++) {
        new_mutex();
        int result = -1;
        pid_t pid = child(owner);
        NEED(read(ends[0], &byte, 1));
        pthread_t waiter = thread(locks, &result);
        EQ(names[mode - 1], end_of(pid), codes[mode - 1]);
        join(waiter);
        EQ("the waiter is told", result, EOWNERDEAD);
        EQ("what he wrote", common->value, mode);
        EQ("free", pthread_mutex_trylock(&common->mutex), 0);
        pthread_mutex_unlock(&common->mutex);
    }
}

// The list as the kernel knows it, without a library.
static struct {
    struct robust_list_head head;
    struct robust_list entry;
    unsigned futex;
} *bare;

static int registers(void)
{
    struct robust_list_head *head = NULL;
    size_t size = 0;
    bare->head.list.next = &bare->entry;
    bare->entry.next = &bare->head.list;
    bare->head.futex_offset = (char *)&bare->futex - (char *)&bare->entry;
    OK("set_robust_list", syscall(SYS_set_robust_list, &bare->head, sizeof bare->head));
    OK("get_robust_list", syscall(SYS_get_robust_list, 0, &head, &size));
    CHECK("as set", head == &bare->head && size == sizeof bare->head);
    ERR("wrong size", syscall(SYS_set_robust_list, &bare->head, 5), EINVAL);
    ERR("nobody's", syscall(SYS_get_robust_list, 0x3fffffff, &head, &size), ESRCH);
    bare->futex = (unsigned)tid();
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return !strcmp(argv[1], "exit") ? 4 : 5;
    tasks_begin();
    NEED(pipe(ends));
    common = shared_pages(PAGE);
    bare = shared_pages(PAGE);
    threads();
    processes();
    pid_t pid = child(registers);
    EQ("registered", end_of(pid), 0);
    EQ("marked by the kernel", bare->futex, FUTEX_OWNER_DIED);
    return check_done();
}
