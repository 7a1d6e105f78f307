// PR_SET_SYSCALL_USER_DISPATCH: calls that a thread gets back as a SIGSYS, unless they come from a range of
// addresses, or a byte allows them.
#include "tasks.h"
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <ucontext.h>

#define SET 59
#define OFF 0
#define ON 1

enum { ALLOW, BLOCK };

static volatile char selector;
static volatile sig_atomic_t calls;
static siginfo_t seen;
static long seen_rax, seen_rdi, seen_rip;

// Is itself let through: it opens the door first, and leaves it open.
static void answer(int n, siginfo_t *info, void *context)
{
    greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
    (void)n;
    selector = ALLOW;
    calls++;
    seen = *info;
    seen_rax = r[REG_RAX], seen_rdi = r[REG_RDI], seen_rip = r[REG_RIP];
    r[REG_RAX] = 4711;
}

static long raw(long number, long first)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(first) : "rcx", "r11", "memory");
    return result;
}

static long set(unsigned long mode, unsigned long start, unsigned long len, volatile char *byte)
{
    return prctl(SET, mode, start, len, byte) < 0 ? -errno : 0;
}

static void refused(void)
{
    EQ("an unknown mode", set(77, 0, 0, NULL), -EINVAL);
    EQ("off takes no range", set(OFF, 1, 0, NULL), -EINVAL);
    EQ("off takes no byte", set(OFF, 0, 0, &selector), -EINVAL);
    EQ("an empty range", set(ON, 4096, 0, NULL), -EINVAL);
    EQ("a range around the end", set(ON, 4096, -1, NULL), -EINVAL);
    EQ("a byte of the kernel's", set(ON, 0, 0, (char *)-4096), -EFAULT);
    EQ("off when it is off", set(OFF, 0, 0, NULL), 0);
}

static void handed_back(void)
{
    EQ("on", set(ON, 0, 0, &selector), 0);
    EQ("the byte allows", raw(SYS_getppid, 0) == getppid(), 1);
    EQ("no signal", calls, 0);
    selector = BLOCK;
    long result = raw(SYS_getppid + 0x7700000000, 0x123);
    EQ("the handler's result", result, 4711);
    EQ("once", calls, 1);
    EQ("si_signo", seen.si_signo, SIGSYS);
    EQ("si_errno", seen.si_errno, 0);
    EQ("si_code", seen.si_code, 2);
    EQ("si_syscall", seen.si_syscall, SYS_getppid);
    EQ("si_arch", seen.si_arch, 0xc000003eu);
    CHECK("si_call_addr", (long)seen.si_call_addr == seen_rip);
    EQ("the whole number is still there", seen_rax, SYS_getppid + 0x7700000000);
    EQ("its argument as well", seen_rdi, 0x123);
    selector = BLOCK;
    result = raw(99999, 0);
    EQ("a number nobody has", result, 4711);
    EQ("off", set(OFF, 0, 0, NULL), 0);
    selector = BLOCK;
    EQ("calls are made again", raw(SYS_getppid, 0) == getppid(), 1);
    selector = ALLOW;
}

static void *other(void *result)
{
    *(long *)result = raw(SYS_getppid, 0);
    return NULL;
}

static int in_child(void)
{
    selector = BLOCK;
    return raw(SYS_getppid, 0) == 4711;
}

// The range is a page with a call in it.
static void from_a_range(void)
{
    static const unsigned char bytes[] = {0x89, 0xf8, 0x0f, 0x05, 0xc3}; // mov %edi,%eax; syscall; ret
    unsigned char *code =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(code, bytes, sizeof bytes);
    long (*call)(int) = (long (*)(int))(uintptr_t)code;
    long parent = getppid();
    calls = 0;
    EQ("all but a page", set(ON, (uintptr_t)code + 4096, -8192, NULL), -EINVAL);
    EQ("only a page", set(ON, (uintptr_t)code, 4096, &selector), 0);
    selector = BLOCK;
    long inside = call(SYS_getppid);
    long outside = raw(SYS_getppid, 0);
    EQ("from inside", inside, parent);
    EQ("from outside", outside, 4711);
    EQ("one signal", calls, 1);
    EQ("seen from", seen_rip < (long)code || seen_rip >= (long)code + 4096, 1);

    long from_thread = 0;
    pthread_join(thread(other, &from_thread), NULL);
    selector = BLOCK;
    long again = raw(SYS_getppid, 0);
    EQ("a new thread's are made", from_thread, parent);
    EQ("the old one's are not", again, 4711);

    selector = ALLOW;
    EQ("a child's are made", child_end(in_child), 0);
    EQ("off", set(OFF, 0, 0, NULL), 0);
}

static int wrong_byte(void)
{
    set(ON, 0, 0, &selector);
    selector = 2;
    return (int)raw(SYS_getppid, 0);
}

static int no_byte(void)
{
    char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    set(ON, 0, 0, page);
    return (int)raw(SYS_getppid, 0);
}

static int blocked_signal(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    set(ON, 0, 0, &selector);
    selector = BLOCK;
    return (int)raw(SYS_getppid, 0);
}

int main(void)
{
    struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO};
    tasks_begin();
    sigaction(SIGSYS, &action, NULL);
    refused();
    handed_back();
    from_a_range();
    EQ("another byte, whatever the handler", child_end(wrong_byte), 1000 + SIGSYS);
    EQ("no byte there", child_end(no_byte), 1000 + SIGSEGV);
    EQ("the signal is blocked", child_end(blocked_signal), 1000 + SIGSYS);
    return check_done();
}
