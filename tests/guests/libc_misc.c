// The C library's own business: text, numbers, sorting, patterns, files by stdio.
#include "check.h"
#include <ctype.h>
#include <float.h>
#include <glob.h>
#include <fnmatch.h>
#include <locale.h>
#include <math.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

static int compare(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;
    return (x > y) - (x < y);
}

static void numbers(void)
{
    printf("%d %5d %-5d| %05d %+d %x %#o %llu\n", -1, 42, 42, 42, 42, 255, 8, ~0ULL);
    printf("%f %.3e %g %g %a\n", 3.14159265358979, 123456.789, 1e100, 0.0001, 1.0);
    printf("%.17g %.17g %g %g %g\n", 0.1, DBL_MIN, INFINITY, -INFINITY, -0.0);
    printf("%.20Lf %10.3s| %c %p\n", 2.0L / 3, "truncated", 'c', (void *)0x1234);
    char text[64];
    const char *volatile longer = "longer than five";
    EQ("snprintf says the full length", snprintf(text, 5, "%s", longer), 16);
    STR("and cuts", text, "long");
    CHECK("strtod", strtod("1.7976931348623157e308", NULL) == DBL_MAX && strtod("0x1.8p1", NULL) == 3.0);
    char *end;
    EQ("strtol", strtol("  -0x7fZ", &end, 16), -127);
    EQ("stops at", *end, 'Z');
    errno = 0;
    CHECK("strtol overflow", strtol("99999999999999999999", NULL, 10) == INT64_MAX && errno == ERANGE);
    int a;
    float f;
    EQ("sscanf", sscanf("12 rest 3.5", "%d %63s %f", &a, text, &f), 3);
    CHECK("values", a == 12 && f == 3.5f);
    CHECK("mathematics", fabs(pow(2, 0.5) * sqrt(2) - 2) < 1e-15 && lround(2.5) == 3 && fmod(7, 3) == 1 && cbrt(27) == 3);
    srand(1);
    int x = rand();
    srand(1);
    EQ("rand repeats", rand(), x);
}

static void searching(void)
{
    static int v[2000];
    uint32_t r = 1;
    for (int i = 0; i < 2000; i++) {
        r = r * 1664525 + 1013904223;
        v[i] = (int)(r >> 8);
    }
    qsort(v, 2000, sizeof *v, compare);
    int unsorted = 0;
    for (int i = 1; i < 2000; i++)
        unsorted += v[i - 1] > v[i];
    EQ("qsort", unsorted, 0);
    CHECK("bsearch", bsearch(&v[777], v, 2000, sizeof *v, compare) != NULL);
    regex_t re;
    regmatch_t m[3];
    EQ("regcomp", regcomp(&re, "([a-z]+)=([0-9]+)", REG_EXTENDED), 0);
    EQ("regexec", regexec(&re, "set width=640 now", 3, m, 0), 0);
    CHECK("where", m[1].rm_so == 4 && m[2].rm_so == 10 && m[2].rm_eo == 13);
    EQ("no match", regexec(&re, "nothing", 0, NULL, 0), REG_NOMATCH);
    regfree(&re);
    EQ("fnmatch", fnmatch("*.[ch]", "main.c", 0), 0);
    char list[] = "a,b,,c", *at = list, *part;
    int parts = 0;
    while ((part = strsep(&at, ",")))
        parts++;
    EQ("strsep", parts, 4);
    CHECK("strstr, memmem", strstr("haystack", "st") && memmem("a\0b", 3, "\0b", 2));
}

static void files(void)
{
    FILE *f = fopen("text", "w+");
    for (int i = 0; i < 1000; i++)
        fprintf(f, "line %d\n", i);
    EQ("ftell", ftell(f), 8890);
    rewind(f);
    char *line = NULL;
    size_t size = 0;
    int lines = 0, n;
    while (getline(&line, &size, f) > 0)
        lines += sscanf(line, "line %d", &n) == 1 && n == lines;
    EQ("getline", lines, 1000);
    free(line);
    fseek(f, -9, SEEK_END);
    char last[16];
    CHECK("fseek", fgets(last, sizeof last, f) && strcmp(last, "line 999\n") == 0);
    ungetc('u', f);
    EQ("ungetc", fgetc(f), 'u');
    EQ("fclose", fclose(f), 0);
    glob_t g;
    EQ("glob", glob("te*", 0, NULL, &g), 0);
    STR("found", g.gl_pathv[0], "text");
    globfree(&g);
    f = tmpfile();
    CHECK("tmpfile", f && fputs("x", f) >= 0 && fflush(f) == 0);
    fclose(f);
    char name[] = "tmp-XXXXXX";
    int fd = mkstemp(name);
    OK("mkstemp", fd);
    close(fd);
    unlink(name);
    unlink("text");
    char *mem;
    f = open_memstream(&mem, &size);
    fprintf(f, "%s %d", "memory", 7);
    fclose(f);
    STR("open_memstream", mem, "memory 7");
    free(mem);
    ERR("fopen of nothing", fopen("none", "r") ? 0 : -1, ENOENT);
}

static jmp_buf env;
static __attribute__((noinline)) void jump(int depth)
{
    volatile char frame[100] = {0};
    if (depth == 0)
        longjmp(env, 42);
    if (depth > 0)
        jump(depth - 1);
    (void)frame[0];
}

static int sum(int n, ...)
{
    va_list ap;
    va_start(ap, n);
    int s = 0;
    while (n--)
        s += va_arg(ap, int);
    va_end(ap);
    return s;
}

int main(void)
{
    STR("setlocale", setlocale(LC_ALL, "C"), "C");
    numbers();
    searching();
    files();
    int r = setjmp(env);
    if (r == 0)
        jump(20);
    EQ("longjmp", r, 42);
    EQ("varargs", sum(9, 1, 2, 3, 4, 5, 6, 7, 8, 9), 45);
    time_t t = 1000000000;
    struct tm tm;
    char text[64];
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %a %j", gmtime_r(&t, &tm));
    STR("strftime", text, "2001-09-09 01:46:40 Sun 252");
    EQ("timegm", timegm(&tm), 1000000000);
    wchar_t w[16];
    EQ("mbstowcs", mbstowcs(w, "wide", 16), 4);
    EQ("wcslen", wcslen(w), 4);
    CHECK("ctype", isalpha('x') && !isalpha('1') && toupper('a') == 'A');
    STR("strerror", strerror(ENOENT), "No such file or directory");
    EQ("system page size", sysconf(_SC_PAGESIZE), 4096);
    char *s = realpath("/proc/../dev/./null", NULL);
    STR("realpath", s, "/dev/null");
    free(s);
    return check_done();
}
