//! What of the address space a forked child does not get.

use std::ops::Range;

use crate::errno::Errno;
use crate::mem::mapping::{MapFlags, MappingTable};
use crate::mem::space::AddressSpace;

impl AddressSpace {
    /// Unmaps what `madvise(2)` keeps from children (`MADV_DONTFORK`). The
    /// host is not told of that advice: it would leave a hole in the child's
    /// reservation.
    ///
    /// # Errors
    ///
    /// As for [`release`](AddressSpace::release).
    pub fn release_not_forked(&mut self) -> Result<(), Errno> {
        for range in not_forked(&self.mappings) {
            self.release(&range)?;
        }
        Ok(())
    }

    /// Enters what is mapped into empty page tables: less work than the faults
    /// of a child that goes on where its parent was (half a microsecond a mapping,
    /// an exit a fault). Of very many mappings only the first, and none that is
    /// large.
    pub fn fill_all(&mut self) {
        const MOST: usize = 1024;
        let ranges: Vec<_> = self
            .mappings
            .iter()
            .map(|(range, _)| range)
            .take(MOST)
            .collect();
        for range in ranges {
            self.fill_small(&range);
        }
    }
}

fn not_forked(mappings: &MappingTable) -> Vec<Range<u64>> {
    mappings
        .iter()
        .filter(|(_, mapping)| mapping.flags.contains(MapFlags::DONTFORK))
        .map(|(range, _)| range)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mem::layout::PAGE;
    use crate::mem::mapping::{Kind, Mapping, Prot};

    fn pages(table: &MappingTable) -> Vec<(u64, u64)> {
        let ranges = not_forked(table).into_iter();
        ranges.map(|r| (r.start / PAGE, r.end / PAGE)).collect()
    }

    #[test]
    fn what_is_not_forked_follows_its_flag_through_splits_and_merges() {
        let mut table = MappingTable::new();
        table.insert(0..8 * PAGE, Mapping::new(Prot::READ, Kind::Anon));
        assert_eq!(pages(&table), []);
        table.update(2 * PAGE..6 * PAGE, |mapping| {
            mapping.flags |= MapFlags::DONTFORK;
        });
        assert_eq!(pages(&table), [(2, 6)]);
        table.protect(3 * PAGE..4 * PAGE, Prot::empty());
        assert_eq!(pages(&table), [(2, 3), (3, 4), (4, 6)]);
        table.update(3 * PAGE..5 * PAGE, |mapping| {
            mapping.flags -= MapFlags::DONTFORK;
        });
        table.remove(5 * PAGE..7 * PAGE);
        assert_eq!(pages(&table), [(2, 3)]);
    }
}
