// seccomp: strict mode.
#include "seccomp.h"

static int pair[2];

static void strict(void) { NEED(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT)); }

static int allowed(void)
{
    char byte = 0;
    NEED(write(pair[1], "x", 1));
    strict();
    if (raw(SYS_read, pair[0], (long)&byte, 1) != 1 || raw(SYS_write, pair[1], (long)&byte, 1) != 1)
        raw(SYS_exit, 1, 0, 0);
    raw(SYS_exit, 7, 0, 0);
    return 0;
}

static int by_its_own_call(void)
{
    NEED(seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL));
    raw(SYS_exit, 8, 0, 0);
    return 0;
}

static int leaves_the_group(void)
{
    strict();
    raw(SYS_exit_group, 0, 0, 0);
    return 0;
}

static int asks_for_its_mode(void)
{
    strict();
    prctl(PR_GET_SECCOMP);
    raw(SYS_exit, 0, 0, 0);
    return 0;
}

static int unknown_number(void)
{
    strict();
    raw(NOBODY, 0, 0, 0);
    raw(SYS_exit, 0, 0, 0);
    return 0;
}

static void on_usr1(int n) { (void)n, raw(SYS_write, pair[1], (long)"h", 1); }

// The handler returns by rt_sigreturn. It is blocked until then, or it would come by a call that is not allowed.
static int returns_from_a_handler(void)
{
    char byte = 0;
    signal(SIGUSR1, on_usr1);
    pid_t self = getpid();
    pid_t sender = NEED(fork());
    if (sender == 0) {
        pause_ms(20);
        kill(self, SIGUSR1);
        _exit(0);
    }
    strict();
    long got;
    while ((got = raw(SYS_read, pair[0], (long)&byte, 1)) == -EINTR) {
    }
    raw(SYS_exit, got == 1 && byte == 'h' ? 9 : 1, 0, 0);
    return 0;
}

static void *strict_thread(void *arg)
{
    killed_tid = tid();
    strict();
    if (arg)
        raw(SYS_getpid, 0, 0, 0);
    raw(SYS_exit, 0, 0, 0);
    return NULL;
}

// Only the thread is killed.
static int in_a_thread(void)
{
    run_to_its_kill(strict_thread, NULL);
    run_to_its_kill(strict_thread, "");
    EQ("others have no mode", prctl(PR_GET_SECCOMP), 0);
    return 10;
}

int main(void)
{
    tasks_begin();
    if (is_confined()) {
        SKIP("strict mode", "there are filters already");
        return check_done();
    }
    NEED(pipe(pair));
    EQ("read, write, exit", child_end(allowed), 7);
    EQ("by seccomp", child_end(by_its_own_call), 8);
    EQ("exit_group", child_end(leaves_the_group), 1000 + SIGKILL);
    EQ("prctl", child_end(asks_for_its_mode), 1000 + SIGKILL);
    EQ("a number nobody has", child_end(unknown_number), 1000 + SIGKILL);
    char drain[8];
    EQ("what was written", read(pair[0], drain, sizeof drain), 1);
    EQ("rt_sigreturn", child_end(returns_from_a_handler), 9);
    EQ("a thread", child_end(in_a_thread), 10);
    return check_done();
}
