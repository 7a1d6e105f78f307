// exec: the arguments and the environment arrive as given, whichever way the program is named. It runs itself.
#include "files.h"
#include "tasks.h"
#include <limits.h>
#include <sys/auxv.h>

extern char **environ;
static char self[PATH_MAX], *const no_env[] = {NULL};
static pid_t before;

static int arguments(void)
{
    char *const argv[] = {"any name", "arguments", "", "with space and \"quotes\"", "\377\200 bytes", NULL};
    char *const env[] = {"A=1", "EMPTY=", "no equals sign", "A=2", NULL};
    return execve(self, argv, env);
}

static void see_arguments(int argc, char **argv)
{
    char buf[PATH_MAX] = {0};
    EQ("argc", argc, 5);
    STR("argv[0] is kept", argv[0], "any name");
    STR("empty", argv[2], "");
    STR("quotes", argv[3], "with space and \"quotes\"");
    STR("bytes", argv[4], "\377\200 bytes");
    EQ("argv ends", argv[5] == NULL, 1);
    STR("environment", environ[0], "A=1");
    STR("odd one", environ[2], "no equals sign");
    CHECK("as given", !strcmp(environ[1], "EMPTY=") && !strcmp(environ[3], "A=2") && !environ[4]);
    STR("getenv", getenv("A"), "1");
    NEED(readlink("/proc/self/exe", buf, sizeof buf - 1));
    STR("exe", buf, self);
    STR("comm", line_of("/proc/self/comm", buf, sizeof buf), "exec_basic");
    STR("cmdline", line_of("/proc/self/cmdline", buf, sizeof buf), "any name");
    STR("AT_EXECFN", (char *)getauxval(AT_EXECFN), self);
    EQ("AT_SECURE", getauxval(AT_SECURE), 0);
    EQ("other program's memory is gone", before, 0);
}

static int ways(void)
{
    char *const argv[] = {"way", "way", NULL};
    int fd = NEED(open(self, O_PATH | O_CLOEXEC)), readable = NEED(open(self, O_RDONLY | O_CLOEXEC)), end;
    char *slash = strrchr(self, '/');
    static char dir[PATH_MAX];
    memcpy(dir, self, slash - self + 1);
    int dirfd = NEED(open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC));
    NEED(symlink(self, "link"));
    for (int way = 0; way < 7; way++) {
        pid_t pid = fork_child();
        if (pid == 0) {
            switch (way) {
            case 0: syscall(SYS_execveat, fd, "", argv, no_env, AT_EMPTY_PATH); break;
            case 1: syscall(SYS_execveat, dirfd, slash + 1, argv, no_env, 0); break;
            case 2: syscall(SYS_execveat, AT_FDCWD, "link", argv, no_env, 0); break;
            case 3: syscall(SYS_execveat, -5, self, argv, no_env, 0); break;
            case 4: fexecve(readable, argv, no_env); break;
            case 5: execve("/proc/self/exe", argv, no_env); break;
            case 6: execl("./link", "way", "way", NULL); break;
            }
            _exit(98);
        }
        end = end_of(pid);
        EQ("way of exec", end, 21);
    }
    unlink("link");
    return 0;
}

static int nulls(void) { return (int)syscall(SYS_execve, self, NULL, NULL); }

static int chain(void) { return execl(self, "chain", "chain", "5", NULL); }

static void parent(void)
{
    EQ("arguments", child_end(arguments), 0);
    EQ("ways", child_end(ways), 0);
    EQ("no argv, no envp", child_end(nulls), 33);
    EQ("one after the other", child_end(chain), 55);
}

int main(int argc, char **argv)
{
    NEED(readlink("/proc/self/exe", self, sizeof self - 1));
    const char *role = argc > 1 ? argv[1] : "";
    if (!strcmp(role, "way"))
        return environ[0] == NULL || !strcmp(argv[0], "way") ? 21 : 22;
    if (argc == 1 && !argv[0][0])
        return environ[0] ? 34 : 33;
    if (!strcmp(role, "chain")) {
        char next[2] = {(char)(argv[2][0] - 1), 0};
        return *next == '0' ? 55 : execl(self, "chain", "chain", next, NULL);
    }
    if (!strcmp(role, "arguments"))
        see_arguments(argc, argv);
    else {
        tasks_begin();
        before = getpid();
        parent();
        return check_done();
    }
    return check_failures;
}
