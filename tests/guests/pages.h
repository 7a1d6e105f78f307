// Pages of memory.
#ifndef KM_PAGES_H
#define KM_PAGES_H

#include "check.h"
#include <sys/mman.h>

#define PAGE 4096UL
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

// Fresh ones, which nobody else sees.
static inline void *private_pages(size_t size) { return NEED(mmap(NULL, size, RW, ANON, -1, 0)); }

// Fresh ones, which a child sees as well.
static inline void *shared_pages(size_t size) { return NEED(mmap(NULL, size, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0)); }

// A function that gives `value`: mov $value, %eax; ret.
static inline void put_code(unsigned char *at, int value)
{
    at[0] = 0xb8;
    memcpy(at + 1, &value, 4);
    at[5] = 0xc3;
}

#endif
