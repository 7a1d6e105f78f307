//! The program break.

use crate::errno::Errno;
use crate::mem::layout::PAGE;
use crate::mem::mapping::{Kind, Mapping, Prot};
use crate::mem::space::AddressSpace;

impl AddressSpace {
    /// Sets where the heap starts; it is empty.
    pub fn start_brk(&mut self, start: u64) {
        self.brk = start..start;
    }

    /// Moves the end of the heap to `end`, if it can be; where it is then.
    ///
    /// As Linux has it (`brk(2)`, "C library/kernel differences"): an end that
    /// cannot be had is no error, the break stays.
    pub fn set_brk(&mut self, end: u64) -> u64 {
        if end >= self.brk.start && self.try_brk(end).is_ok() {
            self.brk.end = end;
        }
        self.brk.end
    }

    fn try_brk(&mut self, end: u64) -> Result<(), Errno> {
        let old = self.brk.end.next_multiple_of(PAGE);
        let new = end.checked_next_multiple_of(PAGE).ok_or(Errno::ENOMEM)?;
        if end - self.brk.start > self.limits.data {
            return Err(Errno::ENOMEM);
        }
        if new <= old {
            return self.release(&(new..old));
        }
        // Linux keeps a page free below whatever comes next, or the guard of
        // a stack.
        if !self.mappings.accepts_hint(old..new.saturating_add(PAGE)) {
            return Err(Errno::ENOMEM);
        }
        self.map_anonymous(old..new, Mapping::new(Prot::READ | Prot::WRITE, Kind::Heap))?;
        self.advise_heap();
        Ok(())
    }

    /// A heap grows in small steps; its host mapping is one all the same, and
    /// wants large pages once it is large.
    fn advise_heap(&self) {
        const LARGE_HEAP: u64 = 8 << 20;
        let heap = self.brk.start..self.brk.end.next_multiple_of(PAGE);
        if heap.end - heap.start >= LARGE_HEAP
            && let Some((range, _)) = self.mappings.find(self.brk.start)
            && let Ok(physical) = self.physical_range(&range)
        {
            let _ = self.reservation.advise(&physical, libc::MADV_HUGEPAGE);
        }
    }
}
