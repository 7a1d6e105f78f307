// What /proc tells of other processes of the same kind: their program, their memory, nothing else.
#include "files.h"
#include "tasks.h"
#include <limits.h>
#include <sys/mman.h>

static char text[1 << 20];

static const char *of(pid_t pid, const char *file)
{
    static char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    return path;
}

static long after(const char *in, const char *key)
{
    const char *at = strstr(in, key);
    return at ? strtol(at + strlen(key), NULL, 10) : -1;
}

// Whether maps has the address, with that name in its line.
static int has(const char *maps, const void *address, const char *name)
{
    unsigned long start, end;
    for (const char *at = maps; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
        if (sscanf(at, "%lx-%lx", &start, &end) == 2 && start <= (unsigned long)address && (unsigned long)address < end) {
            const char *found = strstr(at, name);
            return found && (!strchr(at, '\n') || found < strchr(at, '\n'));
        }
    }
    return 0;
}

static void shown(const char *what, pid_t pid, const char *real, const void *memory)
{
    char name[64], target[PATH_MAX] = {0};
    printf("-- %s\n", what);
    struct stat a, b;
    CHECK("exe", readlink(of(pid, "exe"), target, sizeof target - 1) > 0 && strcmp(target, real) == 0);
    CHECK("the file itself", stat(of(pid, "exe"), &a) == 0 && stat(real, &b) == 0 && a.st_ino == b.st_ino);
    int directory = NEED(open(of(pid, ""), O_PATH));
    int fd = openat(directory, "exe", O_RDONLY);
    CHECK("opened by its directory", fd >= 0 && fstat(fd, &a) == 0 && a.st_ino == b.st_ino);
    close(fd);
    memset(target, 0, sizeof target);
    CHECK("its link", readlinkat(directory, "exe", target, sizeof target - 1) > 0 && strcmp(target, real) == 0);
    close(directory);
    CHECK("cmdline", text_of(of(pid, "cmdline"), text, sizeof text) && strcmp(text, program_invocation_name) == 0);
    snprintf(name, sizeof name, "(%.15s)", program_invocation_short_name);
    CHECK("stat", text_of(of(pid, "stat"), text, sizeof text) && strstr(text, name));
    CHECK("status", text_of(of(pid, "status"), text, sizeof text) && after(text, "Threads:") == 1);
    long kilobytes = after(text, "VmSize:");
    CHECK("its size is a small program's", kilobytes > 0 && kilobytes < 1 << 20);
    CHECK("statm", text_of(of(pid, "statm"), text, sizeof text) && atol(text) > 0 && atol(text) < 1 << 18);
    CHECK("maps", text_of(of(pid, "maps"), text, sizeof text) != NULL);
    if (memory) {
        CHECK("its program", has(text, (void *)shown, real));
        CHECK("its memory", has(text, memory, ""));
    }
    CHECK("smaps", text_of(of(pid, "smaps"), text, sizeof text) && after(text, "\nRss:") >= 0);
    EQ("threads", entries(of(pid, "task")), 1);
    int mine = 0;
    for (int i = 0; i < 1024; i++)
        mine += fcntl(i, F_GETFD) >= 0;
    EQ("descriptors", entries(of(pid, "fd")), mine);
}

int main(int argc, char **argv)
{
    char real[PATH_MAX];
    (void)argc;
    tasks_begin();
    CHECK("realpath", realpath(argv[0], real) != NULL);
    char *mine = NEED(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    *mine = 1;
    pid_t pid = child(waits_forever);
    shown("a fork", pid, real, mine);
    kill(pid, SIGKILL);
    EQ("its end", end_of(pid), 1000 + SIGKILL);
    ERR("gone", open(of(pid, "maps"), O_RDONLY), ENOENT);
    return check_done();
}
