// System V shared memory, with wrong arguments.
// Raw calls: the C library makes no difference.
// km-test: links=static-musl,static-kontain
// km-test: timeout=60
#include "conform_child.h"
#include <sys/ipc.h>
#include <sys/shm.h>

#define KEY 0x6b6d7368

static int segment;
static char *area;

static void attach(const char *how, long id, void *where, long flags, long size)
{
    char name[64];
    snprintf(name, sizeof name, "%s with %lx", how, flags);
    long got = probe("shmat", name, DONE, SYS_shmat, id, (long)where, flags);
    if (got == -1)
        return;
    printf("%d\n", got == (long)where);
    probe("shmdt", "a page on", DONE, SYS_shmdt, got + (long)PAGE);
    probe("shmdt", "a byte on", DONE, SYS_shmdt, got + 1);
    // What cannot be written makes no difference to the one who tries.
    struct shmid_ds told;
    NEED(shmctl((int)id, IPC_STAT, &told));
    printf("attached %ld, of %zu\n", (long)told.shm_nattch, told.shm_segsz);
    probe("mprotect", "to be written", DONE, SYS_mprotect, got, size, PROT_READ | PROT_WRITE);
    probe("mprotect", "to be executed", DONE, SYS_mprotect, got, size, PROT_READ | PROT_EXEC);
    probe("shmdt", "", DONE, SYS_shmdt, got);
    probe("shmdt", "again", DONE, SYS_shmdt, got);
}

static void attached(void)
{
    static const long flags[] = {0, SHM_RDONLY, SHM_RND, SHM_REMAP, SHM_EXEC, SHM_RND | SHM_REMAP, SHM_RDONLY | SHM_EXEC, 1 << 20, ~(long)(SHM_EXEC | SHM_REMAP)};
    for (size_t f = 0; f < conform_len(flags); f++) {
        attach("anywhere", segment, NULL, flags[f], 2 * PAGE);
        attach("there", segment, area, flags[f], 2 * PAGE);
        attach("at an odd place", segment, area + 100, flags[f], 2 * PAGE);
        attach("at 100", segment, (void *)100, flags[f], 2 * PAGE);
        attach("where something is", segment, rooms[0].data, flags[f] & ~SHM_REMAP, 2 * PAGE);
        attach("beyond user addresses", segment, (void *)0x7ffffffff000, flags[f], 2 * PAGE);
        attach("of the kernel", segment, (void *)0xffff888000000000, flags[f], 2 * PAGE);
        attach("the last page", segment, (void *)-PAGE, flags[f], 2 * PAGE);
        attach("none", -1, NULL, flags[f], 0);
        attach("no such", INT_MAX, area, flags[f], 0);
    }
    static void *const wrong[] = {NULL, (void *)1, (void *)PAGE, (void *)0x7ffffffff000, (void *)0xffff888000000000, (void *)-1};
    for (size_t i = 0; i < conform_len(wrong); i++)
        probe("shmdt", "of nothing", DONE, SYS_shmdt, (long)wrong[i]);
    probe("shmdt", "of the program's own", DONE, SYS_shmdt, (long)rooms[0].data);
}

static void created(void)
{
    static const long sizes[] = {0, 1, PAGE, 2 * PAGE, 2 * PAGE + 1, -1, LONG_MAX, 1L << 62};
    for (size_t i = 0; i < conform_len(sizes); i++) {
        char how[32];
        snprintf(how, sizeof how, "of %ld", sizes[i]);
        long id = probe("shmget", how, DONE, SYS_shmget, IPC_PRIVATE, sizes[i], IPC_CREAT | 0600);
        if (id != -1)
            NEED(shmctl((int)id, IPC_RMID, NULL));
        probe("shmget of a key", how, DONE, SYS_shmget, KEY + getpid(), sizes[i], 0);
        probe("shmget of a key, new", how, DONE, SYS_shmget, KEY + getpid(), sizes[i], IPC_CREAT | IPC_EXCL | 0600);
    }
    probe("shmget", "of no key", DONE, SYS_shmget, KEY - getpid(), PAGE, 0);
}

static void controlled(void)
{
    static struct shmid_ds told;
    const struct subject subjects[] = {
        {"shmctl IPC_STAT", SYS_shmctl, DONE, {{KEEP, segment, 0}, {KEEP, IPC_STAT, 0}, {OUT, (long)&told, sizeof told}}, NULL},
        {"shmctl IPC_SET", SYS_shmctl, DONE, {{KEEP, segment, 0}, {KEEP, IPC_SET, 0}, {IN, (long)&told, sizeof told}}, NULL},
        {"shmctl IPC_INFO", SYS_shmctl, DONE, {{KEEP, 0, 0}, {KEEP, IPC_INFO, 0}, {OUT, (long)rooms[4].data, 72}}, NULL},
        {"shmctl SHM_INFO", SYS_shmctl, DONE, {{KEEP, 0, 0}, {KEEP, SHM_INFO, 0}, {OUT, (long)rooms[4].data, 48}}, NULL},
    };
    NEED(shmctl(segment, IPC_STAT, &told));
    conform(subjects, conform_len(subjects));
    for (int op = -1; op < 20; op++) {
        char how[32];
        if (op == IPC_RMID)
            continue;
        snprintf(how, sizeof how, "operation %d", op);
        probe("shmctl at 1", how, DONE, SYS_shmctl, segment, op, 1);
        probe("shmctl NULL", how, DONE, SYS_shmctl, segment, op, 0);
        probe("shmctl -1", how, DONE, SYS_shmctl, -1, op, 1);
    }
    probe("shmctl", "no such", DONE, SYS_shmctl, INT_MAX, IPC_RMID, 0);
}

static void as_nobody(void)
{
    if (geteuid() != 0)
        return;
    become_nobody();
    struct shmid_ds told;
    probe("shmat", "of nobody", DONE, SYS_shmat, segment, 0, 0);
    probe("shmget", "of nobody", DONE, SYS_shmget, KEY + getppid(), 1, 0600);
    probe("shmctl", "of nobody", DONE, SYS_shmctl, segment, IPC_STAT, (long)&told);
    probe("shmctl", "SET of nobody", DONE, SYS_shmctl, segment, IPC_SET, (long)rooms[0].constant);
    probe("shmctl", "RMID of nobody", DONE, SYS_shmctl, segment, IPC_RMID, 0);
    probe("shmctl", "LOCK of nobody", DONE, SYS_shmctl, segment, SHM_LOCK, 0);
}

int main(void)
{
    conform_start();
    segment = NEED(shmget(KEY + getpid(), 2 * PAGE, IPC_CREAT | IPC_EXCL | 0600));
    area = private_pages(16 * PAGE);
    munmap(area, 16 * PAGE);
    attached();
    created();
    controlled();
    apart("nobody", as_nobody);
    NEED(shmctl(segment, IPC_RMID, NULL));
    probe("shmat", "of one that is gone", DONE, SYS_shmat, segment, 0, 0);
    return conform_done();
}
