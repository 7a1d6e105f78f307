// exec with a small limit on the stack: what fits starts, with a stack as large as the limit allows; what does not is refused, or
// found out too late. The program runs itself.
#include "tasks.h"
#include <limits.h>

#define KIB 1024UL

static char self[PATH_MAX], *const no_env[] = {NULL};
static rlim_t limit;
static size_t length;

static void lower(void)
{
    struct rlimit now;
    NEED(getrlimit(RLIMIT_STACK, &now));
    now.rlim_cur = limit;
    NEED(setrlimit(RLIMIT_STACK, &now));
}

static int starts(void)
{
    char *const argv[] = {"x", "started", NULL};
    lower();
    execve(self, argv, no_env);
    return 97;
}

static int grows(void)
{
    char *const argv[] = {"x", "grows", NULL};
    lower();
    execve(self, argv, no_env);
    return 97;
}

// With one argument of so many bytes.
static int carries(void)
{
    static char string[128 * KIB];
    char *const argv[] = {"x", string, NULL};
    lower();
    memset(string, 's', length);
    execve(self, argv, no_env);
    return errno == E2BIG ? 7 : 97;
}

// The size in the map of memory, in KiB.
static long stack_size(void)
{
    char line[512];
    unsigned long start = 0, end = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps))
        if (strstr(line, "[stack]"))
            sscanf(line, "%lx-%lx", &start, &end);
    if (maps)
        fclose(maps);
    return (long)((end - start) / KIB);
}

static __attribute__((noinline)) int deep(int n)
{
    volatile char frame[1024];
    frame[0] = (char)n;
    return n ? deep(n - 1) + frame[0] : 0;
}

static int child_main(const char *what)
{
    struct rlimit now;
    if (what[0] == 's' && what[1] == 's')
        return 5;
    NEED(getrlimit(RLIMIT_STACK, &now));
    if (!strcmp(what, "grows"))
        return deep((int)(now.rlim_cur / KIB)) & 1;
    // More than that is there only by growth.
    if (now.rlim_cur <= 128 * KIB)
        return stack_size() == (long)(now.rlim_cur / KIB) ? 3 : 4;
    long size = stack_size();
    return size >= 132 && size <= 156 ? 3 : 4;
}

int main(int argc, char **argv)
{
    if (argc > 1)
        return child_main(argv[1]);
    tasks_begin();
    NEED(readlink("/proc/self/exe", self, sizeof self - 1));
    static const int sizes[] = {8192, 1024, 128, 64, 32};
    char name[64];
    for (int i = 0; i < 5; i++) {
        limit = (rlim_t)sizes[i] * KIB;
        snprintf(name, sizeof name, "starts with %d KiB", sizes[i]);
        EQ(name, child_end(starts), 3);
    }
    limit = 100 * KIB;
    EQ("and does not grow beyond it", child_end(grows), 1000 + SIGSEGV);
    limit = 64 * KIB;
    length = 30000;
    EQ("an argument that fits", child_end(carries), 5);
    length = 100000;
    EQ("one that does not", child_end(carries), 7);
    // All that is on the stack beside it: the file's name, "x", and eight bytes at the end.
    length = 64 * KIB - 8 - strlen(self) - 1 - 2;
    EQ("a byte too much", child_end(carries), 7);
    length--;
    EQ("found out too late", child_end(carries), 1000 + SIGSEGV);
    limit = 0;
    length = 5000;
    EQ("no stack", child_end(carries), 7);
    return check_done();
}
