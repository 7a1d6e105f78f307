// Directories, links, renames, the working directory.
#include "check.h"
#include "files.h"
#include <sys/syscall.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#endif

static void make(const char *name, const char *content) { write_file(name, content, strlen(content), 0600); }

static const char *content(const char *name)
{
    static char buf[64];
    return text_of(name, buf, sizeof buf) ? buf : "(none)";
}

static int rename2(const char *from, const char *to, unsigned flags)
{
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static void listing(void)
{
    enum { N = 300 };
    static unsigned char seen[N];
    NEED(mkdir("many", 0700));
    char name[64];
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "many/entry-number-%04d", i);
        if (i % 10 == 0)
            NEED(mkdir(name, 0700));
        else
            make(name, "");
    }
    // A buffer that takes many calls to see everything.
    int fd = NEED(open("many", O_RDONLY | O_DIRECTORY));
    _Alignas(8) char buf[1000];
    int dots = 0, files = 0, dirs = 0, calls = 0, strange = 0;
    long n;
    while ((n = syscall(SYS_getdents64, fd, buf, sizeof buf)) > 0) {
        calls++;
        for (long at = 0; at < n;) {
            struct dirent *e = (struct dirent *)(buf + at);
            int number;
            if (e->d_name[0] == '.')
                dots++;
            else if (sscanf(e->d_name, "entry-number-%d", &number) == 1 && number < N && !seen[number]++)
                *(e->d_type == DT_DIR ? &dirs : &files) += 1;
            else
                strange++;
            at += e->d_reclen;
        }
    }
    EQ("end of directory", n, 0);
    CHECK("many calls", calls > 5);
    EQ("dot and dot-dot", dots, 2);
    EQ("files", files, N - N / 10);
    EQ("directories", dirs, N / 10);
    EQ("nothing else", strange, 0);
    ERR("buffer too small", (lseek(fd, 0, SEEK_SET), syscall(SYS_getdents64, fd, buf, 8)), EINVAL);
    close(fd);

    DIR *d = opendir("many");
    int entries = 0;
    while (readdir(d))
        entries++;
    rewinddir(d);
    EQ("readdir", entries, N + 2);
    CHECK("rewinddir", readdir(d) != NULL);
    closedir(d);
    ERR("rmdir of a full directory", rmdir("many"), ENOTEMPTY);
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "many/entry-number-%04d", i);
        NEED(i % 10 == 0 ? rmdir(name) : unlink(name));
    }
    OK("rmdir of an empty one", rmdir("many"));
}

static void renames(void)
{
    make("x", "xx");
    make("y", "yy");
    OK("rename over", rename("x", "y"));
    STR("content", content("y"), "xx");
    ERR("source gone", access("x", F_OK), ENOENT);
    make("x", "new");
    ERR("RENAME_NOREPLACE", rename2("x", "y", RENAME_NOREPLACE), EEXIST);
    OK("RENAME_EXCHANGE", rename2("x", "y", RENAME_EXCHANGE));
    STR("exchanged", content("x"), "xx");
    STR("both", content("y"), "new");
    ERR("exchange with nothing", rename2("x", "none", RENAME_EXCHANGE), ENOENT);
    ERR("unknown flags", rename2("x", "y", 1 << 20), EINVAL);
    ERR("rename nothing", rename("none", "z"), ENOENT);
    NEED(mkdir("dir", 0700));
    ERR("file over directory", rename("x", "dir"), EISDIR);
    ERR("directory over file", rename("dir", "x"), ENOTDIR);
    ERR("directory into itself", rename("dir", "dir/sub"), EINVAL);
    int d = NEED(open("dir", O_RDONLY));
    OK("renameat", renameat(AT_FDCWD, "x", d, "moved"));
    STR("moved", content("dir/moved"), "xx");
    OK("unlinkat", unlinkat(d, "moved", 0));
    ERR("unlinkat flags", unlinkat(d, "moved", 1), EINVAL);
    ERR("unlink a directory", unlink("dir"), EISDIR);
    ERR("rmdir a file", rmdir("y"), ENOTDIR);
    close(d);
    OK("rmdir", rmdir("dir"));
    unlink("y");
}

static void links(void)
{
    char buf[32];
    struct stat st;
    make("file", "text");
    OK("link", link("file", "hard"));
    NEED(stat("file", &st));
    EQ("two names", st.st_nlink, 2);
    ERR("link over", link("file", "hard"), EEXIST);
    OK("symlink", symlink("file", "soft"));
    memset(buf, 'z', sizeof buf);
    EQ("readlink", readlink("soft", buf, sizeof buf), 4);
    CHECK("not terminated", memcmp(buf, "filez", 5) == 0);
    EQ("readlink cut", readlink("soft", buf, 2), 2);
    ERR("readlink of size 0", syscall(SYS_readlink, "soft", buf, 0), EINVAL);
    ERR("readlink of a file", readlink("file", buf, sizeof buf), EINVAL);
    STR("through it", content("soft"), "text");
    NEED(lstat("soft", &st));
    CHECK("lstat", S_ISLNK(st.st_mode) && st.st_size == 4);
    OK("linkat keeps the link", linkat(AT_FDCWD, "soft", AT_FDCWD, "soft2", 0));
    NEED(lstat("soft2", &st));
    CHECK("still a link", S_ISLNK(st.st_mode));
    OK("linkat follows", linkat(AT_FDCWD, "soft", AT_FDCWD, "hard2", AT_SYMLINK_FOLLOW));
    NEED(lstat("hard2", &st));
    CHECK("a file", S_ISREG(st.st_mode) && st.st_nlink == 3);
    unlink("file");
    ERR("dangling", access("soft", F_OK), ENOENT);
    STR("other name lives", content("hard"), "text");
    OK("mknod fifo", mkfifo("fifo", 0600));
    NEED(stat("fifo", &st));
    CHECK("a fifo", S_ISFIFO(st.st_mode));
    const char *all[] = {"hard", "hard2", "soft", "soft2", "fifo"};
    for (int i = 0; i < 5; i++)
        NEED(unlink(all[i]));
}

static void working_directory(void)
{
    char before[4096], now[4096];
    CHECK("getcwd", getcwd(before, sizeof before) != NULL);
    EQ("raw getcwd counts the zero byte", syscall(SYS_getcwd, now, sizeof now), strlen(before) + 1);
    ERR("getcwd too small", syscall(SYS_getcwd, now, 1), ERANGE);
    NEED(mkdir("sub", 0700));
    int here = NEED(open(".", O_RDONLY));
    OK("chdir", chdir("sub"));
    CHECK("getcwd below", getcwd(now, sizeof now) && strncmp(now, before, strlen(before)) == 0);
    STR("last part", strrchr(now, '/'), "/sub");
    make("f", "1");
    OK("fchdir", fchdir(here));
    CHECK("back", getcwd(now, sizeof now) && strcmp(now, before) == 0);
    OK("made below", unlink("sub/f"));
    ERR("chdir to nothing", chdir("none"), ENOENT);
    make("f", "1");
    ERR("chdir to a file", chdir("f"), ENOTDIR);
    unlink("f");
    NEED(chdir("sub"));
    NEED(rmdir("../sub"));
    ERR("getcwd of a removed directory", syscall(SYS_getcwd, now, sizeof now), ENOENT);
    ERR("create in it", open("f", O_CREAT | O_RDWR, 0600), ENOENT);
    NEED(fchdir(here));
    close(here);
}

int main(void)
{
    listing();
    renames();
    links();
    working_directory();
    return check_done();
}
