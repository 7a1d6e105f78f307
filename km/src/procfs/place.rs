//! Where in procfs an open file is.
//!
//! Its name, as the host shows it, is how it is reached: through a mount of a
//! part of procfs (`mount --bind`), or from below another root (`chroot`), it
//! can be any. So the mount that the file was reached through tells what its
//! name stands for; and as mounts and roots can be changed meanwhile, the file
//! is looked up there, and has to be the same.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::instance::Instance;
use crate::errno::Errno;
use crate::sys::path::{self, Location};
use crate::sys::proc;
use crate::task::process::Process;

/// A mount of procfs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mount {
    /// What of procfs it shows: a path below the root of that.
    shown: Vec<u8>,
    /// Where it is.
    point: Vec<u8>,
}

/// The place of a file of procfs.
#[derive(Debug)]
pub struct Place {
    pub instance: Instance,
    /// Its path below the root of that (`/12/mem`).
    pub path: Vec<u8>,
}

/// The place of `file`, which was looked up from the directory `near`.
///
/// # Errors
///
/// EACCES where it cannot be told; ENOENT where it is gone.
pub fn of(process: &Process, file: BorrowedFd<'_>, near: i32) -> Result<Place, Errno> {
    let held = Instance::held(process).ok_or(Errno::EACCES)?;
    let found = path::locate(file).ok_or(Errno::EACCES)?;
    let base = path::locate(held.root()).ok_or(Errno::EACCES)?;
    let name = process.file_name(file);
    if found.mount == base.mount {
        let mount = Mount {
            shown: b"/".to_vec(),
            point: process.file_name(held.root()),
        };
        return verified(process, held, &found, mount.place_of(&name));
    }
    let table = held.bytes(process, "thread-self/mountinfo")?;
    let Some(mount) = Mount::in_table(&table, found.mount) else {
        return beyond_table(process, held, file, near, &found);
    };
    let instance = match found.device == base.device {
        true => held,
        false => find(process, &table, &found)
            .or_else(|| climb(process, file.as_raw_fd(), &found))
            .or_else(|| climb(process, near, &found))
            .ok_or(Errno::EACCES)?,
    };
    verified(process, instance, &found, mount.place_of(&name))
}

/// As [`of`], for a file that was reached through a mount in another mount
/// namespace, or in none: `found`.
fn beyond_table(
    process: &Process,
    held: Instance,
    file: BorrowedFd<'_>,
    near: i32,
    found: &Location,
) -> Result<Place, Errno> {
    let name = process.file_name(file);
    let same_mount = |instance: &Instance| {
        path::locate(instance.root()).is_some_and(|root| root.mount == found.mount)
    };
    let mounted = climb(process, file.as_raw_fd(), found)
        .or_else(|| climb(process, near, found))
        .filter(same_mount);
    let (instance, point) = match mounted {
        Some(instance) => {
            let point = process.file_name(instance.root());
            (instance, point)
        }
        // Names may begin at its root.
        None => (held, b"/".to_vec()),
    };
    let mount = Mount {
        shown: b"/".to_vec(),
        point,
    };
    verified(process, instance, found, mount.place_of(&name))
}

/// The place at `path`, if the file there is the one that was found.
fn verified(
    process: &Process,
    instance: Instance,
    found: &Location,
    path: Option<Vec<u8>>,
) -> Result<Place, Errno> {
    let goes_up = |path: &Vec<u8>| path.split(|byte| *byte == b'/').any(|part| part == b"..");
    let path = path.filter(|path| !goes_up(path)).ok_or(Errno::EACCES)?;
    let below = path.strip_prefix(b"/").unwrap_or(&path);
    let below = if below.is_empty() { b"." } else { below };
    let below = CString::new(below).map_err(|_| Errno::EACCES)?;
    let open = || {
        path::open_resolved(
            instance.root().as_raw_fd(),
            &below,
            libc::O_PATH | libc::O_NOFOLLOW,
            libc::RESOLVE_NO_SYMLINKS | libc::RESOLVE_BENEATH,
        )
    };
    let there = match process.fds.adopt(open) {
        Ok(there) => path::locate(there.as_fd()),
        Err(errno @ (Errno::ENOENT | Errno::ESRCH)) => return Err(errno),
        Err(_) => None,
    };
    match there.is_some_and(|there| there.is_same_file(found)) {
        true => Ok(Place { instance, path }),
        false => Err(Errno::EACCES),
    }
}

/// The file system of `found`, by a mount of all of it.
fn find(process: &Process, table: &[u8], found: &Location) -> Option<Instance> {
    let points = whole_mounts(table, found.device);
    points.into_iter().find_map(|point| {
        let point = CString::new(point).ok()?;
        let flags = libc::O_PATH | libc::O_DIRECTORY;
        let open =
            || path::open_resolved(libc::AT_FDCWD, &point, flags, libc::RESOLVE_NO_MAGICLINKS);
        of_same(process.fds.adopt(open).ok()?, found)
    })
}

/// Where the file system with this number is mounted as a whole.
fn whole_mounts(table: &[u8], (major, minor): (u32, u32)) -> Vec<Vec<u8>> {
    let device = format!("{major}:{minor}");
    let lines = table.split(|byte| *byte == b'\n');
    let points = lines.filter_map(|line| {
        let mut fields = line.split(|byte| *byte == b' ').skip(2);
        let same = fields.next()? == device.as_bytes() && fields.next()? == b"/";
        same.then(|| fields.next().map(unescaped))?
    });
    points.collect()
}

/// The file system of `found`, by going up from `start`.
fn climb(process: &Process, start: i32, found: &Location) -> Option<Instance> {
    /// More than the directories of procfs are deep.
    const STEPS: usize = 16;
    let flags = libc::O_PATH | libc::O_DIRECTORY;
    let open = |from: i32, way| process.fds.adopt(|| path::open_at(from, way, flags)).ok();
    let mut at = open(start, c".")?;
    for _ in 0..STEPS {
        if !proc::is_on_procfs(at.as_fd()) {
            return None;
        }
        let up = open(at.as_raw_fd(), c"..")?;
        if let Some(instance) = of_same(at, found) {
            return Some(instance);
        }
        at = up;
    }
    None
}

/// The instance with this root, if `found` is of it.
fn of_same(root: OwnedFd, found: &Location) -> Option<Instance> {
    let at = path::locate(root.as_fd())?;
    (at.device == found.device)
        .then(|| Instance::new(root))
        .flatten()
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
    fn whole_mounts_of_a_file_system() {
        assert_eq!(whole_mounts(TABLE, (0, 5)), [b"/proc"]);
        assert_eq!(whole_mounts(TABLE, (8, 1)), [b"/"]);
        assert!(whole_mounts(TABLE, (0, 6)).is_empty());
    }

    #[test]
    fn what_does_not_fit_is_not_told() {
        assert_eq!(place(21, "/12/mem"), None, "of another file system");
        assert_eq!(place(26, "/proc/12/mem"), None, "no such mount");
        assert_eq!(place(22, "/12/mem"), None, "it is not below the mount");
        assert_eq!(place(22, "/process/mem"), None);
    }
}
