// Files by the library: walks over trees, lists of directories, paths, temporary names, and the calls that musl puts together
// itself.
// km-test: links=static-musl,dynamic-musl,static-kontain,dynamic-kontain
// km-test: truth=static-musl
#include "libc.h"
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <mntent.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <utime.h>

static char lines[64][80];
static size_t count;
static int stop_at;

// The order in a directory is the file system's: lines are sorted before they are printed.
static int by_text(const void *a, const void *b) { return strcmp(a, b); }
static void show_lines(const char *what, int result)
{
    printf("%s: %d, %zu\n", what, result, count);
    if (!stop_at)
        qsort(lines, count, sizeof *lines, by_text);
    for (size_t i = 0; i < count && !stop_at; i++)
        printf("  %s\n", lines[i]);
    count = 0;
}

static int seen(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    snprintf(lines[count++], sizeof *lines, "%s kind %d level %d name %s size %ld", path, kind, at->level, path + at->base,
        kind == FTW_F ? (long)st->st_size : 0L);
    return stop_at && count == 2 ? stop_at : 0;
}
static int seen_by_ftw(const char *path, const struct stat *st, int kind)
{
    snprintf(lines[count++], sizeof *lines, "%s kind %d regular %d", path, kind, !!S_ISREG(st->st_mode));
    return 0;
}

// In what order it comes, relative to what is below it.
static int below;
static int ordered(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)at;
    below += strcmp(path, "tree/a/b") == 0 || strcmp(path, "tree/a/b/c") == 0 ? 1 : 0;
    if (strcmp(path, "tree") == 0 || strcmp(path, "tree/a") == 0)
        printf("%s kind %d, %d seen below\n", path, kind, below);
    return 0;
}

static void walks(void)
{
    static const char *const directories[] = {"tree", "tree/a", "tree/a/b", "tree/a/b/c", "tree/empty"};
    for (size_t i = 0; i < COUNT(directories); i++)
        mkdir(directories[i], 0755);
    static const char *const files[] = {"tree/one", "tree/a/two", "tree/a/b/three", "tree/a/b/c/four", "tree/.hidden"};
    for (size_t i = 0; i < COUNT(files); i++) {
        int fd = open(files[i], O_WRONLY | O_CREAT, 0644);
        write(fd, files[i], i * 2);
        close(fd);
    }
    symlink("one", "tree/link");
    symlink("none", "tree/dangling");
    symlink("..", "tree/a/up");
    static const int flags[] = {0, FTW_PHYS, FTW_DEPTH, FTW_PHYS | FTW_DEPTH, FTW_PHYS | FTW_MOUNT};
    for (size_t i = 0; i < COUNT(flags); i++)
        for (int open_files = 1; open_files < 6; open_files += 4) {
            char what[32];
            snprintf(what, sizeof what, "nftw %d with %d", flags[i], open_files);
            // A walk that follows links goes round in a circle, but for the check that it must not.
            if (!(flags[i] & FTW_PHYS))
                unlink("tree/a/up");
            show_lines(what, nftw("tree", seen, open_files, flags[i]));
            below = 0;
            nftw("tree", ordered, open_files, flags[i] | FTW_PHYS);
        }
    show_lines("ftw", ftw("tree", seen_by_ftw, 4));
    stop_at = 42;
    show_lines("stopped", nftw("tree", seen, 4, FTW_PHYS));
    stop_at = 0;
    INT(nftw("none", seen, 4, 0));
    show_lines("none", 0);
}

static int not_hidden(const struct dirent *d) { return d->d_name[0] != '.'; }
static int backwards(const struct dirent **a, const struct dirent **b) { return -alphasort(a, b); }

static void directories(void)
{
    struct dirent **list;
    int n = scandir("tree", &list, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        printf("%s %d %d ", list[i]->d_name, list[i]->d_type == DT_DIR, list[i]->d_type == DT_LNK);
        free(list[i]);
    }
    free(list);
    INT(n);
    n = scandir("tree", &list, not_hidden, backwards);
    for (int i = 0; i < n; i++) {
        printf("%s ", list[i]->d_name);
        free(list[i]);
    }
    free(list);
    INT(n);
    for (int i = 0; i < 12; i++) {
        char name[32];
        snprintf(name, sizeof name, "tree/empty/v%d.%d", i, i * 3);
        close(open(name, O_WRONLY | O_CREAT, 0644));
    }
    n = scandir("tree/empty", &list, not_hidden, versionsort);
    for (int i = 0; i < n; i++) {
        printf("%s ", list[i]->d_name);
        free(list[i]);
    }
    free(list);
    INT(n);
    INT(scandir("none", &list, NULL, NULL));
    DIR *d = opendir("tree/empty");
    long places[20];
    char first[20][32];
    struct dirent *e;
    for (n = 0; places[n] = telldir(d), (e = readdir(d)); n++)
        snprintf(first[n], sizeof first[n], "%.31s", e->d_name);
    int wrong = 0;
    for (int i = n - 1; i >= 0; i--) {
        seekdir(d, places[i]);
        e = readdir(d);
        wrong += !e || strcmp(e->d_name, first[i]) != 0;
    }
    printf("%d entries, %d wrong\n", n, wrong);
    rewinddir(d);
    e = readdir(d);
    INT(strcmp(e->d_name, first[0]));
    INT(dirfd(d) > 2);
    INT(closedir(d));
    INT(opendir("tree/one") == NULL);
    int fd = open("tree", O_RDONLY);
    d = fdopendir(fd);
    INT(d != NULL);
    closedir(d);
    INT(close(fd));
    fd = open("tree/one", O_RDONLY);
    INT(fdopendir(fd) == NULL);
    close(fd);
}

static void paths(void)
{
    char here[4096], text[4096];
    getcwd(here, sizeof here);
    size_t n = strlen(here);
    static const char *const names[] = {"tree", "./tree//a/../one", "tree/link", "tree/a/b/c/../../..", "tree/none",
        "tree/one/x", "tree/dangling", "", "/", "/..", "/dev/./null", "tree/a/b/c/four"};
    for (size_t i = 0; i < COUNT(names); i++) {
        errno = 0;
        char *r = realpath(names[i], text);
        printf("%s -> %s%s", names[i], r && strncmp(r, here, n) == 0 ? "here" : "", r ? r + (strncmp(r, here,
            n) == 0 ? n : 0) : "NULL");
        show_error(r ? 0 : errno);
    }
    symlink("loop", "loop");
    INT(realpath("loop", NULL) == NULL);
    unlink("loop");
    INT(getcwd(text, 2) == NULL);
    INT(getcwd(text, 0) == NULL);
    char *dynamic = getcwd(NULL, 0);
    INT(strcmp(dynamic, here));
    free(dynamic);
    dynamic = get_current_dir_name();
    INT(strcmp(dynamic, here));
    free(dynamic);
    static const char *const templates[] = {"t-XXXXXX", "t-XXXXX", "XXXXXXt", "none/XXXXXX", ""};
    for (size_t i = 0; i < COUNT(templates); i++) {
        char name[32];
        strcpy(name, templates[i]);
        errno = 0;
        int fd = mkstemp(name), error = errno;
        struct stat st = {0};
        if (fd >= 0)
            fstat(fd, &st);
        printf("mkstemp %s: %d error %d mode %o", templates[i], fd >= 0, fd < 0 ? error : 0, st.st_mode);
        unlink(name);
        strcpy(name, templates[i]);
        errno = 0;
        printf(" mkdtemp %d error %d\n", mkdtemp(name) != NULL, errno == EINVAL || errno == ENOENT ? errno : 0);
        if (*name)
            rmdir(name);
        close(fd);
    }
    char name[] = "XXXXXX.end";
    int fd = mkostemps(name, 4, O_CLOEXEC);
    INT(fd > 0);
    TEXT(name + 6);
    INT(fcntl(fd, F_GETFD));
    unlink(name);

    INT(posix_fallocate(fd, 0, 5000));
    INT(lseek(fd, 0, SEEK_END));
    INT(posix_fallocate(-1, 0, 1));
    INT(posix_fadvise(fd, 0, 0, 99));
    INT(lockf(fd, F_TLOCK, 10));
    INT(lockf(fd, 99, 10));
    INT(futimens(fd, (struct timespec[]){{1000, 5}, {2000, 7}}));
    struct stat st;
    fstat(fd, &st);
    printf("%ld.%ld %ld.%ld\n", (long)st.st_atim.tv_sec, st.st_atim.tv_nsec, (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    INT(futimes(fd, (struct timeval[]){{3000, 1000000}, {0, 0}}));
    INT(isatty(fd));
    INT(ttyname(fd) == NULL);
    close(fd);
    INT(utime("tree/one", &(struct utimbuf){5, 6}));
    stat("tree/one", &st);
    INT(st.st_atime * 10 + st.st_mtime);
    INT(fchmodat(AT_FDCWD, "tree/one", 0600, AT_SYMLINK_NOFOLLOW));
    INT(fchmodat(AT_FDCWD, "tree/link", 0600, AT_SYMLINK_NOFOLLOW));
    INT(faccessat(AT_FDCWD, "tree/one", R_OK, AT_EACCESS));
    INT(faccessat(AT_FDCWD, "tree/one", 99, 0));
    INT(mkfifo("tree/fifo", 0644));
    INT(eaccess("tree/none", R_OK));
    INT(lchown("tree/link", (uid_t)-1, (gid_t)-1));
    INT(pathconf(".", _PC_NAME_MAX));
    INT(pathconf(".", 999));
    INT(fpathconf(0, _PC_PIPE_BUF));
    static const int names_of_sysconf[] = {_SC_ARG_MAX, _SC_CLK_TCK, _SC_PAGESIZE, _SC_IOV_MAX, _SC_HOST_NAME_MAX,
        _SC_LINE_MAX, _SC_VERSION, _SC_XOPEN_VERSION, _SC_THREAD_STACK_MIN, _SC_GETPW_R_SIZE_MAX, _SC_SEM_VALUE_MAX, 9999};
    for (size_t i = 0; i < COUNT(names_of_sysconf); i++)
        INT(sysconf(names_of_sysconf[i]));
    INT(confstr(_CS_PATH, text, sizeof text));
    TEXT(text);
    INT(confstr(999, text, 1));
    struct statvfs vfs;
    INT(statvfs(".", &vfs));
    INT(statvfs("none", &vfs));
    FILE *f = fopen("mounts", "w+");
    fputs("dev /mnt\\040x type rw,user=5 1 2\n# comment\n\nother /dir none ro 0 0\nshort line\n", f);
    rewind(f);
    struct mntent *m;
    while ((m = getmntent(f)))
        printf("%s %s %s %s %d %d, option %d\n", m->mnt_fsname, m->mnt_dir, m->mnt_type, m->mnt_opts, m->mnt_freq,
            m->mnt_passno, hasmntopt(m, "user") != NULL);
    fclose(f);
    unlink("mounts");
}

static int erased(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

int main(void)
{
    umask(022);
    walks();
    directories();
    paths();
    INT(nftw("tree", erased, 8, FTW_DEPTH | FTW_PHYS));
    INT(access("tree", F_OK));
    return 0;
}
