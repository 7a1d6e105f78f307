// Characters: locales, multibyte and wide strings, classes and cases, and conversions by iconv.
// km-test: links=static-musl,dynamic-musl,static-kontain,dynamic-kontain
// km-test: truth=static-musl
#include "libc.h"
#include <ctype.h>
#include <iconv.h>
#include <langinfo.h>
#include <locale.h>
#include <time.h>
#include <uchar.h>
#include <wchar.h>
#include <wctype.h>

static void locales(void)
{
    static const char *const names[] = {"C", "POSIX", "C.UTF-8", "en_US.UTF-8", "de_DE", "", "none.such", "a/b"};
    for (size_t i = 0; i < COUNT(names); i++) {
        TEXT(setlocale(LC_ALL, names[i]));
        TEXT(setlocale(LC_CTYPE, NULL));
        INT(MB_CUR_MAX);
        TEXT(nl_langinfo(CODESET));
    }
    TEXT(setlocale(LC_ALL, "C"));
    TEXT(setlocale(LC_MESSAGES, "de_DE"));
    TEXT(setlocale(LC_ALL, NULL));
    TEXT(setlocale(99, "C"));
    setlocale(LC_ALL, "C");
    struct lconv *l = localeconv();
    printf("<%s> <%s> <%s> <%s> %d %d\n", l->decimal_point, l->thousands_sep, l->grouping, l->currency_symbol,
        l->frac_digits, l->p_sign_posn);
    static const nl_item items[] = {D_T_FMT, D_FMT, T_FMT, T_FMT_AMPM, AM_STR, PM_STR, DAY_1, DAY_7, ABDAY_2, MON_1, MON_12,
        ABMON_5, RADIXCHAR, THOUSEP, YESEXPR, NOEXPR, CRNCYSTR, ERA};
    for (size_t i = 0; i < COUNT(items); i++)
        TEXT(nl_langinfo(items[i]));
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL), none = newlocale(1 << 20, "C", NULL);
    INT(utf8 != NULL);
    INT(none != NULL);
    locale_t old = uselocale(utf8);
    INT(old == LC_GLOBAL_LOCALE);
    INT(MB_CUR_MAX);
    locale_t copy = duplocale(utf8);
    INT(uselocale(copy) == utf8);
    INT(iswalpha_l(0xe4, copy));
    TEXT(nl_langinfo_l(CODESET, copy));
    uselocale(LC_GLOBAL_LOCALE);
    INT(MB_CUR_MAX);
    freelocale(copy);
    freelocale(utf8);
    INT(strcoll("a", "B") > 0);
    char key[16];
    INT(strxfrm(key, "word", sizeof key));
    TEXT(key);
}

static void bytes_of_ctype(void)
{
    static int (*const classes[])(int) = {isalnum, isalpha, isblank, iscntrl, isdigit, isgraph, islower, isprint, ispunct,
        isspace, isupper, isxdigit, isascii};
    for (size_t i = 0; i < COUNT(classes); i++) {
        uint32_t sum = SUM;
        int count = 0;
        for (int c = -1; c < 256; c++) {
            int is = !!classes[i](c);
            count += is;
            sum = sum_bytes(sum, &is, 1);
        }
        printf("class %zu: %d %08x\n", i, count, sum);
    }
    for (int c = -1; c < 256; c++)
        if (tolower(c) != c || toupper(c) != c || (c >= 0 && toascii(c) != c))
            printf("%d:%d:%d:%d ", c, tolower(c), toupper(c), toascii(c));
    putchar('\n');
}

// All of Unicode, a sum for each thousand or so.
static void unicode(void)
{
    static const char *const names[] = {"alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
        "space", "upper", "xdigit"};
    wctype_t types[COUNT(names)];
    for (size_t i = 0; i < COUNT(names); i++)
        types[i] = wctype(names[i]);
    INT(wctype("none"));
    INT(wctrans("none") != 0);
    wctrans_t lower = wctrans("tolower"), upper = wctrans("toupper");
    for (wint_t from = 0; from < 0x30000; from += 0x1000) {
        uint32_t sum = SUM;
        int alpha = 0, cases = 0, width = 0;
        for (wint_t c = from; c < from + 0x1000; c++) {
            uint32_t is = 0;
            for (size_t i = 0; i < COUNT(names); i++)
                is |= (uint32_t)!!iswctype(c, types[i]) << i;
            wint_t l = towctrans(c, lower), u = towctrans(c, upper);
            int w = wcwidth((wchar_t)c);
            alpha += !!iswalpha(c);
            cases += l != c || u != c || l != towlower(c) || u != towupper(c);
            width += w;
            sum = sum_bytes(sum_bytes(sum_bytes(sum_bytes(sum, &is, sizeof is), &l, sizeof l), &u, sizeof u), &w, sizeof w);
        }
        printf("%05x: %d letters, %d with cases, width %d, %08x\n", from, alpha, cases, width, sum);
    }
    static const wint_t some[] = {0xdf, 0x1e9e, 0x130, 0x131, 0x17f, 0x1c5, 0x3c2, 0x2126, 0x10400, 0x1e900, 0xffff,
        0x110000, 0xffffffff};
    for (size_t i = 0; i < COUNT(some); i++)
        printf("%x: %x %x %d %d %d\n", some[i], towlower(some[i]), towupper(some[i]), !!iswalpha(some[i]),
            !!iswprint(some[i]), wcwidth((wchar_t)some[i]));
    INT(wcswidth(L"a\u4e2d\u0301b", 10));
    INT(wcswidth(L"a\nb", 10));
}

// Every sequence of up to three of these bytes, as one character and as a string.
static void multibyte(void)
{
    static const unsigned char bytes[] = {0, 'a', 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0,
        0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff};
    uint32_t sum = SUM;
    for (size_t a = 0; a < COUNT(bytes); a++) {
        int counts[3] = {0};
        for (size_t b = 0; b < COUNT(bytes); b++)
            for (size_t c = 0; c < COUNT(bytes); c++) {
                char text[5] = {(char)bytes[a], (char)bytes[b], (char)bytes[c], (char)0x80, 0};
                mbstate_t state = {0};
                wchar_t wide = 0x7777;
                errno = 0;
                size_t n = mbrtowc(&wide, text, 4, &state);
                int error = errno, initial = !!mbsinit(&state);
                counts[n == (size_t)-1 ? 0 : n == (size_t)-2 ? 1 : 2]++;
                wchar_t string[8] = {0};
                size_t whole = mbstowcs(string, text, 8);
                size_t parts = mbrlen(text, 2, &(mbstate_t){0});
                sum = sum_bytes(sum_bytes(sum, &n, sizeof n), &wide, sizeof wide);
                sum = sum_bytes(sum_bytes(sum, &error, sizeof error), &initial, sizeof initial);
                sum = sum_bytes(sum_bytes(sum_bytes(sum, string, sizeof string), &whole, sizeof whole), &parts, sizeof parts);
            }
        printf("%02x: %d bad, %d short, %d good, %08x\n", bytes[a], counts[0], counts[1], counts[2], sum);
    }
    // One byte at a time.
    mbstate_t state = {0};
    const char *text = "\xf0\x9f\x98\x80";
    wchar_t wide = 0;
    for (int i = 0; i < 4; i++)
        INT(mbrtowc(&wide, text + i, 1, &state));
    INT(wide);
    static const wchar_t some[] = {0, 'a', 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xd800, 0xdfff, 0xe000, 0xffff, 0x10000,
        0x10ffff, 0x110000, -1};
    for (size_t i = 0; i < COUNT(some); i++) {
        char out[MB_LEN_MAX] = "";
        errno = 0;
        size_t n = wcrtomb(out, some[i], NULL);
        printf("%x %zd ", (unsigned)some[i], (ssize_t)n);
        show_bytes(out, 4);
        printf(" %d wctob %d btowc %d wctomb %d\n", errno, wctob((wint_t)some[i]), (int)btowc(some[i]), wctomb(out, some[i]));
    }
    const char *from = "a\xc3\xa4\xe2\x82\xac\xff z";
    wchar_t out[16] = {0};
    memset(&state, 0, sizeof state);
    const char *at = from;
    INT(mbsrtowcs(out, &at, 16, &state));
    AT(from, at);
    at = from;
    INT(mbsnrtowcs(out, &at, 5, 16, &(mbstate_t){0}));
    AT(from, at);
    INT(mbsnrtowcs(NULL, &at, 3, 0, &(mbstate_t){0}));
    const wchar_t *wfrom = L"a\u00e4\u20ac\U0001f600", *wat = wfrom;
    char narrow[16];
    INT(wcsnrtombs(narrow, &wat, 3, 5, &(mbstate_t){0}));
    printf("%td\n", wat - wfrom);
    INT(wcsrtombs(NULL, &wat, 0, &(mbstate_t){0}));
    INT(wcstombs(narrow, L"ok\xd800", 16));
    INT(mblen("\xc3\xa4", 1));
    INT(mblen("\xc3\xa4", 2));
    char16_t c16 = 0;
    char32_t c32 = 0;
    memset(&state, 0, sizeof state);
    INT(mbrtoc16(&c16, text, 4, &state));
    INT(c16);
    INT(mbrtoc16(&c16, text + 4, 0, &state));
    INT(c16);
    INT(mbrtoc32(&c32, text, 4, &(mbstate_t){0}));
    INT(c32);
    memset(&state, 0, sizeof state);
    INT(c16rtomb(narrow, 0xd83d, &state));
    INT(c16rtomb(narrow, 0xde00, &state));
    BYTES(narrow, 4);
    INT(c16rtomb(narrow, 0xde00, &state));
    INT(c32rtomb(narrow, 0x20ac, NULL));
}

static void wide_strings(void)
{
    wchar_t text[32] = L"one two  three", copy[32] = {0}, *state = NULL;
    for (wchar_t *w = wcstok(text, L" ", &state); w; w = wcstok(NULL, L" ", &state))
        printf("[%ls]", w);
    putchar('\n');
    wcscpy(copy, L"abc");
    INT(wcslen(wcscat(copy, L"\u00e4\u00f6")));
    INT(wcscmp(L"a\u00e4", L"a\u20ac") < 0);
    INT(wcscmp(L"\x7fffffff", L"\x80000000") < 0);
    INT(wcsncmp(L"abc", L"abd", 2));
    INT(wcscasecmp(L"\u00c4b", L"\u00e4B"));
    INT(wcsncasecmp(L"abX", L"aBy", 2));
    INT(wcscoll(L"a", L"b") < 0);
    AT(copy, wcschr(copy, 0xe4));
    AT(copy, wcsrchr(copy, 'z'));
    AT(copy, wcsstr(copy, L"c\u00e4"));
    AT(copy, wcspbrk(copy, L"xc"));
    INT(wcsspn(copy, L"cba"));
    INT(wcscspn(copy, L"c"));
    AT(copy, wmemchr(copy, 0xf6, 5));
    INT(wmemcmp(copy, L"abd", 3) < 0);
    wmemmove(copy + 1, copy, 5);
    wmemset(copy + 8, 'w', 3);
    INT(wcsnlen(copy, 3));
    printf("%08x\n", sum_bytes(SUM, copy, 11 * sizeof *copy));
    wchar_t *dup = wcsdup(L"twin");
    TEXT(dup[0] == L't' ? "twin" : "other");
    free(dup);
    AT(copy, wcpcpy(copy, L"end"));
    AT(copy, wcpncpy(copy, L"end", 2));
    wchar_t time_text[64];
    struct tm tm = {.tm_year = 100, .tm_mon = 1, .tm_mday = 29, .tm_wday = 2};
    INT(wcsftime(time_text, 64, L"%A \u2014 %Y/%m/%d", &tm));
    printf("%ls\n", time_text);
}

static void converted(const char *to, const char *from, const char *in, size_t n, size_t room)
{
    iconv_t cd = iconv_open(to, from);
    printf("%s to %s: ", from, to);
    if (cd == (iconv_t)-1) {
        printf("none, error %d\n", errno);
        return;
    }
    char out[64], *o = out, *i = (char *)in;
    size_t left = room;
    errno = 0;
    size_t result = iconv(cd, &i, &n, &o, &left);
    printf("%zd error %d, %zu in left, ", (ssize_t)result, errno, n);
    errno = 0;
    result = iconv(cd, NULL, NULL, &o, &left);
    show_bytes(out, (size_t)(o - out));
    printf(" reset %zd\n", (ssize_t)result);
    iconv_close(cd);
}

static void conversions(void)
{
    static const char *const sets[] = {"UTF-8", "utf8", "UCS-2", "UCS-2LE", "UTF-16", "UTF-16BE", "UTF-16LE", "UTF-32",
        "UTF-32BE", "UCS-4LE", "WCHAR_T", "ASCII", "US-ASCII", "ISO-8859-1", "latin1",
                                       "ISO-8859-15", "iso8859-2", "CP1252", "CP1251", "KOI8-R", "CP437", "CP850",
                                       "SHIFT_JIS", "EUC-JP", "ISO-2022-JP", "GB2312", "GBK", "GB18030", "BIG5", "BIG5-HKSCS",
                                       "EUC-KR", "none", "UTF-8//TRANSLIT", ""};
    static const char text[] = "a\xc3\xa4\xe2\x82\xac\xe4\xb8\xad\xe3\x81\x82\xd0\xb6\xf0\x9f\x98\x80z";
    for (size_t i = 0; i < COUNT(sets); i++) {
        converted(sets[i], "UTF-8", text, sizeof text - 1, 64);
        converted(sets[i], "UTF-8", text, sizeof text - 1, 7);
        // Bytes of all kinds, as far as they can be read.
        converted("UTF-8", sets[i], "A\xa4\xa2\xb0\xa1\x88\x9f\x1b(B\x81\x30", 12, 64);
        converted("UTF-8", sets[i], "\xe4\x00\xfe\xff\x00\x41\xd8\x3d\xde\x00", 10, 64);
        converted("UTF-8", sets[i], "\xff\xfe\x41\x00\x3d\xd8\x00\xde", 8, 64);
    }
    converted("UTF-8", "UTF-8", "\xe2\x82", 2, 64);
    converted("UTF-8", "UTF-8", "a\xff", 2, 64);
    // Each character of a set of one byte.
    static const char *const small[] = {"ISO-8859-1", "ISO-8859-5", "ISO-8859-7", "ISO-8859-16", "CP1250", "CP1252",
        "CP1258", "KOI8-U", "CP437", "CP866"};
    for (size_t i = 0; i < COUNT(small); i++) {
        uint32_t sum = SUM;
        int good = 0, same = 0;
        iconv_t there = iconv_open("UTF-32LE", small[i]), back = iconv_open(small[i], "UTF-32LE");
        for (int c = 0; c < 256 && there != (iconv_t)-1; c++) {
            char in = (char)c, wide[4] = {0}, out = 0, *a = &in, *b = wide, *w = wide, *o = &out;
            size_t one = 1, four = 4, again = 4, room = 1;
            if (iconv(there, &a, &one, &b, &four) == 0)
                good++;
            if (iconv(back, &w, &again, &o, &room) == 0)
                same += out == in;
            sum = sum_bytes(sum, wide, 4);
        }
        printf("%s: %d good, %d back, %08x\n", small[i], good, same, sum);
        iconv_close(there);
        iconv_close(back);
    }
}

int main(void)
{
    locales();
    bytes_of_ctype();
    multibyte();
    setlocale(LC_ALL, "C.UTF-8");
    multibyte();
    unicode();
    wide_strings();
    conversions();
    return 0;
}
