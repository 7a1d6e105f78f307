// Memory and strings: every function over alignments and lengths, with a page that may not be touched behind (or before) what
// it is given; and those that take strings apart.
// km-test: links=static-musl,dynamic-musl,static-kontain,dynamic-kontain
// km-test: truth=static-musl
#include "libc.h"
#include <libgen.h>
#include <strings.h>
#include <sys/mman.h>

#define PAGE 4096UL

// Two pages each, with none before and after.
static char *source, *target;

static char *guarded(void)
{
    char *at = mmap(NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(at + PAGE, 2 * PAGE, PROT_READ | PROT_WRITE);
    return at + PAGE;
}

static void fill(char *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        at[i] = (char)(1 + next_random() % 255);
}

static const size_t lengths[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23, 31, 32, 33, 63, 64, 65, 100, 127, 128, 129, 200,
    255, 256, 257, 511, 1000, 2049, 4000};

// Each length at the end of the room and at its beginning, at each alignment of both sides.
static void moves(void)
{
    for (size_t l = 0; l < COUNT(lengths); l++) {
        size_t n = lengths[l];
        uint32_t sum = SUM;
        for (int at_end = 0; at_end < 2; at_end++)
            for (size_t a = 0; a < 16; a++) {
                size_t b = (a * 5 + l) % 16;
                char *s = at_end ? source + 2 * PAGE - n - a : source + a,
                    *t = at_end ? target + 2 * PAGE - n - b : target + b;
                fill(s, n);
                memset(target, 0, 2 * PAGE);
                sum += memcpy(t, s, n) != t;
                sum = sum_bytes(sum, target, 2 * PAGE);
                // Over itself, forwards and backwards.
                char *onto = at_end ? t - 3 : t + 3;
                sum += memmove(onto, t, n) != onto;
                sum = sum_bytes(sum, t - 3 * at_end, n);
                sum += memset(t, (int)(a + 200), n) != t;
                sum += mempcpy(t, s, n) != t + n;
                sum += memcmp(t, s, n) != 0;
                void *c = memccpy(t, s, n ? s[n / 2] : 1, n);
                long stopped = c ? (char *)c - t : -1;
                sum = sum_bytes(sum_bytes(sum, &stopped, sizeof stopped), target, 64);
                if (n) {
                    t[n - 1] ^= 1;
                    int sign = (memcmp(t, s, n) > 0) - (memcmp(t, s, n) < 0);
                    sum = sum_bytes(sum, &sign, sizeof sign);
                }
                explicit_bzero(t, n);
                swab(s, t, (ssize_t)n);
                sum = sum_bytes(sum, t, n);
                bcopy(s, t, n);
                sum += bcmp(s, t, n) != 0;
                bzero(t, n);
                for (size_t i = 0; i < n; i++)
                    sum += t[i] != 0;
            }
        printf("moves of %zu: %08x\n", n, sum);
    }
}

static void strings(void)
{
    for (size_t l = 0; l < COUNT(lengths); l++) {
        size_t n = lengths[l];
        uint32_t sum = SUM;
        for (size_t a = 0; a < 16; a++) {
            // The final zero is the last byte there is.
            char *s = source + 2 * PAGE - n - 1 - (a & 7), *t = target + 2 * PAGE - n - 1 - (a >> 1);
            fill(s, n);
            s[n] = 0;
            memset(target, 0, 2 * PAGE);
            long found[20];
            int i = 0;
            found[i++] = (long)strlen(s);
            found[i++] = (long)strnlen(s, n / 2);
            found[i++] = (long)strnlen(s, n + 100);
            found[i++] = strcpy(t, s) - t;
            found[i++] = stpcpy(t, s) - t;
            found[i++] = stpncpy(t, s, n / 2) - t;
            found[i++] = (long)strlcpy(t, s, n);
            found[i++] = strcmp(s, t) > 0;
            strcpy(t, s);
            found[i++] = strcmp(s, t);
            found[i++] = strncmp(s, t, n + 10);
            found[i++] = strchr(s, 0) - s;
            found[i++] = strrchr(s, 0) - s;
            int c = n ? (unsigned char)s[n - 1] : 'x';
            char *p = strchr(s, c);
            found[i++] = p ? p - s : -1;
            found[i++] = strchrnul(s, c ^ 0x55) - s;
            p = memchr(s, c, n);
            found[i++] = p ? p - s : -1;
            p = memrchr(s, c, n);
            found[i++] = p ? p - s : -1;
            p = n > 3 ? strstr(s, s + n - 3) : NULL;
            found[i++] = p ? p - s : -1;
            p = n > 6 ? memmem(s, n, s + n - 6, 5) : NULL;
            found[i++] = p ? p - s : -1;
            sum = sum_bytes(sum_bytes(sum, found, sizeof *found * (size_t)i), t, n + 1);
            char *twice = target;
            strcpy(twice, "head");
            strcat(twice, s);
            strncat(twice, s, n / 3);
            sum += (uint32_t)strlcat(twice, s, n);
            sum = sum_bytes(sum, twice, strlen(twice));
            char *dup = strdup(s), *part = strndup(s, n / 2);
            sum = sum_bytes(sum_bytes(sum, dup, strlen(dup)), part, strlen(part));
            free(dup);
            free(part);
        }
        printf("strings of %zu: %08x\n", n, sum);
    }
}

// Needles of all sizes in a text of few letters, where much nearly fits.
static void needles(void)
{
    char *text = target + 2 * PAGE - 1201;
    for (int letters = 1; letters < 4; letters++) {
        for (int i = 0; i < 1200; i++)
            text[i] = (char)('a' + next_random() % (unsigned)letters);
        text[1200] = 0;
        for (size_t n = 0; n < 300; n += 1 + n / 4) {
            long first = 0, all = 0;
            for (int i = 0; i < 6; i++) {
                char needle[301];
                memcpy(needle, text + next_random() % 800, n);
                if (n && i % 2)
                    needle[next_random() % n] ^= 1;
                needle[n] = 0;
                char *p = strstr(text, needle), *q = memmem(text, 1200, needle, n);
                first += p ? p - text + 1 : -1;
                all += q ? q - text + 1 : -1;
            }
            printf("%d letters, needle of %zu: %ld %ld\n", letters, n, first, all);
        }
    }
    AT(text, strcasestr("Some TEXT", "text") ? text : NULL);
    AT(text, strstr(text, "zz"));
    AT(text, memmem(text, 0, "a", 1));
}

static void parts(void)
{
    char text[] = ",a,,b;c ;d", *state = NULL, *at;
    for (char *p = strtok_r(text, ",;", &state); p; p = strtok_r(NULL, ",;", &state))
        TEXT(p);
    char again[] = ",a,,b;c";
    at = again;
    for (char *p; (p = strsep(&at, ",;"));)
        TEXT(p);
    char once[] = "x y";
    TEXT(strtok(once, " "));
    TEXT(strtok(NULL, " "));
    TEXT(strtok(NULL, " "));
    INT(strspn("aabbcx", "abc"));
    INT(strspn("aab", ""));
    INT(strcspn("xyzabc", "cba"));
    INT(strcspn("xyz", ""));
    AT("haystack", strpbrk("haystack", "kc") ? "haystack" : NULL);
    static const char *const pairs[][2] = {{"", ""}, {"a", ""}, {"a", "b"}, {"abc", "ABC"}, {"\xff", "a"}, {"a9", "a10"},
        {"a009", "a10"}, {"a1.05", "a1.5"}, {"x", "x0"}, {"000", "00"}, {"1.2.10", "1.2.9"}};
    for (size_t i = 0; i < COUNT(pairs); i++)
        for (int swap = 0; swap < 2; swap++) {
            const char *a = pairs[i][swap], *b = pairs[i][!swap];
            int r[] = {strcmp(a, b), strcasecmp(a, b), strncasecmp(a, b, 2), strverscmp(a, b), strcoll(a, b)};
            printf("%s %s:", a, b);
            for (size_t j = 0; j < COUNT(r); j++)
                printf(" %d", (r[j] > 0) - (r[j] < 0));
            putchar('\n');
        }
    for (int e = -1; e < 135; e++)
        TEXT(strerror(e));
    char message[20] = "#";
    INT(strerror_r(ENOENT, message, sizeof message));
    TEXT(message);
    INT(strerror_r(ENOENT, message, 5));
    for (int s = 0; s < 66; s++)
        TEXT(strsignal(s));
    INT(ffs(0));
    INT(ffs(0x80));
    INT(ffsl(1L << 40));
    INT(ffsll(LLONG_MIN));
    TEXT(index("index", 'd'));
    TEXT(rindex("rindex i", 'i'));
    static const char *const paths[] = {"/usr/lib", "/a/b/", "a", "/", "", "//", "a//b//"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        char path[16], same[16];
        strcpy(path, paths[i]);
        strcpy(same, paths[i]);
        TEXT(basename(path));
        TEXT(dirname(same));
    }
}

int main(void)
{
    source = guarded();
    target = guarded();
    moves();
    strings();
    needles();
    parts();
    return 0;
}
