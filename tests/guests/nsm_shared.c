// Several threads and processes with one security module: no extension is lost,
// and what is locked stays so. How many requests each thread makes may be given.
// km-test: nsm=emulated
// km-test: timeout=60
#include <pthread.h>
#include <sys/wait.h>

#include "nsm.h"

enum { THREADS = 4, PROCESSES = 2, SHARED = 24 };

static int rounds = 40;

/* Which thread's, and how often it has extended its own register. */
struct part {
    unsigned number;
    int failed;
};

static int is_error(const struct bytes *answer, const char *name)
{
    struct bytes wanted = {.length = 0};
    model_error(&wanted, name);
    return nsm_is(answer, &wanted);
}

static struct bytes extend(unsigned index)
{
    return nsm_ask((struct request){.name = "ExtendPCR", .index = index, .data = "x", .length = 1});
}

static void *works(void *given)
{
    struct part *part = given;
    unsigned own = 16 + part->number, locked = 20 + part->number;
    struct bytes before = extend(locked), answer;
    answer = nsm_ask((struct request){.name = "LockPCR", .index = locked});
    part->failed += is_error(&answer, "ReadOnlyIndex");
    for (int i = 0; i < rounds; i++) {
        extend(own);
        extend(SHARED);
        answer = extend(locked);
        part->failed += !is_error(&answer, "ReadOnlyIndex");
        answer = nsm_ask((struct request){.name = "DescribePCR", .index = locked});
        part->failed += before.length < 48 || !nsm_find(&answer, before.at + before.length - 48, 48);
        if (i % 8 == 0) nsm_ask((struct request){.name = "GetRandom"});
        if (i % 16 == 0) {
            answer = nsm_ask((struct request){.name = "Attestation"});
            part->failed += answer.length < 1000;
        }
    }
    return NULL;
}

/* What a register is after so many extensions. */
static int has_seen(unsigned index, int extensions)
{
    struct bytes answer = nsm_ask((struct request){.name = "DescribePCR", .index = index}), wanted;
    memset(model_pcr[index], 0, sizeof model_pcr[index]);
    for (int i = 0; i < extensions; i++)
        model((struct request){.name = "ExtendPCR", .index = index, .data = "x", .length = 1});
    wanted = model((struct request){.name = "DescribePCR", .index = index});
    return nsm_is(&answer, &wanted);
}

int main(int argc, char **argv)
{
    if (argc > 1) rounds = atoi(argv[1]);
    if (!inside()) {
        printf("ok threads\nok registers\nok processes\nok both\nall ok\n");
        return 0;
    }
    nsm_open(0);
    pthread_t threads[THREADS];
    struct part parts[THREADS] = {{0}};
    int failed = 0, seen = 1, status;
    for (unsigned i = 0; i < THREADS; i++) {
        parts[i].number = i;
        if (pthread_create(&threads[i], NULL, works, &parts[i])) return 1;
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        failed += parts[i].failed;
        seen &= has_seen(16 + (unsigned)i, rounds);
    }
    EQ("threads", failed, 0);
    EQ("registers", seen && has_seen(SHARED, THREADS * rounds), 1);
    for (int i = 0; i < PROCESSES; i++) {
        if (NEED(fork()) == 0) {
            for (int j = 0; j < rounds; j++) extend(SHARED);
            _exit(0);
        }
    }
    for (int i = 0; i < rounds; i++) extend(SHARED);
    for (int i = 0; i < PROCESSES; i++) {
        NEED(wait(&status));
        failed += status != 0;
    }
    EQ("processes", failed, 0);
    EQ("both", has_seen(SHARED, (THREADS + PROCESSES + 1) * rounds), 1);
    return check_done();
}
