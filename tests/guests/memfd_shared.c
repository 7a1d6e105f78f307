// One memory, mapped several times: data and code, seals, sizes.
#include "check.h"
#include "probe.h"
#include <sys/stat.h>

int main(void)
{
    int fd = memfd_create("km", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    OK("memfd_create", fd);
    EQ("close-on-exec", fcntl(fd, F_GETFD), FD_CLOEXEC);
    NEED(ftruncate(fd, 4 * PAGE));
    unsigned char *a = NEED(mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0));
    unsigned char *b = NEED(mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0));
    unsigned char *c = NEED(mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0));
    CHECK("three places", a != b && b != c && a != c);
    int wrong = 0;
    for (int i = 0; i < 200; i++) {
        a[i * 80] = (unsigned char)i;
        wrong += b[i * 80] != (unsigned char)i;
        b[i * 80 + 1] = (unsigned char)(i + 1);
        wrong += a[i * 80 + 1] != (unsigned char)(i + 1);
    }
    EQ("each sees the other's writes", wrong, 0);
    EQ("private sees them too until it writes", c[80], 1);
    c[80] = 99;
    EQ("and then not", a[80], 1);
    unsigned char buf[4] = {0};
    EQ("pread", pread(fd, buf, 4, 160), 4);
    EQ("sees them", buf[0], 2);

    // The ring buffer trick: the same page twice in a row.
    unsigned char *ring = NEED(mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    NEED(mmap(ring, PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 3 * PAGE));
    NEED(mmap(ring + PAGE, PAGE, RW, MAP_SHARED | MAP_FIXED, fd, 3 * PAGE));
    memcpy(ring + PAGE - 3, "around", 6);
    CHECK("ring wraps", memcmp(ring + PAGE - 3, "around", 6) == 0 && memcmp(ring, "und", 3) == 0);

    // W^X with two views: written through one, run through the other, again and again.
    unsigned char *code = NEED(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 2 * PAGE));
    unsigned char *edit = a + 2 * PAGE;
    EQ("code view is not writable", writable(code), 0);
    int (*run)(void) = (int (*)(void))code;
    for (int i = 0; i < 50; i++) {
        put_code(edit, i * 3);
        wrong += run() != i * 3;
    }
    EQ("code through a second view", wrong, 0);

    struct stat st;
    NEED(fstat(fd, &st));
    EQ("size", st.st_size, 4 * PAGE);
    NEED(ftruncate(fd, 8 * PAGE));
    unsigned char *d = NEED(mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 4 * PAGE));
    CHECK("grown part zero", all_bytes(d, 4 * PAGE, 0));
    OK("punch a hole", fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE));
    CHECK("hole reads zero", all_bytes(a, PAGE, 0));
    OK("MADV_REMOVE", madvise(a + 2 * PAGE, PAGE, MADV_REMOVE));
    CHECK("also zero", all_bytes(code, PAGE, 0));

    OK("seal shrink and grow", fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
    EQ("seals", fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
    ERR("cannot grow", ftruncate(fd, 9 * PAGE), EPERM);
    ERR("cannot seal writes while mapped", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    NEED(munmap(a, 4 * PAGE));
    NEED(munmap(b, 4 * PAGE));
    NEED(munmap(d, 4 * PAGE));
    NEED(munmap(ring, 2 * PAGE));
    EQ("still mapped once", code[PAGE - 1], 0);
    NEED(munmap(code, PAGE));
    OK("then it can", fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    ERR("no writable mapping of it", mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0), EPERM);
    EQ("private copy lives on", c[80], 99);

    // Shared anonymous memory behaves alike.
    unsigned char *anon = shared_pages(8 * PAGE);
    CHECK("shared anonymous", all_bytes(anon, 8 * PAGE, 0));
    memset(anon, 4, 8 * PAGE);
    OK("dontneed keeps shared content", madvise(anon, 8 * PAGE, MADV_DONTNEED));
    CHECK("kept", all_bytes(anon, 8 * PAGE, 4));
    return check_done();
}
