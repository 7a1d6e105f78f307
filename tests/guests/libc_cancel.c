// Ends of threads: cancellation at every point that waits, cleanup handlers, detached ones, thread-local storage, threads of
// C11, and fork with its handlers.
// km-test: links=static-musl,dynamic-musl,static-kontain,dynamic-kontain
// km-test: truth=static-musl
#include "libc.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdalign.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <threads.h>
#include <time.h>

static int ends[2], full[2];
static sem_t ready, never;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_t main_thread;
static const struct timespec day = {86400, 0};
static char room[4096];

// Everything that waits for ever here, and must not when it is cancelled.
static void wait_read(void) { read(ends[0], room, 1); }
static void wait_readv(void) { readv(ends[0], &(struct iovec){room, 1}, 1); }
static void wait_write(void) { write(full[1], room, sizeof room); }
static void wait_recv(void) { recv(ends[0], room, 1, 0); }
static void wait_recvmsg(void) { recvmsg(ends[0], &(struct msghdr){.msg_iov = &(struct iovec){room, 1}, .msg_iovlen = 1},
    0); }
static void wait_poll(void) { poll(&(struct pollfd){ends[0], POLLIN, 0}, 1, -1); }
static void wait_ppoll(void) { ppoll(&(struct pollfd){ends[0], POLLIN, 0}, 1, NULL, NULL); }
static void wait_select(void)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    select(ends[0] + 1, &set, NULL, NULL, NULL);
}
static void wait_epoll(void)
{
    int fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event;
    epoll_wait(fd, &event, 1, -1);
}
static void wait_sleep(void) { sleep(86400); }
static void wait_usleep(void) { usleep(4000000000u); }
static void wait_nanosleep(void) { nanosleep(&day, NULL); }
static void wait_clock(void) { clock_nanosleep(CLOCK_MONOTONIC, 0, &day, NULL); }
static void wait_pause(void) { pause(); }
static void wait_sigsuspend(void)
{
    sigset_t none;
    sigemptyset(&none);
    sigsuspend(&none);
}
static void wait_sigwait(void)
{
    sigset_t usr1;
    int got;
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigwait(&usr1, &got);
}
static void wait_sem(void) { sem_wait(&never); }
static void wait_sem_timed(void) { sem_timedwait(&never, &(struct timespec){1L << 40, 0}); }
static void unlock(void *arg) { pthread_mutex_unlock(arg); }
static void wait_cond(void)
{
    pthread_mutex_lock(&mutex);
    pthread_cleanup_push(unlock, &mutex);
    for (;;)
        pthread_cond_wait(&cond, &mutex);
    pthread_cleanup_pop(0);
}
static void wait_join(void) { pthread_join(main_thread, NULL); }
static void wait_child(void) { waitpid(-1, NULL, 0); }
static void wait_accept(void)
{
    int s = socket(AF_UNIX, SOCK_STREAM, 0);
    bind(s, &(struct sockaddr){AF_UNIX, {0}}, sizeof(sa_family_t));
    listen(s, 1);
    accept(s, NULL, NULL);
}
static void wait_testing(void)
{
    for (;;) {
        pthread_testcancel();
        sched_yield();
    }
}
static void wait_nothing(void)
{
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    for (;;) {
    }
}

static const struct { const char *name; void (*wait)(void); } points[] = {
    {"read", wait_read}, {"readv", wait_readv}, {"write", wait_write}, {"recv", wait_recv}, {"recvmsg", wait_recvmsg},
    {"poll", wait_poll}, {"ppoll", wait_ppoll}, {"select", wait_select},
    {"epoll_wait", wait_epoll}, {"sleep", wait_sleep}, {"usleep", wait_usleep}, {"nanosleep", wait_nanosleep},
    {"clock_nanosleep", wait_clock}, {"pause", wait_pause}, {"sigsuspend", wait_sigsuspend},
    {"sigwait", wait_sigwait}, {"sem_wait", wait_sem}, {"sem_timedwait", wait_sem_timed}, {"pthread_cond_wait", wait_cond},
    {"pthread_join", wait_join}, {"waitpid", wait_child}, {"accept", wait_accept},
    {"pthread_testcancel", wait_testing}, {"no call", wait_nothing}};

static int cleaned;
static void clean(void *arg)
{
    cleaned = cleaned * 10 + (int)(long)arg;
}
static void *waits(void *arg)
{
    void (*wait)(void) = *(void (**)(void))arg;
    pthread_cleanup_push(clean, (void *)1);
    pthread_cleanup_push(clean, (void *)2);
    sem_post(&ready);
    wait();
    pthread_cleanup_pop(0);
    pthread_cleanup_pop(0);
    return "came back";
}

static void at_every_point(void)
{
    for (size_t i = 0; i < COUNT(points); i++)
        for (int early = 0; early < 2; early++) {
            pthread_t t;
            void *result = NULL;
            cleaned = 0;
            pthread_create(&t, NULL, waits, (void *)&points[i].wait);
            sem_wait(&ready);
            // Cancelled before it waits, or most likely while it does: the end is the same.
            if (!early)
                nanosleep(&(struct timespec){0, 2000000}, NULL);
            int cancelled = pthread_cancel(t);
            pthread_join(t, &result);
            printf("%s: %d %s, cleaned %d\n", points[i].name, cancelled,
                result == PTHREAD_CANCELED ? "cancelled" : (char *)result, cleaned);
        }
    INT(pthread_mutex_trylock(&mutex));
    INT(pthread_mutex_unlock(&mutex));
}

static void *disables(void *arg)
{
    int old = -1;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    printf("was %d", old);
    sem_post(&ready);
    sem_wait(&never);
    errno = 0;
    long n = write(ends[1], "x", 1);
    printf(", written %ld", n);
    pthread_setcancelstate(PTHREAD_CANCEL_MASKED, &old);
    printf(", masked after %d", old);
    n = read(ends[1], room, 1);
    printf(", read %ld error %d", n, errno);
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
    printf(", enabled after %d\n", old);
    pthread_testcancel();
    return arg;
}
static void *exits(void *arg)
{
    pthread_cleanup_push(clean, (void *)3);
    pthread_cleanup_push(clean, (void *)4);
    pthread_cleanup_pop(1);
    pthread_exit(arg);
    pthread_cleanup_pop(0);
    return NULL;
}
static void *cancels_itself(void *arg)
{
    pthread_cancel(pthread_self());
    pthread_testcancel();
    return arg;
}

static int ended;
static void *detached(void *arg)
{
    if (arg)
        pthread_detach(pthread_self());
    __atomic_add_fetch(&ended, 1, __ATOMIC_SEQ_CST);
    return arg;
}

static void other_ends(void)
{
    pthread_t t;
    void *result = NULL;
    pthread_create(&t, NULL, disables, NULL);
    sem_wait(&ready);
    INT(pthread_cancel(t));
    sem_post(&never);
    pthread_join(t, &result);
    INT(result == PTHREAD_CANCELED);
    cleaned = 0;
    pthread_create(&t, NULL, exits, "left");
    pthread_join(t, &result);
    TEXT(result);
    INT(cleaned);
    pthread_create(&t, NULL, cancels_itself, NULL);
    pthread_join(t, &result);
    INT(result == PTHREAD_CANCELED);
    INT(pthread_tryjoin_np(pthread_self(), NULL));
    INT(pthread_timedjoin_np(pthread_self(), NULL, &(struct timespec){1, 0}));
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    for (int i = 0; i < 40; i++)
        if (pthread_create(&t, i % 2 ? &attr : NULL, detached, i % 2 ? NULL : "itself"))
            puts("not created");
    while (__atomic_load_n(&ended, __ATOMIC_SEQ_CST) < 40)
        sched_yield();
    INT(ended);
}

static _Thread_local int zero;
static _Thread_local int seven = 7;
static _Thread_local alignas(64) char aligned[100] = "aligned";
static int tls_thread(void *arg)
{
    int before = zero * 100 + seven;
    zero = (int)(long)arg;
    seven += zero;
    thrd_yield();
    printf("%d %d %d %s %d\n", before, zero, seven, aligned, (int)((uintptr_t)aligned % 64));
    aligned[0] = '#';
    return seven;
}

static mtx_t lock;
static cnd_t changed;
static tss_t slot;
static once_flag flag = ONCE_FLAG_INIT;
static int count;
static void once_only(void) { printf("once\n"); }
static void slot_end(void *value) { printf("slot of %s\n", (char *)value); }
static int counts(void *arg)
{
    call_once(&flag, once_only);
    for (int i = 0; i < 1000; i++) {
        mtx_lock(&lock);
        count++;
        mtx_unlock(&lock);
    }
    mtx_lock(&lock);
    cnd_signal(&changed);
    mtx_unlock(&lock);
    return *(int *)arg;
}
static int leaves(void *arg)
{
    tss_set(slot, arg);
    thrd_exit(77);
}
static int takes(void *arg)
{
    struct timespec at;
    timespec_get(&at, TIME_UTC);
    at.tv_nsec = (at.tv_nsec + 5000000) % 1000000000;
    return mtx_trylock(&lock) * 10 + mtx_timedlock(&lock, arg ? arg : &at);
}

static void of_c11(void)
{
    thrd_t t[4];
    int result = 0;
    for (long i = 1; i < 4; i++) {
        thrd_create(&t[0], tls_thread, (void *)i);
        INT(thrd_join(t[0], &result));
        INT(result);
    }
    printf("%d %d %s\n", zero, seven, aligned);
    INT(mtx_init(&lock, mtx_plain | mtx_timed));
    INT(cnd_init(&changed));
    INT(tss_create(&slot, slot_end));
    int numbers[4] = {1, 2, 3, 4};
    mtx_lock(&lock);
    for (int i = 0; i < 4; i++)
        thrd_create(&t[i], counts, &numbers[i]);
    while (count < 4000)
        cnd_wait(&changed, &lock);
    mtx_unlock(&lock);
    for (int i = 0; i < 4; i++) {
        thrd_join(t[i], &result);
        INT(result);
    }
    INT(count);
    thrd_create(&t[0], leaves, "thread");
    thrd_join(t[0], &result);
    INT(result);
    INT(mtx_lock(&lock));
    thrd_create(&t[0], takes, &(struct timespec){1, 0});
    thrd_join(t[0], &result);
    INT(result);
    INT(cnd_timedwait(&changed, &lock, &(struct timespec){1, 0}));
    INT(mtx_unlock(&lock));
    INT(thrd_sleep(&(struct timespec){0, 1000}, NULL));
    INT(thrd_equal(thrd_current(), thrd_current()));
    thrd_create(&t[0], takes, &(struct timespec){1, 0});
    INT(thrd_detach(t[0]));
}

static void before_1(void) { puts("before 1"); }
static void before_2(void) { puts("before 2"); }
static void parent_1(void) { puts("parent 1"); }
static void parent_2(void) { puts("parent 2"); }
static void child_1(void) { puts("child 1"); }
static void child_2(void) { puts("child 2"); }
static void *forks(void *arg)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        // The only thread, with the storage of the one that forked.
        printf("in the child %s %d\n", aligned, seven);
        fflush(stdout);
        _exit(5);
    }
    int status = 0;
    INT(waitpid(pid, &status, 0) == pid);
    INT(WEXITSTATUS(status));
    return arg;
}

static void forked(void)
{
    pthread_atfork(before_1, parent_1, child_1);
    pthread_atfork(before_2, parent_2, child_2);
    pthread_atfork(NULL, NULL, NULL);
    pthread_t t;
    pthread_create(&t, NULL, forks, NULL);
    pthread_join(t, NULL);
}

int main(void)
{
    alarm(60);
    main_thread = pthread_self();
    socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    pipe(full);
    fcntl(full[1], F_SETFL, O_NONBLOCK);
    while (write(full[1], room, sizeof room) > 0) {
    }
    fcntl(full[1], F_SETFL, 0);
    sem_init(&ready, 0, 0);
    sem_init(&never, 0, 0);
    // A child that stays, for waitpid to wait for.
    pid_t stays = fork();
    if (stays == 0) {
        alarm(60);
        for (;;)
            pause();
    }
    at_every_point();
    other_ends();
    kill(stays, SIGKILL);
    waitpid(stays, NULL, 0);
    of_c11();
    forked();
    return 0;
}
