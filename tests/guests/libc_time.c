// Calendar time: conversions at their extremes, normalisation, formats both ways, and zones by rule.
// km-test: links=static-musl,dynamic-musl,static-kontain,dynamic-kontain
// km-test: truth=static-musl
#include "libc.h"
#include <locale.h>
#include <time.h>
#include <sys/time.h>

static void show_tm(const struct tm *tm)
{
    if (!tm) {
        printf("NULL (%d)\n", errno);
        return;
    }
    printf("%d-%02d-%02d %02d:%02d:%02d wday %d yday %d dst %d off %ld %s\n", tm->tm_year, tm->tm_mon, tm->tm_mday,
        tm->tm_hour, tm->tm_min, tm->tm_sec, tm->tm_wday, tm->tm_yday, tm->tm_isdst,
           tm->tm_gmtoff, tm->tm_zone ? tm->tm_zone : "(none)");
}

static const long long moments[] = {0, -1, 1, 86399, 86400, 951782400, 951868799, 951868800, 1000000000, 1078012799,
    1078099200, 1709251199, 1234567890, 2147483647, 2147483648, -2147483648, -2147483649, 4107542400,
                                    -2208988800, -62135596800, -62167219200, -62167219201, 253402300799, 253402300800,
                                        67767976233532799, 67768036191676799, 67768036191676800, -67768040609740800,
                                        -67768040609740801,
                                    LLONG_MAX, LLONG_MIN};

static void extremes(void)
{
    for (size_t i = 0; i < COUNT(moments); i++) {
        time_t t = moments[i];
        struct tm tm = {0};
        errno = 0;
        struct tm *p = gmtime_r(&t, &tm);
        printf("%lld: ", moments[i]);
        show_tm(p);
        if (p)
            printf("  timegm %lld yday %d\n", (long long)timegm(&tm), tm.tm_yday);
    }
    // Days one after the other through all leap cycles must count up by one.
    int wrong = 0;
    struct tm last = {0};
    for (long long day = -1000000; day < 1000000; day += 199) {
        time_t t = day * 86400 + 12345;
        struct tm tm;
        gmtime_r(&t, &tm);
        wrong += timegm(&tm) != t || tm.tm_wday != (int)(((day + 4) % 7 + 7) % 7) || tm.tm_year < last.tm_year;
        last = tm;
    }
    printf("%d wrong\n", wrong);
}

static void normalisations(void)
{
    static const struct tm given[] = {
        {.tm_year = 100, .tm_mon = 0, .tm_mday = 0}, {.tm_year = 100, .tm_mon = 12, .tm_mday = 1},
        {.tm_year = 100, .tm_mon = -1, .tm_mday = 31}, {.tm_year = 100, .tm_mon = 1, .tm_mday = 30},
        {.tm_year = 101, .tm_mon = 1, .tm_mday = 29}, {.tm_year = 70, .tm_mday = 1, .tm_sec = -1},
        {.tm_year = 70, .tm_mday = 1, .tm_hour = 25, .tm_min = -61, .tm_sec = 3661}, {.tm_year = 0, .tm_mday = -400},
        {.tm_year = 1000000, .tm_mday = 1}, {.tm_year = -1900, .tm_mday = 1},
        {.tm_year = 2147483647, .tm_mon = 11, .tm_mday = 31}, {.tm_year = 2147483647, .tm_mon = 12, .tm_mday = 1},
        {.tm_year = -2147483647 - 1, .tm_mday = 1}, {.tm_year = 70, .tm_mon = 2147483647, .tm_mday = 1},
        {.tm_year = 70, .tm_mon = -2147483647 - 1, .tm_mday = 1}, {.tm_year = 70, .tm_mday = 2147483647},
        {.tm_year = 70, .tm_mday = 1, .tm_sec = 2147483647}, {.tm_year = 116, .tm_mon = 11, .tm_mday = 31, .tm_hour = 23,
        .tm_min = 59, .tm_sec = 60}};
    for (size_t i = 0; i < COUNT(given); i++)
        for (int dst = -1; dst <= 1; dst++) {
            struct tm tm = given[i];
            tm.tm_isdst = dst;
            errno = 0;
            long long t = mktime(&tm);
            printf("%lld error %d ", t, errno);
            show_tm(&tm);
        }
}

static void zones(void)
{
    static const char *const names[] = {"UTC", "UTC0", "", "EST5", "EST5EDT", "EST5EDT,M3.2.0,M11.1.0",
        "CET-1CEST,M3.5.0,M10.5.0/3", "<+0330>-3:30<+0430>,J79/24,J263/24", "NZST-12NZDT,M9.5.0,M4.1.0/3",
        "XXX3YYY,59/0,300/25",
                                        "ABC-14:30:15", "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "AAA24BBB-24", "bad", "ab5",
                                        "EST5EDT,M13.2.0,M11.1.0", ":UTC", "/none", ":/etc/none", "../none",
                                        "IST-2IDT,M3.4.4/26,M10.5.0"};
    for (size_t z = 0; z < COUNT(names); z++) {
        setenv("TZ", names[z], 1);
        tzset();
        printf("%s: %s %s %ld %d\n", names[z], tzname[0], tzname[1], timezone, daylight);
        for (long long t = 1700000000 - 31536000 / 2; t < 1700000000 + 31536000; t += 31536000 / 4 + 7919) {
            time_t at = t;
            struct tm tm;
            show_tm(localtime_r(&at, &tm));
            printf("  back %d\n", mktime(&tm) == at);
        }
        // The hours of a change: what is not there and what is there twice.
        for (int hour = 0; hour < 4; hour++)
            for (int dst = -1; dst <= 1; dst++) {
                struct tm tm = {.tm_year = 124, .tm_mon = 2, .tm_mday = 31, .tm_hour = hour, .tm_min = 30, .tm_isdst = dst},
                    tm2 = {.tm_year = 124, .tm_mon = 10, .tm_mday = 3, .tm_hour = hour, .tm_min = 30, .tm_isdst = dst};
                long long one = mktime(&tm), two = mktime(&tm2);
                printf("%lld %d %lld %d;", one, tm.tm_isdst, two, tm2.tm_isdst);
            }
        putchar('\n');
        time_t t = moments[z % COUNT(moments)];
        show_tm(localtime(&t));
        TEXT(ctime(&t));
    }
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    normalisations();
}

static void formats(void)
{
    static const char conversions[] = "aAbBcCdDeFgGhHIjklmMnpPrRsStTuUvVwWxXyYzZ%+EOf";
    static const struct tm given[] = {
        {.tm_year = 124, .tm_mon = 1, .tm_mday = 29, .tm_hour = 13, .tm_min = 5, .tm_sec = 9, .tm_wday = 4, .tm_yday = 59},
        {.tm_year = 70, .tm_mday = 1, .tm_wday = 4},
        {.tm_year = 110, .tm_mon = 0, .tm_mday = 3, .tm_wday = 0, .tm_yday = 2, .tm_hour = 12},
        {.tm_year = 108, .tm_mon = 11, .tm_mday = 31, .tm_wday = 3, .tm_yday = 365, .tm_sec = 60, .tm_isdst = 1},
        {.tm_year = -1900, .tm_mday = 1, .tm_wday = 6}, {.tm_year = -2000, .tm_mday = 1},
        {.tm_year = 10000, .tm_mon = 5, .tm_mday = 15}, {.tm_wday = 9, .tm_mon = 13, .tm_mday = 45, .tm_hour = 30,
        .tm_isdst = -1}};
    static const char *const modifiers[] = {"", "E", "O", "-", "_", "0", "+5", "10", "^"};
    for (size_t g = 0; g < COUNT(given); g++)
        for (const char *c = conversions; *c; c++) {
            printf("%%%c:", *c);
            for (size_t m = 0; m < COUNT(modifiers); m++) {
                char format[16], text[80] = "";
                snprintf(format, sizeof format, "%%%s%c", modifiers[m], *c);
                size_t n = strftime(text, sizeof text, format, &given[g]);
                printf(" %zu<%s>", n, n ? text : "");
            }
            putchar('\n');
        }
    char text[16];
    for (size_t room = 0; room < 12; room++)
        INT(strftime(text, room, "%Y-%m-%d", &given[0]));
    TEXT(asctime(&given[0]));
}

static void parse(const char *text, const char *format)
{
    struct tm tm = {.tm_year = -1, .tm_mon = -1, .tm_mday = -1, .tm_hour = -1, .tm_min = -1, .tm_sec = -1, .tm_wday = -1,
        .tm_yday = -1};
    const char *end = strptime(text, format, &tm);
    printf("<%s> by <%s> at %td: ", text, format, end ? end - text : -1);
    show_tm(&tm);
}

static void parsing(void)
{
    static const char *const pairs[][2] = {
        {"2024-02-29 13:05:09", "%Y-%m-%d %H:%M:%S"}, {"29/2/24", "%d/%m/%y"}, {"02/29/24", "%D"}, {"13:05", "%R"},
        {"13:05:60", "%T"}, {"01:05:09 PM", "%r"}, {"12 am", "%I %p"}, {"12 PM", "%I %p"},
        {"13 pm", "%I %p"}, {"Thursday", "%A"}, {"thu", "%a"}, {"FEBRUARY 3", "%B %d"}, {"feb", "%h"}, {"March", "%b"},
        {"Xyz", "%b"}, {"060 2024", "%j %Y"}, {"366", "%j"}, {"367", "%j"}, {"20 24", "%C %y"},
        {"99", "%y"}, {"68", "%y"}, {"69", "%y"}, {"1709211909", "%s"}, {"5", "%u"}, {"7", "%w"}, {"53", "%U"}, {"54", "%W"},
        {"  x 7", " x%n%d"}, {"50%", "%M%%"}, {"12", "%H:%M"}, {"24", "%H"}, {"60", "%M"},
        {"61", "%S"}, {"Thu Feb 29 13:05:09 2024", "%c"}, {"13:05:09", "%X"}, {"02/29/24", "%x"}, {"2024-02-29", "%F"},
        {"+12024", "%Y"}, {"-5", "%Y"}, {"7 ", "%e"}, {" 7", "%e"}, {"2024", "%EY"}, {"05", "%Om"},
        {"123", "%2d%1d"}, {"+0100", "%z"}, {"UTC", "%Z"}, {"x", "y"}, {"", "%d"}, {"0", "%m"}, {"32", "%d"}};
    for (size_t i = 0; i < COUNT(pairs); i++)
        parse(pairs[i][0], pairs[i][1]);
    setenv("DATEMSK", "masks", 1);
    FILE *f = fopen("masks", "w");
    fputs("%H:%M\n%Y-%m-%d\n", f);
    fclose(f);
    show_tm(getdate("2024-02-29"));
    INT(getdate("nothing") == NULL);
    INT(getdate_err);
    unlink("masks");
}

int main(void)
{
    extremes();
    normalisations();
    zones();
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    tzset();
    formats();
    parsing();
    printf("%a %a\n", difftime(5, 7), difftime(LLONG_MAX, LLONG_MIN));
    struct timeval a = {5, 900000}, b = {3, 950000}, c;
    timersub(&a, &b, &c);
    printf("%ld %ld %d\n", (long)c.tv_sec, (long)c.tv_usec, timercmp(&a, &b, >));
    return 0;
}
