// Random mixes of threads, processes, signals and memory, the same for the same seed. Whatever a round makes, it ends: at
// a sample the program is as it was at the start, so that an observer can compare counts.
//
//     soak seed=N (rounds=N | seconds=N) [sample=N] [only=a,b] [without=a,b]
//     soak list
//
// A line is printed for each round, and for each sample, which goes on when a line was read:
//
//     round NUMBER CHECKSUM
//     sample NUMBER CHECKSUM SECONDS PID PID
//
// The two processes of a sample are to be observed as well: each round the first executes itself, and the second is
// succeeded by its child. A wrong checksum is told on standard error, and the exit code is 1.
#include "tasks.h"
#include <limits.h>
#include <linux/futex.h>
#include <malloc.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <dirent.h>

// At once: lanes, threads of an action, processes of an action.
#define LANES 4
#define THREADS 5
#define PROCESSES 3
// All that a sample has alive together, so that nothing is made for the first time later.
#define CROWD 31
#define STACK 65536
// The first thread of a forked child may end before the others; with musl 1.2 that is a deadlock in the C library.
#ifdef __GLIBC__
#define WAYS_TO_EXIT 4
#else
#define WAYS_TO_EXIT 3
#endif
#define PAGE 4096
// Where a program that is executed finds its descriptor, and where the lineages find theirs.
#define RESULT 50
#define LINEAGE 60

#define QUEUED (SIGRTMIN + 3)
#define TIMED (SIGRTMIN + 4)

extern char **environ;
static char self[PATH_MAX];
static int failed;

static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static unsigned below(uint64_t *state, unsigned limit) { return (unsigned)(next(state) >> 32) % limit; }

// What the work of `seed` comes to, wherever it is done.
static uint64_t chain(uint64_t seed)
{
    uint64_t sum = 0;
    for (int i = 0; i < 64; i++)
        sum = sum << 1 ^ sum >> 63 ^ next(&seed);
    return sum;
}

// How far something is from what it should be: nothing, or it is told.
static uint64_t off(const char *what, uint64_t got, uint64_t want)
{
    if (got == want)
        return 0;
    char line[160];
    int len = snprintf(line, sizeof line, "%s: got %llx want %llx, errno %d, process %d\n", what,
                       (unsigned long long)got, (unsigned long long)want, errno, getpid());
    if (write(2, line, (size_t)len) == -1)
        failed = 2;
    failed = 1;
    return got - want;
}

// Calls that a signal may interrupt.

static void pause_us(unsigned us)
{
    struct timespec t = {us / 1000000, us % 1000000 * 1000};
    while (nanosleep(&t, &t) == -1 && errno == EINTR) {
    }
}

static uint64_t take(int fd)
{
    uint64_t value = 0;
    ssize_t n;
    while ((n = read(fd, &value, sizeof value)) == -1 && errno == EINTR) {
    }
    return n == sizeof value ? value : 0;
}

static void give(int fd, uint64_t value)
{
    ssize_t n;
    while ((n = write(fd, &value, sizeof value)) == -1 && errno == EINTR) {
    }
    if (n != sizeof value)
        off("write", (uint64_t)n, sizeof value);
}

static void pipe_of(int fd[2])
{
    if (pipe2(fd, O_CLOEXEC))
        off("pipe2", 1, 0);
}

static void close_both(int fd[2])
{
    close(fd[0]);
    close(fd[1]);
}

// What a child gives: nothing if it died.
static uint64_t take_from_child(int fd[2])
{
    close(fd[1]);
    uint64_t value = take(fd[0]);
    close(fd[0]);
    return value;
}

static pthread_t start(void *(*run)(void *), void *arg, int detached)
{
    pthread_t t = 0;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    if (detached)
        pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    int error = pthread_create(&t, &attr, run, arg);
    pthread_attr_destroy(&attr);
    if (error) {
        errno = error;
        off("pthread_create", 1, 0);
        exit(1);
    }
    return t;
}

static pid_t forked(void)
{
    pid_t pid = fork();
    if (pid == -1)
        off("fork", 1, 0);
    if (pid == 0) {
        alarm(LIMIT);
        failed = 0;
    }
    return pid;
}

// Handlers.

static __thread volatile int interrupted;
static __thread volatile uint64_t queued;
static __thread volatile int fault_expected;
static __thread sigjmp_buf fault_exit;
static int expired;

static void on_interrupt(int number) { interrupted += number != 0; }

static void on_queued(int number, siginfo_t *info, void *context)
{
    queued += (uint64_t)info->si_value.sival_int + (number != QUEUED || !context);
}

static void on_timer(int number) { __atomic_add_fetch(&expired, number != 0, __ATOMIC_SEQ_CST); }

static void on_fault(int number)
{
    if (fault_expected)
        siglongjmp(fault_exit, number);
    signal(number, SIG_DFL);
}

static void set_handlers(void)
{
    handle(SIGUSR1, on_interrupt, 0);
    handle(SIGUSR2, on_interrupt, SA_RESTART);
    handle(QUEUED, on_queued, SA_SIGINFO | SA_RESTART);
    handle(TIMED, on_timer, SA_RESTART);
    handle(SIGSEGV, on_fault, 0);
}

// Actions. Each comes to chain(seed).

static int faults(volatile char *at)
{
    int number = sigsetjmp(fault_exit, 1);
    if (number == 0) {
        fault_expected = 1;
        *at = 1;
    }
    fault_expected = 0;
    return number;
}

static uint64_t memory(uint64_t seed)
{
    uint64_t r = ~seed, wrong = 0;
    for (unsigned i = 0, n = 1 + below(&r, 4); i < n; i++) {
        size_t pages = 2 + below(&r, 30);
        int fd = -1, kind = (int)below(&r, 4);
        if (kind == 0 && ((fd = memfd_create("soak", MFD_CLOEXEC)) == -1 || ftruncate(fd, (off_t)(pages * PAGE))))
            return off("memfd_create", 1, 0);
        char *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
        if (at == MAP_FAILED)
            return off("mmap", 1, 0);
        for (size_t p = 0; p < pages; p++)
            memcpy(at + p * PAGE, &seed, sizeof seed);
        if (kind == 1) {
            size_t more = pages + 1 + below(&r, 16);
            char *moved = mremap(at, pages * PAGE, more * PAGE, MREMAP_MAYMOVE);
            wrong += off("mremap", moved == MAP_FAILED, 0);
            at = moved;
            pages = more;
        } else if (kind == 2) {
            madvise(at + PAGE, PAGE, MADV_DONTNEED);
            wrong += off("given up", (uint64_t)at[PAGE], 0);
        } else if (kind == 3) {
            wrong += off("mprotect", (uint64_t)mprotect(at + PAGE, PAGE, PROT_READ), 0);
            wrong += off("fault", (uint64_t)faults(at + PAGE), SIGSEGV);
        }
        wrong += off("first page", memcmp(at, &seed, sizeof seed) != 0, 0);
        // A hole belongs to whoever maps something next.
        size_t hole = pages > 2 ? below(&r, 2) : 0;
        if (hole)
            wrong += off("hole", (uint64_t)munmap(at + PAGE, PAGE), 0) + off("start", (uint64_t)munmap(at, PAGE), 0);
        wrong += off("munmap", (uint64_t)munmap(at + 2 * hole * PAGE, (pages - 2 * hole) * PAGE), 0);
        if (fd >= 0)
            close(fd);
    }
    return chain(seed) + wrong;
}

static uint64_t allocations(uint64_t seed)
{
    uint64_t r = ~seed, wrong = 0, *blocks[16] = {0};
    for (int i = 0; i < 200; i++) {
        uint64_t **block = &blocks[below(&r, 16)];
        if (*block)
            wrong += off("block", **block, seed);
        free(*block);
        *block = malloc(8 + below(&r, i % 50 ? 2000 : 100000));
        **block = seed;
    }
    for (int i = 0; i < 16; i++)
        free(blocks[i]);
    return chain(seed) + wrong;
}

struct piece {
    uint64_t seed, result;
    int *left;
};

static void *work(void *arg)
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

static uint64_t threads(uint64_t seed) { return workers(seed, 0); }
static uint64_t detached(uint64_t seed) { return workers(seed, 1); }

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
        syscall(SYS_futex, &s->word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
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
static uint64_t woken(uint64_t seed)
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
            syscall(SYS_futex, &s[i].word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
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

struct target {
    uint64_t seed, want, result;
    int tid;
};

static void *is_signalled(void *arg)
{
    struct target *target = arg;
    uint64_t r = target->seed;
    queued = 0;
    __atomic_store_n(&target->tid, tid(), __ATOMIC_SEQ_CST);
    while (queued < target->want) {
        if (below(&r, 8) == 0) {
            block(QUEUED);
            sched_yield();
            unblock(QUEUED);
        }
        target->result = chain(target->seed);
    }
    target->result += queued - target->want;
    return arg;
}

// Queued signals arrive each, at a thread that computes and changes its mask.
static uint64_t signals(uint64_t seed)
{
    uint64_t r = ~seed;
    int n = 1 + (int)below(&r, 30);
    struct target target = {.seed = seed, .want = (uint64_t)n * (uint64_t)(n + 1) / 2};
    pthread_t t = start(is_signalled, &target, 0);
    UNTIL(__atomic_load_n(&target.tid, __ATOMIC_SEQ_CST));
    for (int i = 1; i <= n; i++) {
        siginfo_t info = {.si_code = SI_QUEUE, .si_pid = getpid(), .si_uid = getuid()};
        info.si_value.sival_int = i;
        while (syscall(SYS_rt_tgsigqueueinfo, getpid(), target.tid, QUEUED, &info) == -1 && errno == EAGAIN)
            pause_us(100);
        if (below(&r, 4) == 0)
            kill(getpid(), SIGUSR2);
    }
    pthread_join(t, NULL);
    return target.result;
}

static uint64_t timers(uint64_t seed)
{
    uint64_t wrong = 0, times = 0;
    struct itimerspec often = {{0, 1000000}, {0, 1000000}};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = TIMED};
    timer_t timer;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer))
        return off("timer_create", 1, 0);
    int before = __atomic_load_n(&expired, __ATOMIC_SEQ_CST);
    timer_settime(timer, 0, &often, NULL);
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    timerfd_settime(fd, 0, &often, NULL);
    for (int i = 0; i < 3; i++)
        times += take(fd);
    wrong += off("timerfd", times < 3, 0);
    UNTIL(__atomic_load_n(&expired, __ATOMIC_SEQ_CST) != before);
    wrong += off("timer_delete", (uint64_t)timer_delete(timer), 0);
    close(fd);
    return chain(seed) + wrong;
}

static uint64_t descriptors(uint64_t seed)
{
    uint64_t r = ~seed, wrong = 0;
    sigset_t none;
    sigemptyset(&none);
    for (unsigned i = below(&r, 6); i < 8; i++) {
        int pair[2], epoll = epoll_create1(EPOLL_CLOEXEC), event = eventfd(0, EFD_CLOEXEC);
        int signals = signalfd(-1, &none, SFD_CLOEXEC), copy = fcntl(epoll, F_DUPFD_CLOEXEC, 20);
        struct epoll_event in = {.events = EPOLLIN, .data.u64 = seed};
        wrong += off("socketpair", (uint64_t)socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        wrong += off("epoll_ctl", (uint64_t)epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &in), 0);
        give(pair[1], seed);
        give(event, 5);
        in.data.u64 = 0;
        int n;
        while ((n = epoll_wait(copy, &in, 1, -1)) == -1 && errno == EINTR) {
        }
        wrong += off("epoll_wait", in.data.u64, seed) + off("socket", take(pair[0]), seed) + off("event", take(event), 5);
        close_both(pair);
        close(epoll);
        close(event);
        close(signals);
        close(copy);
    }
    return chain(seed) + wrong;
}

// Processes.

static uint64_t mixture(uint64_t seed, int leaf);

static _Noreturn void *work_forever(void *arg)
{
    struct piece piece = {*(uint64_t *)arg, 0, NULL};
    for (;;) {
        work(&piece);
        piece.seed++;
    }
}

static void crowd_of(uint64_t *r, int n)
{
    for (int i = 0; i < n; i++)
        start(work_forever, r, 1);
}

static void *gives_later(void *arg)
{
    uint64_t *seed_and_fd = arg;
    pause_us(500);
    give((int)seed_and_fd[1], chain(seed_and_fd[0]));
    return arg;
}

// A child that does some of this and exits: as usual, while its threads run, or with its last thread.
static uint64_t forks(uint64_t seed)
{
    uint64_t r = ~seed, wrong = 0;
    int fd[2], how = (int)below(&r, WAYS_TO_EXIT), code = how == 3 ? 0 : 1 + (int)below(&r, 100);
    pipe_of(fd);
    pid_t pid = forked();
    if (pid == 0) {
        static uint64_t seed_and_fd[2];
        seed_and_fd[0] = seed;
        seed_and_fd[1] = (uint64_t)fd[1];
        if (how == 3) {
            start(gives_later, seed_and_fd, 0);
            pthread_exit(NULL);
        }
        if (how == 2)
            crowd_of(&r, 3);
        give(fd[1], mixture(seed, 1));
        _exit(failed ? 120 : code);
    }
    wrong += off("child's result", take_from_child(fd), chain(seed));
    wrong += off("child's code", (uint64_t)end_of(pid), (uint64_t)code);
    return chain(seed) + wrong;
}

// A child with threads that is killed at any time, or dies by itself.
static uint64_t killed(uint64_t seed)
{
    static const int by[] = {SIGKILL, SIGTERM, SIGSEGV, SIGABRT};
    uint64_t r = ~seed, wrong = 0;
    int fd[2], number = by[below(&r, 4)], waits = (int)below(&r, 3), n = (int)below(&r, 4);
    volatile char *read_only = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int from_outside = number == SIGKILL || number == SIGTERM;
    pipe_of(fd);
    pid_t pid = forked();
    if (pid == 0) {
        crowd_of(&r, n);
        give(fd[1], seed);
        if (from_outside)
            work_forever(&r);
        pause_us(below(&r, 2000));
        if (number == SIGSEGV) {
            signal(SIGSEGV, SIG_DFL);
            *read_only = 1;
        }
        abort();
    }
    if (waits)
        wrong += off("killed child's word", take_from_child(fd), seed);
    else
        close_both(fd);
    pause_us(below(&r, 5000));
    if (from_outside)
        kill(pid, number);
    wrong += off("killed child", (uint64_t)end_of(pid), (uint64_t)(1000 + number));
    munmap((void *)read_only, PAGE);
    return chain(seed) + wrong;
}

static uint64_t stopped(uint64_t seed)
{
    uint64_t r = ~seed, wrong = 0;
    int status = 0;
    pid_t pid = forked();
    if (pid == 0) {
        crowd_of(&r, 1);
        work_forever(&r);
    }
    pause_us(below(&r, 3000));
    kill(pid, SIGSTOP);
    while (waitpid(pid, &status, WUNTRACED) == -1 && errno == EINTR) {
    }
    wrong += off("stopped", (uint64_t)(WIFSTOPPED(status) ? WSTOPSIG(status) : 0), SIGSTOP);
    kill(pid, SIGCONT);
    while (waitpid(pid, &status, WCONTINUED) == -1 && errno == EINTR) {
    }
    wrong += off("continued", (uint64_t)status, 0xffff);
    kill(pid, SIGKILL);
    return chain(seed) + wrong + off("killed after that", (uint64_t)end_of(pid), 1000 + SIGKILL);
}

// A program to execute that gives chain(seed) and exits with `code`.
struct program {
    char seed[24], code[8];
    char *argv[5];
    pthread_t first;
};

static void program_of(struct program *program, uint64_t seed, int code)
{
    snprintf(program->seed, sizeof program->seed, "%llu", (unsigned long long)seed);
    snprintf(program->code, sizeof program->code, "%d", code);
    char *argv[] = {"soak", "exec-child", program->seed, program->code, NULL};
    memcpy(program->argv, argv, sizeof argv);
}

static void *executes(void *arg)
{
    struct program *program = arg;
    execv(self, program->argv);
    _exit(99);
}

// fork and exec: alone, while threads run, or by another thread than the first.
static uint64_t executed(uint64_t seed)
{
    uint64_t r = ~seed, wrong = 0;
    int fd[2], how = (int)below(&r, 3), code = 1 + (int)below(&r, 90);
    struct program program;
    program_of(&program, seed, code);
    pipe_of(fd);
    pid_t pid = forked();
    if (pid == 0) {
        dup2(fd[1], RESULT);
        if (how)
            crowd_of(&r, 3);
        if (how == 2) {
            start(executes, &program, 1);
            work_forever(&r);
        }
        executes(&program);
    }
    wrong += off("executed program's result", take_from_child(fd), chain(seed));
    wrong += off("executed program's code", (uint64_t)end_of(pid), (uint64_t)code);
    return chain(seed) + wrong;
}

static uint64_t vforks(uint64_t of)
{
    volatile uint64_t seed = of;
    uint64_t r = ~of, wrong = 0;
    int fd[2];
    volatile int how = (int)below(&r, 3), code = 1 + (int)below(&r, 90);
    struct program program;
    volatile int seen = 0;
    program_of(&program, seed, code);
    pipe_of(fd);
    pid_t pid = vfork();
    if (pid == 0) {
        seen = 1;
        if (how == 0)
            _exit(code);
        if (how == 1)
            execv("./not there", program.argv);
        dup2(fd[1], RESULT);
        execv(self, program.argv);
        _exit(98);
    }
    wrong += off("vfork's memory", (uint64_t)seen, 1);
    uint64_t result = take_from_child(fd);
    wrong += off("vfork's result", result, how ? chain(seed) : 0);
    wrong += off("vfork's code", (uint64_t)end_of(pid), (uint64_t)code);
    return chain(seed) + wrong;
}

struct victim {
    volatile pid_t pid;
    unsigned delay;
};

static void *kills(void *arg)
{
    struct victim *victim = arg;
    UNTIL(victim->pid);
    pause_us(victim->delay);
    kill(victim->pid, SIGKILL);
    return arg;
}

// A vfork child that is killed from outside wherever it is, its parent waiting.
static uint64_t vfork_killed(uint64_t of)
{
    volatile uint64_t seed = of;
    uint64_t r = ~of, wrong = 0;
    struct victim victim = {0, below(&r, 3000)};
    char *at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_t t = start(kills, &victim, 0);
    pid_t pid = vfork();
    if (pid == 0) {
        victim.pid = (pid_t)syscall(SYS_getpid);
        for (;;) {
            syscall(SYS_mprotect, at, PAGE, PROT_READ);
            syscall(SYS_mprotect, at, PAGE, PROT_READ | PROT_WRITE);
            syscall(SYS_close, syscall(SYS_dup, 0));
        }
    }
    wrong += off("killed vfork", (uint64_t)end_of(pid), 1000 + SIGKILL);
    pthread_join(t, NULL);
    munmap(at, 2 * PAGE);
    return chain(seed) + wrong;
}

static uint64_t spawns(uint64_t seed)
{
    uint64_t r = ~seed, wrong = 0;
    int fd[2], code = 1 + (int)below(&r, 90);
    pid_t pid = -1;
    struct program program;
    posix_spawn_file_actions_t actions;
    program_of(&program, seed, code);
    pipe_of(fd);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fd[1], RESULT);
    if (below(&r, 4) == 0)
        wrong += off("no program", (uint64_t)posix_spawn(&pid, "./not there", &actions, NULL, program.argv, environ), ENOENT);
    wrong += off("posix_spawn", (uint64_t)posix_spawn(&pid, self, &actions, NULL, program.argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    wrong += off("spawned program's result", take_from_child(fd), chain(seed));
    wrong += off("spawned program's code", (uint64_t)end_of(pid), (uint64_t)code);
    return chain(seed) + wrong;
}

// Children in a row, each with a pipe to the next.
static uint64_t pipes(uint64_t seed)
{
    uint64_t r = ~seed, wrong = 0;
    int fd[PROCESSES + 1][2], n = 1 + (int)below(&r, PROCESSES), words = 1 + (int)below(&r, 16);
    pid_t pids[PROCESSES];
    for (int i = 0; i <= n; i++)
        pipe_of(fd[i]);
    for (int i = 0; i < n; i++) {
        if ((pids[i] = forked()) == 0) {
            for (int j = 0; j < words; j++)
                give(fd[i + 1][1], chain(take(fd[i][0])));
            _exit(0);
        }
    }
    for (int j = 0; j < words; j++)
        give(fd[0][1], seed + (uint64_t)j);
    for (int j = 0; j < words; j++) {
        uint64_t want = seed + (uint64_t)j;
        for (int i = 0; i < n; i++)
            want = chain(want);
        wrong += off("word through pipes", take(fd[n][0]), want);
    }
    for (int i = 0; i < n; i++)
        wrong += off("child between pipes", (uint64_t)end_of(pids[i]), 0);
    for (int i = 0; i <= n; i++)
        close_both(fd[i]);
    return chain(seed) + wrong;
}

// The mix.

struct action {
    const char *name;
    uint64_t (*run)(uint64_t seed);
    // It makes no processes.
    int leaf, disabled;
};

static struct action actions[] = {
    {"memory", memory, 1, 0},     {"allocations", allocations, 1, 0}, {"threads", threads, 1, 0},
    {"detached", detached, 1, 0}, {"woken", woken, 1, 0},             {"signals", signals, 1, 0},
    {"timers", timers, 1, 0},     {"descriptors", descriptors, 1, 0}, {"fork", forks, 0, 0},
    {"killed", killed, 0, 0},     {"stopped", stopped, 0, 0},         {"exec", executed, 0, 0},
    {"vfork", vforks, 0, 0},      {"vfork-killed", vfork_killed, 0, 0}, {"spawn", spawns, 0, 0},
    {"pipes", pipes, 0, 0},
};
#define ACTIONS (sizeof actions / sizeof *actions)

// Two or three actions, some without processes of their own.
static uint64_t mixture(uint64_t seed, int leaf)
{
    uint64_t r = seed ^ 0x6d69787475726573, wrong = 0;
    for (unsigned n = 1 + below(&r, 3); n > 0; n--) {
        struct action *action = &actions[below(&r, ACTIONS)];
        uint64_t of = next(&r);
        if (!action->disabled && (action->leaf || !leaf))
            wrong += off(action->name, action->run(of), chain(of));
    }
    return chain(seed) + wrong;
}

static void *lane(void *arg)
{
    struct piece *piece = arg;
    piece->result = mixture(piece->seed, 0);
    return arg;
}

static uint64_t one_round(uint64_t seed)
{
    uint64_t r = seed, sum = 0, want = 0;
    struct piece lanes[LANES];
    pthread_t t[LANES];
    int n = 1 + (int)below(&r, LANES);
    for (int i = 0; i < n; i++) {
        lanes[i] = (struct piece){next(&r), 0, NULL};
        want += chain(lanes[i].seed);
        if (i > 0)
            t[i] = start(lane, &lanes[i], 0);
    }
    lane(&lanes[0]);
    for (int i = 1; i < n; i++)
        pthread_join(t[i], NULL);
    for (int i = 0; i < n; i++)
        sum += lanes[i].result;
    off("round", sum, want);
    return sum;
}

// Lineages: a process that executes itself over and over, and one that is succeeded by its child each time. A word says
// when, and the next generation answers with its id.

struct lineage {
    int to[2], from[2];
    pid_t pid;
};

static void serve_execs(int to, int from)
{
    alarm(LIMIT);
    give(from, (uint64_t)getpid());
    if (take(to) == 1)
        execl(self, "soak", "lineage", NULL);
    _exit(0);
}

static void serve_forks(int to, int from)
{
    alarm(LIMIT);
    give(from, (uint64_t)getpid());
    while (take(to) == 1) {
        pid_t pid = forked();
        if (pid)
            _exit(pid == -1);
        give(from, (uint64_t)getpid());
    }
    _exit(0);
}

static void begin_lineage(struct lineage *lineage, int executes)
{
    pipe_of(lineage->to);
    pipe_of(lineage->from);
    if ((lineage->pid = forked()) == 0) {
        if (executes) {
            dup2(lineage->to[0], LINEAGE);
            dup2(lineage->from[1], LINEAGE + 1);
            serve_execs(LINEAGE, LINEAGE + 1);
        }
        serve_forks(lineage->to[0], lineage->from[1]);
    }
    off("lineage", take(lineage->from[0]), (uint64_t)lineage->pid);
}

static void next_generation(struct lineage *lineage, int executes)
{
    give(lineage->to[1], 1);
    pid_t pid = (pid_t)take(lineage->from[0]);
    if (executes)
        off("the id after exec", (uint64_t)pid, (uint64_t)lineage->pid);
    else
        off("the one before", (uint64_t)end_of(lineage->pid), 0);
    lineage->pid = pid;
}

static void end_lineage(struct lineage *lineage)
{
    give(lineage->to[1], 0);
    off("end of a lineage", (uint64_t)end_of(lineage->pid), 0);
    close_both(lineage->to);
    close_both(lineage->from);
}

// Samples.

static int entries(const char *of)
{
    int n = 0;
    DIR *d = opendir(of);
    for (struct dirent *e; d && (e = readdir(d));)
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

static void *meets(void *arg)
{
    pthread_barrier_wait(arg);
    return arg;
}

// The same each time: as many threads as there ever are, and then none.
static void settle(void)
{
    pthread_barrier_t all;
    pthread_t t[CROWD];
    pthread_barrier_init(&all, NULL, CROWD + 1);
    for (int i = 0; i < CROWD; i++)
        t[i] = start(meets, &all, 0);
    pthread_barrier_wait(&all);
    for (int i = 0; i < CROWD; i++)
        pthread_join(t[i], NULL);
    UNTIL(entries("/proc/self/task") == 1);
    pthread_barrier_destroy(&all);
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int is_in(const char *list, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = list; (at = strstr(at, name)); at += len)
        if ((at == list || at[-1] == ',') && (at[len] == ',' || at[len] == '\0'))
            return 1;
    return 0;
}

struct options {
    unsigned long seed, rounds, seconds, sample;
};

static int read_option(struct options *options, const char *arg)
{
    const char *value = strchr(arg, '=');
    struct {
        const char *name;
        unsigned long *to;
    } numbers[] = {{"seed=", &options->seed}, {"rounds=", &options->rounds}, {"seconds=", &options->seconds},
                   {"sample=", &options->sample}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (strncmp(arg, numbers[i].name, strlen(numbers[i].name)) == 0) {
            *numbers[i].to = strtoul(value + 1, NULL, 10);
            return 0;
        }
    }
    int only = strncmp(arg, "only=", 5) == 0;
    if (!only && strncmp(arg, "without=", 8))
        return 1;
    for (size_t i = 0; i < ACTIONS; i++)
        actions[i].disabled |= is_in(value + 1, actions[i].name) != only;
    return 0;
}

static int soak(const struct options *options)
{
    struct lineage lineages[2];
    uint64_t r = options->seed, total = 0;
    unsigned long number = 0;
    double begin = seconds();
    char line[64];
    // Those whose parents are gone come here.
    NEED(prctl(PR_SET_CHILD_SUBREAPER, 1));
    for (int i = 0; i < 2; i++)
        begin_lineage(&lineages[i], i == 0);
    // What was opened for those before is closed by an exec.
    for (int i = 0; i < 2; i++)
        next_generation(&lineages[i], i == 0);
    settle();
    int opened = entries("/proc/self/fd");
    for (int last = 0; !failed; number++) {
        last = options->rounds ? number == options->rounds : seconds() - begin >= (double)options->seconds;
        if (last || (options->sample && number % options->sample == 0)) {
            settle();
            off("open descriptors", (uint64_t)entries("/proc/self/fd"), (uint64_t)opened);
            off("children left", (uint64_t)waitpid(-1, NULL, WNOHANG), 0);
            if (options->sample) {
                printf("sample %lu %016llx %.3f %d %d\n", number, (unsigned long long)total, seconds() - begin,
                       lineages[0].pid, lineages[1].pid);
                fflush(stdout);
                alarm(0);
                if (!fgets(line, sizeof line, stdin))
                    return 1;
            }
        }
        if (last)
            break;
        alarm(LIMIT);
        total += one_round(next(&r));
        for (int i = 0; i < 2; i++)
            next_generation(&lineages[i], i == 0);
        printf("round %lu %016llx\n", number, (unsigned long long)total);
        fflush(stdout);
    }
    for (int i = 0; i < 2; i++)
        end_lineage(&lineages[i]);
    off("nobody is left", waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, 1);
    return failed != 0;
}

#ifndef SOAK_ROUNDS
#define SOAK_ROUNDS 0
#endif

int main(int argc, char **argv)
{
    struct options options = {.seed = 1, .rounds = SOAK_ROUNDS};
    NEED(readlink("/proc/self/exe", self, sizeof self - 1));
    if (argc > 3 && strcmp(argv[1], "exec-child") == 0) {
        give(RESULT, chain(strtoull(argv[2], NULL, 10)));
        return atoi(argv[3]);
    }
    if (argc > 1 && strcmp(argv[1], "lineage") == 0)
        serve_execs(LINEAGE, LINEAGE + 1);
    if (argc > 1 && strcmp(argv[1], "list") == 0) {
        for (size_t i = 0; i < ACTIONS; i++)
            puts(actions[i].name);
        return 0;
    }
    for (int i = 1; i < argc; i++) {
        if (read_option(&options, argv[i])) {
            fprintf(stderr, "soak: %s: not understood\n", argv[i]);
            return 2;
        }
    }
    tasks_begin();
    set_handlers();
    return soak(&options);
}
