//! The stressors of `stress-ng`: which are run, and what is known of them.

use std::collections::BTreeSet;
use std::io;
use std::process::Command;

pub const STRESS_NG: &str = "/usr/bin/stress-ng";

pub const CLASSES: &str = "cpu memory vm io filesystem network os pipe scheduler";

/// What a stressor would reach for, and the stressors that are never run.
pub const LEFT_OUT: [(&str, &str); 4] = [
    (
        "random instructions, which may be any system call",
        "opcode",
    ),
    (
        "devices, drivers and settings of the machine",
        "bad-ioctl binderfs cpu-online dev efivar idle-page loop memhotplug netdev pci rawdev \
         reboot rtc smi softlockup swap sysfs tun uprobe watchdog",
    ),
    (
        "all memory, or all room where others have files",
        "bigheap dev-shm oom-pipe physpage",
    ),
    ("mounts and quotas", "bind-mount quota ramfs umount"),
];

/// Why a stressor fails under km.
const KNOWN: [(&str, &str); 12] = [
    ("aiol", "`io_setup` is `ENOSYS`"),
    ("hrtimers", "its timer is faster than a signal's delivery"),
    ("io-uring", "`io_uring_setup` is `ENOSYS`"),
    ("key", "`add_key` is `ENOSYS`"),
    ("kvm", "a payload has no KVM of its own"),
    ("landlock", "`landlock_create_ruleset` is `ENOSYS`"),
    ("ptrace", "`ptrace` is `EPERM`"),
    ("resources", "slow: thousands of calls at some 90 µs each"),
    ("secretmem", "`memfd_secret` is `ENOSYS`"),
    ("usersyscall", "`PR_SET_SYSCALL_USER_DISPATCH` is `EINVAL`"),
    (
        "vm-rw",
        "`CLONE_VM` without `THREAD` or `VFORK` is `EINVAL`",
    ),
    ("vm-segv", "`ptrace` is `EPERM`"),
];

pub fn reason(stressor: &str) -> Option<&'static str> {
    let known = KNOWN.iter().find(|(name, _)| *name == stressor);
    known.map(|(_, reason)| *reason)
}

/// The names of all that are to be run.
pub fn all() -> io::Result<Vec<String>> {
    let mut names = BTreeSet::new();
    for class in CLASSES.split(' ') {
        let question = format!("--class={class}?");
        let output = Command::new(STRESS_NG).arg(question).output()?.stdout;
        // `class 'pipe' stressors: fifo pipe`
        let text = String::from_utf8_lossy(&output).into_owned();
        let list = text.split_once(':').map_or("", |(_, list)| list);
        names.extend(list.split_whitespace().map(String::from));
    }
    let is_left_out = |name: &str| {
        LEFT_OUT
            .iter()
            .any(|(_, l)| l.split(' ').any(|n| n == name))
    };
    names.retain(|name| !is_left_out(name));
    Ok(names.into_iter().collect())
}
