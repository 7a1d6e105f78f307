//! Where in procfs an open file is.
//!
//! Its name, as the host shows it, is how it is reached: through a mount of a
//! part of procfs (`mount --bind`), or from below another root (`chroot`), it
//! can be any. So the mount that the file was reached through tells what its
//! name stands for.

use std::os::fd::{AsFd, BorrowedFd};

use super::bytes;
use crate::sys::path;
use crate::task::process::Process;

/// A mount of procfs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mount {
    /// What of procfs it shows: a path below the root of that.
    shown: Vec<u8>,
    /// Where it is.
    point: Vec<u8>,
}

/// The path of a file of procfs below the root of that (`/12/mem`); none if
/// it cannot be told.
pub fn of(process: &Process, file: BorrowedFd<'_>) -> Option<Vec<u8>> {
    let root = process.proc_root.as_ref()?.as_fd();
    // Names would begin in the middle of it.
    if path::is_root_on_procfs() {
        return None;
    }
    let id = path::mount_id(file)?;
    let name = process.file_name(file);
    let mount = if id == path::mount_id(root)? {
        Mount {
            shown: b"/".to_vec(),
            point: process.file_name(root),
        }
    } else {
        Mount::in_table(&bytes(process, "thread-self/mountinfo").ok()?, id)?
    };
    // It may be moved at any time.
    if process.file_name(file) != name {
        return None;
    }
    mount.place_of(&name)
}

impl Mount {
    /// From a table of mounts (`/proc/PID/mountinfo`, `proc(5)`). One that is
    /// not attached anywhere, or not below the root, is not there.
    fn in_table(table: &[u8], id: u64) -> Option<Mount> {
        let id = id.to_string();
        let line = table
            .split(|byte| *byte == b'\n')
            .find(|line| line.split(|byte| *byte == b' ').next() == Some(id.as_bytes()))?;
        let mut fields = line.split(|byte| *byte == b' ');
        let shown = unescaped(fields.nth(3)?);
        let point = unescaped(fields.next()?);
        let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
        (kind == b"proc").then_some(Mount { shown, point })
    }

    /// What the file is that is called `name`, by this mount.
    fn place_of(&self, name: &[u8]) -> Option<Vec<u8>> {
        let name = living(name);
        let rest = match self.point.as_slice() {
            b"/" => name,
            point => name.strip_prefix(point)?,
        };
        let shown = living(&self.shown);
        let shown = shown.strip_suffix(b"/").unwrap_or(shown);
        (rest.is_empty() || rest.starts_with(b"/")).then(|| [shown, rest].concat())
    }
}

/// The name of a file whose thread may have ended since.
fn living(name: &[u8]) -> &[u8] {
    let ends = [&b" (deleted)"[..], b"//deleted"];
    let mut ends = ends.iter().filter_map(|end| name.strip_suffix(*end));
    ends.next().unwrap_or(name)
}

/// Without the escapes for bytes that separate fields (`\040`).
fn unescaped(mut field: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(field.len());
    while let Some((first, rest)) = field.split_first() {
        let octal = rest.first_chunk::<3>().filter(|_| *first == b'\\');
        let byte = octal.and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 8).ok()
        });
        text.push(byte.unwrap_or(*first));
        field = match byte {
            Some(_) => rest.get(3..).unwrap_or_default(),
            None => rest,
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"21 1 8:1 / / rw - ext4 /dev/sda1 rw
22 21 0:5 / /proc rw,nosuid shared:3 - proc proc rw
23 22 0:5 /sys /proc/sys ro - proc proc rw
24 21 0:5 /12/mem /tmp/a\\040b rw - proc proc rw
25 21 0:5 /12/task/13//deleted /x rw - proc proc rw
";

    fn place(id: u64, name: &str) -> Option<String> {
        let place = Mount::in_table(TABLE, id)?.place_of(name.as_bytes())?;
        Some(String::from_utf8(place).unwrap())
    }

    #[test]
    fn a_mount_tells_what_a_name_stands_for() {
        let known = [
            (22, "/proc/12/mem", "/12/mem"),
            (22, "/proc", ""),
            (22, "/proc/12/task/13/mem (deleted)", "/12/task/13/mem"),
            (23, "/proc/sys/kernel/ostype", "/sys/kernel/ostype"),
            (24, "/tmp/a b", "/12/mem"),
            (25, "/x/mem (deleted)", "/12/task/13/mem"),
        ];
        for (id, name, place_of) in known {
            assert_eq!(place(id, name).as_deref(), Some(place_of), "{name}");
        }
    }

    #[test]
    fn what_does_not_fit_is_not_told() {
        assert_eq!(place(21, "/12/mem"), None, "of another file system");
        assert_eq!(place(26, "/proc/12/mem"), None, "no such mount");
        assert_eq!(place(22, "/12/mem"), None, "it is not below the mount");
        assert_eq!(place(22, "/process/mem"), None);
    }
}
