// The stack grows on touch, up to the limit, in any order, and the limit can be raised on the way.
#include "check.h"
#include "probe.h"
#include <alloca.h>
#include <stdint.h>
#include <sys/resource.h>

#define MIB (1UL << 20)

static uintptr_t lowest = UINTPTR_MAX;

// Each frame takes a little over 1 KiB and is used again on the way back.
static __attribute__((noinline)) unsigned long recurse(unsigned long bytes_left)
{
    volatile unsigned char frame[1024];
    for (unsigned i = 0; i < sizeof frame; i += 64)
        frame[i] = (unsigned char)bytes_left;
    if ((uintptr_t)frame < lowest)
        lowest = (uintptr_t)frame;
    unsigned long below = bytes_left > 1100 ? recurse(bytes_left - 1100) : 0;
    for (unsigned i = 0; i < sizeof frame; i += 64)
        if (frame[i] != (unsigned char)bytes_left)
            return below + 1;
    return below;
}

// The lowest byte of a large block is touched first: Linux grows over the gap.
static __attribute__((noinline)) int big_alloca(unsigned long bytes)
{
    volatile char *block = alloca(bytes);
    block[0] = 1;
    int zero = block[bytes / 2] == 0;
    block[bytes / 2] = 2;
    block[bytes - 1] = 3;
    return zero + block[0] + block[bytes / 2] + block[bytes - 1];
}

// The kernel, too, makes the stack grow when it writes there.
static __attribute__((noinline)) long read_into_stack(unsigned long bytes)
{
    char *block = alloca(bytes);
    int fd = NEED(open("/dev/zero", O_RDONLY));
    long n = read(fd, block, 100);
    close(fd);
    return n;
}

int main(void)
{
    struct rlimit limit;
    OK("getrlimit", getrlimit(RLIMIT_STACK, &limit));
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > 8 * MIB) {
        limit.rlim_cur = 8 * MIB;
        NEED(setrlimit(RLIMIT_STACK, &limit));
    }
    struct rlimit back;
    NEED(getrlimit(RLIMIT_STACK, &back));
    EQ("limit read back", back.rlim_cur, limit.rlim_cur);
    EQ("hard limit read back", back.rlim_max, limit.rlim_max);

    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    EQ("big alloca", big_alloca(limit.rlim_cur / 2), 7);
    // Arguments, environment and this frame have their share of it.
    unsigned long deep = limit.rlim_cur - 512 * 1024;
    EQ("recursion to the limit", recurse(deep), 0);
    CHECK("it was that deep", here - lowest > deep / 16 * 15);
    EQ("recursion again", recurse(deep), 0);

    if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max >= 24 * MIB) {
        limit.rlim_cur = 24 * MIB;
        OK("raise the limit", setrlimit(RLIMIT_STACK, &limit));
        EQ("kernel writes grow it", read_into_stack(20 * MIB), 100);
        EQ("grows to the new limit", recurse(23 * MIB), 0);
    } else {
        SKIP("raise the limit", "hard limit");
    }
    limit.rlim_cur = 0;
    OK("lower the limit", setrlimit(RLIMIT_STACK, &limit));
    EQ("what is there stays", recurse(1 * MIB), 0);
    return check_done();
}
