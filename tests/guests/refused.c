// Every call that km refuses, with arguments a program could have. Natively some of them work: they do no harm.
// Without an argument it says what it has called; with `errors`, what came of it, which src/conformance.rs compares with km's table.
// km-test: links=static-musl,static-kontain
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <linux/landlock.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *name_of(int error)
{
    static const struct { int error; const char *name; } names[] = {
        {EPERM, "EPERM"}, {EINTR, "EINTR"}, {EBADF, "EBADF"}, {EACCES, "EACCES"}, {EFAULT, "EFAULT"}, {EINVAL, "EINVAL"},
        {ENOSPC, "ENOSPC"}, {ENOSYS, "ENOSYS"}, {EOPNOTSUPP, "EOPNOTSUPP"}, {ENODEV, "ENODEV"}, {ENOENT, "ENOENT"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].error == error)
            return names[i].name;
    return "another";
}

static char memory[4 * 4096] __attribute__((aligned(4096)));

int main(int argc, char **argv)
{
    int shows = argc > 1 && strcmp(argv[1], "errors") == 0, file = open("/proc/self/exe", O_RDONLY), own = getpid();
    struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE, .size = sizeof event, .config = PERF_COUNT_SW_TASK_CLOCK, .disabled = 1};
    struct landlock_ruleset_attr rules = {.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE};
    struct landlock_path_beneath_attr beneath = {.allowed_access = LANDLOCK_ACCESS_FS_EXECUTE, .parent_fd = file};
    struct iovec local = {memory, 16}, remote = {memory + 16, 16};
    union bpf_attr program;
    unsigned long nodes = 1, parameters[16] = {0}, value[2] = {0, 0};
    int mode;
    memset(&program, 0, sizeof program);
    program.map_type = BPF_MAP_TYPE_ARRAY;
    program.key_size = program.value_size = 4;
    program.max_entries = 1;
    const long at = (long)memory, size = sizeof memory;
    const struct { const char *name; long nr, args[6]; } calls[] = {
        {"ptrace", 101, {PTRACE_PEEKDATA, own, at}},
        {"uselib", 134, {(long)"/lib/libc.so"}},
        {"sysfs", 139, {3}},
        {"modify_ldt", 154, {0, at, 16}},
        {"_sysctl", 156, {at}},
        {"swapon", 167, {(long)"/no/such/swap", 0}},
        {"swapoff", 168, {(long)"/no/such/swap"}},
        // The first number is not the one that makes it act.
        {"reboot", 169, {0, 0, RB_DISABLE_CAD, 0}},
        {"iopl", 172, {0}},
        {"ioperm", 173, {0x80, 1, 0}},
        {"create_module", 174, {(long)"km", 4096}},
        {"init_module", 175, {at, 16, (long)""}},
        {"delete_module", 176, {(long)"no_such_module", O_NONBLOCK}},
        {"get_kernel_syms", 177, {0}},
        {"query_module", 178, {0}},
        {"quotactl", 179, {0x80000700, (long)"/no/such/device", 0, at}},
        {"nfsservctl", 180, {0}},
        {"getpmsg", 181, {0}},
        {"putpmsg", 182, {0}},
        {"afs_syscall", 183, {0}},
        {"tuxcall", 184, {0}},
        {"security", 185, {0}},
        {"set_thread_area", 205, {at}},
        {"get_thread_area", 211, {at}},
        {"lookup_dcookie", 212, {1, at, 100}},
        {"epoll_ctl_old", 214, {0}},
        {"epoll_wait_old", 215, {0}},
        {"remap_file_pages", 216, {at, 4096, 0, 0, 0}},
        {"restart_syscall", 219, {0}},
        {"vserver", 236, {0}},
        {"mbind", 237, {at, size, 0, 0, 0, 0}},
        {"set_mempolicy", 238, {0, 0, 0}},
        {"get_mempolicy", 239, {(long)&mode, 0, 0, 0, 0}},
        {"kexec_load", 246, {0, 1, 1, 0}},
        {"add_key", 248, {(long)"user", (long)"km:refused", 0, -1, KEY_SPEC_THREAD_KEYRING}},
        {"request_key", 249, {(long)"user", (long)"km:refused", 0, 0}},
        {"keyctl", 250, {KEYCTL_GET_KEYRING_ID, KEY_SPEC_THREAD_KEYRING, 0}},
        {"migrate_pages", 256, {0, 1, (long)&nodes, (long)&nodes}},
        {"move_pages", 279, {0, 0, 0, 0, 0, 0}},
        {"perf_event_open", 298, {(long)&event, 0, -1, -1, 0}},
        {"process_vm_readv", 310, {own, (long)&local, 1, (long)&remote, 1, 0}},
        {"process_vm_writev", 311, {own, (long)&local, 1, (long)&remote, 1, 0}},
        {"finit_module", 313, {file, (long)"", 0}},
        {"kexec_file_load", 320, {-1, -1, 1, (long)"", 0}},
        {"bpf", 321, {BPF_MAP_CREATE, (long)&program, sizeof program}},
        {"userfaultfd", 323, {O_CLOEXEC | 1}},
        {"pkey_alloc", 330, {0, 0}},
        {"pkey_free", 331, {1}},
        // As a library would, but not of a length that could be registered.
        {"rseq", 334, {at, 1, 0, 0x53053053}},
        {"io_uring_setup", 425, {4, (long)parameters}},
        {"io_uring_enter", 426, {file, 1, 0, 0, 0, 0}},
        {"io_uring_register", 427, {file, 0, 0, 0}},
        {"pidfd_getfd", 438, {file, 0, 0}},
        {"process_madvise", 440, {file, (long)&local, 1, MADV_COLD, 0}},
        {"quotactl_fd", 443, {file, 0x80000700, 0, at}},
        {"landlock_create_ruleset", 444, {(long)&rules, 8, 0}},
        {"landlock_add_rule", 445, {file, LANDLOCK_RULE_PATH_BENEATH, (long)&beneath, 0}},
        {"landlock_restrict_self", 446, {file, 0}},
        {"memfd_secret", 447, {O_CLOEXEC}},
        {"set_mempolicy_home_node", 450, {at, size, 0, 0}},
        {"map_shadow_stack", 453, {0, 4096, 0}},
        {"lsm_set_self_attr", 460, {100, (long)value, 8, 0}},
        {"mseal", 462, {at, 0, 0}},
        {"rseq_slice_yield", 471, {0}},
        // Natively only the kernel's own code may make these, and a signal is the answer: not from here.
        {"uretprobe", 335, {0}},
        {"uprobe", 336, {0}},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        const long *a = calls[i].args;
        if (!shows && calls[i].nr >= 335 && calls[i].nr <= 336) {
            printf("%s\n", calls[i].name);
            continue;
        }
        errno = 0;
        long got = syscall(calls[i].nr, a[0], a[1], a[2], a[3], a[4], a[5]);
        if (shows)
            printf("%s %s\n", calls[i].name, got == -1 ? name_of(errno) : "done");
        else
            printf("%s\n", calls[i].name);
    }
    return 0;
}
