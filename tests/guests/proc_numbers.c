// What /proc/self tells of memory, threads and limits is this program's.
#include "files.h"
#include "tasks.h"
#include <sys/auxv.h>
#include <sys/mman.h>

static char text[1 << 20];

static long after(const char *in, const char *key)
{
    const char *at = strstr(in, key);
    return at ? strtol(at + strlen(key), NULL, 10) : -1;
}

// Field N of stat, as proc(5) counts.
static unsigned long field(const char *stat, int n)
{
    const char *at = strrchr(stat, ')');
    for (int i = 2; at && i < n; i++)
        at = strchr(at + 1, ' ');
    return at ? strtoul(at + 1, NULL, 10) : 0;
}

// All of maps, and for one address the rights there.
static unsigned long mapped(const void *address, char *rights)
{
    unsigned long start, end, sum = 0;
    char r[5];
    text_of("/proc/self/maps", text, sizeof text);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        if (sscanf(line, "%lx-%lx %4s", &start, &end, r) != 3 || strstr(line, "[vsyscall]"))
            continue;
        sum += end - start;
        if (start <= (unsigned long)address && (unsigned long)address < end)
            strcpy(rights, r);
    }
    return sum;
}

// A figure of the entry in smaps that begins at an address.
static long figure(const void *address, const char *key)
{
    char head[32];
    snprintf(head, sizeof head, "%lx-", (unsigned long)address);
    text_of("/proc/self/smaps", text, sizeof text);
    char *at = strstr(text, head);
    return at ? after(at, key) : -1;
}

static void sizes(void)
{
    char rights[5] = "", statm[128];
    static char stat[1024], status[8192];
    text_of("/proc/self/stat", stat, sizeof stat);
    text_of("/proc/self/statm", statm, sizeof statm);
    text_of("/proc/self/status", status, sizeof status);
    unsigned long sum = mapped((void *)sizes, rights);
    STR("code may be executed", rights, "r-xp");
    CHECK("maps and stat", field(stat, 23) == sum);
    CHECK("statm", strtoul(statm, NULL, 10) * 4096 == sum);
    CHECK("status", (unsigned long)after(status, "VmSize:") * 1024 == sum);
    CHECK("code", field(stat, 26) <= (unsigned long)sizes && (unsigned long)sizes < field(stat, 27));
    unsigned long here = (unsigned long)__builtin_frame_address(0);
    CHECK("stack", field(stat, 28) > here && field(stat, 28) - here < 1 << 20);
    CHECK("arguments", strcmp((char *)field(stat, 48), program_invocation_name) == 0);
    CHECK("environment", field(stat, 50) >= field(stat, 49) && field(stat, 51) > field(stat, 50));
    EQ("threads", field(stat, 20), 1);
    EQ("threads in status", after(status, "Threads:"), 1);
    EQ("own id", atoi(stat) == getpid(), 1);
}

static void pages(void)
{
    // With room around it, so that it stands alone.
    char *room = NEED(mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    char *at = room + (256 << 10);
    NEED(mprotect(at, 256 << 10, PROT_READ | PROT_WRITE));
    EQ("size", figure(at, "\nSize:"), 256);
    EQ("nothing there", figure(at, "\nRss:"), 0);
    for (int i = 0; i < 32; i++)
        at[i * 4096] = 1;
    EQ("32 pages", figure(at, "\nRss:"), 128);
    EQ("private", figure(at, "\nPrivate_Dirty:"), 128);
    EQ("anonymous", figure(at, "\nAnonymous:"), 128);
    text_of("/proc/self/smaps_rollup", text, sizeof text);
    CHECK("all together", strstr(text, "[rollup]") && after(text, "\nRss:") >= 128 && after(text, "\nPrivate_Dirty:") >= 128);
    NEED(madvise(at, 256 << 10, MADV_DONTNEED));
    EQ("given back", figure(at, "\nRss:"), 0);
    char rights[5] = "";
    mapped(at, rights);
    STR("rights", rights, "rw-p");
    mapped(room, rights);
    STR("rights of the room", rights, "---p");
}

static void limit(const char *name, int resource, rlim_t soft)
{
    struct rlimit set = {0, 0};
    char line[128], value[32];
    NEED(getrlimit(resource, &set));
    set.rlim_cur = soft;
    OK(name, setrlimit(resource, &set));
    text_of("/proc/self/limits", text, sizeof text);
    char *at = strstr(text, name);
    snprintf(value, sizeof value, "%lu", (unsigned long)soft);
    snprintf(line, sizeof line, "%-25s %-20s ", name, value);
    CHECK(name, at && strncmp(at, line, strlen(line)) == 0);
}

static void threads(void)
{
    static char path[64];
    pthread_t a = thread(stays, NULL), b = thread(stays, NULL);
    (void)a, (void)b;
    text_of("/proc/self/stat", text, sizeof text);
    EQ("three threads", field(text, 20), 3);
    text_of("/proc/self/status", text, sizeof text);
    EQ("in status", after(text, "Threads:"), 3);
    EQ("in task", entries("/proc/self/task"), 3);
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", getpid());
    text_of(path, text, sizeof text);
    CHECK("of a thread", atoi(text) == getpid() && field(text, 20) == 3);
    snprintf(path, sizeof path, "/proc/self/task/%d/maps", getpid());
    CHECK("maps of a thread", text_of(path, text, sizeof text) && strstr(text, "[stack]"));
}

static void descriptors(void)
{
    char target[256] = {0}, path[64];
    int fd = NEED(open("/", O_RDONLY));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK("a descriptor", readlink(path, target, sizeof target - 1) == 1 && target[0] == '/');
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    CHECK("its flags", text_of(path, text, sizeof text) && strstr(text, "flags:"));
    int mine = 0;
    for (int i = 0; i < 1024; i++)
        mine += fcntl(i, F_GETFD) >= 0;
    // The directory itself is listed as well.
    EQ("as many as are open", entries("/proc/self/fd") - mine, 1);
    close(fd);
    ERR("none", readlink(path, target, sizeof target), ENOENT);
}

int main(void)
{
    tasks_begin();
    sizes();
    pages();
    descriptors();
    limit("Max open files", RLIMIT_NOFILE, 200);
    limit("Max stack size", RLIMIT_STACK, 4 << 20);
    limit("Max data size", RLIMIT_DATA, 1ul << 32);
    limit("Max address space", RLIMIT_AS, 1ul << 40);
    ssize_t n = read_file("/proc/self/auxv", text, sizeof text);
    unsigned long *pair = (unsigned long *)text, random = 0;
    for (; n >= 16; n -= 16, pair += 2)
        random = pair[0] == AT_RANDOM ? pair[1] : random;
    CHECK("auxv", random == getauxval(AT_RANDOM));
    threads();
    return check_done();
}
