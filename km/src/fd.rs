//! Descriptors: the payload's are the host's, the monitor's own lie in a range
//! the payload cannot name.

use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use crate::sys::lock::{Guard, Lock};
use crate::sys::proc;

/// The monitor's own descriptors lie in a range of numbers that payload calls
/// cannot name, list, duplicate onto or close.
///
/// The host makes a descriptor at the lowest free number, and only then it can
/// be moved into the range. Other threads of the payload can use it meanwhile:
/// whoever makes one has to bear that, see [`adopt`](Self::adopt).
#[derive(Debug, Clone)]
pub struct ReservedFds {
    range: Range<i32>,
    /// Held while one is on its way.
    moving: Arc<Lock<()>>,
}

/// How many descriptors the monitor may need: one a vCPU and a few more.
const RESERVED: u64 = 8192;
/// The kernel's table of descriptors is as long as the largest number in use:
/// no reason to go higher.
const HIGHEST_BASE: u64 = 65_536;

impl ReservedFds {
    /// Chooses the range: just above the soft limit on open files, so that
    /// the payload's own numbers do not run into it, or at the top of the hard
    /// limit where that leaves no room.
    ///
    /// # Errors
    ///
    /// From `getrlimit`.
    pub fn choose() -> io::Result<ReservedFds> {
        let limit = proc::OPEN_FILES.settled().get()?;
        let top = limit.hard.min(HIGHEST_BASE + RESERVED);
        let size = RESERVED.min(top / 4);
        let base = limit.soft.min(top - size);
        Ok(ReservedFds::inherited((base as i32, (base + size) as i32)))
    }

    /// The range that the monitor before this one chose.
    pub fn inherited((start, end): (i32, i32)) -> ReservedFds {
        ReservedFds {
            range: start..end,
            moving: Arc::default(),
        }
    }

    /// While this is held, all descriptors outside the range are the
    /// payload's.
    pub fn settled(&self) -> Guard<'_, ()> {
        self.moving.lock()
    }

    /// Whether `fd` is one of the monitor's numbers.
    pub fn contains(&self, fd: i32) -> bool {
        self.range.contains(&fd)
    }

    pub fn range(&self) -> &Range<i32> {
        &self.range
    }

    /// A descriptor argument for the host: the monitor's own become a number
    /// that is never open, for which the host finds the right error itself.
    /// Not -1, which means something else to some calls.
    pub fn translate(&self, value: u64) -> u64 {
        if self.contains(value as i32) {
            i32::MAX as u64
        } else {
            value
        }
    }

    /// Moves the descriptor that `make` makes into the range, close-on-exec.
    /// That the payload has as many open as it may does not matter.
    ///
    /// A program that closes or duplicates onto numbers it has not opened does
    /// no harm. One that sets out to can keep a copy of what `make` made, or
    /// have its own descriptor moved instead: what a copy allows, and what a
    /// wrong one does, is the caller's to consider.
    ///
    /// # Errors
    ///
    /// Of `make`; from `fcntl(F_DUPFD_CLOEXEC)`; EMFILE when the range is full.
    pub fn adopt<E: From<io::Error>>(
        &self,
        make: impl FnOnce() -> Result<OwnedFd, E>,
    ) -> Result<OwnedFd, E> {
        let _moving = self.moving.lock();
        let made = proc::with_open_file_limit(self.range.end as u64, || {
            let made = make().map(|fd| proc::duplicate_at_least(fd.as_fd(), self.range.start));
            Ok(made)
        })?;
        Ok(self.check(made??)?)
    }

    fn check(&self, fd: OwnedFd) -> io::Result<OwnedFd> {
        if self.contains(fd.as_raw_fd()) {
            Ok(fd)
        } else {
            Err(io::Error::from_raw_os_error(libc::EMFILE))
        }
    }

    /// As [`adopt`](Self::adopt), for a copy of `fd`.
    ///
    /// # Errors
    ///
    /// As for `adopt`.
    pub fn adopt_copy(&self, fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
        // The range may lie above the soft limit: once made, a descriptor is
        // not bound by it.
        let copy = proc::with_open_file_limit(self.range.end as u64, || {
            proc::duplicate_at_least(fd, self.range.start)
        })?;
        self.check(copy)
    }
}
