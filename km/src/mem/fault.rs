//! Page faults of the payload: entries to fill in, stacks to grow, signals.

use std::ops::Range;

use crate::errno::Errno;
use crate::mem::layout::PAGE;
use crate::mem::mapping::{Kind, Mapping, Prot};
use crate::mem::space::{AddressSpace, host_prot};
use crate::sys::map::Backing;

/// Error code bits of a page fault (SDM volume 3, figure 5-12).
pub const WRITE: u64 = 1 << 1;
pub const FETCH: u64 = 1 << 4;

/// What becomes of a page fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// The tables were filled in: the instruction can be tried again.
    Filled,
    /// The tables allowed it already: the processor used an old entry.
    Stale,
    /// Nothing is mapped there: SIGSEGV, `SEGV_MAPERR`.
    NotMapped,
    /// It is mapped but may not be used so: SIGSEGV, `SEGV_ACCERR`.
    Denied,
    /// The host has no page for it: SIGBUS, `BUS_ADRERR`.
    NoPage,
}

/// How much a stack grows at least, if its limit allows: each growth costs an
/// exit.
const STACK_STEP: u64 = 128 << 10;

impl AddressSpace {
    /// Resolves a page fault at `address` with the processor's `error` code.
    /// With `probe`, only that page is filled in, and only if the host can
    /// provide it.
    ///
    /// # Errors
    ///
    /// ENOMEM where the monitor has no memory for tables.
    pub fn page_fault(
        &mut self,
        address: u64,
        error: u64,
        probe: bool,
    ) -> Result<Resolution, Errno> {
        if self.mappings.find(address).is_none() && !self.grow_stack(address)? {
            return Ok(Resolution::NotMapped);
        }
        let Some((range, mapping)) = self.mappings.find(address) else {
            return Ok(Resolution::NotMapped);
        };
        if !allowed(mapping.prot, error) {
            return Ok(Resolution::Denied);
        }
        let page = address & !(PAGE - 1);
        if probe {
            if !self.memory.accessible(page, error & WRITE != 0) {
                return Ok(Resolution::NoPage);
            }
            self.fill(&(page..page + PAGE))?;
            return Ok(Resolution::Filled);
        }
        let window = Self::window(&range, address);
        let stale = self.tables.lookup(address).is_some_and(|access| {
            (access.write || error & WRITE == 0) && (access.execute || error & FETCH == 0)
        });
        if stale {
            return Ok(Resolution::Stale);
        }
        self.fill(&window)?;
        Ok(Resolution::Filled)
    }

    /// Grows a stack down to `address`, if one may; whether it did.
    fn grow_stack(&mut self, address: u64) -> Result<bool, Errno> {
        let limit = self.limits.stack;
        let page = address & !(PAGE - 1);
        let Some((missing, mapping)) = self.mappings.stack_growth(page) else {
            return Ok(false);
        };
        let mapping = mapping.clone();
        let end = self
            .mappings
            .find(missing.end)
            .map_or(missing.end, |(stack, _)| stack.end);
        if end - page > limit {
            return Ok(false);
        }
        // A larger step where nothing is in its way.
        let wanted = missing
            .end
            .saturating_sub(STACK_STEP)
            .max(end.saturating_sub(limit));
        let wanted = wanted.next_multiple_of(PAGE);
        let start = match self.mappings.stack_growth(wanted.min(page)) {
            Some(_) if wanted < page => wanted,
            _ => page,
        };
        self.extend_stack(start..missing.end, mapping)?;
        Ok(true)
    }

    fn extend_stack(&mut self, range: Range<u64>, mapping: Mapping) -> Result<(), Errno> {
        // Only the main stack has memory ready below it.
        let main = mapping.kind == Kind::Stack;
        let ready = if main { self.stack_ready } else { range.end };
        if range.start < ready {
            let missing = self.physical_range(&(range.start..range.end.min(ready)))?;
            let flags = libc::MAP_PRIVATE | libc::MAP_NORESERVE;
            self.reservation
                .map(&missing, host_prot(mapping.prot), flags, Backing::Anonymous)?;
        }
        if main {
            self.stack_ready = ready.min(range.start);
        }
        self.mappings.insert(range.clone(), mapping);
        self.fill(&range)
    }

    /// Makes the main stack: `present` is mapped, and the host holds memory
    /// ready down to `ready`, for calls that write where the payload itself
    /// has not been yet.
    ///
    /// # Errors
    ///
    /// As for [`establish`](AddressSpace::establish).
    pub fn make_stack(
        &mut self,
        present: Range<u64>,
        ready: u64,
        mapping: Mapping,
    ) -> Result<(), Errno> {
        let physical = self.physical_range(&(ready..present.start))?;
        let flags = libc::MAP_PRIVATE | libc::MAP_NORESERVE;
        let prot = host_prot(mapping.prot);
        self.map_anonymous(present, mapping)?;
        if !physical.is_empty() {
            self.reservation
                .map(&physical, prot, flags, Backing::Anonymous)?;
        }
        self.stack_ready = ready;
        Ok(())
    }
}

/// Whether a mapping with `prot` allows the access of `error`.
fn allowed(prot: Prot, error: u64) -> bool {
    if error & WRITE != 0 {
        prot.contains(Prot::WRITE)
    } else if error & FETCH != 0 {
        prot.contains(Prot::EXEC)
    } else {
        !prot.is_empty()
    }
}
