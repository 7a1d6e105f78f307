// Filters for the calls a test forbids itself.
#ifndef KM_SECCOMP_H
#define KM_SECCOMP_H

#include "tasks.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>

#define FIELD(name) ((uint32_t)offsetof(struct seccomp_data, name))
#define ARG(n) (FIELD(args) + 8 * (n))

#define LOAD(offset) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)
// For call `number`, go on; for others, skip so many.
#define UNLESS(number, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(number), 0, skip)
// Call `number` comes to `value`.
#define ON(number, value) UNLESS(number, 1), RETURN(value)
#define ERRNO_OF(n) (SECCOMP_RET_ERRNO | (n))
#define COUNT(array) (sizeof(array) / sizeof *(array))

#define PROGRAM(instructions) {.len = COUNT(instructions), .filter = (instructions)}

// No number of a call, now or soon.
#define NOBODY 1000

static inline long seccomp(unsigned op, unsigned flags, const void *args) { return syscall(SYS_seccomp, op, flags, args); }

static inline void no_new_privs(void) { NEED(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); }

static inline long install_as(unsigned flags, const struct sock_filter *filter, size_t count)
{
    struct sock_fprog program = {.len = (unsigned short)count, .filter = (struct sock_filter *)filter};
    return seccomp(SECCOMP_SET_MODE_FILTER, flags, &program);
}

#define INSTALL(...)                                                        \
    do {                                                                    \
        const struct sock_filter filter_[] = {__VA_ARGS__};                 \
        NEED(install_as(0, filter_, COUNT(filter_)));                       \
    } while (0)

// One call comes to this value, all others are allowed.
static inline void forbid(long number, uint32_t value)
{
    INSTALL(LOAD(FIELD(nr)), ON(number, value), RETURN(SECCOMP_RET_ALLOW));
}

// In a container there may be filters already: what allows only one mode, or counts, is not tried there.
static inline int is_confined(void) { return prctl(PR_GET_SECCOMP) != 0; }

// A thread that is killed: the C library may wait for ever for what it did not do itself.
static volatile pid_t killed_tid;

static inline void run_to_its_kill(void *(*run)(void *), void *arg)
{
    killed_tid = 0;
    pthread_t t = thread(run, arg);
    pthread_detach(t);
    UNTIL(killed_tid);
    UNTIL(syscall(SYS_tgkill, getpid(), killed_tid, 0) == -1);
}

// What the kernel returns, without the C library's errno.
static inline long raw(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

#endif
