// RLIMIT_CORE is the program's own. (What the host would write is the monitor's: see the command line's trials.)
#include "tasks.h"
#include <dirent.h>
#include <sys/resource.h>

static int aborts(void)
{
    struct rlimit all;
    NEED(getrlimit(RLIMIT_CORE, &all));
    all.rlim_cur = all.rlim_max;
    NEED(setrlimit(RLIMIT_CORE, &all));
    signal(SIGQUIT, SIG_DFL);
    raise(SIGQUIT);
    return 1;
}

static int executed(char **argv)
{
    execv("/proc/self/exe", (char *[]){argv[0], "limit", NULL});
    return 1;
}

static int show(void)
{
    struct rlimit limit, old;
    NEED(getrlimit(RLIMIT_CORE, &limit));
    EQ("soft, executed", limit.rlim_cur, 4096);
    limit.rlim_cur = 0;
    OK("none", prlimit(0, RLIMIT_CORE, &limit, &old));
    EQ("it was", old.rlim_cur, 4096);
    return check_done();
}

int main(int argc, char **argv)
{
    setbuf(stdout, NULL);
    if (argc > 1)
        return show();
    EQ("dies", child_end(aborts), 1000 + SIGQUIT);
    // Natively it may have left a core file.
    DIR *here = opendir(".");
    for (struct dirent *entry; (entry = readdir(here)) != NULL;)
        if (entry->d_name[0] != '.')
            unlink(entry->d_name);
    closedir(here);
    struct rlimit limit;
    NEED(getrlimit(RLIMIT_CORE, &limit));
    limit.rlim_cur = 4096;
    OK("set", setrlimit(RLIMIT_CORE, &limit));
    NEED(getrlimit(RLIMIT_CORE, &limit));
    EQ("soft", limit.rlim_cur, 4096);
    struct rlimit crossed = {101, 100};
    ERR("crossed", setrlimit(RLIMIT_CORE, &crossed), EINVAL);
    fflush(stdout);
    pid_t pid = fork_child();
    if (pid == 0)
        executed(argv);
    EQ("executed", end_of(pid), 0);
    return check_done();
}
