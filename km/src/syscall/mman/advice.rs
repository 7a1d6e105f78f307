//! `madvise(2)`.

use std::ops::Range;

use super::{Pieces, pages};
use crate::errno::Errno;
use crate::mem::mapping::{Kind, MapFlags, Mapping};
use crate::mem::space::AddressSpace;
use crate::syscall::Outcome;
use crate::syscall::call::Call;

/// What is done with a piece of advice.
#[derive(Debug, Clone, Copy)]
enum Advice {
    /// The host is told.
    Pass,
    /// The host is told, and may take long about it: without the lock.
    Work,
    /// The host is told, and the mapping table keeps it.
    Keep(fn(&mut Mapping)),
    /// The mapping table alone keeps it.
    Own(fn(&mut Mapping)),
}

impl Advice {
    fn of(advice: i32) -> Result<Advice, Errno> {
        use Advice::{Keep, Own, Pass, Work};
        Ok(match advice {
            libc::MADV_HUGEPAGE => Keep(|mapping| mapping.huge = Some(true)),
            libc::MADV_NOHUGEPAGE => Keep(|mapping| mapping.huge = Some(false)),
            libc::MADV_WIPEONFORK => Keep(|mapping| mapping.flags |= MapFlags::WIPEONFORK),
            libc::MADV_KEEPONFORK => Keep(|mapping| mapping.flags -= MapFlags::WIPEONFORK),
            libc::MADV_DONTDUMP => Keep(|mapping| mapping.flags |= MapFlags::DONTDUMP),
            libc::MADV_DODUMP => Keep(|mapping| mapping.flags -= MapFlags::DONTDUMP),
            // A forked monitor would have a hole in its reservation.
            libc::MADV_DONTFORK => Own(|mapping| mapping.flags |= MapFlags::DONTFORK),
            libc::MADV_DOFORK => Own(|mapping| mapping.flags -= MapFlags::DONTFORK),
            libc::MADV_NORMAL
            | libc::MADV_RANDOM
            | libc::MADV_SEQUENTIAL
            | libc::MADV_DONTNEED
            | libc::MADV_FREE
            | libc::MADV_MERGEABLE
            | libc::MADV_UNMERGEABLE
            | libc::MADV_COLD
            | libc::MADV_DONTNEED_LOCKED => Pass,
            libc::MADV_WILLNEED
            | libc::MADV_REMOVE
            | libc::MADV_PAGEOUT
            | libc::MADV_POPULATE_READ
            | libc::MADV_POPULATE_WRITE
            | libc::MADV_COLLAPSE => Work,
            // Poisoning is for administrators, and guard pages would look to
            // the guest like memory the host has lost: as a kernel without.
            _ => return Err(Errno::EINVAL),
        })
    }
}

/// Whether the advice changes nothing about the vDSO's data, as they are:
/// memory of a device, without name and not dumped. All other advice is
/// EINVAL, for they cannot be split either.
fn is_nothing_to_vvar(advice: i32) -> bool {
    matches!(
        advice,
        libc::MADV_NORMAL
            | libc::MADV_WILLNEED
            | libc::MADV_MERGEABLE
            | libc::MADV_UNMERGEABLE
            | libc::MADV_DONTDUMP
            | libc::MADV_KEEPONFORK
    )
}

/// `madvise(2)`.
pub fn madvise(call: &mut Call<'_>) -> Outcome {
    advise(call).into()
}

fn advise(call: &Call<'_>) -> Result<u64, Errno> {
    let number = call.int(2);
    let advice = Advice::of(number)?;
    let range = pages(call, Errno::EINVAL)?;
    let mut space = call.process.space();
    let change = match advice {
        Advice::Pass | Advice::Work => {
            let special = |mapping: &Mapping| mapping.kind == Kind::Vvar;
            let vvar = space
                .mappings()
                .iter_over(range.clone())
                .find(|(_, mapping)| special(mapping) && !is_nothing_to_vvar(number))
                .map(|(vvar, _)| vvar.start);
            let end = vvar.unwrap_or(range.end);
            let mut pieces = Pieces::of_own(&space, &(range.start..end))?;
            if vvar.is_some() {
                pieces.end = Err(Errno::EINVAL);
            }
            let held = matches!(advice, Advice::Pass).then_some(space);
            let done = pieces.each(|reservation, physical| reservation.advise(physical, number));
            drop(held);
            return done;
        }
        Advice::Keep(change) | Advice::Own(change) => change,
    };
    let tell = matches!(advice, Advice::Keep(_));
    keep(&mut space, &range, change, number, tell)
}

/// Changes what the table keeps of each mapped piece of `range`, as far as the
/// host takes the advice; ENOMEM at the end if there were holes.
fn keep(
    space: &mut AddressSpace,
    range: &Range<u64>,
    change: fn(&mut Mapping),
    advice: i32,
    tell: bool,
) -> Result<u64, Errno> {
    let whole = space.mappings().is_fully_mapped(range.clone());
    let pieces: Vec<(Range<u64>, bool)> = space
        .mappings()
        .iter_over(range.clone())
        .map(|(piece, mapping)| (piece, mapping.kind == Kind::Vvar))
        .collect();
    for (piece, special) in pieces {
        if special {
            match is_nothing_to_vvar(advice) {
                true => continue,
                false => return Err(Errno::EINVAL),
            }
        }
        if tell {
            let physical = space.physical_range(&piece)?;
            space.reservation().advise(&physical, advice)?;
        }
        space.update_mappings(&piece, change);
    }
    if whole { Ok(0) } else { Err(Errno::ENOMEM) }
}
