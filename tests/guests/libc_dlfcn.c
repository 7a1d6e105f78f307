// The dynamic linker: opening, finding, scopes, addresses, errors, and what is loaded. There is no library to load but the C
// library itself, by its several names.
// km-test: links=dynamic-musl,dynamic-kontain
// km-test: truth=dynamic-musl
#include "libc.h"
#include <dlfcn.h>
#include <link.h>
#include <math.h>
#include <pthread.h>

int km_exported(int n);
int km_exported(int n) { return n * 3; }
int km_variable = 17;
extern int weak_and_absent(void) __attribute__((weak));

// Instead of the library's, for everyone.
int isatty(int fd)
{
    (void)fd;
    return 42;
}

// Messages name the file, which is another one in each library.
static void error(const char *what)
{
    const char *text = dlerror();
    printf("%s: %s\n", what, text ? "an error" : "no error");
}

static int listed(struct dl_phdr_info *info, size_t size, void *data)
{
    int *count = data;
    count[0]++;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        count[1] += p->p_type == PT_DYNAMIC;
        uintptr_t at = info->dlpi_addr + p->p_vaddr;
        count[2] += p->p_type == PT_LOAD && (uintptr_t)&km_variable >= at && (uintptr_t)&km_variable < at + p->p_memsz;
        count[3] += p->p_type == PT_LOAD && (uintptr_t)printf >= at && (uintptr_t)printf < at + p->p_memsz;
    }
    count[4] = (int)size == (int)sizeof *info;
    return data == NULL;
}

static void *from_thread(void *arg)
{
    dlsym(arg, "not there");
    error("in the thread");
    return NULL;
}

int main(void)
{
    void *self = dlopen(NULL, RTLD_NOW);
    INT(self != NULL);
    static const char *const names[] = {"libc.so", "libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so", "librt.so.1",
        "libutil.so", "libkm-none.so", "/none/libc.so", "", "/dev/null", "."};
    void *libc = dlopen("libc.so", RTLD_NOW);
    for (size_t i = 0; i < COUNT(names); i++) {
        void *h = dlopen(names[i], RTLD_NOW | (i % 2 ? RTLD_GLOBAL : RTLD_LOCAL));
        printf("%s: %s", names[i], !h ? "none" : h == libc ? "the library" : h == self ? "the program" : "another");
        error("");
        if (h)
            INT(dlclose(h));
    }
    INT(dlopen("libc.so", RTLD_NOLOAD | RTLD_NOW) == libc);
    INT(dlopen("libkm-none.so", RTLD_NOLOAD | RTLD_NOW) == NULL);
    error("not loaded");
    error("asked again");

    int (*exported)(int) = (int (*)(int))dlsym(self, "km_exported");
    INT(exported ? exported(5) : -1);
    int *variable = dlsym(RTLD_DEFAULT, "km_variable");
    INT(variable ? *variable : -1);
    INT(weak_and_absent == NULL);
    double (*cosine)(double) = (double (*)(double))dlsym(libc, "cos");
    printf("%a\n", cosine ? cosine(0.5) : 0);
    INT(dlsym(libc, "km_exported") == NULL);
    error("not of the library");
    INT(dlsym(self, "a name that nothing has") == NULL);
    error("unknown");
    INT(dlsym((void *)&km_variable, "x") == NULL);
    error("no handle");
    // The program's own comes first, the library's next.
    int (*own)(int) = (int (*)(int))dlsym(RTLD_DEFAULT, "isatty"), (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "isatty");
    INT(own ? own(0) : -1);
    INT(own == isatty);
    INT(next && next != own ? next(-1) : -2);
    INT(dlsym(RTLD_NEXT, "km_exported") == NULL);
    error("not in the next");
    int *(*location)(void) = (int *(*)(void))dlsym(libc, "__errno_location");
    INT(location && location() == &errno);

    Dl_info info = {0};
    INT(dladdr((void *)km_exported, &info));
    TEXT(info.dli_sname);
    INT(info.dli_saddr == (void *)km_exported);
    INT(dladdr((char *)&km_variable + 1, &info));
    TEXT(info.dli_sname);
    INT(dladdr((void *)cosine, &info));
    TEXT(info.dli_sname);
    INT(dladdr((void *)16, &info));
    int local;
    INT(dladdr(&local, &info));
    struct link_map *map = NULL;
    INT(dlinfo(self, RTLD_DI_LINKMAP, &map));
    int objects = 0;
    for (struct link_map *m = map; m; m = m->l_next)
        objects++;
    INT(objects);
    INT(dlinfo(self, 99, &map));
    error("dlinfo");
    int count[5] = {0};
    INT(dl_iterate_phdr(listed, count));
    printf("%d objects, %d dynamic, %d with us, %d with printf, size %d\n", count[0], count[1], count[2], count[3], count[4]);

    // An error belongs to the thread that has made it.
    dlsym(self, "not there");
    pthread_t t;
    pthread_create(&t, NULL, from_thread, self);
    pthread_join(t, NULL);
    error("in the first thread");
    INT(dlclose(libc));
    INT(dlclose(self));
    INT(dlclose(&km_variable) != 0);
    error("closed nothing");
    return 0;
}
