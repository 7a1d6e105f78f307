//! Numbers, strings, flags and names.

use crate::mem::guest::GuestMemory;
use crate::syscall::args::Flags;

/// Bytes of a string that are printed.
pub const STRING: usize = 32;
/// Elements of an array that are printed.
pub const ELEMENTS: usize = 32;
/// Longest path with its NUL (`PATH_MAX`).
const PATH: usize = 4096;

pub fn hex(value: u64) -> String {
    if value == 0 {
        "0".to_owned()
    } else {
        format!("{value:#x}")
    }
}

pub fn address(value: u64) -> String {
    if value == 0 {
        "NULL".to_owned()
    } else {
        format!("{value:#x}")
    }
}

/// Permission bits, three digits at least.
pub fn octal(value: u64) -> String {
    if value == 0 {
        "000".to_owned()
    } else {
        format!("0{value:02o}")
    }
}

/// The names of the flags in the low 32 bits of `value`.
pub fn flags(flags: &Flags, value: u64) -> String {
    let value = value & 0xffff_ffff;
    let mut rest = value;
    let mut names: Vec<String> = Vec::new();
    let mut fields = 0;
    for &(mask, bits, name) in flags.names {
        let found = if mask == bits && bits != 0 {
            rest & bits == bits
        } else {
            // A field, of which one value holds; zero says nothing beside
            // other names.
            fields & mask == 0 && value & mask == bits
        };
        if found {
            names.push(name.to_owned());
            rest &= !mask;
            fields |= if mask == bits { 0 } else { mask };
        }
    }
    match (names.is_empty(), rest) {
        (true, 0) => "0".to_owned(),
        (true, _) => format!("{rest:#x} /* {} */", flags.unknown),
        (false, 0) => names.join("|"),
        (false, _) => format!("{}|{rest:#x}", names.join("|")),
    }
}

/// A signal's name.
pub fn signal(number: i32) -> String {
    match (names_of_signals(number), number) {
        (Some(name), _) => format!("SIG{name}"),
        (None, 32) => "SIGRTMIN".to_owned(),
        (None, 33..=64) => format!("SIGRT_{}", number - 32),
        (None, _) => number.to_string(),
    }
}

fn names_of_signals(number: i32) -> Option<&'static str> {
    const NAMES: [&str; 31] = [
        "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
        "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
        "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];
    NAMES
        .get(usize::try_from(number).ok()?.checked_sub(1)?)
        .copied()
}

/// A signal set: `[INT CHLD]`, or what is not in it where that is shorter.
pub fn signals(set: u64) -> String {
    const MANY: u32 = 42;
    let inverted = set.count_ones() >= MANY;
    let shown = if inverted { !set } else { set };
    let names: Vec<String> = (1..=64)
        .filter(|signal| shown >> (signal - 1) & 1 == 1)
        .map(|number| signal(number).trim_start_matches("SIG").to_owned())
        .collect();
    format!("{}[{}]", if inverted { "~" } else { "" }, names.join(" "))
}

/// A file's type and permissions: `S_IFREG|0644`.
pub fn file_mode(mode: u32) -> String {
    let kind = match mode & libc::S_IFMT {
        libc::S_IFREG => "S_IFREG|",
        libc::S_IFDIR => "S_IFDIR|",
        libc::S_IFCHR => "S_IFCHR|",
        libc::S_IFBLK => "S_IFBLK|",
        libc::S_IFIFO => "S_IFIFO|",
        libc::S_IFLNK => "S_IFLNK|",
        libc::S_IFSOCK => "S_IFSOCK|",
        _ => return octal(u64::from(mode)),
    };
    let special = [
        (libc::S_ISUID, "S_ISUID|"),
        (libc::S_ISGID, "S_ISGID|"),
        (libc::S_ISVTX, "S_ISVTX|"),
    ];
    let special: String = special
        .iter()
        .filter(|(bit, _)| mode & bit != 0)
        .map(|(_, name)| *name)
        .collect();
    format!("{kind}{special}{}", octal(u64::from(mode & 0o777)))
}

pub fn device(device: u64) -> String {
    format!(
        "makedev({}, {})",
        hex(u64::from(libc::major(device))),
        hex(u64::from(libc::minor(device)))
    )
}

/// A resource limit: `8192*1024`.
pub fn limit(value: u64) -> String {
    match value {
        libc::RLIM_INFINITY => "RLIM64_INFINITY".to_owned(),
        1025.. if value.is_multiple_of(1024) => format!("{}*1024", value / 1024),
        _ => value.to_string(),
    }
}

/// Bytes in quotes, with C's escapes.
pub fn quoted(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            b'\t' => text.push_str("\\t"),
            b'\n' => text.push_str("\\n"),
            0x0b => text.push_str("\\v"),
            0x0c => text.push_str("\\f"),
            b'\r' => text.push_str("\\r"),
            b'"' | b'\\' => text.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => text.push(char::from(*byte)),
            // A digit that follows must not become part of the escape.
            _ if bytes
                .get(index + 1)
                .is_some_and(|next| next.is_ascii_digit()) =>
            {
                text.push_str(&format!("\\{byte:03o}"));
            }
            _ => text.push_str(&format!("\\{byte:o}")),
        }
    }
    text + "\""
}

/// Bytes in quotes, all in hexadecimal.
pub fn quoted_hex(bytes: &[u8]) -> String {
    let bytes: String = bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    format!("\"{bytes}\"")
}

/// `len` bytes at `address`, with `quote`, shortened.
pub fn bytes(
    memory: &GuestMemory,
    address: u64,
    len: u64,
    quote: fn(&[u8]) -> String,
) -> Option<String> {
    let shown = len.min(STRING as u64) as usize;
    let bytes: Vec<u8> = memory.read_array(address, shown).ok()?;
    let more = if len > STRING as u64 { "..." } else { "" };
    Some(format!("{}{more}", quote(&bytes)))
}

/// The string at `address`, shortened.
pub fn string(memory: &GuestMemory, address: u64) -> Option<String> {
    let string = memory.read_string(address, PATH).ok()?;
    let shown = string.get(..STRING);
    Some(match shown {
        Some(shown) if string.len() > STRING => format!("{}...", quoted(shown)),
        _ => quoted(&string),
    })
}

/// The path at `address`, whole.
pub fn path(memory: &GuestMemory, address: u64) -> Option<String> {
    Some(quoted(&memory.read_string(address, PATH).ok()?))
}

/// `[element, …]` of `count` elements, of which not all may be printed.
pub fn list(count: u64, element: impl Fn(u64) -> Option<String>) -> Option<String> {
    let shown = count.min(ELEMENTS as u64);
    let mut parts: Vec<String> = (0..shown).map(element).collect::<Option<_>>()?;
    if count > shown {
        parts.push("...".to_owned());
    }
    Some(format!("[{}]", parts.join(", ")))
}
