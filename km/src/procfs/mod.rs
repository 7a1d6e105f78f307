//! What the payload sees under `/proc`: of itself and of other payloads, and
//! nothing of their monitors.

mod area;
mod instance;
mod name;
mod numbers;
mod other;
mod place;
mod smaps;

use std::ffi::{CString, OsStr};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::errno::Errno;
use crate::mem::mapping::FileInfo;
use crate::sys::{path, proc};
use crate::task::process::Process;
use instance::Instance;
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

/// Where the link at `path` leads for the payload, if its words alone say that
/// it is one of those that only `/proc` has.
///
/// # Errors
///
/// ENOENT for what is the monitor's.
pub fn leads_to(process: &Process, path: &[u8]) -> Result<Option<Vec<u8>>, Errno> {
    let is_of_interest =
        |name: Name<'_>| name.descriptor().is_some() || name.file() == Some(b"exe");
    if !Name::of_given(path).is_some_and(is_of_interest) {
        return Ok(None);
    }
    let link = CString::new(path).map_err(|_| Errno::ENOENT)?;
    let flags = libc::O_PATH | libc::O_NOFOLLOW;
    let open = || path::open_resolved(libc::AT_FDCWD, &link, flags, libc::RESOLVE_NO_MAGICLINKS);
    let Ok(link) = process.fds.adopt(open) else {
        // The host finds the error itself.
        return Ok(None);
    };
    if !proc::is_on_procfs(link.as_fd()) {
        return Ok(None);
    }
    match look_opened(process, link.as_fd(), libc::AT_FDCWD) {
        View::File(file) => Ok(Some(file)),
        View::Refused(errno) => Err(errno),
        View::Host | View::Text(_) | View::Memory => Ok(None),
    }
}

/// How a file of procfs is served that is open, and was looked up from the
/// directory `near`.
pub fn look_opened(process: &Process, file: BorrowedFd<'_>, near: i32) -> View {
    match place::of(process, file, near) {
        Ok(place) => match Name::of_place(&place.path) {
            Some(name) => view(process, &place.instance, &name),
            None => View::Host,
        },
        Err(errno) => View::Refused(errno),
    }
}

fn view(process: &Process, proc: &Instance, name: &Name<'_>) -> View {
    if name
        .descriptor()
        .is_some_and(|fd| reserves(process, proc, name, fd))
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
        b"mem" if proc.is_own(name.process) => View::Memory,
        b"mem" | b"pagemap" | b"clear_refs" | b"numa_maps" | b"map_files" | b"stack"
        | b"syscall" => View::Refused(Errno::EACCES),
        b"exe" | b"maps" | b"smaps" | b"smaps_rollup" | b"auxv" | b"status" | b"stat"
        | b"statm" | b"limits" => {
            let shown = if proc.is_own(name.process) {
                own(process, proc, name, file)
            } else {
                other::view(process, proc, name, file)
            };
            shown.unwrap_or_else(View::Refused)
        }
        _ => View::Host,
    }
}

/// Whether descriptor `fd` of the process is its monitor's.
fn reserves(process: &Process, proc: &Instance, name: &Name<'_>, fd: i32) -> bool {
    match proc.is_own(name.process) {
        true => process.fds.contains(fd),
        false => other::reserves(process, proc, name.process, fd),
    }
}

/// The payload's own `file`.
fn own(process: &Process, proc: &Instance, name: &Name<'_>, file: &[u8]) -> Result<View, Errno> {
    let host = |file: &str| proc.text(process, &name.below_root(file));
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

/// A directory of a process that also holds things of its monitor's.
#[derive(Debug)]
pub struct Listing {
    instance: Instance,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `fd` or `fdinfo` of the own process.
    Descriptors,
    /// `fd` or `fdinfo` of another one.
    DescriptorsOf(i32),
    /// `task` of the own.
    Threads(i32),
    /// `task` of another one.
    ThreadsOf(i32),
    /// One that cannot be told.
    Unknown,
}

/// Which of them `directory`, of procfs, is.
pub fn listing(process: &Process, directory: BorrowedFd<'_>) -> Option<Listing> {
    let place = match place::of(process, directory, libc::AT_FDCWD) {
        Ok(place) => place,
        Err(_) => {
            let instance = Instance::held(process)?;
            let kind = Kind::Unknown;
            return Some(Listing { instance, kind });
        }
    };
    let name = Name::of_place(&place.path)?;
    let own = place.instance.is_own(name.process);
    let kind = match name.file()? {
        b"fd" | b"fdinfo" if own => Kind::Descriptors,
        b"fd" | b"fdinfo" => Kind::DescriptorsOf(name.process),
        b"task" if own => Kind::Threads(name.process),
        b"task" => Kind::ThreadsOf(name.process),
        _ => return None,
    };
    let instance = place.instance;
    Some(Listing { instance, kind })
}

/// Whether `name` in such a directory is the monitor's.
pub fn hides(process: &Process, listing: &Listing, name: &[u8]) -> bool {
    let Some(number) = number(name) else {
        return false;
    };
    let proc = &listing.instance;
    match listing.kind {
        Kind::Descriptors => process.fds.contains(number),
        Kind::DescriptorsOf(other) => other::reserves(process, proc, other, number),
        Kind::Threads(_) if proc.counts_as_process() => !process.has_thread(number),
        Kind::Threads(id) | Kind::ThreadsOf(id) => is_worker(process, proc, id, number),
        Kind::Unknown => process.fds.contains(number),
    }
}

/// Whether a thread of a process is KVM's own.
fn is_worker(process: &Process, proc: &Instance, id: i32, thread: i32) -> bool {
    let name = proc.bytes(process, &format!("{id}/task/{thread}/comm"));
    name.is_ok_and(|name| name.starts_with(b"kvm-nx-lpage-re"))
}

/// Whether a mapped file's name no longer leads to it.
fn is_deleted(file: &FileInfo) -> bool {
    let path = Path::new(OsStr::from_bytes(&file.path));
    let same = |found: std::fs::Metadata| (found.dev(), found.ino()) == (file.dev, file.ino);
    path.is_absolute() && !file.path.ends_with(b" (deleted)") && !path.metadata().is_ok_and(same)
}
