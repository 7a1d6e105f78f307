// Advice about children: what is taken where, and what it leaves of the mappings. (Without a child.)
#include "check.h"
#include "probe.h"

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#define MADV_KEEPONFORK 19
#endif

int main(void)
{
    char *p = private_pages(8 * PAGE);
    memset(p, 4, 8 * PAGE);
    OK("DONTFORK of a part", madvise(p + 2 * PAGE, 2 * PAGE, MADV_DONTFORK));
    OK("again, and more", madvise(p + PAGE, 5 * PAGE, MADV_DONTFORK));
    OK("DOFORK of a part", madvise(p + 3 * PAGE, PAGE, MADV_DOFORK));
    CHECK("content kept", all_bytes(p, 8 * PAGE, 4));
    // A part that differs is a mapping of its own.
    ERR("over a border", mremap(p, 8 * PAGE, 9 * PAGE, MREMAP_MAYMOVE), EFAULT);
    OK("DOFORK of all", madvise(p, 8 * PAGE, MADV_DOFORK));
    char *q = mremap(p, 8 * PAGE, 9 * PAGE, MREMAP_MAYMOVE);
    CHECK("one again", q != MAP_FAILED);
    CHECK("with its content", all_bytes(q, 8 * PAGE, 4) && all_bytes(q + 8 * PAGE, PAGE, 0));

    OK("WIPEONFORK", madvise(q, 4 * PAGE, MADV_WIPEONFORK));
    ERR("is a border as well", mremap(q, 9 * PAGE, 10 * PAGE, MREMAP_MAYMOVE), EFAULT);
    OK("KEEPONFORK", madvise(q, 4 * PAGE, MADV_KEEPONFORK));
    OK("and none any more", madvise(q, 9 * PAGE, MADV_DONTFORK));
    char *r = mremap(q, 9 * PAGE, 12 * PAGE, MREMAP_MAYMOVE);
    CHECK("grown", r != MAP_FAILED && all_bytes(r, 8 * PAGE, 4) && all_bytes(r + 8 * PAGE, 4 * PAGE, 0));
    OK("DOFORK", madvise(r, 12 * PAGE, MADV_DOFORK));
    NEED(munmap(r + PAGE, PAGE));
    ERR("DONTFORK over a hole", madvise(r, 4 * PAGE, MADV_DONTFORK), ENOMEM);
    ERR("DOFORK over a hole", madvise(r, 4 * PAGE, MADV_DOFORK), ENOMEM);
    ERR("WIPEONFORK over a hole", madvise(r, 4 * PAGE, MADV_WIPEONFORK), ENOMEM);
    ERR("misaligned", madvise(r + 1, PAGE, MADV_DONTFORK), EINVAL);
    OK("length 0", madvise(r, 0, MADV_DONTFORK));
    NEED(munmap(r, 12 * PAGE));
    ERR("unmapped", madvise(r, PAGE, MADV_DONTFORK), ENOMEM);

    // Only private anonymous memory can be wiped; anything may be left out.
    char *shared = shared_pages(2 * PAGE);
    ERR("WIPEONFORK of shared memory", madvise(shared, 2 * PAGE, MADV_WIPEONFORK), EINVAL);
    OK("KEEPONFORK of shared memory", madvise(shared, 2 * PAGE, MADV_KEEPONFORK));
    OK("DONTFORK of shared memory", madvise(shared, PAGE, MADV_DONTFORK));
    int fd = NEED(open("file", O_RDWR | O_CREAT, 0600));
    NEED(ftruncate(fd, 4 * PAGE));
    char *file = NEED(mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0));
    ERR("WIPEONFORK of a file", madvise(file, PAGE, MADV_WIPEONFORK), EINVAL);
    OK("DONTFORK of a file", madvise(file, PAGE, MADV_DONTFORK));
    ERR("so it has two parts", mremap(file, 2 * PAGE, 8 * PAGE, MREMAP_MAYMOVE), EFAULT);
    OK("DOFORK of a file", madvise(file, PAGE, MADV_DOFORK));
    // What was refused has left no trace.
    q = mremap(file, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE);
    CHECK("and one again", q != MAP_FAILED && q[0] == 0);
    unlink("file");
    return check_done();
}
