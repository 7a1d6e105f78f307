// exec of "#!" scripts: what their interpreter is told, interpreters that are scripts, scripts by descriptor.
#include "files.h"
#include "tasks.h"
#include <limits.h>

extern char **environ;
static char self[PATH_MAX];
static const char *path;
static char *const *args;

static int runs(void) { return execve(path, args, environ) + 97; }

static int by_descriptor(void)
{
    int fd = NEED(open(path, O_RDONLY | O_CLOEXEC));
    NEED(dup2(fd, 60));
    ERR("it is closed before the interpreter could open it", syscall(SYS_execveat, fd, "", args, environ, AT_EMPTY_PATH), ENOENT);
    fflush(stdout);
    return syscall(SYS_execveat, 60, "", args, environ, AT_EMPTY_PATH) + 97;
}

static void show(const char *title, const char *file, char *const *argv)
{
    printf("%s:", title);
    path = file;
    args = argv;
    int end = child_end(runs);
    EQ("end", end, 11);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        // As the interpreter: the arguments are shown.
        for (int i = 0; i < argc; i++)
            printf(" [%s]", argv[i]);
        printf(" %s\n", getenv("KM_TEST_SCRIPT") ? "env" : "no env");
        char comm[32] = {0};
        CHECK("comm", read_file("/proc/self/comm", comm, sizeof comm - 1) > 0);
        printf("comm %s", comm);
        return 11;
    }
    tasks_begin();
    setenv("KM_TEST_SCRIPT", "1", 1);
    NEED(readlink("/proc/self/exe", self, sizeof self - 1));
    NEED(symlink(self, "interp"));
    char *const plain[] = {"lost", "one", "two words", NULL};
    write_script("plain", "#!./interp\nwhatever\n");
    show("plain", "./plain", plain);
    write_script("argument", "#! ./interp \t -a b  c \t\nwhatever\n");
    show("with an argument", "./argument", plain);
    write_script("unended", "#!./interp");
    show("without a newline", "./unended", plain);
    write_script("second", "#!./plain second's\n");
    show("its interpreter is a script", "./second", plain);
    write_script("third", "#!./second\n");
    show("two scripts", "./third", plain);
    char *const none[] = {"lost", NULL};
    show("no arguments", "./plain", none);
    NEED(symlink("plain", "link"));
    show("by a link", "./link", plain);
    printf("by a descriptor:");
    path = "plain";
    args = plain;
    EQ("end", child_end(by_descriptor), 11);
    NEED(mkdir("sub", 0700));
    NEED(chdir("sub"));
    write_script("up", "#!../interp\n");
    show("interpreter's path is relative to the directory", "up", plain);
    unlink("up");
    NEED(chdir(".."));
    rmdir("sub");
    static const char *const files[] = {"plain", "argument", "unended", "second", "third", "link", "interp"};
    for (int i = 0; i < 7; i++)
        unlink(files[i]);
    return check_done();
}
