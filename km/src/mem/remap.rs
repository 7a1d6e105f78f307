//! `mremap(2)`.

use std::ops::Range;

use crate::errno::Errno;
use crate::mem::layout::{PAGE, TASK_SIZE};
use crate::mem::mapping::{Kind, MapFlags, Mapping};
use crate::mem::space::{AddressSpace, MAP_DROPPABLE, host_prot};
use crate::sys::map::Growth;

/// The arguments of `mremap`, as the payload gave them.
#[derive(Debug, Clone)]
pub struct Remap {
    pub old: u64,
    pub old_len: u64,
    pub new_len: u64,
    pub flags: i32,
    pub new: u64,
}

impl AddressSpace {
    /// Moves or resizes a mapping; its new address.
    ///
    /// # Errors
    ///
    /// As `mremap(2)` says.
    pub fn remap(&mut self, request: &Remap) -> Result<u64, Errno> {
        const FLAGS: i32 = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED | libc::MREMAP_DONTUNMAP;
        let flags = request.flags;
        let has = |flag: i32| flags & flag != 0;
        let dont_unmap = has(libc::MREMAP_DONTUNMAP);
        let round = |len: u64| len.checked_next_multiple_of(PAGE).ok_or(Errno::EINVAL);
        if flags & !FLAGS != 0
            || has(libc::MREMAP_FIXED | libc::MREMAP_DONTUNMAP) && !has(libc::MREMAP_MAYMOVE)
            || !request.old.is_multiple_of(PAGE)
        {
            return Err(Errno::EINVAL);
        }
        let (old_len, new_len) = (round(request.old_len)?, round(request.new_len)?);
        if new_len == 0 || new_len > TASK_SIZE || dont_unmap && old_len != new_len {
            return Err(Errno::EINVAL);
        }
        let mut old = request.old..request.old.saturating_add(old_len);
        let fixed = has(libc::MREMAP_FIXED).then_some(request.new);
        if let Some(new) = fixed {
            let end = new.checked_add(new_len).filter(|end| *end <= TASK_SIZE);
            let end = end.ok_or(Errno::EINVAL)?;
            if new % PAGE != 0 || new < old.end && old.start < end {
                return Err(Errno::EINVAL);
            }
        }
        let (whole, mapping) = self.mappings.find(old.start).ok_or(Errno::EFAULT)?;
        let mapping = mapping.advanced(old.start - whole.start);
        // The vDSO's code and its data belong together, and libraries know
        // where.
        if matches!(mapping.kind, Kind::Vdso | Kind::Vvar) {
            return Err(Errno::EINVAL);
        }
        if old_len == 0 && !mapping.shared {
            return Err(Errno::EINVAL);
        }
        let stays = fixed.is_none() && !dont_unmap;
        if new_len < old_len && (stays || fixed.is_some()) {
            if old.end > TASK_SIZE {
                return Err(Errno::EINVAL);
            }
            self.release(&(old.start + new_len..old.end))?;
            old.end = old.start + new_len;
        }
        if stays && new_len <= old_len {
            return Ok(old.start);
        }
        if old.end > whole.end {
            return Err(Errno::EFAULT);
        }
        let more = new_len.saturating_sub(if dont_unmap { 0 } else { old_len });
        self.check_total(more)?;
        self.check_data(if mapping.is_data() { more } else { 0 })?;
        if fixed.is_none() && !dont_unmap && old_len > 0 && old.end == whole.end {
            let behind = old.end..old.start.saturating_add(new_len);
            if self.mappings.accepts_hint(behind.clone()) && self.physical_range(&behind).is_ok() {
                return self.grow(&old, behind, &mapping);
            }
        }
        if !has(libc::MREMAP_MAYMOVE) {
            return Err(Errno::ENOMEM);
        }
        let new = match fixed {
            Some(new) => new..new + new_len,
            None => self.find_free(new_len, request.new * u64::from(dont_unmap), PAGE)?,
        };
        self.relocate(old, new, mapping, dont_unmap)
    }

    /// Makes `old` longer by `more`, which lies behind it and is free; its
    /// address.
    fn grow(
        &mut self,
        old: &Range<u64>,
        more: Range<u64>,
        mapping: &Mapping,
    ) -> Result<u64, Errno> {
        let (physical, behind) = (self.physical_range(old)?, self.physical_range(&more)?);
        let how = growth(mapping);
        if matches!(how, Growth::Private) {
            // It must not be seen while it is away.
            self.withdraw(&(old.end - PAGE..old.end))?;
        }
        self.reservation
            .grow(&physical, more.end - old.start, how)?;
        if matches!(how, Growth::Anonymous { .. }) {
            self.advise_as(&(physical.start..behind.end), &behind, mapping);
        }
        let len = old.end - old.start;
        self.use_stack_room(&more);
        self.mappings.insert(more.clone(), mapping.advanced(len));
        self.fill_small(&more);
        Ok(old.start)
    }

    /// Gives new anonymous memory `behind` what the payload has advised for
    /// the mapping, which is `whole` now.
    fn advise_as(&self, whole: &Range<u64>, behind: &Range<u64>, mapping: &Mapping) {
        let flags = mapping.flags;
        let said = [
            (mapping.huge == Some(true), libc::MADV_HUGEPAGE),
            (mapping.huge == Some(false), libc::MADV_NOHUGEPAGE),
            (flags.contains(MapFlags::DONTDUMP), libc::MADV_DONTDUMP),
            (flags.contains(MapFlags::WIPEONFORK), libc::MADV_WIPEONFORK),
        ];
        for (_, advice) in said.iter().filter(|(said, _)| *said) {
            // The host took it for the memory before it.
            let _ = self.reservation.advise(behind, *advice);
        }
        if mapping.huge.is_none() {
            self.wants_huge_pages(whole, whole, mapping);
        }
    }

    fn relocate(
        &mut self,
        old: Range<u64>,
        new: Range<u64>,
        mapping: Mapping,
        dont_unmap: bool,
    ) -> Result<u64, Errno> {
        let target = self.physical_range(&new)?;
        self.withdraw(&old)?;
        self.release(&new)?;
        self.use_stack_room(&new);
        if old.is_empty() {
            let from = self.physical_range(&(old.start..old.start + PAGE))?.start;
            self.reservation.duplicate(from, &target)?;
            self.mappings.insert(new.clone(), mapping);
        } else {
            self.move_mapping(&old, &new, mapping, dont_unmap)?;
        }
        self.fill_small(&new);
        Ok(new.start)
    }

    /// Moves `old`, which is not in the page tables, to `new`, where nothing
    /// is mapped, and lets it grow there.
    fn move_mapping(
        &mut self,
        old: &Range<u64>,
        new: &Range<u64>,
        mapping: Mapping,
        dont_unmap: bool,
    ) -> Result<(), Errno> {
        let (source, target) = (self.physical_range(old)?, self.physical_range(new)?);
        let moved = new.start..new.start + (old.end - old.start);
        self.reservation.move_pages(&source, target.start)?;
        self.mappings.insert(moved.clone(), mapping.clone());
        if moved.end < new.end
            && let Err(error) = self.grow(&moved, moved.end..new.end, &mapping)
        {
            let there = self.physical_range(&moved)?;
            self.reservation.move_pages(&there, source.start)?;
            self.release(&moved)?;
            return Err(error);
        }
        if !dont_unmap {
            self.reservation.unmap(&source)?;
            self.mappings.remove(old.clone());
        }
        Ok(())
    }
}

/// How the host makes such a mapping longer.
fn growth(mapping: &Mapping) -> Growth {
    let flag = |flag: MapFlags, host: i32| {
        if mapping.flags.contains(flag) {
            host
        } else {
            0
        }
    };
    match mapping.kind {
        _ if mapping.shared => Growth::Shared,
        Kind::File { .. } => Growth::Private,
        _ => Growth::Anonymous {
            prot: host_prot(mapping.prot),
            flags: if mapping.flags.contains(MapFlags::DROPPABLE) {
                MAP_DROPPABLE
            } else {
                libc::MAP_PRIVATE
                    | flag(MapFlags::NORESERVE, libc::MAP_NORESERVE)
                    | flag(MapFlags::LOCKED, libc::MAP_LOCKED)
            },
        },
    }
}
