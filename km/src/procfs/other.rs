//! Other payloads: processes that have a monitor as well.
//!
//! The kernel knows only the monitor. So each leaves a [`Notice`] in its memory,
//! and the address of it in the auxiliary vector that `/proc/PID/auxv` shows of
//! it. Who may read the process's memory (`ptrace(2)`, access mode) finds the
//! payload by it; for others there is nothing to see.

use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

use crate::errno::Errno;
use crate::fd::ReservedFds;
use crate::mem::guest::GuestMemory;
use crate::mem::layout::PAGE;
use crate::procfs::View;
use crate::procfs::area::{self, Area};
use crate::procfs::instance::Instance;
use crate::procfs::name::Name;
use crate::procfs::numbers::replace_in_stat;
use crate::sys::{path, proc as host};
use crate::task::process::Process;

/// In the auxiliary vector: the address of the notice. Linux's own keys are
/// small numbers.
const AT_MONITOR: u64 = 0x6b6d_0001;
const AT_NULL: u64 = 0;
const MAGIC: u64 = u64::from_le_bytes(*b"km-noti1");

/// Where a payload is in its monitor's memory, and what it runs.
#[derive(Debug, Clone, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Notice {
    magic: u64,
    /// The payload's addresses, in two parts: where they begin and end, and
    /// where that is in the monitor.
    parts: [[u64; 3]; 2],
    /// The monitor's own descriptors: the first, and the one behind the last.
    fds: [i32; 2],
    exe_len: u64,
    exe: [u8; libc::PATH_MAX as usize],
}

impl Notice {
    /// The notice for the program at `exe` in `memory`.
    pub fn new(memory: &GuestMemory, fds: &ReservedFds, exe: &Path) -> Notice {
        let arenas = memory.arenas();
        let part = |arena: &Range<u64>| {
            // Address 0 is no pointer.
            let host = memory.host_pointer(arena.start + PAGE, 0) - PAGE;
            [arena.start, arena.end, host]
        };
        let name = exe.as_os_str().as_bytes();
        let mut notice = Notice {
            magic: MAGIC,
            parts: [part(arenas.low()), part(arenas.high())],
            fds: [fds.range().start, fds.range().end],
            exe_len: 0,
            exe: [0; libc::PATH_MAX as usize],
        };
        if let Some(room) = notice.exe.get_mut(..name.len()) {
            room.copy_from_slice(name);
            notice.exe_len = name.len() as u64;
        }
        notice
    }

    /// `auxv` with the address of this notice, which stays where it is.
    pub fn announce(&'static self, auxv: &[u8]) -> Vec<u64> {
        let (pairs, _) = auxv.as_chunks::<16>();
        let word = |bytes: &[u8]| {
            bytes
                .first_chunk()
                .map_or(0, |word| u64::from_ne_bytes(*word))
        };
        let pairs = pairs.iter().map(|pair| {
            let (key, value) = pair.split_at(8);
            [word(key), word(value)]
        });
        let own = [AT_MONITOR, std::ptr::from_ref(self).addr() as u64];
        let payloads = pairs.take_while(|[key, _]| *key != AT_NULL);
        payloads.chain([own, [AT_NULL, 0]]).flatten().collect()
    }

    /// That of another process, if it has a monitor. One that has not left its
    /// notice yet, since it executes a program just now, cannot be told about.
    fn of(process: &Process, proc: &Instance, other: i32) -> Result<Option<Notice>, Errno> {
        let auxv = proc.bytes(process, &format!("{other}/auxv"))?;
        let (words, _) = auxv.as_chunks::<8>();
        let words: Vec<u64> = words.iter().map(|word| u64::from_ne_bytes(*word)).collect();
        let (pairs, _) = words.as_chunks::<2>();
        let Some([_, address]) = pairs.iter().find(|[key, _]| *key == AT_MONITOR) else {
            return match is_monitor(process, proc, other) {
                true => Err(Errno::EACCES),
                false => Ok(None),
            };
        };
        let mut notice = Notice::new_zeroed();
        let bytes = notice.as_mut_bytes();
        proc.read_memory(process, other, *address, bytes)
            .map_err(|_| Errno::EACCES)?;
        match notice.magic {
            MAGIC => Ok(Some(notice)),
            _ => Err(Errno::EACCES),
        }
    }

    fn exe(&self) -> Option<&[u8]> {
        self.exe.get(..usize::try_from(self.exe_len).ok()?)
    }

    /// The payload's addresses for a range of the monitor's, if it is the
    /// payload's.
    fn payload_range(&self, host: &Range<u64>) -> Option<Range<u64>> {
        self.parts.iter().find_map(|[start, end, at]| {
            let from = host.start.checked_sub(*at)?.checked_add(*start)?;
            let to = from.checked_add(host.end - host.start)?;
            (to <= *end).then_some(from..to)
        })
    }
}

/// Whether descriptor `fd` of another process is its monitor's. Where that
/// cannot be told, its range is taken to be the same as here.
pub fn reserves(process: &Process, proc: &Instance, other: i32, fd: i32) -> bool {
    match Notice::of(process, proc, other) {
        Ok(Some(Notice {
            fds: [start, end], ..
        })) => (start..end).contains(&fd),
        Ok(None) => false,
        Err(_) => process.fds.contains(fd) && is_monitor(process, proc, other),
    }
}

/// How `file` of another process is served.
pub fn view(
    process: &Process,
    proc: &Instance,
    name: &Name<'_>,
    file: &[u8],
) -> Result<View, Errno> {
    if file == b"limits" {
        return Ok(View::Host);
    }
    let notice = match Notice::of(process, proc, name.process) {
        Ok(notice) => notice,
        // The host refuses the file itself, or is not to be asked for it.
        Err(_) if !is_monitor(process, proc, name.process) => None,
        Err(_) => match file {
            b"stat" | b"statm" | b"status" => None,
            _ => return Err(Errno::EACCES),
        },
    };
    let Some(notice) = notice else {
        return Ok(View::Host);
    };
    let host = |file: &str| proc.text(process, &name.below_root(file));
    Ok(match file {
        b"exe" => match notice.exe() {
            Some(exe) if !exe.is_empty() => View::File(exe.to_vec()),
            _ => return Err(Errno::EACCES),
        },
        b"maps" => View::Text(maps(&notice, &host("maps")?)),
        b"smaps" => View::Text(maps(&notice, &host("smaps")?)),
        b"smaps_rollup" => return Err(Errno::EACCES),
        b"auxv" => View::Text(auxv(&proc.bytes(process, &name.below_root("auxv"))?)),
        b"status" => {
            let size = size(process, proc, &notice, name)? >> 10;
            View::Text(status(&host("status")?, size).into_bytes())
        }
        b"stat" => {
            let size = size(process, proc, &notice, name)?;
            View::Text(stat(&host("stat")?, size).into_bytes())
        }
        b"statm" => {
            let pages = size(process, proc, &notice, name)? / PAGE;
            let host = host("statm")?;
            let rest = host.split_once(' ').map_or("", |(_, rest)| rest);
            View::Text(format!("{pages} {rest}").into_bytes())
        }
        _ => View::Host,
    })
}

/// Whether it runs the same program file as this monitor.
fn is_monitor(process: &Process, proc: &Instance, other: i32) -> bool {
    let exe = std::ffi::CString::new(format!("{other}/exe")).unwrap_or_default();
    let open = || path::open_at(proc.root().as_raw_fd(), &exe, libc::O_PATH);
    let Ok(exe) = process.fds.adopt(open) else {
        return false;
    };
    host::file_status(exe.as_fd()).is_ok_and(|status| {
        host::file_status(process.image.as_fd()).is_ok_and(|own| own.is_same_file(&status))
    })
}

/// The entries of the host's `maps` or `smaps` that are the payload's, with
/// its addresses. What it may execute is not known to the host.
fn maps(notice: &Notice, host: &str) -> Vec<u8> {
    let mut text = String::new();
    for (area, range) in payloads(notice, &area::parse(host)) {
        let Area { rights, rest, .. } = area;
        text += &format!("{:08x}-{:08x} {rights} {rest}\n", range.start, range.end);
        for (name, value) in &area.figures {
            text += &format!("{:<15} {value:>8} kB\n", format!("{name}:"));
        }
        for other in &area.others {
            text += &format!("{other}\n");
        }
    }
    text.into_bytes()
}

fn payloads<'s, 'a>(
    notice: &Notice,
    areas: &'s [Area<'a>],
) -> impl Iterator<Item = (&'s Area<'a>, Range<u64>)> {
    let areas = areas.iter().filter(|area| !area.is_hollow());
    areas.filter_map(|area| Some((area, notice.payload_range(&area.range)?)))
}

/// Bytes mapped, but for what cannot be accessed.
fn size(
    process: &Process,
    proc: &Instance,
    notice: &Notice,
    name: &Name<'_>,
) -> Result<u64, Errno> {
    let host = proc.text(process, &format!("{}/maps", name.process))?;
    let areas = area::parse(&host);
    Ok(payloads(notice, &areas).map(|(area, _)| area.len()).sum())
}

fn auxv(host: &[u8]) -> Vec<u8> {
    let (pairs, _) = host.as_chunks::<16>();
    let pairs = pairs.iter();
    let payloads = pairs.filter(|pair| !pair.starts_with(&AT_MONITOR.to_ne_bytes()));
    payloads.flatten().copied().collect()
}

fn status(host: &str, kilobytes: u64) -> String {
    let line = |line: &str| match line.split_once(':') {
        Some((key @ ("VmPeak" | "VmSize"), _)) => format!("{key}:\t{kilobytes:>8} kB\n"),
        Some((key @ "Threads", count)) => format!("{key}:\t{}\n", less_worker(count)),
        _ => format!("{line}\n"),
    };
    host.lines().map(line).collect()
}

fn stat(host: &str, size: u64) -> String {
    const THREADS: usize = 20;
    let threads = host
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.split(' ').nth(THREADS - 3));
    let threads = less_worker(threads.unwrap_or_default());
    let addresses = [26, 27, 28, 45, 46, 47, 48, 49, 50, 51].map(|field| (field, 0));
    let known = [(THREADS, threads), (23, size)];
    replace_in_stat(host, &[&known[..], &addresses].concat())
}

/// One of a monitor's threads is KVM's.
fn less_worker(count: &str) -> u64 {
    let count: u64 = count.trim().parse().unwrap_or(2);
    count.saturating_sub(1).max(1)
}
