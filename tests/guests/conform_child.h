// Probes in a child process, whose changes go with it.
#ifndef KM_CONFORM_CHILD_H
#define KM_CONFORM_CHILD_H

#include "conform.h"
#include "tasks.h"
#include <grp.h>
#include <linux/capability.h>

#define NOBODY 65534

// Runs this in a child; what it prints stands in its place.
static inline void apart(const char *name, void (*run)(void))
{
    fflush(stdout);
    pid_t pid = NEED(fork());
    if (pid == 0) {
        alarm(LIMIT);
        run();
        fflush(stdout);
        _exit(0);
    }
    printf("%s: ended with %d\n", name, end_of(pid));
}

// Nobody's rights, and no way back.
static inline void become_nobody(void)
{
    if (geteuid() != 0)
        return;
    NEED(syscall(SYS_setgroups, 0, NULL));
    NEED(syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY));
    NEED(syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY));
}

// The same user with no capability.
static inline void drop_capabilities(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2];
    memset(none, 0, sizeof none);
    NEED(syscall(SYS_capset, &header, none));
}

#endif
