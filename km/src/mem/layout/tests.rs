//! The arenas of every processor there may be.

use std::ops::RangeInclusive;

use proptest::prelude::*;

use super::*;

/// What CPUID may say, and what it should not.
const BITS: RangeInclusive<u32> = 0..=64;

fn len(range: &Range<u64>) -> u64 {
    range.end - range.start
}

/// Guest-physical range of an arena.
fn physical(arenas: &Arenas, arena: &Range<u64>) -> Range<u64> {
    let start = arenas.physical(arena.start).unwrap();
    start..start + len(arena)
}

#[test]
fn areas_lie_apart() {
    for arenas in BITS.map(Arenas::new) {
        let areas = [
            physical(&arenas, arenas.low()),
            physical(&arenas, arenas.high()),
            arenas.system()..arenas.system() + SYSTEM_SIZE,
        ];
        assert_eq!(areas[0].start, 0);
        // A call that starts in an arena ends in it or in the guard behind.
        for pair in areas.windows(2) {
            assert!(pair[0].end + GUARD <= pair[1].start, "{arenas:x?}");
        }
        assert!(areas[2].end <= arenas.nowhere(), "{arenas:x?}");
        assert!(arenas.nowhere() + GUARD <= arenas.reservation());
        // The vDSO's data are the host's own pages, not the reservation's.
        assert!(arenas.shared() >= arenas.reservation());
    }
}

#[test]
fn the_processor_reaches_everything() {
    for bits in MIN_BITS..=48 {
        let arenas = Arenas::new(bits);
        let end = arenas.shared() + LARGE_PAGE;
        assert!(end <= 1 << bits, "{bits} bits: {end:#x}");
    }
    for bits in BITS {
        let fitting = Arenas::new(bits.clamp(MIN_BITS, MAX_BITS));
        assert_eq!(Arenas::new(bits), fitting);
    }
}

#[test]
fn the_monitor_keeps_a_quarter_of_its_addresses() {
    for arenas in BITS.map(Arenas::new) {
        assert!(arenas.reservation() <= 3 << 45, "{arenas:x?}");
    }
}

#[test]
fn payload_addresses_share_no_table_with_the_monitors() {
    const ROOT_ENTRY: u64 = 512 << 30;
    const { assert!(SYSTEM_VIRTUAL.is_multiple_of(ROOT_ENTRY) && SYSTEM_SIZE <= ROOT_ENTRY) };
    for arenas in BITS.map(Arenas::new) {
        assert!(arenas.low().end <= SYSTEM_VIRTUAL, "{arenas:x?}");
        assert!(SYSTEM_VIRTUAL + ROOT_ENTRY <= arenas.high().start);
        assert_eq!((arenas.low().start, arenas.high().end), (0, TASK_SIZE));
    }
}

/// Large pages of the payload are large in guest-physical memory.
#[test]
fn arenas_keep_the_alignment_of_large_pages() {
    for arenas in BITS.map(Arenas::new) {
        for arena in [arenas.low(), arenas.high()] {
            assert_eq!(arena.start % LARGE_PAGE, 0);
            assert_eq!(physical(&arenas, arena).start % LARGE_PAGE, 0);
        }
        assert_eq!(arenas.system() % PAGE, 0);
    }
}

#[test]
fn terabytes_fit_where_there_are_forty_two_bits() {
    for bits in 42..=48 {
        assert!(len(Arenas::new(bits).high()) > 1 << 40);
    }
}

#[test]
fn fixed_executables_fit() {
    // Where `ld` links them, and 32-bit addresses besides.
    let fixed = 0x40_0000..1u64 << 32;
    assert!(BITS.map(Arenas::new).all(|a| a.contains(&fixed)));
}

#[test]
fn position_independent_executables_go_to_the_high_arena() {
    for arenas in BITS.map(Arenas::new) {
        let (high, base) = (arenas.high(), arenas.pie_base());
        assert_eq!(base % PAGE, 0);
        // With room for randomisation and for a large image.
        let room = base..base + len(high) / 4;
        assert!(arenas.contains(&room) && base > high.start, "{arenas:x?}");
    }
    // As on Linux, where that is in the arena.
    assert_eq!(Arenas::new(47).pie_base(), 0x5555_5555_4000);
}

fn bits() -> impl Strategy<Value = u32> {
    prop_oneof![MIN_BITS..=48, BITS]
}

proptest! {
    #[test]
    fn the_mmap_area_leaves_room_for_the_stack(
        bits in bits(),
        stack in prop_oneof![Just(u64::MAX), (0..64u32).prop_map(|n| 1 << n), any::<u64>()],
        offset in (0..=STACK_RANDOM / PAGE).prop_map(|pages| pages * PAGE),
    ) {
        let arenas = Arenas::new(bits);
        let (high, base) = (arenas.high(), arenas.mmap_base(stack, offset));
        prop_assert_eq!(base % PAGE, 0);
        prop_assert!(high.contains(&base));
        // A sixth of the arena at least is below, for mappings; above, the
        // stack, its offset and its guard gap have what they need, up to all
        // the rest.
        prop_assert!(base - high.start >= len(high) / 6 - PAGE);
        let above = TASK_SIZE - base;
        let stack = stack.saturating_add(STACK_GUARD_GAP).max(128 << 20);
        let wanted = stack.saturating_add(offset);
        prop_assert!(above >= wanted.min(len(high) / 6 * 5));
        prop_assert!(above <= wanted.saturating_add(PAGE));
    }

    /// Within an arena guest-physical addresses follow the payload's; across
    /// them they keep the order.
    #[test]
    fn physical_addresses_keep_order_and_distance(
        bits in bits(),
        picks in (any::<bool>(), any::<u64>(), any::<bool>(), any::<u64>()),
    ) {
        let arenas = Arenas::new(bits);
        let pick = |high: bool, at: u64| {
            let arena = if high { arenas.high() } else { arenas.low() };
            arena.start + at % len(arena)
        };
        let (a, b) = (pick(picks.0, picks.1), pick(picks.2, picks.3));
        let (low, high) = (a.min(b), a.max(b));
        let at_low = arenas.physical(low).unwrap();
        let at_high = arenas.physical(high).unwrap();
        prop_assert_eq!(at_low.cmp(&at_high), low.cmp(&high));
        prop_assert!(at_high < arenas.system() && arenas.system() < arenas.reservation());
        if picks.0 == picks.2 {
            prop_assert_eq!(at_high - at_low, high - low);
        }
        prop_assert_eq!(arenas.contains(&(low..high + 1)), picks.0 == picks.2);
    }

    #[test]
    fn there_is_nothing_outside_the_arenas(bits in bits(), address: u64) {
        let arenas = Arenas::new(bits);
        let inside = [arenas.low(), arenas.high()].iter().any(|a| a.contains(&address));
        prop_assert_eq!(arenas.physical(address).is_some(), inside);
        let hole = arenas.low().end + address % (arenas.high().start - arenas.low().end);
        prop_assert_eq!(arenas.physical(hole), None);
        prop_assert!(!arenas.contains(&(hole..hole + 1)));
        prop_assert!(!arenas.contains(&(arenas.low().start..hole + 1)));
        let beyond = TASK_SIZE + address % (u64::MAX - TASK_SIZE);
        prop_assert_eq!(arenas.physical(beyond), None);
        prop_assert!(!arenas.contains(&(arenas.high().start..beyond + 1)));
    }
}
