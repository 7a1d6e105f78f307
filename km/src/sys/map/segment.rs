//! System V shared memory (`shmat(2)`).
//!
//! How long a segment is cannot be known for sure before it is attached: its
//! number may be given to another one meanwhile. So it is attached where the
//! kernel has room, and moved into the reservation with the length it has.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::{Reservation, check, last};
use crate::errno::Errno;

/// A segment attached outside the reservation, and detached when dropped.
#[derive(Debug)]
pub struct Segment {
    at: *mut libc::c_void,
    /// What `shmget(2)` was told.
    pub key: i32,
    pub len: u64,
}

impl Segment {
    /// Attaches segment `id`; of `flags`, `SHM_RDONLY` and `SHM_EXEC` count.
    ///
    /// # Errors
    ///
    /// From `shmat(2)` and `shmctl(2)`.
    pub fn attach(id: i32, flags: i32) -> Result<Segment, Errno> {
        let flags = flags & (libc::SHM_RDONLY | libc::SHM_EXEC);
        // SAFETY: at an address of the kernel's choice no other mapping is
        // touched.
        let at = unsafe { libc::shmat(id, std::ptr::null(), flags) };
        if at == libc::MAP_FAILED {
            return Err(last());
        }
        let mut segment = Segment { at, key: 0, len: 0 };
        let mut status = MaybeUninit::<libc::shmid_ds>::uninit();
        // SAFETY: the kernel fills in the structure, as it says, or fails. An
        // attached segment keeps its number.
        let status = unsafe {
            check(libc::shmctl(id, libc::IPC_STAT, status.as_mut_ptr()))?;
            status.assume_init()
        };
        segment.key = status.shm_perm.__key;
        segment.len = status.shm_segsz as u64;
        Ok(segment)
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // SAFETY: the mapping belongs to this value, and nobody else knows it.
        unsafe { libc::shmdt(self.at) };
    }
}

impl Reservation {
    /// Moves `segment` to `range`, replacing what was there.
    ///
    /// # Errors
    ///
    /// From `mprotect(2)` and `mremap(2)`: EINVAL for a segment of large pages.
    pub fn adopt(&self, segment: Segment, range: &Range<u64>, prot: i32) -> Result<(), Errno> {
        let (to, len) = self.at(range)?;
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        // SAFETY: the mapping is the segment's own, and the kernel refuses to
        // move more than one; where it goes is inside the reservation.
        let moved = unsafe {
            check(libc::mprotect(segment.at, len, prot))?;
            libc::mremap(segment.at, len, len, flags, to)
        };
        if moved == libc::MAP_FAILED {
            let error = last();
            self.mend(range);
            return Err(error);
        }
        std::mem::forget(segment);
        Ok(())
    }
}
