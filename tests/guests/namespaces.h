// New namespaces, entered by whoever may make a user namespace.
#ifndef KM_NAMESPACES_H
#define KM_NAMESPACES_H

#include "tasks.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/types.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

// Writes a text to a file in one call; 0 if it was taken.
static inline int put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    int done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
    int error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    return done;
}

// Makes these ids 0 in the user namespace of a process.
static inline int map_ids(const char *process, unsigned uid, unsigned gid)
{
    char path[64], text[64];
    snprintf(path, sizeof path, "/proc/%s/setgroups", process);
    if (put(path, "deny") != 0)
        return -1;
    snprintf(path, sizeof path, "/proc/%s/uid_map", process);
    snprintf(text, sizeof text, "0 %u 1", uid);
    if (put(path, text) != 0)
        return -1;
    snprintf(path, sizeof path, "/proc/%s/gid_map", process);
    snprintf(text, sizeof text, "0 %u 1", gid);
    return put(path, text);
}

// Enters a new user namespace as its root, and other namespaces.
static inline int enter(int flags)
{
    unsigned uid = geteuid(), gid = getegid();
    if (unshare(CLONE_NEWUSER | flags) != 0)
        return -1;
    return map_ids("self", uid, gid);
}

// With mounts of its own, which nobody else sees.
static inline int enter_with_mounts(int flags)
{
    return enter(CLONE_NEWNS | flags) == 0 ? mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) : -1;
}

// Whether this machine lets the caller have such namespaces.
static inline int may_enter(int flags)
{
    pid_t pid = fork_child();
    if (pid == 0)
        _exit(enter(flags) == 0 ? 0 : 1);
    return end_of(pid) == 0;
}

// Which namespace of a kind a process is in.
static inline ino_t namespace_of(const char *process, const char *kind)
{
    char path[64];
    struct stat st = {0};
    snprintf(path, sizeof path, "/proc/%s/ns/%s", process, kind);
    return stat(path, &st) == 0 ? st.st_ino : 0;
}

// A child made by clone with more flags.
static inline pid_t clone_child(unsigned long flags)
{
    return (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
}

// Waits for a byte, or sends one.
static inline void await(int fd)
{
    char byte;
    while (read(fd, &byte, 1) == -1 && errno == EINTR) {
    }
}

static inline void tell(int fd) { NEED(write(fd, "x", 1)); }

#endif
