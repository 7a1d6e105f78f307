// Memory calls with wrong addresses, lengths, rights and flags, and the order in which Linux finds them.
// Raw calls: the C library makes no difference.
// km-test: links=static-musl,static-kontain
// km-test: timeout=90
#include "conform.h"

// Eight pages of the program's own between two that are free: mapped, and undone, before every probe.
static char *base;
static int file, readable, writable, memfd;

static void eight(void)
{
    munlockall();
    munmap(base - PAGE, 10 * PAGE);
    if (mmap(base, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != base)
        exit(2);
}

// Two pages inaccessible, two shared, one of a file to be read, a hole.
static void mixed(void)
{
    eight();
    mprotect(base + PAGE, PAGE, PROT_NONE);
    mprotect(base + 2 * PAGE, PAGE, PROT_READ);
    mmap(base + 3 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    mmap(base + 5 * PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, readable, 0);
    munmap(base + 6 * PAGE, PAGE);
}

// The rights of each page, as far as writing to a pipe and reading from one tell: r, w, both, none.
static void rights(void)
{
    static int pipes[2];
    char one;
    if (!pipes[1])
        NEED(pipe2(pipes, O_NONBLOCK));
    for (int i = -1; i < 9; i++) {
        int can_read = write(pipes[1], base + i * (long)PAGE, 1) == 1;
        if (!can_read && write(pipes[1], "x", 1) != 1)
            exit(2);
        int can_write = read(pipes[0], base + i * (long)PAGE, 1) == 1;
        if (!can_write && read(pipes[0], &one, 1) != 1)
            exit(2);
        putchar(can_read ? (can_write ? '*' : 'r') : (can_write ? 'w' : '-'));
    }
    putchar('\n');
}

struct place { const char *name; unsigned long at, len; };
static struct place places[40];
static size_t place_count;

static void place(const char *name, unsigned long at, unsigned long len)
{
    places[place_count++] = (struct place){name, at, len};
}

static void all_places(void)
{
    unsigned long b = (unsigned long)base;
    place("one page", b, PAGE);
    place("nothing", b, 0);
    place("nothing, odd", b + 1, 0);
    place("nothing, free", b - PAGE, 0);
    place("one byte", b, 1);
    place("odd address", b + 1, PAGE);
    place("all", b, 8 * PAGE);
    place("across a hole", b + 5 * PAGE, 3 * PAGE);
    place("from a hole", b + 6 * PAGE, 2 * PAGE);
    place("a hole", b + 6 * PAGE, PAGE);
    place("free, then all", b - PAGE, 2 * PAGE);
    place("beyond the end", b + 7 * PAGE, 2 * PAGE);
    place("inaccessible", b + PAGE, PAGE);
    place("to read", b + 2 * PAGE, PAGE);
    place("shared", b + 3 * PAGE, 2 * PAGE);
    place("of a file", b + 5 * PAGE, PAGE);
    place("of several", b + 2 * PAGE, 3 * PAGE);
    place("at 0", 0, PAGE);
    place("nothing at 0", 0, 0);
    place("at a page", PAGE, PAGE);
    place("length -1", b, -1UL);
    place("length -PAGE", b, -PAGE);
    place("length -PAGE + 1", b, -PAGE + 1);
    place("length 2^47", b, 1UL << 47);
    place("up to the end", b, 0x7ffffffff000 - b);
    place("a page beyond the end", b, 0x7ffffffff000 - b + PAGE);
    place("the last page", 0x7fffffffe000, PAGE);
    place("beyond user addresses", 0x7ffffffff000, PAGE);
    place("nothing beyond user addresses", 0x7ffffffff000, 0);
    place("not canonical", 0x0000800000000000, PAGE);
    place("of the kernel", 0xffff888000000000, PAGE);
    place("of the kernel, nothing", 0xffff888000000000, 0);
    place("the last of all", -PAGE, PAGE);
    place("the last of all and more", -PAGE, 2 * PAGE);
    place("-1", -1UL, PAGE);
}

struct number { const char *name; long value; };

// One call at every place, with every third argument.
static void everywhere(const char *name, long nr, const struct number *numbers, size_t count)
{
    for (size_t n = 0; n < count; n++)
        for (size_t i = 0; i < place_count; i++) {
            char how[96];
            snprintf(how, sizeof how, "%s, %s", numbers[n].name, places[i].name);
            mixed();
            // Goes through all of the program.
            if (nr == SYS_madvise && places[i].len == 1UL << 47)
                continue;
            // Would end the program, or lock all of it.
            if (nr == SYS_munmap && places[i].len > 9 * PAGE && places[i].at == (unsigned long)base && places[i].at + places[i].len <= 0x7ffffffff000)
                continue;
            if (places[i].at == (unsigned long)base && places[i].len > 8 * PAGE && places[i].len < 1UL << 47 && nr != SYS_msync && nr != SYS_mincore)
                continue;
            probe(name, how, NUMBER, nr, (long)places[i].at, (long)places[i].len, numbers[n].value);
            if (nr == SYS_mprotect || nr == SYS_munmap || nr == SYS_pkey_mprotect)
                rights();
        }
}

#define EVERYWHERE(name, nr, ...)                                      \
    do {                                                               \
        static const struct number numbers[] = {__VA_ARGS__};          \
        everywhere(name, nr, numbers, conform_len(numbers));           \
    } while (0)

static void changes(void)
{
    EVERYWHERE("munmap", SYS_munmap, {"", 0});
    EVERYWHERE("mprotect", SYS_mprotect, {"NONE", 0}, {"READ", 1}, {"all", 7}, {"SEM", 9}, {"bit 4", 16}, {"GROWSDOWN", 1 << 24 | 1},
               {"GROWSUP", 1 << 25 | 1}, {"both", 3 << 24}, {"-1", -1}, {"high bits", 1L << 40 | 3});
    EVERYWHERE("pkey_mprotect 0", SYS_pkey_mprotect, {"READ", 1}, {"bit 4", 16});
    EVERYWHERE("msync", SYS_msync, {"0", 0}, {"ASYNC", 1}, {"INVALIDATE", 2}, {"SYNC", 4}, {"both", 5}, {"bit 3", 8}, {"high bits", 1L << 40});
    EVERYWHERE("madvise", SYS_madvise, {"NORMAL", 0}, {"RANDOM", 1}, {"WILLNEED", 3}, {"DONTNEED", 4}, {"FREE", 8}, {"REMOVE", 9},
               {"DONTFORK", 10}, {"DOFORK", 11}, {"HUGEPAGE", 14}, {"NOHUGEPAGE", 15}, {"DONTDUMP", 16}, {"DODUMP", 17},
               {"WIPEONFORK", 18}, {"KEEPONFORK", 19}, {"COLD", 20}, {"PAGEOUT", 21}, {"POPULATE_READ", 22}, {"POPULATE_WRITE", 23},
               {"DONTNEED_LOCKED", 24}, {"5", 5}, {"-1", -1}, {"1000", 1000}, {"high bits", 1L << 40});
    EVERYWHERE("mlock", SYS_mlock, {"", 0});
    EVERYWHERE("mlock2", SYS_mlock2, {"0", 0}, {"ONFAULT", 1}, {"2", 2}, {"-1", -1}, {"high bits", 1L << 40});
    EVERYWHERE("munlock", SYS_munlock, {"", 0});
    EVERYWHERE("mincore", SYS_mincore, {"NULL", 0}, {"at 1", 1}, {"of the kernel", -1});
    static char residence[64];
    static struct number into[] = {{"there", 0}};
    into[0].value = (long)residence;
    everywhere("mincore", SYS_mincore, into, 1);
    mixed();
    base[0] = 1;
    probe("mincore", "of what was touched", DONE, SYS_mincore, (long)base, PAGE, (long)rooms[0].constant);
}

static void maps(void)
{
    static const struct number bases[] = {
        {"0", 0}, {"SHARED", MAP_SHARED}, {"PRIVATE", MAP_PRIVATE}, {"VALIDATE", 3}, {"type 4", 4}, {"type 15", 15},
        {"GROWSDOWN", MAP_PRIVATE | MAP_GROWSDOWN}, {"shared GROWSDOWN", MAP_SHARED | MAP_GROWSDOWN}, {"SYNC", MAP_SHARED | MAP_SYNC},
        {"validated SYNC", 3 | MAP_SYNC}, {"validated bit 25", 3 | 1 << 25}, {"bit 25", MAP_SHARED | 1 << 25},
        {"NORESERVE", MAP_PRIVATE | MAP_NORESERVE}, {"POPULATE", MAP_PRIVATE | MAP_POPULATE}, {"STACK", MAP_PRIVATE | MAP_STACK},
        {"EXECUTABLE", MAP_PRIVATE | MAP_EXECUTABLE | MAP_DENYWRITE}, {"LOCKED", MAP_PRIVATE | MAP_LOCKED},
        {"high bits", MAP_PRIVATE | 1L << 40},
    };
    const struct { const char *name; int fd; long flag; } of[] = {
        {"memory", -1, MAP_ANONYMOUS}, {"memory with a descriptor", 777, MAP_ANONYMOUS}, {"a file", file, 0},
        {"a file to read", readable, 0}, {"a file to write", writable, 0}, {"a memfd", memfd, 0},
        {"nothing open", 777, 0}, {"-1", -1, 0}, {"a directory", wrong_fds[1].fd, 0}, {"O_PATH", wrong_fds[0].fd, 0},
        {"an eventfd", wrong_fds[7].fd, 0}, {"a pipe", wrong_fds[5].fd, 0}, {"a socket", wrong_fds[14].fd, 0}, {"15000", 15000, 0},
    };
    static const struct { const char *name; long len, prot, offset; } how[] = {
        {"", PAGE, 3, 0}, {"to read", PAGE, 1, 0}, {"to execute", PAGE, 5, 0}, {"with rights -1", PAGE, -1, 0}, {"of nothing", 0, 3, 0},
        {"of -1", -1, 3, 0}, {"of 2^47", 1L << 47, 3, 0}, {"of 2^63", LONG_MIN, 3, 0}, {"from 1", PAGE, 3, 1}, {"from -PAGE", PAGE, 3, -PAGE},
        {"from 2^63-PAGE", 2 * PAGE, 3, (long)(LONG_MAX - PAGE + 1)}, {"of nothing from 1", 0, 3, 1}, {"beyond its end", PAGE, 3, 1L << 30},
        {"of nothing with rights 16", 0, 16, 0},
    };
    for (size_t b = 0; b < conform_len(bases); b++)
        for (size_t o = 0; o < conform_len(of); o++)
            for (size_t h = 0; h < conform_len(how); h++) {
                char name[96];
                // The kernel has no right to execute what it names itself: km finds that nobody can map it.
                if (o > 9 && how[h].prot & 4)
                    continue;
                // An offset that is too large is found by the host, which km does not ask then.
                if (o == 10 && (b == 9 || b == 10))
                    continue;
                if ((how[h].offset < 0 || how[h].offset > 1L << 40) && (b == 0 || b == 4 || b == 5 || o == 10))
                    continue;
                snprintf(name, sizeof name, "%s, %s %s", bases[b].name, of[o].name, how[h].name);
                long flags = bases[b].value | of[o].flag;
                long got = probe("mmap", name, DONE, SYS_mmap, 0, how[h].len, how[h].prot, flags, of[o].fd, how[h].offset);
                if (got != -1)
                    munmap((void *)got, (size_t)how[h].len);
                eight();
                // Where something is, an error comes before it is gone or after.
                got = probe("mmap FIXED", name, DONE, SYS_mmap, (long)(base + 2 * PAGE), how[h].len, how[h].prot, flags | MAP_FIXED, of[o].fd, how[h].offset);
                if (how[h].len == PAGE && how[h].offset == 0 && of[o].flag)
                    rights();
            }
}

static void fixed(void)
{
    static const struct number flags[] = {{"FIXED", MAP_FIXED}, {"NOREPLACE", 0x100000}, {"both", MAP_FIXED | 0x100000}, {"hint", 0}};
    for (size_t f = 0; f < conform_len(flags); f++)
        for (size_t i = 0; i < place_count; i++) {
            char how[64];
            // These succeed, over whatever is there, or by a privilege.
            if (places[i].at <= PAGE || places[i].at == -1UL
                || (places[i].len > 9 * PAGE && places[i].at + places[i].len - 1 < 0x7ffffffff000 && flags[f].value != 0x100000))
                continue;
            snprintf(how, sizeof how, "%s, %s", flags[f].name, places[i].name);
            mixed();
            long got = probe("mmap", how, DONE, SYS_mmap, (long)places[i].at, (long)places[i].len, 1, MAP_PRIVATE | MAP_ANONYMOUS | flags[f].value, -1, 0);
            printf("%d ", got == (long)places[i].at);
            rights();
            if (got != -1)
                munmap((void *)got, places[i].len);
        }
}

static void moves(void)
{
    static const struct number flags[] = {{"0", 0}, {"MAYMOVE", 1}, {"FIXED", 2}, {"MAYMOVE FIXED", 3}, {"DONTUNMAP", 4}, {"MAYMOVE DONTUNMAP", 5},
                                          {"all", 7}, {"bit 3", 9}, {"high bits", 1L << 40 | 1}};
    char *target = (char *)private_pages(16 * PAGE);
    const struct number to[] = {{"elsewhere", (long)target}, {"odd", (long)target + 1}, {"itself", (long)base}, {"the next", (long)base + PAGE},
                                {"beyond", 0x7ffffffff000}, {"the kernel", -4096}};
    static const struct number lens[] = {{"0", 0}, {"1", 1}, {"2 pages", 2 * PAGE}, {"-1", -1}};
    for (size_t f = 0; f < conform_len(flags); f++)
        for (size_t l = 0; l < conform_len(lens); l++)
            for (size_t i = 0; i < place_count; i++)
                for (size_t t = 0; t < conform_len(to); t++) {
                    char how[128];
                    // Without it the new address is not looked at, or only as a hint.
                    if (t && !(flags[f].value & 2))
                        break;
                    // Older kernels compare the lengths before they round them.
                    if (flags[f].value & 4 && lens[l].value == 1)
                        continue;
                    // Which of two wrong ranges is found first differs from kernel to kernel.
                    if (t && i)
                        continue;
                    if (places[i].len > 8 * PAGE && places[i].at == (unsigned long)base && places[i].at + places[i].len <= 0x7ffffffff000)
                        continue;
                    // Newer kernels move several mappings at once.
                    if (flags[f].value & 2 && lens[l].value == 2 * PAGE && places[i].at == (unsigned long)base + 7 * PAGE)
                        continue;
                    snprintf(how, sizeof how, "%s, %s to %s, %s", flags[f].name, places[i].name, lens[l].name, to[t].name);
                    mixed();
                    long got = probe("mremap", how, DONE, SYS_mremap, (long)places[i].at, (long)places[i].len, lens[l].value, flags[f].value, to[t].value);
                    if (got != -1 && got != (long)base)
                        munmap((void *)got, 2 * PAGE);
                }
    eight();
    rights();
}

int main(void)
{
    conform_start();
    base = (char *)private_pages(64 * PAGE) + PAGE;
    munmap(base - PAGE, 64 * PAGE);
    file = NEED(open("memory", O_RDWR | O_CREAT, 0600));
    NEED(ftruncate(file, 2 * PAGE));
    readable = NEED(open("memory", O_RDONLY));
    writable = NEED(open("memory", O_WRONLY));
    unlink("memory");
    memfd = NEED((int)syscall(SYS_memfd_create, "m", 0));
    NEED(ftruncate(memfd, 2 * PAGE));
    all_places();
    changes();
    maps();
    fixed();
    moves();
    probe("mlockall", "0", DONE, SYS_mlockall, 0);
    probe("mlockall", "ONFAULT", DONE, SYS_mlockall, 4);
    probe("mlockall", "8", DONE, SYS_mlockall, 8);
    probe("mlockall", "-1", DONE, SYS_mlockall, -1);
    long end = (long)syscall(SYS_brk, 0);
    printf("brk: %d %d %d %d\n", syscall(SYS_brk, 1) == end, syscall(SYS_brk, -1) == end, syscall(SYS_brk, 1L << 47) == end,
           syscall(SYS_brk, end + 5000) == end + 5000);
    printf("brk: %d\n", syscall(SYS_brk, end) == end);
    return conform_done();
}
