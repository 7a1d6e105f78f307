// seccomp: threads have filters of their own, inherit them, and may bring theirs to all.
#include "seccomp.h"
#include <semaphore.h>

static sem_t ready, go;
static volatile long seen;

static long probe(void) { return raw(SYS_getppid, 0, 0, 0) > 0 ? 0 : raw(SYS_getppid, 0, 0, 0); }

static void wait_for(sem_t *s)
{
    while (sem_wait(s) == -1 && errno == EINTR) {
    }
}

static void *probes(void *arg)
{
    (void)arg;
    sem_post(&ready);
    wait_for(&go);
    return (void *)probe();
}

static void *probes_at_once(void *arg)
{
    (void)arg;
    return (void *)probe();
}

static void *filters_itself(void *arg)
{
    no_new_privs();
    forbid(SYS_getppid, ERRNO_OF((unsigned)(uintptr_t)arg));
    long own = probe();
    long inherited = (long)join(thread(probes_at_once, NULL));
    return (void *)(own == inherited ? own : 1);
}

static int own_filters(void)
{
    int mode = prctl(PR_GET_SECCOMP), privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    pthread_t t = thread(probes, NULL);
    wait_for(&ready);
    EQ("a thread's own, and its child's", (long)join(thread(filters_itself, (void *)71)), -71);
    sem_post(&go);
    EQ("not of one that was there", (long)join(t), 0);
    EQ("not of the first", probe(), 0);
    EQ("its mode", prctl(PR_GET_SECCOMP), mode);
    EQ("its no_new_privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), privs);
    return 0;
}

static volatile pid_t other_tid;

static void *has_another(void *arg)
{
    no_new_privs();
    other_tid = tid();
    forbid(NOBODY, ERRNO_OF(5));
    return probes(arg);
}

static void *has_privs(void *arg)
{
    probes(arg);
    return (void *)(long)prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

static const struct sock_filter no_parent[] = {LOAD(FIELD(nr)), ON(SYS_getppid, ERRNO_OF(72)), RETURN(SECCOMP_RET_ALLOW)};

static int all_threads(void)
{
    pthread_t a = thread(probes, NULL), b = thread(has_privs, NULL);
    wait_for(&ready), wait_for(&ready);
    no_new_privs();
    EQ("tsync", install_as(SECCOMP_FILTER_FLAG_TSYNC, no_parent, COUNT(no_parent)), 0);
    sem_post(&go), sem_post(&go);
    EQ("another thread", (long)join(a), -72);
    EQ("has no_new_privs as well", (long)join(b), 1);
    EQ("the caller", probe(), -72);
    EQ("a new thread", (long)join(thread(probes_at_once, NULL)), -72);
    // All have the same ones: more can be added.
    a = thread(probes, NULL);
    wait_for(&ready);
    static const struct sock_filter more[] = {LOAD(FIELD(nr)), ON(SYS_getppid, ERRNO_OF(73)), RETURN(SECCOMP_RET_ALLOW)};
    EQ("tsync again", install_as(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH, more, COUNT(more)), 0);
    sem_post(&go);
    EQ("the newest everywhere", (long)join(a), -73);
    return 0;
}

static int a_thread_apart(void)
{
    pthread_t t = thread(has_another, NULL);
    wait_for(&ready);
    no_new_privs();
    EQ("the thread that has another",
       install_as(SECCOMP_FILTER_FLAG_TSYNC, no_parent, COUNT(no_parent)) == other_tid, 1);
    ERR("or ESRCH",
        install_as(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH, no_parent, COUNT(no_parent)), ESRCH);
    EQ("nobody has it", probe(), 0);
    sem_post(&go);
    EQ("nobody", (long)join(t), 0);
    // Older kernels look at it until it is gone altogether.
    UNTIL(syscall(SYS_tgkill, getpid(), other_tid, 0) == -1);
    EQ("after its end", install_as(SECCOMP_FILTER_FLAG_TSYNC, no_parent, COUNT(no_parent)), 0);
    EQ("the filter is there", probe(), -72);
    return 0;
}

// A thread sleeps in a call while it gets its filter: that call goes on.
static int pair[2];

static void *reads(void *arg)
{
    char byte = 0;
    (void)arg;
    sem_post(&ready);
    long first = raw(SYS_read, pair[0], (long)&byte, 1);
    long second = raw(SYS_read, pair[0], (long)&byte, 1);
    return (void *)(first == 1 && second == -74 ? 1l : 0l);
}

static int in_a_call(void)
{
    static const struct sock_filter no_read[] = {LOAD(FIELD(nr)), ON(SYS_read, ERRNO_OF(74)), RETURN(SECCOMP_RET_ALLOW)};
    NEED(pipe(pair));
    pthread_t t = thread(reads, NULL);
    wait_for(&ready);
    pause_ms(20);
    no_new_privs();
    EQ("tsync", install_as(SECCOMP_FILTER_FLAG_TSYNC, no_read, COUNT(no_read)), 0);
    NEED(write(pair[1], "xy", 2));
    EQ("the next call", (long)join(t), 1);
    return 0;
}

static void *is_killed(void *arg)
{
    no_new_privs();
    forbid(SYS_getppid, SECCOMP_RET_KILL_THREAD);
    if (arg)
        sem_post(&ready);
    killed_tid = tid();
    raw(SYS_getppid, 0, 0, 0);
    seen = 1;
    return NULL;
}

static int kills_a_thread(void)
{
    run_to_its_kill(is_killed, NULL);
    EQ("it is gone", seen, 0);
    EQ("others are not", probe(), 0);
    return 3;
}

static void *ends_late(void *arg)
{
    (void)arg;
    wait_for(&ready);
    // Until the first thread is seen to be gone.
    char state = 0;
    while (state != 'Z') {
        char path[64];
        snprintf(path, sizeof path, "/proc/self/task/%d/stat", getpid());
        FILE *f = fopen(path, "re");
        if (!f || fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
            state = 'Z';
        if (f)
            fclose(f);
        pause_ms(1);
    }
    _exit(4);
}

static int kills_the_first(void)
{
    thread(ends_late, NULL);
    is_killed("");
    return 1;
}

static void *goes(void *arg)
{
    (void)arg;
    killed_tid = tid();
    syscall(SYS_exit, 0);
    return NULL;
}

// The others have ended before.
static int kills_the_last(void)
{
    run_to_its_kill(goes, NULL);
    is_killed(NULL);
    return 1;
}

static void *kills_all(void *arg)
{
    (void)arg;
    no_new_privs();
    forbid(SYS_getppid, SECCOMP_RET_KILL_PROCESS);
    raw(SYS_getppid, 0, 0, 0);
    return NULL;
}

static int kills_the_process(void)
{
    join(thread(kills_all, NULL));
    return 1;
}

int main(void)
{
    tasks_begin();
    sem_init(&ready, 0, 0);
    sem_init(&go, 0, 0);
    EQ("own filters", child_end(own_filters), 0);
    EQ("all threads", child_end(all_threads), 0);
    EQ("a thread apart", child_end(a_thread_apart), 0);
    EQ("in a call", child_end(in_a_call), 0);
    EQ("kill a thread", child_end(kills_a_thread), 3);
    EQ("kill the first thread", child_end(kills_the_first), 4);
    EQ("kill the last", child_end(kills_the_last), 1000 + SIGSYS);
    EQ("kill the process", child_end(kills_the_process), 1000 + SIGSYS);
    return check_done();
}
