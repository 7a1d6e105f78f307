//! `smaps` and `smaps_rollup`: the payload's mappings with the host's figures.

use std::io::Write;
use std::ops::Range;

use crate::mem::mapping::{MapFlags, Mapping, MappingTable, Prot};
use crate::procfs::area::{self, Area};
use crate::procfs::is_deleted;
use crate::task::process::Process;

/// Figures that say how large a mapping or its pages are, not what is there.
const SIZES: [&str; 3] = ["Size", "KernelPageSize", "MMUPageSize"];

/// The text of `smaps`, from the host's.
pub fn whole(process: &Process, host: &str) -> Vec<u8> {
    let areas = area::parse(host);
    let mappings = process.space().mappings().clone();
    let mut text = Vec::new();
    for (range, mapping) in mappings.iter() {
        MappingTable::write_line(&mut text, &range, mapping, is_deleted);
        let figures = figures(process, &areas, &range);
        let size = (range.end - range.start) >> 10;
        line(&mut text, "Size", size);
        line(&mut text, "KernelPageSize", 4);
        line(&mut text, "MMUPageSize", 4);
        for (name, value) in figures {
            line(&mut text, name, value);
        }
        let others = behind(process, &areas, &range)
            .take(1)
            .flat_map(|area| &area.others);
        for other in others.filter(|other| !other.starts_with("VmFlags")) {
            let _ = writeln!(text, "{other}");
        }
        text.extend_from_slice(b"VmFlags:");
        for flag in flags(mapping) {
            text.push(b' ');
            text.extend_from_slice(flag.as_bytes());
        }
        text.extend_from_slice(b" \n");
    }
    text
}

/// The text of `smaps_rollup`, from the host's `smaps`.
pub fn rollup(process: &Process, host: &str) -> Vec<u8> {
    let areas = area::parse(host);
    let mappings = process.space().mappings().clone();
    let mut sums: Vec<(&str, u64)> = Vec::new();
    let mut bounds: Option<Range<u64>> = None;
    for (range, _) in mappings.iter() {
        add(&mut sums, figures(process, &areas, &range));
        let start = bounds.map_or(range.start, |bounds| bounds.start);
        bounds = Some(start..range.end);
    }
    let mut text = Vec::new();
    let bounds = bounds.unwrap_or_default();
    let head = format!(
        "{:08x}-{:08x} ---p 00000000 00:00 0 ",
        bounds.start, bounds.end
    );
    // Names begin in the same column as in `maps`.
    let _ = writeln!(text, "{head:<73}[rollup]");
    for (name, value) in sums {
        line(&mut text, name, value);
    }
    text
}

fn line(text: &mut Vec<u8>, name: &str, value: u64) {
    let _ = writeln!(text, "{:<15} {value:>8} kB", format!("{name}:"));
}

fn add<'a>(sums: &mut Vec<(&'a str, u64)>, figures: Vec<(&'a str, u64)>) {
    for (name, value) in figures {
        match sums.iter_mut().find(|(known, _)| *known == name) {
            Some((_, sum)) => *sum += value,
            None => sums.push((name, value)),
        }
    }
}

/// The host's entries for the memory behind payload `range`.
fn behind<'s, 'a>(
    process: &Process,
    areas: &'s [Area<'a>],
    range: &Range<u64>,
) -> impl Iterator<Item = &'s Area<'a>> {
    let start = process.memory.host_pointer(range.start, 0);
    let end = start.saturating_add(range.end - range.start);
    let first = areas.partition_point(|area| area.range.end <= start);
    let areas = areas.get(first..).unwrap_or_default().iter();
    areas.take_while(move |area| area.range.start < end)
}

/// What the host says of that memory. Where a mapping of the host's holds more
/// than one of the payload's, which differ only in what the payload may
/// execute, each gets a share by its size.
fn figures<'a>(process: &Process, areas: &[Area<'a>], range: &Range<u64>) -> Vec<(&'a str, u64)> {
    let start = process.memory.host_pointer(range.start, 0);
    let end = start.saturating_add(range.end - range.start);
    let mut sums = Vec::new();
    for area in behind(process, areas, range) {
        let overlap = area
            .range
            .end
            .min(end)
            .saturating_sub(area.range.start.max(start));
        let share = |value: u64| value.saturating_mul(overlap >> 12) / (area.len() >> 12).max(1);
        let figures = area.figures.iter();
        let figures = figures.filter(|(name, _)| !SIZES.contains(name));
        add(
            &mut sums,
            figures
                .map(|(name, value)| (*name, share(*value)))
                .collect(),
        );
    }
    sums
}

fn flags(mapping: &Mapping) -> Vec<&'static str> {
    let has = |prot| mapping.prot.contains(prot);
    let flag = |flag| mapping.flags.contains(flag);
    let may = |prot| mapping.max_prot().contains(prot);
    let all = [
        (has(Prot::READ), "rd"),
        (has(Prot::WRITE), "wr"),
        (has(Prot::EXEC), "ex"),
        (mapping.shared, "sh"),
        (may(Prot::READ), "mr"),
        (may(Prot::WRITE), "mw"),
        (may(Prot::EXEC), "me"),
        (mapping.shared, "ms"),
        (flag(MapFlags::GROWSDOWN), "gd"),
        (flag(MapFlags::LOCKED), "lo"),
        (flag(MapFlags::DONTFORK), "dc"),
        (mapping.is_data(), "ac"),
        (flag(MapFlags::NORESERVE), "nr"),
        (flag(MapFlags::WIPEONFORK), "wf"),
        (flag(MapFlags::DONTDUMP), "dd"),
        (mapping.huge == Some(true), "hg"),
        (mapping.huge == Some(false), "nh"),
    ];
    all.iter()
        .filter(|(set, _)| *set)
        .map(|(_, name)| *name)
        .collect()
}
