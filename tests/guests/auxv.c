// The auxiliary vector agrees with the program's own file, the process and the CPU.
#include "check.h"
#include "vdso.h"
#include <cpuid.h>
#include <unistd.h>

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

extern char **environ;
extern const Elf64_Ehdr __ehdr_start;
extern void _start(void);

static const Elf64_auxv_t *aux;

// glibc's value(AT_HWCAP) is not what the kernel gave.
static unsigned long value(unsigned long type)
{
    for (const Elf64_auxv_t *a = aux; a->a_type != AT_NULL; a++)
        if (a->a_type == type)
            return a->a_un.a_val;
    return 0;
}

int main(int argc, char **argv)
{
    (void)argc;
    char **p = environ;
    while (*p)
        p++;
    aux = (const void *)(p + 1);
    int count = 0, differ = 0;
    for (; aux[count].a_type != AT_NULL; count++) {
        unsigned long type = aux[count].a_type;
        if (type != AT_IGNORE && type != AT_HWCAP && type != AT_HWCAP2)
            differ += getauxval(type) != aux[count].a_un.a_val;
    }
    CHECK("vector follows the environment", count >= 16 && count < 40);
    EQ("getauxval agrees", differ, 0);

    const char *self = (const char *)&__ehdr_start;
    const Elf64_Phdr *ph = (const void *)(self + __ehdr_start.e_phoff);
    unsigned long bias = __ehdr_start.e_type == ET_DYN ? (unsigned long)self : 0;
    int has_interp = 0;
    for (int i = 0; i < __ehdr_start.e_phnum; i++)
        has_interp |= ph[i].p_type == PT_INTERP;
    EQ("AT_PHDR", value(AT_PHDR), ph);
    EQ("AT_PHNUM", value(AT_PHNUM), __ehdr_start.e_phnum);
    EQ("AT_PHENT", value(AT_PHENT), sizeof(Elf64_Phdr));
    EQ("AT_ENTRY", value(AT_ENTRY), bias + __ehdr_start.e_entry);
    EQ("AT_ENTRY is _start", value(AT_ENTRY), _start);
    unsigned long base = value(AT_BASE);
    if (has_interp)
        CHECK("AT_BASE", base && base % 4096 == 0 && memcmp((void *)base, ELFMAG, SELFMAG) == 0);
    else
        EQ("AT_BASE", base, 0);
    EQ("AT_PAGESZ", value(AT_PAGESZ), 4096);
    EQ("AT_CLKTCK", value(AT_CLKTCK), sysconf(_SC_CLK_TCK));
    EQ("AT_FLAGS", value(AT_FLAGS), 0);
    EQ("AT_SECURE", value(AT_SECURE), 0);
    EQ("AT_UID", value(AT_UID), getuid());
    EQ("AT_EUID", value(AT_EUID), geteuid());
    EQ("AT_GID", value(AT_GID), getgid());
    EQ("AT_EGID", value(AT_EGID), getegid());
    STR("AT_PLATFORM", (const char *)value(AT_PLATFORM), "x86_64");
    CHECK("AT_MINSIGSTKSZ", value(AT_MINSIGSTKSZ) >= 1024 && value(AT_MINSIGSTKSZ) < 65536);
    STR("AT_EXECFN names the program", strrchr((const char *)value(AT_EXECFN), '/') + 1,
        strrchr(argv[0], '/') + 1);

    const unsigned char *random = (const void *)value(AT_RANDOM);
    int nonzero = 0;
    for (int i = 0; i < 16; i++)
        nonzero += random[i] != 0;
    CHECK("AT_RANDOM", nonzero > 4);
    CHECK("AT_RANDOM on the stack", (char *)random > (char *)(aux + count) && (char *)random < argv[0]);

    unsigned a, b, c, d;
    __cpuid(1, a, b, c, d);
    EQ("AT_HWCAP is CPUID 1 EDX", value(AT_HWCAP), d);
    __cpuid_count(7, 0, a, b, c, d);
    EQ("AT_HWCAP2 FSGSBASE as in CPUID", value(AT_HWCAP2) >> 1 & 1, b & 1);

    const Elf64_Ehdr *vdso = (const void *)value(AT_SYSINFO_EHDR);
    CHECK("AT_SYSINFO_EHDR", vdso && (unsigned long)vdso % 4096 == 0);
    if (vdso) {
        CHECK("vDSO is ELF64", memcmp(vdso->e_ident, ELFMAG, SELFMAG) == 0 && vdso->e_ident[EI_CLASS] == ELFCLASS64);
        EQ("vDSO type", vdso->e_type, ET_DYN);
        EQ("vDSO machine", vdso->e_machine, EM_X86_64);
        CHECK("vDSO clock_gettime", vdso_symbol("__vdso_clock_gettime") != NULL);
        CHECK("vDSO gettimeofday", vdso_symbol("__vdso_gettimeofday") != NULL);
        CHECK("vDSO time", vdso_symbol("__vdso_time") != NULL);
        CHECK("vDSO getcpu", vdso_symbol("__vdso_getcpu") != NULL);
        CHECK("vDSO has not what is not there", vdso_symbol("__vdso_nonsense") == NULL);
    }
    return check_done();
}
