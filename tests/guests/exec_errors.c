// exec that fails: the right error each time, and the program goes on as it was, with its other threads, descriptors and
// handlers. A file that is no program must be found out before anything is torn down.
#include "files.h"
#include "tasks.h"
#include <elf.h>
#include <limits.h>
#include <sys/mman.h>

extern char **environ;
static char self[PATH_MAX];
static char *const plain[] = {"x", "run", NULL};
static int alive, handled, cloexec;

static void counts(int n)
{
    (void)n;
    handled++;
}

static void fails(const char *name, const char *path, int want) { ERR(name, execve(path, plain, environ), want); }

static void paths(void)
{
    static char long_name[5000];
    memset(long_name, 'n', sizeof long_name - 1);
    fails("a path too long", long_name, ENAMETOOLONG);
    long_name[300] = 0;
    fails("a name too long", long_name, ENAMETOOLONG);
    fails("nothing there", "./nothing", ENOENT);
    fails("no directory there", "./nothing/x", ENOENT);
    fails("empty path", "", ENOENT);
    write_script("file", "text\n");
    fails("a file on the way", "file/x", ENOTDIR);
    fails("a slash behind", "file/", ENOTDIR);
    fails("a directory", ".", EACCES);
    NEED(symlink("loop", "loop"));
    fails("a loop", "loop", ELOOP);
    NEED(symlink("nowhere", "dangling"));
    fails("a dangling link", "dangling", ENOENT);
    write_file("no x", "#!/bin/sh\n", 10, 0600);
    fails("not executable", "./no x", EACCES);
    NEED(mkfifo("fifo", 0700));
    fails("a fifo", "fifo", EACCES);
    fails("a device", "/dev/null", EACCES);
    int dir = NEED(open(".", O_RDONLY | O_DIRECTORY)), file = NEED(open("file", O_RDONLY));
    NEED(symlink(self, "link"));
    ERR("AT_SYMLINK_NOFOLLOW", syscall(SYS_execveat, dir, "link", plain, environ, AT_SYMLINK_NOFOLLOW), ELOOP);
    ERR("unknown flags", syscall(SYS_execveat, dir, "link", plain, environ, 1), EINVAL);
    ERR("no such descriptor", syscall(SYS_execveat, 999, "link", plain, environ, 0), EBADF);
    ERR("relative to a file", syscall(SYS_execveat, file, "link", plain, environ, 0), ENOTDIR);
    ERR("empty without AT_EMPTY_PATH", syscall(SYS_execveat, file, "", plain, environ, 0), ENOENT);
    ERR("not a program by descriptor", syscall(SYS_execveat, file, "", plain, environ, AT_EMPTY_PATH), ENOEXEC);
    ERR("a directory by descriptor", syscall(SYS_execveat, dir, "", plain, environ, AT_EMPTY_PATH), EACCES);
    close(dir);
    close(file);
}

static void formats(void)
{
    write_script("empty", "");
    fails("empty", "./empty", ENOEXEC);
    fails("text", "./file", ENOEXEC);
    write_script("bare", "#!\n");
    fails("no interpreter named", "./bare", ENOEXEC);
    write_script("blank", "#!   \t \n");
    fails("blanks only", "./blank", ENOEXEC);
    write_script("missing", "#!/no/such/interpreter\n");
    fails("interpreter is not there", "./missing", ENOENT);
    write_script("directory", "#!/\n");
    fails("interpreter is a directory", "./directory", EACCES);
    write_script("texts", "#!./file\n");
    fails("interpreter is text", "./texts", ENOEXEC);
    write_script("itself", "#!./itself\n");
    fails("its own interpreter", "./itself", ELOOP);

    _Alignas(8) char image[256] = "\177ELF";
    fails("of an ELF only", (write_file("elf", image, 4, 0700), "./elf"), ENOEXEC);
    Elf64_Ehdr *elf = (Elf64_Ehdr *)image;
    memcpy(elf->e_ident, "\177ELF\2\1\1", 7);
    elf->e_type = ET_EXEC;
    elf->e_machine = EM_AARCH64;
    elf->e_version = 1;
    elf->e_phoff = sizeof *elf;
    elf->e_phentsize = sizeof(Elf64_Phdr);
    elf->e_phnum = 1;
    elf->e_ehsize = sizeof *elf;
    Elf64_Phdr *header = (Elf64_Phdr *)(elf + 1);
    *header = (Elf64_Phdr){.p_type = PT_INTERP, .p_offset = 128, .p_filesz = 20, .p_memsz = 20};
    strcpy(image + 128, "/no/such/interp.so.");
    fails("another machine", (write_file("elf", image, sizeof image, 0700), "./elf"), ENOEXEC);
    elf->e_machine = EM_X86_64;
    fails("its interpreter is not there", (write_file("elf", image, sizeof image, 0700), "./elf"), ENOENT);
    elf->e_type = ET_REL;
    fails("an object file", (write_file("elf", image, sizeof image, 0700), "./elf"), ENOEXEC);
    elf->e_type = ET_EXEC;
    elf->e_phentsize = 7;
    fails("odd program headers", (write_file("elf", image, sizeof image, 0700), "./elf"), ENOEXEC);
}

static void arguments(void)
{
    static char longest[131073], *many[64];
    char *nowhere = NEED(mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    char *bad[] = {"x", nowhere, NULL};
    memset(longest, 'a', sizeof longest - 1);
    char *one[] = {"x", longest, NULL}, *none[] = {NULL};
    ERR("one string of 128 KiB", execve(self, one, environ), E2BIG);
    ERR("in the environment", execve(self, plain, one), E2BIG);
    longest[130000] = 0;
    for (int i = 0; i < 63; i++)
        many[i] = longest;
    ERR("all together", execve(self, many, none), E2BIG);
    ERR("with the environment", execve(self, (many[10] = NULL, many), many + 11), E2BIG);
    ERR("path from nowhere", syscall(SYS_execve, nowhere, plain, environ), EFAULT);
    ERR("path from page zero", syscall(SYS_execve, 8, plain, environ), EFAULT);
    ERR("argv from nowhere", syscall(SYS_execve, self, nowhere, environ), EFAULT);
    ERR("envp from nowhere", syscall(SYS_execve, self, plain, nowhere), EFAULT);
    ERR("an argument from nowhere", syscall(SYS_execve, self, bad, environ), EFAULT);
    ERR("a variable from nowhere", syscall(SYS_execve, self, plain, bad), EFAULT);
    ERR("kernel's memory", syscall(SYS_execve, self, 0xffff800000000000, environ), EFAULT);
}

/* Some kernels let a file be run that is open for writing. */
static int busy(void)
{
    copy_file(self, "copy", 0700);
    execv("./copy", plain);
    return errno == ETXTBSY ? 3 : 4;
}

static int fits(void)
{
    static char string[100001], *argv[13] = {"x", "fits"};
    memset(string, 'b', 100000);
    for (int i = 2; i < 12; i++)
        argv[i] = string;
    return execv(self, argv);
}

static void *lives(void *arg)
{
    while (__atomic_load_n(&alive, __ATOMIC_SEQ_CST))
        pause_ms(1);
    return arg;
}

int main(int argc, char **argv)
{
    if (argc > 1 && !strcmp(argv[1], "fits"))
        return argc == 12 && strlen(argv[2]) == 100000 && strspn(argv[11], "b") == 100000 ? 8 : 9;
    if (argc > 1)
        return 3;
    tasks_begin();
    NEED(readlink("/proc/self/exe", self, sizeof self - 1));
    NEED(setrlimit(RLIMIT_STACK, &(struct rlimit){8 << 20, RLIM_INFINITY}) == -1 &&
         setrlimit(RLIMIT_STACK, &(struct rlimit){8 << 20, 8 << 20}));
    handle(SIGUSR1, counts, 0);
    cloexec = NEED(open("/dev/null", O_RDONLY | O_CLOEXEC));
    alive = 1;
    pid_t pid = getpid();
    pthread_t t = thread(lives, &alive);
    paths();
    formats();
    arguments();
    alive = 0;
    EQ("the other thread lived on", join(t), &alive);
    EQ("close-on-exec descriptor is open", fcntl(cloexec, F_GETFD), FD_CLOEXEC);
    raise(SIGUSR1);
    EQ("handler", handled, 1);
    EQ("process", getpid(), pid);
    EQ("open for writing", child_end(busy), 3);
    EQ("a megabyte of arguments arrives", child_end(fits), 8);
    static const char *const files[] = {"file", "loop", "dangling", "no x", "fifo", "link", "empty", "bare", "blank", "missing",
                                        "directory", "texts", "itself", "elf", "copy"};
    for (int i = 0; i < 15; i++)
        unlink(files[i]);
    return check_done();
}
