// What mmap and mprotect refuse, and with which error.
#include "check.h"
#include "probe.h"
#include <sys/mman.h>
#include <sys/syscall.h>

int main(void)
{
    ERR("length 0", mmap(NULL, 0, RW, ANON, -1, 0), EINVAL);
    ERR("no type", mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0), EINVAL);
    ERR("type 0 of a file", mmap(NULL, PAGE, RW, 0, 0, 0), EINVAL);
    ERR("misaligned offset", syscall(SYS_mmap, NULL, PAGE, RW, ANON, -1, 1), EINVAL);
    ERR("length of nearly everything", mmap(NULL, -PAGE, RW, ANON, -1, 0), ENOMEM);
    ERR("length rounds to 0", syscall(SYS_mmap, NULL, -1UL, RW, ANON, -1, 0), ENOMEM);
    ERR("half of everything", mmap(NULL, 1UL << 63, PROT_NONE, ANON | MAP_NORESERVE, -1, 0), ENOMEM);
    ERR("bad descriptor", mmap(NULL, PAGE, RW, MAP_PRIVATE, 999, 0), EBADF);
    ERR("descriptor -1", mmap(NULL, PAGE, RW, MAP_SHARED, -1, 0), EBADF);
    ERR("misaligned offset before bad descriptor", syscall(SYS_mmap, NULL, PAGE, RW, MAP_SHARED, -1, 7), EINVAL);

    int fd = NEED(open("file", O_RDWR | O_CREAT, 0600));
    NEED(ftruncate(fd, 2 * PAGE));
    int ro = NEED(open("file", O_RDONLY));
    int wo = NEED(open("file", O_WRONLY));
    ERR("shared write of a read-only file", mmap(NULL, PAGE, RW, MAP_SHARED, ro, 0), EACCES);
    void *p = mmap(NULL, PAGE, RW, MAP_PRIVATE, ro, 0);
    OK("private write of a read-only file", p);
    munmap(p, PAGE);
    ERR("write-only file", mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, wo, 0), EACCES);
    ERR("write-only file, private", mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, wo, 0), EACCES);
    ERR("offset overflow", syscall(SYS_mmap, NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, -PAGE), EOVERFLOW);
    p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 64 * PAGE);
    OK("offset beyond the end", p);
    EQ("nothing there", readable(p), 0);
    munmap(p, PAGE);

    p = NEED(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, ro, 0));
    ERR("mprotect shared read-only file to write", mprotect(p, PAGE, RW), EACCES);
    EQ("still readable", readable(p), 1);
    munmap(p, PAGE);
    ERR("MAP_SHARED_VALIDATE with an unknown flag", mmap(NULL, PAGE, RW, 3 | 0x400000, fd, 0), EOPNOTSUPP);

    int dir = NEED(open(".", O_RDONLY | O_DIRECTORY));
    ERR("a directory", mmap(NULL, PAGE, PROT_READ, MAP_SHARED, dir, 0), ENODEV);
    int pipes[2];
    NEED(pipe(pipes));
    ERR("a pipe", mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, pipes[0], 0), ENODEV);
    ERR("shared pipe", mmap(NULL, PAGE, PROT_READ, MAP_SHARED, pipes[0], 0), ENODEV);
    int path = NEED(open("file", O_PATH));
    ERR("O_PATH", mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, path, 0), EBADF);

    p = NEED(mmap(NULL, 4 * PAGE, RW, ANON, -1, 0));
    NEED(munmap((char *)p + 2 * PAGE, PAGE));
    ERR("mprotect misaligned", syscall(SYS_mprotect, (char *)p + 1, PAGE, RW), EINVAL);
    OK("mprotect of length 0", mprotect(p, 0, RW));
    ERR("mprotect of nothing", mprotect((char *)p + 2 * PAGE, PAGE, RW), ENOMEM);
    ERR("mprotect over a hole", mprotect(p, 4 * PAGE, PROT_READ), ENOMEM);
    EQ("before the hole it was done", writable(p), 0);
    EQ("behind it not", writable((char *)p + 3 * PAGE), 1);
    ERR("mprotect around the end", mprotect(p, -PAGE, RW), ENOMEM);
    ERR("mprotect with unknown bits", mprotect(p, PAGE, 0x10000000), EINVAL);
    ERR("mprotect kernel half", mprotect((void *)0xffff800000000000, PAGE, RW), ENOMEM);

    p = mmap(NULL, PAGE, RW, MAP_PRIVATE, NEED(open("/dev/zero", O_RDWR)), 0);
    OK("/dev/zero", p);
    EQ("zero and writable", writable(p), 1);
    unlink("file");
    return check_done();
}
