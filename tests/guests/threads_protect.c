// Execute rights given and taken while other threads use the memory: the kernel's copies into and out of it never fail, and no
// processor keeps the right.
#include "tasks.h"
#include <setjmp.h>
#include <sys/mman.h>

#define PAGE 4096L
#define PAGES 32
#define RW (PROT_READ | PROT_WRITE)
#define RWX (RW | PROT_EXEC)
#define RX (PROT_READ | PROT_EXEC)
#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_SEQ_CST)
#define STORE(x, v) __atomic_store_n(&(x), v, __ATOMIC_SEQ_CST)

static char *area;
static int done, step, answer, zero, ends[2];
static __thread sigjmp_buf back;

// Calls of the kernel that write to all of the area, or read all of it. A signal that nobody wants, such as that of a child's
// end, may cut one short.
static void *fills(void *arg)
{
    long bad = 0, rounds = 0;
    do
        for (ssize_t at = 0, got; at < PAGES * PAGE; at += got)
            if ((got = read(zero, area + at, PAGES * PAGE - at)) <= 0) {
                bad++;
                break;
            }
    while (!LOAD(done) || ++rounds < 3);
    return (void *)(arg ? 0 : bad);
}

static void *empties(void *arg)
{
    static char sink[PAGES * PAGE];
    long bad = 0, rounds = 0;
    do {
        // What fits into a pipe.
        ssize_t written = write(ends[1], area + PAGE / 2, 8 * PAGE);
        bad += written != 8 * PAGE;
        bad += written > 0 && read(ends[0], sink, written) != written;
    } while (!LOAD(done) || ++rounds < 3);
    return (void *)(arg ? 0 : bad);
}

static void kernel(const char *name, void *(*uses)(void *), int with, int without)
{
    STORE(done, 0);
    NEED(mprotect(area, PAGES * PAGE, with));
    pthread_t t = thread(uses, NULL);
    for (int i = 0; i < 150; i++) {
        NEED(mprotect(area, PAGES * PAGE, without));
        NEED(mprotect(area, PAGES * PAGE, with));
    }
    STORE(done, 1);
    EQ(name, join(t), 0);
}

static void fault(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    siglongjmp(back, info->si_code == SEGV_ACCERR && (char *)info->si_addr == area ? 1 : 2);
}

// Runs the code in the area each time it is told to. It spins in between, so that it never leaves its processor.
static void *runs(void *arg)
{
    for (;;) {
        int now = LOAD(step);
        if (now < 0)
            return arg;
        if (now == 0)
            continue;
        int fell = sigsetjmp(back, 1);
        STORE(answer, fell ? -fell : ((int (*)(void))area)());
        STORE(step, 0);
    }
}

static int ask(void)
{
    STORE(step, 1);
    while (LOAD(step))
        pause_ms(0);
    return LOAD(answer);
}

static void rights(const char *name, int with, int without)
{
    int bad = 0;
    NEED(mprotect(area, PAGE, RW));
    memcpy(area, "\270\007\0\0\0\303", 6);
    STORE(step, 0);
    pthread_t t = thread(runs, NULL);
    for (int i = 0; i < 8; i++) {
        NEED(mprotect(area, PAGE, with));
        bad += ask() != 7;
        NEED(mprotect(area, PAGE, without));
        bad += ask() != -1;
    }
    STORE(step, -1);
    join(t);
    EQ(name, bad, 0);
}

// A child of vfork, whose parent has another thread.
static void *spawns(void *arg)
{
    for (int i = 0; i < 20; i++) {
        pid_t pid = vfork();
        if (pid == 0) {
            for (int j = 0; j < 5; j++) {
                mprotect(area, PAGES * PAGE, RW);
                mprotect(area, PAGES * PAGE, RWX);
            }
            _exit(0);
        }
        end_of(pid);
    }
    STORE(done, 1);
    return arg;
}

int main(void)
{
    tasks_begin();
    zero = NEED(open("/dev/zero", O_RDONLY));
    NEED(pipe(ends));
    area = NEED(mmap(NULL, PAGES * PAGE, RWX, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    memset(area, 1, PAGES * PAGE);
    kernel("read into it", fills, RWX, RW);
    kernel("written from it", empties, RWX, RW);
    kernel("written from constants", empties, RX, PROT_READ);
    handle(SIGSEGV, fault, SA_SIGINFO);
    rights("RWX and RW in turn", RWX, RW);
    rights("RX and R in turn", RX, PROT_READ);
    rights("RX and RW in turn", RX, RW);
    NEED(mprotect(area, PAGES * PAGE, RWX));
    STORE(done, 0);
    pthread_t t = thread(spawns, NULL);
    EQ("a child of vfork does so", fills(NULL), 0);
    join(t);
    // The only thread, at the end.
    NEED(mprotect(area, PAGE, RWX));
    memcpy(area, "\270\007\0\0\0\303", 6);
    EQ("alone", ((int (*)(void))area)(), 7);
    NEED(mprotect(area, PAGE, RW));
    int fell = sigsetjmp(back, 1);
    EQ("the right is gone", fell ? -fell : ((int (*)(void))area)(), -1);
    return check_done();
}
