// Programs executed by descriptor where there is no /proc: below a root of its own, there is not even their name.
// km-test: links=static-musl,static-glibc
// km-test: needs=root
#include "files.h"
#include "tasks.h"
#include <sys/auxv.h>

static int self, script, directory;

static int execute(int fd, const char *path, const char *argument, int flags)
{
    char *argv[] = {"program", (char *)argument, NULL}, *envp[] = {NULL};
    syscall(SYS_execveat, fd, path, argv, envp, flags);
    return errno;
}

static int by_descriptor(void) { return execute(self, "", "again", AT_EMPTY_PATH); }
static int below_directory(void) { return execute(directory, "copy", "again", 0); }
static int by_link(void) { return execute(directory, "link", "again", AT_SYMLINK_NOFOLLOW); }
static int no_file(void) { return execute(directory, "none", "again", 0); }
static int a_script(void) { return execute(script, "", "again", AT_EMPTY_PATH); }
static int by_name(void) { return execute(AT_FDCWD, "/proc/self/exe", "again", 0); }
static int again_and_again(void) { return execute(self, "", "twice", AT_EMPTY_PATH); }

static int inside(int argc, char **argv)
{
    (void)argc;
    // No name leads here any more.
    STR("what it was called", strrchr((char *)getauxval(AT_EXECFN), '/') ? "a path" : "none", "a path");
    if (strcmp(argv[1], "twice") == 0) {
        self = NEED(open("/copy", O_RDONLY));
        fflush(stdout);
        return execute(self, "", "again", AT_EMPTY_PATH);
    }
    printf("inside\n");
    return check_done();
}

int main(int argc, char **argv)
{
    tasks_begin();
    if (argc > 1)
        return inside(argc, argv);
    NEED(mkdir("root", 0755));
    close(copy_file("/proc/self/exe", "root/copy", 0755));
    NEED(symlink("copy", "root/link"));
    write_script("root/script", "#!/copy\n");
    self = NEED(open("root/copy", O_RDONLY | O_CLOEXEC));
    script = NEED(open("root/script", O_RDONLY));
    directory = NEED(open("root", O_RDONLY | O_DIRECTORY));
    NEED(chroot("root"));
    NEED(chdir("/"));
    EQ("by descriptor", child_end(by_descriptor), 0);
    EQ("below a directory", child_end(below_directory), 0);
    EQ("twice", child_end(again_and_again), 0);
    EQ("a link that is not followed", child_end(by_link), ELOOP);
    EQ("no file", child_end(no_file), ENOENT);
    EQ("by a name that is not there", child_end(by_name), ENOENT);
    // Its interpreter is told of it by a name that is not there either.
    EQ("a script", child_end(a_script), 0);
    return check_done();
}
