// Checks that print one line each: `ok NAME`, or `FAIL NAME: got .. want ..`.
#ifndef KM_CHECK_H
#define KM_CHECK_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_failures;

static inline void check_eq(const char *name, long long got, long long want)
{
    if (got == want) {
        printf("ok %s\n", name);
    } else {
        check_failures++;
        printf("FAIL %s: got %lld want %lld\n", name, got, want);
    }
}

static inline void check_true(const char *name, int cond, const char *text)
{
    if (cond) {
        printf("ok %s\n", name);
    } else {
        check_failures++;
        printf("FAIL %s: got false want %s\n", name, text);
    }
}

static inline void check_str(const char *name, const char *got, const char *want)
{
    if (got && strcmp(got, want) == 0) {
        printf("ok %s\n", name);
    } else {
        check_failures++;
        printf("FAIL %s: got \"%s\" want \"%s\"\n", name, got ? got : "(null)", want);
    }
}

static inline void check_ok(const char *name, long long result)
{
    int err = errno;
    if (result != -1) {
        printf("ok %s\n", name);
    } else {
        check_failures++;
        printf("FAIL %s: got error %d (%s) want success\n", name, err, strerror(err));
    }
}

static inline void check_err(const char *name, long long result, int want)
{
    int err = errno;
    if (result == -1 && err == want) {
        printf("ok %s\n", name);
    } else {
        check_failures++;
        if (result == -1)
            printf("FAIL %s: got error %d (%s) want %d (%s)\n", name, err, strerror(err), want, strerror(want));
        else
            printf("FAIL %s: got result %lld want error %d (%s)\n", name, result, want, strerror(want));
    }
}

// The condition holds.
#define CHECK(name, cond) check_true(name, !!(cond), #cond)
// Two integers or pointers are equal.
#define EQ(name, got, want) check_eq(name, (long long)(got), (long long)(want))
// Two strings are equal.
#define STR(name, got, want) check_str(name, got, want)
// The call does not return -1 (nor MAP_FAILED).
#define OK(name, call) check_ok(name, (long long)(call))
// The call returns -1 (or MAP_FAILED) with this errno.
#define ERR(name, call, want) check_err(name, (long long)(call), want)
// This machine has not what the check needs.
#define SKIP(name, why) printf("skip %s: %s\n", name, why)

// The program cannot go on without this call.
#define NEED(call)                                                                            \
    __extension__({                                                                           \
        __typeof__(call) need_result = (call);                                                \
        if ((long long)need_result == -1) {                                                   \
            printf("FAIL setup, line %d: %s: %s\n", __LINE__, #call, strerror(errno));        \
            exit(1);                                                                          \
        }                                                                                     \
        need_result;                                                                          \
    })

static inline int check_done(void)
{
    if (check_failures)
        printf("%d failed\n", check_failures);
    else
        printf("all ok\n");
    return check_failures != 0;
}

#endif
