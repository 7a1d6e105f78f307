//! The reservation: one range of the monitor's address space that stands for
//! guest-physical memory. Everything the payload maps lies in it, and every
//! operation here is confined to it.

use std::io;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::errno::Errno;

mod moves;
mod segment;

pub use moves::Growth;
pub use segment::Segment;

/// Address space of the monitor set aside for the payload, inaccessible until
/// mapped. Offsets are guest-physical addresses.
#[derive(Debug)]
pub struct Reservation {
    base: u64,
    len: u64,
}

/// Alignment of the reservation: the largest page of the processor, so that
/// large pages of guest and host fall together.
const ALIGN: u64 = 1 << 30;

/// What lies behind a mapping.
#[derive(Debug, Clone, Copy)]
pub enum Backing<'a> {
    Anonymous,
    File { fd: BorrowedFd<'a>, offset: u64 },
}

/// Whether the calling thread may map the page at `address`, which is one of
/// the first: the host asks for a privilege (`vm.mmap_min_addr`).
///
/// # Errors
///
/// EPERM where it may not.
pub fn may_map_low(address: u64) -> Result<(), Errno> {
    const LEN: usize = 4096;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
    // SAFETY: a mapping that replaces no other, and that nothing can be read
    // from or written to; it is undone at once.
    unsafe {
        let at = libc::mmap(address as *mut _, LEN, libc::PROT_NONE, flags, -1, 0);
        if at == libc::MAP_FAILED {
            return match io::Error::last_os_error().into() {
                // By another thread that asks.
                Errno::EEXIST => Ok(()),
                errno => Err(errno),
            };
        }
        libc::munmap(at, LEN);
    }
    Ok(())
}

/// The error that the host has for a mapping of a file which is not to be
/// mapped, or cannot be: what is wrong with the rights and flags is found
/// first. `flags` do not say where it goes.
pub fn error_of_mapping(file: BorrowedFd<'_>, prot: i32, flags: i32) -> Errno {
    const LEN: usize = 4096;
    let (nowhere, fd) = (std::ptr::null_mut(), file.as_raw_fd());
    // SAFETY: a fresh mapping at an address of the kernel's choice touches no
    // other; should there be one, nobody knows of it, and it is undone.
    unsafe {
        let at = libc::mmap(nowhere, LEN, prot, flags, fd, 0);
        if at == libc::MAP_FAILED {
            return io::Error::last_os_error().into();
        }
        libc::munmap(at, LEN);
    }
    Errno::ENODEV
}

impl Reservation {
    /// Reserves `len` bytes.
    ///
    /// # Errors
    ///
    /// From `mmap(2)`: ENOMEM where the address space, or `RLIMIT_AS`, has no
    /// room for it.
    pub fn new(len: u64) -> io::Result<Reservation> {
        let padded = len + ALIGN;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a fresh mapping at an address of the kernel's choice touches
        // no other mapping.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                padded as usize,
                libc::PROT_NONE,
                flags,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = (start as u64).next_multiple_of(ALIGN);
        Ok(Reservation { base, len })
    }

    /// Where offset 0 lies in the monitor.
    pub fn base(&self) -> u64 {
        self.base
    }

    /// The host address of `range`, if it is in the reservation.
    fn at(&self, range: &Range<u64>) -> Result<(*mut libc::c_void, usize), Errno> {
        if range.start > range.end || range.end > self.len {
            return Err(Errno::ENOMEM);
        }
        let len = usize::try_from(range.end - range.start).map_err(|_| Errno::ENOMEM)?;
        Ok(((self.base + range.start) as *mut libc::c_void, len))
    }

    /// Maps `backing` over `range`, replacing what was there. `flags` are
    /// `MAP_*` beside `MAP_FIXED`.
    ///
    /// # Errors
    ///
    /// From `mmap(2)`.
    pub fn map(
        &self,
        range: &Range<u64>,
        prot: i32,
        flags: i32,
        backing: Backing<'_>,
    ) -> Result<(), Errno> {
        let (at, len) = self.at(range)?;
        let (fd, offset, anonymous) = match backing {
            Backing::Anonymous => (-1, 0, libc::MAP_ANONYMOUS),
            Backing::File { fd, offset } => (fd.as_raw_fd(), offset as i64, 0),
        };
        let flags = flags | libc::MAP_FIXED | anonymous;
        // SAFETY: `at..at + len` is inside the reservation, which only the
        // payload uses, so MAP_FIXED replaces nothing of the monitor's.
        let mapped = unsafe { libc::mmap(at, len, prot, flags, fd, offset) };
        if mapped == libc::MAP_FAILED {
            Err(last())
        } else {
            Ok(())
        }
    }

    /// Gives `range` back to the reservation: nothing is mapped there.
    ///
    /// # Errors
    ///
    /// From `mmap(2)`: ENOMEM when the kernel's limit on mappings is reached.
    pub fn unmap(&self, range: &Range<u64>) -> Result<(), Errno> {
        let flags = libc::MAP_PRIVATE | libc::MAP_NORESERVE;
        self.map(range, libc::PROT_NONE, flags, Backing::Anonymous)
    }

    /// `mprotect(2)` on `range`.
    ///
    /// # Errors
    ///
    /// From `mprotect(2)`.
    pub fn protect(&self, range: &Range<u64>, prot: i32) -> Result<(), Errno> {
        let (at, len) = self.at(range)?;
        // SAFETY: the range is inside the reservation, to which the monitor
        // holds no reference; accesses to it survive faults.
        check(unsafe { libc::mprotect(at, len, prot) })
    }

    /// `madvise(2)` on `range`.
    ///
    /// # Errors
    ///
    /// From `madvise(2)`.
    pub fn advise(&self, range: &Range<u64>, advice: i32) -> Result<(), Errno> {
        let (at, len) = self.at(range)?;
        // SAFETY: as for `protect`: contents may change or vanish, which only
        // the payload sees.
        check(unsafe { libc::madvise(at, len, advice) })
    }

    /// `msync(2)` on `range`.
    ///
    /// # Errors
    ///
    /// From `msync(2)`.
    pub fn sync(&self, range: &Range<u64>, flags: i32) -> Result<(), Errno> {
        let (at, len) = self.at(range)?;
        // SAFETY: the range is inside the reservation.
        check(unsafe { libc::msync(at, len, flags) })
    }

    /// `mlock2(2)` on `range`.
    ///
    /// # Errors
    ///
    /// From `mlock2(2)`.
    pub fn lock(&self, range: &Range<u64>, flags: u32) -> Result<(), Errno> {
        let (at, len) = self.at(range)?;
        // SAFETY: the range is inside the reservation.
        let done = unsafe { libc::syscall(libc::SYS_mlock2, at, len, flags) };
        check(done as i32)
    }

    /// `munlock(2)` on `range`.
    ///
    /// # Errors
    ///
    /// From `munlock(2)`.
    pub fn unlock(&self, range: &Range<u64>) -> Result<(), Errno> {
        let (at, len) = self.at(range)?;
        // SAFETY: the range is inside the reservation.
        check(unsafe { libc::munlock(at, len) })
    }

    /// `mincore(2)` on `range`: a byte a page.
    ///
    /// # Errors
    ///
    /// From `mincore(2)`.
    pub fn resident(&self, range: &Range<u64>) -> Result<Vec<u8>, Errno> {
        let (at, len) = self.at(range)?;
        let mut pages = vec![0u8; len.div_ceil(4096)];
        // SAFETY: `pages` has a byte for each page of the range.
        check(unsafe { libc::mincore(at, len, pages.as_mut_ptr()) })?;
        Ok(pages)
    }
}

fn last() -> Errno {
    io::Error::last_os_error().into()
}

fn check(result: i32) -> Result<(), Errno> {
    if result < 0 { Err(last()) } else { Ok(()) }
}
