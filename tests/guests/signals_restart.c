// Calls that a handler interrupts: which come back with EINTR, which are begun again. A thread pokes the first one until
// the call has ended, or, where it shall go on, for some time before it gives what is waited for.
#include "tasks.h"
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/select.h>

static int ends[2], full[2], sockets[2], listener, ep, lock_fd, over;
static volatile sig_atomic_t handled;
static unsigned word;
static pid_t waited;
static pthread_t first;

static void counts(int n)
{
    (void)n;
    handled++;
}

static void connect_to(void)
{
    struct sockaddr_un name;
    socklen_t len = sizeof name;
    getsockname(listener, (struct sockaddr *)&name, &len);
    int s = NEED(socket(AF_UNIX, SOCK_STREAM, 0));
    NEED(connect(s, (struct sockaddr *)&name, len));
    close(s);
}

enum { READ, WRITE, RECV, ACCEPT, WAIT4, FLOCK, FUTEX, POLL, SELECT, EPOLL, NANOSLEEP, PAUSE, RECV_TIMEOUT, WAYS };
static const char *const names[] = {"read", "write", "recv", "accept", "wait4", "flock", "futex", "poll", "select",
                                    "epoll_wait", "nanosleep", "pause", "recv with SO_RCVTIMEO"};

static long call(int way)
{
    static char buf[65536];
    struct pollfd p = {ends[0], POLLIN, 0};
    struct epoll_event ev;
    fd_set set;
    FD_ZERO(&set);
    FD_SET(ends[0], &set);
    switch (way) {
    case READ: return read(ends[0], buf, 1);
    case WRITE: return write(full[1], buf, 1);
    case RECV: return recv(sockets[0], buf, 1, 0);
    case ACCEPT: return accept(listener, NULL, NULL) > 0 ? 1 : -1;
    case WAIT4: return wait4(waited, NULL, 0, NULL) > 0 ? 1 : -1;
    case FLOCK: return flock(lock_fd, LOCK_EX) == 0 ? 1 : -1;
    case FUTEX: return futex(&word, FUTEX_WAIT, 0, NULL, NULL, 0) == -1 ? -1 : 1;
    case POLL: return poll(&p, 1, -1);
    case SELECT: return select(ends[0] + 1, &set, NULL, NULL, NULL);
    case EPOLL: return epoll_wait(ep, &ev, 1, -1);
    case NANOSLEEP: return nanosleep(&(struct timespec){1000, 0}, NULL);
    case PAUSE: return pause();
    case RECV_TIMEOUT: return recv(sockets[0], buf, 1, 0);
    }
    return 0;
}

static void *pokes(void *arg)
{
    (void)arg;
    while (!__atomic_load_n(&over, __ATOMIC_SEQ_CST)) {
        pthread_kill(first, SIGUSR1);
        pause_ms(1);
    }
    return NULL;
}

// Six times, then what is waited for.
static void *pokes_and_gives(void *arg)
{
    static char buf[65536];
    for (int i = 0; i < 6; i++) {
        pause_ms(1);
        pthread_kill(first, SIGUSR1);
        UNTIL(handled == i + 1);
    }
    switch ((long)arg) {
    case READ: NEED(write(ends[1], "x", 1)); break;
    case WRITE: NEED(read(full[0], buf, sizeof buf)); break;
    case RECV: NEED(write(sockets[1], "x", 1)); break;
    case ACCEPT: connect_to(); break;
    case WAIT4: kill(waited, SIGKILL); break;
    case FLOCK: close((int)waited); break;
    case FUTEX:
        UNTIL(futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0) == 1);
        break;
    }
    return NULL;
}

static void fill(void)
{
    static char buf[4096];
    NEED(fcntl(full[1], F_SETFL, O_NONBLOCK));
    while (write(full[1], buf, sizeof buf) > 0) {
    }
    NEED(fcntl(full[1], F_SETFL, 0));
}

static pid_t start_waited(int way)
{
    if (way == FLOCK) {
        waited = NEED(open("lock", O_RDWR));
        NEED(flock(waited, LOCK_EX));
    } else if (way == WAIT4) {
        waited = child(waits_forever);
    }
    return waited;
}

static void interrupted(int flags, int from, int to)
{
    handle(SIGUSR1, counts, flags);
    for (int way = from; way < to; way++) {
        start_waited(way);
        over = 0;
        pthread_t t = thread(pokes, NULL);
        long r = call(way);
        int error = errno;
        __atomic_store_n(&over, 1, __ATOMIC_SEQ_CST);
        join(t);
        errno = error;
        ERR(names[way], r, EINTR);
        if (way == WAIT4) {
            kill(waited, SIGKILL);
            end_of(waited);
        } else if (way == FLOCK) {
            close(waited);
        }
    }
}

static void restarted(void)
{
    handle(SIGUSR1, counts, SA_RESTART);
    for (long way = READ; way <= FUTEX; way++) {
        start_waited((int)way);
        handled = 0;
        pthread_t t = thread(pokes_and_gives, (void *)way);
        long r = call((int)way);
        int error = errno;
        join(t);
        errno = error;
        EQ(names[way], r == -1 ? -error : r, 1);
        EQ("handled meanwhile", handled, 6);
    }
}

int main(void)
{
    tasks_begin();
    first = pthread_self();
    NEED(pipe(ends));
    NEED(pipe(full));
    NEED(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
    fill();
    listener = NEED(socket(AF_UNIX, SOCK_STREAM, 0));
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    NEED(bind(listener, (struct sockaddr *)&name, sizeof name.sun_family));
    NEED(listen(listener, 5));
    lock_fd = NEED(open("lock", O_RDWR | O_CREAT, 0600));
    ep = NEED(epoll_create1(0));
    printf("without SA_RESTART\n");
    interrupted(0, READ, RECV_TIMEOUT);
    printf("with SA_RESTART: begun again\n");
    fill();
    restarted();
    printf("with SA_RESTART: never\n");
    NEED(setsockopt(sockets[0], SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){1000, 0}, sizeof(struct timeval)));
    interrupted(SA_RESTART, POLL, WAYS);
    // Time that is left is told.
    struct timespec left = {0, 0};
    over = 0;
    pthread_t t = thread(pokes, NULL);
    ERR("nanosleep", nanosleep(&(struct timespec){1000, 0}, &left), EINTR);
    CHECK("what is left", left.tv_sec > 900 && left.tv_sec <= 1000);
    EQ("clock_nanosleep", clock_nanosleep(CLOCK_MONOTONIC, 0, &(struct timespec){1000, 0}, &left), EINTR);
    CHECK("what is left", left.tv_sec > 900 && left.tv_sec <= 1000);
    __atomic_store_n(&over, 1, __ATOMIC_SEQ_CST);
    join(t);
    // A signal that is ignored interrupts nothing, one that is blocked neither.
    signal(SIGUSR1, SIG_IGN);
    over = 0;
    t = thread(pokes, NULL);
    OK("ignored", nanosleep(&(struct timespec){0, 5000000}, NULL));
    block(SIGUSR1);
    handle(SIGUSR1, counts, 0);
    OK("blocked", nanosleep(&(struct timespec){0, 5000000}, NULL));
    __atomic_store_n(&over, 1, __ATOMIC_SEQ_CST);
    join(t);
    unlink("lock");
    return check_done();
}
