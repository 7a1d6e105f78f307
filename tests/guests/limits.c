// Resource limits: read, set, and felt.
#include "check.h"
#include "probe.h"
#include <sys/resource.h>
#include <sys/syscall.h>

#define MIB (1UL << 20)

static const int all[] = {RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_CORE, RLIMIT_RSS,
                          RLIMIT_NPROC, RLIMIT_NOFILE, RLIMIT_MEMLOCK, RLIMIT_AS, RLIMIT_LOCKS,
                          RLIMIT_SIGPENDING, RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_RTPRIO, RLIMIT_RTTIME};

// What /proc/self/limits says of a limit: its soft value, or -1.
static long proc_limit(const char *name)
{
    FILE *f = fopen("/proc/self/limits", "r");
    char line[256];
    long value = -1;
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0)
            sscanf(line + 26, "%ld", &value);
    if (f)
        fclose(f);
    return value;
}

int main(void)
{
    int wrong = 0;
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        struct rlimit a, b, c;
        wrong += getrlimit(all[i], &a) != 0;
        wrong += syscall(SYS_prlimit64, 0, all[i], NULL, &b) != 0;
        wrong += syscall(SYS_prlimit64, getpid(), all[i], &a, &c) != 0;
        wrong += memcmp(&a, &b, sizeof a) != 0 || memcmp(&a, &c, sizeof a) != 0;
        wrong += a.rlim_cur > a.rlim_max;
    }
    EQ("all read, and set to the same", wrong, 0);
    struct rlimit l;
    ERR("unknown limit", getrlimit(16, &l), EINVAL);
    ERR("of nobody", syscall(SYS_prlimit64, 0x3fffffff, RLIMIT_CORE, NULL, &l), ESRCH);
    l = (struct rlimit){10, 5};
    ERR("soft above hard", setrlimit(RLIMIT_CORE, &l), EINVAL);

    NEED(getrlimit(RLIMIT_NOFILE, &l));
    rlim_t hard = l.rlim_max;
    l.rlim_cur = 33;
    OK("lower", setrlimit(RLIMIT_NOFILE, &l));
    EQ("read back", (NEED(getrlimit(RLIMIT_NOFILE, &l)), l.rlim_cur), 33);
    EQ("sysconf", sysconf(_SC_OPEN_MAX), 33);
    EQ("/proc/self/limits", proc_limit("Max open files"), 33);
    l.rlim_cur = hard;
    OK("raise to the hard limit", setrlimit(RLIMIT_NOFILE, &l));

    // The size of private writable memory.
    NEED(getrlimit(RLIMIT_DATA, &l));
    struct rlimit old = l;
    l.rlim_cur = 32 * MIB;
    OK("RLIMIT_DATA", setrlimit(RLIMIT_DATA, &l));
    ERR("mmap beyond it", mmap(NULL, 64 * MIB, RW, ANON, -1, 0), ENOMEM);
    void *p = mmap(NULL, 64 * MIB, PROT_READ, ANON, -1, 0);
    OK("read-only memory does not count", p);
    ERR("until it is made writable", mprotect(p, 64 * MIB, RW), ENOMEM);
    munmap(p, 64 * MIB);
    p = mmap(NULL, 8 * MIB, RW, ANON, -1, 0);
    OK("mmap below it", p);
    munmap(p, 8 * MIB);
    char *brk = (char *)syscall(SYS_brk, 0);
    EQ("brk beyond it", syscall(SYS_brk, brk + 64 * MIB), brk);
    EQ("brk below it", syscall(SYS_brk, brk + MIB), brk + MIB);
    syscall(SYS_brk, brk);
    OK("back", setrlimit(RLIMIT_DATA, &old));
    p = mmap(NULL, 64 * MIB, RW, ANON, -1, 0);
    OK("mmap again", p);
    munmap(p, 64 * MIB);

    // The size of everything. What the C library took so far is small.
    NEED(getrlimit(RLIMIT_AS, &l));
    old = l;
    l.rlim_cur = 300 * MIB;
    OK("RLIMIT_AS", setrlimit(RLIMIT_AS, &l));
    ERR("mmap beyond it", mmap(NULL, 400 * MIB, PROT_NONE, ANON | MAP_NORESERVE, -1, 0), ENOMEM);
    p = mmap(NULL, 50 * MIB, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
    OK("mmap below it", p);
    ERR("mremap beyond it", mremap(p, 50 * MIB, 400 * MIB, MREMAP_MAYMOVE), ENOMEM);
    munmap(p, 50 * MIB);
    char *heap = malloc(400 * MIB);
    CHECK("malloc says no", heap == NULL && errno == ENOMEM);
    OK("back", setrlimit(RLIMIT_AS, &old));
    heap = malloc(400 * MIB);
    CHECK("malloc again", heap != NULL);
    free(heap);

    NEED(getrlimit(RLIMIT_CORE, &l));
    l.rlim_cur = l.rlim_max = 0;
    OK("hard limit lowered", setrlimit(RLIMIT_CORE, &l));
    EQ("read back", (NEED(getrlimit(RLIMIT_CORE, &l)), l.rlim_max), 0);
    return check_done();
}
