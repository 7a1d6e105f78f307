// The heap: sizes, alignments, growth and shrinking with checked content, zeroed memory, limits, and many threads that free
// what others have allocated.
// km-test: links=static-musl,dynamic-musl,static-kontain,dynamic-kontain
// km-test: truth=static-musl
#include "libc.h"
#include <malloc.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>

// How large a block really is, is the allocator's own affair, and the same in both libraries.
static void sizes(void)
{
    uint32_t sum = SUM;
    for (size_t n = 0; n < 300000; n = n < 600 ? n + 1 : n + n / 9) {
        char *p = malloc(n);
        size_t usable = malloc_usable_size(p);
        if (!p || usable < n || (uintptr_t)p % 16)
            printf("malloc(%zu) is wrong\n", n);
        memset(p, 0x5a, usable);
        sum = sum_bytes(sum, &usable, sizeof usable);
        if (n % 97 == 0)
            printf("%zu has %zu\n", n, usable);
        free(p);
    }
    printf("usable %08x\n", sum);
    INT(malloc_usable_size(NULL));
    char *one = malloc(0), *two = malloc(0);
    printf("of nothing: %d %d\n", one != NULL, one != two);
    free(one);
    free(two);
    free(NULL);
    for (size_t align = 1; align <= 1 << 18; align *= 2)
        for (size_t n = 0; n < 60000; n = n * 9 + 1) {
            void *p = NULL;
            errno = 0;
            int r = posix_memalign(&p, align, n);
            void *q = aligned_alloc(align, n);
            void *s = memalign(align, n);
            if (!p != !!r || !q || (uintptr_t)p % align || (uintptr_t)q % align || (uintptr_t)s % align)
                printf("align %zu of %zu: %d error %d, %d %d\n", align, n, r, errno, !!q, !!s);
            if (p)
                memset(p, 1, n);
            memset(q, 2, n);
            free(p);
            free(q);
            free(s);
        }
    void *p = NULL;
    INT(posix_memalign(&p, 3, 10));
    INT(posix_memalign(&p, 24, 10));
    INT(aligned_alloc(24, 10) == NULL);
    INT(aligned_alloc(1UL << 40, 10) == NULL);
    INT(memalign(7, 10) == NULL);
    p = valloc(10);
    INT((uintptr_t)p % 4096);
    free(p);
}

static void limits(void)
{
    static const size_t huge[] = {SIZE_MAX, SIZE_MAX / 2, SIZE_MAX - 4095, (size_t)PTRDIFF_MAX + 1, 1UL << 47};
    for (size_t i = 0; i < COUNT(huge); i++) {
        volatile size_t n = huge[i];
        INT(malloc(n) == NULL);
        INT(calloc(n, 2) == NULL);
        INT(calloc(2, n / 2 + 1) == NULL);
        char *p = malloc(10);
        memcpy(p, "unchanged", 10);
        // It fails, which the compiler does not see, and so the block is still there.
        char *volatile kept = p;
        INT(realloc(p, n) == NULL);
        INT(reallocarray(kept, n, 3) == NULL);
        TEXT(kept);
        free(kept);
    }
    // Where there is no more, an error and no crash, and what was there stays.
    fflush(stdout);
    if (fork() == 0) {
        setrlimit(RLIMIT_AS, &(struct rlimit){12 << 20, 12 << 20});
        int n = 0;
        void *last = NULL, *p;
        while ((p = malloc(1 << 20)) && n < 1000) {
            memset(p, 1, 1 << 20);
            *(void **)p = last;
            last = p;
            n++;
        }
        printf("within the limit: %d, error %d\n", n > 3 && n < 12, errno);
        for (; last; last = p) {
            p = *(void **)last;
            free(last);
        }
        INT((p = malloc(1 << 20)) != NULL);
        fflush(stdout);
        _exit(0);
    }
    int status;
    wait(&status);
    INT(status);
}

static void growth(void)
{
    for (int kind = 0; kind < 4; kind++) {
        unsigned char *p = NULL;
        size_t n = 0, wrong = 0;
        uint32_t sum = SUM;
        for (int step = 0; step < 60; step++) {
            size_t m = kind == 0   ? n + 13
                       : kind == 1 ? n * 5 / 4 + 1
                       : kind == 2 ? next_random() % 20000 + 1
                                   : (step % 2 ? 300000 : 100) + (size_t)step;
            if (m > 500000)
                m = 1;
            unsigned char *q = realloc(p, m);
            for (size_t i = 0; i < n && i < m; i += 61)
                wrong += q[i] != (unsigned char)(i * 7);
            for (size_t i = 0; i < m; i += 61)
                q[i] = (unsigned char)(i * 7);
            p = q;
            n = m;
            size_t usable = malloc_usable_size(p);
            sum = sum_bytes(sum, &usable, sizeof usable);
        }
        printf("growth %d: %zu wrong, %08x\n", kind, wrong, sum);
        p = realloc(p, 1);
        INT(p != NULL);
        free(p);
    }
    // What was used before is zero again.
    size_t dirty = 0;
    for (int round = 0; round < 4; round++)
        for (size_t n = 1; n < 300000; n *= 3) {
            unsigned char *p = malloc(n);
            memset(p, 0xff, n);
            free(p);
            p = calloc(1, n);
            for (size_t i = 0; i < n; i += n < 5000 ? 1 : 509)
                dirty += p[i] != 0;
            free(p);
        }
    INT(dirty);
}

// A ring of boxes: each thread fills some and empties others, whoever filled them.
#define THREADS 4
#define BOXES 64
static struct { pthread_mutex_t lock; unsigned char *at; size_t size; unsigned char mark; } boxes[BOXES];

static void *exchanges(void *arg)
{
    uint32_t r = (uint32_t)(uintptr_t)arg * 2654435761u + 1;
    long wrong = 0;
    for (int step = 0; step < 1000; step++) {
        r ^= r << 13;
        r ^= r >> 17;
        r ^= r << 5;
        size_t n = r % 128 == 0 ? 150000 : r % 8 == 0 ? r % 9000 : r % 200;
        unsigned char *own = malloc(n + 1);
        memset(own, (int)(r & 0xff), n + 1);
        int box = (int)(r >> 8) % BOXES;
        if (box < 0)
            box += BOXES;
        pthread_mutex_lock(&boxes[box].lock);
        unsigned char *other = boxes[box].at, mark = boxes[box].mark;
        size_t size = boxes[box].size;
        boxes[box].at = own;
        boxes[box].size = n + 1;
        boxes[box].mark = (unsigned char)r;
        pthread_mutex_unlock(&boxes[box].lock);
        for (size_t i = 0; i < size; i += size < 300 ? 1 : 257)
            wrong += other[i] != mark;
        if (r % 5 == 0 && other) {
            other = realloc(other, size / 2 + 1);
            for (size_t i = 0; i < size / 2; i += 7)
                wrong += other[i] != mark;
        }
        free(other);
    }
    return (void *)wrong;
}

static void *short_lived(void *arg)
{
    char *p = malloc((size_t)arg);
    memset(p, 'x', (size_t)arg);
    return p;
}

static void threads(void)
{
    pthread_t t[THREADS];
    long wrong = 0;
    for (int i = 0; i < BOXES; i++)
        pthread_mutex_init(&boxes[i].lock, NULL);
    for (long i = 0; i < THREADS; i++)
        pthread_create(&t[i], NULL, exchanges, (void *)(i + 1));
    for (int i = 0; i < THREADS; i++) {
        void *w;
        pthread_join(t[i], &w);
        wrong += (long)w;
    }
    INT(wrong);
    for (int i = 0; i < BOXES; i++)
        free(boxes[i].at);
    size_t bad = 0;
    for (size_t n = 1; n < 60; n++) {
        char *p;
        pthread_create(&t[0], NULL, short_lived, (void *)(n * 170));
        pthread_join(t[0], (void **)&p);
        bad += p[0] != 'x' || p[n * 170 - 1] != 'x';
        free(p);
    }
    INT(bad);
}

int main(void)
{
    sizes();
    limits();
    growth();
    threads();
    return 0;
}
