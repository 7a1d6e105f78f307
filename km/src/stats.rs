//! `--stats`: what the payload made the monitor do.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::syscall::own::Totals;
use crate::syscall::table;

/// Numbers of system calls counted one by one; further ones together.
const NUMBERS: usize = 512;

/// Kinds of exits from the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitKind {
    Syscall,
    PageFault,
    Exception,
    HostFault,
    Signal,
}

const KINDS: [(ExitKind, &str); 5] = [
    (ExitKind::Syscall, "system call"),
    (ExitKind::PageFault, "page fault"),
    (ExitKind::Exception, "other exception"),
    (ExitKind::HostFault, "host fault"),
    (ExitKind::Signal, "signal"),
];

/// Counters of one process.
#[derive(Debug)]
pub struct Stats {
    start: Instant,
    exits: [AtomicU64; KINDS.len()],
    calls: Vec<Counter>,
}

#[derive(Debug, Default)]
struct Counter {
    count: AtomicU64,
    errors: AtomicU64,
    total: AtomicU64,
    longest: AtomicU64,
    /// One more than the shortest, in nanoseconds; 0 for none yet.
    shortest: AtomicU64,
}

impl Default for Stats {
    fn default() -> Stats {
        Stats {
            start: Instant::now(),
            exits: Default::default(),
            calls: (0..=NUMBERS).map(|_| Counter::default()).collect(),
        }
    }
}

impl Stats {
    /// Counts an exit.
    pub fn exit(&self, kind: ExitKind) {
        let at = KINDS.iter().position(|(known, _)| *known == kind);
        if let Some(counter) = at.and_then(|at| self.exits.get(at)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a system call that took `time` in the monitor and the host.
    pub fn call(&self, number: u64, time: Duration, failed: bool) {
        let at = usize::try_from(number).map_or(NUMBERS, |number| number.min(NUMBERS));
        let Some(counter) = self.calls.get(at) else {
            return;
        };
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX - 1);
        counter.count.fetch_add(1, Ordering::Relaxed);
        counter
            .errors
            .fetch_add(u64::from(failed), Ordering::Relaxed);
        counter.total.fetch_add(time, Ordering::Relaxed);
        counter.longest.fetch_max(time, Ordering::Relaxed);
        let shorter = |old| (old == 0 || time < old - 1).then_some(time + 1);
        let _ = counter
            .shortest
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, shorter);
    }

    /// All counters in sum.
    pub fn totals(&self) -> Totals {
        let sum = |of: fn(&Counter) -> &AtomicU64| {
            let counts = self.calls.iter().map(of);
            counts.map(|count| count.load(Ordering::Relaxed)).sum()
        };
        let mut exits = [0; KINDS.len()];
        for (exit, counter) in exits.iter_mut().zip(&self.exits) {
            *exit = counter.load(Ordering::Relaxed);
        }
        Totals {
            exits,
            calls: sum(|counter| &counter.count),
            errors: sum(|counter| &counter.errors),
            nanoseconds: sum(|counter| &counter.total),
        }
    }

    /// The report: exits by kind, calls by number, most time first. Times in
    /// microseconds.
    pub fn report(&self) -> String {
        let mut text = String::new();
        let elapsed = self.start.elapsed().as_secs_f64() * 1e3;
        let _ = writeln!(text, "km: ran for {elapsed:.3} ms\n{:>10}  exits", "count");
        for ((_, name), counter) in KINDS.iter().zip(&self.exits) {
            let _ = writeln!(text, "{:>10}  {name}", counter.load(Ordering::Relaxed));
        }
        let mut calls: Vec<_> = self
            .calls
            .iter()
            .enumerate()
            .map(|(number, counter)| (number, counter, counter.total.load(Ordering::Relaxed)))
            .filter(|(_, counter, _)| counter.count.load(Ordering::Relaxed) > 0)
            .collect();
        calls.sort_by_key(|(number, _, total)| (std::cmp::Reverse(*total), *number));
        let _ = writeln!(
            text,
            "{:>10} {:>8} {:>10} {:>10} {:>10}  system call (times in us)",
            "count", "errors", "min", "mean", "max"
        );
        for (number, counter, total) in calls {
            let count = counter.count.load(Ordering::Relaxed);
            let name = table::row(number as u64).map_or("(unknown)", |row| row.name);
            let micros = |nanos: u64| nanos as f64 / 1e3;
            let _ = writeln!(
                text,
                "{count:>10} {:>8} {:>10.3} {:>10.3} {:>10.3}  {name}",
                counter.errors.load(Ordering::Relaxed),
                micros(counter.shortest.load(Ordering::Relaxed).saturating_sub(1)),
                micros(total) / count as f64,
                micros(counter.longest.load(Ordering::Relaxed)),
            );
        }
        text
    }
}
