//! Structures in payload memory.

use super::value;
use crate::mem::guest::GuestMemory;
use crate::syscall::args::{Field, Look, Show, Struct};
use crate::syscall::structs::stat;

/// The structure at `address`.
pub fn at(memory: &GuestMemory, address: u64, what: &Struct) -> Option<String> {
    if what.look == Look::Opaque {
        return Some(value::address(address));
    }
    let bytes: Vec<u8> = memory.read_array(address, what.size).ok()?;
    Some(text(&bytes, what))
}

/// The structure in `bytes`.
pub fn text(bytes: &[u8], what: &Struct) -> String {
    match what.look {
        Look::Whole | Look::Short => braces(bytes, what),
        Look::Brackets => {
            let values: Vec<String> = what
                .fields
                .iter()
                .map(|field| shown(bytes, field, what))
                .collect();
            format!("[{}]", values.join(", "))
        }
        Look::Stat => status(bytes),
        Look::Signals => value::signals(number(bytes, 0, 8)),
        Look::Descriptors => descriptors(bytes, bytes.len() * 8),
        Look::WaitStatus => wait_status(number(bytes, 0, 4) as i32),
        Look::Siginfo => siginfo(bytes),
        Look::Opaque => "...".to_owned(),
    }
}

fn braces(bytes: &[u8], what: &Struct) -> String {
    let mut values: Vec<String> = what
        .fields
        .iter()
        .filter(|field| is_present(bytes, field))
        .map(|field| format!("{}={}", field.name, shown(bytes, field, what)))
        .collect();
    if what.look == Look::Short {
        values.push("...".to_owned());
    }
    format!("{{{}}}", values.join(", "))
}

/// Whether a field has a meaning: the kernel looks at the restorer with
/// `SA_RESTORER` only.
fn is_present(bytes: &[u8], field: &Field) -> bool {
    const SA_FLAGS: usize = 8;
    const SA_RESTORER: u64 = 0x0400_0000;
    field.name != "sa_restorer" || number(bytes, SA_FLAGS, 8) & SA_RESTORER != 0
}

fn shown(bytes: &[u8], field: &Field, of: &Struct) -> String {
    let unsigned = number(bytes, field.offset, field.size);
    match field.show {
        Show::Signed => signed(unsigned, field.size).to_string(),
        Show::Unsigned => unsigned.to_string(),
        Show::Hex => match of.name {
            "sigaction" | "stack_t" | "clone_args" => value::address(unsigned),
            _ => value::hex(unsigned),
        },
        Show::Octal => value::octal(unsigned),
        Show::Flags(flags) => value::flags(flags, unsigned),
        Show::Mode => value::file_mode(unsigned as u32),
        Show::Limit => value::limit(unsigned),
        Show::Handler => match unsigned {
            0 => "SIG_DFL".to_owned(),
            1 => "SIG_IGN".to_owned(),
            _ => value::hex(unsigned),
        },
        Show::EpollData => format!("{{u32={}, u64={unsigned}}}", unsigned as u32),
        Show::FileTime => file_time(bytes, field.offset),
        Show::Text => {
            let all = bytes
                .get(field.offset..field.offset + field.size)
                .unwrap_or_default();
            let text = all.split(|byte| *byte == 0).next().unwrap_or_default();
            value::quoted(text)
        }
        Show::Nested(what) => {
            let inner = bytes
                .get(field.offset..field.offset + what.size)
                .unwrap_or_default();
            text(inner, what)
        }
    }
}

/// The little-endian number of `size` bytes at `offset`; 0 beyond the end.
pub fn number(bytes: &[u8], offset: usize, size: usize) -> u64 {
    let bytes = bytes.get(offset..offset + size.min(8)).unwrap_or_default();
    bytes
        .iter()
        .rev()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn signed(value: u64, size: usize) -> i64 {
    match size {
        1 => i64::from(value as i8),
        2 => i64::from(value as i16),
        4 => i64::from(value as i32),
        _ => value as i64,
    }
}

/// A time for `utimensat`: two numbers of nanoseconds have a meaning.
fn file_time(bytes: &[u8], offset: usize) -> String {
    let (seconds, nanoseconds) = (
        number(bytes, offset, 8) as i64,
        number(bytes, offset + 8, 8) as i64,
    );
    match nanoseconds {
        libc::UTIME_NOW => "UTIME_NOW".to_owned(),
        libc::UTIME_OMIT => "UTIME_OMIT".to_owned(),
        _ => format!("{{tv_sec={seconds}, tv_nsec={nanoseconds}}}"),
    }
}

/// `struct stat`.
fn status(bytes: &[u8]) -> String {
    let mode = number(bytes, stat::MODE, 4) as u32;
    let rest = match mode & libc::S_IFMT {
        libc::S_IFCHR | libc::S_IFBLK => {
            format!("st_rdev={}", value::device(number(bytes, stat::RDEV, 8)))
        }
        _ => format!("st_size={}", number(bytes, stat::SIZE, 8) as i64),
    };
    format!("{{st_mode={}, {rest}, ...}}", value::file_mode(mode))
}

/// The first `count` bits of a set of descriptors: `[3 5]`.
pub fn descriptors(bytes: &[u8], count: usize) -> String {
    let members: Vec<String> = (0..count)
        .filter(|fd| {
            bytes
                .get(fd / 8)
                .is_some_and(|byte| byte >> (fd % 8) & 1 == 1)
        })
        .map(|fd| fd.to_string())
        .collect();
    format!("[{}]", members.join(" "))
}

fn wait_status(status: i32) -> String {
    let core = if libc::WCOREDUMP(status) {
        " && WCOREDUMP(s)"
    } else {
        ""
    };
    let text = if libc::WIFEXITED(status) {
        format!(
            "{{WIFEXITED(s) && WEXITSTATUS(s) == {}}}",
            libc::WEXITSTATUS(status)
        )
    } else if libc::WIFSIGNALED(status) {
        let signal = value::signal(libc::WTERMSIG(status));
        format!("{{WIFSIGNALED(s) && WTERMSIG(s) == {signal}{core}}}")
    } else if libc::WIFSTOPPED(status) {
        let signal = value::signal(libc::WSTOPSIG(status));
        format!("{{WIFSTOPPED(s) && WSTOPSIG(s) == {signal}}}")
    } else {
        "{WIFCONTINUED(s)}".to_owned()
    };
    format!("[{text}]")
}

fn siginfo(bytes: &[u8]) -> String {
    const CLD: [&str; 6] = [
        "CLD_EXITED",
        "CLD_KILLED",
        "CLD_DUMPED",
        "CLD_TRAPPED",
        "CLD_STOPPED",
        "CLD_CONTINUED",
    ];
    let (signal, code) = (number(bytes, 0, 4) as i32, number(bytes, 8, 4) as i32);
    let mut text = format!("{{si_signo={}", value::signal(signal));
    let child = usize::try_from(code - 1)
        .ok()
        .and_then(|index| CLD.get(index));
    let name = match (signal, code, child) {
        (libc::SIGCHLD, _, Some(name)) => (*name).to_owned(),
        (_, libc::SI_USER, _) => "SI_USER".to_owned(),
        (_, libc::SI_KERNEL, _) => "SI_KERNEL".to_owned(),
        (_, libc::SI_QUEUE, _) => "SI_QUEUE".to_owned(),
        (_, libc::SI_TIMER, _) => "SI_TIMER".to_owned(),
        (_, libc::SI_TKILL, _) => "SI_TKILL".to_owned(),
        _ => code.to_string(),
    };
    text += &format!(", si_code={name}");
    if code <= 0 || signal == libc::SIGCHLD {
        let (pid, uid) = (number(bytes, 16, 4) as i32, number(bytes, 20, 4));
        text += &format!(", si_pid={pid}, si_uid={uid}");
    }
    if let (libc::SIGCHLD, Some(_)) = (signal, child) {
        let status = number(bytes, 24, 4) as i32;
        let status = if code == libc::CLD_EXITED {
            status.to_string()
        } else {
            value::signal(status)
        };
        let (user, system) = (number(bytes, 32, 8), number(bytes, 40, 8));
        text += &format!(", si_status={status}, si_utime={user}, si_stime={system}");
    }
    text + "}"
}
