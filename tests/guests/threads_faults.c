// Faults of threads: whoever touches what another has taken away gets the signal himself, with the address.
#include "pages.h"
#include "tasks.h"
#include <setjmp.h>

static char *page;
static int step;
static __thread sigjmp_buf back;
static volatile pid_t fault_tid;
static void *volatile fault_address;
static volatile int fault_code, mend;

static void faulted(int number, siginfo_t *info, void *context)
{
    (void)number, (void)context;
    fault_address = info->si_addr;
    fault_code = info->si_code;
    fault_tid = tid();
    if (!mend)
        siglongjmp(back, 1);
    mprotect(page, PAGE, PROT_READ | PROT_WRITE);
}

static void *writes(void *arg)
{
    __atomic_store_n(&step, 1, __ATOMIC_SEQ_CST);
    volatile char *volatile p = page + 123;
    if (!sigsetjmp(back, 1))
        while (!fault_tid)
            *p = (char)(*p + 1);
    *(pid_t *)arg = tid();
    return NULL;
}

static void faults(void)
{
    static const char *const names[] = {"closed and mended", "made read-only", "unmapped"};
    handle(SIGSEGV, faulted, SA_SIGINFO);
    for (int i = 0; i < 3; i++) {
        pid_t id = 0;
        page = private_pages(PAGE);
        fault_tid = 0;
        mend = i == 0;
        step = 0;
        pthread_t t = thread(writes, &id);
        UNTIL(__atomic_load_n(&step, __ATOMIC_SEQ_CST));
        if (i < 2)
            NEED(mprotect(page, PAGE, i ? PROT_READ : PROT_NONE));
        else
            NEED(munmap(page, PAGE));
        join(t);
        CHECK(names[i], fault_tid == id && fault_address == page + 123);
        EQ("code", fault_code, i == 2 ? SEGV_MAPERR : SEGV_ACCERR);
    }
}

static __attribute__((noinline)) int overflow(int n)
{
    volatile char frame[2048];
    frame[0] = (char)n;
    return n < 0 ? 0 : overflow(n + 1) + frame[0];
}

static void *overflows(void *arg)
{
    pthread_attr_t attr;
    void *low;
    size_t size;
    char *stack = private_pages(65536);
    pthread_getattr_np(pthread_self(), &attr);
    pthread_attr_getstack(&attr, &low, &size);
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = 65536}, NULL);
    if (!sigsetjmp(back, 1))
        overflow(1);
    char *at = fault_address;
    CHECK("at the end of its stack", at < (char *)low + 65536 && at > (char *)low - 65536);
    sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
    munmap(stack, 65536);
    return arg;
}

static void *falls_alone(void *arg)
{
    volatile char *volatile p = arg;
    *p = 1;
    return NULL;
}

static int falls(void)
{
    signal(SIGSEGV, SIG_DFL);
    thread(stays, NULL);
    join(thread(falls_alone, (void *)100));
    return 3;
}

// Each ends by its own fault, all at the same time.
static void *stumbles(void *arg)
{
    volatile long bad = 0;
    for (volatile long i = 0; i < 20; i = i + 1) {
        volatile char *volatile p = (char *)arg + i;
        if (!sigsetjmp(back, 1)) {
            *p = 1;
            bad = bad + 1;
        }
    }
    return (void *)bad;
}

int main(void)
{
    tasks_begin();
    faults();
    mend = 0;
    pthread_t t[6];
    long bad = 0;
    for (long i = 0; i < 6; i++)
        t[i] = thread(stumbles, (void *)(64 + i * 100));
    for (int i = 0; i < 6; i++)
        bad += (long)join(t[i]);
    EQ("many at once", bad, 0);
    handle(SIGSEGV, faulted, SA_SIGINFO | SA_ONSTACK);
    for (int i = 0; i < 2; i++)
        CHECK("a stack overflowed", join(thread(overflows, &step)) == &step);
    // Without a handler one thread's fault ends all.
    EQ("ends the process", child_end(falls), 1000 + SIGSEGV);
    return check_done();
}
