// A process that shares its maker's directory and umask, but not its memory.
#include "tasks.h"
#include <sched.h>
#include <sys/stat.h>

static _Alignas(16) char stack[65536];
static volatile int word = 1;

static int changes(void *arg)
{
    (void)arg;
    word = 2;
    umask(0);
    return chdir("/");
}

int main(void)
{
    tasks_begin();
    char cwd[4096];
    umask(022);
    pid_t pid = clone(changes, stack + sizeof stack, CLONE_FS | SIGCHLD, NULL);
    EQ("CLONE_FS", end_of(pid), 0);
    STR("its directory is mine", getcwd(cwd, sizeof cwd), "/");
    EQ("and its umask", umask(022), 0);
    EQ("memory is private", word, 1);
    return check_done();
}
