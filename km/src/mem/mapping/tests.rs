//! The table against a naive model: a map from page number to attributes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

mod maps_text;
mod model;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use model::*;

proptest! {
    /// Contents, canonical form and totals are the model's after every step.
    #[test]
    fn behaves_as_pages_do(mut table in table(), ops in vec(op(), 1..80)) {
        let mut model = Model::default();
        for op in &ops {
            prop_assert_eq!(apply(&mut table, op), model.apply(op));
            table.vmas.check();
            let vmas = model.vmas();
            prop_assert_eq!(owned(&table), &vmas[..]);
            prop_assert_eq!(table.count(), vmas.len());
            let bytes = |counts: fn(&Mapping) -> bool| {
                model.0.values().filter(|mapping| counts(mapping)).count() as u64 * PAGE
            };
            prop_assert_eq!(table.total_bytes(), bytes(|_| true));
            prop_assert_eq!(table.data_bytes(), bytes(|mapping| {
                mapping.prot.contains(Prot::WRITE)
                    && !mapping.shared
                    && !mapping.flags.contains(MapFlags::GROWSDOWN)
            }));
        }
    }

    #[test]
    fn answers_about_ranges((table, model) in grown(), pages in pages()) {
        let range = bytes(&pages);
        let pieces: Vec<_> = table.iter_over(range.clone()).map(|(r, m)| (r, m.into_owned())).collect();
        prop_assert_eq!(pieces, model.clipped(&pages));

        let hole = pages.clone().find(|page| !model.0.contains_key(page)).map(|first| {
            let end = (first..pages.end).find(|page| model.0.contains_key(page)).unwrap_or(pages.end);
            bytes(&(first..end))
        });
        prop_assert_eq!(table.is_fully_mapped(range.clone()), hole.is_none());
        prop_assert_eq!(table.first_gap(range.clone()), hole);
        prop_assert_eq!(table.is_free(range.clone()), model.is_free(pages.clone()));
        if !pages.is_empty() {
            prop_assert_eq!(table.accepts_hint(range), model.is_placeable(pages));
        }
    }

    #[test]
    fn finds_by_address((table, model) in grown(), page in 0..PAGES, inside in 0..PAGE) {
        let vmas = model.vmas();
        let addr = page * PAGE + inside;
        let from = vmas.iter().find(|(range, _)| range.end > addr).map(|(r, m)| (r.clone(), m));
        prop_assert_eq!(table.find_from(addr), from.clone());
        prop_assert_eq!(table.find(addr), from.filter(|(range, _)| range.contains(&addr)));
    }

    #[test]
    fn gaps_are_the_highest_and_lowest(
        (table, model) in grown(),
        len in prop_oneof![1..4u64, 4..300u64],
        align in (0..7u32).prop_map(|shift| 1u64 << shift),
        low in prop_oneof![Just(0), 0..PAGES],
        high in prop_oneof![Just(PAGES), Just(2 * PAGES), 0..PAGES],
    ) {
        let top = table.find_gap_topdown(len * PAGE, align * PAGE, low * PAGE, high * PAGE);
        let bottom = table.find_gap_bottomup(len * PAGE, align * PAGE, low * PAGE, high * PAGE);
        prop_assert_eq!(top, model.places(len, align, low..high).next_back().map(|page| page * PAGE));
        prop_assert_eq!(bottom, model.places(len, align, low..high).next().map(|page| page * PAGE));
    }

    #[test]
    fn stacks_grow_as_on_linux((table, model) in grown(), page in 0..PAGES) {
        let vmas = model.vmas();
        let addr = page * PAGE;
        let next = vmas.iter().find(|(range, _)| range.end > addr);
        let below = vmas.iter().rev().find(|(range, _)| range.end <= addr);
        let crowded = below.is_some_and(|(range, mapping)| {
            !mapping.prot.is_empty()
                && !mapping.flags.contains(MapFlags::GROWSDOWN)
                && addr - range.end < STACK_GUARD_GAP
        });
        let growth = next
            .filter(|(range, mapping)| {
                range.start > addr && mapping.flags.contains(MapFlags::GROWSDOWN) && !crowded
            })
            .map(|(range, mapping)| (addr..range.start, mapping));
        prop_assert_eq!(table.stack_growth(addr), growth);
    }

    /// Nothing a payload may ask can make the arithmetic overflow.
    #[test]
    fn the_edges_of_the_address_space_hold(
        ranges in vec((edge(), edge()), 1..20),
        (len, align, low, high) in (edge(), edge(), edge(), edge()),
        mapping in mapping(),
    ) {
        let mut table = MappingTable::new();
        for (i, &(start, end)) in ranges.iter().enumerate() {
            if i % 3 == 2 {
                table.remove(start..end);
            } else {
                table.insert(start..end, mapping.advanced(i as u64));
            }
            table.protect(start..end, Prot::READ);
            table.vmas.check();
            let total = table.iter().map(|(range, _)| range.end - range.start).sum::<u64>();
            prop_assert_eq!(table.total_bytes(), total);
            if let Some((added, mapping)) = table.stack_growth(start) {
                prop_assert!(added.start == start && table.is_free(added));
                prop_assert!(mapping.flags.contains(MapFlags::GROWSDOWN));
            }
            for place in [
                table.find_gap_topdown(len, align, low, high),
                table.find_gap_bottomup(len, align, low, high),
            ].into_iter().flatten() {
                prop_assert!(align.is_power_of_two() && place % align == 0);
                prop_assert!(low <= place && place.checked_add(len).unwrap() <= high);
                prop_assert!(table.accepts_hint(place..place + len));
            }
        }
    }
}

fn edge() -> impl Strategy<Value = u64> {
    prop_oneof![
        (0..6u64).prop_map(|n| n * PAGE),
        (0..6u64).prop_map(|n| u64::MAX - n * PAGE),
        (0..64u32).prop_map(|shift| 1 << shift),
        any::<u64>(),
    ]
}

#[test]
fn a_shared_mapping_of_a_read_only_file_stays_unwritable() {
    let mut table = MappingTable::new();
    let file = Arc::new(FileInfo {
        path: b"/f".to_vec(),
        dev: 0,
        ino: 1,
        writable: false,
    });
    let shared = Mapping {
        shared: true,
        ..Mapping::new(Prot::READ, Kind::File { file, offset: 0 })
    };
    table.insert(0..PAGE, Mapping::new(Prot::READ, Kind::Anon));
    table.insert(PAGE..2 * PAGE, shared);
    let done = table.protect(0..3 * PAGE, Prot::READ | Prot::WRITE);
    let changed = vec![(0..PAGE, Prot::READ)];
    assert_eq!(
        done,
        Protected {
            reached: PAGE,
            changed,
            stop: Some(Stop::Denied)
        }
    );
}

#[test]
fn placement_stays_clear_of_a_stack() {
    let mut table = MappingTable::new();
    let stack = Mapping {
        flags: MapFlags::GROWSDOWN,
        ..Mapping::new(Prot::READ, Kind::Stack)
    };
    let base = 0x7000_0000;
    table.insert(base..base + PAGE, stack);
    assert_eq!(
        table.find_gap_topdown(PAGE, PAGE, PAGE, base),
        Some(base - STACK_GUARD_GAP - PAGE)
    );
    assert_eq!(table.find_gap_topdown(PAGE, PAGE, base - PAGE, base), None);
    assert!(!table.accepts_hint(base - PAGE..base));
    assert!(table.is_free(base - PAGE..base));
}

#[test]
fn a_stack_keeps_its_guard_gap_when_it_grows() {
    let base = 0x7000_0000;
    let grows = |neighbour: Mapping, distance: u64| {
        let mut table = MappingTable::new();
        let stack = Mapping {
            flags: MapFlags::GROWSDOWN,
            ..Mapping::new(Prot::READ, Kind::Stack)
        };
        table.insert(base + 4 * PAGE..base + 5 * PAGE, stack);
        table.insert(base - distance - PAGE..base - distance, neighbour);
        table.stack_growth(base).map(|(added, _)| added)
    };
    let yes = Some(base..base + 4 * PAGE);
    let anon = |prot| Mapping::new(prot, Kind::Anon);
    assert_eq!(grows(anon(Prot::READ), 0), None);
    assert_eq!(grows(anon(Prot::READ), STACK_GUARD_GAP - PAGE), None);
    assert_eq!(grows(anon(Prot::READ), STACK_GUARD_GAP), yes);
    assert_eq!(grows(anon(Prot::empty()), 0), yes);
}

/// Tens of thousands of mappings, through every length of run.
#[test]
fn many_mappings_come_and_go() {
    const COUNT: u64 = 20_000;
    let mut table = MappingTable::new();
    let page = |n: u64| n * PAGE..(n + 1) * PAGE;
    let anon = Mapping::new(Prot::READ, Kind::Anon);
    for n in 0..COUNT {
        // A stride prime to the count: every even page once, out of order.
        table.insert(page(n * 7919 % COUNT * 2), anon.clone());
    }
    table.vmas.check();
    assert_eq!(table.count() as u64, COUNT);
    assert_eq!(
        table.find_gap_topdown(2 * PAGE, PAGE, 0, 2 * COUNT * PAGE),
        None
    );
    assert_eq!(
        table.find_gap_bottomup(PAGE, PAGE, 0, 2 * COUNT * PAGE),
        Some(PAGE)
    );
    for n in 0..COUNT {
        table.insert(page(n * 7919 % COUNT * 2 + 1), anon.clone());
    }
    table.vmas.check();
    assert_eq!(table.count(), 1);
    let stripes = Mapping::new(Prot::WRITE, Kind::Anon);
    for n in 0..COUNT {
        table.insert(page(n * 2), stripes.clone());
    }
    table.protect(0..2 * COUNT * PAGE, Prot::empty());
    table.vmas.check();
    assert_eq!((table.count(), table.total_bytes()), (1, 2 * COUNT * PAGE));
    for n in 0..COUNT {
        table.remove(page(n * 7919 % COUNT * 2));
        if n % 500 == 0 {
            table.vmas.check();
        }
    }
    assert_eq!(table.count() as u64, COUNT);
    for n in 0..COUNT - 1 {
        table.remove(page(n * 7919 % COUNT * 2 + 1));
        if n % 500 == 0 || n > COUNT - 500 {
            table.vmas.check();
        }
    }
    assert_eq!((table.count(), table.total_bytes()), (1, PAGE));
    assert_eq!(table.remove(0..u64::MAX).len(), 1);
    assert_eq!((table.count(), table.total_bytes()), (0, 0));
}
