//! Where System V segments are mapped.

use std::ops::Range;
use std::sync::Arc;

use crate::errno::Errno;
use crate::mem::layout::TASK_SIZE;
use crate::mem::mapping::{Kind, MapFlags, Mapping};
use crate::mem::space::{AddressSpace, host_prot};
use crate::sys::map::Segment;

impl AddressSpace {
    /// Maps `segment` at `range`, replacing what was there.
    ///
    /// # Errors
    ///
    /// As for [`establish`](Self::establish).
    pub fn attach(
        &mut self,
        range: &Range<u64>,
        mut mapping: Mapping,
        segment: Segment,
    ) -> Result<(), Errno> {
        let locks = self.locks_new();
        mapping.flags.set(MapFlags::LOCKED, locks);
        let prot = host_prot(mapping.prot);
        self.establish_by(range.clone(), mapping, |reservation, physical| {
            reservation.adopt(segment, physical, prot)?;
            if locks {
                // As much as the limit allows.
                let _ = reservation.lock(physical, 0);
            }
            Ok(())
        })
    }

    /// Unmaps what is left of the segment that was attached at `start`.
    ///
    /// # Errors
    ///
    /// EINVAL if there is none.
    pub fn detach(&mut self, start: u64) -> Result<(), Errno> {
        let mut pieces = Vec::new();
        let mut first = None;
        for (range, mapping) in self.mappings.iter_over(start..TASK_SIZE) {
            let Kind::File { file, offset } = &mapping.kind else {
                continue;
            };
            let of_it = file.is_segment() && range.start - start == *offset;
            if of_it && first.get_or_insert_with(|| Arc::clone(file)) == file {
                pieces.push(range);
            }
        }
        if pieces.is_empty() {
            return Err(Errno::EINVAL);
        }
        pieces.iter().try_for_each(|piece| self.release(piece))
    }
}
