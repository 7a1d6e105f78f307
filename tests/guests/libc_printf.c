// printf: every conversion with every flag, width and precision, positional arguments, rounding, lengths and errors.
// km-test: links=static-musl,dynamic-musl,static-kontain,dynamic-kontain
// km-test: truth=static-musl
#include "libc.h"
#include <fenv.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <wchar.h>

// Formats are put together at run time, so that the compiler computes none of them.
static void show(const char *format, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, format);
    errno = 0;
    memset(text, '#', sizeof text);
    int n = vsnprintf(text, sizeof text, format, ap);
    int error = errno;
    va_end(ap);
    printf("%d ", n);
    show_text(format);
    printf(" -> ");
    show_text(n < 0 ? "" : text);
    show_error(n < 0 ? error : 0);
}

static const char *const flags[] = {"", "-", "+", " ", "#", "0", "+0", "-#", " 0#", "+-", "'", "-0+ #"};
static const char *const sizes[] = {"", "1", "12", ".0", ".5", "12.5", "3.12", "."};

static void every_form_of_integers(void)
{
    static const long long values[] = {0, 1, -1, 42, 123456, INT_MIN, LLONG_MAX, LLONG_MIN};
    static const char *const lengths[] = {"hh", "h", "", "l", "ll", "j", "z", "t"};
    char format[32];
    for (const char *c = "diouxX"; *c; c++)
        for (size_t f = 0; f < COUNT(flags); f++)
            for (size_t s = 0; s < COUNT(sizes); s++) {
                snprintf(format, sizeof format, "%%%s%sll%c", flags[f], sizes[s], *c);
                // One value an output line is enough: the sum covers the rest.
                uint32_t sum = SUM;
                char text[128];
                for (size_t v = 0; v < COUNT(values); v++) {
                    int n = snprintf(text, sizeof text, format, values[v]);
                    sum = sum_bytes(sum, text, (size_t)n);
                }
                snprintf(text, sizeof text, format, values[(f + s) % COUNT(values)]);
                printf("%s -> [%s] %08x\n", format, text, sum);
            }
    // Shorter ones cut the argument.
    for (size_t l = 0; l < COUNT(lengths); l++)
        for (size_t v = 0; v < COUNT(values); v++) {
            snprintf(format, sizeof format, "%%%sd %%%su %%%sx", lengths[l], lengths[l], lengths[l]);
            show(format, values[v], values[v], values[v]);
        }
}

static void every_form_of_reals(void)
{
    static const double values[] = {
        0.0,     -0.0,    1.0,     -1.5,   0.5,     1.5,     2.5,    9.5,   99.95,  999999.5, 1e5,      123456.789, 1e15,
        1e16,    1e21,    1e22,    1e23,   0.1,     0.0001,  1e-5,   1e-10, 1.0 / 3, 2.0 / 3, DBL_MAX, DBL_MIN,    4.9e-324,
        INFINITY, -INFINITY, 8.5, 0.125,   0.375,   1e300,   5e-5,   0.00099995, 1048575.96875};
    char format[32], text[600];
    for (const char *c = "feEgGaAF"; *c; c++)
        for (size_t f = 0; f < COUNT(flags); f++)
            for (size_t s = 0; s < COUNT(sizes); s++) {
                snprintf(format, sizeof format, "%%%s%s%c", flags[f], sizes[s], *c);
                uint32_t sum = SUM;
                for (size_t v = 0; v < COUNT(values); v++) {
                    int n = snprintf(text, sizeof text, format, values[v]);
                    sum = sum_bytes(sum, text, (size_t)n);
                }
                snprintf(text, sizeof text, format, values[(f * COUNT(sizes) + s) % COUNT(values)]);
                printf("%s -> [%s] %08x\n", format, text, sum);
            }
    for (size_t v = 0; v < COUNT(values); v++)
        printf("%f %e %g %a %.17g %.3a %.0f %#.0e\n", values[v], values[v], values[v], values[v], values[v], values[v],
               values[v], values[v]);
    static const long double longs[] = {0.0L, 1.0L / 3, 1e4000L, -3.6e-4951L, LDBL_MAX, LDBL_MIN, 1e19L + 1, 0.1L};
    for (size_t v = 0; v < COUNT(longs); v++)
        printf("%Lg %.25Le %La %.4La %.30Lg\n", longs[v], longs[v], longs[v], longs[v], longs[v]);
    // Digits by the hundred.
    printf("%.1074f\n%.60f\n%.400g\n", 4.9e-324, 0.1, DBL_MAX);
    const char *volatile long_format = "%Lf";
    int n = snprintf(text, sizeof text, long_format, LDBL_MAX);
    printf("%d ", n);
    BYTES(text, 60);
    show("%f %F %+e % g %010f %a %Lf", NAN, NAN, NAN, -NAN, NAN, NAN, (long double)NAN);
}

static void roundings(void)
{
    static const int modes[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
    static const double values[] = {0.5, 1.5, 2.5, -0.5, -2.5, 0.1, -0.1, 1e22, 0.05, 1.0 / 3, 123456789.125};
    for (size_t m = 0; m < COUNT(modes); m++) {
        fesetround(modes[m]);
        for (size_t v = 0; v < COUNT(values); v++) {
            char text[200];
            snprintf(text, sizeof text, "%.0f %.1f %.2e %.1a %.10g %.0a %.20f", values[v], values[v], values[v], values[v],
                     values[v], values[v], values[v]);
            int mode = fegetround();
            fesetround(FE_TONEAREST);
            printf("mode %zu: %s\n", m, text);
            fesetround(mode);
        }
    }
    fesetround(FE_TONEAREST);
}

static void texts(void)
{
    show("%s|%10s|%-10s|%.3s|%10.2s|%-6.0s|", "text", "text", "text", "text", "text", "text");
    show("%s %.3s %10s", NULL, NULL, NULL);
    show("%c%c%5c|%-5c|%c", 'a', 0, 'b', 'c', 200);
    show("%%|%5%|%-5%|");
    show("%.*s|%*s|%*s|%.*s", 2, "abc", 6, "abc", -6, "abc", -1, "abc");
    show("%*.*f|%-*.*e", 10, 3, 3.14159, 12, -1, 3.14159);
    show("%2$s %1$s %2$s", "one", "two");
    show("%3$*1$.*2$f|%3$-*1$f|", 10, 2, 2.5);
    show("%4$lld %1$hhd %2$c %3$Lf", 300, 'x', 1.5L, LLONG_MIN);
    show("%p %20p %-20p|%p", (void *)0x1234, (void *)0x1234, (void *)0x1234, NULL);
    show("%m %10.5m");
    show("%ls|%.3ls|%8ls|%lc|%S|%C", L"wide", L"wide", L"wide", (wint_t)L'w', L"S", (wint_t)L'C');
    setlocale(LC_CTYPE, "C.UTF-8");
    show("%ls|%.3ls|%8.4ls|%lc", L"\u00e4\u20ac\U0001f600z", L"\u00e4\u20ac", L"\u00e4\u20ac", (wint_t)0x20ac);
    show("%ls", L"\xd800");
    show("%lc", (wint_t)0x110000);
    show("%s %.2s", "\xc3\xa4", "\xc3\xa4\xc3\xa4");
    setlocale(LC_CTYPE, "C");
    show("%ls", L"\u00e4");
    // Not formats: musl says EINVAL.
    show("%", 1);
    show("%y", 1);
    show("%llls", "x");
    show("%99999999999d", 1);
    show("%.99999999999d", 1);
    show("%2147483647d%2147483647d", 1, 2);
    show("%hs %Ld", "x", 5LL);
}

static void lengths(void)
{
    char text[32];
    int n1 = -1;
    short n2 = -1;
    signed char n3 = -1;
    long n4 = -1;
    long long n5 = -1;
    intmax_t n6 = -1;
    size_t n7 = 99;
    ptrdiff_t n8 = -1;
    snprintf(text, sizeof text, "1%n22%hn333%hhn4444%ln5%lln6%jn7%zn8%tn", &n1, &n2, &n3, &n4, &n5, &n6, (ssize_t *)&n7, &n8);
    printf("%s %d %d %d %ld %lld %jd %zu %td\n", text, n1, n2, n3, n4, n5, n6, n7, n8);
    const char *volatile format = "%d-%s";
    for (size_t size = 0; size < 8; size++) {
        memset(text, '#', sizeof text);
        int n = snprintf(size ? text : NULL, size, format, 42, "long");
        printf("size %zu: %d ", size, n);
        BYTES(text, 8);
    }
    const volatile size_t huge = (size_t)INT_MAX + 10;
    INT(snprintf(text, huge, "x"));
    char *made = NULL;
    INT(asprintf(&made, "%0200d|%s", 7, "end"));
    TEXT(made);
    free(made);
    fflush(stdout);
    INT(dprintf(1, "%s %d\n", "by descriptor", 1));
    INT(dprintf(-1, "x"));
    wchar_t wide[64] = {0};
    setlocale(LC_CTYPE, "C.UTF-8");
    INT(swprintf(wide, 64, L"%d %ls %s %5.1f %c %lc %a", 5, L"wide", "narrow", 2.25, 'c', (wint_t)0x3b1, 0.75));
    printf("%08x\n", sum_bytes(SUM, wide, wcslen(wide) * sizeof *wide));
    INT(swprintf(wide, 5, L"%s", "too long"));
    INT(swprintf(wide, 64, L"%-8ls|%08.3f|%+d|%#x|%hhd", L"a", 3.0, 1, 255, 300));
    for (size_t i = 0; wide[i]; i++)
        putchar((int)wide[i]);
    putchar('\n');
}

int main(void)
{
    every_form_of_integers();
    every_form_of_reals();
    roundings();
    texts();
    lengths();
    return 0;
}
