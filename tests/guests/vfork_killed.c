// A vfork child that is killed from outside, wherever it is: the parent goes on, with its memory as the child left it, and
// so do the parent's other threads. A child whose parent is killed goes on as well.
// km-test: timeout=100
#include "tasks.h"
#include <stdint.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define PAGE 4096
#define PAGES 16
#define TIMES 40

static char *area;
static volatile int stop;

static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

// Who kills: a thread or a process, told whom by a pipe. It waits for a time that is as good as random.
static int orders[2];

static void kill_all(void)
{
    uint64_t random = 1;
    pid_t pid;
    while (read(orders[0], &pid, sizeof pid) == sizeof pid && pid) {
        struct timespec t = {0, (long)(next(&random) % 2000000)};
        nanosleep(&t, NULL);
        kill(pid, SIGKILL);
    }
}

static void *killer(void *arg)
{
    kill_all();
    return arg;
}

static int kills_in_process(void)
{
    close(orders[1]);
    kill_all();
    return 0;
}

// What children do until they are killed. A raw call touches nothing of the C library's that its parent needs.

static void protects(void)
{
    for (int i = 0;; i = (i + 1) % PAGES) {
        char *at = area + i * PAGE;
        syscall(SYS_mprotect, at, PAGE, PROT_READ);
        syscall(SYS_mprotect, at, PAGE, PROT_READ | PROT_WRITE);
        *(volatile char *)at = 1;
    }
}

static void maps(void)
{
    const int prot = PROT_READ | PROT_WRITE, kind = MAP_PRIVATE | MAP_ANONYMOUS;
    for (;;) {
        char *more = (char *)syscall(SYS_mmap, NULL, PAGES * PAGE, prot, kind, -1, 0L);
        for (int i = 0; i < PAGES; i += 3)
            *(volatile char *)(more + i * PAGE) = 2;
        more = (char *)syscall(SYS_mremap, more, PAGES * PAGE, 2 * PAGES * PAGE, MREMAP_MAYMOVE, 0L);
        syscall(SYS_munmap, more + PAGE, PAGE);
        syscall(SYS_munmap, more, 2 * PAGES * PAGE);
        long end = syscall(SYS_brk, 0L);
        syscall(SYS_brk, end + 4 * PAGE);
        *(volatile char *)end = 3;
        syscall(SYS_brk, end);
    }
}

static void faults(void)
{
    for (;;) {
        for (int i = 0; i < PAGES; i++)
            *(volatile char *)(area + i * PAGE) = 4;
        syscall(SYS_madvise, area, PAGES * PAGE, MADV_DONTNEED);
        syscall(SYS_mmap, area, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0L);
    }
}

static void asks(void)
{
    char text[256];
    struct stat status;
    struct iovec pieces[2] = {{text, 100}, {text + 100, 100}};
    struct timeval now = {0, 0};
    struct rlimit limit;
    for (;;) {
        syscall(SYS_close, syscall(SYS_dup, 0));
        long fd = syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY);
        syscall(SYS_readv, fd, pieces, 2);
        syscall(SYS_close, fd);
        syscall(SYS_newfstatat, AT_FDCWD, "/proc/self/exe", &status, 0);
        syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", text, sizeof text);
        syscall(SYS_select, 0, NULL, NULL, NULL, &now);
        syscall(SYS_getrlimit, RLIMIT_DATA, &limit);
        syscall(SYS_setrlimit, RLIMIT_DATA, &limit);
    }
}

static void executes(void)
{
    char *const strings[] = {"one", "two", "three", NULL};
    for (;;) {
        syscall(SYS_execve, "./not there", strings, strings);
        syscall(SYS_execve, "/", strings, strings);
    }
}

static void sleeps(void)
{
    struct timespec t = {0, 100000};
    for (;;)
        syscall(SYS_nanosleep, &t, NULL);
}

static void computes(void)
{
    for (volatile int i = 0;; i = i + 1) {
    }
}

static const struct {
    const char *name;
    void (*run)(void);
} kinds[] = {
    {"protects", protects}, {"maps", maps},         {"faults", faults}, {"asks", asks},
    {"executes", executes}, {"sleeps", sleeps},     {"computes", computes},
};

// The parent's other threads need what the child may be killed with.
static void *busy(void *arg)
{
    uint64_t *rounds = arg;
    while (!stop) {
        volatile char *at = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED)
            return NULL;
        at[PAGE] = 1;
        munmap((void *)at, 4 * PAGE);
        free(malloc(300000));
        ++*rounds;
        pause_ms(1);
    }
    return arg;
}

static pid_t victim(void (*run)(void))
{
    pid_t pid = vfork();
    if (pid == 0) {
        pid_t own = (pid_t)syscall(SYS_getpid);
        syscall(SYS_write, orders[1], &own, sizeof own);
        run();
    }
    return pid;
}

static void kill_each_kind(const char *who)
{
    char what[64];
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        int wrong = 0;
        for (int i = 0; i < TIMES; i++) {
            wrong += end_of(victim(kinds[kind].run)) != 1000 + SIGKILL;
            // All of it is there, and what was not written is zero.
            mprotect(area, PAGES * PAGE, PROT_READ | PROT_WRITE);
            for (int page = 0; page < PAGES; page++)
                wrong += area[page * PAGE + 1] != 0;
            void *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            wrong += at == MAP_FAILED || memset(at, 1, PAGE) != at || munmap(at, PAGE);
            free(memset(malloc(5000), 1, 5000));
        }
        snprintf(what, sizeof what, "killed by a %s: %s", who, kinds[kind].name);
        EQ(what, wrong, 0);
    }
    pid_t none = 0;
    NEED(write(orders[1], &none, sizeof none));
}

// Ends that the child brings about itself.
static void other_ends(void)
{
    volatile char *volatile nowhere = NULL;
    pid_t pid = vfork();
    if (pid == 0) {
        *nowhere = 1;
        _exit(1);
    }
    EQ("no memory", end_of(pid), 1000 + SIGSEGV);
    pid = vfork();
    if (pid == 0) {
        __asm__ volatile("ud2");
        _exit(1);
    }
    EQ("no instruction", end_of(pid), 1000 + SIGILL);
    static const int numbers[] = {SIGTERM, SIGALRM, SIGABRT, SIGSEGV, SIGKILL};
    volatile int wrong = 0;
    for (volatile size_t i = 0; i < sizeof numbers / sizeof *numbers; i = i + 1) {
        pid = vfork();
        if (pid == 0) {
            syscall(SYS_kill, syscall(SYS_getpid), numbers[i]);
            _exit(1);
        }
        wrong = wrong + (end_of(pid) != 1000 + numbers[i]);
    }
    EQ("its own signals", wrong, 0);
    pid = vfork();
    if (pid == 0) {
        syscall(SYS_mmap, area, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0L);
        *(volatile char *)area = 1;
        _exit(1);
    }
    EQ("a page it made read-only", end_of(pid), 1000 + SIGSEGV);
    NEED(mprotect(area, PAGE, PROT_READ | PROT_WRITE));
    area[0] = 1;
}

static int answer[2];

// The child goes on after its parent, and has the memory for itself.
static int parent_killed(void)
{
    volatile pid_t me = getpid();
    if (vfork() == 0) {
        char word = 'r';
        syscall(SYS_write, answer[1], &word, 1);
        struct timespec t = {0, 1000000};
        while (syscall(SYS_getppid) == me)
            syscall(SYS_nanosleep, &t, NULL);
        for (int i = 0; i < 100; i++) {
            syscall(SYS_mprotect, area, PAGE, PROT_READ);
            syscall(SYS_mprotect, area, PAGE, PROT_READ | PROT_WRITE);
            *(volatile char *)area = 5;
        }
        word = 'd';
        syscall(SYS_write, answer[1], &word, 1);
        _exit(0);
    }
    return 1;
}

static void killed_parent(void)
{
    char word = 0;
    NEED(pipe(answer));
    pid_t parent = child(parent_killed);
    close(answer[1]);
    EQ("the child runs", read(answer[0], &word, 1) == 1 && word == 'r', 1);
    kill(parent, SIGKILL);
    EQ("the parent is killed", end_of(parent), 1000 + SIGKILL);
    EQ("the child goes on", read(answer[0], &word, 1) == 1 && word == 'd', 1);
    EQ("and ends", read(answer[0], &word, 1), 0);
    close(answer[0]);
}

int main(void)
{
    tasks_begin();
    NEED(pipe2(orders, O_CLOEXEC));
    area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(area == MAP_FAILED ? -1 : 0);
    other_ends();
    killed_parent();

    pid_t process = child(kills_in_process);
    kill_each_kind("process");
    EQ("that process", end_of(process), 0);

    uint64_t rounds[2] = {0, 0};
    pthread_t kills = thread(killer, &kills), others[2];
    for (int i = 0; i < 2; i++)
        others[i] = thread(busy, &rounds[i]);
    kill_each_kind("thread");
    CHECK("that thread", join(kills) != NULL);
    stop = 1;
    for (int i = 0; i < 2; i++)
        CHECK("another thread went on", join(others[i]) != NULL && rounds[i] > 0);
    return check_done();
}
