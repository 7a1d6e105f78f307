// Thread-local storage of the first thread; constructors, destructors and exit functions in order.
#include "check.h"
#include <stdint.h>

static __thread int zero;
static __thread int set = 0x1234;
static __thread _Alignas(64) char aligned[64] = "aligned";
static __thread char large[100000];
static __thread char large_set[5000] = {[4999] = 7};
__thread int visible = 5;
static int order[8], steps;

static __attribute__((constructor(101))) void first(void) { order[steps++] = 1; }
static __attribute__((constructor(102))) void second(void) { order[steps++] = 2; }
static __attribute__((constructor)) void third(void)
{
    order[steps++] = 3;
    set += 1; // already there in constructors
}
static __attribute__((destructor(101))) void last(void) { puts("destructor: last"); }
static __attribute__((destructor)) void before_last(void) { puts("destructor: before last"); }
static void exit_a(void) { printf("atexit: registered first, runs last; thread value %d\n", set); }
static void exit_b(void) { puts("atexit: registered last, runs first"); }
static void preinit(void) { order[steps++] = 0; }
// Functions of the program run before its constructors; a position-independent one may have them too.
__attribute__((section(".preinit_array"), used)) static void (*const preinit_entry)(void) = preinit;

int main(void)
{
    // musl does not run .preinit_array; what runs, runs first.
    int base = order[0] == 0 && steps == 4;
    EQ("constructors", steps - base, 3);
    CHECK("in order", order[base] == 1 && order[base + 1] == 2 && order[base + 2] == 3);

    EQ("zero", zero, 0);
    EQ("initial value", set, 0x1235);
    EQ("visible", visible, 5);
    EQ("alignment", (uintptr_t)aligned % 64, 0);
    STR("aligned content", aligned, "aligned");
    int wrong = 0;
    for (unsigned i = 0; i < sizeof large; i++) {
        wrong += large[i] != 0;
        large[i] = (char)i;
    }
    EQ("large one is zero", wrong, 0);
    for (unsigned i = 0; i < sizeof large; i++)
        wrong += large[i] != (char)i;
    EQ("and holds", wrong, 0);
    EQ("large one with a value", large_set[4999], 7);
    uint64_t self;
    __asm__("movq %%fs:0, %0" : "=r"(self));
    CHECK("below the thread pointer", (uintptr_t)&set < self && (uintptr_t)large < self);
    errno = 77;
    EQ("errno", errno, 77);
    atexit(exit_a);
    atexit(exit_b);
    return check_done();
}
