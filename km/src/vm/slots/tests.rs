//! Slots against what KVM asks of them, and what the payload does.

use std::cell::{Cell, RefCell};

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::mem::layout::{Arenas, MIN_BITS, PAGE};

const GIB: u64 = 1 << 30;
const HOST_BASE: u64 = 0x7e00_0000_0000;

/// Takes down what is registered; refuses beyond `room` slots.
#[derive(Debug)]
pub(crate) struct Record {
    slots: RefCell<Vec<Slot>>,
    room: Cell<usize>,
}

impl Record {
    pub(crate) fn new() -> Record {
        Record {
            slots: RefCell::default(),
            room: Cell::new(usize::MAX),
        }
    }

    /// Whether one slot holds all of `range`.
    pub(crate) fn holds(&self, range: &Range<u64>) -> bool {
        let within = |slot: &Slot| slot.physical <= range.start && range.end <= end(slot);
        self.slots.borrow().iter().any(within)
    }

    fn sorted(&self) -> Vec<Slot> {
        let mut slots = self.slots.borrow().clone();
        slots.sort_by_key(|slot| slot.physical);
        slots
    }

    /// Bytes of `range` that have memory, if no slots overlap.
    fn covered(&self, range: &Range<u64>) -> u64 {
        let slots = self.slots.borrow();
        let parts = slots.iter().map(|slot| {
            let (start, end) = (slot.physical.max(range.start), end(slot).min(range.end));
            end.saturating_sub(start)
        });
        parts.sum()
    }
}

impl Registry for Record {
    fn register(&self, slot: Slot) -> Result<(), Errno> {
        let mut slots = self.slots.borrow_mut();
        if slots.len() >= self.room.get() {
            return Err(Errno::EINVAL);
        }
        slots.push(slot);
        Ok(())
    }
}

fn end(slot: &Slot) -> u64 {
    slot.physical + slot.len
}

/// Smallest size of the slot with `number`, where nothing is in its way.
fn smallest(number: u32) -> u64 {
    (16u64 << 20 << (number / 8).min(6)).min(GIB)
}

/// The two arenas of a small processor, and odder bounds than km has.
fn bounds() -> impl Strategy<Value = Vec<Range<u64>>> {
    let arenas = Arenas::new(MIN_BITS);
    let high = arenas.physical(arenas.high().start).unwrap();
    let high = high..high + arenas.high().end.next_multiple_of(2 << 20) - arenas.high().start;
    let odd = (0..40_000u64, 1..40_000u64).prop_map(|(start, len)| {
        let second = start + len + 1;
        let pages = |range: Range<u64>| range.start * PAGE..range.end * PAGE;
        vec![pages(start..start + len), pages(second..second + len)]
    });
    prop_oneof![3 => Just(vec![arenas.low().clone(), high]), 1 => odd]
}

/// Which bounds, where in them and how much, in 65,536ths and pages.
type Wish = (prop::sample::Index, u64, u64);

fn wish() -> impl Strategy<Value = Wish> {
    let place = prop_oneof![0..0x1_0000u64, Just(0), Just(0xffff), 0x8000..0x8010u64];
    let len = prop_oneof![
        6 => 1..100u64,
        3 => 1..20_000u64,
        1 => 200_000..1_000_000u64,
    ];
    (any::<prop::sample::Index>(), place, len)
}

fn range((_, place, len): &Wish, bounds: &Range<u64>) -> Range<u64> {
    let pages = (bounds.end - bounds.start) / PAGE;
    let first = pages * place / 0x1_0000;
    let last = (first + len).min(pages);
    bounds.start + first * PAGE..bounds.start + last * PAGE
}

/// What must be true of the slots at any time.
fn check(record: &Record, bounds: &[Range<u64>]) {
    let slots = record.sorted();
    for pair in slots.windows(2) {
        assert!(end(&pair[0]) <= pair[1].physical, "{pair:x?} overlap");
    }
    for (i, slot) in slots.iter().enumerate() {
        assert!(slot.len > 0 && slot.len <= GIB && slot.len % PAGE == 0);
        assert_eq!(slot.host, HOST_BASE + slot.physical);
        assert!(!slot.readonly);
        let inside = |bounds: &&Range<u64>| {
            bounds.start <= slot.physical && slot.physical < bounds.end && end(slot) <= bounds.end
        };
        let bounds = bounds.iter().find(inside).expect("a slot leaves its arena");
        // Smaller than its turn says only where something is in the way.
        let below = i.checked_sub(1).map(|i| end(&slots[i]));
        let above = slots.get(i + 1).map(|next| next.physical);
        assert!(
            slot.len >= smallest(slot.number)
                || [Some(bounds.start), below].contains(&Some(slot.physical))
                || [Some(bounds.end), above].contains(&Some(end(slot))),
            "{slot:x?} is small for no reason"
        );
    }
    let numbers = record.slots.borrow();
    assert!((0..).zip(numbers.iter()).all(|(n, slot)| slot.number == n));
}

proptest! {
    #[test]
    fn every_byte_is_in_one_slot(bounds in bounds(), wishes in vec(wish(), 1..60)) {
        let record = Record::new();
        let mut slots = Slots::new(u32::MAX, HOST_BASE);
        for wish in &wishes {
            let bounds_here = wish.0.get(&bounds);
            let range = range(wish, bounds_here);
            slots.cover(&record, &range, bounds_here).unwrap();
            check(&record, &bounds);
            prop_assert_eq!(record.covered(&range), range.end - range.start);
            // What has memory needs no more slots.
            let count = record.slots.borrow().len();
            slots.cover(&record, &range, bounds_here).unwrap();
            prop_assert_eq!(record.slots.borrow().len(), count);
        }
    }

    /// Slots are few where nothing is in their way.
    #[test]
    fn slots_are_large(start in 0..0x40_0000u64, len in 1..0x80_0000u64) {
        let record = Record::new();
        let mut slots = Slots::new(u32::MAX, HOST_BASE);
        let range = start * PAGE..(start + len) * PAGE;
        slots.cover(&record, &range, &(0..64 * GIB)).unwrap();
        prop_assert!(record.slots.borrow().len() as u64 <= (len * PAGE).div_ceil(GIB) + 1);
    }

    /// Out of slots, by number or by the host, is an error that changes
    /// nothing that was promised before, and can be tried again.
    #[test]
    fn running_out_keeps_what_there_is(
        bounds in bounds(),
        wishes in vec(wish(), 1..40),
        (max, room) in (0..30u32, 0..30usize),
    ) {
        let record = Record::new();
        record.room.set(room);
        let mut slots = Slots::new(max, HOST_BASE);
        let mut promised: Vec<Range<u64>> = Vec::new();
        for wish in &wishes {
            let bounds_here = wish.0.get(&bounds);
            let range = range(wish, bounds_here);
            let done = slots.cover(&record, &range, bounds_here);
            let count = record.slots.borrow().len();
            if count == max as usize {
                prop_assert!(done.is_ok() || done == Err(Errno::ENOMEM));
            } else {
                prop_assert!(done.is_ok() || done == Err(Errno::EINVAL) && count == room);
            }
            if done.is_ok() {
                promised.push(range);
            }
            check(&record, &bounds);
            for range in &promised {
                prop_assert_eq!(record.covered(range), range.end - range.start);
            }
        }
        record.room.set(usize::MAX);
        slots.max = u32::MAX;
        for wish in &wishes {
            let bounds_here = wish.0.get(&bounds);
            let range = range(wish, bounds_here);
            prop_assert_eq!(slots.cover(&record, &range, bounds_here), Ok(()));
            prop_assert_eq!(record.covered(&range), range.end - range.start);
        }
        check(&record, &bounds);
    }
}

/// Scattered memory makes ever larger slots, so that they last.
#[test]
fn sizes_grow() {
    let record = Record::new();
    let mut slots = Slots::new(u32::MAX, HOST_BASE);
    for n in 0..80 {
        let at = u64::from(n) * 2 * GIB + GIB / 2;
        slots
            .cover(&record, &(at..at + PAGE), &(0..1 << 46))
            .unwrap();
        assert_eq!(record.slots.borrow().last().unwrap().len, smallest(n));
    }
    assert_eq!(record.slots.borrow().len(), 80);
    assert_eq!(smallest(79), GIB);
}
