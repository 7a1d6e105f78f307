//! Memory that stays: `mlock(2)` and its kin, and `MAP_POPULATE`.

use std::ops::Range;
use std::sync::Arc;

use super::Pieces;
use crate::errno::Errno;
use crate::mem::layout::{PAGE, TASK_SIZE};
use crate::mem::mapping::{Kind, MapFlags, Mapping, Prot};
use crate::mem::space::AddressSpace;
use crate::sys::map::Reservation;
use crate::syscall::Outcome;
use crate::syscall::call::Call;

/// `MLOCK_ONFAULT`.
const ON_FAULT: u32 = 1;

/// Pages that are to be present. Locking them is quick and done under the
/// lock on the address space; making them present is not.
pub(super) struct Population {
    reservation: Arc<Reservation>,
    pieces: Vec<(Range<u64>, i32)>,
}

impl Population {
    /// What is mapped in `range`.
    pub(super) fn of(space: &AddressSpace, range: &Range<u64>) -> Population {
        let piece = |(piece, mapping): (Range<u64>, std::borrow::Cow<'_, Mapping>)| {
            // Private memory gets its own copy, as the kernel has it.
            let advice = if mapping.prot.contains(Prot::WRITE) && !mapping.shared {
                libc::MADV_POPULATE_WRITE
            } else {
                libc::MADV_POPULATE_READ
            };
            let own = mapping.kind != Kind::Vvar;
            let physical = own.then(|| space.physical_range(&piece).ok()).flatten()?;
            Some((physical, advice))
        };
        Population {
            reservation: Arc::clone(space.reservation()),
            pieces: space
                .mappings()
                .iter_over(range.clone())
                .filter_map(piece)
                .collect(),
        }
    }

    /// Makes present what can be.
    pub(super) fn attempt(&self) {
        for (physical, advice) in &self.pieces {
            // A page that cannot be had is found out about when it is used.
            let _ = self.reservation.advise(physical, *advice);
        }
    }

    /// Makes all present that was locked, with the errors of `mlock(2)`.
    fn complete(&self) -> Result<(), Errno> {
        for (physical, advice) in &self.pieces {
            match self.reservation.advise(physical, *advice) {
                Ok(()) => {}
                Err(Errno::EFAULT) => return Err(Errno::ENOMEM),
                Err(Errno::ENOMEM) => return Err(Errno::EAGAIN),
                // Inaccessible, or the kernel does not know this advice: what
                // `mlock` itself says.
                Err(Errno::EINVAL) => self.reservation.lock(physical, 0)?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// `mlock(2)`.
pub fn mlock(call: &mut Call<'_>) -> Outcome {
    lock(call, 0).into()
}

/// `mlock2(2)`.
pub fn mlock2(call: &mut Call<'_>) -> Outcome {
    match call.int(2) {
        flags @ (0 | 1) => lock(call, flags as u32).into(),
        _ => Outcome::Fail(Errno::EINVAL),
    }
}

fn lock(call: &Call<'_>, flags: u32) -> Result<u64, Errno> {
    let range = unaligned_pages(call)?;
    let mut space = call.process.space();
    // As Linux does, up to the first hole, and nothing is made present then.
    let gap = space.mappings().first_gap(range.clone());
    let range = range.start..gap.as_ref().map_or(range.end, |gap| gap.start);
    Pieces::of_own(&space, &range)?.each(|reservation, piece| reservation.lock(piece, ON_FAULT))?;
    space.update_mappings(&range, |mapping| mapping.flags |= MapFlags::LOCKED);
    if gap.is_some() {
        return Err(Errno::ENOMEM);
    }
    if flags & ON_FAULT == 0 {
        let population = Population::of(&space, &range);
        drop(space);
        population.complete()?;
    }
    Ok(0)
}

/// `munlock(2)`.
pub fn munlock(call: &mut Call<'_>) -> Outcome {
    let unlock = || {
        let range = unaligned_pages(call)?;
        let mut space = call.process.space();
        let pieces = Pieces::of_own(&space, &range)?;
        let done = pieces.each(|reservation, piece| reservation.unlock(piece));
        space.update_mappings(&range, |mapping| mapping.flags -= MapFlags::LOCKED);
        done
    };
    unlock().into()
}

/// The locking calls round to pages themselves, and do not mind if that goes
/// beyond 2^64.
fn unaligned_pages(call: &Call<'_>) -> Result<Range<u64>, Errno> {
    let (start, offset) = (call.arg(0) & !(PAGE - 1), call.arg(0) % PAGE);
    let len = call.arg(1).wrapping_add(offset).wrapping_add(PAGE - 1) & !(PAGE - 1);
    let end = start.checked_add(len).ok_or(Errno::EINVAL)?;
    Ok(start..end)
}

/// `mlockall(2)`: the payload's memory, not the monitor's.
pub fn mlockall(call: &mut Call<'_>) -> Outcome {
    let lock = || {
        let flags = call.int(0);
        let known = libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT;
        if flags == 0 || flags & !known != 0 || flags == libc::MCL_ONFAULT {
            return Err(Errno::EINVAL);
        }
        let mut space = call.process.space();
        if flags & libc::MCL_CURRENT != 0 {
            let lockable =
                |mapping: &Mapping| mapping.kind != Kind::Vvar && !mapping.prot.is_empty();
            for range in ranges_where(&space, lockable) {
                let physical = space.physical_range(&range)?;
                space.reservation().lock(&physical, ON_FAULT)?;
                space.update_mappings(&range, |mapping| mapping.flags |= MapFlags::LOCKED);
            }
        }
        space.set_locks_new(flags & libc::MCL_FUTURE != 0);
        if flags & libc::MCL_CURRENT != 0 && flags & libc::MCL_ONFAULT == 0 {
            let population = Population::of(&space, &(0..TASK_SIZE));
            drop(space);
            population.attempt();
        }
        Ok(0)
    };
    lock().into()
}

/// `munlockall(2)`.
pub fn munlockall(call: &mut Call<'_>) -> Outcome {
    let unlock = || {
        let mut space = call.process.space();
        let locked = |mapping: &Mapping| mapping.flags.contains(MapFlags::LOCKED);
        for range in ranges_where(&space, locked) {
            let physical = space.physical_range(&range)?;
            space.reservation().unlock(&physical)?;
            space.update_mappings(&range, |mapping| mapping.flags -= MapFlags::LOCKED);
        }
        space.set_locks_new(false);
        Ok(0)
    };
    unlock().into()
}

fn ranges_where(space: &AddressSpace, wanted: impl Fn(&Mapping) -> bool) -> Vec<Range<u64>> {
    let mappings = space.mappings().iter();
    mappings
        .filter(|(_, mapping)| wanted(mapping))
        .map(|(range, _)| range)
        .collect()
}
