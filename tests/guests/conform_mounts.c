// Mounts, file systems without a place, and roots, with wrong arguments and without the privilege: nothing is mounted anywhere.
// Raw calls: the C library makes no difference.
// km-test: links=static-musl,static-kontain
// km-test: timeout=60
#include "conform_child.h"
#include <sys/mount.h>
#include <sys/stat.h>

// Of calls newer than the C library.
enum { OPEN_TREE = 428, MOVE_MOUNT, FSOPEN, FSCONFIG, FSMOUNT, FSPICK, MOUNT_SETATTR = 442, STATMOUNT = 457, LISTMOUNT, OPEN_TREE_ATTR = 467, LISTNS = 470 };

static int dir, context, mounted = -1;

// A file system that was not made yet.
static void configured(void)
{
    if (context >= 0)
        close(context);
    context = (int)syscall(FSOPEN, "tmpfs", 0);
    if (context >= 0 && dup2(context, 400) >= 0) {
        close(context);
        context = 400;
    }
}

static void old_calls(void)
{
    const struct subject subjects[] = {
        {"mount", SYS_mount, DONE,
         {{NAME, (long)"none", 0}, {NAME, (long)"none", 0}, {NAME, (long)"no-such-fs", 0}, {KEEP, 0, 0}, {NAME, (long)"data", 0}}, NULL},
        {"mount of a file system that is none", SYS_mount, DONE,
         {{NAME, (long)"none", 0}, {NAME, (long)"directory", 0}, {NAME, (long)"no-such-fs", 0}, {BITS, 0, 0xf82f7020}, {NAME, (long)"data", 0}}, NULL},
        {"umount2", SYS_umount2, DONE, {{NAME, (long)"directory", 0}, {BITS, 0, 0}}, NULL},
        {"pivot_root", SYS_pivot_root, DONE, {{NAME, (long)"directory", 0}, {NAME, (long)"directory", 0}}, NULL},
        {"chroot", SYS_chroot, DONE, {{NAME, (long)"file", 0}}, NULL},
    };
    conform(subjects, conform_len(subjects));
    static const char *const kinds[] = {"tmpfs", "ext4", "proc", "no-such-fs", ""};
    static const unsigned long flags[] = {0, MS_REMOUNT, MS_BIND, MS_MOVE, MS_SHARED, MS_PRIVATE | MS_SHARED, MS_REMOUNT | MS_BIND, 0xc0ed0000};
    for (size_t k = 0; k < conform_len(kinds); k++)
        for (size_t f = 0; f < conform_len(flags); f++) {
            char how[48];
            snprintf(how, sizeof how, "%s with %lx", kinds[k], flags[f]);
            probe("mount onto nothing", how, DONE, SYS_mount, (long)"none", (long)"none", (long)kinds[k], (long)flags[f], 0);
            // A file is no place for a directory.
            if (!(flags[f] & (MS_BIND | MS_SHARED | MS_PRIVATE)))
                probe("mount onto a file", how, DONE, SYS_mount, (long)"none", (long)"file", (long)kinds[k], (long)flags[f], 0);
            probe("mount onto a descriptor", how, DONE, SYS_mount, (long)"none", 1, (long)kinds[k], (long)flags[f], 0);
        }
    probe("umount2", "EXPIRE and FORCE", DONE, SYS_umount2, (long)"directory", MNT_EXPIRE | MNT_FORCE);
    probe("umount2", "of a link", DONE, SYS_umount2, (long)"link", UMOUNT_NOFOLLOW);
    probe("umount2", "nowhere", DONE, SYS_umount2, (long)"none", 0);
}

static void trees(void)
{
    unsigned long attr[4] = {0, 0, 0, 0};
    const struct subject subjects[] = {
        {"open_tree", OPEN_TREE, NEWFD, {{DESC, dir, 0}, {NAME, (long)"directory", 0}, {BITS, O_CLOEXEC, 0}}, NULL},
        {"open_tree of a copy", OPEN_TREE, NEWFD, {{DESC, dir, 0}, {NAME, (long)"directory", 0}, {BITS, 1 | O_CLOEXEC, 0}}, NULL},
        {"open_tree_attr", OPEN_TREE_ATTR, NEWFD,
         {{DESC, dir, 0}, {NAME, (long)"directory", 0}, {BITS, 1 | O_CLOEXEC, 0}, {IN, (long)attr, 32}, {COUNT, 32, 0}}, NULL},
        {"move_mount", MOVE_MOUNT, DONE,
         {{DESC, dir, 0}, {NAME, (long)"directory", 0}, {DESC, dir, 0}, {NAME, (long)"directory", 0}, {BITS, 0, 0}}, NULL},
        {"mount_setattr", MOUNT_SETATTR, DONE, {{DESC, dir, 0}, {NAME, (long)"directory", 0}, {BITS, 0, 0}, {IN, (long)attr, 32}, {COUNT, 32, 0}}, NULL},
        {"fspick", FSPICK, NEWFD, {{DESC, dir, 0}, {NAME, (long)"directory", 0}, {BITS, 0, 0}}, NULL},
    };
    conform(subjects, conform_len(subjects));
    for (int word = 0; word < 4; word++)
        for (int bit = 0; bit < 64; bit += 3) {
            char how[32];
            snprintf(how, sizeof how, "word %d, bit %d", word, bit);
            unsigned long one[4] = {0, 0, 0, 0};
            one[word] = 1UL << bit;
            // Of a directory that is no mount.
            probe("mount_setattr", how, DONE, MOUNT_SETATTR, dir, (long)"directory", 0, (long)one, 32);
        }
    unsigned long longer[8] = {0};
    probe("mount_setattr", "longer", DONE, MOUNT_SETATTR, dir, (long)"directory", 0, (long)longer, 64);
    longer[6] = 1;
    probe("mount_setattr", "longer, not zero", DONE, MOUNT_SETATTR, dir, (long)"directory", 0, (long)longer, 64);
    probe("open_tree", "by EMPTY_PATH", NEWFD, OPEN_TREE, dir, (long)"", AT_EMPTY_PATH);
    probe("open_tree", "of 15000 by EMPTY_PATH", NEWFD, OPEN_TREE, 15000, (long)"", AT_EMPTY_PATH);
    probe("move_mount", "of nothing mounted, by EMPTY_PATH", DONE, MOVE_MOUNT, dir, (long)"", dir, (long)"directory", 4);
}

static void contexts(void)
{
    configured();
    const struct subject subjects[] = {
        {"fsopen", FSOPEN, NEWFD, {{NAME, (long)"tmpfs", 0}, {BITS, 0, 0}}, NULL},
        {"fsconfig SET_FLAG", FSCONFIG, DONE, {{DESC, 400, 0}, {KEEP, 0, 0}, {NAME, (long)"ro", 0}, {KEEP, 0, 0}, {KEEP, 0, 0}}, configured},
        {"fsconfig SET_STRING", FSCONFIG, DONE,
         {{DESC, 400, 0}, {KEEP, 1, 0}, {NAME, (long)"size", 0}, {NAME, (long)"1M", 0}, {WORD, 0, 3}}, configured},
        {"fsconfig SET_BINARY", FSCONFIG, DONE,
         {{DESC, 400, 0}, {KEEP, 2, 0}, {NAME, (long)"size", 0}, {IN, (long)"1M", 2}, {COUNT32, 2, 0}}, configured},
        {"fsconfig SET_PATH", FSCONFIG, DONE,
         {{DESC, 400, 0}, {KEEP, 3, 0}, {NAME, (long)"size", 0}, {NAME, (long)"directory", 0}, {DESC, dir, 0}}, configured},
        {"fsconfig SET_PATH_EMPTY", FSCONFIG, DONE,
         {{DESC, 400, 0}, {KEEP, 4, 0}, {NAME, (long)"size", 0}, {NAME, (long)"", 0}, {DESC, dir, 0}}, configured},
        {"fsconfig SET_FD", FSCONFIG, DONE, {{DESC, 400, 0}, {KEEP, 5, 0}, {NAME, (long)"size", 0}, {KEEP, 0, 0}, {DESC, dir, 0}}, configured},
        {"fsconfig CREATE", FSCONFIG, DONE, {{DESC, 400, 0}, {KEEP, 6, 0}, {KEEP, 0, 0}, {KEEP, 0, 0}, {WORD, 0, 3}}, configured},
        {"fsconfig RECONFIGURE", FSCONFIG, DONE, {{DESC, 400, 0}, {KEEP, 7, 0}, {KEEP, 0, 0}, {KEEP, 0, 0}, {WORD, 0, 3}}, configured},
        {"fsconfig", FSCONFIG, DONE, {{DESC, 400, 0}, {WORD, 0, 20}, {KEEP, 0, 0}, {KEEP, 0, 0}, {KEEP, 0, 0}}, configured},
        {"fsconfig all wrong", FSCONFIG, DONE, {{DESC, 400, 0}, {WORD, 0, 20}, {KEEP, 1, 0}, {KEEP, 1, 0}, {KEEP, -1, 0}}, configured},
        {"fsmount", FSMOUNT, NEWFD, {{DESC, 400, 0}, {BITS, 1, 0}, {BITS, 0, 0}}, configured},
    };
    conform(subjects, conform_len(subjects));
    static const char *const kinds[] = {"proc", "ramfs", "no-such-fs", "", "tmpfs."};
    for (size_t i = 0; i < conform_len(kinds); i++)
        probe("fsopen", kinds[i], NEWFD, FSOPEN, (long)kinds[i], 0);
    configured();
    probe("fsconfig", "an unknown key", DONE, FSCONFIG, 400, 1, (long)"no-such-key", (long)"value", 0);
    char text[256];
    long got = syscall(SYS_read, 400, text, sizeof text);
    printf("%.*s\n", (int)(got < 0 ? 0 : got), text);
    probe("fsconfig", "create", DONE, FSCONFIG, 400, 6, 0, 0, 0);
    probe("fsconfig", "create again", DONE, FSCONFIG, 400, 6, 0, 0, 0);
    probe("fsconfig", "a key, too late", DONE, FSCONFIG, 400, 1, (long)"size", (long)"1M", 0);
    mounted = (int)syscall(FSMOUNT, 400, 1, 0);
    probe("fsmount", "again", NEWFD, FSMOUNT, 400, 1, 0);
    if (mounted >= 0) {
        probe("mkdirat", "in it", DONE, SYS_mkdirat, mounted, (long)"new", 0700);
        probe("openat", "in it", NEWFD, SYS_openat, mounted, (long)"new/file", O_RDWR | O_CREAT, 0600);
        probe("move_mount", "onto a file", DONE, MOVE_MOUNT, mounted, (long)"", dir, (long)"file", 4);
        probe("move_mount", "onto nothing", DONE, MOVE_MOUNT, mounted, (long)"", dir, (long)"none", 4);
        unsigned long attr[4] = {1, 0, 0, 0};
        probe("mount_setattr", "of it", DONE, MOUNT_SETATTR, mounted, (long)"", AT_EMPTY_PATH, (long)attr, 32);
        probe("openat", "in it, to be read", NEWFD, SYS_openat, mounted, (long)"new/other", O_RDWR | O_CREAT, 0600);
        close(mounted);
    }
}

static void lists(void)
{
    static unsigned long ids[512], told[4096];
    // struct mnt_id_req and struct ns_id_req.
    struct { unsigned size, spare; unsigned long id, parameter, more; } mounts = {24, 0, ULONG_MAX, 0, 0};
    struct { unsigned size, spare; unsigned long id; unsigned type, spare2; unsigned long user; } names = {32, 0, 0, 0, 0, 0};
    struct { unsigned mask; char rest[28]; unsigned long ino; char more[104]; unsigned long id; char last[104]; } status;
    memset(&status, 0, sizeof status);
    // The whole's root, and that of the mount that is here.
    syscall(SYS_statx, dir, "", AT_EMPTY_PATH, 0x4000, &status);
    const struct subject subjects[] = {
        {"listmount", LISTMOUNT, DONE, {{IN, (long)&mounts, 24}, {OUT, (long)ids, sizeof ids}, {KEEP, conform_len(ids), 0}, {BITS, 0, 0}}, NULL},
        {"statmount", STATMOUNT, DONE, {{IN, (long)&mounts, 24}, {OUT, (long)told, 4096}, {COUNT, 4096, 0}, {BITS, 0, 0}}, NULL},
        {"listns", LISTNS, DONE, {{IN, (long)&names, 32}, {OUT, (long)ids, sizeof ids}, {KEEP, conform_len(ids), 0}, {BITS, 0, 0}}, NULL},
    };
    conform(subjects, conform_len(subjects));
    static const unsigned sizes[] = {0, 1, 23, 24, 31, 32, 33, 40, 4096, 4097};
    for (size_t i = 0; i < conform_len(sizes); i++) {
        char how[32];
        static struct { unsigned size, spare; unsigned long id; char rest[5000]; } request;
        snprintf(how, sizeof how, "of %u bytes", sizes[i]);
        request.size = sizes[i];
        request.id = ULONG_MAX;
        probe("listmount", how, DONE, LISTMOUNT, (long)&request, (long)ids, conform_len(ids), 0);
        probe("statmount", how, DONE, STATMOUNT, (long)&request, (long)told, sizeof told, 0);
        request.id = 0;
        probe("listns", how, DONE, LISTNS, (long)&request, (long)ids, conform_len(ids), 0);
    }
    static const unsigned long none[] = {0, 1, 77, 0x7fffffff};
    for (size_t i = 0; i < conform_len(none); i++) {
        mounts.id = none[i];
        probe("listmount", "of no mount", DONE, LISTMOUNT, (long)&mounts, (long)ids, conform_len(ids), 0);
        probe("statmount", "of no mount", DONE, STATMOUNT, (long)&mounts, (long)told, sizeof told, 0);
    }
    mounts.id = ULONG_MAX;
    probe("listmount", "of a million", DONE, LISTMOUNT, (long)&mounts, (long)ids, 1000001, 0);
    probe("listmount", "of none", DONE, LISTMOUNT, (long)&mounts, (long)ids, 0, 0);
    probe("listmount", "of one, at 1", DONE, LISTMOUNT, (long)&mounts, 1, 1, 0);
    names.type = 77;
    probe("listns", "of no type", DONE, LISTNS, (long)&names, (long)ids, 4, 0);
}

static void as_nobody(void)
{
    become_nobody();
    old_calls();
    probe("fsopen", "of nobody", NEWFD, FSOPEN, (long)"tmpfs", 0);
    probe("fspick", "of nobody", NEWFD, FSPICK, dir, (long)"directory", 0);
    probe("open_tree", "of nobody", NEWFD, OPEN_TREE, dir, (long)"directory", 0);
    probe("open_tree", "a copy, of nobody", NEWFD, OPEN_TREE, dir, (long)"directory", 1);
    probe("mount_setattr", "of nobody", DONE, MOUNT_SETATTR, dir, (long)"directory", 0, 1, 32);
    probe("chroot", "of nobody", DONE, SYS_chroot, (long)"directory");
    lists();
}

int main(void)
{
    conform_start();
    dir = NEED(open(".", O_RDONLY | O_DIRECTORY));
    context = -1;
    NEED(chmod(".", 0755));
    NEED(mkdir("directory", 0755));
    NEED(symlink("directory", "link"));
    close(NEED(open("file", O_RDWR | O_CREAT, 0644)));
    apart("old calls", old_calls);
    apart("trees", trees);
    apart("contexts", contexts);
    apart("lists", lists);
    apart("nobody", as_nobody);
    NEED(unlink("link"));
    NEED(unlink("file"));
    NEED(rmdir("directory"));
    return conform_done();
}
