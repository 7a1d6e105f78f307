//! What the payload sees of itself under `/proc`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::errno::Errno;
use crate::mem::mapping::FileInfo;
use crate::seccomp::{Mode, Seccomp};
use crate::task::process::Process;

/// How a path is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum View {
    /// By the host, as it is.
    Host,
    /// By the host, but this file: the path is a link to it.
    File(Vec<u8>),
    /// By the monitor: this is the file's content.
    Text(Vec<u8>),
    /// Not at all.
    Refused(Errno),
}

/// How `path` is served.
pub fn look(process: &Process, path: &[u8]) -> View {
    if descriptor(path).is_some_and(|fd| process.fds.contains(fd)) {
        return View::Refused(Errno::ENOENT);
    }
    let Some(name) = own_entry(path) else {
        return View::Host;
    };
    match name {
        b"exe" => View::File(process.identity.exe.as_os_str().as_bytes().to_vec()),
        b"maps" => {
            // A copy: looking after the files takes time, and may wait.
            let mappings = process.space().mappings().clone();
            let mut text = Vec::new();
            mappings.write_maps(&mut text, is_deleted);
            View::Text(text)
        }
        b"auxv" => View::Text(process.identity.auxv.clone()),
        b"status" => status(process, path),
        name if is_private(name) => View::Refused(Errno::EACCES),
        _ => View::Host,
    }
}

/// How a file of `/proc` that was opened is served; `path` is its name
/// without links, under whatever directory `/proc` is mounted.
pub fn look_opened(process: &Process, path: &[u8]) -> View {
    match look(process, path) {
        View::Host => {}
        view => return view,
    }
    let mut parts = path.rsplit(|byte| *byte == b'/');
    let last = parts.next().unwrap_or_default();
    // Of any process: it may be another monitor.
    let of_process = parts.any(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit));
    if of_process && is_private(last) {
        return View::Refused(Errno::EACCES);
    }
    match last {
        b"status" if own_entry(path).and_then(of_task).is_some() => status(process, path),
        b"maps" | b"auxv" => match own_entry(path).and_then(of_task) {
            Some(name) => look(process, &[b"/proc/self/", name].concat()),
            None => View::Host,
        },
        _ => View::Host,
    }
}

/// What tells of the monitor's memory, which is not the payload's.
fn is_private(name: &[u8]) -> bool {
    const NAMES: [&[u8]; 9] = [
        b"mem",
        b"pagemap",
        b"clear_refs",
        b"smaps",
        b"smaps_rollup",
        b"numa_maps",
        b"map_files",
        b"stack",
        b"syscall",
    ];
    NAMES.contains(&name)
}

/// The entry behind `task/TID/`.
fn of_task(name: &[u8]) -> Option<&[u8]> {
    let rest = name.strip_prefix(b"task/")?;
    let slash = rest.iter().position(|byte| *byte == b'/')?;
    rest.get(slash + 1..)
}

/// The `status` at `path` with the payload's threads and address space in
/// place of the monitor's.
fn status(process: &Process, path: &[u8]) -> View {
    match std::fs::read_to_string(OsStr::from_bytes(path)) {
        Ok(text) => View::Text(status_text(process, &text).into_bytes()),
        Err(error) => View::Refused(error.into()),
    }
}

fn status_text(process: &Process, host: &str) -> String {
    let mapped = process.space().mappings().total_bytes() >> 10;
    let seccomp = thread_of(host).and_then(|thread| process.seccomp_of(thread));
    let seccomp = seccomp.as_deref();
    let line = |line: &str| match line.split_once(':') {
        Some((key @ ("NoNewPrivs" | "Seccomp" | "Seccomp_filters"), host)) => {
            let host = host.trim().parse().unwrap_or(0);
            let value = seccomp.map_or(host, |seccomp| judged(seccomp, key, host));
            format!("{key}:\t{value}\n")
        }
        Some((key @ ("VmPeak" | "VmSize"), _)) => format!("{key}:\t{mapped:>8} kB\n"),
        Some((key @ "Threads", _)) => format!("{key}:\t{}\n", process.threads()),
        _ => format!("{line}\n"),
    };
    host.lines().map(line).collect()
}

/// The thread a `status` is about.
fn thread_of(status: &str) -> Option<i32> {
    let lines = status.lines();
    let mut ids = lines.filter_map(|line| line.strip_prefix("Pid:"));
    ids.next()?.trim().parse().ok()
}

/// What a `status` says of the calls a thread may make, where it says `host`
/// of the monitor.
fn judged(seccomp: &Seccomp, key: &str, host: u64) -> u64 {
    let mode = seccomp.mode();
    match (key, &mode) {
        ("NoNewPrivs", _) => host | u64::from(seccomp.has_no_new_privs()),
        ("Seccomp", Mode::Disabled) => host,
        ("Seccomp", mode) => mode.number(),
        (_, mode) => host + mode.filters() as u64,
    }
}

/// A directory of the payload's own that also holds things of the monitor's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// `fd` or `fdinfo`.
    Descriptors,
    /// `task`.
    Threads,
    /// `task` of another process.
    ThreadsOf(i32),
}

/// Which of them `directory`, a path without links, is.
pub fn listing(directory: &[u8]) -> Option<Listing> {
    let Some(name) = own_entry(directory) else {
        let process = directory.strip_prefix(b"/proc/")?.strip_suffix(b"/task")?;
        let process = std::str::from_utf8(process).ok()?.parse().ok()?;
        return Some(Listing::ThreadsOf(process));
    };
    let last = name.rsplit(|byte| *byte == b'/').next()?;
    match last {
        b"fd" | b"fdinfo" => Some(Listing::Descriptors),
        b"task" => Some(Listing::Threads),
        _ => None,
    }
}

/// Whether `name` in such a directory is the monitor's.
pub fn hides(process: &Process, listing: Listing, name: &[u8]) -> bool {
    let Some(number) = std::str::from_utf8(name)
        .ok()
        .and_then(|name| name.parse::<i32>().ok())
    else {
        return false;
    };
    match listing {
        Listing::Descriptors => process.fds.contains(number),
        Listing::Threads => !process.has_thread(number),
        Listing::ThreadsOf(other) => is_worker(other, number),
    }
}

/// The number of the descriptor that `path` is the entry of, of any process:
/// other monitors have theirs in the same range.
fn descriptor(path: &[u8]) -> Option<i32> {
    let mut parts = path.strip_prefix(b"/proc/")?.rsplit(|byte| *byte == b'/');
    let number = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
    matches!(parts.next()?, b"fd" | b"fdinfo").then_some(number)
}

/// Whether a thread of another process is KVM's own.
fn is_worker(process: i32, thread: i32) -> bool {
    let name = std::fs::read(format!("/proc/{process}/task/{thread}/comm"));
    name.is_ok_and(|name| name.starts_with(b"kvm-nx-lpage-re"))
}

/// Whether a mapped file's name no longer leads to it.
fn is_deleted(file: &FileInfo) -> bool {
    let path = Path::new(OsStr::from_bytes(&file.path));
    let same = |found: std::fs::Metadata| (found.dev(), found.ino()) == (file.dev, file.ino);
    path.is_absolute() && !file.path.ends_with(b" (deleted)") && !path.metadata().is_ok_and(same)
}

/// The part of a path behind `/proc/self/` or another name of the own
/// process.
fn own_entry(path: &[u8]) -> Option<&[u8]> {
    let rest = path.strip_prefix(b"/proc/")?;
    let slash = rest.iter().position(|byte| *byte == b'/')?;
    let (who, name) = rest.split_at(slash);
    let own =
        who == b"self" || who == b"thread-self" || who == std::process::id().to_string().as_bytes();
    let name = name.get(1..)?;
    let start = name.iter().position(|byte| *byte != b'/').unwrap_or(0);
    own.then(|| name.get(start..)).flatten()
}
