// Libraries loaded at run time.
// km-test: links=dynamic-musl,dynamic-glibc
#include "check.h"
#include <dlfcn.h>
#include <link.h>

static int own_value = 5;
int dlopen_visible(void);
int dlopen_visible(void) { return own_value; }

static int count_objects(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    int *count = data;
    count[0]++;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *ph = &info->dlpi_phdr[i];
        const char *at = (const char *)info->dlpi_addr + ph->p_vaddr;
        if (ph->p_type == PT_LOAD && at <= (const char *)&own_value && (const char *)&own_value < at + ph->p_memsz)
            count[1]++;
    }
    return 0;
}

int main(void)
{
    int count[2] = {0, 0};
    dl_iterate_phdr(count_objects, count);
    CHECK("objects", count[0] >= 2);
    EQ("the program is one of them", count[1], 1);

    void *self = dlopen(NULL, RTLD_NOW);
    CHECK("the program itself", self != NULL);
    CHECK("malloc in it", dlsym(self, "malloc") != NULL);
    EQ("no such symbol", dlsym(self, "km_nothing_of_that_name"), NULL);
    CHECK("told why", dlerror() != NULL);

    // On musl everything is in libc.so; on glibc libm is a file of its own.
#ifdef __GLIBC__
    const char *name = "libm.so.6";
#else
    const char *name = "libc.so";
#endif
    void *lib = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    CHECK("library", lib != NULL);
    if (!lib)
        printf("  %s\n", dlerror());
    double (*function)(double) = lib ? (double (*)(double))dlsym(lib, "cos") : NULL;
    CHECK("function", function && function(0) == 1);
    Dl_info info;
    CHECK("dladdr", function && dladdr((void *)function, &info) && info.dli_fname);
    EQ("again, the same", dlopen(name, RTLD_NOW), lib);
    EQ("dlclose", dlclose(lib), 0);
    EQ("no such library", dlopen("libkm-none.so.9", RTLD_NOW), NULL);
    CHECK("told why", dlerror() != NULL);
#ifdef __GLIBC__
    // One with threads' storage of its own and constructors, not loaded before.
    lib = dlopen("libresolv.so.2", RTLD_LAZY);
    CHECK("another library", lib != NULL);
    CHECK("its function", lib && dlsym(lib, "ns_get16"));
    EQ("dlclose", lib ? dlclose(lib) : -1, 0);
#endif
    EQ("a file that is no library", dlopen("/proc/self/maps", RTLD_NOW), NULL);
    EQ("still there", dlopen_visible(), 5);
    return check_done();
}
