// System V semaphores and message queues, POSIX message queues, and shared memory as far as it is there.
// Raw calls: the C library makes no difference.
// km-test: links=static-musl,static-kontain
// km-test: timeout=60
#include "conform.h"
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>

static int sem, queue;
static char name[32];
static int posix;

static void one_message(void)
{
    struct { long type; char text[16]; } message = {1, "text"};
    char all[64];
    while (msgrcv(queue, &message, 16, 0, IPC_NOWAIT | MSG_NOERROR) >= 0) {}
    message.type = 1;
    msgsnd(queue, &message, 16, IPC_NOWAIT);
    if (posix > 0) {
        while (syscall(SYS_mq_timedreceive, posix, all, 64, NULL, NULL) >= 0) {}
        syscall(SYS_mq_timedsend, posix, "text", 4, 1, NULL);
    }
}

static void no_message(void)
{
    char all[64];
    struct { long type; char text[16]; } message;
    while (msgrcv(queue, &message, 16, 0, IPC_NOWAIT | MSG_NOERROR) >= 0) {}
    while (posix > 0 && syscall(SYS_mq_timedreceive, posix, all, 64, NULL, NULL) >= 0) {}
}

static void no_notice(void)
{
    syscall(SYS_mq_notify, posix, NULL);
}

int main(void)
{
    conform_start();
    sem = NEED(semget(IPC_PRIVATE, 3, 0600));
    queue = NEED(msgget(IPC_PRIVATE, 0600));
    snprintf(name, sizeof name, "conform-%d", getpid());
    struct mq_attr attr = {.mq_flags = O_NONBLOCK, .mq_maxmsg = 3, .mq_msgsize = 64}, got;
    posix = (int)syscall(SYS_mq_open, name, O_RDWR | O_CREAT | O_NONBLOCK, 0600, &attr);
    struct sembuf up[2] = {{0, 1, IPC_NOWAIT}, {1, 1, IPC_NOWAIT}}, down = {2, -1, IPC_NOWAIT}, far = {3, 1, IPC_NOWAIT};
    struct timespec none = {0, 0}, wrong = {0, -1};
    struct { long type; char text[16]; } message = {1, "text"}, minus = {-1, "text"};
    struct semid_ds set;
    struct msqid_ds info;
    unsigned short values[3] = {1, 2, 3};

    const struct subject subjects[] = {
        {"semop", SYS_semop, NUMBER, {{KEEP, sem, 0}, {IN, (long)up, sizeof up}, {COUNT, 2, 0}}, NULL},
        {"semtimedop", SYS_semtimedop, NUMBER, {{KEEP, sem, 0}, {IN, (long)up, sizeof up}, {COUNT, 2, 0}, {IN, (long)&none, 16}}, NULL},
        {"semctl GETALL", SYS_semctl, NUMBER, {{KEEP, sem, 0}, {WORD, 0, 3}, {KEEP, GETALL, 0}, {OUT, (long)values, sizeof values}}, NULL},
        {"semctl SETALL", SYS_semctl, NUMBER, {{KEEP, sem, 0}, {WORD, 0, 3}, {KEEP, SETALL, 0}, {IN, (long)values, sizeof values}}, NULL},
        {"semctl SETVAL", SYS_semctl, NUMBER, {{KEEP, sem, 0}, {WORD, 0, 4}, {KEEP, SETVAL, 0}, {COUNT32, 5, 0}}, NULL},
        {"semctl GETVAL", SYS_semctl, NUMBER, {{KEEP, sem, 0}, {WORD, 0, 4}, {KEEP, GETVAL, 0}, {COUNT32, 5, 0}}, NULL},
        {"semctl IPC_STAT", SYS_semctl, NUMBER, {{KEEP, sem, 0}, {WORD, 0, 3}, {KEEP, IPC_STAT, 0}, {OUT, (long)&set, sizeof set}}, NULL},
        {"semctl IPC_SET", SYS_semctl, NUMBER, {{KEEP, sem, 0}, {WORD, 0, 3}, {KEEP, IPC_SET, 0}, {KEEP, 1, 0}}, NULL},
        {"msgget", SYS_msgget, DONE, {{KEEP, 0x6b6d636f, 0}, {BITS, 0, 1 << 9}}, NULL},
        {"semget", SYS_semget, DONE, {{KEEP, 0x6b6d636f, 0}, {COUNT32, 1, 0}, {BITS, 0, 1 << 9}}, NULL},
        {"msgsnd", SYS_msgsnd, NUMBER, {{KEEP, queue, 0}, {IN, (long)&message, 24}, {COUNT, 16, 0}, {BITS, IPC_NOWAIT, 1 << 11}}, no_message},
        {"msgrcv", SYS_msgrcv, NUMBER,
         {{KEEP, queue, 0}, {OUT, (long)&message, 24}, {COUNT, 16, 0}, {WORD, 0, 3}, {BITS, IPC_NOWAIT, 1 << 11}}, one_message},
        {"msgctl IPC_STAT", SYS_msgctl, NUMBER, {{KEEP, queue, 0}, {KEEP, IPC_STAT, 0}, {OUT, (long)&info, sizeof info}}, NULL},
        {"mq_open", SYS_mq_open, NEWFD, {{NAME, (long)name, 0}, {BITS, O_RDWR, 1 << 6}, {KEEP, 0600, 0}, {IN, (long)&attr, sizeof attr}}, NULL},
        {"mq_timedsend", SYS_mq_timedsend, NUMBER,
         {{DESC, posix, 0}, {IN, (long)"text", 5}, {COUNT, 5, 0}, {COUNT32, 1, 0}, {IN, (long)&none, 16}}, no_message},
        {"mq_timedreceive", SYS_mq_timedreceive, NUMBER,
         {{DESC, posix, 0}, {OUT, (long)rooms[5].data, 64}, {COUNT, 64, 0}, {OUT, (long)&(unsigned){0}, 4}, {IN, (long)&none, 16}}, one_message},
        {"mq_getsetattr", SYS_mq_getsetattr, NUMBER, {{DESC, posix, 0}, {IN, (long)&attr, sizeof attr}, {OUT, (long)&got, sizeof got}}, NULL},
        {"mq_unlink", SYS_mq_unlink, NUMBER, {{NAME, (long)"none-such", 0}}, NULL},
    };
    conform(subjects, conform_len(subjects) - (posix < 0 ? 4 : 0));

    static const int nobodys[] = {-1, INT_MAX, INT_MIN};
    for (size_t i = 0; i < conform_len(nobodys); i++) {
        probe("semop", "of none", NUMBER, SYS_semop, nobodys[i], (long)up, 1);
        probe("semop", "of none, at 1", NUMBER, SYS_semop, nobodys[i], 1, 1);
        probe("msgsnd", "to none", NUMBER, SYS_msgsnd, nobodys[i], (long)&message, 16, IPC_NOWAIT);
        probe("msgsnd", "to none, at 1", NUMBER, SYS_msgsnd, nobodys[i], 1, 16, IPC_NOWAIT);
        probe("msgrcv", "of none", NUMBER, SYS_msgrcv, nobodys[i], 1, 16, 0, IPC_NOWAIT);
    }
    probe("semop", "would wait", NUMBER, SYS_semop, sem, (long)&(struct sembuf){2, -30000, IPC_NOWAIT}, 1);
    probe("semop", "no such semaphore", NUMBER, SYS_semop, sem, (long)&far, 1);
    probe("semop", "none", NUMBER, SYS_semop, sem, (long)&down, 0);
    probe("semop", "100000", NUMBER, SYS_semop, sem, 1, 100000);
    probe("semtimedop", "wrong time", NUMBER, SYS_semtimedop, sem, (long)&down, 1, (long)&wrong);
    probe("semctl", "SETVAL 40000", NUMBER, SYS_semctl, sem, 0, SETVAL, 40000);
    probe("semctl", "SETVAL -1", NUMBER, SYS_semctl, sem, 0, SETVAL, -1);
    for (int op = -1; op < 24; op++) {
        char how[24];
        if (op == IPC_RMID || op == IPC_SET)
            continue;
        snprintf(how, sizeof how, "operation %d", op);
        // How many there are is the machine's.
        probe("semctl at 1", how, DONE, SYS_semctl, sem, 0, op, 1);
        probe("semctl NULL", how, DONE, SYS_semctl, sem, 0, op, 0);
        probe("semctl -1", how, DONE, SYS_semctl, -1, 0, op, 1);
        probe("msgctl at 1", how, DONE, SYS_msgctl, queue, op, 1);
        probe("msgctl NULL", how, DONE, SYS_msgctl, queue, op, 0);
        probe("msgctl -1", how, DONE, SYS_msgctl, -1, op, 1);
    }
    probe("msgctl", "SET at 1", DONE, SYS_msgctl, queue, IPC_SET, 1);
    probe("msgsnd", "type -1", DONE, SYS_msgsnd, queue, (long)&minus, 16, IPC_NOWAIT);
    no_message();
    probe("msgsnd", "nothing", NUMBER, SYS_msgsnd, queue, (long)&message, 0, IPC_NOWAIT);
    probe("msgrcv", "nothing", NUMBER, SYS_msgrcv, queue, (long)&message, 0, 0, IPC_NOWAIT);
    one_message();
    probe("msgrcv", "too long", NUMBER, SYS_msgrcv, queue, (long)&message, 3, 0, IPC_NOWAIT);
    probe("msgrcv", "cut", NUMBER, SYS_msgrcv, queue, (long)&message, 3, 0, IPC_NOWAIT | MSG_NOERROR);
    probe("msgrcv", "another type", NUMBER, SYS_msgrcv, queue, (long)&message, 16, 9, IPC_NOWAIT);

    if (posix >= 0) {
        for (int method = -1; method < 6; method++) {
            char how[24];
            struct { long value; int signal, method; char rest[48]; } event = {(long)rooms[0].data, SIGUSR1, method, ""};
            snprintf(how, sizeof how, "method %d", method);
            no_notice();
            probe("mq_notify", how, NUMBER, SYS_mq_notify, posix, (long)&event);
            event.signal = 65;
            no_notice();
            probe("mq_notify signal 65", how, NUMBER, SYS_mq_notify, posix, (long)&event);
            event.signal = -1;
            no_notice();
            probe("mq_notify signal -1", how, NUMBER, SYS_mq_notify, posix, (long)&event);
            event.value = 1;
            no_notice();
            probe("mq_notify value 1", how, NUMBER, SYS_mq_notify, posix, (long)&event);
        }
        probe("mq_notify", "at 1", NUMBER, SYS_mq_notify, posix, 1);
        probe("mq_notify", "at 1, of none", NUMBER, SYS_mq_notify, -1, 1);
        probe("mq_notify", "of 15000", NUMBER, SYS_mq_notify, 15000, 0);
        for (size_t i = 0; i < wrong_fd_count; i++)
            probe("mq_notify", wrong_fds[i].name, NUMBER, SYS_mq_notify, wrong_fds[i].fd, 0);
        probe("mq_open", "with a slash", NEWFD, SYS_mq_open, (long)"/a", O_RDWR);
        probe("mq_open", "existing, exclusive", NEWFD, SYS_mq_open, (long)name, O_RDWR | O_CREAT | O_EXCL, 0600, 0);
        probe("mq_open", "attributes at 1", NEWFD, SYS_mq_open, (long)"conform-none", O_RDWR | O_CREAT, 0600, 1);
        struct mq_attr no = {.mq_maxmsg = 0, .mq_msgsize = 0};
        probe("mq_open", "no room", NEWFD, SYS_mq_open, (long)"conform-none", O_RDWR | O_CREAT, 0600, (long)&no);
        syscall(SYS_mq_unlink, name);
    }
    semctl(sem, 0, IPC_RMID);
    msgctl(queue, IPC_RMID, NULL);
    probe("semop", "removed", NUMBER, SYS_semop, sem, (long)up, 1);
    probe("msgrcv", "removed", NUMBER, SYS_msgrcv, queue, (long)&message, 16, 0, IPC_NOWAIT);
    return conform_done();
}
