// What /proc/self says: it shows this program.
// km-test: args=first second/with/slashes
// km-test: env=KM_TEST_SELF=here
#include "check.h"
#include "files.h"
#include <limits.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>

static int global = 1;

// The line of /proc/self/maps an address lies in: its permissions, and its name in `name`. Nothing is allocated, so
// that looking does not change what is there.
static const char *map_of(const void *address, char *name)
{
    static char text[65536], perms[5];
    text_of("/proc/self/maps", text, sizeof text);
    name[0] = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        unsigned long start, end;
        int at = 0;
        sscanf(line, "%lx-%lx %4s %*s %*s %*s %n", &start, &end, perms, &at);
        if (start <= (unsigned long)address && (unsigned long)address < end) {
            strcpy(name, line + at);
            return perms;
        }
    }
    return "none";
}

static void executable(char **argv)
{
    char link[PATH_MAX] = {0}, real[PATH_MAX], name[PATH_MAX];
    EQ("readlink exe", readlink("/proc/self/exe", link, sizeof link - 1) > 0, 1);
    CHECK("realpath", realpath(argv[0], real) != NULL);
    STR("exe is the program", link, real);
    struct stat a, b;
    NEED(stat("/proc/self/exe", &a));
    NEED(stat(real, &b));
    CHECK("the same file", a.st_ino == b.st_ino && a.st_dev == b.st_dev);
    char magic[4];
    EQ("can be read", read_file("/proc/self/exe", magic, 4), 4);
    CHECK("an ELF", memcmp(magic, "\177ELF", 4) == 0);
    char by_pid[64];
    snprintf(by_pid, sizeof by_pid, "/proc/%d/exe", getpid());
    memset(link, 0, sizeof link);
    NEED(readlink(by_pid, link, sizeof link - 1));
    STR("by its number", link, real);

    STR("code", map_of((void *)executable, name), "r-xp");
    STR("code's file", name, real);
    STR("data", map_of(&global, name), "rw-p");
    STR("data's file", name, real);
    STR("stack", map_of(&link, name), "rw-p");
    STR("stack's name", name, "[stack]");
    map_of((void *)getauxval(AT_SYSINFO_EHDR), name);
    STR("vDSO's name", name, "[vdso]");
    char *brk = (char *)syscall(SYS_brk, 0);
    EQ("brk", syscall(SYS_brk, brk + 8192), brk + 8192);
    STR("heap", map_of(brk, name), "rw-p");
    STR("heap's name", name, "[heap]");
    char *p = NEED(mmap(NULL, 12288, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    STR("closed mapping", map_of(p, name), "---p");
    NEED(mprotect(p + 4096, 4096, PROT_READ | PROT_WRITE));
    STR("opened in the middle", map_of(p + 4096, name), "rw-p");
    STR("not behind", map_of(p + 8192, name), "---p");
    NEED(munmap(p, 12288));
    STR("unmapped", map_of(p, name), "none");
    int fd = NEED(open("mapped file", O_RDWR | O_CREAT, 0600));
    NEED(ftruncate(fd, 8192));
    p = NEED(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 4096));
    STR("shared mapping", map_of(p, name), "r--s");
    CHECK("its file", strlen(name) > 11 && strcmp(name + strlen(name) - 11, "mapped file") == 0);
    unlink("mapped file");
    map_of(p, name);
    CHECK("deleted", strstr(name, "mapped file (deleted)") != NULL);
}

static void process(int argc, char **argv)
{
    static char buf[65536];
    ssize_t n = read_file("/proc/self/cmdline", buf, sizeof buf), at = 0;
    for (int i = 0; i < argc; i++) {
        STR("argument", at < n ? buf + at : "", argv[i]);
        at += (ssize_t)strlen(argv[i]) + 1;
    }
    EQ("and no more", n, at);
    text_of("/proc/self/comm", buf, sizeof buf);
    STR("comm", buf, "self_exe\n");
    n = read_file("/proc/self/environ", buf, sizeof buf);
    CHECK("environ", memmem(buf, n, "KM_TEST_SELF=here", 18) != NULL);
    text_of("/proc/self/status", buf, sizeof buf);
    char want[64];
    CHECK("status, name", strncmp(buf, "Name:\tself_exe\n", 15) == 0);
    snprintf(want, sizeof want, "\nPid:\t%d\n", getpid());
    CHECK("status, pid", strstr(buf, want) != NULL);
    CHECK("status, one thread", strstr(buf, "\nThreads:\t1\n") != NULL);
    text_of("/proc/self/stat", buf, sizeof buf);
    snprintf(want, sizeof want, "%d (self_exe) R ", getpid());
    CHECK("stat", strncmp(buf, want, strlen(want)) == 0);
    unsigned long aux[64] = {0};
    n = read_file("/proc/self/auxv", (char *)aux, sizeof aux);
    int differ = n < 160;
    for (unsigned i = 0; i + 1 < n / 8 && aux[i]; i += 2)
        differ += aux[i] == AT_ENTRY || aux[i] == AT_PHDR || aux[i] == AT_RANDOM ? getauxval(aux[i]) != aux[i + 1] : 0;
    EQ("auxv", differ, 0);
    memset(buf, 0, 4096);
    char cwd[PATH_MAX];
    OK("cwd", readlink("/proc/self/cwd", buf, 4095));
    STR("the directory", buf, getcwd(cwd, sizeof cwd));
}

static void descriptors(void)
{
    for (int i = 3; i < 100; i++)
        close(i);
    int closed = 0;
    EQ("standard streams and the directory", entries("/proc/self/fd"), 4);
    DIR *d = opendir("/proc/self/fd");
    for (struct dirent *e; d && (e = readdir(d));)
        closed += e->d_name[0] != '.' && fcntl(atoi(e->d_name), F_GETFD) == -1;
    if (d)
        closedir(d);
    EQ("all of them open", closed, 0);
    EQ("fdinfo", entries("/proc/self/fdinfo"), 4);
    EQ("one task", entries("/proc/self/task"), 1);
    int fd = NEED(open("file", O_RDWR | O_CREAT, 0600)), again;
    char path[64], name[PATH_MAX] = {0};
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    OK("readlink of one", readlink(path, name, sizeof name - 1));
    CHECK("its file", strlen(name) > 5 && strcmp(name + strlen(name) - 5, "/file") == 0);
    again = open(path, O_RDONLY);
    OK("opened by it", again);
    snprintf(path, sizeof path, "/dev/fd/%d", fd);
    again = open(path, O_RDONLY);
    OK("and by /dev/fd", again == -1 && errno == ENOENT ? 0 : again);
    unlink("file");
}

int main(int argc, char **argv)
{
    executable(argv);
    process(argc, argv);
    descriptors();
    return check_done();
}
