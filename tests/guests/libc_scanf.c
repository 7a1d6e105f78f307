// scanf and the functions that read numbers: strtol, strtod and their kin, wide ones too.
// km-test: links=static-musl,dynamic-musl,static-kontain,dynamic-kontain
// km-test: truth=static-musl
// km-test: stdin=12 abc 0x1f 3.5e2xyz\n  -7\nlast line without end
#include "libc.h"
#include <fenv.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <wchar.h>

static void longs(void)
{
    static const char *const texts[] = {
        "",           "0",          "-0",        "+7",        "  42",       "\t\n\v\f\r 9", "- 1",        "--1",        "+-1",
        "0x",         "0x1g",       "0X1F",      "-0x80",     "017",        "08",           "12abc",      "zz",         "Zz9",
        "2147483647", "2147483648", "-2147483648", "-2147483649", "9223372036854775807", "9223372036854775808",
        "-9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616", "-1",
        "99999999999999999999999999", "-18446744073709551615", "1_000", "1,000", "\xa0""5", "0b101", "0x+1", "x12",
        "10000000000000000000000000000000000000000000000000000000000000000"};
    static const int bases[] = {0, 2, 8, 10, 16, 36};
    for (size_t t = 0; t < COUNT(texts); t++)
        for (size_t b = 0; b < COUNT(bases); b++) {
            char *e1, *e2, *e3;
            errno = 0;
            long v1 = strtol(texts[t], &e1, bases[b]);
            int error1 = errno;
            errno = 0;
            unsigned long v2 = strtoul(texts[t], &e2, bases[b]);
            int error2 = errno;
            errno = 0;
            intmax_t v3 = strtoimax(texts[t], &e3, bases[b]);
            printf("base %d %.30s: %ld at %td error %d, %lu at %td error %d, %jd at %td\n", bases[b], texts[t], v1,
                   e1 - texts[t], error1, v2, e2 - texts[t], error2, v3, e3 - texts[t]);
        }
    char *end = NULL;
    INT(strtol("1", &end, 1));
    INT(strtol("1", &end, 37));
    INT(strtol("1", &end, -1));
    INT(atoi(" -12x"));
    INT(atol("99999999999"));
    INT(atoll("-99999999999z"));
    wchar_t *wend;
    const wchar_t *wide = L"  -0x7fffffffffffffffff rest";
    INT(wcstol(wide, &wend, 0));
    INT(wend - wide);
    INT(wcstoul(L"777", &wend, 8));
    INT(wcstoimax(L"zz", &wend, 36));
}

static void reals(void)
{
    static const char *const texts[] = {
        "", ".", "0", "-0", "1", "-1.5", "+.5", "5.", "1e", "1e+", "1e5", "1E-5", ".e1", "1.e1", "0x", "0x1", "0x1p", "0x1p4",
        "0x1.8p-1", "0x.8", "0x.p1", "0x1.fffffffffffff8p0", "0x1.fffffffffffff7p0", "0x1.00000000000008p0",
        "0x1.000000000000080001p0", "0x1p-1074", "0x1p-1075", "0x1.8p-1075", "0x1p1024", "0x1p-99999999999",
        "0x1p99999999999",
        "1e400", "-1e400", "1e-400", "1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308",
        "2.2250738585072014e-308", "2.2250738585072011e-308", "4.9e-324", "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "9007199254740993", "9007199254740992.999999999999999999999", "9007199254740993.0000000000000000000001",
        "0.1000000000000000055511151231257827021181583404541015625", "123456789012345678901234567890",
        "0.000000000000000000000000000000000000000000001e45", "100000000000000000000000000000000000e-35",
        "inf", "-INF", "infinit", "Infinity", "nan", "-nan", "NaN(12)", "nan(0x1f)x", "nan(", "nan(%)", "  7 ", "1,5",
        "1e1000000000000",
        "0e1000000000000", "1e-1000000000000", "1..2", "0.0e", "00001e0002", "8.5070591730234616e37",
        "3.4028235677973366e38", "1.17549429e-38",
        "7.0064923216240854e-46", "1.1897314953572317650857593266280070e4932", "3.6451995318824746025e-4951"};
    for (size_t t = 0; t < COUNT(texts); t++) {
        char *e1, *e2, *e3;
        errno = 0;
        double d = strtod(texts[t], &e1);
        int error1 = errno;
        errno = 0;
        float f = strtof(texts[t], &e2);
        int error2 = errno;
        errno = 0;
        long double l = strtold(texts[t], &e3);
        int error3 = errno;
        printf("%s: %a at %td error %d, %a at %td error %d, %La at %td error %d\n", texts[t], d, e1 - texts[t], error1,
               (double)f, e2 - texts[t], error2, l, e3 - texts[t], error3);
    }
    static const int modes[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
    for (size_t m = 0; m < COUNT(modes); m++)
        for (size_t t = 20; t < COUNT(texts); t++) {
            fesetround(modes[m]);
            double d = strtod(texts[t], NULL), n = -strtod(texts[t], NULL);
            float f = strtof(texts[t], NULL);
            fesetround(FE_TONEAREST);
            printf("mode %zu %s: %a %a %a\n", m, texts[t], d, n, (double)f);
        }
    // What is read must be what was printed.
    unsigned lost = 0;
    for (int i = 0; i < 5000; i++) {
        union { uint64_t bits; double real; } a, b;
        a.bits = (uint64_t)next_random() << 32 | next_random();
        if (a.real - a.real != 0)
            continue;
        char text[64];
        snprintf(text, sizeof text, i % 2 ? "%.17g" : "%a", a.real);
        b.real = strtod(text, NULL);
        lost += a.bits != b.bits;
    }
    printf("%u lost\n", lost);
    const wchar_t *wide = L"\u2003 -12.5e-1x";
    wchar_t *wend;
    printf("%a ", wcstod(wide, &wend));
    printf("%td\n", wend - wide);
    printf("%a %a\n", wcstod(L"0x1.8p3", NULL), atof("1e3z"));
}

// What sscanf makes of up to three numbers and two words.
static void scan(const char *text, const char *format)
{
    union { long long whole; double real; long double longest; char text[64]; } v[4];
    memset(v, 0, sizeof v);
    errno = 0;
    int n = sscanf(text, format, &v[0], &v[1], &v[2], &v[3]);
    printf("%d by %s from ", n, format);
    show_text(text);
    for (int i = 0; i < 4; i++) {
        putchar(' ');
        size_t used = 24;
        while (used && !v[i].text[used - 1])
            used--;
        show_bytes(v[i].text, used);
    }
    putchar('\n');
}

static void formats(void)
{
    scan("12 34 0x56", "%d%d%i");
    scan("12 34 0x56 077", "%lld %hhd %hi %li");
    scan("ff FF 0xff", "%x%X%x");
    scan("777 888", "%o%o");
    scan("-1", "%u");
    scan("1.5 -2e3 0x1p4 inf", "%lf%lf%lf%lf");
    scan("1.5 nan(1) 1e", "%f%f%f");
    scan("1.5e400", "%Lf");
    scan("0x", "%i");
    scan("0xg", "%i%c");
    scan("1e+", "%f%c");
    scan("word another", "%s%s");
    scan("  word", "%c%c");
    scan("  word", " %3c");
    scan("abcdef", "%3s%2s");
    scan("abc123def", "%[a-z]%[0-9]%s");
    scan("abc]def", "%[]a-c]%s");
    scan("abc]def", "%[^]]%c%s");
    scan("a-b-c", "%[a-]%s");
    scan("xyz", "%[a-c]");
    scan("12,34", "%d,%d");
    scan("12 ,34", "%d,%d");
    scan("12 ,34", "%d ,%d");
    scan("50% done", "%d%% %s");
    scan("50 % done", "%d%% %s");
    scan("1 2 3", "%*d%d%n");
    scan("1 2 3", "%d%n%d%n");
    scan("12345678", "%2d%3d%1d");
    scan("one two", "%2$s%1$s");
    scan("", "%d");
    scan("   ", "%d");
    scan("x", "%d");
    scan("", "%c");
    scan("", "%n");
    scan("0x1234", "%p");
    scan("99999999999999999999", "%d");
    scan("99999999999999999999", "%lld");
    scan("text", "%%");
    scan("abc", "abd%d");
    scan("\xc3\xa4 x", "%ls %lc");
    scan("abc  def", "%s %n%s");
    char *one = NULL, *two = NULL;
    INT(sscanf("allocated words", "%ms %m[a-z]", &one, &two));
    TEXT(one);
    TEXT(two);
    free(one);
    free(two);
    one = NULL;
    INT(sscanf("", "%ms", &one));
    TEXT(one);
    wchar_t wide[16] = {0};
    int a = 0, b = 0;
    INT(swscanf(L"7 zwei 0x10", L"%d %ls %i", &a, wide, &b));
    printf("%d %ls %d\n", a, wide, b);
    INT(swscanf(L"\u03b1\u03b2\u03b3x", L"%l[\u03b1-\u03b3]%c", wide, &b));
    printf("%zu\n", wcslen(wide));
}

// How much is consumed of a stream, which can be looked at only one character ahead.
static void from_stream(void)
{
    int a = 0, b = 0;
    double d = 0;
    char word[32] = "", rest[64] = "";
    INT(scanf("%d %31s %i %lf", &a, word, &b, &d));
    printf("%d %s %d %a\n", a, word, b, d);
    INT(ftell(stdin));
    INT(getchar());
    INT(scanf("%d", &a));
    TEXT(fgets(rest, sizeof rest, stdin));
    INT(scanf("%d", &a));
    printf("%d\n", a);
    INT(scanf(" %[^\n]", rest));
    TEXT(rest);
    INT(scanf("%d", &a));
    INT(feof(stdin));
    INT(ferror(stdin));
    INT(getchar());
}

int main(void)
{
    longs();
    reals();
    formats();
    setlocale(LC_CTYPE, "C.UTF-8");
    scan("\xc3\xa4\xe2\x82\xac x", "%ls %lc");
    scan("\xc3\xa4\xe2\x82\xacx", "%2lc%c");
    scan("\xff\xfe", "%ls");
    from_stream();
    return 0;
}
