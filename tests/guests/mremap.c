// mremap: grow, shrink, move, duplicate.
#include "check.h"
#include "probe.h"
#include <sys/syscall.h>

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

static char *fresh(size_t pages, int fill)
{
    char *p = private_pages(pages * PAGE);
    if (fill)
        memset(p, fill, pages * PAGE);
    return p;
}

// Again and again, in place where there is room and elsewhere where not: the content of each part stays, whatever the
// kernel has made of the parts.
static void grows(void)
{
    char *room = NEED(mmap(NULL, 64 * PAGE, PROT_NONE, ANON, -1, 0));
    char *p = room + 8 * PAGE;
    NEED(munmap(p, 24 * PAGE));
    NEED(mmap(p, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0));
    memset(p, 1, 2 * PAGE);
    EQ("moved to start with", mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + 4 * PAGE), p + 4 * PAGE);
    p += 4 * PAGE;
    EQ("grown there", mremap(p, 2 * PAGE, 4 * PAGE, 0), p);
    memset(p + 2 * PAGE, 2, 2 * PAGE);
    EQ("grown once more", mremap(p, 4 * PAGE, 6 * PAGE, 0), p);
    memset(p + 4 * PAGE, 3, 2 * PAGE);
    char *q = room + 40 * PAGE;
    EQ("moved as one", mremap(p, 6 * PAGE, 8 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q), q);
    CHECK("every part", all_bytes(q, 2 * PAGE, 1) && all_bytes(q + 2 * PAGE, 2 * PAGE, 2) &&
                            all_bytes(q + 4 * PAGE, 2 * PAGE, 3) && all_bytes(q + 6 * PAGE, 2 * PAGE, 0));
    EQ("left behind: nothing", readable(p), 0);
    EQ("nor at its end", readable(p + 5 * PAGE), 0);
    NEED(mprotect(q, 8 * PAGE, PROT_READ));
    EQ("read-only grows", mremap(q, 8 * PAGE, 8 * PAGE, 0), q);
    NEED(munmap(room, 64 * PAGE));
}

// Files: what is behind the new part is the file, and private changes stay.
static void grows_files(void)
{
    int fd = NEED(open("file", O_RDWR | O_CREAT, 0600));
    for (int i = 1; i <= 8; i++) {
        char page[PAGE];
        memset(page, i, PAGE);
        NEED(write(fd, page, PAGE));
    }
    static const struct {
        const char *name;
        int flags;
    } kinds[] = {{"private", MAP_PRIVATE}, {"shared", MAP_SHARED}};
    for (int i = 0; i < 2; i++) {
        char *room = NEED(mmap(NULL, 32 * PAGE, PROT_NONE, ANON, -1, 0));
        NEED(munmap(room, 16 * PAGE));
        char *p = NEED(mmap(room, 2 * PAGE, RW, kinds[i].flags | MAP_FIXED, fd, PAGE)), *q = room + 20 * PAGE;
        p[PAGE] = 99;
        puts(kinds[i].name);
        EQ("file in place", mremap(p, 2 * PAGE, 4 * PAGE, 0), p);
        CHECK("its pages", p[0] == 2 && p[PAGE] == 99 && p[2 * PAGE] == 4 && p[3 * PAGE] == 5);
        p[3 * PAGE] = 98;
        EQ("file elsewhere", mremap(p, 4 * PAGE, 6 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q), q);
        CHECK("its pages there", q[0] == 2 && q[PAGE] == 99 && q[3 * PAGE] == 98 && q[5 * PAGE] == 7);
        EQ("old place empty", readable(p + 3 * PAGE), 0);
        char byte;
        NEED(pread(fd, &byte, 1, 4 * PAGE));
        EQ("the file", byte, kinds[i].flags == MAP_SHARED ? 98 : 5);
        NEED(munmap(room, 32 * PAGE));
    }
    NEED(close(fd));
    unlink("file");
}

int main(void)
{
    grows();
    grows_files();
    // In place, with room made behind it.
    char *p = fresh(8, 3);
    NEED(munmap(p + 4 * PAGE, 4 * PAGE));
    EQ("grow in place", mremap(p, 4 * PAGE, 6 * PAGE, 0), p);
    CHECK("old part kept", all_bytes(p, 4 * PAGE, 3));
    CHECK("new part zero", all_bytes(p + 4 * PAGE, 2 * PAGE, 0));
    EQ("same size", mremap(p, 6 * PAGE, 6 * PAGE, 0), p);
    EQ("shrink", mremap(p, 6 * PAGE, 2 * PAGE, 0), p);
    EQ("tail gone", readable(p + 2 * PAGE), 0);
    EQ("head kept", readable(p + PAGE), 1);

    // A neighbour in the way.
    NEED(mmap(p + 2 * PAGE, PAGE, PROT_READ, ANON | MAP_FIXED, -1, 0));
    ERR("no room to grow", mremap(p, 2 * PAGE, 4 * PAGE, 0), ENOMEM);
    char *q = mremap(p, 2 * PAGE, 40 * PAGE, MREMAP_MAYMOVE);
    CHECK("moved", q != MAP_FAILED && q != p);
    CHECK("content came along", all_bytes(q, 2 * PAGE, 3));
    CHECK("rest zero", all_bytes(q + 2 * PAGE, 38 * PAGE, 0));
    EQ("old place empty", readable(p), 0);
    EQ("neighbour still there", readable(p + 2 * PAGE), 1);
    NEED(munmap(p + 2 * PAGE, PAGE));

    // To a fixed place, which is replaced.
    char *target = fresh(4, 9);
    EQ("fixed", mremap(q, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target + PAGE), target + PAGE);
    CHECK("content at the target", all_bytes(target + PAGE, 2 * PAGE, 3));
    CHECK("around the target", all_bytes(target, PAGE, 9) && all_bytes(target + 3 * PAGE, PAGE, 9));
    EQ("source gone", readable(q), 0);
    EQ("rest of the source kept", readable(q + 2 * PAGE), 1);
    NEED(munmap(q + 2 * PAGE, 38 * PAGE));

    ERR("fixed without maymove", mremap(target, PAGE, PAGE, MREMAP_FIXED, q), EINVAL);
    ERR("fixed overlapping", mremap(target, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target + PAGE), EINVAL);
    ERR("fixed misaligned", mremap(target, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + 1), EINVAL);
    ERR("misaligned", mremap(target + 1, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EINVAL);
    ERR("new size 0", mremap(target, PAGE, 0, MREMAP_MAYMOVE), EINVAL);
    ERR("unknown flag", mremap(target, PAGE, PAGE, 64), EINVAL);
    ERR("unmapped", mremap(q, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
    ERR("old size 0 of private memory", mremap(target, 0, PAGE, MREMAP_MAYMOVE), EINVAL);
    ERR("too large", mremap(target, PAGE, 1UL << 46, MREMAP_MAYMOVE), ENOMEM);
    EQ("still there", target[0], 9);
    NEED(mprotect(target + PAGE, PAGE, PROT_READ));
    ERR("over two protections", mremap(target, 2 * PAGE, 5 * PAGE, MREMAP_MAYMOVE), EFAULT);
    EQ("read-only page moves", mremap(target + PAGE, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q), q);
    EQ("content of it", q[0], 3);
    EQ("and stays read-only", writable(q), 0);
    NEED(munmap(target, 4 * PAGE));
    NEED(munmap(q, PAGE));

    // The old range stays mapped, and empty.
    p = fresh(3, 5);
    // (The plain call: a library that knows the flag not passes on whatever lay in the fifth argument.)
    q = (char *)syscall(SYS_mremap, p, 3 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
    CHECK("dontunmap", q != MAP_FAILED && q != p);
    CHECK("content moved", all_bytes(q, 3 * PAGE, 5));
    CHECK("old range zero", all_bytes(p, 3 * PAGE, 0));
    EQ("old range writable", writable(p), 1);
    NEED(munmap(p, 3 * PAGE));
    NEED(munmap(q, 3 * PAGE));

    // Old size 0 makes a second view of shared memory.
    p = shared_pages(2 * PAGE);
    q = mremap(p, 0, 2 * PAGE, MREMAP_MAYMOVE);
    CHECK("duplicate shared", q != MAP_FAILED && q != p);
    p[0] = 11;
    q[PAGE] = 12;
    EQ("first seen in second", q[0], 11);
    EQ("second seen in first", p[PAGE], 12);
    NEED(munmap(p, 2 * PAGE));
    EQ("second outlives first", q[0], 11);
    NEED(munmap(q, 2 * PAGE));

    // Large and sparse: moved by page tables, not by copying, and back and forth.
    size_t size = 256UL << 20;
    p = NEED(mmap(NULL, size, RW, ANON | MAP_NORESERVE, -1, 0));
    for (size_t i = 0; i < size; i += 8 << 20)
        *(size_t *)(p + i) = i + 1;
    q = NEED(mmap(NULL, 2 * size, PROT_NONE, ANON | MAP_NORESERVE, -1, 0));
    EQ("large move", mremap(p, size, 2 * size, MREMAP_MAYMOVE | MREMAP_FIXED, q), q);
    int wrong = 0;
    for (size_t i = 0; i < size; i += 8 << 20)
        wrong += *(size_t *)(q + i) != i + 1;
    EQ("large content", wrong, 0);
    q[2 * size - 1] = 1;
    EQ("large shrink", mremap(q, 2 * size, PAGE, 0), q);
    EQ("first page kept", *(size_t *)q, 1);
    NEED(munmap(q, PAGE));

    // As realloc does: a buffer doubled again and again.
    size = PAGE;
    p = fresh(1, 1);
    for (int i = 0; i < 10; i++, size *= 2) {
        p = NEED(mremap(p, size, 2 * size, MREMAP_MAYMOVE));
        memset(p + size, 1, size);
    }
    CHECK("doubled ten times", all_bytes(p, size, 1));
    NEED(munmap(p, size));
    return check_done();
}
