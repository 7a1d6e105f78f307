// madvise with its visible effects, and memory locking.
#include "check.h"
#include "probe.h"
#include <sys/syscall.h>

#ifndef MADV_FREE
#define MADV_FREE 8
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

static void discard(void)
{
    unsigned char *p = private_pages(8 * PAGE);
    memset(p, 7, 8 * PAGE);
    OK("DONTNEED", madvise(p + 2 * PAGE, 3 * PAGE, MADV_DONTNEED));
    CHECK("zeroes", all_bytes(p + 2 * PAGE, 3 * PAGE, 0));
    CHECK("before and behind kept", all_bytes(p, 2 * PAGE, 7) && all_bytes(p + 5 * PAGE, 3 * PAGE, 7));
    memset(p, 8, 8 * PAGE);
    OK("DONTNEED, odd length", madvise(p, 1, MADV_DONTNEED));
    EQ("rounded up", p[PAGE - 1], 0);
    EQ("not further", p[PAGE], 8);
    memset(p, 9, 8 * PAGE);
    OK("FREE", madvise(p, 8 * PAGE, MADV_FREE));
    int old_or_zero = 1;
    for (int i = 0; i < 8; i++)
        old_or_zero &= p[i * PAGE] == 9 || p[i * PAGE] == 0;
    CHECK("old or zero", old_or_zero);
    memset(p, 10, 8 * PAGE);
    CHECK("written again, it stays", all_bytes(p, 8 * PAGE, 10));
    NEED(mprotect(p, PAGE, PROT_READ));
    OK("DONTNEED of a read-only page", madvise(p, PAGE, MADV_DONTNEED));
    EQ("zero as well", p[0], 0);
    NEED(mprotect(p, PAGE, PROT_NONE));
    OK("DONTNEED of a closed page", madvise(p, PAGE, MADV_DONTNEED));
    NEED(munmap(p, 8 * PAGE));

    // In a private file mapping the file's content comes back.
    int fd = NEED(open("file", O_RDWR | O_CREAT, 0600));
    unsigned char page[PAGE];
    memset(page, 1, sizeof page);
    NEED(write(fd, page, sizeof page));
    p = NEED(mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0));
    p[0] = 2;
    OK("DONTNEED of a private copy", madvise(p, PAGE, MADV_DONTNEED));
    EQ("file content again", p[0], 1);
    ERR("FREE of a file mapping", madvise(p, PAGE, MADV_FREE), EINVAL);
    close(fd);
    unlink("file");
    // A large area thrown away and used again, as collectors do.
    size_t size = 8 << 20;
    p = private_pages(size);
    int wrong = 0;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < size; i += 16 * PAGE) {
            wrong += p[i] != 0;
            p[i] = 1;
        }
        NEED(madvise(p, size, MADV_DONTNEED));
    }
    EQ("again and again", wrong, 0);
    NEED(munmap(p, size));
}

static void advice(void)
{
    char *p = private_pages(4 * PAGE);
    static const int harmless[] = {MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTFORK,
                                   MADV_DOFORK, MADV_DONTDUMP, MADV_DODUMP, 20 /* COLD */, 21 /* PAGEOUT */};
    p[0] = 5;
    int failed = 0;
    for (unsigned i = 0; i < sizeof harmless / sizeof *harmless; i++)
        failed += madvise(p, 4 * PAGE, harmless[i]) != 0;
    EQ("harmless advice", failed, 0);
    EQ("content kept", p[0], 5);
    OK("huge pages or EINVAL", madvise(p, 4 * PAGE, MADV_HUGEPAGE) == -1 && errno != EINVAL ? -1 : 0);
    OK("no huge pages or EINVAL", madvise(p, 4 * PAGE, MADV_NOHUGEPAGE) == -1 && errno != EINVAL ? -1 : 0);
    OK("POPULATE_WRITE", madvise(p, 4 * PAGE, MADV_POPULATE_WRITE));
    unsigned char vec[4];
    NEED(mincore(p, 4 * PAGE, vec));
    EQ("all there", vec[0] & vec[1] & vec[2] & vec[3] & 1, 1);
    OK("POPULATE_READ", madvise(p, 4 * PAGE, MADV_POPULATE_READ));
    ERR("unknown advice", madvise(p, PAGE, 9999), EINVAL);
    ERR("misaligned", madvise(p + 1, PAGE, MADV_NORMAL), EINVAL);
    OK("length 0", madvise(p, 0, MADV_DONTNEED));
    ERR("length overflow", madvise(p, -1UL, MADV_NORMAL), EINVAL);
    NEED(munmap(p + PAGE, PAGE));
    p[2 * PAGE] = 6;
    ERR("over a hole", madvise(p, 4 * PAGE, MADV_DONTNEED), ENOMEM);
    EQ("but done on both sides", p[0] + p[2 * PAGE], 0);
    ERR("unmapped", madvise(p + PAGE, PAGE, MADV_WILLNEED), ENOMEM);
    NEED(munmap(p, 4 * PAGE));
}

static void locking(void)
{
    char *p = private_pages(16 * PAGE);
    OK("mlock", mlock(p + 1, 4 * PAGE));
    unsigned char vec[16];
    NEED(mincore(p, 4 * PAGE, vec));
    EQ("resident", vec[0] & vec[1] & vec[2] & vec[3] & 1, 1);
    ERR("DONTNEED of locked memory", madvise(p, PAGE, MADV_DONTNEED), EINVAL);
    OK("munlock", munlock(p, 5 * PAGE));
    OK("DONTNEED of unlocked memory", madvise(p, PAGE, MADV_DONTNEED));
    OK("mlock2 on fault", syscall(SYS_mlock2, p, 4 * PAGE, 1));
    ERR("mlock2 unknown flag", syscall(SYS_mlock2, p, PAGE, 8), EINVAL);
    OK("length 0", mlock(p, 0));
    NEED(munmap(p + 2 * PAGE, PAGE));
    ERR("mlock over a hole", mlock(p, 4 * PAGE), ENOMEM);
    ERR("munlock of nothing", munlock(p + 2 * PAGE, PAGE), ENOMEM);
    ERR("mlockall without flags", mlockall(0), EINVAL);
    ERR("mlockall unknown flag", mlockall(64), EINVAL);
    OK("munlockall", munlockall());
    NEED(munmap(p, 16 * PAGE));
}

int main(void)
{
    discard();
    advice();
    locking();
    return check_done();
}
