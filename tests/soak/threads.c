// Actions: threads that compute, wait, and are woken or cancelled.
#include "soak.h"
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <sys/epoll.h>

void *work(void *arg)
{
    struct piece *piece = arg;
    uint64_t r = piece->seed, sum = 0;
    switch (below(&r, 4)) {
    case 0:
        for (int i = 0; i < 2001; i++)
            sum ^= chain(piece->seed);
        break;
    case 1:
        sum = memory(piece->seed);
        break;
    case 2:
        sum = allocations(piece->seed);
        break;
    default:
        sum = chain(piece->seed);
        for (unsigned i = below(&r, 20); i > 0; i--)
            i % 4 ? (void)sched_yield() : pause_us(50);
    }
    piece->result = sum;
    // The last access: what it belongs to may be gone then.
    if (piece->left)
        __atomic_sub_fetch(piece->left, 1, __ATOMIC_SEQ_CST);
    return arg;
}

static uint64_t workers(uint64_t seed, int detached)
{
    uint64_t r = ~seed, wrong = 0;
    struct piece pieces[THREADS];
    pthread_t t[THREADS];
    int n = 1 + (int)below(&r, THREADS), left = n;
    for (int i = 0; i < n; i++) {
        pieces[i] = (struct piece){next(&r), 0, detached ? &left : NULL};
        t[i] = start(work, &pieces[i], detached);
    }
    for (int i = 0; i < n && !detached; i++)
        wrong += off("join", pthread_join(t[i], NULL) != 0, 0);
    UNTIL(!detached || __atomic_load_n(&left, __ATOMIC_SEQ_CST) == 0);
    for (int i = 0; i < n; i++)
        wrong += off("thread", pieces[i].result, chain(pieces[i].seed));
    return chain(seed) + wrong;
}

uint64_t threads(uint64_t seed) { return workers(seed, 0); }
uint64_t detached(uint64_t seed) { return workers(seed, 1); }

enum waking { BY_SIGNAL, BY_EVENT, BY_CANCEL };

struct sleeper {
    int how, by, fd[2], word, ready, awake;
};

static void sleep_once(struct sleeper *s)
{
    uint64_t value;
    struct pollfd p = {s->fd[0], POLLIN, 0};
    struct epoll_event event = {.events = EPOLLIN};
    int epoll;
    switch (s->how) {
    case 0:
        if (read(s->fd[0], &value, sizeof value) == sizeof value)
            give(s->fd[1], value);
        break;
    case 1:
        futex(&s->word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
        break;
    case 2:
        poll(&p, 1, -1);
        break;
    default:
        if ((epoll = epoll_create1(EPOLL_CLOEXEC)) != -1) {
            epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd[0], &event);
            epoll_wait(epoll, &event, 1, -1);
            close(epoll);
        }
    }
}

static void *sleeps(void *arg)
{
    struct sleeper *s = arg;
    interrupted = 0;
    __atomic_store_n(&s->ready, 1, __ATOMIC_SEQ_CST);
    while (s->by == BY_EVENT ? !__atomic_load_n(&s->word, __ATOMIC_SEQ_CST) : !interrupted)
        sleep_once(s);
    __atomic_store_n(&s->awake, 1, __ATOMIC_SEQ_CST);
    return arg;
}

// Threads that block are woken by a signal, by what they wait for, or cancelled.
uint64_t woken(uint64_t seed)
{
    uint64_t r = ~seed, wrong = 0;
    struct sleeper s[THREADS];
    pthread_t t[THREADS];
    int n = 1 + (int)below(&r, THREADS);
    for (int i = 0; i < n; i++) {
        s[i] = (struct sleeper){.how = (int)below(&r, 4), .by = (int)below(&r, 3)};
        // A cancelled one would leave its descriptor, and a futex is no place to be cancelled at.
        if (s[i].by == BY_CANCEL)
            s[i].how = 2 * (s[i].how / 2);
        if (s[i].by == BY_CANCEL && s[i].how == 2)
            s[i].how = 0;
        pipe_of(s[i].fd);
        t[i] = start(sleeps, &s[i], 0);
    }
    for (int i = 0; i < n; i++) {
        void *end = NULL;
        UNTIL(__atomic_load_n(&s[i].ready, __ATOMIC_SEQ_CST));
        pause_us(below(&r, 500));
        if (s[i].by == BY_CANCEL) {
            pthread_cancel(t[i]);
        } else if (s[i].by == BY_EVENT) {
            __atomic_store_n(&s[i].word, 1, __ATOMIC_SEQ_CST);
            futex(&s[i].word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
            give(s[i].fd[1], 1);
        } else {
            while (!__atomic_load_n(&s[i].awake, __ATOMIC_SEQ_CST)) {
                pthread_kill(t[i], SIGUSR1);
                pause_us(300);
            }
        }
        pthread_join(t[i], &end);
        wrong += off("woken", end == PTHREAD_CANCELED, s[i].by == BY_CANCEL);
        close_both(s[i].fd);
    }
    return chain(seed) + wrong;
}

_Noreturn void *work_forever(void *arg)
{
    struct piece piece = {*(uint64_t *)arg, 0, NULL};
    for (;;) {
        work(&piece);
        piece.seed++;
    }
}

void crowd_of(uint64_t *r, int n)
{
    for (int i = 0; i < n; i++)
        start(work_forever, r, 1);
}
