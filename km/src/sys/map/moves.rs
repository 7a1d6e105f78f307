//! Moving and growing mappings (`mremap(2)`) without a hole in the reservation.
//!
//! Where the kernel would leave a range unmapped, if only for a moment, the
//! next mapping of another thread of the monitor may land, and the payload
//! would reach it. So pages are moved with `MREMAP_DONTUNMAP`, which leaves an
//! empty mapping behind, and every range is replaced (`MAP_FIXED`,
//! `MREMAP_FIXED`), never filled in.

use std::ops::Range;

use super::{Backing, Reservation, check, last};
use crate::errno::Errno;

const PAGE: usize = 4096;

/// How a mapping becomes longer.
#[derive(Debug, Clone, Copy)]
pub enum Growth {
    /// Private anonymous memory: by more of the same protection and flags
    /// (`MAP_*` beside `MAP_FIXED`).
    Anonymous { prot: i32, flags: i32 },
    /// Shared memory: by a second view of what lies behind it.
    Shared,
    /// A private mapping of a file: by way of another place. Its last page is
    /// missing for a moment.
    Private,
}

impl Reservation {
    /// Moves the pages of `old` to `new` and on, replacing what was there.
    /// `old` stays mapped, without them (`MREMAP_DONTUNMAP`). It may be
    /// several mappings of the host's.
    ///
    /// # Errors
    ///
    /// From `mremap(2)`: EINVAL also for mappings that cannot be left behind,
    /// of large pages or a device. Nothing is moved then.
    pub fn move_pages(&self, old: &Range<u64>, new: u64) -> Result<(), Errno> {
        let len = old.end.saturating_sub(old.start);
        let mut done = 0;
        while done < len {
            let rest = old.start + done..old.end;
            let piece = rest.start..rest.start + self.first_mapping(&rest)?;
            let target = new + done..new + done + (piece.end - piece.start);
            if let Err(error) = self.move_mapping(&piece, &target) {
                if done > 0 {
                    self.move_pages(&(new..new + done), old.start)?;
                    self.unmap(&(new..new + done))?;
                }
                return Err(error);
            }
            done = target.end - new;
        }
        Ok(())
    }

    fn move_mapping(&self, old: &Range<u64>, new: &Range<u64>) -> Result<(), Errno> {
        self.replace(old, new, libc::MREMAP_DONTUNMAP)
    }

    /// Replaces `new` by another view of the shared mapping at `old`.
    ///
    /// # Errors
    ///
    /// From `mremap(2)`.
    pub fn duplicate(&self, old: u64, new: &Range<u64>) -> Result<(), Errno> {
        self.replace(&(old..old), new, 0)
    }

    /// Replaces `new` by what is at `old`, which must stay mapped: `how` says
    /// so, or its length is zero.
    fn replace(&self, old: &Range<u64>, new: &Range<u64>, how: i32) -> Result<(), Errno> {
        let (from, old_len) = self.at(old)?;
        let (to, len) = self.at(new)?;
        let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED | how;
        // SAFETY: both ranges are inside the reservation, and stay mapped: an
        // old length of zero leaves the old mapping as it is.
        let placed = unsafe { libc::mremap(from, old_len, len, flags, to) };
        if placed == libc::MAP_FAILED {
            let error = last();
            self.mend(new);
            return Err(error);
        }
        Ok(())
    }

    /// Grows the mapping `old` in place to `len` bytes, over what is there.
    ///
    /// # Errors
    ///
    /// From `mremap(2)`; the mapping is as it was then.
    pub fn grow(&self, old: &Range<u64>, len: u64, how: Growth) -> Result<(), Errno> {
        let behind = old.end..old.start.saturating_add(len);
        let page = old.end.saturating_sub(PAGE as u64)..old.end;
        self.check_growable(&page)?;
        match how {
            Growth::Anonymous { prot, flags } => {
                let grown = self.map(&behind, prot, flags, Backing::Anonymous);
                if grown.is_err() {
                    self.mend(&behind);
                }
                grown
            }
            Growth::Shared => self.grow_shared(&page, &behind),
            Growth::Private => self.grow_private(&page, &behind),
        }
    }

    /// Whether the mapping that ends with `page` may grow at all: the kernel
    /// must find nothing wrong but that the reservation is in the way.
    fn check_growable(&self, page: &Range<u64>) -> Result<(), Errno> {
        match self.try_growing(page) {
            Err(Errno::ENOMEM) => Ok(()),
            Err(Errno::EAGAIN) => Err(Errno::EAGAIN),
            // Large pages, and memory of a device.
            _ => Err(Errno::EFAULT),
        }
    }

    fn grow_shared(&self, page: &Range<u64>, behind: &Range<u64>) -> Result<(), Errno> {
        let (from, _) = self.at(page)?;
        let (to, extra) = self.at(behind)?;
        // SAFETY: an old length of zero leaves the mapping as it is and makes
        // a second one elsewhere, which belongs to this function: its tail
        // goes where it is wanted, inside the reservation, and the rest away.
        unsafe {
            let copy = libc::mremap(from, 0, PAGE + extra, libc::MREMAP_MAYMOVE);
            if copy == libc::MAP_FAILED {
                return Err(last());
            }
            let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
            let moved = libc::mremap(copy.byte_add(PAGE), extra, extra, flags, to);
            if moved == libc::MAP_FAILED {
                let error = last();
                self.mend(behind);
                libc::munmap(copy, PAGE + extra);
                return Err(error);
            }
            check(libc::munmap(copy, PAGE))
        }
    }

    fn grow_private(&self, page: &Range<u64>, behind: &Range<u64>) -> Result<(), Errno> {
        let (from, extra) = (self.at(page)?.0, self.at(behind)?.1);
        let back = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        // SAFETY: the page goes to a place of the kernel's choosing, grows
        // there, and comes back over itself and what is behind it, all inside
        // the reservation, where it is whole again whatever fails.
        unsafe {
            let away = libc::MREMAP_MAYMOVE | libc::MREMAP_DONTUNMAP;
            let alone = libc::mremap(from, PAGE, PAGE, away);
            if alone == libc::MAP_FAILED {
                return Err(last());
            }
            let grown = libc::mremap(alone, PAGE, PAGE + extra, libc::MREMAP_MAYMOVE);
            if grown == libc::MAP_FAILED {
                let error = last();
                libc::mremap(alone, PAGE, PAGE, back, from);
                return Err(error);
            }
            let done = libc::mremap(grown, PAGE + extra, PAGE + extra, back, from);
            if done == libc::MAP_FAILED {
                let error = last();
                libc::mremap(grown, PAGE, PAGE, back, from);
                libc::munmap(grown.byte_add(PAGE), extra);
                self.mend(behind);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Reserves `range` again where a call that failed half-way has left
    /// nothing; what is mapped stays.
    pub(super) fn mend(&self, range: &Range<u64>) {
        let flags = libc::MAP_PRIVATE | libc::MAP_NORESERVE | libc::MAP_FIXED_NOREPLACE;
        if let Ok((at, len)) = self.at(range) {
            let flags = flags | libc::MAP_ANONYMOUS;
            // SAFETY: the range is inside the reservation, and nothing is
            // replaced.
            unsafe { libc::mmap(at, len, libc::PROT_NONE, flags, -1, 0) };
        }
    }

    /// How much of `range` the host's first mapping there covers.
    fn first_mapping(&self, range: &Range<u64>) -> Result<u64, Errno> {
        let page = PAGE as u64;
        let reaches_out = |len: u64| {
            let part = range.start..range.start + len;
            self.try_growing(&part) == Err(Errno::EFAULT)
        };
        self.at(range)?;
        let whole = range.end - range.start;
        // One that may not grow says EFAULT for a single page as well.
        if !reaches_out(whole) || reaches_out(page) {
            return Ok(whole);
        }
        // So many pages are inside it, and so many are too many.
        let (mut inside, mut too_many) = (1, whole / page);
        while too_many - inside > 1 {
            let middle = inside + (too_many - inside) / 2;
            if reaches_out(middle * page) {
                too_many = middle;
            } else {
                inside = middle;
            }
        }
        Ok(inside * page)
    }

    /// Asks for one page more than `range`, which the kernel refuses: ENOMEM
    /// as there is always something behind it, but EFAULT where `range` is
    /// more than one mapping, or one that may not grow.
    fn try_growing(&self, range: &Range<u64>) -> Result<(), Errno> {
        let (at, len) = self.at(range)?;
        // SAFETY: without MREMAP_MAYMOVE nothing moves, and the reservation
        // is mapped beyond its end, so there is no room to grow into.
        let grown = unsafe { libc::mremap(at, len, len + PAGE, 0) };
        if grown == libc::MAP_FAILED {
            Err(last())
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
