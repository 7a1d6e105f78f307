// Death by signals that are sent, by oneself or by the system, and what happens to output.
// km-test-case: abort args=die_abort signal=SIGABRT
// km-test-case: raise_term args=raise_term signal=SIGTERM
// km-test-case: raise_segv args=raise_segv signal=SIGSEGV
// km-test-case: raise_quit args=raise_quit signal=SIGQUIT
// km-test-case: raise_usr1 args=raise_usr1 signal=SIGUSR1
// km-test-case: kill_self args=kill_self signal=SIGKILL
// km-test-case: kill_hup args=kill_hup signal=SIGHUP
// km-test-case: tgkill_int args=tgkill_int signal=SIGINT
// km-test-case: closed_pipe args=closed_pipe signal=SIGPIPE
// km-test-case: file_size args=file_size signal=SIGXFSZ
// km-test-case: alarm_in_sleep args=alarm_in_sleep signal=SIGALRM
// km-test-case: alarm_in_loop args=alarm_in_loop signal=SIGALRM
// km-test-case: pending_output args=pending_output signal=SIGKILL
// km-test-case: in_exit_function args=in_exit_function signal=SIGABRT
// km-test-case: ignored_by_default args=ignored_by_default
#include "fault.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static void die_abort(void) { abort(); }
static void raise_term(void) { raise(SIGTERM); }
static void raise_segv(void) { raise(SIGSEGV); }
static void raise_quit(void) { raise(SIGQUIT); }
static void raise_usr1(void) { raise(SIGUSR1); }
static void kill_self(void) { kill(getpid(), SIGKILL); }
static void kill_hup(void) { kill(getpid(), SIGHUP); }
static void tgkill_int(void) { syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGINT); }
static void in_exit_function(void) { atexit(abort); exit(0); }

static void closed_pipe(void)
{
    int p[2];
    if (pipe(p) == 0 && close(p[0]) == 0 && write(p[1], "x", 1) < 0)
        puts("FAIL closed_pipe: an error instead");
}

static void file_size(void)
{
    int fd = open("file", O_RDWR | O_CREAT, 0600);
    unlink("file");
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, 1000});
    if (lseek(fd, 1000, SEEK_SET) == 1000 && write(fd, "x", 1) < 0)
        puts("FAIL file_size: an error instead");
}

static void start_timer(void)
{
    struct itimerval t = {{0, 0}, {0, 20000}};
    setitimer(ITIMER_REAL, &t, NULL);
}

static void alarm_in_sleep(void)
{
    start_timer();
    nanosleep(&(struct timespec){10, 0}, NULL);
}

// No system call to come by: the signal must reach the program where it spins.
static void alarm_in_loop(void)
{
    start_timer();
    time_t start = time(NULL);
    while (time(NULL) < start + 10)
        ;
}

static void pending_output(void)
{
    printf("never seen");
    raise(SIGKILL);
}

static void ignored_by_default(void)
{
    raise(SIGCHLD);
    raise(SIGURG);
    raise(SIGWINCH);
    raise(SIGCONT);
    kill(getpid(), 0);
    puts("alive");
    exit(0);
}

static const struct fault faults[] = {
    FAULT(die_abort), FAULT(raise_term), FAULT(raise_segv), FAULT(raise_quit), FAULT(raise_usr1), FAULT(kill_self),
    FAULT(kill_hup), FAULT(tgkill_int), FAULT(closed_pipe), FAULT(file_size), FAULT(alarm_in_sleep),
    FAULT(alarm_in_loop), FAULT(pending_output), FAULT(in_exit_function), FAULT(ignored_by_default),
};

int main(int argc, char **argv)
{
    return run_fault(faults, sizeof faults / sizeof *faults, argc, argv);
}
