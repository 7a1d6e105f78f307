// The gate: system calls by a jump to the address that the auxiliary vector tells, or by `syscall` where it tells none.
#include "tasks.h"
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <stdint.h>

#ifndef AT_SYSINFO
#define AT_SYSINFO 32
#endif

static unsigned long gate;

// As a C library does it: the `syscall` lies right before the address to go on at.
static long call6(long n, long a, long b, long c, long d, long e, long f)
{
    long result;
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    __asm__ volatile("mov %[gate], %%r11\n\tlea 2f(%%rip), %%rcx\n\ttest %%r11, %%r11\n\tjz 1f\n\tjmp *%%r11\n1:\tsyscall\n2:"
                     : "=a"(result)
                     : [gate] "m"(gate), "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static long call3(long n, long a, long b, long c) { return call6(n, a, b, c, 0, 0, 0); }

static void results(void)
{
    char text[8] = {0};
    EQ("pid", call3(SYS_getpid, 0, 0, 0), getpid());
    EQ("bad descriptor", call3(SYS_close, -1, 0, 0), -EBADF);
    EQ("no such call", call3(0xf123, 1, 2, 3), -ENOSYS);
    int fds[2];
    NEED(pipe(fds));
    EQ("write", call3(SYS_write, fds[1], (long)"abc", 3), 3);
    EQ("read", call3(SYS_read, fds[0], (long)text, 8), 3);
    STR("text", text, "abc");
    EQ("bad pointer", call3(SYS_write, fds[1], 16, 3), -EFAULT);
    char *page = (char *)call6(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK("six arguments", (uintptr_t)page % 4096 == 0 && page[4095] == 0);
    EQ("munmap", call3(SYS_munmap, (long)page, 4096, 0), 0);
    close(fds[0]);
    close(fds[1]);
}

// Everything but rax, rcx and r11 is kept, the flags and the red zone as well.
static void registers(void)
{
    long before[8] = {1, 2, 3, 4, 5, 6, 7, 8}, after[8], flags, red;
    __asm__ volatile("mov %[gate], %%r11\n\t"
                     "mov 0(%[before]), %%rbx\n\tmov 8(%[before]), %%r12\n\tmov 16(%[before]), %%r13\n\tmov 24(%[before]), %%r14\n\t"
                     "mov 32(%[before]), %%r10\n\tmov 40(%[before]), %%r8\n\tmov 48(%[before]), %%r9\n\tmov 56(%[before]), %%rdx\n\t"
                     "movq $0x5a5a, -120(%%rsp)\n\t"
                     "lea 2f(%%rip), %%rcx\n\tmov $39, %%eax\n\ttest %%r11, %%r11\n\tjz 1f\n\tstd\n\tstc\n\tjmp *%%r11\n"
                     "1:\tsyscall\n2:\t"
                     "mov -120(%%rsp), %[red]\n\tlea -128(%%rsp), %%rsp\n\tpushfq\n\tpopq %[flags]\n\tlea 128(%%rsp), %%rsp\n\tcld\n\t"
                     "mov %%rbx, 0(%[after])\n\tmov %%r12, 8(%[after])\n\tmov %%r13, 16(%[after])\n\tmov %%r14, 24(%[after])\n\t"
                     "mov %%r10, 32(%[after])\n\tmov %%r8, 40(%[after])\n\tmov %%r9, 48(%[after])\n\tmov %%rdx, 56(%[after])"
                     : [flags] "=&D"(flags), [red] "=&S"(red)
                     : [gate] "m"(gate), [before] "r"(before), [after] "r"(after)
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "memory", "cc");
    for (int i = 0; i < 8; i++)
        EQ("register", after[i], before[i]);
    EQ("red zone", red, 0x5a5a);
    if (gate)
        EQ("direction and carry", flags & 0x401, 0x401);
    else
        EQ("direction and carry", 0x401, 0x401);
}

static volatile int caught;
static volatile uintptr_t interrupted;

static void handler(int signal, siginfo_t *info, void *context)
{
    (void)signal, (void)info;
    interrupted = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    caught++;
}

// What a handler sees is the `syscall` before the address to go on at, or that address.
static void is_at_the_call(const char *name)
{
    unsigned char code[4] = {0};
    memcpy(code, (void *)(interrupted - 2), 4);
    CHECK(name, (code[0] == 0x0f && code[1] == 0x05) || (code[2] == 0x0f && code[3] == 0x05));
}

static void signals(void)
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    NEED(sigaction(SIGALRM, &action, NULL));
    struct itimerval soon = {.it_value.tv_usec = 50000};
    int fds[2];
    char byte;
    NEED(pipe(fds));
    NEED(setitimer(ITIMER_REAL, &soon, NULL));
    EQ("interrupted", call3(SYS_read, fds[0], (long)&byte, 1), -EINTR);
    EQ("caught", caught, 1);
    is_at_the_call("where");
    action.sa_flags |= SA_RESTART;
    NEED(sigaction(SIGALRM, &action, NULL));
    pid_t pid = fork_child();
    if (pid == 0) {
        usleep(200000);
        _exit(write(fds[1], "x", 1) != 1);
    }
    NEED(setitimer(ITIMER_REAL, &soon, NULL));
    EQ("begun again", call3(SYS_read, fds[0], (long)&byte, 1), 1);
    EQ("caught", caught, 2);
    is_at_the_call("where");
    EQ("child", end_of(pid), 0);
    EQ("to itself", call3(SYS_kill, getpid(), SIGALRM, 0), 0);
    EQ("caught", caught, 3);
    is_at_the_call("where");
    close(fds[0]);
    close(fds[1]);
}

static void *beside(void *arg)
{
    for (int i = 0; i < 200; i++)
        if (call3(SYS_getppid, 0, 0, 0) != getppid())
            *(int *)arg += 1;
    return NULL;
}

// Signals that come at any moment, beside other threads' calls.
static void storm(void)
{
    pthread_t threads[3];
    int wrong[3] = {0};
    struct itimerval often = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}};
    NEED(setitimer(ITIMER_REAL, &often, NULL));
    for (int i = 0; i < 3; i++)
        threads[i] = thread(beside, &wrong[i]);
    int bad = 0;
    for (int i = 0; i < 500; i++)
        bad += call3(SYS_getppid, 0, 0, 0) != getppid();
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    NEED(setitimer(ITIMER_REAL, &never, NULL));
    EQ("wrong results", bad + wrong[0] + wrong[1] + wrong[2], 0);
}

static void children(void)
{
    long pid = call3(SYS_fork, 0, 0, 0);
    if (pid == 0)
        call3(SYS_exit_group, call3(SYS_getppid, 0, 0, 0) > 0 ? 7 : 8, 0, 0);
    EQ("a child", end_of((pid_t)pid), 7);
}

int main(void)
{
    setbuf(stdout, NULL);
    gate = getauxval(AT_SYSINFO);
    results();
    registers();
    signals();
    storm();
    children();
    return check_done();
}
