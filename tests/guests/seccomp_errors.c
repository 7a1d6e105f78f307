// seccomp: what every wrong use comes to.
#include "seccomp.h"
#include <linux/capability.h>
#include <sys/mman.h>

static const struct sock_filter allow[] = {RETURN(SECCOMP_RET_ALLOW)};
static const struct sock_fprog good = {.len = 1, .filter = (struct sock_filter *)allow};
static void *const nowhere = (void *)8;

static void operations(void)
{
    struct sock_fprog empty = {.len = 0, .filter = (struct sock_filter *)allow};
    struct sock_fprog long_one = {.len = BPF_MAXINSNS + 1, .filter = (struct sock_filter *)allow};
    struct sock_fprog null = {.len = 1, .filter = NULL};
    struct sock_fprog astray = {.len = 1, .filter = nowhere};
    uint32_t action = SECCOMP_RET_ALLOW;
    int mode = prctl(PR_GET_SECCOMP);

    ERR("unknown operation", seccomp(77, 0, NULL), EINVAL);
    ERR("strict with flags", seccomp(SECCOMP_SET_MODE_STRICT, 1, NULL), EINVAL);
    ERR("strict with arguments", seccomp(SECCOMP_SET_MODE_STRICT, 0, &action), EINVAL);
    ERR("unknown flag", seccomp(SECCOMP_SET_MODE_FILTER, 1 << 20, &good), EINVAL);
    ERR("unknown flag first", seccomp(SECCOMP_SET_MODE_FILTER, 1 << 20, NULL), EINVAL);
    ERR("killable without a listener",
        seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &good), EINVAL);
    ERR("listener and tsync",
        seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC, &good), EINVAL);
    ERR("no program", seccomp(SECCOMP_SET_MODE_FILTER, 0, NULL), EFAULT);
    ERR("program astray", seccomp(SECCOMP_SET_MODE_FILTER, 0, nowhere), EFAULT);
    ERR("program, known flag", seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, NULL), EFAULT);
    ERR("length 0", seccomp(SECCOMP_SET_MODE_FILTER, 0, &empty), EINVAL);
    ERR("too long", seccomp(SECCOMP_SET_MODE_FILTER, 0, &long_one), EINVAL);
    ERR("no instructions", seccomp(SECCOMP_SET_MODE_FILTER, 0, &null), EINVAL);
    ERR("instructions astray", seccomp(SECCOMP_SET_MODE_FILTER, 0, &astray), EFAULT);

    char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    NEED(munmap(pages + 4096, 4096));
    struct sock_filter *edge = (struct sock_filter *)(pages + 4096) - 1;
    *edge = allow[0];
    struct sock_fprog half = {.len = 2, .filter = edge};
    ERR("second instruction astray", seccomp(SECCOMP_SET_MODE_FILTER, 0, &half), EFAULT);
    struct sock_fprog *cut = (struct sock_fprog *)(pages + 4096 - 8);
    ERR("half a program", seccomp(SECCOMP_SET_MODE_FILTER, 0, cut), EFAULT);

    ERR("action with flags", seccomp(SECCOMP_GET_ACTION_AVAIL, 1, &action), EINVAL);
    ERR("no action", seccomp(SECCOMP_GET_ACTION_AVAIL, 0, NULL), EFAULT);
    static const uint32_t known[] = {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO,
                                     SECCOMP_RET_TRACE,        SECCOMP_RET_LOG,         SECCOMP_RET_ALLOW};
    for (size_t i = 0; i < COUNT(known); i++)
        EQ("action is available", seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &known[i]), 0);
    action = 0x00010000;
    ERR("unknown action", seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action), EOPNOTSUPP);
    action = SECCOMP_RET_ERRNO | 1;
    ERR("action with data", seccomp(SECCOMP_GET_ACTION_AVAIL, 0, &action), EOPNOTSUPP);

    struct seccomp_notif_sizes sizes = {0, 0, 0};
    ERR("sizes with flags", seccomp(SECCOMP_GET_NOTIF_SIZES, 1, &sizes), EINVAL);
    ERR("sizes nowhere", seccomp(SECCOMP_GET_NOTIF_SIZES, 0, NULL), EFAULT);
    EQ("sizes", seccomp(SECCOMP_GET_NOTIF_SIZES, 0, &sizes), 0);
    EQ("size of the data", sizes.seccomp_data, sizeof(struct seccomp_data));

    ERR("prctl, no mode", prctl(PR_SET_SECCOMP, 0, 0), EINVAL);
    ERR("prctl, unknown mode", prctl(PR_SET_SECCOMP, 3, &good), EINVAL);
    ERR("prctl, mode of 64 bits", prctl(PR_SET_SECCOMP, 0x100000002, &good), EINVAL);
    ERR("prctl, no program", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL), EFAULT);
    EQ("still the mode it had", prctl(PR_GET_SECCOMP), mode);
}

static void denied(const struct sock_fprog *null, const struct sock_fprog *empty)
{
    ERR("without privilege", seccomp(SECCOMP_SET_MODE_FILTER, 0, &good), EACCES);
    ERR("by prctl", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &good), EACCES);
    ERR("length comes before", seccomp(SECCOMP_SET_MODE_FILTER, 0, empty), EINVAL);
    ERR("flags, too", seccomp(SECCOMP_SET_MODE_FILTER, 1 << 20, &good), EINVAL);
    ERR("address, too", seccomp(SECCOMP_SET_MODE_FILTER, 0, NULL), EFAULT);
    ERR("instructions come after", seccomp(SECCOMP_SET_MODE_FILTER, 0, null), EACCES);
}

static int unprivileged(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
    struct sock_fprog empty = {.len = 0, .filter = (struct sock_filter *)allow};
    struct sock_fprog null = {.len = 1, .filter = NULL};
    NEED(syscall(SYS_capset, &header, none));
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0))
        SKIP("without privilege", "no_new_privs is set already");
    else
        denied(&null, &empty);
    no_new_privs();
    OK("with no_new_privs", seccomp(SECCOMP_SET_MODE_FILTER, 0, &good));
    OK("flags that change little",
       seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW, &good));
    OK("prctl, with more arguments", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &good, 7, 7));
    EQ("mode", prctl(PR_GET_SECCOMP), SECCOMP_MODE_FILTER);
    ERR("strict after filters", seccomp(SECCOMP_SET_MODE_STRICT, 0, NULL), EINVAL);
    ERR("by prctl, too", prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), EINVAL);
    return 0;
}

int main(void)
{
    tasks_begin();
    operations();
    EQ("unprivileged", child_end(unprivileged), 0);
    return check_done();
}
