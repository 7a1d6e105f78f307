//! Naive page tables: a map from page to frame, and random operations for
//! them and the real ones.

use std::collections::BTreeMap;
use std::ops::Range;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::super::Access;
use crate::mem::layout::{PAGE, SYSTEM_VIRTUAL, TASK_SIZE};

/// Frame number and access.
pub type Page = (u64, Access);

/// Pages in a large page, in 1 GiB, in 512 GiB.
pub const BLOCK: u64 = 512;
pub const GIB: u64 = BLOCK * BLOCK;
pub const ROOT_ENTRY: u64 = BLOCK * GIB;

/// The pages that only the monitor maps.
pub const SYSTEM: Range<u64> = SYSTEM_VIRTUAL / PAGE..SYSTEM_VIRTUAL / PAGE + ROOT_ENTRY;
const LAST: u64 = TASK_SIZE / PAGE;

/// Page numbers around which to work: where tables begin and end.
const ANCHORS: [u64; 9] = [
    0,
    16,
    BLOCK * 7,
    GIB,
    ROOT_ENTRY,
    SYSTEM.start - 1,
    SYSTEM.end,
    LAST - ROOT_ENTRY + 1,
    LAST - 1,
];

#[derive(Debug, Clone)]
pub enum Op {
    /// Pages, the first frame, access.
    Map(Range<u64>, u64, Access),
    Unmap(Range<u64>),
    MapSystem(Range<u64>, u64, Access),
    ClearUser,
}

impl Op {
    pub fn pages(&self) -> Range<u64> {
        match self {
            Op::Map(pages, ..) | Op::Unmap(pages) | Op::MapSystem(pages, ..) => pages.clone(),
            Op::ClearUser => 0..0,
        }
    }
}

/// What the tables have for a block of 512 pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Large,
    Table,
}

#[derive(Debug, Clone, Default)]
pub struct Model {
    pub pages: BTreeMap<u64, Page>,
    blocks: BTreeMap<u64, Block>,
}

impl Model {
    pub fn apply(&mut self, op: &Op) {
        match op {
            Op::Map(pages, frame, access) | Op::MapSystem(pages, frame, access) => {
                let congruent = frame % BLOCK == pages.start % BLOCK;
                for block in blocks(pages) {
                    let large = congruent
                        && covers(pages, block)
                        && self.blocks.get(&block) != Some(&Block::Table);
                    let kind = if large { Block::Large } else { Block::Table };
                    self.blocks.insert(block, kind);
                }
                let mapped = (*frame..).map(|frame| (frame, *access));
                self.pages.extend(pages.clone().zip(mapped));
            }
            Op::Unmap(pages) => {
                for block in blocks(pages) {
                    match self.blocks.get(&block) {
                        Some(Block::Large) if covers(pages, block) => {
                            self.blocks.remove(&block);
                        }
                        Some(_) => {
                            self.blocks.insert(block, Block::Table);
                        }
                        None => {}
                    }
                }
                self.pages.retain(|page, _| !pages.contains(page));
            }
            Op::ClearUser => {
                self.pages.retain(|page, _| SYSTEM.contains(page));
                self.blocks
                    .retain(|block, _| SYSTEM.contains(&(block * BLOCK)));
            }
        }
    }

    /// Numbers of the blocks that are large pages.
    pub fn large(&self) -> impl Iterator<Item = u64> {
        let large = |(&block, &kind): (&u64, &Block)| (kind == Block::Large).then_some(block);
        self.blocks.iter().filter_map(large)
    }
}

fn blocks(pages: &Range<u64>) -> Range<u64> {
    pages.start / BLOCK..pages.end.div_ceil(BLOCK)
}

fn covers(pages: &Range<u64>, block: u64) -> bool {
    pages.start <= block * BLOCK && (block + 1) * BLOCK <= pages.end
}

/// Pages around `anchor`, of every alignment, within `limits`.
fn pages(anchor: u64, limits: Range<u64>) -> impl Strategy<Value = Range<u64>> {
    let blocks = |range: Range<u64>| range.prop_map(|n| n * BLOCK);
    let before = prop_oneof![3 => blocks(0..3), 2 => 0..3u64, 2 => 0..2 * BLOCK];
    let len = prop_oneof![
        5 => blocks(1..4),
        5 => 1..4u64,
        4 => 1..2 * BLOCK,
    ];
    let aligned = any::<bool>();
    (before, len, aligned).prop_map(move |(before, len, aligned)| {
        let anchor = if aligned {
            anchor.next_multiple_of(BLOCK)
        } else {
            anchor
        };
        let start = anchor.saturating_sub(before);
        let start = start.clamp(limits.start, limits.end - 1);
        start..(start + len).min(limits.end)
    })
}

/// The first frame for pages from `page` on: by the constants of an arena
/// or two, large pages possible or not, below and above.
fn frame(page: u64) -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => Just(page),
        4 => Just(page % GIB + 5 * GIB),
        2 => (0..8u64).prop_map(move |n| page + n * BLOCK),
        1 => Just(page % GIB + 3),
        1 => 0..1u64 << 39,
    ]
}

fn access() -> impl Strategy<Value = Access> {
    any::<[bool; 3]>().prop_map(|[write, execute, user]| Access {
        write,
        execute,
        user,
    })
}

fn user_pages(anchors: &[u64]) -> impl Strategy<Value = Range<u64>> + use<> {
    select(anchors.to_vec()).prop_flat_map(|anchor| {
        let limits = if anchor < SYSTEM.start {
            0..SYSTEM.start
        } else {
            SYSTEM.end..LAST
        };
        pages(anchor, limits)
    })
}

fn op(anchors: &[u64]) -> impl Strategy<Value = Op> + use<> {
    let mapped = |pages: Range<u64>| (Just(pages.clone()), frame(pages.start), access());
    let system = prop_oneof![Just(SYSTEM.start), Just(SYSTEM.start + GIB)];
    prop_oneof![
        10 => user_pages(anchors)
            .prop_flat_map(mapped)
            .prop_map(|(pages, frame, access)| Op::Map(pages, frame, access)),
        5 => user_pages(anchors).prop_map(Op::Unmap),
        1 => system
            .prop_flat_map(|anchor| pages(anchor, SYSTEM))
            .prop_flat_map(mapped)
            .prop_map(|(pages, frame, access)| Op::MapSystem(pages, frame, access)),
        1 => Just(Op::ClearUser),
    ]
}

/// Operations around few places, so that they meet.
pub fn ops() -> impl Strategy<Value = Vec<Op>> {
    subsequence(ANCHORS.to_vec(), 1..3).prop_flat_map(|anchors| vec(op(&anchors), 1..24))
}
