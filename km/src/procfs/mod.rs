//! What the payload sees under `/proc`: of itself and of other payloads, and
//! nothing of their monitors.

mod area;
mod name;
mod numbers;
mod other;
mod place;
mod smaps;

use std::ffi::{CString, OsStr};
use std::io::Read;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::errno::Errno;
use crate::mem::mapping::FileInfo;
use crate::sys::path;
use crate::task::process::Process;
use name::Name;
pub use name::number;
pub use other::Notice;

/// How a file is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum View {
    /// By the host, as it is.
    Host,
    /// By the host, but this file: the path is a link to it.
    File(Vec<u8>),
    /// By the monitor: this is the file's content.
    Text(Vec<u8>),
    /// By the monitor: this is the payload's own memory.
    Memory,
    /// Not at all.
    Refused(Errno),
}

fn own_id() -> i32 {
    std::process::id() as i32
}

/// Where the link at `path` leads for the payload, by the words of the path
/// alone: for names that lead there without links of their own.
///
/// # Errors
///
/// ENOENT for what is the monitor's.
pub fn leads_to(process: &Process, path: &[u8]) -> Result<Option<Vec<u8>>, Errno> {
    let Some(name) = Name::of_given(path, own_id()) else {
        return Ok(None);
    };
    if name.descriptor().is_none() && name.file() != Some(b"exe") {
        return Ok(None);
    }
    match view(process, &name) {
        View::File(file) => Ok(Some(file)),
        View::Refused(errno) => Err(errno),
        View::Host | View::Text(_) | View::Memory => Ok(None),
    }
}

/// How a file of procfs is served that is open.
pub fn look_opened(process: &Process, file: BorrowedFd<'_>) -> View {
    let Some(place) = place::of(process, file) else {
        return View::Refused(Errno::EACCES);
    };
    Name::of_place(&place).map_or(View::Host, |name| view(process, &name))
}

fn view(process: &Process, name: &Name<'_>) -> View {
    if name
        .descriptor()
        .is_some_and(|fd| reserves(process, name, fd))
    {
        return View::Refused(Errno::ENOENT);
    }
    if name
        .in_directory()
        .is_some_and(|(directory, _)| directory == b"map_files")
    {
        return View::Refused(Errno::EACCES);
    }
    let Some(file) = name.file() else {
        return View::Host;
    };
    match file {
        b"mem" if is_own(process, name) => View::Memory,
        b"mem" | b"pagemap" | b"clear_refs" | b"numa_maps" | b"map_files" | b"stack"
        | b"syscall" => View::Refused(Errno::EACCES),
        b"exe" | b"maps" | b"smaps" | b"smaps_rollup" | b"auxv" | b"status" | b"stat"
        | b"statm" | b"limits" => {
            let shown = if is_own(process, name) {
                own(process, name, file)
            } else {
                other::view(process, name, file)
            };
            shown.unwrap_or_else(View::Refused)
        }
        _ => View::Host,
    }
}

/// Whether descriptor `fd` of the process is its monitor's.
fn reserves(process: &Process, name: &Name<'_>, fd: i32) -> bool {
    match is_own(process, name) {
        true => process.fds.contains(fd),
        false => other::reserves(process, name.process, fd),
    }
}

/// Whether it is of the payload's own process.
fn is_own(process: &Process, name: &Name<'_>) -> bool {
    name.process == own_id() || process.has_thread(name.process)
}

/// The payload's own `file`.
fn own(process: &Process, name: &Name<'_>, file: &[u8]) -> Result<View, Errno> {
    let host = |file: &str| text(process, &name.below_root(file));
    let bytes = match file {
        b"exe" => {
            return Ok(View::File(
                process.identity.exe.as_os_str().as_bytes().to_vec(),
            ));
        }
        b"maps" => {
            // A copy: looking after the files takes time, and may wait.
            let mappings = process.space().mappings().clone();
            let mut text = Vec::new();
            mappings.write_maps(&mut text, is_deleted);
            text
        }
        b"smaps" => smaps::whole(process, &host("smaps")?),
        b"smaps_rollup" => smaps::rollup(process, &host("smaps")?),
        b"auxv" => process.identity.auxv.clone(),
        b"status" => numbers::status(process, &host("status")?).into_bytes(),
        b"stat" => numbers::stat(process, &host("stat")?).into_bytes(),
        b"statm" => numbers::statm(process, &host("statm")?).into_bytes(),
        b"limits" => numbers::limits(process, &host("limits")?).into_bytes(),
        _ => return Ok(View::Host),
    };
    Ok(View::Text(bytes))
}

/// The host's file at `path` below the root of `/proc`.
fn bytes(process: &Process, path: &str) -> Result<Vec<u8>, Errno> {
    let root = process.proc_root.as_ref().ok_or(Errno::ENOENT)?;
    let path = CString::new(path).map_err(|_| Errno::ENOENT)?;
    let open = || path::open_at(root.as_raw_fd(), &path, libc::O_RDONLY);
    let file = process.fds.adopt(open)?;
    let mut bytes = Vec::new();
    std::fs::File::from(file).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn text(process: &Process, path: &str) -> Result<String, Errno> {
    let bytes = bytes(process, path)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A directory of a process that also holds things of its monitor's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// `fd` or `fdinfo` of the own.
    Descriptors,
    /// `fd` or `fdinfo` of another process.
    DescriptorsOf(i32),
    /// `task` of the own.
    Threads,
    /// `task` of another process.
    ThreadsOf(i32),
}

/// Which of them `directory`, of procfs, is.
pub fn listing(process: &Process, directory: BorrowedFd<'_>) -> Option<Listing> {
    let place = place::of(process, directory)?;
    let name = Name::of_place(&place)?;
    match name.file()? {
        b"fd" | b"fdinfo" if is_own(process, &name) => Some(Listing::Descriptors),
        b"fd" | b"fdinfo" => Some(Listing::DescriptorsOf(name.process)),
        b"task" if is_own(process, &name) => Some(Listing::Threads),
        b"task" => Some(Listing::ThreadsOf(name.process)),
        _ => None,
    }
}

/// Whether `name` in such a directory is the monitor's.
pub fn hides(process: &Process, listing: Listing, name: &[u8]) -> bool {
    let Some(number) = number(name) else {
        return false;
    };
    match listing {
        Listing::Descriptors => process.fds.contains(number),
        Listing::DescriptorsOf(other) => other::reserves(process, other, number),
        Listing::Threads => !process.has_thread(number),
        Listing::ThreadsOf(other) => is_worker(process, other, number),
    }
}

/// Whether a thread of another process is KVM's own.
fn is_worker(process: &Process, other: i32, thread: i32) -> bool {
    let name = bytes(process, &format!("{other}/task/{thread}/comm"));
    name.is_ok_and(|name| name.starts_with(b"kvm-nx-lpage-re"))
}

/// Whether a mapped file's name no longer leads to it.
fn is_deleted(file: &FileInfo) -> bool {
    let path = Path::new(OsStr::from_bytes(&file.path));
    let same = |found: std::fs::Metadata| (found.dev(), found.ino()) == (file.dev, file.ino);
    path.is_absolute() && !file.path.ends_with(b" (deleted)") && !path.metadata().is_ok_and(same)
}
