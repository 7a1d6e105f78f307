//! Buffers, socket addresses, messages and arrays of strings.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::structure::number;
use super::value;
use crate::mem::guest::GuestMemory;
use crate::syscall::flags;

const IOVEC: u64 = 16;

/// `struct iovec` array. `got` for buffers the call writes: how many bytes it
/// wrote, or that it failed.
pub fn buffers(
    memory: &GuestMemory,
    at: u64,
    count: u64,
    got: Option<Option<u64>>,
) -> Option<String> {
    let mut ends = Vec::new();
    let mut filled = 0u64;
    for index in 0..count.min(value::ELEMENTS as u64) {
        let [_, len] = element(memory, at, index)?;
        ends.push(filled);
        filled = filled.saturating_add(len);
    }
    value::list(count, |index| {
        let [base, len] = element(memory, at, index)?;
        let before = ends.get(index as usize).copied().unwrap_or(0);
        let shown = match got {
            None => Some(len),
            Some(got) => got.map(|got| got.saturating_sub(before).min(len)),
        };
        let text = match (base, shown) {
            (0, _) | (_, None) => None,
            (_, Some(shown)) => value::bytes(memory, base, shown, value::quoted),
        };
        let text = text.unwrap_or_else(|| value::address(base));
        Some(format!("{{iov_base={text}, iov_len={len}}}"))
    })
}

fn element(memory: &GuestMemory, at: u64, index: u64) -> Option<[u64; 2]> {
    memory
        .read_value(at.checked_add(index.checked_mul(IOVEC)?)?)
        .ok()
}

/// A socket address of `len` bytes.
pub fn socket_address(memory: &GuestMemory, at: u64, len: u64) -> Option<String> {
    const LONGEST: u64 = 128;
    let bytes: Vec<u8> = memory.read_array(at, len.min(LONGEST) as usize).ok()?;
    if bytes.len() < 2 {
        return None;
    }
    let family = number(&bytes, 0, 2);
    let port = u16::from_be_bytes(*bytes.get(2..)?.first_chunk().unwrap_or(&[0; 2]));
    let rest = match (family as i32, bytes.len()) {
        (libc::AF_UNIX, 2) => String::new(),
        (libc::AF_UNIX, _) => format!(", sun_path={}", unix_path(bytes.get(2..)?)),
        (libc::AF_INET, 8..) => {
            let address = Ipv4Addr::from(*bytes.get(4..)?.first_chunk()?);
            format!(", sin_port=htons({port}), sin_addr=inet_addr(\"{address}\")")
        }
        (libc::AF_INET6, 24..) => {
            let flow = u32::from_be_bytes(*bytes.get(4..)?.first_chunk()?);
            let address = Ipv6Addr::from(*bytes.get(8..)?.first_chunk()?);
            let scope = number(&bytes, 24, 4);
            format!(
                ", sin6_port=htons({port}), sin6_flowinfo=htonl({flow}), \
                 inet_pton(AF_INET6, \"{address}\", &sin6_addr), sin6_scope_id={scope}"
            )
        }
        (libc::AF_NETLINK, 12..) => {
            let (pid, groups) = (number(&bytes, 4, 4), number(&bytes, 8, 4));
            format!(", nl_pid={pid}, nl_groups={groups:08x}")
        }
        _ => format!(", sa_data={}", value::quoted(bytes.get(2..)?)),
    };
    Some(format!(
        "{{sa_family={}{rest}}}",
        value::flags(&flags::FAMILY, family)
    ))
}

/// A path, or a name in the abstract namespace after a NUL: `@"name"`.
fn unix_path(bytes: &[u8]) -> String {
    match bytes.split_first() {
        Some((0, name)) => format!("@{}", value::quoted(name)),
        _ => value::quoted(bytes.split(|byte| *byte == 0).next().unwrap_or_default()),
    }
}

/// `struct msghdr`. `got` is how many bytes were received.
pub fn header(memory: &GuestMemory, at: u64, got: Option<u64>) -> Option<String> {
    let words: [u64; 7] = memory.read_value(at).ok()?;
    let [
        name,
        name_len,
        iov,
        iov_len,
        control,
        control_len,
        flags_word,
    ] = words;
    let name_len = name_len as u32;
    let address = match name {
        0 => None,
        _ => socket_address(memory, name, u64::from(name_len)),
    };
    let address = address.unwrap_or_else(|| value::address(name));
    let iov = match iov {
        0 => None,
        _ => buffers(memory, iov, iov_len, got.map(Some)),
    };
    let iov = iov.unwrap_or_else(|| value::address(words[2]));
    let mut text = format!(
        "{{msg_name={address}, msg_namelen={name_len}, msg_iov={iov}, msg_iovlen={iov_len}, "
    );
    if control != 0 && control_len != 0 {
        let control = control_messages(memory, control, control_len)
            .unwrap_or_else(|| value::address(control));
        text += &format!("msg_control={control}, ");
    }
    let flags = value::flags(&flags::MSG, flags_word);
    Some(text + &format!("msg_controllen={control_len}, msg_flags={flags}}}"))
}

fn control_messages(memory: &GuestMemory, at: u64, len: u64) -> Option<String> {
    const HEADER: usize = 16;
    const MOST: u64 = 4096;
    let bytes: Vec<u8> = memory.read_array(at, len.min(MOST) as usize).ok()?;
    let mut messages = Vec::new();
    let mut rest = bytes.as_slice();
    while rest.len() >= HEADER {
        let len = number(rest, 0, 8) as usize;
        let (level, kind) = (number(rest, 8, 4), number(rest, 12, 4) as i32);
        let Some(data) = rest.get(HEADER..len) else {
            break;
        };
        let (name, data) = match (level as i32, kind) {
            (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                let (fds, _) = data.as_chunks::<4>();
                let fds: Vec<String> = fds
                    .iter()
                    .map(|fd| i32::from_le_bytes(*fd).to_string())
                    .collect();
                (
                    "SCM_RIGHTS".to_owned(),
                    format!(", cmsg_data=[{}]", fds.join(", ")),
                )
            }
            (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) => {
                let [pid, uid, gid] = [0, 4, 8].map(|offset| number(data, offset, 4));
                let data = format!(", cmsg_data={{pid={pid}, uid={uid}, gid={gid}}}");
                ("SCM_CREDENTIALS".to_owned(), data)
            }
            _ => (value::hex(kind as u64), String::new()),
        };
        let level = value::flags(&flags::SOL, level);
        messages.push(format!(
            "{{cmsg_len={len}, cmsg_level={level}, cmsg_type={name}{data}}}"
        ));
        rest = rest.get(len.next_multiple_of(8)..).unwrap_or_default();
    }
    Some(format!("[{}]", messages.join(", ")))
}

/// A NULL-terminated array of strings.
pub fn strings(memory: &GuestMemory, at: u64) -> Option<String> {
    let mut parts = Vec::new();
    for index in 0..=value::ELEMENTS as u64 {
        let string: u64 = memory.read_value(at.checked_add(index * 8)?).ok()?;
        if string == 0 {
            break;
        }
        if index == value::ELEMENTS as u64 {
            parts.push("...".to_owned());
        } else {
            parts.push(value::string(memory, string).unwrap_or_else(|| value::address(string)));
        }
    }
    Some(format!("[{}]", parts.join(", ")))
}

/// The same, counted: `0x7ffe… /* 35 vars */`.
pub fn environment(memory: &GuestMemory, at: u64) -> Option<String> {
    const MOST: u64 = 1 << 17;
    let mut count = 0;
    while count < MOST && memory.read_value::<u64>(at.checked_add(count * 8)?).ok()? != 0 {
        count += 1;
    }
    let plural = if count == 1 { "var" } else { "vars" };
    Some(format!("{} /* {count} {plural} */", value::address(at)))
}
