// Words of the programs about the C library, which print an expression and what came of it. No answer is written down
// there: what plain musl makes of it natively is the truth, and the runner compares.
#ifndef KM_LIBC_H
#define KM_LIBC_H

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// `n` bytes, those that are no printable ASCII as \xNN.
static inline void show_bytes(const void *at, size_t n)
{
    const unsigned char *p = at;
    putchar('"');
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\n')
            fputs("\\n", stdout);
        else if (p[i] < 32 || p[i] > 126 || p[i] == '"' || p[i] == '\\')
            printf("\\x%02x", p[i]);
        else
            putchar(p[i]);
    }
    putchar('"');
}

// A string; what it is not NULL for is not asked.
static inline void show_text(const char *text)
{
    if (text)
        show_bytes(text, strlen(text));
    else
        fputs("NULL", stdout);
}

static inline void show_error(int error)
{
    if (error)
        printf(" (%d %s)", error, strerror(error));
    putchar('\n');
}

// A number, and the error if the expression has set one.
#define INT(e)                                              \
    do {                                                    \
        errno = 0;                                          \
        long long int_value = (long long)(e);               \
        int int_error = errno;                              \
        printf("%s = %lld", #e, int_value);                 \
        show_error(int_error);                              \
    } while (0)

// A string.
#define TEXT(e)                                             \
    do {                                                    \
        errno = 0;                                          \
        const char *text_value = (e);                       \
        int text_error = errno;                             \
        printf("%s = ", #e);                                \
        show_text(text_value);                              \
        show_error(text_error);                             \
    } while (0)

// `n` bytes at an address.
#define BYTES(at, n)                                        \
    do {                                                    \
        printf("%s, %s = ", #at, #n);                       \
        show_bytes((at), (n));                              \
        putchar('\n');                                      \
    } while (0)

// Where a pointer into `base` points, -1 for NULL.
#define AT(base, e)                                                       \
    do {                                                                  \
        const char *at_value = (const char *)(e);                         \
        printf("%s at %td\n", #e, at_value ? at_value - (const char *)(base) : -1); \
    } while (0)

// Numbers that are the same at every run.
static inline uint32_t next_random(void)
{
    static uint64_t state = 88172645463325252;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16);
}

// A checksum that a byte in the wrong place changes (FNV-1a); begin with SUM.
#define SUM 2166136261u
static inline uint32_t sum_bytes(uint32_t sum, const void *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum = (sum ^ ((const unsigned char *)at)[i]) * 16777619u;
    return sum;
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

#endif
