//! The tables against a naive model: a map from page to frame and access.
//! What the tables say is read by a walk of its own.

mod model;
mod walk;

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::mem::layout::{Arenas, MIN_BITS, SYSTEM_SIZE};
use crate::vm::slots::tests::Record;
use model::{BLOCK, GIB, Model, Op, ROOT_ENTRY, SYSTEM, ops};
use walk::Walk;

/// Pages in the first slot of a system area.
const FIRST_SLOT: u64 = (1 << 20) / PAGE;

const READ: Access = Access {
    write: false,
    execute: false,
    user: true,
};
const WRITE_EXECUTE: Access = Access {
    write: true,
    execute: true,
    user: true,
};

/// Tables in a system area, without a processor.
struct Guest {
    registry: Record,
    slots: Slots,
    area: Arc<SystemArea>,
    tables: PageTables,
}

impl Guest {
    fn new(max_slots: u32) -> Guest {
        let registry = Record::new();
        let mut slots = Slots::new(max_slots, 0);
        let area = Arc::new(SystemArea::new(&Arenas::new(MIN_BITS)).unwrap());
        let mut pages = Pages {
            vm: &registry,
            slots: &mut slots,
        };
        let tables = PageTables::new(Arc::clone(&area), &mut pages).unwrap();
        Guest {
            registry,
            slots,
            area,
            tables,
        }
    }

    /// With room for `room` tables below the root.
    fn with_room(room: u64) -> Guest {
        let mut guest = Guest::new(1);
        guest
            .area
            .allocate_run(&guest.registry, &mut guest.slots, FIRST_SLOT - 1 - room)
            .unwrap();
        guest
    }

    fn apply(&mut self, op: &Op) -> Result<(), Errno> {
        let tables = &mut self.tables;
        let pages = &mut Pages {
            vm: &self.registry,
            slots: &mut self.slots,
        };
        let bytes = |pages: &Range<u64>| pages.start * PAGE..pages.end * PAGE;
        match op {
            Op::Map(range, frame, access) => {
                tables.map(&bytes(range), frame * PAGE, *access, pages)
            }
            Op::MapSystem(range, frame, access) => {
                tables.map_system(&bytes(range), frame * PAGE, *access, pages)
            }
            Op::Unmap(range) => tables.unmap(&bytes(range), pages),
            Op::ClearUser => tables.clear_user(),
        }
    }

    fn walk(&self) -> Walk {
        let walk = Walk::new(&self.area, self.tables.root());
        for table in &walk.tables {
            let whole = *table..table + PAGE;
            assert!(self.registry.holds(&whole), "no slot for {table:#x}");
        }
        walk
    }
}

/// The tables of one walk after another: none is ever linked twice, and none
/// goes away or to another place before all of the payload's go.
#[derive(Default)]
struct History {
    before: BTreeSet<u64>,
    ever: BTreeSet<u64>,
    most: usize,
}

impl History {
    fn note(&mut self, walk: &Walk, cleared: bool) {
        let now: BTreeSet<u64> = walk.tables.iter().copied().collect();
        assert_eq!(now.len(), walk.tables.len(), "a table is linked twice");
        if cleared {
            assert!(now.is_subset(&self.before));
        } else {
            assert!(now.is_superset(&self.before));
        }
        // What was freed is used before new memory is.
        self.most = self.most.max(now.len());
        self.ever.extend(&now);
        assert_eq!(self.ever.len(), self.most);
        self.before = now;
    }
}

/// `lookup` at the edges of `pages` and around them.
fn check_lookup(guest: &Guest, model: &Model, pages: &Range<u64>, inside: u64) {
    let middle = pages.start + (pages.end - pages.start) / 2;
    let before = pages.start.saturating_sub(1);
    for page in [before, pages.start, middle, pages.end - 1, pages.end] {
        let expected = model.pages.get(&page).map(|(_, access)| *access);
        assert_eq!(guest.tables.lookup(page * PAGE + inside), expected);
    }
}

/// The first page where they differ: the whole is too long to read.
fn difference(walk: &Walk, model: &Model) -> Option<String> {
    if walk.pages.iter().copied().eq(owned(model)) {
        return None;
    }
    let walked: BTreeMap<_, _> = walk.pages.iter().copied().collect();
    let pages: BTreeSet<_> = walked.keys().chain(model.pages.keys()).collect();
    let page = pages
        .into_iter()
        .find(|page| walked.get(page) != model.pages.get(page))?;
    let (is, should) = (walked.get(page), model.pages.get(page));
    Some(format!("page {page:#x} is {is:x?}, not {should:x?}"))
}

fn owned(model: &Model) -> impl Iterator<Item = (u64, model::Page)> {
    model.pages.iter().map(|(page, to)| (*page, *to))
}

proptest! {
    #[test]
    fn every_page_translates_as_the_model_says(ops in ops(), inside in 0..PAGE) {
        let mut guest = Guest::new(64);
        let mut model = Model::default();
        let mut history = History::default();
        history.note(&guest.walk(), false);
        for op in &ops {
            guest.apply(op).unwrap();
            model.apply(op);
            let walk = guest.walk();
            history.note(&walk, matches!(op, Op::ClearUser));
            prop_assert_eq!(difference(&walk, &model), None);
            prop_assert!(walk.large.iter().copied().eq(model.large()));
            if !op.pages().is_empty() {
                check_lookup(&guest, &model, &op.pages(), inside);
            }
        }
    }

    /// Out of memory in the midst: what lies before is done, what lies behind
    /// is as it was, and nothing else is there.
    #[test]
    fn exhaustion_leaves_nothing_half_done(ops in ops(), room in 0..24u64) {
        let mut guest = Guest::with_room(room);
        let mut model = Model::default();
        let mut history = History::default();
        history.note(&guest.walk(), false);
        for op in &ops {
            let mut after = model.clone();
            after.apply(op);
            let done = guest.apply(op);
            let walk = guest.walk();
            history.note(&walk, matches!(op, Op::ClearUser));
            if done.is_err() {
                prop_assert_eq!(done, Err(Errno::ENOMEM));
                prop_assert_eq!(walk.tables.len() as u64, room + 1);
                let actual: BTreeMap<_, _> = walk.pages.iter().copied().collect();
                let reached = op.pages().find(|page| actual.get(page) != after.pages.get(page));
                // Where nothing differs, the old and the new are the same.
                let rest = reached.unwrap_or(op.pages().end)..op.pages().end;
                after.pages.retain(|page, _| !rest.contains(page));
                after.pages.extend(model.pages.range(rest));
            }
            prop_assert_eq!(difference(&walk, &after), None);
            model = after;
        }
    }
}

#[test]
fn a_range_across_all_boundaries_uses_the_largest_pages() {
    // Pages, large pages and 1 GiB on both sides of 512 GiB.
    let pages = ROOT_ENTRY - GIB - BLOCK - 1..ROOT_ENTRY + GIB + BLOCK + 1;
    let mut guest = Guest::new(8);
    let map = Op::Map(pages.clone(), pages.start, READ);
    assert_eq!(guest.apply(&map), Ok(()));
    let walk = guest.walk();
    assert!(walk.pages.iter().copied().eq(pages.map(|n| (n, (n, READ)))));
    assert_eq!(walk.large.len() as u64, 2 * (BLOCK + 1));
    // The root; on each side one for 512 GiB, two for 1 GiB, one for 2 MiB.
    assert_eq!(walk.tables.len(), 1 + 2 * (1 + 2 + 1));
}

#[test]
fn full_tables_are_full_until_all_are_dropped() {
    // One page needs three tables.
    let mut guest = Guest::with_room(4);
    let page = |n: u64| n * ROOT_ENTRY..n * ROOT_ENTRY + 1;
    let map = |n: u64, access| Op::Map(page(n), 7 * n + 1, access);
    assert_eq!(guest.apply(&map(1, READ)), Ok(()));
    assert_eq!(guest.apply(&map(2, READ)), Err(Errno::ENOMEM));
    assert_eq!(guest.walk().pages, [(page(1).start, (8, READ))]);
    // The same place needs no table; taking it out frees none.
    assert_eq!(guest.apply(&map(1, WRITE_EXECUTE)), Ok(()));
    assert_eq!(guest.walk().pages, [(page(1).start, (8, WRITE_EXECUTE))]);
    assert_eq!(guest.apply(&Op::Unmap(page(1))), Ok(()));
    assert_eq!(guest.apply(&map(2, READ)), Err(Errno::ENOMEM));
    assert!(guest.walk().pages.is_empty());
    assert_eq!(guest.apply(&Op::ClearUser), Ok(()));
    assert_eq!(guest.apply(&map(2, READ)), Ok(()));
    assert_eq!(guest.walk().pages, [(page(2).start, (15, READ))]);
}

#[test]
fn a_large_page_that_cannot_be_split_stays() {
    let mut guest = Guest::with_room(2);
    let block = Op::Map(BLOCK..2 * BLOCK, 0, WRITE_EXECUTE);
    assert_eq!(guest.apply(&block), Ok(()));
    let before = guest.walk();
    assert_eq!(before.large.len(), 1);
    for op in [
        Op::Unmap(BLOCK..BLOCK + 1),
        Op::Map(BLOCK + 1..BLOCK + 2, 1, READ),
        Op::Map(BLOCK..2 * BLOCK, 1, READ),
    ] {
        assert_eq!(guest.apply(&op), Err(Errno::ENOMEM));
        assert_eq!(guest.walk().pages, before.pages);
    }
    assert_eq!(guest.apply(&Op::Unmap(BLOCK..2 * BLOCK)), Ok(()));
    assert!(guest.walk().pages.is_empty());
}

/// The monitor's tables are not handed out again when a mapping of its own
/// fails.
#[test]
fn tables_of_a_failed_system_mapping_are_kept() {
    let mut guest = Guest::with_room(5);
    let kept = Op::MapSystem(SYSTEM.start..SYSTEM.start + 1, 1, READ);
    assert_eq!(guest.apply(&kept), Ok(()));
    // Three more tables, of which there are two.
    let start = SYSTEM.start + GIB + BLOCK - 1;
    let failing = Op::MapSystem(start..start + 2, 2, READ);
    assert_eq!(guest.apply(&failing), Err(Errno::ENOMEM));
    let before = guest.walk();
    assert_eq!(guest.apply(&Op::ClearUser), Ok(()));
    let user = Op::Map(0..1, 3, WRITE_EXECUTE);
    assert_eq!(guest.apply(&user), Err(Errno::ENOMEM));
    assert_eq!(guest.walk().pages, before.pages);
}

/// The whole area can be used, and no more.
#[test]
fn the_area_fills_up_to_its_end() {
    let Guest {
        registry,
        mut slots,
        area,
        tables,
    } = Guest::new(64);
    let rest = SYSTEM_SIZE / PAGE - 1;
    let first = area.allocate_run(&registry, &mut slots, rest - 1).unwrap();
    assert_eq!(first, tables.root() + PAGE);
    let too_much = area.allocate_run(&registry, &mut slots, 2);
    assert_eq!(too_much, Err(Errno::ENOMEM));
    let last = area.allocate(&registry, &mut slots).unwrap();
    assert_eq!(last, first + (rest - 1) * PAGE);
    assert!(registry.holds(&(last..last + PAGE)));
    let more = area.allocate(&registry, &mut slots);
    assert_eq!(more, Err(Errno::ENOMEM));
    // What comes back is zeroed.
    area.store(last, 1).unwrap();
    area.release([last]);
    assert_eq!(area.allocate(&registry, &mut slots), Ok(last));
    assert_eq!(area.load(last), Ok(0));
}
