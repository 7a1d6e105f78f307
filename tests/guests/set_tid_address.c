// set_tid_address: the word that is cleared, and woken on, when a thread ends.
#include "pages.h"
#include "tasks.h"
#include <linux/futex.h>

static int *shared;

static int ends_with_word(void)
{
    return syscall(SYS_set_tid_address, shared) == getpid() ? 0 : 1;
}

static int bad_word(void)
{
    syscall(SYS_set_tid_address, 8);
    return 6;
}

// Ends without its library, whose own word it has replaced.
static void *ends(void *arg)
{
    long id = syscall(SYS_set_tid_address, arg);
    __atomic_store_n((int *)arg, id == tid() ? 1 : 2, __ATOMIC_SEQ_CST);
    syscall(SYS_exit, 0);
    return NULL;
}

static void *waits(void *arg)
{
    int value, seen = 0;
    while ((value = __atomic_load_n((int *)arg, __ATOMIC_SEQ_CST))) {
        seen = value == 2 ? 2 : seen;
        futex(arg, FUTEX_WAIT, value, NULL, NULL, 0);
    }
    return seen == 2 ? arg : NULL;
}

int main(void)
{
    tasks_begin();
    static int words[4];
    int bad = 0;
    shared = shared_pages(PAGE);
    EQ("it gives the thread's number", syscall(SYS_set_tid_address, &words[0]), getpid());
    shared[0] = 5;
    EQ("a process alone", child_end(ends_with_word), 0);
    // Only memory that another thread still uses is looked after.
    EQ("leaves its word", shared[0], 5);
    EQ("a word that is nowhere harms nobody", child_end(bad_word), 6);
    for (int i = 1; i < 4; i++) {
        words[i] = 9;
        pthread_t waiter = thread(waits, &words[i]);
        thread(ends, &words[i]);
        bad += join(waiter) != NULL;
    }
    EQ("cleared when a thread ends, and woken", bad, 0);
    return check_done();
}
