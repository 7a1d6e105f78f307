// Finds a function in the vDSO by reading its ELF tables, as a C library would, but without one's help.
#ifndef KM_VDSO_H
#define KM_VDSO_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>

static inline uint32_t vdso_gnu_symbol_count(const uint32_t *gnu_hash)
{
    uint32_t nbuckets = gnu_hash[0], first = gnu_hash[1], bloom_words = gnu_hash[2], last = 0;
    const uint32_t *buckets = gnu_hash + 4 + 2 * bloom_words;
    const uint32_t *chains = buckets + nbuckets;
    for (uint32_t i = 0; i < nbuckets; i++)
        if (buckets[i] > last)
            last = buckets[i];
    if (last < first)
        return first;
    while (!(chains[last - first] & 1))
        last++;
    return last + 1;
}

static inline void *vdso_symbol(const char *name)
{
    const char *base = (const char *)getauxval(AT_SYSINFO_EHDR);
    if (!base)
        return NULL;
    const Elf64_Ehdr *eh = (const void *)base;
    const Elf64_Phdr *ph = (const void *)(base + eh->e_phoff);
    const Elf64_Dyn *dyn = NULL;
    const char *load = NULL;
    for (int i = 0; i < eh->e_phnum; i++) {
        if (ph[i].p_type == PT_LOAD && !load)
            load = base + ph[i].p_offset - ph[i].p_vaddr;
        if (ph[i].p_type == PT_DYNAMIC)
            dyn = (const void *)(base + ph[i].p_offset);
    }
    const Elf64_Sym *symbols = NULL;
    const char *strings = NULL;
    uint32_t count = 0;
    for (; dyn && dyn->d_tag != DT_NULL; dyn++) {
        const void *p = load + dyn->d_un.d_ptr;
        switch (dyn->d_tag) {
        case DT_SYMTAB: symbols = p; break;
        case DT_STRTAB: strings = p; break;
        case DT_HASH: count = ((const uint32_t *)p)[1]; break;
        case DT_GNU_HASH: if (!count) count = vdso_gnu_symbol_count(p); break;
        }
    }
    for (uint32_t i = 0; symbols && strings && i < count; i++)
        if (symbols[i].st_shndx != SHN_UNDEF && strcmp(strings + symbols[i].st_name, name) == 0)
            return (void *)(load + symbols[i].st_value);
    return NULL;
}

#endif
