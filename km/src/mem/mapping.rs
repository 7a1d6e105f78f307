//! What the payload has mapped, as Linux's VMAs: plain data, no side effects.
//!
//! The table answers where a mapping may be placed, whether `mprotect`,
//! `munmap`, `mremap` and `madvise` may touch a range, whether a page fault is
//! legitimate, and what `/proc/self/maps` and a core file say. The host's own
//! VMAs stay the truth for the memory itself; the caller keeps both in step.
//!
//! Addresses are payload addresses, page aligned; a range that is empty or
//! upside down holds nothing, and operations on it do nothing. The table is
//! always canonical: two neighbours that could be one mapping are one.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod maps;
mod vmas;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use bitflags::bitflags;

use vmas::{Vma, Vmas};

/// What Linux keeps free below a mapping that grows down: 256 pages.
pub const STACK_GUARD_GAP: u64 = 256 * 4096;

bitflags! {
    /// Access rights of a mapping.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Prot: u8 {
        /// `PROT_READ`.
        const READ = 1;
        /// `PROT_WRITE`.
        const WRITE = 2;
        /// `PROT_EXEC`.
        const EXEC = 4;
    }
}

bitflags! {
    /// What `mmap`, `mlock` and `madvise` have said about a mapping.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct MapFlags: u8 {
        /// Grows towards lower addresses when the page below it is touched.
        const GROWSDOWN = 1;
        /// Locked into memory.
        const LOCKED = 1 << 1;
        /// Not there in a forked child.
        const DONTFORK = 1 << 2;
        /// Zeroes in a forked child.
        const WIPEONFORK = 1 << 3;
        /// No swap space was asked for.
        const NORESERVE = 1 << 4;
        /// Left out of core files.
        const DONTDUMP = 1 << 5;
        /// May be dropped when memory is short (`MAP_DROPPABLE`).
        const DROPPABLE = 1 << 6;
    }
}

/// The device of files that only the kernel names.
const KERNEL_FILES: u64 = 1;
/// How it names System V segments.
const SEGMENT: &str = "/SYSV";

/// The file behind a mapping.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FileInfo {
    /// The name `/proc/self/maps` shows, with Linux's ` (deleted)` where due.
    pub path: Vec<u8>,
    /// The device, encoded as in `st_dev`.
    pub dev: u64,
    /// The inode number.
    pub ino: u64,
    /// Whether the file was opened for writing: a shared mapping of it may
    /// become writable only then.
    pub writable: bool,
}

impl FileInfo {
    /// What Linux puts behind a `MAP_SHARED | MAP_ANONYMOUS` mapping: a file
    /// of its own. A number of its own for each `mmap` call keeps two such
    /// mappings from merging, which the host would not do either.
    #[must_use]
    pub fn shared_anonymous(ino: u64) -> Self {
        Self {
            path: b"/dev/zero (deleted)".to_vec(),
            dev: KERNEL_FILES,
            ino,
            writable: true,
        }
    }

    /// The System V segment `id`, which was made with `key`.
    #[must_use]
    pub fn segment(id: i32, key: i32, writable: bool) -> Self {
        Self {
            path: format!("{SEGMENT}{key:08x} (deleted)").into_bytes(),
            dev: KERNEL_FILES,
            ino: u64::from(id.unsigned_abs()),
            writable,
        }
    }

    /// Whether this is a System V segment.
    #[must_use]
    pub fn is_segment(&self) -> bool {
        self.dev == KERNEL_FILES && self.path.starts_with(SEGMENT.as_bytes())
    }
}

/// What a mapping is of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Private anonymous memory. See [`FileInfo::shared_anonymous`] for shared.
    Anon,
    /// A file, from `offset` on.
    File {
        /// The file.
        file: Arc<FileInfo>,
        /// The position in the file of the mapping's first byte.
        offset: u64,
    },
    /// What `brk` made.
    Heap,
    /// The main thread's stack.
    Stack,
    /// The code page that stands in for system calls.
    Vdso,
    /// The data of [`Kind::Vdso`].
    Vvar,
}

/// The attributes of a mapped range.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mapping {
    /// Present access rights.
    pub prot: Prot,
    /// `MAP_SHARED` rather than `MAP_PRIVATE`.
    pub shared: bool,
    /// What is mapped.
    pub kind: Kind,
    /// Advice and properties.
    pub flags: MapFlags,
    /// `MADV_HUGEPAGE` or `MADV_NOHUGEPAGE`, if either was said.
    pub huge: Option<bool>,
}

impl Mapping {
    /// A private mapping without flags.
    #[must_use]
    pub fn new(prot: Prot, kind: Kind) -> Self {
        Self {
            prot,
            shared: false,
            kind,
            flags: MapFlags::empty(),
            huge: None,
        }
    }

    /// The most that `mprotect` may give: all, but no writing through a shared
    /// mapping to a file that was opened for reading only.
    #[must_use]
    pub fn max_prot(&self) -> Prot {
        match &self.kind {
            Kind::Vvar => Prot::READ,
            Kind::Vdso => Prot::READ | Prot::EXEC,
            Kind::File { file, .. } if self.shared && !file.writable => Prot::READ | Prot::EXEC,
            _ => Prot::all(),
        }
    }

    /// The same mapping as seen `bytes` further on: file offsets advance.
    #[must_use]
    pub fn advanced(&self, bytes: u64) -> Self {
        let mut mapping = self.clone();
        mapping.advance(bytes);
        mapping
    }

    fn advance(&mut self, bytes: u64) {
        if let Kind::File { offset, .. } = &mut self.kind {
            *offset = offset.wrapping_add(bytes);
        }
    }

    /// Whether `next`, directly behind `len` bytes of this, is more of the same.
    fn continues(&self, len: u64, next: &Self) -> bool {
        let same_kind = match (&self.kind, &next.kind) {
            (
                Kind::File { file, offset },
                Kind::File {
                    file: next_file,
                    offset: next_offset,
                },
            ) => offset.wrapping_add(len) == *next_offset && file == next_file,
            (kind, next_kind) => kind == next_kind,
        };
        same_kind
            && self.prot == next.prot
            && self.shared == next.shared
            && self.flags == next.flags
            && self.huge == next.huge
    }

    /// Whether `RLIMIT_DATA` counts it: private and writable, but not a stack.
    #[must_use]
    pub fn is_data(&self) -> bool {
        self.prot.contains(Prot::WRITE) && !self.shared && !self.flags.contains(MapFlags::GROWSDOWN)
    }
}

/// Why [`MappingTable::protect`] stopped before the end of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Nothing is mapped there: `ENOMEM`.
    Hole,
    /// The mapping there may not have these rights: `EACCES`.
    Denied,
}

/// What [`MappingTable::protect`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protected {
    /// Everything from the start of the range to here has the new rights.
    pub reached: u64,
    /// The pieces whose rights are now others, and what they were.
    pub changed: Vec<(Range<u64>, Prot)>,
    /// Why it went no further; `None` if the whole range was done.
    pub stop: Option<Stop>,
}

/// All mappings of a payload process, ordered by address.
#[derive(Clone, Debug)]
pub struct MappingTable {
    vmas: Vmas,
    total_bytes: u64,
    data_bytes: u64,
}

impl Default for MappingTable {
    fn default() -> Self {
        Self::new()
    }
}

impl MappingTable {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::with_vmas(Vmas::new())
    }

    fn with_vmas(vmas: Vmas) -> Self {
        Self {
            vmas,
            total_bytes: 0,
            data_bytes: 0,
        }
    }

    /// Maps `range`, replacing whatever was there; answers what that was.
    pub fn insert(&mut self, range: Range<u64>, mapping: Mapping) -> Vec<(Range<u64>, Mapping)> {
        let mut replaced = Vec::new();
        let new = Vma {
            start: range.start,
            end: range.end,
            mapping,
        };
        self.edit(&range, |inside| {
            replaced = inside;
            vec![new]
        });
        replaced.into_iter().map(Vma::into_parts).collect()
    }

    /// Unmaps `range`; answers the pieces that were there.
    pub fn remove(&mut self, range: Range<u64>) -> Vec<(Range<u64>, Mapping)> {
        let mut removed = Vec::new();
        self.edit(&range, |inside| {
            removed = inside;
            Vec::new()
        });
        removed.into_iter().map(Vma::into_parts).collect()
    }

    /// Gives `range` the rights `prot`, from its start to the first hole or
    /// the first mapping that may not have them, as `mprotect` does.
    pub fn protect(&mut self, range: Range<u64>, prot: Prot) -> Protected {
        let mut done = Protected {
            reached: range.start,
            changed: Vec::new(),
            stop: None,
        };
        for (piece, mapping) in self.iter_over(range.clone()) {
            if piece.start > done.reached {
                break;
            }
            if !mapping.max_prot().contains(prot) {
                done.stop = Some(Stop::Denied);
                break;
            }
            done.reached = piece.end;
            if mapping.prot != prot {
                done.changed.push((piece, mapping.prot));
            }
        }
        if done.stop.is_none() && done.reached < range.end {
            done.stop = Some(Stop::Hole);
        }
        if let (Some((first, _)), Some((last, _))) = (done.changed.first(), done.changed.last()) {
            self.update(first.start..last.end, |mapping| mapping.prot = prot);
        }
        done
    }

    /// Changes every mapping inside `range`, splitting those that reach out of
    /// it. Holes stay holes.
    pub fn update(&mut self, range: Range<u64>, mut change: impl FnMut(&mut Mapping)) {
        self.edit(&range, |mut inside| {
            for vma in &mut inside {
                change(&mut vma.mapping);
            }
            inside
        });
    }

    /// The mapping that holds `addr`, whole.
    #[must_use]
    pub fn find(&self, addr: u64) -> Option<(Range<u64>, &Mapping)> {
        self.find_from(addr)
            .filter(|(range, _)| range.start <= addr)
    }

    /// The mapping that holds `addr`, or else the first one above it.
    #[must_use]
    pub fn find_from(&self, addr: u64) -> Option<(Range<u64>, &Mapping)> {
        self.vmas.from(addr).next().map(Vma::parts)
    }

    /// All mappings, by address.
    pub fn iter(&self) -> impl Iterator<Item = (Range<u64>, &Mapping)> {
        self.vmas.iter().map(Vma::parts)
    }

    /// The parts of the mappings that lie inside `range`, by address. The
    /// attributes are those of the part: a clipped file mapping has its offset
    /// moved along.
    pub fn iter_over(
        &self,
        range: Range<u64>,
    ) -> impl Iterator<Item = (Range<u64>, Cow<'_, Mapping>)> {
        let Range { start, end } = range;
        self.vmas
            .from(start)
            .take_while(move |vma| vma.start < end && start < end)
            .map(move |vma| {
                let piece = vma.start.max(start)..vma.end.min(end);
                let skipped = piece.start.saturating_sub(vma.start);
                let mapping = match vma.mapping.kind {
                    Kind::File { .. } if skipped > 0 => Cow::Owned(vma.mapping.advanced(skipped)),
                    _ => Cow::Borrowed(&vma.mapping),
                };
                (piece, mapping)
            })
    }

    /// The first hole inside `range`, clipped to it.
    #[must_use]
    pub fn first_gap(&self, range: Range<u64>) -> Option<Range<u64>> {
        let mut mapped_to = range.start;
        for vma in self.vmas.from(range.start) {
            if vma.start > mapped_to || mapped_to >= range.end {
                let gap = mapped_to..vma.start.min(range.end);
                return (gap.start < gap.end).then_some(gap);
            }
            mapped_to = vma.end;
        }
        (mapped_to < range.end).then_some(mapped_to..range.end)
    }

    /// Whether there is no hole inside `range`.
    #[must_use]
    pub fn is_fully_mapped(&self, range: Range<u64>) -> bool {
        self.first_gap(range).is_none()
    }

    /// Whether nothing is mapped inside `range` (`MAP_FIXED_NOREPLACE`).
    #[must_use]
    pub fn is_free(&self, range: Range<u64>) -> bool {
        self.iter_over(range).next().is_none()
    }

    /// Whether an `mmap` that names `range` as a hint gets it: nothing is
    /// mapped there, and it stays out of the guard gap of a stack above it.
    #[must_use]
    pub fn accepts_hint(&self, range: Range<u64>) -> bool {
        range.start < range.end
            && self
                .vmas
                .from(range.start)
                .next()
                .is_none_or(|vma| vma.floor() >= range.end)
    }

    /// The highest free `addr..addr + len` in `low_limit..high_limit`, as
    /// Linux's top-down `mmap` places it. `align` is a power of two. A hole
    /// that fits exactly is used even for a large alignment, for which Linux
    /// wants room to spare.
    #[must_use]
    pub fn find_gap_topdown(
        &self,
        len: u64,
        align: u64,
        low_limit: u64,
        high_limit: u64,
    ) -> Option<u64> {
        self.vmas
            .highest_gap(vmas::Want::new(len, align, low_limit..high_limit)?)
    }

    /// The lowest free `addr..addr + len` in `low_limit..high_limit`, as
    /// Linux's bottom-up `mmap` places it. `align` is a power of two.
    #[must_use]
    pub fn find_gap_bottomup(
        &self,
        len: u64,
        align: u64,
        low_limit: u64,
        high_limit: u64,
    ) -> Option<u64> {
        self.vmas
            .lowest_gap(vmas::Want::new(len, align, low_limit..high_limit)?)
    }

    /// For a fault on the unmapped page at `page`: what has to be added to the
    /// stack above it, and that stack, if there is one that may grow so far.
    ///
    /// As on Linux, a stack keeps [`STACK_GUARD_GAP`] away from an accessible
    /// mapping below it that is not itself a stack. `RLIMIT_STACK` is the
    /// caller's to check.
    #[must_use]
    pub fn stack_growth(&self, page: u64) -> Option<(Range<u64>, &Mapping)> {
        let (stack, mapping) = self.find_from(page)?;
        if page >= stack.start || !mapping.flags.contains(MapFlags::GROWSDOWN) {
            return None;
        }
        let guard = page.saturating_sub(STACK_GUARD_GAP);
        // The nearest mapping below, if any of it is inside the guard gap. It
        // ends at or below the page: the stack is the first one above that.
        let below = self
            .vmas
            .from(guard)
            .take_while(|vma| vma.end <= page)
            .last();
        let crowded = below.is_some_and(|vma| {
            !vma.mapping.prot.is_empty() && !vma.mapping.flags.contains(MapFlags::GROWSDOWN)
        });
        (!crowded).then_some((page..stack.start, mapping))
    }

    /// The number of mappings, for `max_map_count`.
    #[must_use]
    pub fn count(&self) -> usize {
        self.vmas.len()
    }

    /// Bytes mapped, for `RLIMIT_AS`.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// Bytes of private writable memory other than stacks, for `RLIMIT_DATA`.
    #[must_use]
    pub fn data_bytes(&self) -> u64 {
        self.data_bytes
    }

    /// Appends the text of `/proc/self/maps`. `is_deleted` tells whether a
    /// file's name no longer leads to it.
    pub fn write_maps(&self, out: &mut Vec<u8>, is_deleted: impl Fn(&FileInfo) -> bool) {
        for (range, mapping) in self.iter() {
            maps::write_line(out, &range, mapping, &is_deleted);
        }
    }

    /// Appends the line of `/proc/self/maps` for one mapping.
    pub fn write_line(
        out: &mut Vec<u8>,
        range: &Range<u64>,
        mapping: &Mapping,
        is_deleted: impl Fn(&FileInfo) -> bool,
    ) {
        maps::write_line(out, range, mapping, is_deleted);
    }

    /// The one way the table changes: `change` gets the pieces inside `range`
    /// and answers what shall be there instead. What reaches into the range
    /// is split, and the outcome is merged with its neighbours.
    fn edit(&mut self, range: &Range<u64>, change: impl FnOnce(Vec<Vma>) -> Vec<Vma>) {
        if range.start >= range.end {
            return;
        }
        let Self {
            vmas,
            total_bytes,
            data_bytes,
        } = self;
        // The neighbours that only touch the range come along, to be merged.
        vmas.replace_touching(range, |touching| {
            let (mut merged, mut inside, mut above) = (Vec::new(), Vec::new(), Vec::new());
            for vma in touching {
                let (total, data) = vma.weight();
                *total_bytes = total_bytes.saturating_sub(total);
                *data_bytes = data_bytes.saturating_sub(data);
                let (below, rest) = vma.split_at(range.start);
                let (middle, top) = rest.map_or((None, None), |rest| rest.split_at(range.end));
                merged.extend(below);
                inside.extend(middle);
                above.extend(top);
            }
            for vma in change(inside).into_iter().chain(above) {
                push_merged(&mut merged, vma);
            }
            for vma in &merged {
                let (total, data) = vma.weight();
                *total_bytes = total_bytes.saturating_add(total);
                *data_bytes = data_bytes.saturating_add(data);
            }
            merged
        });
    }
}

/// Appends `vma`, or lengthens the last one if it is more of the same.
fn push_merged(vmas: &mut Vec<Vma>, vma: Vma) {
    match vmas.last_mut() {
        Some(last) if last.end == vma.start && last.mapping.continues(last.len(), &vma.mapping) => {
            last.end = vma.end;
        }
        _ => vmas.push(vma),
    }
}
