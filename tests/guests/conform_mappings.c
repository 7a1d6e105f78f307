// Mappings of what is no file or of nobody: descriptors of all kinds, the first pages, and the pages the kernel has put there.
// Raw calls: the C library makes no difference.
// km-test: links=static-musl,static-kontain
// km-test: timeout=60
#include "conform_child.h"
#include <sys/auxv.h>

static void descriptors(void)
{
    static const struct { const char *name; long flags; } types[] = {
        {"SHARED", MAP_SHARED}, {"PRIVATE", MAP_PRIVATE}, {"VALIDATE", 3}, {"VALIDATE SYNC", 3 | MAP_SYNC}, {"SHARED LOCKED", MAP_SHARED | MAP_LOCKED},
        {"PRIVATE 32BIT", MAP_PRIVATE | MAP_32BIT}, {"type 0", 0}, {"type 7", 7},
    };
    for (size_t i = 0; i < wrong_fd_count; i++)
        for (size_t t = 0; t < conform_len(types); t++)
            for (int rights = 0; rights < 8; rights++) {
                char how[96];
                snprintf(how, sizeof how, "%s, %s, rights %d", wrong_fds[i].name, types[t].name, rights);
                long got = probe("mmap", how, DONE, SYS_mmap, 0, PAGE, rights, types[t].flags, wrong_fds[i].fd, 0);
                if (got != -1)
                    munmap((void *)got, PAGE);
                got = probe("mmap of nothing", how, DONE, SYS_mmap, 0, 0, rights, types[t].flags, wrong_fds[i].fd, 0);
                got = probe("mmap from 1", how, DONE, SYS_mmap, 0, PAGE, rights, types[t].flags, wrong_fds[i].fd, 1);
                got = probe("mmap far", how, DONE, SYS_mmap, 0, PAGE, rights, types[t].flags, wrong_fds[i].fd, 1L << 45);
                if (got != -1)
                    munmap((void *)got, PAGE);
            }
}

// Where a privilege is asked for.
static void first_pages(void)
{
    static const unsigned long starts[] = {0, PAGE, 8 * PAGE, 15 * PAGE, 16 * PAGE};
    for (size_t i = 0; i < conform_len(starts); i++)
        for (int replace = 0; replace < 2; replace++) {
            char how[48];
            snprintf(how, sizeof how, "at page %lu, %d", starts[i] / PAGE, replace);
            volatile char *page = (char *)starts[i];
            long flags = ANON | (replace ? MAP_FIXED : MAP_FIXED_NOREPLACE);
            long got = probe("mmap", how, DONE, SYS_mmap, (long)page, PAGE, RW, flags, -1, 0);
            if (got == -1)
                continue;
            printf("%d\n", got == (long)page);
            // The compiler believes that there is nothing at 0.
            __asm__ volatile("movb $7, (%0)" : : "r"(page) : "memory");
            char value;
            __asm__ volatile("movb (%1), %0" : "=r"(value) : "r"(page) : "memory");
            printf("%d\n", value);
            probe("mprotect", how, DONE, SYS_mprotect, (long)page, PAGE, PROT_READ);
            probe("munmap", how, DONE, SYS_munmap, (long)page, PAGE);
        }
    long got = probe("mmap", "with a hint of 1", DONE, SYS_mmap, 1, PAGE, RW, ANON, -1, 0);
    munmap((void *)got, PAGE);
}

static void first_pages_of_nobody(void)
{
    become_nobody();
    first_pages();
}

// What the kernel maps for programs, beside the code that reads it.
static void vdso(void)
{
    char *code = (char *)getauxval(AT_SYSINFO_EHDR);
    if (!code) {
        printf("skip vdso: there is none\n");
        return;
    }
    static const struct { const char *name; long from; long pages; } ranges[] = {{"data", -1, 1}, {"the first data", -4, 1}};
    for (size_t r = 0; r < conform_len(ranges); r++) {
        char *at = code + ranges[r].from * (long)PAGE;
        long size = ranges[r].pages * (long)PAGE;
        for (int advice = -1; advice < 27; advice++) {
            char how[64];
            snprintf(how, sizeof how, "%s, advice %d", ranges[r].name, advice);
            probe("madvise", how, DONE, SYS_madvise, (long)at, size, advice);
        }
        probe("mlock", ranges[r].name, DONE, SYS_mlock, (long)at, size);
        probe("munlock", ranges[r].name, DONE, SYS_munlock, (long)at, size);
        probe("msync", ranges[r].name, DONE, SYS_msync, (long)at, size, MS_SYNC);
        probe("mprotect as it is", ranges[r].name, DONE, SYS_mprotect, (long)at, size, PROT_READ);
        unsigned char there[4];
        probe("mincore", ranges[r].name, DONE, SYS_mincore, (long)at, size, (long)there);
    }
}

int main(void)
{
    conform_start();
    descriptors();
    apart("first pages", first_pages);
    apart("first pages of nobody", first_pages_of_nobody);
    apart("vdso", vdso);
    return conform_done();
}
