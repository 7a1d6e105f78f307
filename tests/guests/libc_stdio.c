// Streams: buffering, pushing back, positions, modes, streams over memory and over functions, wide ones.
// km-test: links=static-musl,dynamic-musl,static-kontain,dynamic-kontain
// km-test: truth=static-musl
#include "libc.h"
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdio_ext.h>
#include <sys/stat.h>
#include <wchar.h>

static off_t size_of(const char *name)
{
    struct stat st;
    return stat(name, &st) == 0 ? st.st_size : -1;
}

static void show_file(const char *name)
{
    char text[4096];
    FILE *f = fopen(name, "r");
    size_t n = f ? fread(text, 1, sizeof text, f) : 0;
    if (f)
        fclose(f);
    printf("%s holds ", name);
    show_bytes(text, n < 200 ? n : 200);
    printf(" %zu %08x\n", n, sum_bytes(SUM, text, n));
}

// When what is written arrives in the file tells of the buffer.
static void buffers(void)
{
    static const struct { int mode; size_t size; const char *name; } kinds[] = {
        {_IONBF, 0, "none"}, {_IOLBF, 64, "line"}, {_IOFBF, 64, "full"}, {_IOFBF, 4096, "large"}, {_IOLBF, 1, "tiny"}};
    for (size_t k = 0; k < COUNT(kinds); k++) {
        static char room[4096];
        FILE *f = fopen("buffered", "w");
        printf("%s: setvbuf %d\n", kinds[k].name, setvbuf(f, room, kinds[k].mode, kinds[k].size));
        static const char *const parts[] = {"a", "line\n", "two\nlines and", " more", "\n"};
        for (size_t p = 0; p < COUNT(parts); p++) {
            int n = fputs(parts[p], f);
            printf("%d %ld in the file, %ld told, %zu pending\n", n, (long)size_of("buffered"), ftell(f), __fpending(f));
        }
        for (int i = 0; i < 100; i++)
            fputc('x', f);
        printf("%ld after a hundred, size %zu, line buffered %d\n", (long)size_of("buffered"), __fbufsize(f), !!__flbf(f));
        INT(fflush(f));
        printf("%ld flushed\n", (long)size_of("buffered"));
        INT(fclose(f));
        show_file("buffered");
    }
    FILE *f = fopen("buffered", "w");
    fputs("lost", f);
    __fpurge(f);
    fputs("kept", f);
    INT(__fwriting(f));
    INT(__fwritable(f));
    INT(__freadable(f));
    INT(__freading(f));
    fclose(f);
    show_file("buffered");
    // More than any buffer, in pieces of all lengths.
    f = fopen("buffered", "w+");
    uint32_t wrote = SUM, read = SUM;
    char piece[3000];
    for (int i = 0; i < 60; i++) {
        size_t n = next_random() % sizeof piece;
        for (size_t j = 0; j < n; j++)
            piece[j] = (char)next_random();
        wrote = sum_bytes(wrote, piece, n);
        if (fwrite(piece, 1, n, f) != n)
            puts("short");
    }
    rewind(f);
    size_t n;
    while ((n = fread(piece, 1, 1 + next_random() % (sizeof piece - 1), f)) > 0)
        read = sum_bytes(read, piece, n);
    printf("written %08x, read %08x, at %ld, eof %d\n", wrote, read, ftell(f), feof(f));
    fclose(f);
    unlink("buffered");
}

static void modes(void)
{
    static const char *const modes[] = {"r", "w", "a", "r+", "w+", "a+", "wx", "w+x", "rb", "ab", "re", "rw", "", "q", "+r"};
    for (size_t m = 0; m < COUNT(modes); m++) {
        FILE *f = fopen("mode", "w");
        fputs("0123456789", f);
        fclose(f);
        errno = 0;
        f = fopen("mode", modes[m]);
        printf("%s: ", modes[m]);
        if (!f) {
            show_error(errno);
            continue;
        }
        int fl = fcntl(fileno(f), F_GETFL), fd = fcntl(fileno(f), F_GETFD);
        printf("access %o, append %d, cloexec %d, at %ld;", (unsigned)fl & O_ACCMODE, !!(fl & O_APPEND), fd, ftell(f));
        errno = 0;
        printf(" get %d error %d", fgetc(f), errno);
        printf(" seek %d", fseek(f, 3, SEEK_SET));
        errno = 0;
        printf(" put %d error %d", fputs("XY", f), errno);
        int flushed = fflush(f);
        printf(" flush %d at %ld ferror %d\n", flushed, ftell(f), ferror(f));
        fclose(f);
        show_file("mode");
    }
    FILE *f = fopen("mode", "r");
    INT(fputc('x', f));
    INT(ferror(f));
    clearerr(f);
    INT(ferror(f));
    f = freopen("mode", "a", f);
    INT(fputs("+", f));
    f = freopen(NULL, "r", f);
    INT(fgetc(f));
    fclose(f);
    INT(fopen("none/none", "w") == NULL);
    INT(fdopen(99, "r") == NULL);
    INT(fdopen(0, "z") == NULL);
    int fd = open("mode", O_RDWR);
    f = fdopen(fd, "a+");
    INT(fcntl(fd, F_GETFL) & O_APPEND);
    fclose(f);
    INT(close(fd));
    unlink("mode");
}

static void positions(void)
{
    FILE *f = fopen("seek", "w+");
    fputs("0123456789", f);
    INT(fseek(f, 4, SEEK_SET));
    INT(fgetc(f));
    INT(ungetc('X', f));
    INT(ftell(f));
    INT(ungetc('Y', f));
    INT(fgetc(f));
    INT(fgetc(f));
    INT(fgetc(f));
    ungetc('Z', f);
    INT(fseek(f, 0, SEEK_CUR));
    INT(fgetc(f));
    INT(fseek(f, -1, SEEK_SET));
    INT(fseek(f, 0, 99));
    INT(fseek(f, 5, SEEK_END));
    INT(feof(f));
    INT(fputs("far", f));
    INT(ftello(f));
    fpos_t here;
    INT(fgetpos(f, &here));
    rewind(f);
    INT(ftell(f));
    INT(fsetpos(f, &here));
    INT(ftell(f));
    INT(fgetc(f));
    INT(feof(f));
    INT(ungetc('q', f));
    INT(feof(f));
    INT(fgetc(f));
    INT(ungetc(EOF, f));
    fseek(f, 0, SEEK_SET);
    // As many as are guaranteed and more.
    int pushed = 0;
    while (pushed < 100 && ungetc('a' + pushed % 26, f) != EOF)
        pushed++;
    printf("%d pushed back, at %ld\n", pushed, ftell(f));
    char text[32];
    TEXT(fgets(text, sizeof text, f));
    INT(getw(f));
    INT(putw(0x41424344, f));
    fclose(f);
    show_file("seek");
    unlink("seek");
    int pipes[2];
    pipe(pipes);
    f = fdopen(pipes[0], "r");
    INT(ftell(f));
    INT(fseek(f, 0, SEEK_SET));
    write(pipes[1], "line\n\0x\nend", 11);
    close(pipes[1]);
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    while ((n = getline(&line, &room, f)) >= 0)
        BYTES(line, (size_t)n);
    INT(getline(&line, &room, f));
    INT(getline(NULL, &room, f));
    free(line);
    fclose(f);
}

static void memory(void)
{
    static const char *const modes[] = {"r", "w", "a", "r+", "w+", "a+", "rb", "x"};
    for (size_t m = 0; m < COUNT(modes); m++) {
        char room[17] = "0123456789";
        errno = 0;
        FILE *f = fmemopen(room, 16, modes[m]);
        printf("%s: ", modes[m]);
        if (!f) {
            show_error(errno);
            continue;
        }
        printf("at %ld,", ftell(f));
        printf(" get %d,", fgetc(f));
        printf(" seek %d,", fseek(f, 0, SEEK_END));
        printf(" end %ld,", ftell(f));
        printf(" put %d,", fputs("abcdefghij", f));
        errno = 0;
        int flushed = fflush(f);
        printf(" flush %d error %d, ferror %d,", flushed, errno, ferror(f));
        printf(" seek past %d,", fseek(f, 17, SEEK_SET));
        printf(" at %ld\n", ftell(f));
        fclose(f);
        BYTES(room, 17);
    }
    INT(fmemopen(NULL, 0, "w+") == NULL);
    FILE *f = fmemopen(NULL, 32, "w+");
    fputs("in memory of its own", f);
    rewind(f);
    char text[40];
    TEXT(fgets(text, sizeof text, f));
    fclose(f);

    char *made = NULL;
    size_t size = 99;
    f = open_memstream(&made, &size);
    fflush(f);
    printf("%zu ", size);
    BYTES(made, 1);
    fputs("hello", f);
    INT(fseek(f, 10, SEEK_SET));
    fputs("far", f);
    fflush(f);
    BYTES(made, size + 1);
    INT(fseek(f, 2, SEEK_SET));
    fputs("XX", f);
    fflush(f);
    printf("%zu\n", size);
    BYTES(made, size + 1);
    fseek(f, 0, SEEK_END);
    for (int i = 0; i < 20000; i++)
        fprintf(f, "%d,", i);
    fclose(f);
    printf("%zu %08x\n", size, sum_bytes(SUM, made, size));
    free(made);
    wchar_t *wide = NULL;
    f = open_wmemstream(&wide, &size);
    INT(fwide(f, 0) > 0);
    INT(fwprintf(f, L"%d %ls", 7, L"wide"));
    INT(fputwc(0x20ac, f));
    fclose(f);
    printf("%zu %08x\n", size, sum_bytes(SUM, wide, size * sizeof *wide));
    free(wide);
}

static ssize_t cookie_read(void *cookie, char *at, size_t n)
{
    int *left = cookie;
    printf("  read of %zu\n", n);
    if (*left == 0)
        return 0;
    --*left;
    memcpy(at, "from cookie\n", 12);
    return 12;
}
static ssize_t cookie_write(void *cookie, const char *at, size_t n)
{
    (void)cookie;
    printf("  write of ");
    show_bytes(at, n < 40 ? n : 40);
    printf(" %zu\n", n);
    return (ssize_t)n;
}
static int cookie_seek(void *cookie, off_t *at, int whence)
{
    (void)cookie;
    printf("  seek %d by %ld\n", whence, (long)*at);
    if (*at == 13) {
        errno = EXDEV;
        return -1;
    }
    return 0;
}
static int cookie_close(void *cookie)
{
    printf("  close with %d\n", *(int *)cookie);
    return 7;
}

static void cookies(void)
{
    int left = 2;
    char text[32];
    FILE *f = fopencookie(&left, "r+", (cookie_io_functions_t){cookie_read, cookie_write, cookie_seek, cookie_close});
    TEXT(fgets(text, sizeof text, f));
    INT(fseek(f, 5, SEEK_SET));
    INT(fseek(f, 13, SEEK_SET));
    TEXT(fgets(text, sizeof text, f));
    INT(fflush(f));
    INT(fputs("to cookie", f));
    INT(ftell(f));
    INT(fflush(f));
    TEXT(fgets(text, sizeof text, f));
    INT(feof(f));
    INT(fclose(f));
    f = fopencookie(&left, "r", (cookie_io_functions_t){0});
    INT(fgetc(f));
    INT(fseek(f, 0, SEEK_SET));
    INT(fclose(f));
}

static void wide_streams(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    FILE *f = fopen("wide", "w+");
    INT(fwide(f, 0));
    INT(fputws(L"\u00e4\u20ac\U0001f600 line\nnext", f));
    INT(fwide(f, -1) > 0);
    INT(fputwc(0x110000, f));
    INT(ferror(f));
    clearerr(f);
    INT(fwprintf(f, L"%lc%s%5.1f", (wint_t)0x3b1, "\xce\xb2", 2.5));
    rewind(f);
    wchar_t text[32];
    INT(fgetws(text, 32, f) != NULL);
    INT(wcslen(text));
    INT(fgetwc(f));
    INT(ungetwc(0x20ac, f));
    INT(ftell(f));
    INT(getwc(f));
    INT(fwscanf(f, L"%l[a-z]%lc", text, text + 8));
    INT(text[8]);
    INT(fgetwc(f) == WEOF);
    fclose(f);
    show_file("wide");
    f = fopen("wide", "w");
    fputs("ok\xff\xc3", f);
    fclose(f);
    f = fopen("wide", "r");
    for (int i = 0; i < 5; i++)
        INT(fgetwc(f));
    INT(ferror(f));
    INT(feof(f));
    fclose(f);
    setlocale(LC_CTYPE, "C");
    f = fopen("wide", "r");
    for (int i = 0; i < 5; i++)
        INT(fgetwc(f));
    INT(fputwc(0xdfff, f));
    fclose(f);
    unlink("wide");
}

static void others(void)
{
    char text[32];
    FILE *f = fopen("other", "w+");
    INT(fputs("a:b::last", f));
    rewind(f);
    char *part = NULL;
    size_t room = 0;
    ssize_t n;
    while ((n = getdelim(&part, &room, ':', f)) >= 0)
        BYTES(part, (size_t)n);
    free(part);
    rewind(f);
    TEXT(fgets(text, 1, f));
    TEXT(fgets(text, 2, f));
    INT(fread(text, 3, 4, f));
    INT(fread(text, 0, 4, f));
    INT(fwrite(text, 0, 4, f));
    size_t length = 0;
    rewind(f);
    char *line = fgetln(f, &length);
    BYTES(line, length);
    flockfile(f);
    INT(ftrylockfile(f));
    funlockfile(f);
    funlockfile(f);
    INT(fileno(f) > 2);
    INT(fclose(f));
    INT(rename("other", "moved"));
    INT(remove("other"));
    INT(remove("moved"));
    INT(remove("."));
    f = tmpfile();
    INT(fputs("x", f));
    fclose(f);
    // The error of a device that is full.
    f = fopen("/dev/full", "w");
    if (f) {
        INT(fputs("x", f));
        INT(fflush(f));
        INT(ferror(f));
        fclose(f);
    }
    errno = ENOENT;
    fflush(stdout);
    perror("perror");
    perror("");
    errno = 5555;
    perror("unknown");
    psignal(11, "psignal");
    char big[3000];
    memset(big, 'b', sizeof big - 1);
    big[sizeof big - 1] = 0;
    INT(fprintf(stderr, "%.10s\n", big));
}

int main(void)
{
    buffers();
    modes();
    positions();
    memory();
    cookies();
    wide_streams();
    others();
    return 0;
}
