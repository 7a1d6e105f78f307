// A process that shares its maker's descriptors, directory and umask, but not its memory.
#include "tasks.h"
#include <sched.h>
#include <sys/stat.h>

static _Alignas(16) char stack[65536];
static volatile int word = 1;

static int opens(void *arg)
{
    (void)arg;
    word = 2;
    umask(0);
    return open("/dev/null", O_RDONLY) + chdir("/");
}

int main(void)
{
    tasks_begin();
    char cwd[4096];
    umask(022);
    int free_fd = dup(0);
    close(free_fd);
    pid_t pid = clone(opens, stack + sizeof stack, CLONE_FILES | CLONE_FS | SIGCHLD, NULL);
    EQ("CLONE_FILES", end_of(pid), free_fd);
    OK("what the child opened is open here", fcntl(free_fd, F_GETFD));
    STR("CLONE_FS: its directory is mine", getcwd(cwd, sizeof cwd), "/");
    EQ("and its umask", umask(022), 0);
    EQ("memory is private", word, 1);
    return check_done();
}
