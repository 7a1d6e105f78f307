// Actions: children that execute a program, by fork, vfork and posix_spawn.
#include "soak.h"
#include <spawn.h>
#include <sys/mman.h>

// A program to execute that gives chain(seed) and exits with `code`.
struct program {
    char seed[24], code[8];
    char *argv[5];
};

static void program_of(struct program *program, uint64_t seed, int code)
{
    snprintf(program->seed, sizeof program->seed, "%llu", (unsigned long long)seed);
    snprintf(program->code, sizeof program->code, "%d", code);
    char *argv[] = {"soak", "exec-child", program->seed, program->code, NULL};
    memcpy(program->argv, argv, sizeof argv);
}

static void *executes(void *arg)
{
    struct program *program = arg;
    execv(self, program->argv);
    _exit(99);
}

// fork and exec: alone, while threads run, or by another thread than the first.
uint64_t executed(uint64_t seed)
{
    uint64_t r = ~seed, wrong = 0;
    int fd[2], how = (int)below(&r, 3), code = 1 + (int)below(&r, 90);
    struct program program;
    program_of(&program, seed, code);
    pipe_of(fd);
    pid_t pid = forked();
    if (pid == 0) {
        dup2(fd[1], RESULT);
        if (how)
            crowd_of(&r, 3);
        if (how == 2) {
            start(executes, &program, 1);
            work_forever(&r);
        }
        executes(&program);
    }
    wrong += off("executed program's result", take_from_child(fd), chain(seed));
    wrong += off("executed program's code", (uint64_t)end_of(pid), (uint64_t)code);
    return chain(seed) + wrong;
}

uint64_t vforks(uint64_t of)
{
    volatile uint64_t seed = of;
    uint64_t r = ~of, wrong = 0;
    int fd[2];
    volatile int how = (int)below(&r, 3), code = 1 + (int)below(&r, 90);
    struct program program;
    volatile int seen = 0;
    program_of(&program, seed, code);
    pipe_of(fd);
    pid_t pid = vfork();
    if (pid == 0) {
        seen = 1;
        if (how == 0)
            _exit(code);
        if (how == 1)
            execv("./not there", program.argv);
        dup2(fd[1], RESULT);
        execv(self, program.argv);
        _exit(98);
    }
    wrong += off("vfork's memory", (uint64_t)seen, 1);
    uint64_t result = take_from_child(fd);
    wrong += off("vfork's result", result, how ? chain(seed) : 0);
    wrong += off("vfork's code", (uint64_t)end_of(pid), (uint64_t)code);
    return chain(seed) + wrong;
}

struct victim {
    volatile pid_t pid;
    unsigned delay;
};

static void *kills(void *arg)
{
    struct victim *victim = arg;
    UNTIL(victim->pid);
    pause_us(victim->delay);
    kill(victim->pid, SIGKILL);
    return arg;
}

// A vfork child that is killed from outside wherever it is, its parent waiting.
uint64_t vfork_killed(uint64_t of)
{
    volatile uint64_t seed = of;
    uint64_t r = ~of, wrong = 0;
    struct victim victim = {0, below(&r, 3000)};
    char *at = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_t t = start(kills, &victim, 0);
    pid_t pid = vfork();
    if (pid == 0) {
        victim.pid = (pid_t)syscall(SYS_getpid);
        for (;;) {
            syscall(SYS_mprotect, at, PAGE, PROT_READ);
            syscall(SYS_mprotect, at, PAGE, PROT_READ | PROT_WRITE);
            syscall(SYS_close, syscall(SYS_dup, 0));
        }
    }
    wrong += off("killed vfork", (uint64_t)end_of(pid), 1000 + SIGKILL);
    pthread_join(t, NULL);
    munmap(at, 2 * PAGE);
    return chain(seed) + wrong;
}

uint64_t spawns(uint64_t seed)
{
    uint64_t r = ~seed, wrong = 0;
    int fd[2], code = 1 + (int)below(&r, 90);
    pid_t pid = -1;
    struct program program;
    posix_spawn_file_actions_t actions;
    program_of(&program, seed, code);
    pipe_of(fd);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fd[1], RESULT);
    if (below(&r, 4) == 0)
        wrong += off("no program", (uint64_t)posix_spawn(&pid, "./not there", &actions, NULL, program.argv, environ), ENOENT);
    wrong += off("posix_spawn", (uint64_t)posix_spawn(&pid, self, &actions, NULL, program.argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    wrong += off("spawned program's result", take_from_child(fd), chain(seed));
    wrong += off("spawned program's code", (uint64_t)end_of(pid), (uint64_t)code);
    return chain(seed) + wrong;
}
