// The rest of stdlib.h and its neighbours: sorting, tables, trees, random numbers, options, the environment, jumps, numbers.
// km-test: links=static-musl,dynamic-musl,static-kontain,dynamic-kontain
// km-test: truth=static-musl
#include "libc.h"
#include <ctype.h>
#include <getopt.h>
#include <inttypes.h>
#include <search.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>

static long compared;
static int by_int(const void *a, const void *b)
{
    compared++;
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}
static int by_key(const void *a, const void *b, void *mask)
{
    compared++;
    uint32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    x &= *(uint32_t *)mask;
    y &= *(uint32_t *)mask;
    return (x > y) - (x < y);
}

// How often it compares, and where equal elements come to lie, is the algorithm's own.
static void sorting(void)
{
    static int v[3000];
    for (int kind = 0; kind < 5; kind++)
        for (int n = 0; n < 3000; n = n * 2 + 1) {
            for (int i = 0; i < n; i++)
                v[i] = kind == 0   ? (int)next_random()
                       : kind == 1 ? i
                       : kind == 2 ? -i
                       : kind == 3 ? (int)(next_random() % 5)
                                   : i % 7 * (i & 1 ? -1 : 1);
            compared = 0;
            qsort(v, (size_t)n, sizeof *v, by_int);
            int wrong = 0;
            for (int i = 1; i < n; i++)
                wrong += v[i - 1] > v[i];
            int *found = bsearch(&v[n / 3], v, (size_t)n, sizeof *v, by_int);
            printf("sort %d of %d: %d wrong, compared %ld, %08x, found %d\n", kind, n, wrong, compared, sum_bytes(SUM, v,
                (size_t)n * sizeof *v), n && found && *found == v[n / 3]);
        }
    // Elements of many sizes, equal in part.
    static unsigned char bytes[40000];
    uint32_t mask = 0xff;
    static const size_t sizes[] = {4, 5, 8, 12, 16, 24, 100, 256, 300, 1000};
    for (size_t s = 0; s < COUNT(sizes); s++) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (unsigned char)next_random();
        compared = 0;
        qsort_r(bytes, sizeof bytes / sizes[s], sizes[s], by_key, &mask);
        printf("size %zu: compared %ld, %08x\n", sizes[s], compared, sum_bytes(SUM, bytes, sizeof bytes));
    }
}

static void show_node(const void *node, VISIT visit, int depth)
{
    printf(" %d%c%d", **(int *const *)node, "aboe"[visit], depth);
}
static void freed(void *key) { compared += *(int *)key; }

static void tables(void)
{
    INT(hcreate(30));
    char names[60][8];
    for (long i = 0; i < 60; i++) {
        snprintf(names[i], sizeof names[i], "key%ld", i * i % 50);
        ENTRY *e = hsearch((ENTRY){names[i], (void *)i}, ENTER);
        printf("%s:%ld ", names[i], e ? (long)e->data : -1);
    }
    INT(hsearch((ENTRY){"key49", NULL}, FIND) != NULL);
    INT(hsearch((ENTRY){"none", NULL}, FIND) != NULL);
    hdestroy();
    struct hsearch_data data = {0};
    ENTRY *found;
    INT(hcreate_r(3, &data));
    INT(hsearch_r((ENTRY){"a", NULL}, ENTER, &found, &data));
    INT(hsearch_r((ENTRY){"b", NULL}, FIND, &found, &data));
    hdestroy_r(&data);

    static int keys[40];
    void *root = NULL;
    for (int i = 0; i < 40; i++) {
        keys[i] = i * 17 % 41;
        tsearch(&keys[i], &root, by_int);
    }
    twalk(root, show_node);
    putchar('\n');
    int absent = 0, seven = 7;
    INT(tfind(&seven, &root, by_int) != NULL);
    INT(tfind(&absent, &root, by_int) != NULL);
    INT(tdelete(&seven, &root, by_int) != NULL);
    INT(tdelete(&absent, &root, by_int) != NULL);
    for (int i = 0; i < 30; i += 3)
        tdelete(&keys[i], &root, by_int);
    twalk(root, show_node);
    putchar('\n');
    compared = 0;
    tdestroy(root, freed);
    INT(compared);

    size_t n = 3;
    int list[8] = {5, 6, 7};
    INT(*(int *)lfind(&(int){6}, list, &n, sizeof *list, by_int));
    INT(*(int *)lsearch(&(int){9}, list, &n, sizeof *list, by_int));
    INT(n);
    struct node { struct node *next, *last; int value; } a = {.value = 1}, b = {.value = 2}, c = {.value = 3};
    insque(&a, NULL);
    insque(&b, &a);
    insque(&c, &a);
    remque(&c);
    INT(a.next->value);
}

static void random_numbers(void)
{
    static const unsigned seeds[] = {0, 1, 42, 0xffffffff};
    for (size_t s = 0; s < COUNT(seeds); s++) {
        srand(seeds[s]);
        srandom(seeds[s]);
        srand48((long)seeds[s]);
        unsigned short state[3] = {1, 2, (unsigned short)seeds[s]};
        unsigned r = seeds[s];
        printf("seed %u: %d %d, %ld %ld, %ld %ld %a, %ld %ld %a, %d", seeds[s], rand(), rand(), random(), random(),
            lrand48(), mrand48(), drand48(), nrand48(state), jrand48(state), erand48(state), rand_r(&r));
        printf(" %d\n", rand_r(&r));
    }
    unsigned short parameters[7] = {1, 2, 3, 4, 5, 6, 7};
    lcong48(parameters);
    INT(lrand48());
    unsigned short *old = seed48(parameters);
    printf("%u %u %u\n", old[0], old[1], old[2]);
    static const size_t sizes[] = {8, 16, 32, 64, 128, 256};
    for (size_t s = 0; s < COUNT(sizes); s++) {
        char state[256] = {0};
        char *before = initstate(7, state, sizes[s]);
        long first = random(), second = random();
        for (int i = 0; i < 100; i++)
            second ^= random();
        setstate(before);
        printf("state of %zu: %ld %ld %ld\n", sizes[s], first, second, random());
    }
    INT(initstate(1, (char[4]){0}, 4) == NULL);
    unsigned char entropy[257];
    INT(getentropy(entropy, 256));
    INT(getentropy(entropy, 257));
}

static void options(const char *allowed, int which, int argc, char **argv)
{
    static int flag;
    static const struct option longs[] = {{"alpha", no_argument, NULL, 'a'}, {"beta", required_argument, NULL, 'b'},
        {"gamma", optional_argument, NULL, 'g'}, {"flag", no_argument, &flag, 99}, {"alphabet", no_argument, NULL, 'z'}, {0}};
    optind = 0;
    flag = 0;
    printf("%s by %d:", allowed, which);
    // Its messages go to standard error.
    int c, at = -1;
    for (;;) {
        c = which == 0   ? getopt(argc, argv, allowed)
            : which == 1 ? getopt_long(argc, argv, allowed, longs, &at)
                         : getopt_long_only(argc, argv, allowed, longs, &at);
        if (c == -1)
            break;
        printf(" %c", isprint(c) ? c : '#');
        if (optarg)
            printf("(%s)", optarg);
        if (c == '?' || c == ':')
            printf("[%c]", isprint(optopt) ? optopt : '#');
        printf(" at %d %d", optind, at);
    }
    printf(", flag %d, rest:", flag);
    for (int i = optind; i < argc; i++)
        printf(" %s", argv[i]);
    putchar('\n');
}

static void getopts(void)
{
    static const char *const lines[][8] = {{"p", "-a", "-b", "x", "y"}, {"p", "-abx", "y"}, {"p", "y", "-a", "z", "-b", "x"},
        {"p", "-a", "--", "-b"}, {"p", "-", "-a"}, {"p", "-q", "-b"}, {"p", "--alpha", "--beta=1", "--beta", "2", "r"},
                                           {"p", "--gamma", "--gamma=3", "--flag"}, {"p", "--alp", "--bet", "4"},
                                           {"p", "--none", "--alpha=5", "--beta"}, {"p", "-alpha", "-beta", "6"},
                                           {"p", "-gx", "-g", "x"}, {"p"}, {"p", "y", "--", "-a"}};
    static const char *const allowed[] = {"ab:g::", "+ab:", "-ab:", ":ab:"};
    for (size_t l = 0; l < COUNT(lines); l++)
        for (size_t a = 0; a < COUNT(allowed); a++)
            for (int which = 0; which < 3; which++) {
                char *argv[9] = {0};
                int argc = 0;
                while (lines[l][argc])
                    argv[argc] = (char *)lines[l][argc], argc++;
                options(allowed[a], which, argc, argv);
            }
    char text[] = "one,two=2,none,three=", *at = text, *value;
    char *const tokens[] = {"one", "two", "three", NULL};
    while (*at) {
        int which = getsubopt(&at, tokens, &value);
        printf("%d %s\n", which, value ? value : "NULL");
    }
}

extern char **environ;
static void show_environment(void)
{
    for (char **e = environ; e && *e; e++)
        if (strncmp(*e, "KM_", 3) == 0)
            printf(" %s", *e);
    putchar('\n');
}

static void environment(void)
{
    INT(setenv("KM_A", "1", 0));
    INT(setenv("KM_A", "2", 0));
    INT(setenv("KM_B", "", 1));
    TEXT(getenv("KM_A"));
    INT(setenv("KM_A", "a longer value than before", 1));
    INT(setenv("", "x", 1));
    INT(setenv("KM=", "x", 1));
    INT(unsetenv("KM="));
    static char put[] = "KM_PUT=here";
    INT(putenv(put));
    show_environment();
    put[7] = 'H';
    TEXT(getenv("KM_PUT"));
    INT(putenv("KM_PUT"));
    TEXT(getenv("KM_PUT"));
    TEXT(getenv("KM_"));
    TEXT(secure_getenv("KM_B"));
    INT(unsetenv("KM_NONE"));
    char name[16];
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "KM_%d", i);
        setenv(name, name, 1);
        if (i % 3)
            unsetenv(name);
    }
    show_environment();
    char *own[] = {"KM_OWN=1", "KM_OWN=2", NULL};
    environ = own;
    TEXT(getenv("KM_OWN"));
    INT(setenv("KM_NEW", "n", 1));
    INT(unsetenv("KM_OWN"));
    show_environment();
    INT(clearenv());
    INT(environ == NULL || *environ == NULL);
    INT(setenv("KM_LAST", "l", 1));
    show_environment();
}

static jmp_buf env;
static sigjmp_buf sigenv;
static __attribute__((noinline)) void dive(int depth, int value)
{
    volatile char room[64];
    room[0] = (char)depth;
    if (depth == 0)
        longjmp(env, value);
    if (depth > 0)
        dive(depth - 1, value);
    room[1] = room[0];
}
static void handler(int s) { siglongjmp(sigenv, s); }

static void jumps(void)
{
    static const int values[] = {1, 0, -5, INT_MAX};
    for (volatile size_t i = 0; i < COUNT(values); i++) {
        volatile double real = 1.5;
        volatile int changed = 0;
        int r = setjmp(env);
        if (r == 0) {
            changed = 7;
            dive(50, values[i]);
        }
        printf("%d: %d %d %g\n", values[i], r, changed, real);
    }
    for (volatile int save = 0; save < 2; save++) {
        sigset_t set;
        sigemptyset(&set);
        sigprocmask(SIG_SETMASK, &set, NULL);
        signal(SIGUSR1, handler);
        int r = sigsetjmp(sigenv, save);
        if (r == 0)
            raise(SIGUSR1);
        sigprocmask(SIG_SETMASK, NULL, &set);
        printf("saved %d: %d, blocked %d\n", save, r, sigismember(&set, SIGUSR1));
    }
}

int main(void)
{
    sorting();
    tables();
    random_numbers();
    getopts();
    environment();
    jumps();
    volatile int least = INT_MIN + 1;
    div_t d = div(-7, 2);
    ldiv_t l = ldiv(7, -2);
    imaxdiv_t m = imaxdiv(INTMAX_MIN, 3);
    printf("%d %d %ld %ld %jd %jd %d %ld\n", d.quot, d.rem, l.quot, l.rem, m.quot, m.rem, abs(least), labs(-5L));
    TEXT(a64l("zz.1") == 0 ? "none" : "some");
    INT(a64l("/1zz"));
    TEXT(l64a(123456789));
    int decimal, sign;
    TEXT(ecvt(1234.5678, 6, &decimal, &sign));
    INT(decimal);
    TEXT(fcvt(-0.00123, 6, &decimal, &sign));
    INT(decimal * 10 + sign);
    char text[32];
    TEXT(gcvt(1e-7, 5, text));
    return 0;
}
