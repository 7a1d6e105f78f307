// The frame of the programs that die: one way of dying, chosen by the first argument.
#ifndef KM_FAULT_H
#define KM_FAULT_H

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

struct fault {
    const char *name;
    void (*die)(void);
};
#define FAULT(name) {#name, name}

static inline int run_fault(const struct fault *faults, size_t count, int argc, char **argv)
{
    // Death by signal leaves no core here.
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    for (size_t i = 0; argc == 2 && i < count; i++) {
        if (strcmp(faults[i].name, argv[1]))
            continue;
        printf("about to die: %s\n", argv[1]);
        fflush(stdout);
        faults[i].die();
        printf("FAIL %s: still alive\n", argv[1]);
        return 1;
    }
    puts("FAIL: no such fault");
    return 1;
}

#endif
