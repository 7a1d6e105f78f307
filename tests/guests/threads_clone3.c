// clone3: threads and processes by it, sizes of its structure, and what it refuses.
#include "pages.h"
#include "tasks.h"
#include <linux/futex.h>
#include <sched.h>
#include <stdint.h>

struct arguments {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)
#define CLEAR_SIGHAND 0x100000000ull
#define INTO_CGROUP 0x200000000ull

static volatile uint32_t cleared, parent_tid;
static volatile uint64_t seen[3];
static uint64_t tls[64];
static char *stack;

// Whoever is made writes down a little and ends with code 9.
static long clone3(const void *args, size_t size)
{
    long result = 435;
    __asm__ volatile("syscall\n test %%rax, %%rax\n jnz 1f\n"
                     "mov %%rsp, 0(%[seen])\n mov %%fs:0, %%rax\n mov %%rax, 8(%[seen])\n"
                     "mov $186, %%eax\n syscall\n mov %%rax, 16(%[seen])\n"
                     "mov $60, %%eax\n mov $9, %%edi\n syscall\n hlt\n1:\n"
                     : "+a"(result)
                     : "D"(args), "S"(size), [seen] "r"(seen)
                     : "rcx", "r11", "memory");
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    return result;
}

static void threads(void)
{
    tls[0] = 0xf5f5;
    for (int i = 0; i < 2; i++) {
        struct arguments a = {
            .flags = THREAD_FLAGS | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID,
            .child_tid = (uintptr_t)&cleared,
            .parent_tid = (uintptr_t)&parent_tid,
            .stack = (uintptr_t)stack,
            .stack_size = 32768,
            .tls = (uintptr_t)tls,
        };
        cleared = 1;
        long id = clone3(&a, sizeof a);
        OK("a thread", id);
        UNTIL(cleared == 0);
        EQ("parent's word", parent_tid, id);
        EQ("its number", seen[2], id);
        EQ("top of its stack", seen[0], stack + 32768);
        EQ("its TLS", seen[1], 0xf5f5);
    }
}

static void processes(void)
{
    int pidfd = -1;
    siginfo_t info;
    struct arguments a = {.exit_signal = SIGCHLD};
    fflush(stdout);
    pid_t pid = (pid_t)clone3(&a, 64);
    EQ("a process, first size", end_of(pid), 9);
    a.flags = CLONE_PIDFD;
    a.pidfd = (uintptr_t)&pidfd;
    pid = (pid_t)clone3(&a, sizeof a);
    OK("CLONE_PIDFD", pid);
    OK("waited for by it", waitid((idtype_t)3, pidfd, &info, WEXITED));
    CHECK("siginfo", info.si_pid == pid && info.si_status == 9);
    close(pidfd);
    a.flags = CLONE_VM | CLONE_VFORK | CLEAR_SIGHAND;
    a.stack = (uintptr_t)stack;
    a.stack_size = 32768;
    seen[2] = 0;
    pid = (pid_t)clone3(&a, sizeof a);
    EQ("CLONE_VM | CLONE_VFORK: it has run", seen[2], pid);
    EQ("its code", end_of(pid), 9);
    a = (struct arguments){.flags = CLEAR_SIGHAND};
    pid = (pid_t)clone3(&a, sizeof a);
    OK("no signal at its end", waitpid(pid, NULL, __WALL));
    // A larger structure whose end is zero is a newer one with nothing new.
    struct {
        struct arguments a;
        uint64_t more[4];
    } large = {.a.exit_signal = SIGCHLD};
    pid = (pid_t)clone3(&large, sizeof large);
    EQ("larger", end_of(pid), 9);
    large.more[2] = 1;
    ERR("larger with something new", clone3(&large, sizeof large), E2BIG);
}

static void errors(void)
{
    struct arguments a = {.exit_signal = SIGCHLD}, b;
    ERR("too small", clone3(&a, 63), EINVAL);
    ERR("no size", clone3(&a, 0), EINVAL);
    ERR("larger than a page", clone3(&a, 4097), E2BIG);
    ERR("from nowhere", clone3((void *)8, sizeof a), EFAULT);
    b = a, b.flags = SIGCHLD;
    ERR("a signal in the flags", clone3(&b, sizeof b), EINVAL);
    b = a, b.flags = CLONE_DETACHED;
    ERR("CLONE_DETACHED", clone3(&b, sizeof b), EINVAL);
    b = a, b.flags = 1ull << 40;
    ERR("unknown flag", clone3(&b, sizeof b), EINVAL);
    b = a, b.exit_signal = 65;
    ERR("no such signal", clone3(&b, sizeof b), EINVAL);
    b = a, b.stack = (uintptr_t)stack;
    ERR("a stack without size", clone3(&b, sizeof b), EINVAL);
    b = a, b.stack_size = 4096;
    ERR("a size without stack", clone3(&b, sizeof b), EINVAL);
    b = a, b.flags = THREAD_FLAGS;
    ERR("a thread with a signal at its end", clone3(&b, sizeof b), EINVAL);
    b = a, b.flags = CLONE_THREAD | CLONE_VM, b.exit_signal = 0;
    ERR("CLONE_THREAD without CLONE_SIGHAND", clone3(&b, sizeof b), EINVAL);
    b = a, b.flags = CLONE_SIGHAND;
    ERR("CLONE_SIGHAND without CLONE_VM", clone3(&b, sizeof b), EINVAL);
    b = a, b.flags = CLONE_SIGHAND | CLONE_VM | CLEAR_SIGHAND;
    ERR("CLONE_SIGHAND and CLONE_CLEAR_SIGHAND", clone3(&b, sizeof b), EINVAL);
    b = a, b.exit_signal = 0x100000000 | SIGCHLD;
    ERR("a signal of more than 32 bits", clone3(&b, sizeof b), EINVAL);
    b = a, b.flags = CLONE_PARENT;
    ERR("CLONE_PARENT with a signal", clone3(&b, sizeof b), EINVAL);
    b = a, b.stack = 0x8000000000000000, b.stack_size = 4096;
    ERR("a stack in the kernel", clone3(&b, sizeof b), EINVAL);
    b = a, b.stack = (uintptr_t)stack, b.stack_size = 1ull << 63;
    ERR("a stack that ends in the kernel", clone3(&b, sizeof b), EINVAL);
    b = a, b.stack = (uintptr_t)stack, b.stack_size = -(uint64_t)(uintptr_t)stack;
    ERR("a stack that goes round", clone3(&b, sizeof b), EINVAL);
    b = a, b.flags = CLONE_SETTLS, b.tls = 0x7ffffffff000;
    ERR("TLS at the end of memory", clone3(&b, sizeof b), EPERM);
    b.tls = 0x8000000000000000;
    ERR("TLS in the kernel", clone3(&b, sizeof b), EPERM);
    b.flags = THREAD_FLAGS | CLONE_SETTLS, b.exit_signal = 0, b.stack = (uintptr_t)stack, b.stack_size = 32768;
    ERR("a thread with such", clone3(&b, sizeof b), EPERM);
    b.flags = CLONE_VM | CLONE_VFORK | CLONE_SETTLS;
    ERR("a child in the same memory", clone3(&b, sizeof b), EPERM);
    b.flags = CLONE_SETTLS | CLONE_SIGHAND;
    ERR("flags are looked at first", clone3(&b, sizeof b), EINVAL);
    ERR("clone: TLS in the kernel", syscall(SYS_clone, CLONE_SETTLS | SIGCHLD, 0, 0, 0, -4096l), EPERM);
    ERR("clone: the pidfd on the id", syscall(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID, 0, &parent_tid, 0, 0), EINVAL);
    b = a, b.flags = CLONE_PIDFD | CLONE_PARENT_SETTID, b.pidfd = b.parent_tid = (uintptr_t)&parent_tid;
    ERR("the pidfd on the id", clone3(&b, sizeof b), EINVAL);
    b = a, b.flags = CLONE_PIDFD, b.pidfd = 8;
    ERR("the pidfd nowhere", clone3(&b, sizeof b), EFAULT);
    b = a, b.set_tid_size = 1;
    ERR("numbers wanted, none given", clone3(&b, sizeof b), EINVAL);
    b = a, b.set_tid = (uintptr_t)tls;
    ERR("numbers given, none wanted", clone3(&b, sizeof b), EINVAL);
    b.set_tid_size = 33;
    ERR("too many numbers", clone3(&b, sizeof b), EINVAL);
    b.set_tid_size = 1, b.set_tid = 8;
    ERR("numbers from nowhere", clone3(&b, sizeof b), EFAULT);
    int32_t below = -1;
    b.set_tid = (uintptr_t)&below;
    ERR("a number that none has", clone3(&b, sizeof b), EINVAL);
    b = a, b.flags = INTO_CGROUP, b.cgroup = 1ull << 31;
    ERR("no such group", clone3(&b, sizeof b), EINVAL);
    b.cgroup = 0;
    ERR("a group where there is none yet", clone3(&b, 80), EINVAL);
    b = a, b.cgroup = 999;
    EQ("a group nobody asks for", end_of((pid_t)clone3(&b, sizeof b)), 9);
    ERR("no child was made", waitpid(-1, NULL, WNOHANG | __WALL), ECHILD);
}

static volatile int where;

// With CLONE_CLEAR_SIGHAND handlers are gone, ignored signals stay so.
static void clears(void)
{
    struct arguments a = {.flags = CLEAR_SIGHAND, .exit_signal = SIGCHLD};
    struct sigaction act;
    handle(SIGUSR1, (void *)clears, 0);
    signal(SIGHUP, SIG_IGN);
    fflush(stdout);
    // The library's wrapper would not come back in the child, so the call is made here.
    pid_t pid = (pid_t)syscall(435, &a, sizeof a);
    if (pid == 0) {
        sigaction(SIGUSR1, NULL, &act);
        where = act.sa_handler == SIG_DFL;
        sigaction(SIGHUP, NULL, &act);
        _exit(where + 2 * (act.sa_handler == SIG_IGN));
    }
    EQ("CLONE_CLEAR_SIGHAND", end_of(pid), 3);
}

int main(void)
{
    tasks_begin();
    stack = private_pages(32768);
    if (clone3(NULL, 0) == -1 && errno == ENOSYS) {
        SKIP("clone3", "not in this kernel");
        return check_done();
    }
    threads();
    processes();
    errors();
    clears();
    return check_done();
}
