//! A naive mapping table, page by page, and random operations for it and the
//! real one.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::vmas::Vmas;
use super::super::{
    FileInfo, Kind, MapFlags, Mapping, MappingTable, Prot, Protected, STACK_GUARD_GAP, Stop,
};

pub(super) const PAGE: u64 = 4096;
/// Enough pages for several guard gaps, few enough to search page by page.
pub(super) const PAGES: u64 = 1200;
pub(super) const GUARD_PAGES: u64 = STACK_GUARD_GAP / PAGE;

pub(super) fn bytes(pages: &Range<u64>) -> Range<u64> {
    pages.start * PAGE..pages.end * PAGE
}

#[derive(Clone, Debug)]
pub(super) enum Op {
    Insert(Range<u64>, Mapping),
    Remove(Range<u64>),
    Protect(Range<u64>, Prot),
    Flags(Range<u64>, MapFlags),
    Huge(Range<u64>, Option<bool>),
}

/// What the table must be equal to: each page's mapping, file offset included.
#[derive(Default)]
pub(super) struct Model(pub(super) BTreeMap<u64, Mapping>);

impl Model {
    /// Ranges of pages with the same attributes, merged as Linux merges.
    pub(super) fn vmas(&self) -> Vec<(Range<u64>, Mapping)> {
        let mut vmas: Vec<(Range<u64>, Mapping)> = Vec::new();
        for (&page, mapping) in &self.0 {
            match vmas.last_mut() {
                Some((range, first))
                    if range.end == page * PAGE
                        && first.advanced(page * PAGE - range.start) == *mapping =>
                {
                    range.end += PAGE;
                }
                _ => vmas.push((page * PAGE..(page + 1) * PAGE, mapping.clone())),
            }
        }
        vmas
    }

    pub(super) fn clipped(&self, pages: &Range<u64>) -> Vec<(Range<u64>, Mapping)> {
        let part = self
            .0
            .range(pages.clone())
            .map(|(&page, mapping)| (page, mapping.clone()));
        Self(part.collect()).vmas()
    }

    pub(super) fn is_free(&self, pages: Range<u64>) -> bool {
        self.0.range(pages).next().is_none()
    }

    /// Free, and clear of the guard gap of a stack that is next above.
    pub(super) fn is_placeable(&self, pages: Range<u64>) -> bool {
        let next = self.0.range(pages.end..).next();
        let guarded = next.is_some_and(|(&page, mapping)| {
            mapping.flags.contains(MapFlags::GROWSDOWN) && page < pages.end + GUARD_PAGES
        });
        self.is_free(pages) && !guarded
    }

    pub(super) fn places(
        &self,
        len: u64,
        align: u64,
        limits: Range<u64>,
    ) -> impl DoubleEndedIterator<Item = u64> {
        (limits.start..(limits.end + 1).saturating_sub(len))
            .filter(move |page| page % align == 0 && self.is_placeable(*page..page + len))
    }

    pub(super) fn apply(&mut self, op: &Op) -> Applied {
        match op {
            Op::Insert(pages, mapping) => {
                let replaced = self.clipped(pages);
                let first = pages.start;
                self.0.extend(
                    pages
                        .clone()
                        .map(|page| (page, mapping.advanced((page - first) * PAGE))),
                );
                Applied::Pieces(replaced)
            }
            Op::Remove(pages) => {
                let removed = self.clipped(pages);
                self.0.retain(|page, _| !pages.contains(page));
                Applied::Pieces(removed)
            }
            Op::Protect(pages, prot) => Applied::Protected(self.protect(pages, *prot)),
            Op::Flags(pages, flags) => {
                self.0
                    .range_mut(pages.clone())
                    .for_each(|(_, mapping)| mapping.flags = *flags);
                Applied::Updated
            }
            Op::Huge(pages, huge) => {
                self.0
                    .range_mut(pages.clone())
                    .for_each(|(_, mapping)| mapping.huge = *huge);
                Applied::Updated
            }
        }
    }

    fn protect(&mut self, pages: &Range<u64>, prot: Prot) -> Protected {
        let pieces = self.clipped(pages);
        let mut changed = Vec::new();
        for page in pages.clone() {
            let stop = match self.0.get_mut(&page) {
                None => Stop::Hole,
                Some(mapping) if !mapping.max_prot().contains(prot) => Stop::Denied,
                Some(mapping) => {
                    mapping.prot = prot;
                    continue;
                }
            };
            changed.extend(Self::changed(pieces, page, prot));
            return Protected {
                reached: page * PAGE,
                changed,
                stop: Some(stop),
            };
        }
        changed.extend(Self::changed(pieces, pages.end, prot));
        Protected {
            reached: pages.end * PAGE,
            changed,
            stop: None,
        }
    }

    fn changed(
        pieces: Vec<(Range<u64>, Mapping)>,
        reached: u64,
        prot: Prot,
    ) -> impl Iterator<Item = (Range<u64>, Prot)> {
        pieces
            .into_iter()
            .filter(move |(range, mapping)| range.end <= reached * PAGE && mapping.prot != prot)
            .map(|(range, mapping)| (range, mapping.prot))
    }
}

/// What an operation answers.
#[derive(Debug, PartialEq)]
pub(super) enum Applied {
    Pieces(Vec<(Range<u64>, Mapping)>),
    Protected(Protected),
    Updated,
}

pub(super) fn apply(table: &mut MappingTable, op: &Op) -> Applied {
    match op {
        Op::Insert(pages, mapping) => Applied::Pieces(table.insert(bytes(pages), mapping.clone())),
        Op::Remove(pages) => Applied::Pieces(table.remove(bytes(pages))),
        Op::Protect(pages, prot) => Applied::Protected(table.protect(bytes(pages), *prot)),
        Op::Flags(pages, flags) => {
            table.update(bytes(pages), |mapping| mapping.flags = *flags);
            Applied::Updated
        }
        Op::Huge(pages, huge) => {
            table.update(bytes(pages), |mapping| mapping.huge = *huge);
            Applied::Updated
        }
    }
}

pub(super) fn pages() -> impl Strategy<Value = Range<u64>> {
    let len = prop_oneof![4 => 0..4u64, 3 => 4..40u64, 1 => 40..500u64];
    // A few favoured starts make neighbours that touch common.
    let start = prop_oneof![0..PAGES, (0..PAGES / 20).prop_map(|n| n * 20)];
    (start, len).prop_map(|(start, len)| start..(start + len).min(PAGES))
}

pub(super) fn prot() -> impl Strategy<Value = Prot> {
    (0..8u8).prop_map(Prot::from_bits_truncate)
}

pub(super) fn flags() -> impl Strategy<Value = MapFlags> {
    prop_oneof![
        4 => Just(MapFlags::empty()),
        2 => Just(MapFlags::GROWSDOWN),
        1 => Just(MapFlags::LOCKED | MapFlags::DONTDUMP),
    ]
}

pub(super) fn huge() -> impl Strategy<Value = Option<bool>> {
    prop_oneof![4 => Just(None), 1 => Just(Some(true)), 1 => Just(Some(false))]
}

/// Paths that `/proc/PID/maps` can say unambiguously: no literal `\012`.
pub(super) fn path() -> impl Strategy<Value = Vec<u8>> {
    vec(
        prop_oneof![Just(b'\n'), Just(b' '), Just(0xff), b'a'..=b'z'],
        0..40,
    )
    .prop_map(|name| [b"/", &name[..]].concat())
}

pub(super) fn file() -> impl Strategy<Value = FileInfo> {
    // Few different files, so that equal ones meet.
    let common = (0..2u64).prop_map(|n| FileInfo {
        path: b"/lib/libc.so".to_vec(),
        dev: 0x801,
        ino: n,
        writable: n == 1,
    });
    let any = (path(), any::<u64>(), any::<u64>(), any::<bool>()).prop_map(
        |(path, dev, ino, writable)| FileInfo {
            path,
            dev,
            ino,
            writable,
        },
    );
    prop_oneof![4 => common, 1 => any, 1 => (0..3u64).prop_map(FileInfo::shared_anonymous)]
}

pub(super) fn kind() -> impl Strategy<Value = Kind> {
    let offset = prop_oneof![
        (0..40u64).prop_map(|n| n * PAGE),
        Just(0u64.wrapping_sub(2 * PAGE))
    ];
    prop_oneof![
        3 => Just(Kind::Anon),
        3 => (file(), offset).prop_map(|(file, offset)| Kind::File { file: Arc::new(file), offset }),
        1 => Just(Kind::Heap),
        1 => Just(Kind::Stack),
        1 => Just(Kind::Vdso),
        1 => Just(Kind::Vvar),
    ]
}

/// Any mapping, and often one of the few that meet and merge, or just do not.
pub(super) fn mapping() -> impl Strategy<Value = Mapping> {
    let any = (prot(), any::<bool>(), kind(), flags(), huge()).prop_map(
        |(prot, shared, kind, flags, huge)| Mapping {
            prot,
            shared,
            kind,
            flags,
            huge,
        },
    );
    let common = (0..2u64, 0..2u64).prop_map(|(ino, shift)| {
        let file = FileInfo {
            path: b"/usr/bin/cat".to_vec(),
            dev: 0xfe00,
            ino,
            writable: false,
        };
        let kind = Kind::File {
            file: Arc::new(file),
            offset: shift * PAGE,
        };
        Mapping::new(Prot::READ, kind)
    });
    prop_oneof![2 => any, 1 => common]
}

pub(super) fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        // File offsets that follow the address let neighbours merge.
        4 => (pages(), mapping()).prop_map(|(pages, mapping)| {
            let mapping = mapping.advanced(pages.start * PAGE);
            Op::Insert(pages, mapping)
        }),
        3 => pages().prop_map(Op::Remove),
        3 => (pages(), prot()).prop_map(|(pages, prot)| Op::Protect(pages, prot)),
        1 => (pages(), flags()).prop_map(|(pages, flags)| Op::Flags(pages, flags)),
        1 => (pages(), huge()).prop_map(|(pages, huge)| Op::Huge(pages, huge)),
    ]
}

/// Runs as short as they get and as they are, to cross their borders often.
pub(super) fn table() -> impl Strategy<Value = MappingTable> {
    prop_oneof![1..16usize, Just(64)]
        .prop_map(|len| MappingTable::with_vmas(Vmas::with_run_len(len)))
}

/// A table and its model after some operations, each checked.
pub(super) fn grown() -> impl Strategy<Value = (MappingTable, Model)> {
    (table(), vec(op(), 0..60)).prop_map(|(mut table, ops)| {
        let mut model = Model::default();
        for op in &ops {
            assert_eq!(apply(&mut table, op), model.apply(op), "{op:?}");
            table.vmas.check();
        }
        (table, model)
    })
}

pub(super) fn owned(vmas: &MappingTable) -> Vec<(Range<u64>, Mapping)> {
    vmas.iter()
        .map(|(range, mapping)| (range, mapping.clone()))
        .collect()
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.vmas()).finish()
    }
}
