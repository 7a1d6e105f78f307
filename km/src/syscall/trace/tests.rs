//! Lines as strace 6.1 prints them.

use super::*;
use crate::mem::layout::Arenas;
use crate::sys::signal::{HostAction, set_action};
use crate::syscall::{Control, table};

/// Payload memory that is this test's own: each address of the high arena lies
/// at itself.
fn memory() -> GuestMemory {
    let arenas = Arenas::new(47);
    let physical = arenas.physical(arenas.high().start).expect("in the arena");
    let base = arenas.high().start.wrapping_sub(physical);
    GuestMemory::new(arenas, base)
}

/// The address of `bytes`, which must not be on its own page's end.
fn at<T: ?Sized>(bytes: &T) -> u64 {
    std::ptr::from_ref(bytes).cast::<u8>() as u64
}

fn done(value: u64) -> Outcome {
    Outcome::Done(value)
}

/// The line of call `name`.
fn line<const N: usize>(name: &str, args: [u64; N], outcome: Outcome) -> String {
    line_with(name, args, outcome, || {})
}

/// The same, with what the call does to memory.
fn line_with<const N: usize>(
    name: &str,
    args: [u64; N],
    outcome: Outcome,
    call: impl FnOnce(),
) -> String {
    let row = table::TABLE
        .iter()
        .find(|row| row.name == name)
        .expect("a row");
    let mut registers = [0; 6];
    registers[..N].copy_from_slice(&args);
    let memory = memory();
    let trace = Trace::enter(&memory, u64::from(row.number), Some(row), &registers);
    call();
    trace.exit(&memory, &outcome)
}

const AT_FDCWD: u64 = libc::AT_FDCWD as u64;

#[test]
fn paths_and_flags() {
    let path = at("/etc/passwd\0");
    assert_eq!(
        line(
            "openat",
            [AT_FDCWD, path, (libc::O_RDONLY | libc::O_CLOEXEC) as u64],
            done(3)
        ),
        r#"openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3"#
    );
    assert_eq!(
        line(
            "openat",
            [
                AT_FDCWD,
                path,
                (libc::O_WRONLY | libc::O_CREAT) as u64,
                0o666
            ],
            done(3)
        ),
        r#"openat(AT_FDCWD, "/etc/passwd", O_WRONLY|O_CREAT, 0666) = 3"#
    );
    assert_eq!(
        line("access", [path, 4], Outcome::Fail(Errno::ENOENT)),
        r#"access("/etc/passwd", R_OK)             = -1 ENOENT (No such file or directory)"#
    );
    assert_eq!(
        line("access", [path, 9], Outcome::Fail(Errno::EINVAL)),
        r#"access("/etc/passwd", X_OK|0x8)         = -1 EINVAL (Invalid argument)"#
    );
    assert_eq!(
        line("unlink", [0], Outcome::Fail(Errno::EFAULT)),
        "unlink(NULL)                            = -1 EFAULT (Bad address)"
    );
    assert_eq!(
        line("close", [3], done(0)),
        "close(3)                                = 0"
    );
    assert_eq!(
        line("umask", [0o22], done(0)),
        "umask(022)                              = 000"
    );
}

#[test]
fn strings_are_escaped_and_shortened() {
    let elf = b"\x7fELF\x02\x01\x01\x03\0\0\0\0\0\0\0\0\x03\0>\0\x01\0\0\0\x10t\x02\0\0\0\0\0....";
    assert_eq!(
        line("read", [3, at(elf), 832], done(36)),
        r#"read(3, "\177ELF\2\1\1\3\0\0\0\0\0\0\0\0\3\0>\0\1\0\0\0\20t\2\0\0\0\0\0"..., 832) = 36"#
    );
    assert_eq!(
        line("write", [1, at(b"a\t\"\\\n\x001"), 7], done(7)),
        r#"write(1, "a\t\"\\\n\0001", 7)           = 7"#
    );
    assert_eq!(
        line(
            "read",
            [99, 0x7000_0000_0000, 5],
            Outcome::Fail(Errno::EBADF)
        ),
        "read(99, 0x700000000000, 5)             = -1 EBADF (Bad file descriptor)"
    );
    assert_eq!(
        line("getrandom", [at(b"\x73\xb0"), 2, 1], done(2)),
        r#"getrandom("\x73\xb0", 2, GRND_NONBLOCK) = 2"#
    );
}

#[test]
fn memory_calls() {
    let (prot, map) = (3, (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as u64);
    assert_eq!(
        line(
            "mmap",
            [0, 8192, prot, map, u64::MAX, 0],
            done(0x7f78_a977_4000)
        ),
        "mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f78a9774000"
    );
    assert_eq!(
        line("brk", [0], done(0x5652_3edb_7000)),
        "brk(NULL)                               = 0x56523edb7000"
    );
    assert_eq!(
        line("mprotect", [0x7f78_a972_7000, 16384, 1], done(0)),
        "mprotect(0x7f78a9727000, 16384, PROT_READ) = 0"
    );
    assert_eq!(
        line("rseq", [0x7f78_a94b_c120, 32, 0, 0x5305_3053], done(0)),
        "rseq(0x7f78a94bc120, 0x20, 0, 0x53053053) = 0"
    );
    assert_eq!(
        line("arch_prctl", [0x1002, 0x7f78_a94b_b800], done(0)),
        "arch_prctl(ARCH_SET_FS, 0x7f78a94bb800) = 0"
    );
    assert_eq!(
        line(
            "arch_prctl",
            [0x3001, 0x7f78_a94b_b800],
            Outcome::Fail(Errno::EINVAL)
        ),
        "arch_prctl(0x3001 /* ARCH_??? */, 0x7f78a94bb800) = -1 EINVAL (Invalid argument)"
    );
}

#[test]
fn structures_are_printed_after_the_call() {
    let file = [
        0u64, 0, 0, 0o100_644, 0, 0, 45611, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    assert_eq!(
        line(
            "newfstatat",
            [3, at("\0"), at(&file), libc::AT_EMPTY_PATH as u64],
            done(0)
        ),
        r#"newfstatat(3, "", {st_mode=S_IFREG|0644, st_size=45611, ...}, AT_EMPTY_PATH) = 0"#
    );
    assert_eq!(
        line(
            "prlimit64",
            [0, 3, 0, at(&[8192u64 * 1024, u64::MAX])],
            done(0)
        ),
        "prlimit64(0, RLIMIT_STACK, NULL, {rlim_cur=8192*1024, rlim_max=RLIM64_INFINITY}) = 0"
    );
    assert_eq!(
        line("clock_gettime", [1, at(&[3155u64, 13_543_865])], done(0)),
        "clock_gettime(CLOCK_MONOTONIC, {tv_sec=3155, tv_nsec=13543865}) = 0"
    );
    assert_eq!(
        line("pipe2", [at(&[7i32, 8]), libc::O_CLOEXEC as u64], done(0)),
        "pipe2([7, 8], O_CLOEXEC)                = 0"
    );
    assert_eq!(
        line("wait4", [u64::MAX, at(&0x300u32), 0, 0], done(77)),
        "wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 77"
    );
    assert_eq!(
        line(
            "utimensat",
            [AT_FDCWD, at("x\0"), at(&[1u64, 0, 0, (1 << 30) - 1]), 0],
            done(0)
        ),
        r#"utimensat(AT_FDCWD, "x", [{tv_sec=1, tv_nsec=0}, UTIME_NOW], 0) = 0"#
    );
}

#[test]
fn signals() {
    let action = [1u64, 0x1400_0000, 0x7f00_0000_1234, 1 << 16];
    assert_eq!(
        line("rt_sigaction", [2, at(&action), 0, 8], done(0)),
        "rt_sigaction(SIGINT, {sa_handler=SIG_IGN, sa_mask=[CHLD], \
         sa_flags=SA_RESTORER|SA_RESTART, sa_restorer=0x7f0000001234}, NULL, 8) = 0"
    );
    assert_eq!(
        line(
            "rt_sigprocmask",
            [0, at(&0x1_4002u64), at(&0u64), 8],
            done(0)
        ),
        "rt_sigprocmask(SIG_BLOCK, [INT TERM CHLD], [], 8) = 0"
    );
    assert_eq!(value::signals(!1), "~[HUP]");
    assert_eq!(value::signal(34), "SIGRT_2");
    assert_eq!(
        line("kill", [31233, 10], done(0)),
        "kill(31233, SIGUSR1)                    = 0"
    );
}

#[test]
fn waiting() {
    assert_eq!(
        line("poll", [at(&[5u32, 1]), 1, 10], done(0)),
        "poll([{fd=5, events=POLLIN}], 1, 10)    = 0 (Timeout)"
    );
    assert_eq!(
        line("poll", [at(&[5u32, 1 << 16 | 1]), 1, 10], done(1)),
        "poll([{fd=5, events=POLLIN}], 1, 10)    = 1 ([{fd=5, revents=POLLIN}])"
    );
    let (set, time) = ([1u64 << 5; 16], [0u64, 999_998_137]);
    assert_eq!(
        line("pselect6", [6, at(&set), 0, 0, at(&time), 0], done(1)),
        "pselect6(6, [5], NULL, NULL, {tv_sec=0, tv_nsec=999998137}, NULL) = 1 \
         (in [5], left {tv_sec=0, tv_nsec=999998137})"
    );
    let event = [1u32, 5, 0];
    assert_eq!(
        line("epoll_wait", [6, at(&event), 1023, 1000], done(1)),
        "epoll_wait(6, [{events=EPOLLIN, data={u32=5, u64=5}}], 1023, 1000) = 1"
    );
    assert_eq!(
        line(
            "futex",
            [0x7f78_a972_ca4c, 129, i32::MAX as u64, 0, 0, 0],
            done(0)
        ),
        "futex(0x7f78a972ca4c, FUTEX_WAKE_PRIVATE, 2147483647) = 0"
    );
    assert_eq!(
        line(
            "futex",
            [0x7f78_a972_ca4c, 4, 1, 1, 0x7f78_a972_ca4c, 3],
            Outcome::Fail(Errno::EAGAIN)
        ),
        "futex(0x7f78a972ca4c, FUTEX_CMP_REQUEUE, 1, 1, 0x7f78a972ca4c, 3) = -1 EAGAIN \
         (Resource temporarily unavailable)"
    );
}

#[test]
fn sockets() {
    let unix = b"\x01\0/nonexist\0";
    assert_eq!(
        line(
            "connect",
            [9, at(unix), unix.len() as u64],
            Outcome::Fail(Errno::ENOENT)
        ),
        r#"connect(9, {sa_family=AF_UNIX, sun_path="/nonexist"}, 12) = -1 ENOENT (No such file or directory)"#
    );
    let inet = b"\x02\0\0\x09\x7f\0\0\x01\0\0\0\0\0\0\0\0";
    assert_eq!(
        line("bind", [3, at(inet), 16], done(0)),
        r#"bind(3, {sa_family=AF_INET, sin_port=htons(9), sin_addr=inet_addr("127.0.0.1")}, 16) = 0"#
    );
    let mut len = [110u32];
    let address = len.as_mut_ptr() as u64;
    let shortened = line_with("getsockname", [4, at(b"\x01\0"), address], done(0), || {
        assert_eq!(memory().write(address, &2u32.to_le_bytes()), Ok(()));
    });
    assert_eq!(
        shortened,
        "getsockname(4, {sa_family=AF_UNIX}, [110 => 2]) = 0"
    );
    assert_eq!(
        line("socket", [1, 0x80801, 0], done(3)),
        "socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 0) = 3"
    );
    assert_eq!(
        line("setsockopt", [11, 1, 2, at(&1u32), 4], done(0)),
        "setsockopt(11, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0"
    );
}

#[test]
fn buffers_and_messages() {
    let iov = [at(b"ab"), 2, at(b"cd"), 2];
    assert_eq!(
        line("writev", [1, at(&iov), 2], done(4)),
        r#"writev(1, [{iov_base="ab", iov_len=2}, {iov_base="cd", iov_len=2}], 2) = 4"#
    );
    assert_eq!(
        line("readv", [1, at(&iov), 2], done(3)),
        r#"readv(1, [{iov_base="ab", iov_len=2}, {iov_base="c", iov_len=2}], 2) = 3"#
    );
    let message = [0u64, 0, at(&iov), 2, 0, 0, 0];
    assert_eq!(
        line("sendmsg", [4, at(&message), 0], done(4)),
        r#"sendmsg(4, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="ab", iov_len=2}, "#
            .to_owned()
            + r#"{iov_base="cd", iov_len=2}], msg_iovlen=2, msg_controllen=0, msg_flags=0}, 0) = 4"#
    );
    let entries = [1u64, 2, 24, 3, 4, 24];
    assert_eq!(
        line("getdents64", [3, at(&entries), 32768], done(48)),
        format!(
            "getdents64(3, {:#x} /* 2 entries */, 32768) = 48",
            at(&entries)
        )
    );
}

#[test]
fn requests_and_commands() {
    let window = [24u16, 80, 0, 0];
    assert_eq!(
        line("ioctl", [1, 0x5413, at(&window)], done(0)),
        "ioctl(1, TIOCGWINSZ, {ws_row=24, ws_col=80, ws_xpixel=0, ws_ypixel=0}) = 0"
    );
    assert_eq!(
        line("ioctl", [99, 0x1234_5678, 5], Outcome::Fail(Errno::EBADF)),
        "ioctl(99, _IOC(_IOC_NONE, 0x56, 0x78, 0x1234) /* unknown to km */, 0x5) = -1 EBADF (Bad file descriptor)"
    );
    assert_eq!(
        line("fcntl", [1, libc::F_GETFL as u64, 0], done(0x8001)),
        "fcntl(1, F_GETFL)                       = 0x8001 (flags O_WRONLY|O_LARGEFILE)"
    );
    assert_eq!(
        line("fcntl", [11, libc::F_SETFD as u64, 1], done(0)),
        "fcntl(11, F_SETFD, FD_CLOEXEC)          = 0"
    );
    assert_eq!(
        line("prctl", [libc::PR_SET_NAME as u64, at("worker\0")], done(0)),
        r#"prctl(PR_SET_NAME, "worker")            = 0"#
    );
    let flags = (libc::CLONE_CHILD_CLEARTID | libc::CLONE_CHILD_SETTID | libc::SIGCHLD) as u64;
    assert_eq!(
        line("clone", [flags, 0, 0, 0x7f1b_353b_0a10, 0], done(31241)),
        "clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, \
         child_tidptr=0x7f1b353b0a10) = 31241"
    );
    let (argv, envp) = ([at("ls\0"), at("-l\0"), 0], [at("A=1\0"), at("B=2\0"), 0]);
    assert_eq!(
        line(
            "execve",
            [at("/bin/ls\0"), at(&argv), at(&envp)],
            Outcome::Fail(Errno::ENOENT)
        ),
        format!(
            "execve(\"/bin/ls\", [\"ls\", \"-l\"], {:#x} /* 2 vars */) = -1 ENOENT (No such file or directory)",
            at(&envp)
        )
    );
}

#[test]
fn ends_and_unknown_calls() {
    assert_eq!(
        line("exit_group", [0], Outcome::Control(Control::ExitGroup(0))),
        "exit_group(0)                           = ?"
    );
    let memory = memory();
    let trace = Trace::enter(&memory, 1000, None, &[1, 2, 3, 4, 5, 6]);
    assert_eq!(
        trace.exit(&memory, &Outcome::Fail(Errno::ENOSYS)),
        "syscall_0x3e8(0x1, 0x2, 0x3, 0x4, 0x5, 0x6) = -1 ENOSYS (Function not implemented)"
    );
}

#[test]
fn nothing_a_payload_passes_stops_the_tracer() {
    // Faults in copies are caught, as they are when a payload runs.
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        set_action(signal, HostAction::Default).expect("the monitor's own handler");
    }
    let numbers = [
        0,
        1,
        2,
        0x7f,
        0xff,
        0x8000_0000,
        1 << 47,
        1 << 63,
        u64::MAX - 4095,
        u64::MAX,
    ];
    let memory = memory();
    for row in table::TABLE {
        for first in numbers {
            for second in numbers {
                let args = [first, second, first, second, first, second];
                let trace = Trace::enter(&memory, u64::from(row.number), Some(row), &args);
                for outcome in [done(0), done(first), Outcome::Fail(Errno::EFAULT)] {
                    let line = trace.exit(&memory, &outcome);
                    assert!(line.starts_with(row.name) && line.len() < 4096, "{line}");
                }
            }
        }
    }
}

#[test]
fn seccomp() {
    let program: [u64; 2] = [23, 0x5562_5a82_b590];
    let action = libc::SECCOMP_RET_KILL_PROCESS;
    let filter = u64::from(libc::SECCOMP_SET_MODE_FILTER);
    assert_eq!(
        line("seccomp", [filter, 0x11, at(&program)], done(0)),
        "seccomp(SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC|SECCOMP_FILTER_FLAG_TSYNC_ESRCH, \
         {len=23, filter=0x55625a82b590}) = 0"
    );
    assert_eq!(
        line("seccomp", [0, 1, 0], Outcome::Fail(Errno::EINVAL)),
        "seccomp(SECCOMP_SET_MODE_STRICT, 0x1, NULL) = -1 EINVAL (Invalid argument)"
    );
    assert_eq!(
        line("seccomp", [2, 0, at(&action)], done(0)),
        "seccomp(SECCOMP_GET_ACTION_AVAIL, 0, [SECCOMP_RET_KILL_PROCESS]) = 0"
    );
    let sizes: [u16; 3] = [80, 24, 64];
    assert_eq!(
        line("seccomp", [3, 0, at(&sizes)], done(0)),
        "seccomp(SECCOMP_GET_NOTIF_SIZES, 0, \
         {seccomp_notif=80, seccomp_notif_resp=24, seccomp_data=64}) = 0"
    );
    let set = libc::PR_SET_SECCOMP as u64;
    assert_eq!(
        line("prctl", [set, 2, at(&program)], done(0)),
        "prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, {len=23, filter=0x55625a82b590}) = 0"
    );
    assert_eq!(
        line(
            "prctl",
            [set, 1, 0],
            Outcome::Control(Control::KillThread(9))
        ),
        "prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) = ?"
    );
}
