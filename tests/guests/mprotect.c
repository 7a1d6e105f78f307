// Changing protections: code made, run, changed, run again; pages closed and opened.
#include "check.h"
#include "probe.h"

#define RX (PROT_READ | PROT_EXEC)

typedef int (*function)(void);

int main(void)
{
    unsigned char *p = private_pages(4 * PAGE);
    int wrong = 0;
    for (int i = 0; i < 30; i++) {
        unsigned char *at = p + i % 4 * PAGE + 16 * i;
        put_code(at, 1000 + i);
        NEED(mprotect(p, 4 * PAGE, RX));
        wrong += ((function)at)() != 1000 + i;
        NEED(mprotect(p, 4 * PAGE, RW));
        // The same page, its code changed in place.
        put_code(at, 2000 + i);
        NEED(mprotect(p + i % 4 * PAGE, PAGE, RX));
        wrong += ((function)at)() != 2000 + i;
        NEED(mprotect(p, 4 * PAGE, RW));
    }
    EQ("RW and RX in turn", wrong, 0);
    NEED(mprotect(p, 4 * PAGE, RX));
    EQ("RX is not writable", writable(p), 0);
    EQ("RX is readable", readable(p), 1);

    unsigned char *rwx = NEED(mmap(NULL, PAGE, RW | PROT_EXEC, ANON, -1, 0));
    for (int i = 0; i < 100; i++) {
        put_code(rwx, i);
        wrong += ((function)rwx)() != i;
    }
    EQ("code that changes under one's feet", wrong, 0);
    EQ("the kernel may write RWX", writable(rwx), 1);

    // x86 has no execute-only or write-only pages without protection keys: both read as well.
    NEED(mprotect(rwx, PAGE, PROT_WRITE));
    rwx[1] = 5;
    EQ("write implies read", *(volatile unsigned char *)(rwx + 1), 5);

    // Closed pages keep their content.
    unsigned char *q = private_pages(16 * PAGE);
    for (int i = 0; i < 16; i++)
        memset(q + i * PAGE, i + 1, PAGE);
    NEED(mprotect(q + 3 * PAGE, 5 * PAGE, PROT_NONE));
    EQ("closed to read", readable(q + 3 * PAGE), 0);
    EQ("closed to the last page", readable(q + 8 * PAGE - 1), 0);
    EQ("open before", readable(q + 3 * PAGE - 1), 1);
    EQ("open behind", writable(q + 8 * PAGE), 1);
    NEED(mprotect(q + 4 * PAGE, PAGE, PROT_READ));
    EQ("one page opened to read", q[4 * PAGE], 5);
    EQ("not to write", writable(q + 4 * PAGE), 0);
    NEED(mprotect(q, 16 * PAGE, RW));
    q[8 * PAGE] = 9;
    for (int i = 0; i < 16; i++)
        wrong += !all_bytes(q + i * PAGE, PAGE, (unsigned char)(i + 1));
    EQ("content survived", wrong, 0);

    // A checkerboard, and every page as its field says.
    for (int i = 0; i < 16; i++)
        NEED(mprotect(q + i * PAGE, PAGE, i % 3 == 0 ? PROT_NONE : i % 3 == 1 ? PROT_READ : RW));
    for (int i = 0; i < 16; i++) {
        wrong += readable(q + i * PAGE) != (i % 3 != 0);
        wrong += writable(q + i * PAGE) != (i % 3 == 2);
    }
    EQ("checkerboard", wrong, 0);
    // A buffer over pages of two kinds: the kernel copies what it can.
    NEED(mprotect(q, 2 * PAGE, RW));
    NEED(mprotect(q + 2 * PAGE, PAGE, PROT_NONE));
    int zero = NEED(open("/dev/zero", O_RDONLY));
    EQ("read up to the closed page", read(zero, q + PAGE, 2 * PAGE), PAGE);
    ERR("read at the closed page", read(zero, q + 2 * PAGE, PAGE), EFAULT);

    // The first touch of a page under changing protections.
    unsigned char *fresh = NEED(mmap(NULL, 8 * PAGE, PROT_READ, ANON, -1, 0));
    for (int i = 0; i < 8; i++)
        wrong += fresh[i * PAGE];
    NEED(mprotect(fresh, 8 * PAGE, RW));
    for (int i = 0; i < 8; i++)
        fresh[i * PAGE] = (unsigned char)i;
    for (int i = 0; i < 8; i++)
        wrong += fresh[i * PAGE] != i;
    EQ("read first, then written", wrong, 0);

    // Constant data made writable, as a program that patches itself does.
    static const char text[] __attribute__((aligned(4096))) = "constant";
    char *page = (char *)((unsigned long)text & ~(PAGE - 1));
    EQ("constants are read-only", writable(page), 0);
    OK("made writable", mprotect(page, PAGE, RW));
    ((volatile char *)page)[0] = 'C';
    EQ("written", ((volatile char *)page)[0], 'C');
    OK("and back", mprotect(page, PAGE, PROT_READ));
    return check_done();
}
