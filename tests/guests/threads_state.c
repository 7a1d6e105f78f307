// The call clone itself: what a new thread finds in its registers, what is stored where, and which flags go together.
#include "pages.h"
#include "tasks.h"
#include <linux/futex.h>
#include <sched.h>
#include <stdint.h>

#define THREAD_FLAGS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)

// What the new thread writes down. It has no library: no thread-local data, no stack protector.
static struct {
    uint64_t xmm[4], rbx, r12, r15, rcx_is_rip, rax, fs, rsp;
    uint32_t csr, tid;
    uint16_t word;
} found;
static volatile uint32_t parent_tid, child_tid, cleared = 1;
static uint64_t tls[64], *stack;
static const uint64_t vector[4] = {0x1111222233334444, 0x5555666677778888, 0x9999aaaabbbbcccc, 0xddddeeeeffff0000};

static __attribute__((noinline)) long clone_thread(unsigned long flags)
{
    long result = SYS_clone;
    uint64_t *top = stack + 4096;
    register volatile uint32_t *clear __asm__("r10") = &cleared;
    register uint64_t *area __asm__("r8") = tls;
    __asm__ volatile(
        "mov $0xb0b, %%rbx\n mov $0xc0c, %%r12\n mov $0xd0d, %%r15\n"
        "movups (%[vector]), %%xmm0\n movups 16(%[vector]), %%xmm15\n"
        "syscall\n"
        "test %%rax, %%rax\n jnz 1f\n"
        // The child. gettid, then exit.
        "movups %%xmm0, 0(%[found])\n movups %%xmm15, 16(%[found])\n"
        "mov %%rbx, 32(%[found])\n mov %%r12, 40(%[found])\n mov %%r15, 48(%[found])\n"
        "mov %%rax, 64(%[found])\n mov %%fs:0, %%rax\n mov %%rax, 72(%[found])\n mov %%rsp, 80(%[found])\n"
        "stmxcsr 88(%[found])\n fnstcw 96(%[found])\n"
        "mov %[gettid], %%eax\n syscall\n mov %%eax, 92(%[found])\n"
        "mov %[exit], %%eax\n xor %%edi, %%edi\n syscall\n hlt\n"
        "1:\n"
        : "+a"(result)
        : "D"(flags), "S"(top), "d"(&parent_tid), "r"(clear), "r"(area), [vector] "r"(vector), [found] "r"(&found),
          [gettid] "i"(SYS_gettid), [exit] "i"(SYS_exit)
        : "rcx", "r11", "rbx", "r12", "r15", "memory", "xmm0", "xmm15");
    return result;
}

static void wait_cleared(void)
{
    uint32_t value;
    while ((value = cleared))
        futex((void *)&cleared, FUTEX_WAIT, value, NULL, NULL, 0);
}

static void threads(void)
{
    unsigned csr = 0x5f80, csr_before;
    uint16_t word = 0x0c7f, word_before;
    tls[0] = 0xf5f5;
    for (int i = 0; i < 3; i++) {
        memset(&found, 0, sizeof found);
        cleared = 1;
        parent_tid = 0;
        __asm__ volatile("stmxcsr %0\n fnstcw %1" : "=m"(csr_before), "=m"(word_before));
        __asm__ volatile("ldmxcsr %0\n fldcw %1" : : "m"(csr), "m"(word));
        long id = clone_thread(THREAD_FLAGS | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID);
        __asm__ volatile("ldmxcsr %0\n fldcw %1" : : "m"(csr_before), "m"(word_before));
        OK("clone", id);
        EQ("parent's word", parent_tid, id);
        wait_cleared();
        EQ("its number", found.tid, id);
        CHECK("registers", found.rbx == 0xb0b && found.r12 == 0xc0c && found.r15 == 0xd0d && found.rax == 0);
        CHECK("vectors", memcmp(found.xmm, vector, sizeof vector) == 0);
        EQ("MXCSR", found.csr, csr);
        EQ("x87 control word", found.word, word);
        EQ("thread-local base", found.fs, 0xf5f5);
        EQ("stack", found.rsp, stack + 4096);
    }
    cleared = 0;
    EQ("my own TLS", tid(), getpid());
}

static void without_settls(void)
{
    // fs:0 is then the maker's, whose own address is there.
    uint64_t mine;
    __asm__ volatile("mov %%fs:0, %0" : "=r"(mine));
    cleared = 1;
    OK("without CLONE_SETTLS", clone_thread(THREAD_FLAGS | CLONE_CHILD_CLEARTID));
    wait_cleared();
    EQ("the maker's base", found.fs, mine);
    cleared = 7;
    long id = clone_thread(THREAD_FLAGS | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID);
    OK("CLONE_CHILD_SETTID", id);
    // Set by the child when it starts, cleared when it ends.
    UNTIL(cleared == 0);
    EQ("its number", found.tid, id);
}

static long bare(unsigned long flags, void *at, void *p, void *c)
{
    long result = SYS_clone;
    register void *r10 __asm__("r10") = c;
    register void *r8 __asm__("r8") = tls;
    // Should there be a child, it ends at once.
    __asm__ volatile("syscall\n test %%rax, %%rax\n jnz 1f\n mov $60, %%eax\n mov $9, %%edi\n syscall\n hlt\n1:\n"
                     : "+a"(result)
                     : "D"(flags), "S"(at), "d"(p), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    return result;
}

static void errors(void)
{
    uint64_t *top = stack + 4096;
    ERR("CLONE_THREAD without CLONE_SIGHAND", bare(CLONE_THREAD | CLONE_VM, top, NULL, NULL), EINVAL);
    ERR("CLONE_SIGHAND without CLONE_VM", bare(CLONE_SIGHAND, top, NULL, NULL), EINVAL);
    ERR("CLONE_FS and CLONE_NEWNS", bare(CLONE_FS | CLONE_NEWNS, NULL, NULL, NULL), EINVAL);
    ERR("CLONE_THREAD and CLONE_NEWPID", bare(THREAD_FLAGS | CLONE_NEWPID, top, NULL, NULL), EINVAL);
    ERR("CLONE_THREAD and CLONE_PIDFD", bare(THREAD_FLAGS | CLONE_PIDFD | CLONE_DETACHED, top, &found, NULL), EINVAL);
    ERR("CLONE_PIDFD and CLONE_PARENT_SETTID", bare(CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, NULL, &found, NULL), EINVAL);
    ERR("TLS outside of the program", (memset(&found, 0, sizeof found), syscall(SYS_arch_prctl, 0x1002, 0xffff800000000000)), EPERM);
    ERR("no child was made", waitpid(-1, NULL, WNOHANG | __WALL), ECHILD);
}

// A process by the same call, with the choices fork does not have.
static void processes(void)
{
    int status, pidfd = -1;
    pid_t pid;
    fflush(stdout);
    pid = (pid_t)bare(SIGCHLD, NULL, NULL, NULL);
    EQ("as fork", end_of(pid), 9);
    pid = (pid_t)bare(SIGCHLD, stack + 4096, NULL, NULL);
    EQ("with a stack", end_of(pid), 9);
    pid = (pid_t)bare(SIGCHLD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID, NULL, (void *)&parent_tid, (void *)&child_tid);
    EQ("parent's word", parent_tid, pid);
    EQ("child's word is the child's", child_tid, 0);
    EQ("its code", end_of(pid), 9);
    pid = (pid_t)bare(0, NULL, NULL, NULL);
    OK("without a signal", pid);
    ERR("wait does not see it", waitpid(pid, NULL, 0), ECHILD);
    EQ("with __WCLONE", waitpid(pid, &status, __WCLONE), pid);
    EQ("its code", end_code(status), 9);
    block(SIGUSR1);
    pid = (pid_t)bare(SIGUSR1, NULL, NULL, NULL);
    EQ("with __WALL", waitpid(pid, &status, __WALL), pid);
    sigset_t set = set_of(SIGUSR1);
    siginfo_t info;
    EQ("another signal at its end", sigwaitinfo(&set, &info), SIGUSR1);
    CHECK("about the child", info.si_code == CLD_EXITED && info.si_pid == pid && info.si_status == 9);
    pid = (pid_t)bare(SIGCHLD | CLONE_PIDFD, NULL, &pidfd, NULL);
    OK("CLONE_PIDFD", pid);
    EQ("it is close-on-exec", fcntl(pidfd, F_GETFD), FD_CLOEXEC);
    OK("waited for by it", waitid((idtype_t)3, pidfd, &info, WEXITED));
    EQ("its code", info.si_status, 9);
    close(pidfd);
}

int main(void)
{
    tasks_begin();
    stack = private_pages(65536);
    threads();
    without_settls();
    errors();
    processes();
    return check_done();
}
