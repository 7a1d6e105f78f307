// What watches files: inotify and fanotify, with wrong arguments.
// Raw calls: the C library makes no difference.
// km-test: links=static-musl,static-kontain
// km-test: timeout=60
#include "conform_child.h"
#include <sys/fanotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

static int dir, group;

static void unmarked(void)
{
    syscall(SYS_fanotify_mark, group, FAN_MARK_FLUSH, 0, dir, NULL);
}

static void fan(void)
{
    const struct subject subjects[] = {
        {"fanotify_init", SYS_fanotify_init, NEWFD, {{BITS, 0, 0}, {BITS, O_RDONLY, 0}}, NULL},
        {"fanotify_init of names", SYS_fanotify_init, NEWFD, {{BITS, 0x200 | 0x400 | 0x800, 0}, {WORD, O_RDONLY, 8}}, NULL},
    };
    conform(subjects, conform_len(subjects));
    group = (int)syscall(SYS_fanotify_init, FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY);
    if (group < 0) {
        printf("skip fanotify_mark: %s\n", error_name(errno));
        group = 777;
    }
    const struct subject marks[] = {
        {"fanotify_mark", SYS_fanotify_mark, DONE,
         {{DESC, group, 0}, {BITS, FAN_MARK_ADD, 1 << 4 | 1 << 8}, {BITS, FAN_OPEN, 0x30000}, {DESC, dir, 0}, {NAME, (long)"file", 0}}, unmarked},
        {"fanotify_mark to be removed", SYS_fanotify_mark, DONE,
         {{KEEP, group, 0}, {KEEP, FAN_MARK_REMOVE, 0}, {KEEP, FAN_OPEN, 0}, {KEEP, dir, 0}, {NAME, (long)"file", 0}}, unmarked},
    };
    conform(marks, conform_len(marks));
    unmarked();
    probe("fanotify_mark", "of a file as a directory", DONE, SYS_fanotify_mark, group, FAN_MARK_ADD | FAN_MARK_ONLYDIR, FAN_OPEN, dir, (long)"file");
    probe("fanotify_mark", "of nothing to be told", DONE, SYS_fanotify_mark, group, FAN_MARK_ADD, 0, dir, (long)"file");
    probe("fanotify_mark", "of AT_FDCWD without a name", DONE, SYS_fanotify_mark, group, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, 0);
    probe("fanotify_mark", "of a descriptor", DONE, SYS_fanotify_mark, group, FAN_MARK_ADD, FAN_OPEN, dir, 0);
    probe("fanotify_mark", "of two things to be done", DONE, SYS_fanotify_mark, group, FAN_MARK_ADD | FAN_MARK_REMOVE, FAN_OPEN, dir, (long)"file");
    char event[64];
    int file = open("file", O_RDONLY);
    close(file);
    probe("read", "of an event without room", NUMBER, SYS_read, group, (long)event, 5);
    probe("write", "of no answer", NUMBER, SYS_write, group, (long)event, 3);
    unmarked();
    probe("read", "of no event", NUMBER, SYS_read, group, (long)event, (long)sizeof event);
}

static void others(void)
{
    int notify = NEED((int)syscall(SYS_inotify_init)), waiting = 7;
    NEED(fcntl(notify, F_SETFL, O_NONBLOCK));
    char event[64];
    probe("read", "of no event", NUMBER, SYS_read, notify, (long)event, (long)sizeof event);
    long watch = NEED(syscall(SYS_inotify_add_watch, notify, "file", 0x20));
    printf("watch %ld\n", watch);
    close(NEED(open("file", O_RDONLY)));
    probe("ioctl", "FIONREAD", NUMBER, SYS_ioctl, notify, FIONREAD, (long)&waiting);
    printf("%d\n", waiting);
    probe("read", "of an event without room", NUMBER, SYS_read, notify, (long)event, 15);
    probe("read", "of an event at 1", NUMBER, SYS_read, notify, 1, 64);
    probe("read", "of an event", NUMBER, SYS_read, notify, (long)event, (long)sizeof event);
    probe("inotify_add_watch", "of a file as a directory", NUMBER, SYS_inotify_add_watch, notify, (long)"file", 0x20 | 0x01000000);
    probe("inotify_add_watch", "of a loop", NUMBER, SYS_inotify_add_watch, notify, (long)"loop", 0x20);
    probe("inotify_add_watch", "of a loop itself", NUMBER, SYS_inotify_add_watch, notify, (long)"loop", 0x20 | 0x02000000);
    probe("inotify_rm_watch", "", NUMBER, SYS_inotify_rm_watch, notify, watch);
    probe("inotify_rm_watch", "again", NUMBER, SYS_inotify_rm_watch, notify, watch);
    probe("inotify_rm_watch", "of nothing", NUMBER, SYS_inotify_rm_watch, notify, -1);
}

static void as_nobody(void)
{
    become_nobody();
    probe("fanotify_init", "of nobody", NEWFD, SYS_fanotify_init, 0, 0);
    probe("fanotify_init", "of nobody, of files' handles", NEWFD, SYS_fanotify_init, 0x200, 0);
    probe("fanotify_init", "of nobody, that decides", NEWFD, SYS_fanotify_init, FAN_CLASS_CONTENT, 0);
    probe("inotify_add_watch", "of what may not be read", NUMBER, SYS_inotify_add_watch, NEED((int)syscall(SYS_inotify_init1, 0)), (long)"secret", 0x20);
}

int main(void)
{
    conform_start();
    NEED(chmod(".", 0755));
    dir = NEED(open(".", O_RDONLY | O_DIRECTORY));
    close(NEED(open("file", O_RDWR | O_CREAT, 0644)));
    close(NEED(open("secret", O_RDWR | O_CREAT, 0000)));
    NEED(symlink("loop", "loop"));
    fan();
    others();
    apart("nobody", as_nobody);
    unlink("loop");
    unlink("secret");
    unlink("file");
    return conform_done();
}
