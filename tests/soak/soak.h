// What the files of the soak share. soak.c says what it is.
#ifndef KM_SOAK_H
#define KM_SOAK_H

#include "tasks.h"
#include <stdint.h>

// At once: lanes, threads of an action, processes of an action.
#define LANES 4
#define THREADS 5
#define PROCESSES 3
// All that a sample has alive together, so that nothing is made for the first time later.
#define CROWD 31
#define PAGE 4096
// Where a program that is executed finds its descriptor, and where the lineages find theirs.
#define RESULT 50
#define LINEAGE 60

// The program itself, to be executed.
extern char self[];

// numbers.c: what follows from a seed, and whether it came out.

// A wrong sum was told.
extern int failed;
uint64_t next(uint64_t *state);
unsigned below(uint64_t *state, unsigned limit);
// What the work of `seed` comes to, wherever it is done.
uint64_t chain(uint64_t seed);
// How far something is from what it should be: nothing, or it is told.
uint64_t off(const char *what, uint64_t got, uint64_t want);

// calls.c: calls that a signal may interrupt, and the start of threads and children.

void pause_us(unsigned us);
uint64_t take(int fd);
void give(int fd, uint64_t value);
void pipe_of(int fd[2]);
void close_both(int fd[2]);
// What a child gives: nothing if it died.
uint64_t take_from_child(int fd[2]);
pthread_t start(void *(*run)(void *), void *arg, int detached);
pid_t forked(void);

// handlers.c: signal handlers, and what they note.

#define QUEUED (SIGRTMIN + 3)
#define TIMED (SIGRTMIN + 4)
extern __thread volatile int interrupted;
extern __thread volatile uint64_t queued;
extern int expired;
void set_handlers(void);
// The signal that writing there brings: none, or SIGSEGV.
int faults(volatile char *at);

// The actions. Each comes to chain(seed).

// memory.c
uint64_t memory(uint64_t seed);
uint64_t allocations(uint64_t seed);
// threads.c
uint64_t threads(uint64_t seed);
uint64_t detached(uint64_t seed);
uint64_t woken(uint64_t seed);
// events.c
uint64_t signals(uint64_t seed);
uint64_t timers(uint64_t seed);
uint64_t descriptors(uint64_t seed);
// processes.c
uint64_t forks(uint64_t seed);
uint64_t killed(uint64_t seed);
uint64_t stopped(uint64_t seed);
uint64_t pipes(uint64_t seed);
// programs.c
uint64_t executed(uint64_t seed);
uint64_t vforks(uint64_t of);
uint64_t vfork_killed(uint64_t of);
uint64_t spawns(uint64_t seed);

// threads.c: what threads do, alone and in crowds.

struct piece {
    uint64_t seed, result;
    int *left;
};
void *work(void *arg);
_Noreturn void *work_forever(void *arg);
void crowd_of(uint64_t *r, int n);

// lineages.c: a process that executes itself over and over, and one that is succeeded by its child each time. A word says
// when, and the next generation answers with its id.

struct lineage {
    int to[2], from[2];
    pid_t pid;
};
void serve_execs(int to, int from);
void begin_lineage(struct lineage *lineage, int executes);
void next_generation(struct lineage *lineage, int executes);
void end_lineage(struct lineage *lineage);

// soak.c

// Two or three actions, some without processes of their own.
uint64_t mixture(uint64_t seed, int leaf);
// The whole program, with these options preset, before those of the command line.
int soak_main(int argc, char **argv, const char *const *preset);

#endif
