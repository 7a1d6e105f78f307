// Random mixes of threads, processes, signals and memory, the same for the same seed. Whatever a round makes, it ends: at
// a sample the program is as it was at the start, so that an observer can compare counts.
//
//     soak seed=N (rounds=N | seconds=N) [sample=N] [only=a,b] [without=a,b]
//     soak list
//
// A line is printed for each round, and for each sample, which goes on when a line was read:
//
//     round NUMBER CHECKSUM
//     sample NUMBER CHECKSUM SECONDS PID PID
//
// The two processes of a sample are to be observed as well: each round the first executes itself, and the second is
// succeeded by its child. A wrong checksum is told on standard error, and the exit code is 1.
#include "soak.h"
#include "files.h"
#include <limits.h>
#include <malloc.h>
#include <sys/prctl.h>

char self[PATH_MAX];

struct action {
    const char *name;
    uint64_t (*run)(uint64_t seed);
    // It makes no processes.
    int leaf, disabled;
};

static struct action actions[] = {
    {"memory", memory, 1, 0},     {"allocations", allocations, 1, 0}, {"threads", threads, 1, 0},
    {"detached", detached, 1, 0}, {"woken", woken, 1, 0},             {"signals", signals, 1, 0},
    {"timers", timers, 1, 0},     {"descriptors", descriptors, 1, 0}, {"fork", forks, 0, 0},
    {"killed", killed, 0, 0},     {"stopped", stopped, 0, 0},         {"exec", executed, 0, 0},
    {"vfork", vforks, 0, 0},      {"vfork-killed", vfork_killed, 0, 0}, {"spawn", spawns, 0, 0},
    {"pipes", pipes, 0, 0},
};
#define ACTIONS (sizeof actions / sizeof *actions)

uint64_t mixture(uint64_t seed, int leaf)
{
    uint64_t r = seed ^ 0x6d69787475726573, wrong = 0;
    for (unsigned n = 1 + below(&r, 3); n > 0; n--) {
        struct action *action = &actions[below(&r, ACTIONS)];
        uint64_t of = next(&r);
        if (!action->disabled && (action->leaf || !leaf))
            wrong += off(action->name, action->run(of), chain(of));
    }
    return chain(seed) + wrong;
}

static void *lane(void *arg)
{
    struct piece *piece = arg;
    piece->result = mixture(piece->seed, 0);
    return arg;
}

static uint64_t one_round(uint64_t seed)
{
    uint64_t r = seed, sum = 0, want = 0;
    struct piece lanes[LANES];
    pthread_t t[LANES];
    int n = 1 + (int)below(&r, LANES);
    for (int i = 0; i < n; i++) {
        lanes[i] = (struct piece){next(&r), 0, NULL};
        want += chain(lanes[i].seed);
        if (i > 0)
            t[i] = start(lane, &lanes[i], 0);
    }
    lane(&lanes[0]);
    for (int i = 1; i < n; i++)
        pthread_join(t[i], NULL);
    for (int i = 0; i < n; i++)
        sum += lanes[i].result;
    off("round", sum, want);
    return sum;
}

// Samples.

static void *meets(void *arg)
{
    pthread_barrier_wait(arg);
    return arg;
}

// The same each time: as many threads as there ever are, and then none.
static void settle(void)
{
    pthread_barrier_t all;
    pthread_t t[CROWD];
    pthread_barrier_init(&all, NULL, CROWD + 1);
    for (int i = 0; i < CROWD; i++)
        t[i] = start(meets, &all, 0);
    pthread_barrier_wait(&all);
    for (int i = 0; i < CROWD; i++)
        pthread_join(t[i], NULL);
    UNTIL(entries("/proc/self/task") == 1);
    pthread_barrier_destroy(&all);
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int is_in(const char *list, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = list; (at = strstr(at, name)); at += len)
        if ((at == list || at[-1] == ',') && (at[len] == ',' || at[len] == '\0'))
            return 1;
    return 0;
}

struct options {
    unsigned long seed, rounds, seconds, sample;
};

static int read_option(struct options *options, const char *arg)
{
    const char *value = strchr(arg, '=');
    struct {
        const char *name;
        unsigned long *to;
    } numbers[] = {{"seed=", &options->seed}, {"rounds=", &options->rounds}, {"seconds=", &options->seconds},
                   {"sample=", &options->sample}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (strncmp(arg, numbers[i].name, strlen(numbers[i].name)) == 0) {
            *numbers[i].to = strtoul(value + 1, NULL, 10);
            return 0;
        }
    }
    int only = strncmp(arg, "only=", 5) == 0;
    if (!only && strncmp(arg, "without=", 8))
        return 1;
    for (size_t i = 0; i < ACTIONS; i++)
        actions[i].disabled |= is_in(value + 1, actions[i].name) != only;
    return 0;
}

static int soak(const struct options *options)
{
    struct lineage lineages[2];
    uint64_t r = options->seed, total = 0;
    unsigned long number = 0;
    double begin = seconds();
    char line[64];
    // Those whose parents are gone come here.
    NEED(prctl(PR_SET_CHILD_SUBREAPER, 1));
    for (int i = 0; i < 2; i++)
        begin_lineage(&lineages[i], i == 0);
    // What was opened for those before is closed by an exec.
    for (int i = 0; i < 2; i++)
        next_generation(&lineages[i], i == 0);
    settle();
    int opened = entries("/proc/self/fd");
    for (int last = 0; !failed; number++) {
        last = options->rounds ? number == options->rounds : seconds() - begin >= (double)options->seconds;
        if (last || (options->sample && number % options->sample == 0)) {
            settle();
            off("open descriptors", (uint64_t)entries("/proc/self/fd"), (uint64_t)opened);
            off("children left", (uint64_t)waitpid(-1, NULL, WNOHANG), 0);
            if (options->sample) {
                printf("sample %lu %016llx %.3f %d %d\n", number, (unsigned long long)total, seconds() - begin,
                       lineages[0].pid, lineages[1].pid);
                fflush(stdout);
                alarm(0);
                if (!fgets(line, sizeof line, stdin))
                    return 1;
            }
        }
        if (last)
            break;
        alarm(LIMIT);
        total += one_round(next(&r));
        for (int i = 0; i < 2; i++)
            next_generation(&lineages[i], i == 0);
        printf("round %lu %016llx\n", number, (unsigned long long)total);
        fflush(stdout);
    }
    for (int i = 0; i < 2; i++)
        end_lineage(&lineages[i]);
    off("nobody is left", waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, 1);
    return failed != 0;
}

int soak_main(int argc, char **argv, const char *const *preset)
{
    struct options options = {.seed = 1};
    NEED(readlink("/proc/self/exe", self, sizeof self - 1));
    if (argc > 3 && strcmp(argv[1], "exec-child") == 0) {
        give(RESULT, chain(strtoull(argv[2], NULL, 10)));
        return atoi(argv[3]);
    }
    if (argc > 1 && strcmp(argv[1], "lineage") == 0)
        serve_execs(LINEAGE, LINEAGE + 1);
    if (argc > 1 && strcmp(argv[1], "list") == 0) {
        for (size_t i = 0; i < ACTIONS; i++)
            puts(actions[i].name);
        return 0;
    }
    for (; preset && *preset; preset++)
        read_option(&options, *preset);
    for (int i = 1; i < argc; i++) {
        if (read_option(&options, argv[i])) {
            fprintf(stderr, "soak: %s: not understood\n", argv[i]);
            return 2;
        }
    }
    tasks_begin();
    set_handlers();
    return soak(&options);
}
