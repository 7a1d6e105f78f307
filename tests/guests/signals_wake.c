// No signal is lost between "noted" and "about to block": while a thread is in
// one blocking call after the other, another sends it a signal as soon as the
// last one was handled. Each has to be handled while the call would go on
// sleeping. With an argument, so many signals a call (for a long run).
// km-test: timeout=100
#include "tasks.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sched.h>
#include <sys/socket.h>
#include <linux/futex.h>

static volatile sig_atomic_t handled, stop;
static int pipe_ends[2], full[2], pair[2], listener, epoll, queue, semaphore, nobody;

static void handles(int signal) { (void)signal, handled++; }

static void reads(void) { char c; (void)!read(pipe_ends[0], &c, 1); }
static void writes(void) { (void)!write(full[1], "x", 1); }
static void receives(void) { char c; (void)!recv(pair[0], &c, 1, 0); }
static void accepts(void) { (void)!accept(listener, NULL, NULL); }
static void polls(void) { struct pollfd fd = {pipe_ends[0], POLLIN, 0}; poll(&fd, 1, -1); }
static void waits_epoll(void) { struct epoll_event e; epoll_wait(epoll, &e, 1, -1); }
static void sleeps(void) { nanosleep(&(struct timespec){100, 0}, NULL); }
static void pauses(void) { pause(); }
static void suspends(void) { sigset_t none; sigemptyset(&none); sigsuspend(&none); }
static void waits_futex(void) { futex(&nobody, FUTEX_WAIT, 0, NULL, NULL, 0); }
static void waits_message(void) { struct { long type; char c; } m; (void)!msgrcv(queue, &m, 1, 0, 0); }
static void waits_semaphore(void) { semop(semaphore, &(struct sembuf){0, -1, 0}, 1); }

static void selects(void)
{
    fd_set set;
    FD_ZERO(&set);
    FD_SET(pipe_ends[0], &set);
    select(pipe_ends[0] + 1, &set, NULL, NULL, NULL);
}

static void waits_signal(void)
{
    sigset_t other;
    sigemptyset(&other);
    sigaddset(&other, SIGUSR2);
    // musl's begins anew.
    syscall(SYS_rt_sigtimedwait, &other, NULL, NULL, 8);
}

static const struct {
    const char *name;
    void (*call)(void);
} calls[] = {
    {"read", reads}, {"write", writes}, {"recv", receives}, {"accept", accepts},
    {"poll", polls}, {"select", selects}, {"epoll_wait", waits_epoll},
    {"nanosleep", sleeps}, {"pause", pauses}, {"sigsuspend", suspends},
    {"sigwaitinfo", waits_signal}, {"futex", waits_futex}, {"msgrcv", waits_message},
    {"semop", waits_semaphore},
};

static pid_t sleeper;

static void *sleeps_in(void *call)
{
    __atomic_store_n(&sleeper, tid(), __ATOMIC_RELEASE);
    while (!stop)
        ((void (*)(void))call)();
    return NULL;
}

static int wakes(void (*call)(void), int count, int flags)
{
    struct sigaction action = {.sa_handler = handles, .sa_flags = flags};
    int bad = 0;
    NEED(sigaction(SIGUSR1, &action, NULL));
    handled = stop = 0;
    sleeper = 0;
    pthread_t t = thread(sleeps_in, (void *)call);
    while (!__atomic_load_n(&sleeper, __ATOMIC_ACQUIRE))
        sched_yield();
    for (int i = 0; i < count; i++) {
        NEED(syscall(SYS_tgkill, getpid(), sleeper, SIGUSR1));
        // Bounded by the test's alarm.
        while (handled == i)
            sched_yield();
        bad += handled != i + 1;
    }
    // Without a restart the call ends, but a signal may come before it begins.
    action.sa_flags = 0;
    NEED(sigaction(SIGUSR1, &action, NULL));
    stop = 1;
    while (pthread_tryjoin_np(t, NULL) != 0) {
        syscall(SYS_tgkill, getpid(), sleeper, SIGUSR1);
        usleep(1000);
    }
    return bad;
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 60;
    struct sockaddr_storage any = {.ss_family = AF_INET};
    tasks_begin();
    alarm(argc > 1 ? 3600 : LIMIT);
    NEED(pipe(pipe_ends));
    NEED(pipe2(full, O_NONBLOCK));
    while (write(full[1], calls, 1) == 1) {}
    NEED(fcntl(full[1], F_SETFL, 0));
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    NEED(listener = socket(AF_INET, SOCK_STREAM, 0));
    NEED(bind(listener, (struct sockaddr *)&any, 16));
    NEED(listen(listener, 1));
    NEED(epoll = epoll_create1(0));
    NEED(epoll_ctl(epoll, EPOLL_CTL_ADD, pipe_ends[0], &(struct epoll_event){.events = EPOLLIN}));
    NEED(queue = msgget(IPC_PRIVATE, 0600));
    NEED(semaphore = semget(IPC_PRIVATE, 1, 0600));
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        EQ(calls[i].name, wakes(calls[i].call, count, 0), 0);
        EQ("with SA_RESTART", wakes(calls[i].call, count, SA_RESTART), 0);
    }
    msgctl(queue, IPC_RMID, NULL);
    semctl(semaphore, 0, IPC_RMID);
    return check_done();
}
