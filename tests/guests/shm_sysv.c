// System V shared memory: attached, shared, counted and detached.
// km-test: links=static-musl,dynamic-glibc
#include "check.h"
#include "probe.h"
#include "tasks.h"
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

#define RW (PROT_READ | PROT_WRITE)
#define LEN (3 * PAGE)

static int id;
static unsigned char *shared;

static long attached(void)
{
    struct shmid_ds status;
    NEED(shmctl(id, IPC_STAT, &status));
    return (long)status.shm_nattch;
}

static int writes_and_leaves(void)
{
    shared[1] = 77;
    return attached() == 2 && shmdt(shared) == 0 && attached() == 1 ? 5 : 6;
}

static int writes_to_read_only(void)
{
    *(volatile unsigned char *)shared = 1;
    return 0;
}

// The line of /proc/self/maps for this address, from the offset on.
static const char *maps_line(const void *at)
{
    static char line[300];
    FILE *maps = fopen("/proc/self/maps", "r");
    if (!maps)
        return NULL;
    char start[20];
    snprintf(start, sizeof start, "%lx-", (unsigned long)at);
    while (fgets(line, sizeof line, maps))
        if (strncmp(line, start, strlen(start)) == 0) {
            fclose(maps);
            return strchr(line, ' ') + 1;
        }
    fclose(maps);
    return NULL;
}

static void attaching(unsigned char *first)
{
    EQ("zeroes", first[0] + first[LEN - 1], 0);
    EQ("one is attached", attached(), 1);
    unsigned char *again = NEED(shmat(id, NULL, SHM_RDONLY));
    CHECK("twice", again != first);
    first[PAGE] = 9;
    EQ("the same memory", again[PAGE], 9);
    EQ("two are attached", attached(), 2);
    ERR("read-only stays so", mprotect(again, PAGE, RW), EACCES);
    shared = again;
    EQ("writing there", end_of(child(writes_to_read_only)), 1000 + SIGSEGV);
    const char *line = maps_line(again);
    CHECK("its name", line && strncmp(line, "r--s 00000000 00:01 ", 20) == 0 && strstr(line, "/SYSV00000000 (deleted)"));
    NEED(shmdt(again));
    ERR("detached is gone", shmdt(again), EINVAL);
    EQ("and cannot be read", readable(again), 0);
}

static void addresses(void)
{
    ERR("no such segment", (long)shmat(-1, NULL, 0), EINVAL);
    unsigned char *room = NEED(mmap(NULL, 8 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ERR("an address in use", (long)shmat(id, room, 0), EINVAL);
    ERR("an odd address", (long)shmat(id, room + 5, SHM_REMAP), EINVAL);
    ERR("none to replace", (long)shmat(id, NULL, SHM_REMAP), EINVAL);
    ERR("too high", (long)shmat(id, (void *)0x7ffffffff000, 0), ENOMEM);
    ERR("beyond all addresses", (long)shmat(id, (void *)-PAGE, 0), EINVAL);
    ERR("to replace what is there", (long)shmat(id, (void *)-PAGE, SHM_REMAP), ENOMEM);
    shared = shmat(id, room + PAGE + 5, SHM_REMAP | SHM_RND);
    CHECK("replaces", shared == room + PAGE);
    EQ("what was written", shared[PAGE], 9);
    EQ("before it", readable(room), 0);
    EQ("behind it", mprotect(room + PAGE + LEN, PAGE, RW), 0);
    ERR("not where it starts", shmdt(shared + PAGE), EINVAL);

    // In pieces, one of them gone, with a mapping of something else there.
    NEED(mprotect(shared, PAGE, PROT_READ));
    NEED(mmap(shared + PAGE, PAGE, RW, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    shared[PAGE] = 1;
    EQ("two pieces", attached(), 2);
    NEED(shmdt(shared));
    EQ("no piece", attached(), 0);
    EQ("what is not the segment's stays", shared[PAGE], 1);
    EQ("the rest does not", readable(shared) + readable(shared + 2 * PAGE), 0);
    NEED(munmap(room, 8 * PAGE));

    // Where it was before, and back to back with itself.
    shared = NEED(shmat(id, room, 0));
    CHECK("at an address", shared == room);
    unsigned char *next = NEED(shmat(id, room + LEN, 0));
    NEED(shmdt(shared));
    EQ("its neighbour stays", next[PAGE], 9);
    NEED(shmdt(next));
}

static void moving(void)
{
    shared = NEED(shmat(id, NULL, 0));
    unsigned char *moved = NEED(mremap(shared, LEN, 2 * PAGE, MREMAP_MAYMOVE));
    CHECK("smaller where it is", moved == shared);
    unsigned char *to = NEED(mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    moved = NEED(mremap(shared, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to));
    EQ("moved", moved[PAGE], 9);
    ERR("not where it was", shmdt(shared), EINVAL);
    EQ("but where it is", shmdt(moved), 0);
}

int main(void)
{
    tasks_begin();
    id = NEED(shmget(IPC_PRIVATE, LEN - 100, IPC_CREAT | 0600));
    unsigned char *first = NEED(shmat(id, NULL, 0));
    attaching(first);
    shared = first;
    EQ("a child has it too", end_of(child(writes_and_leaves)), 5);
    EQ("and writes into it", first[1], 77);
    NEED(shmdt(first));
    EQ("none is attached", attached(), 0);
    addresses();
    moving();

    struct shmid_ds status;
    NEED(shmctl(id, IPC_STAT, &status));
    EQ("its size", status.shm_segsz, LEN - 100);
    EQ("its maker", status.shm_cpid, getpid());
    EQ("who came last", status.shm_lpid, getpid());
    shared = NEED(shmat(id, NULL, 0));
    EQ("removed", shmctl(id, IPC_RMID, NULL), 0);
    EQ("and still there", shared[PAGE], 9);
    EQ("for as long as it is attached", attached(), 1);
    NEED(shmdt(shared));
    ERR("then gone", shmctl(id, IPC_STAT, &status), EINVAL);
    return check_done();
}
