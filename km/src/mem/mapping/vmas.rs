//! The ordered store of mappings, with the search for gaps.
//!
//! Mappings lie in runs of about [`RUN_LEN`]. Beside the runs stands a plain
//! array with the widest gap in or below each. A change rewrites one run and
//! two words of that array. A gap search reads the array in order and looks
//! into a run only if a gap of the wanted length is there. At Linux's limit of
//! 65,530 mappings the array has about a thousand words: cheaper at this size
//! than a balanced tree, and simpler.
//!
//! The one search that may look into many runs in vain is for an alignment
//! above the page size past many gaps that are wide enough but misaligned.

use std::iter;
use std::ops::Range;

use super::{MapFlags, Mapping, STACK_GUARD_GAP};

/// Runs are split above twice this length.
const RUN_LEN: usize = 64;

/// One mapping and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Vma {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) mapping: Mapping,
}

impl Vma {
    pub(super) fn len(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }

    /// Below this another mapping may end: the start, or for a mapping that
    /// grows down the end of its guard gap.
    pub(super) fn floor(&self) -> u64 {
        if self.mapping.flags.contains(MapFlags::GROWSDOWN) {
            self.start.saturating_sub(STACK_GUARD_GAP)
        } else {
            self.start
        }
    }

    /// Bytes counted for `RLIMIT_AS` and `RLIMIT_DATA`.
    pub(super) fn weight(&self) -> (u64, u64) {
        let len = self.len();
        (len, if self.mapping.is_data() { len } else { 0 })
    }

    /// The parts below and from `addr` on.
    pub(super) fn split_at(mut self, addr: u64) -> (Option<Self>, Option<Self>) {
        if addr <= self.start {
            return (None, Some(self));
        }
        if addr >= self.end {
            return (Some(self), None);
        }
        let mapping = self.mapping.advanced(addr.saturating_sub(self.start));
        let above = Self {
            start: addr,
            end: self.end,
            mapping,
        };
        self.end = addr;
        (Some(self), Some(above))
    }

    pub(super) fn parts(&self) -> (Range<u64>, &Mapping) {
        (self.start..self.end, &self.mapping)
    }

    pub(super) fn into_parts(self) -> (Range<u64>, Mapping) {
        (self.start..self.end, self.mapping)
    }
}

/// What a gap search looks for.
#[derive(Debug)]
pub(super) struct Want {
    len: u64,
    align_mask: u64,
    limits: Range<u64>,
}

impl Want {
    /// `None` for what no gap can satisfy: no length, or an alignment that is
    /// not a power of two.
    pub(super) fn new(len: u64, align: u64, limits: Range<u64>) -> Option<Self> {
        let align_mask = align.is_power_of_two().then(|| align.wrapping_sub(1))?;
        (len > 0).then_some(Self {
            len,
            align_mask,
            limits,
        })
    }

    /// The highest place in the gap.
    fn top_of(&self, start: u64, end: u64) -> Option<u64> {
        let highest = end.min(self.limits.end).checked_sub(self.len)? & !self.align_mask;
        (highest >= start.max(self.limits.start)).then_some(highest)
    }

    /// The lowest place in the gap.
    fn bottom_of(&self, start: u64, end: u64) -> Option<u64> {
        let lowest = start.max(self.limits.start).checked_add(self.align_mask)? & !self.align_mask;
        (lowest.checked_add(self.len)? <= end.min(self.limits.end)).then_some(lowest)
    }
}

/// A stretch of neighbouring mappings, never empty, and its bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    /// The first mapping's start.
    start: u64,
    /// The first mapping's [`Vma::floor`].
    floor: u64,
    /// The last mapping's end.
    end: u64,
    vmas: Vec<Vma>,
}

impl Run {
    fn new(vmas: Vec<Vma>) -> Self {
        let mut run = Self {
            start: 0,
            floor: 0,
            end: 0,
            vmas,
        };
        run.set_bounds();
        run
    }

    fn set_bounds(&mut self) {
        if let (Some(first), Some(last)) = (self.vmas.first(), self.vmas.last()) {
            self.start = first.start;
            self.floor = first.floor();
            self.end = last.end;
        }
    }

    /// The gap below the run, which begins at `bottom`, and those inside it.
    /// A guard gap may leave less than nothing.
    fn gaps(&self, bottom: u64) -> impl DoubleEndedIterator<Item = (u64, u64)> {
        let inner = self.vmas.iter().zip(self.vmas.iter().skip(1));
        iter::once((bottom, self.floor))
            .chain(inner.map(|(below, above)| (below.end, above.floor())))
    }

    fn widest_gap(&self, bottom: u64) -> u64 {
        self.gaps(bottom)
            .map(|(start, end)| end.saturating_sub(start))
            .max()
            .unwrap_or(0)
    }
}

/// All mappings in address order.
#[derive(Clone, Debug)]
pub(super) struct Vmas {
    runs: Vec<Run>,
    /// For each run, the widest of [`Run::gaps`].
    widest: Vec<u64>,
    len: usize,
    run_len: usize,
}

impl Vmas {
    pub(super) fn new() -> Self {
        Self::with_run_len(RUN_LEN)
    }

    pub(super) fn with_run_len(run_len: usize) -> Self {
        Self {
            runs: Vec::new(),
            widest: Vec::new(),
            len: 0,
            run_len: run_len.max(1),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Vma> {
        self.runs.iter().flat_map(|run| run.vmas.iter())
    }

    /// The mapping that holds `addr` or is the first above it, and all above.
    pub(super) fn from(&self, addr: u64) -> impl Iterator<Item = &Vma> {
        let first = self.runs.partition_point(|run| run.end <= addr);
        let runs = self.runs.get(first..).unwrap_or_default();
        let head = runs.first().and_then(|run| {
            let skip = run.vmas.partition_point(|vma| vma.end <= addr);
            run.vmas.get(skip..)
        });
        head.unwrap_or_default()
            .iter()
            .chain(runs.iter().skip(1).flat_map(|run| run.vmas.iter()))
    }

    /// Replaces the mappings that overlap or touch `range`, which is not
    /// empty, by what `build` makes of them: ordered, and within the bounds of
    /// what it was given and the range.
    pub(super) fn replace_touching(
        &mut self,
        range: &Range<u64>,
        build: impl FnOnce(Vec<Vma>) -> Vec<Vma>,
    ) {
        if self.runs.is_empty() {
            self.runs.push(Run::new(Vec::new()));
            self.widest.push(0);
        }
        let beyond = self
            .runs
            .partition_point(|run| run.start <= range.end)
            .max(1);
        // Where nothing is touched, the run below or else the first takes it.
        let first = self
            .runs
            .partition_point(|run| run.end < range.start)
            .min(beyond.saturating_sub(1));

        let mut touching = Vec::new();
        for run in self.runs.iter_mut().take(beyond).skip(first) {
            let from = run.vmas.partition_point(|vma| vma.end < range.start);
            let to = run.vmas.partition_point(|vma| vma.start <= range.end);
            touching.extend(run.vmas.drain(from..to));
        }
        self.len = self.len.saturating_sub(touching.len());
        let new = build(touching);
        self.len = self.len.saturating_add(new.len());
        if let Some(run) = self.runs.get_mut(first) {
            let place = run.vmas.partition_point(|vma| vma.end < range.start);
            run.vmas.splice(place..place, new);
        }
        self.settle(first..beyond);
    }

    /// Restores run lengths, bounds and gap widths after `changed` runs were
    /// edited.
    ///
    /// No run is empty or longer than twice `run_len`, and any two neighbours
    /// together hold more than half of it. So there are at most four runs for
    /// each `run_len` mappings, and a run that was split or joined sees many
    /// more changes before it is again.
    fn settle(&mut self, changed: Range<usize>) {
        let run_lens = |runs: &[Run]| runs.iter().map(|run| run.vmas.len()).sum::<usize>();
        let mut region = changed;
        let mut held = self.runs.get(region.clone()).map_or(0, run_lens);
        while let Some(below) = region.start.checked_sub(1)
            && let Some(run) = self.runs.get(below)
            && held.saturating_add(run.vmas.len()) <= self.run_len / 2
        {
            held = held.saturating_add(run.vmas.len());
            region.start = below;
        }
        while let Some(run) = self.runs.get(region.end)
            && held.saturating_add(run.vmas.len()) <= self.run_len / 2
        {
            held = held.saturating_add(run.vmas.len());
            region.end = region.end.saturating_add(1);
        }

        if region.len() == 1
            && (1..=self.run_len.saturating_mul(2)).contains(&held)
            && let Some(run) = self.runs.get_mut(region.start)
        {
            run.set_bounds();
            self.measure(region);
            return;
        }
        // Even pieces, so that each holds at least half of `run_len` unless
        // it is the only one.
        let pieces = held.div_ceil(self.run_len).max(1);
        let mut vmas = Vec::with_capacity(held);
        for run in self.runs.get_mut(region.clone()).into_iter().flatten() {
            vmas.append(&mut run.vmas);
        }
        let mut vmas = vmas.into_iter();
        let runs: Vec<Run> = (0..pieces)
            .map(|piece| {
                let left = pieces.saturating_sub(piece);
                let share = vmas.len().checked_div(left).unwrap_or(0);
                Run::new(vmas.by_ref().take(share).collect())
            })
            .filter(|run| !run.vmas.is_empty())
            .collect();
        let settled = region.start..region.start.saturating_add(runs.len());
        self.widest.splice(region.clone(), runs.iter().map(|_| 0));
        self.runs.splice(region, runs);
        self.measure(settled);
    }

    /// Measures the gaps of these runs, and of the one above: the gap below it
    /// begins where they end.
    fn measure(&mut self, runs: Range<usize>) {
        let mut bottom = self.bottom(runs.start);
        let end = runs.end.saturating_add(1);
        for (run, widest) in self
            .runs
            .iter()
            .zip(&mut self.widest)
            .take(end)
            .skip(runs.start)
        {
            *widest = run.widest_gap(bottom);
            bottom = run.end;
        }
    }

    /// Where the gap below a run begins.
    fn bottom(&self, run: usize) -> u64 {
        run.checked_sub(1)
            .and_then(|below| self.runs.get(below))
            .map_or(0, |below| below.end)
    }

    /// The highest place for `want`.
    pub(super) fn highest_gap(&self, want: Want) -> Option<u64> {
        let top = self.runs.last().map_or(0, |run| run.end);
        want.top_of(top, u64::MAX).or_else(|| {
            self.wide_enough(&want).rev().find_map(|(run, bottom)| {
                run.gaps(bottom)
                    .rev()
                    .find_map(|(start, end)| want.top_of(start, end))
            })
        })
    }

    /// The lowest place for `want`.
    pub(super) fn lowest_gap(&self, want: Want) -> Option<u64> {
        let top = self.runs.last().map_or(0, |run| run.end);
        let found = self.wide_enough(&want).find_map(|(run, bottom)| {
            run.gaps(bottom)
                .find_map(|(start, end)| want.bottom_of(start, end))
        });
        found.or_else(|| want.bottom_of(top, u64::MAX))
    }

    /// The runs that have a gap of the wanted length in or below them, within
    /// the limits, and where the gap below each begins.
    fn wide_enough(&self, want: &Want) -> impl DoubleEndedIterator<Item = (&Run, u64)> {
        let first = self
            .runs
            .partition_point(|run| run.end <= want.limits.start);
        // The gap below the first run above the limit may begin below it.
        let beyond = self
            .runs
            .partition_point(|run| run.start < want.limits.end)
            .saturating_add(1);
        let len = want.len;
        let widest = self.widest.iter().enumerate().take(beyond).skip(first);
        widest
            .filter(move |&(_, &widest)| widest >= len)
            .filter_map(|(i, _)| Some((self.runs.get(i)?, self.bottom(i))))
    }

    /// Every promise [`Vmas::settle`] makes, and the order.
    #[cfg(test)]
    pub(super) fn check(&self) {
        assert!(self.iter().all(|vma| vma.start < vma.end));
        assert!(
            self.iter()
                .zip(self.iter().skip(1))
                .all(|(a, b)| a.end <= b.start)
        );
        assert_eq!(self.iter().count(), self.len);
        assert_eq!(self.widest.len(), self.runs.len());
        for (i, run) in self.runs.iter().enumerate() {
            assert!((1..=self.run_len.saturating_mul(2)).contains(&run.vmas.len()));
            assert_eq!(*run, Run::new(run.vmas.clone()), "stale bounds");
            assert_eq!(
                self.widest.get(i),
                Some(&run.widest_gap(self.bottom(i))),
                "stale width"
            );
        }
        assert!(
            self.runs
                .iter()
                .zip(self.runs.iter().skip(1))
                .all(|(a, b)| a.vmas.len().saturating_add(b.vmas.len()) > self.run_len / 2)
        );
    }
}
