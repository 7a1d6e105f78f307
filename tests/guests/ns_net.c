// Network, UTS, IPC and cgroup namespaces: of a process, of a single thread, of a child made by clone, vfork or clone3, entered by
// setns; and sandboxes as browsers make them.
#include "namespaces.h"
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/utsname.h>

static int loopback_up(void)
{
    int fd = NEED(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    struct ifreq request = {.ifr_name = "lo"};
    int done = ioctl(fd, SIOCGIFFLAGS, &request);
    request.ifr_flags |= IFF_UP;
    done |= ioctl(fd, SIOCSIFFLAGS, &request);
    close(fd);
    return done;
}

// A connection over the loopback device.
static int talks(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int server = NEED(socket(AF_INET, SOCK_STREAM, 0)), client = NEED(socket(AF_INET, SOCK_STREAM, 0));
    if (bind(server, (void *)&address, size) != 0 || listen(server, 1) != 0)
        return -1;
    NEED(getsockname(server, (void *)&address, &size));
    int done = connect(client, (void *)&address, size);
    char byte = 0;
    if (done == 0) {
        int peer = NEED(accept(server, NULL, NULL));
        NEED(write(client, "x", 1));
        NEED(read(peer, &byte, 1));
        close(peer);
    }
    close(server);
    close(client);
    return byte == 'x' ? 0 : -1;
}

static const char *host_name(void)
{
    static struct utsname name;
    NEED(uname(&name));
    return name.nodename;
}

static int of_a_process(void)
{
    if (enter(CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP) != 0)
        return 98;
    ERR("no way", talks(), ENETUNREACH);
    OK("up", loopback_up());
    OK("talks", talks());
    OK("a low port", ({
           struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};
           bind(NEED(socket(AF_INET, SOCK_STREAM, 0)), (void *)&address, sizeof address);
       }));
    OK("name", sethostname("km-test", 7));
    STR("read", host_name(), "km-test");
    int segment = shmget(1234, 4096, IPC_CREAT | 0600);
    OK("shared memory", segment);
    char *memory = shmat(segment, NULL, 0);
    CHECK("attached", memory != (void *)-1);
    strcpy(memory, "text");
    pid_t pid = fork_child();
    if (pid == 0)
        _exit(strcmp(memory, "text") == 0 && shmget(1234, 4096, 0600) == segment ? 5 : 6);
    EQ("a child", end_of(pid), 5);
    int set = semget(77, 1, IPC_CREAT | 0600);
    OK("semaphore", set);
    OK("up", semop(set, &(struct sembuf){0, 2, SEM_UNDO}, 1));
    OK("elsewhere", unshare(CLONE_NEWIPC));
    ERR("not there", shmget(1234, 4096, 0600), ENOENT);
    STR("still attached", memory, "text");
    OK("detached", shmdt(memory));
    char cgroup[256] = "";
    int fd = NEED(open("/proc/self/cgroup", O_RDONLY));
    ssize_t len = read(fd, cgroup, sizeof cgroup - 1);
    // Without a hierarchy there is no line.
    CHECK("cgroup", len == 0 || strstr(cgroup, ":/\n") != NULL);
    return 0;
}

static void *renames(void *arg)
{
    OK("in a thread", unshare(CLONE_NEWUTS | CLONE_NEWNET));
    OK("name", sethostname("thread", 6));
    OK("up", loopback_up());
    OK("talks", talks());
    STR("its name", host_name(), "thread");
    EQ("its child", ({
           pid_t pid = fork_child();
           if (pid == 0)
               _exit(strcmp(host_name(), "thread") == 0 ? 5 : 6);
           end_of(pid);
       }), 5);
    return arg;
}

static int of_a_thread(void)
{
    if (enter(CLONE_NEWUTS) != 0)
        return 98;
    OK("name", sethostname("process", 7));
    join(thread(renames, NULL));
    STR("not that of the process", host_name(), "process");
    ino_t own = namespace_of("self", "net");
    int fd = NEED(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    for (int i = 0; i < 3; i++) {
        OK("another", unshare(CLONE_NEWNET));
        CHECK("it is", namespace_of("self", "net") != own);
        ERR("not what it is", setns(fd, CLONE_NEWUTS), EINVAL);
        // Nor has it rights on the first one.
        ERR("not back", setns(fd, CLONE_NEWNET), EPERM);
    }
    return 0;
}

static int cloned(void)
{
    if (enter(0) != 0)
        return 98;
    struct {
        unsigned long flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    } args = {.flags = CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWPID | CLONE_PIDFD, .exit_signal = SIGCHLD};
    int pidfd = -1;
    args.pidfd = (unsigned long)&pidfd;
    fflush(stdout);
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0)
        _exit(sethostname("clone3", 6) == 0 && getpid() == 1 && loopback_up() == 0 ? 5 : 6);
    CHECK("a pidfd", pidfd >= 0);
    EQ("by clone3", end_of(pid), 5);
    // As vfork: of both kinds, and with a pidfd.
    char name[32];
    strcpy(name, host_name());
    for (int i = 0; i < 2; i++) {
        unsigned long flags = CLONE_VM | CLONE_VFORK | CLONE_NEWUTS | CLONE_NEWPID | SIGCHLD | (i ? CLONE_PIDFD : 0);
        pidfd = -1;
        __asm__ volatile("syscall" : "=a"(pid) : "a"(SYS_clone), "D"(flags), "S"(0), "d"(&pidfd) : "rcx", "r11", "memory");
        if (pid == 0)
            _exit(sethostname("vforked", 7) == 0 && getpid() == 1 ? 5 : 6);
        EQ("by vfork", end_of(pid), 5);
        EQ("with a pidfd", pidfd >= 0, i);
    }
    STR("the own name", host_name(), name);
    ERR("undo lists", syscall(SYS_clone, CLONE_NEWIPC | CLONE_SYSVSEM | SIGCHLD, NULL, NULL, NULL, NULL), EINVAL);
    ERR("directory", syscall(SYS_clone, CLONE_NEWNS | CLONE_FS | SIGCHLD, NULL, NULL, NULL, NULL), EINVAL);
    ERR("directory, for a user", syscall(SYS_clone, CLONE_NEWUSER | CLONE_FS | SIGCHLD, NULL, NULL, NULL, NULL), EINVAL);
    unsigned long threads = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_FILES;
    ERR("a thread elsewhere", syscall(SYS_clone, threads | CLONE_NEWPID, 1, NULL, NULL, NULL), EINVAL);
    ERR("a thread of another user", syscall(SYS_clone, threads | CLONE_NEWUSER, 1, NULL, NULL, NULL), EINVAL);
    return 0;
}

static int no_rights(void)
{
    // Without a user namespace of its own.
    if (geteuid() == 0) {
        if (enter(0) != 0 || prctl(PR_SET_SECUREBITS, 0) != 0)
            return 98;
        for (int cap = 0; cap < 41; cap++)
            prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
        struct {
            unsigned version;
            int pid;
        } head = {0x20080522, 0};
        unsigned none[6] = {0};
        NEED(syscall(SYS_capset, &head, none));
    }
    static const int kinds[] = {CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWPID, CLONE_NEWCGROUP};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        ERR("unshare", unshare(kinds[i]), EPERM);
        ERR("clone", clone_child((unsigned long)kinds[i]), EPERM);
        ERR("vfork", syscall(SYS_clone, (unsigned long)kinds[i] | CLONE_VM | CLONE_VFORK | SIGCHLD, NULL, NULL, NULL, NULL), EPERM);
    }
    pid_t pid = fork_child();
    if (pid == 0)
        _exit(4);
    EQ("a child", end_of(pid), 4);
    return 0;
}

// As a browser's zygote: a child in new namespaces, which takes its rights from itself.
static int sandboxed(void)
{
    int ready[2], go[2];
    NEED(pipe(ready));
    NEED(pipe(go));
    unsigned uid = geteuid(), gid = getegid();
    fflush(stdout);
    pid_t pid = NEED(clone_child(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET));
    if (pid == 0) {
        await(go[0]);
        int bad = map_ids("self", uid, gid) != 0;
        bad |= getpid() != 1;
        // Another root: a directory of a process that is gone.
        pid_t helper = (pid_t)syscall(SYS_clone, CLONE_FS | SIGCHLD, NULL, NULL, NULL, NULL);
        if (helper == 0)
            _exit(chroot("/proc/self/fdinfo") | chdir("/"));
        bad |= (end_of(helper) != 0) << 1;
        bad |= (open("/proc/self/exe", O_RDONLY) != -1) << 2;
        bad |= (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) << 3;
        struct {
            unsigned version;
            int pid;
        } head = {0x20080522, 0};
        unsigned none[6] = {0};
        bad |= (syscall(SYS_capset, &head, none) != 0) << 4;
        bad |= (unshare(CLONE_NEWUTS) != -1 || errno != EPERM) << 5;
        pid_t renderer = fork_child();
        if (renderer == 0)
            _exit(getppid() == 1 && socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 5 : 6);
        bad |= (end_of(renderer) != 5) << 6;
        tell(ready[1]);
        _exit(bad);
    }
    tell(go[1]);
    await(ready[0]);
    EQ("its checks", end_of(pid), 0);
    return 0;
}

int main(void)
{
    tasks_begin();
    if (!may_enter(CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP)) {
        SKIP("namespaces", "not permitted here");
        return check_done();
    }
    EQ("of a process", child_end(of_a_process), 0);
    EQ("of a thread", child_end(of_a_thread), 0);
    EQ("cloned", child_end(cloned), 0);
    EQ("no rights", child_end(no_rights), 0);
    EQ("sandboxed", child_end(sandboxed), 0);
    return check_done();
}
