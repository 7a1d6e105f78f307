// Patterns: regular expressions, fnmatch, glob and wordexp.
// km-test: links=static-musl,dynamic-musl,static-kontain,dynamic-kontain
// km-test: truth=static-musl
#include "libc.h"
#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <locale.h>
#include <regex.h>
#include <sys/stat.h>
#include <wordexp.h>

static void match(int flags, const char *pattern, const char *text)
{
    regex_t re;
    regmatch_t m[6];
    char message[80];
    printf("/%s/ %d ", pattern, flags);
    int error = regcomp(&re, pattern, flags);
    if (error) {
        regerror(error, &re, message, sizeof message);
        printf("error %d %s\n", error, message);
        return;
    }
    memset(m, 0xee, sizeof m);
    int result = regexec(&re, text, COUNT(m), m, 0);
    printf("%zu groups, ", re.re_nsub);
    show_text(text);
    printf(" %d", result);
    if (!result && !(flags & REG_NOSUB))
        for (size_t i = 0; i < COUNT(m) && i <= re.re_nsub; i++)
            printf(" %ld-%ld", m[i].rm_so, m[i].rm_eo);
    if (regexec(&re, text, 1, m, REG_NOTBOL | REG_NOTEOL) == 0 && !(flags & REG_NOSUB))
        printf(", within a line %ld-%ld", m[0].rm_so, m[0].rm_eo);
    putchar('\n');
    regfree(&re);
}

static void regular_expressions(void)
{
    static const char *const extended[][2] = {
        {"abc", "xabcx"}, {"a|b|cd", "xcd"}, {"(a|ab)(c|bcd)(d*)", "abcd"}, {"a*", "baaa"}, {"a+", "baaa"}, {"ba?", "baa"},
        {"a{2}", "aaaa"}, {"a{2,}", "aaaa"}, {"a{1,3}", "aaaa"}, {"a{,2}", "aaa"}, {"(ab){2,3}", "abababab"}, {"a{0}b", "ab"},
        {"^abc$", "abc"}, {"^abc$", "abc\n"}, {"^$", ""}, {"a^b", "a^b"}, {"(^a)b", "ab"}, {"a$b", "a$b"}, {"x*$", "yxx"},
        {"[abc]+", "xxcabyy"}, {"[^abc]+", "abxyc"}, {"[a-f0-9]+", "zz12efg"}, {"[]a]+", "x]a]"}, {"[^]a]", "]ab"},
        {"[a-]+", "x-a-"},
        {"[[:alpha:]_][[:alnum:]_]*", "9ab_1 "}, {"[[:space:]]+", "a \t\nb"}, {"[[:punct:]]", "a!b"},
        {"[[:upper:][:digit:]]+", "abC3d"},
        {"[[.hyphen.]]", "-"}, {"[[=a=]]", "a"}, {"[[.a.]-c]", "b"}, {".", "\n"}, {"a.c", "abc"}, {"\\.", "a.b"},
        {"\\w+\\s\\W", "ab  c"},
        {"\\<word\\>", "a word b"}, {"\\bx", "ax x"}, {"(a)(b)(c)(d)(e)(f)", "abcdef"}, {"((a)|b)*", "ab"}, {"(a*)*", "aaa"},
        {"(a*)+", "b"}, {"(a|b)*c", "ababc"}, {"()", "x"}, {"(|a)b", "ab"}, {"a||b", "b"}, {"x(y?)z", "xz"},
        {"(.*)(b+)", "aabbb"},
        {"(a+|b+)*c", "aabbc"}, {"([0-9]+)\\.([0-9]+)(\\.([0-9]+))?", "v10.20 "}, {"(foo|foobar)(bar)?", "foobar"},
        {"[", "x"}, {"[a", "x"}, {"(", "x"}, {")", ")"}, {"a)", "a)"}, {"*a", "a"}, {"+", "x"}, {"a{1", "a{1"},
        {"a{2,1}", "x"}, {"a{999}", "x"},
        {"{1}", "x"}, {"[b-a]", "x"}, {"[[:none:]]", "x"}, {"\\", "x"}, {"a**", "aaa"}, {"(?:a)", "a"}, {"[[.none.]]", "x"},
        {"[a-z-9]", "-"},
        {"\xc3\xa4+", "x\xc3\xa4\xc3\xa4"}, {"x.y", "x\xc3\xa4y"}, {"\\x41", "A"}, {"\\n", "\n"}, {"a{256}", "x"}};
    for (size_t i = 0; i < COUNT(extended); i++) {
        match(REG_EXTENDED, extended[i][0], extended[i][1]);
        match(REG_EXTENDED | REG_ICASE | REG_NEWLINE, extended[i][0], extended[i][1]);
    }
    static const char *const basic[][2] = {
        {"a\\(b*\\)c\\1", "abbcbb"}, {"\\(a\\)\\(b\\)\\2\\1", "abba"}, {"\\(.*\\)\\n\\1", "x"}, {"a\\{2,3\\}", "aaaa"},
        {"*a", "*a"}, {"\\(*a\\)", "*a"},
        {"a|b", "a|b"}, {"a\\|b", "b"}, {"a+", "a+"}, {"a\\+", "aaa"}, {"a\\?b", "b"}, {"^*x", "*x"}, {"a\\{1", "a"},
        {"\\(a", "a"}, {"a\\)", "a"},
        {"\\(^a\\)", "a"}, {"a\\(b$\\)", "ab"}, {"\\9", "x"}, {"\\(a\\)\\2", "x"}, {"(a)", "(a)"}, {"a{1}", "a{1}"},
        {"\\(a*\\)*\\1", "aaaa"},
        {"[[:alpha:]]\\{2\\}", "1abc"}, {"", "x"}, {"x\\{0,1\\}y", "xxy"}};
    for (size_t i = 0; i < COUNT(basic); i++)
        match(0, basic[i][0], basic[i][1]);
    match(REG_EXTENDED | REG_NEWLINE, "^b.*$", "a\nbcd\ne");
    match(REG_EXTENDED | REG_NEWLINE, "[^x]+", "a\nb");
    match(REG_EXTENDED, "^b.*$", "a\nbcd\ne");
    match(REG_EXTENDED | REG_NOSUB, "a(b)", "ab");
    match(REG_ICASE, "STRASSE", "strasse");
    char message[32];
    for (int e = -1; e < 15; e++) {
        size_t n = regerror(e, NULL, message, sizeof message);
        printf("%d %zu %s\n", e, n, message);
    }
    printf("%zu", regerror(REG_EBRACK, NULL, message, 5));
    printf(" %s\n", message);
    // A long text, and a pattern that costs time if it is tried from every place.
    char *longer = malloc(20001);
    for (int i = 0; i < 20000; i++)
        longer[i] = "abcdefgh"[next_random() % 8];
    longer[20000] = 0;
    regex_t re;
    regmatch_t m[4];
    regcomp(&re, "(a+[bc]*)(d|ef)+(gh)", REG_EXTENDED);
    int found = 0;
    uint32_t sum = SUM;
    for (char *at = longer; regexec(&re, at, 4, m, 0) == 0; at += m[0].rm_eo, found++)
        sum = sum_bytes(sum, m, sizeof m);
    printf("%d found %08x\n", found, sum);
    regfree(&re);
    free(longer);
}

static void file_names(void)
{
    static const char *const patterns[] = {"*", "?", "*.c", "a*c", "[a-c]*", "[!a-c]*", "[^a]*", "\\*", "*/b", "*/*", ".*",
        "*.", "a?c", "a[/]b",
                                           "[]]", "[!]]", "[[:digit:]]*", "[a-", "\\", "a\\", "**", "*b*", "A*", "[", "a/*",
                                           "?*?", "[.]*", "*[[:upper:]]", ""};
    static const char *const names[] = {"a", "abc", "a/b", ".c", "x.c", "*", "]", "7up", "a.", "ABC", "", "a/.b", "[a-",
        "\\", "\xc3\xa4", "a/b/c", "b-C"};
    static const int flags[] = {0, FNM_PATHNAME, FNM_PERIOD, FNM_NOESCAPE, FNM_CASEFOLD, FNM_PATHNAME | FNM_PERIOD,
        FNM_LEADING_DIR};
    for (size_t p = 0; p < COUNT(patterns); p++) {
        printf("fnmatch ");
        show_text(patterns[p]);
        for (size_t f = 0; f < COUNT(flags); f++) {
            putchar(' ');
            for (size_t n = 0; n < COUNT(names); n++)
                putchar(fnmatch(patterns[p], names[n], flags[f]) == 0 ? '+' : '-');
        }
        putchar('\n');
    }
}

static int on_error(const char *path, int error)
{
    printf("  error at %s: %s\n", path, strerror(error));
    return strstr(path, "stop") != NULL;
}

static void globs(void)
{
    static const char *const made[] = {"one.c", "two.c", ".hidden", "three.h", "sub/four.c", "sub/.five.c", "sub/deep/six.c",
        "w[x]", "a\\b", "B"};
    mkdir("sub", 0755);
    mkdir("sub/deep", 0755);
    for (size_t i = 0; i < COUNT(made); i++)
        close(open(made[i], O_WRONLY | O_CREAT, 0644));
    symlink("none", "dangling");
    static const struct { const char *pattern; int flags; } globs[] = {
        {"*", 0}, {"*", GLOB_MARK}, {"*", GLOB_PERIOD}, {"*.c", GLOB_NOSORT | GLOB_APPEND}, {"*/*.c", 0}, {"*/*/*.c", 0},
        {"sub/.*.c", 0}, {".h*", 0}, {"*/", 0},
        {"none*", 0}, {"none*", GLOB_NOCHECK}, {"w\\[x\\]", 0}, {"w[[]x]", 0}, {"a\\b", GLOB_NOESCAPE}, {"a\\\\b", 0},
        {"dang*", 0}, {"[Bo]*", 0}, {"~", GLOB_TILDE},
        {"~/none", GLOB_TILDE}, {"~nobody-of-that-name/*", GLOB_TILDE}, {"~nobody-of-that-name", GLOB_TILDE_CHECK},
        {"one.c/*", 0}, {"one.c/*", GLOB_ERR}, {"./o*", 0}, {"", 0}, {"//", 0}};
    for (size_t i = 0; i < COUNT(globs); i++) {
        glob_t g = {.gl_offs = 2};
        int result = glob(globs[i].pattern, (globs[i].flags & ~GLOB_APPEND) | (i % 2 ? GLOB_DOOFFS : 0), on_error, &g);
        printf("glob %s %#x: %d, %zu found", globs[i].pattern, (unsigned)globs[i].flags, result, result ? 0 : g.gl_pathc);
        uint32_t sum = 0;
        for (size_t j = 0; !result && j < g.gl_pathc; j++) {
            const char *path = g.gl_pathv[j + (i % 2 ? 2 : 0)];
            // The order of a directory is its own affair.
            sum += sum_bytes(SUM, path, strlen(path));
            if (!(globs[i].flags & GLOB_NOSORT))
                printf(" %s", path);
        }
        printf(" %08x\n", sum);
        if (!result)
            globfree(&g);
    }
    glob_t g = {0};
    INT(glob("*.h", 0, NULL, &g));
    INT(glob("*.c", GLOB_APPEND, NULL, &g));
    INT(g.gl_pathc);
    for (size_t j = 0; j < g.gl_pathc; j++)
        TEXT(g.gl_pathv[j]);
    globfree(&g);
}

static void words(void)
{
    setenv("ONE", "1 word", 1);
    setenv("EMPTY", "", 1);
    unsetenv("UNSET");
    static const struct { const char *text; int flags; } expansions[] = {
        {"plain words", 0}, {"$ONE \"$ONE\" '$ONE'", 0}, {"${ONE}x ${UNSET:-default} ${EMPTY:+no}", 0}, {"*.c", 0},
        {"\"*.c\"", 0}, {"none*", 0}, {"~", 0},
        {"$((6*7))", 0}, {"$UNSET", WRDE_UNDEF}, {"$(echo sub stitute)", 0}, {"$(echo x)", WRDE_NOCMD},
        {"`echo x`", WRDE_NOCMD}, {"a;b", 0}, {"a|b", 0}, {"(a)", 0}, {"{a}", 0},
        {"a&", 0}, {"<a", 0}, {"\"open", 0}, {"'open", 0}, {"a\nb", 0}, {"a\\ b c", 0}, {"", 0}, {"\"\"", 0},
        {"$EMPTY x", 0}, {"${ONE", 0}, {"x#y #z", 0}};
    for (size_t i = 0; i < COUNT(expansions); i++) {
        wordexp_t w = {.we_offs = 1};
        int result = wordexp(expansions[i].text, &w, expansions[i].flags | (i % 2 ? WRDE_DOOFFS : 0));
        show_text(expansions[i].text);
        printf(" %d: %d", expansions[i].flags, result);
        for (size_t j = 0; !result && j < w.we_wordc; j++) {
            putchar(' ');
            show_text(w.we_wordv[j + i % 2]);
        }
        putchar('\n');
        if (!result)
            wordfree(&w);
    }
    // Without a shell there are none.
    wordexp_t w = {0};
    INT(wordexp("a b", &w, 0));
    INT(wordexp("c", &w, WRDE_APPEND));
    INT(w.we_wordc);
    INT(wordexp("d", &w, WRDE_REUSE));
    INT(w.we_wordc);
    if (w.we_wordc)
        TEXT(w.we_wordv[0]);
    wordfree(&w);
}

int main(void)
{
    regular_expressions();
    file_names();
    globs();
    words();
    setlocale(LC_CTYPE, "C.UTF-8");
    regular_expressions();
    file_names();
    return 0;
}
