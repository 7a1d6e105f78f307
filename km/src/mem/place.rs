//! Where `mmap` finds room.

use std::ops::Range;

use crate::errno::Errno;
use crate::mem::layout::{MMAP_MIN, PAGE, TASK_SIZE};
use crate::mem::space::AddressSpace;

impl AddressSpace {
    /// A free range of `len` bytes for `mmap`, near `hint` if that is free.
    ///
    /// # Errors
    ///
    /// ENOMEM where there is none.
    pub fn find_free(&self, len: u64, hint: u64, align: u64) -> Result<Range<u64>, Errno> {
        if len > TASK_SIZE {
            return Err(Errno::ENOMEM);
        }
        let arenas = self.memory.arenas();
        // A hint of zero is none; one too low is raised
        // (`round_hint_to_min()`).
        let hint = if hint == 0 {
            0
        } else {
            (hint & !(PAGE - 1)).max(MMAP_MIN)
        };
        if let Some(end) = hint.checked_add(len)
            && hint != 0
            && arenas.contains(&(hint..end))
            && self.mappings.accepts_hint(hint..end)
        {
            return Ok(hint..end);
        }
        let (low, high) = (arenas.low(), arenas.high());
        let start = self
            .mappings
            .find_gap_topdown(len, align, high.start, self.mmap_base)
            .or_else(|| {
                self.mappings
                    .find_gap_bottomup(len, align, self.mmap_base, high.end)
            })
            .or_else(|| {
                self.mappings
                    .find_gap_topdown(len, align, MMAP_MIN, low.end)
            })
            .ok_or(Errno::ENOMEM)?;
        Ok(start..start + len)
    }

    /// A free range in the first 2 GiB, for `MAP_32BIT`.
    ///
    /// # Errors
    ///
    /// ENOMEM where there is none.
    pub fn find_free_low(&self, len: u64) -> Result<Range<u64>, Errno> {
        const RANGE: Range<u64> = 0x4000_0000..0x8000_0000;
        let start = self
            .mappings
            .find_gap_bottomup(len, PAGE, RANGE.start, RANGE.end)
            .ok_or(Errno::ENOMEM)?;
        Ok(start..start + len)
    }
}
