// Processes that are succeeded, by an exec or by a child.
#include "soak.h"

void serve_execs(int to, int from)
{
    alarm(LIMIT);
    give(from, (uint64_t)getpid());
    if (take(to) == 1)
        execl(self, "soak", "lineage", NULL);
    _exit(0);
}

static void serve_forks(int to, int from)
{
    alarm(LIMIT);
    give(from, (uint64_t)getpid());
    while (take(to) == 1) {
        pid_t pid = forked();
        if (pid)
            _exit(pid == -1);
        give(from, (uint64_t)getpid());
    }
    _exit(0);
}

void begin_lineage(struct lineage *lineage, int executes)
{
    pipe_of(lineage->to);
    pipe_of(lineage->from);
    if ((lineage->pid = forked()) == 0) {
        if (executes) {
            dup2(lineage->to[0], LINEAGE);
            dup2(lineage->from[1], LINEAGE + 1);
            serve_execs(LINEAGE, LINEAGE + 1);
        }
        serve_forks(lineage->to[0], lineage->from[1]);
    }
    off("lineage", take(lineage->from[0]), (uint64_t)lineage->pid);
}

void next_generation(struct lineage *lineage, int executes)
{
    give(lineage->to[1], 1);
    pid_t pid = (pid_t)take(lineage->from[0]);
    if (executes)
        off("the id after exec", (uint64_t)pid, (uint64_t)lineage->pid);
    else
        off("the one before", (uint64_t)end_of(lineage->pid), 0);
    lineage->pid = pid;
}

void end_lineage(struct lineage *lineage)
{
    give(lineage->to[1], 0);
    off("end of a lineage", (uint64_t)end_of(lineage->pid), 0);
    close_both(lineage->to);
    close_both(lineage->from);
}
