// Signal handlers, and what they note.
#include "soak.h"
#include <setjmp.h>

__thread volatile int interrupted;
__thread volatile uint64_t queued;
static __thread volatile int fault_expected;
static __thread sigjmp_buf fault_exit;
int expired;

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

void set_handlers(void)
{
    handle(SIGUSR1, on_interrupt, 0);
    handle(SIGUSR2, on_interrupt, SA_RESTART);
    handle(QUEUED, on_queued, SA_SIGINFO | SA_RESTART);
    handle(TIMED, on_timer, SA_RESTART);
    handle(SIGSEGV, on_fault, 0);
}

int faults(volatile char *at)
{
    int number = sigsetjmp(fault_exit, 1);
    if (number == 0) {
        fault_expected = 1;
        *at = 1;
    }
    fault_expected = 0;
    return number;
}
