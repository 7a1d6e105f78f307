//! `/proc/self/mem`, the payload's memory as a file (`proc_pid_mem(5)`).
//!
//! What the payload opens is an empty memory file, opened for writing and
//! sealed against it: the host refuses to read and to write it, but keeps its
//! position. Its name tells whose memory it stands for, and what it was opened
//! for. A call that the host has refused on it is done here, by the same file
//! of the monitor's, where the rules are Linux's own (what is write-protected is
//! written all the same, to a copy). Of that memory only what the payload has
//! mapped is reached.

use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};

use super::Outcome;
use super::call::Call;
use super::io::{Iovec, MAX_IOV};
use crate::errno::Errno;
use crate::mem::guest::MAX_RW_COUNT;
use crate::sys::call::{HostArgs, own_syscall};
use crate::sys::path::How;
use crate::sys::proc;
use crate::task::process::Process;

const NAME: &str = "proc-mem";

/// What the name of such a file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct MemoryFile {
    process: i32,
    /// `O_RDONLY`, `O_WRONLY` or `O_RDWR`.
    access: i32,
}

impl MemoryFile {
    fn name(self) -> String {
        format!("{NAME}:{}:{}", self.process, self.access)
    }

    /// From the name of an open file, as the host shows it.
    fn parse(name: &[u8]) -> Option<MemoryFile> {
        let name = std::str::from_utf8(name).ok()?;
        let name = name.strip_prefix("/memfd:")?.strip_suffix(" (deleted)")?;
        let (process, access) = name
            .strip_prefix(NAME)?
            .strip_prefix(':')?
            .split_once(':')?;
        Some(MemoryFile {
            process: process.parse().ok()?,
            access: access.parse().ok()?,
        })
    }

    /// The payload's descriptor `fd`, if it is one. Where the payload has made
    /// a file of that name itself, it gets no more than it could open.
    fn of(process: &Process, fd: u64) -> Option<MemoryFile> {
        let fd = proc::borrow_fd(process.fds.translate(fd) as i32)?;
        MemoryFile::parse(&process.file_name(fd))
    }

    fn allows(self, write: bool) -> bool {
        let other = if write {
            libc::O_RDONLY
        } else {
            libc::O_WRONLY
        };
        self.access != other
    }
}

/// Opens the payload's own memory.
pub fn open(call: &Call<'_>, how: How) -> Result<u64, Errno> {
    if how.has(libc::O_DIRECTORY) {
        return Err(Errno::ENOTDIR);
    }
    let file = MemoryFile {
        process: std::process::id() as i32,
        access: how.flags as i32 & libc::O_ACCMODE,
    };
    let name = CString::new(file.name()).map_err(|_| Errno::EINVAL)?;
    let sealed = call.process.fds.adopt(|| proc::sealed_file(&name, b""))?;
    let flags = how.flags as i32 & libc::O_CLOEXEC | libc::O_WRONLY;
    super::open::reopen(call, &sealed, flags as u64, 0)
}

/// The flags of the payload's descriptor `fd` (`F_GETFL`), which for the host
/// are `flags`.
pub fn flags(process: &Process, fd: u64, flags: u64) -> u64 {
    let access = libc::O_ACCMODE as u64;
    if flags & access != libc::O_WRONLY as u64 {
        return flags;
    }
    let file = MemoryFile::of(process, fd);
    file.map_or(flags, |file| flags & !access | file.access as u64)
}

/// A call that moves data between payload memory and a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Transfer {
    write: bool,
    vectored: bool,
    /// Which argument tells where in the file.
    offset: Option<usize>,
}

impl Transfer {
    fn of(number: u16) -> Option<Transfer> {
        let (write, vectored, offset) = match i64::from(number) {
            libc::SYS_read => (false, false, None),
            libc::SYS_write => (true, false, None),
            libc::SYS_pread64 => (false, false, Some(3)),
            libc::SYS_pwrite64 => (true, false, Some(3)),
            libc::SYS_readv => (false, true, None),
            libc::SYS_writev => (true, true, None),
            libc::SYS_preadv | libc::SYS_preadv2 => (false, true, Some(3)),
            libc::SYS_pwritev | libc::SYS_pwritev2 => (true, true, Some(3)),
            _ => return None,
        };
        Some(Transfer {
            write,
            vectored,
            offset,
        })
    }

    fn has_flags(number: u16) -> bool {
        matches!(i64::from(number), libc::SYS_preadv2 | libc::SYS_pwritev2)
    }
}

/// The outcome of a call that the host has made: another one if it was refused
/// because it is about such a file.
pub fn look(call: &Call<'_>, outcome: Outcome) -> Outcome {
    let Outcome::Fail(Errno::EBADF | Errno::EPERM) = outcome else {
        return outcome;
    };
    let Some(kind) = Transfer::of(call.row.number) else {
        return outcome;
    };
    match MemoryFile::of(call.process, call.arg(0)) {
        Some(file) => carry_out(call, file, kind).into(),
        None => outcome,
    }
}

fn carry_out(call: &Call<'_>, file: MemoryFile, kind: Transfer) -> Result<u64, Errno> {
    if !file.allows(kind.write) {
        return Err(Errno::EBADF);
    }
    if Transfer::has_flags(call.row.number) && call.arg(5) != 0 {
        return Err(Errno::EOPNOTSUPP);
    }
    let buffers = buffers(call, kind)?;
    // Left over from another process, whose memory is its monitor's.
    if file.process != std::process::id() as i32 {
        return Err(Errno::EIO);
    }
    let offset = kind.offset.map(|index| call.arg(index));
    let offset = offset.filter(|offset| *offset != u64::MAX);
    let start = match offset {
        Some(offset) => offset,
        None => seek(call, 0, libc::SEEK_CUR)?,
    };
    let memory = call.process.memory_file()?;
    let mut done = 0;
    for buffer in buffers {
        match transfer(
            call,
            &memory,
            kind.write,
            buffer,
            start.saturating_add(done),
        ) {
            Ok(count) => {
                done += count;
                if count < buffer.len {
                    break;
                }
            }
            Err(_) if done > 0 => break,
            Err(errno) => return Err(errno),
        }
    }
    if offset.is_none() {
        seek(call, start + done, libc::SEEK_SET)?;
    }
    Ok(done)
}

/// What the call reads or writes, in payload addresses.
fn buffers(call: &Call<'_>, kind: Transfer) -> Result<Vec<Iovec>, Errno> {
    let (base, len) = (call.arg(1), call.arg(2));
    let mut buffers = if kind.vectored {
        let count = u64::from(len as u32);
        if count > MAX_IOV {
            return Err(Errno::EINVAL);
        }
        call.memory().read_array(base, count as usize)?
    } else {
        vec![Iovec { base, len }]
    };
    let mut room = MAX_RW_COUNT;
    for buffer in &mut buffers {
        if kind.vectored && (buffer.len as i64) < 0 {
            return Err(Errno::EINVAL);
        }
        buffer.len = buffer.len.min(room);
        room -= buffer.len;
    }
    Ok(buffers)
}

/// `lseek` of the payload's descriptor.
fn seek(call: &Call<'_>, offset: u64, whence: i32) -> Result<u64, Errno> {
    let fd = call.process.fds.translate(call.arg(0));
    own_syscall(libc::SYS_lseek, &HostArgs::new([fd, offset, whence as u64]))
}

fn end_of_mapping(call: &Call<'_>, address: u64) -> Option<u64> {
    let space = call.process.space();
    let (range, _) = space.mappings().find(address)?;
    Some(range.end)
}

/// Moves bytes between `buffer` and payload memory at `address` on; how many.
fn transfer(
    call: &Call<'_>,
    file: &OwnedFd,
    write: bool,
    buffer: Iovec,
    address: u64,
) -> Result<u64, Errno> {
    let number = match write {
        true => libc::SYS_pwrite64,
        false => libc::SYS_pread64,
    };
    let memory = call.memory();
    let mut done = 0;
    while done < buffer.len {
        let Some(at) = address.checked_add(done) else {
            break;
        };
        let Some(end) = end_of_mapping(call, at) else {
            break;
        };
        let count = (end - at).min(buffer.len - done);
        let args = HostArgs::new([
            file.as_raw_fd() as u64,
            memory.host_pointer(buffer.base.wrapping_add(done), count),
            count,
            memory.host_pointer(at, count),
        ]);
        match call.host(number as u16, &args) {
            Ok(0) => break,
            Ok(moved) => done += moved,
            Err(_) if done > 0 => break,
            Err(errno) => return Err(errno),
        }
    }
    if done == 0 && buffer.len > 0 {
        return Err(Errno::EIO);
    }
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_what_it_stands_for() {
        let file = MemoryFile {
            process: 12,
            access: libc::O_RDWR,
        };
        let shown = format!("/memfd:{} (deleted)", file.name());
        assert_eq!(MemoryFile::parse(shown.as_bytes()), Some(file));
        for other in [
            "/memfd:proc-mem:12:2",
            "/memfd:proc-mem:12 (deleted)",
            "/memfd:proc-mem:x:2 (deleted)",
            "/memfd:proc (deleted)",
            "/proc-mem:12:2 (deleted)",
        ] {
            assert_eq!(MemoryFile::parse(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn it_is_used_as_it_was_opened() {
        let file = |access| MemoryFile { process: 1, access };
        assert!(file(libc::O_RDONLY).allows(false) && !file(libc::O_RDONLY).allows(true));
        assert!(!file(libc::O_WRONLY).allows(false) && file(libc::O_WRONLY).allows(true));
        assert!(file(libc::O_RDWR).allows(false) && file(libc::O_RDWR).allows(true));
    }
}
