//! Descriptors as such: closing ranges, comparing, and keeping new ones out of
//! the monitor's range.

use super::Outcome;
use super::call::Call;
use crate::errno::Errno;
use crate::fd::ReservedFds;
use crate::sys::call::{HostArgs, own_syscall};

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

/// `close_range(first, last, flags)`: all but the monitor's own.
pub fn close_range(call: &mut Call<'_>) -> Outcome {
    let (first, last) = (call.arg(0) as u32, call.arg(1) as u32);
    let flags = call.arg(2);
    let number = call.row.number;
    let mut result = Ok(0);
    for (first, last) in around(call.process.fds.range(), first, last) {
        let args = HostArgs::new([u64::from(first), u64::from(last), flags]);
        result = call.host(number, &args);
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
    const KCMP_EPOLL_TFD: i32 = 7;
    const SLOT: u64 = 12;
    let mut host = call.translate();
    host.set(
        4,
        match call.int(2) {
            KCMP_EPOLL_TFD => call.memory().host_pointer(call.arg(4), SLOT),
            _ => call.arg(4),
        },
    );
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
