//! Descriptors as such: closing, duplicating, comparing, and keeping new ones
//! out of the monitor's range.
//!
//! With several threads, one may name a number that just then holds a
//! descriptor of the monitor's, on its way into the reserved range. Calls that
//! would keep or close it first see whether the number is open while nothing is
//! on its way.

use super::Outcome;
use super::call::Call;
use crate::errno::Errno;
use crate::fd::ReservedFds;
use crate::sys::call::{HostArgs, own_syscall};
use crate::task::process::Process;

/// Moves a descriptor the host has just made for the payload out of the
/// monitor's range, should it have landed there: the next free number above.
///
/// `fd` must come from the host, never from payload memory.
///
/// # Errors
///
/// EMFILE where there is none; the descriptor is closed then.
pub fn relocate(fds: &ReservedFds, fd: u64) -> Result<u64, Errno> {
    if !fds.contains(fd as i32) {
        return Ok(fd);
    }
    let flags = own_syscall(libc::SYS_fcntl, &HostArgs::new([fd, libc::F_GETFD as u64]))?;
    let duplicate = match flags & libc::FD_CLOEXEC as u64 {
        0 => libc::F_DUPFD,
        _ => libc::F_DUPFD_CLOEXEC,
    };
    let above = fds.range().end as u64;
    let moved = own_syscall(
        libc::SYS_fcntl,
        &HostArgs::new([fd, duplicate as u64, above]),
    );
    own_syscall(libc::SYS_close, &HostArgs::new([fd]))?;
    // EINVAL: the limit on open files lies below the range's end.
    moved.map_err(|_| Errno::EMFILE)
}

/// Whether `fd` is open.
fn is_open(fd: u64) -> bool {
    own_syscall(libc::SYS_fcntl, &HostArgs::new([fd, libc::F_GETFD as u64])).is_ok()
}

/// A descriptor argument for the host; one that the payload has not opened
/// becomes a number that is never open.
pub fn opened(process: &Process, value: u64) -> u64 {
    let fd = process.fds.translate(value);
    if process.threads() == 1 {
        return fd;
    }
    let _settled = process.fds.settled();
    let is_number = (fd as i32) < 0 || is_open(fd);
    if is_number { fd } else { i32::MAX as u64 }
}

/// `close(fd)` and `dup(oldfd)`.
pub fn forward(call: &mut Call<'_>) -> Outcome {
    let host = HostArgs::new([opened(call.process, call.arg(0))]);
    call.host(call.row.number, &host).into()
}

/// `dup2(oldfd, newfd)` and `dup3(oldfd, newfd, flags)`.
pub fn duplicate_onto(call: &mut Call<'_>) -> Outcome {
    let mut host = call.translate();
    host.set(0, opened(call.process, call.arg(0)));
    if call.process.threads() > 1 {
        let _settled = call.process.fds.settled();
        if !is_open(host.get(1)) {
            // Closes nothing, so that it does not block.
            return own_syscall(i64::from(call.row.number), &host).into();
        }
    }
    call.host(call.row.number, &host).into()
}

/// `close_range(first, last, flags)`: all but the monitor's own.
pub fn close_range(call: &mut Call<'_>) -> Outcome {
    let (first, last) = (call.arg(0) as u32, call.arg(1) as u32);
    let mut flags = call.arg(2);
    let number = call.row.number;
    let process = call.process;
    let alone = process.threads() == 1;
    if flags & u64::from(libc::CLOSE_RANGE_UNSHARE) != 0 {
        // Threads share their descriptors, as they share the monitor's.
        if !alone {
            return Outcome::Fail(Errno::EINVAL);
        }
        flags &= !u64::from(libc::CLOSE_RANGE_UNSHARE);
    }
    let marks = flags & u64::from(libc::CLOSE_RANGE_CLOEXEC) != 0;
    let mut result = Ok(0);
    for (first, last) in around(process.fds.range(), first, last) {
        let args = HostArgs::new([u64::from(first), u64::from(last), flags]);
        result = if alone || marks {
            call.host(number, &args)
        } else {
            // Here it may block, and others may wait for it: rather that than
            // one of the monitor's closed.
            let _settled = process.fds.settled();
            own_syscall(i64::from(number), &args)
        };
        if result.is_err() {
            break;
        }
    }
    result.into()
}

/// The parts of `first..=last` that are not reserved. A range that is invalid
/// stays as it is: the host refuses it.
fn around(reserved: &std::ops::Range<i32>, first: u32, last: u32) -> Vec<(u32, u32)> {
    let (start, end) = (reserved.start as u32, reserved.end as u32);
    if first > last || last < start || first >= end || start >= end {
        return vec![(first, last)];
    }
    let mut parts = Vec::new();
    if first < start {
        parts.push((first, start - 1));
    }
    if last >= end {
        parts.push((end, last));
    }
    parts
}

/// `kcmp(pid1, pid2, type, idx1, idx2)`: `idx2` is a pointer to
/// `struct kcmp_epoll_slot` for `KCMP_EPOLL_TFD`, else a number.
pub fn kcmp(call: &mut Call<'_>) -> Outcome {
    const KCMP_FILE: i32 = 0;
    const KCMP_EPOLL_TFD: i32 = 7;
    const SLOT: u64 = 12;
    let mut host = call.translate();
    // Of another process as well: its monitor has the same numbers.
    let descriptor = |index| call.process.fds.translate(call.arg(index));
    match call.int(2) {
        KCMP_FILE => {
            host.set(3, descriptor(3));
            host.set(4, descriptor(4));
        }
        KCMP_EPOLL_TFD => {
            host.set(3, descriptor(3));
            host.set(4, call.memory().host_pointer(call.arg(4), SLOT));
        }
        _ => host.set(4, call.arg(4)),
    }
    call.host(call.row.number, &host).into()
}

#[cfg(test)]
mod tests {
    use super::around;

    #[test]
    fn close_range_leaves_the_reserved_descriptors_out() {
        let reserved = 1024..2048;
        assert_eq!(
            around(&reserved, 3, u32::MAX),
            [(3, 1023), (2048, u32::MAX)]
        );
        assert_eq!(around(&reserved, 3, 1500), [(3, 1023)]);
        assert_eq!(around(&reserved, 1024, 2047), []);
        assert_eq!(around(&reserved, 1500, 3000), [(2048, 3000)]);
        assert_eq!(around(&reserved, 0, 1023), [(0, 1023)]);
        assert_eq!(around(&reserved, 2048, 2049), [(2048, 2049)]);
        assert_eq!(
            around(&reserved, 9, 3),
            [(9, 3)],
            "left for the host to refuse"
        );
    }
}
