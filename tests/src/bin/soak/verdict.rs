//! Whether the counts tell of a leak.

use crate::observe::Counts;

#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub rounds: u64,
    pub seconds: f64,
    /// Of the program, of the one that executes itself, and of the one that is
    /// succeeded by its children.
    pub counts: [Counts; 3],
    pub zombies: u64,
    /// Descendants, with those two.
    pub processes: u64,
}

const NAMES: [&str; 3] = ["main", "exec lineage", "fork lineage"];

/// The part of the time whose memory and mappings are not judged: caches are
/// filled, of the C library's stacks for one.
const WARM_UP: f64 = 0.1;

/// How much anonymous memory may grow for each thousand rounds, in KiB.
const GROWTH: f64 = 64.0;

/// And beyond that, however short the run is: one huge page.
const SLACK: f64 = 2048.0;

/// Neighbours of equal kind are one mapping or two, as the kernel merges them.
const MERGES: u64 = 4;

/// What is wrong with the samples of a run that was to last `seconds`.
pub fn complaints(samples: &[Sample], seconds: f64) -> Vec<String> {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else {
        return vec!["no sample was taken".into()];
    };
    let mut wrong = Vec::new();
    if last.rounds == first.rounds {
        wrong.push("no round was made".into());
    }
    for sample in samples {
        if sample.zombies > 0 || sample.processes != first.processes {
            wrong.push(format!(
                "after {} rounds: {} zombies, {} processes",
                sample.rounds, sample.zombies, sample.processes
            ));
            break;
        }
    }
    let judged = samples.iter().filter(|s| s.seconds >= seconds * WARM_UP);
    let judged: Vec<&Sample> = judged.collect();
    for (index, name) in NAMES.iter().enumerate() {
        let before = first.counts[index];
        let after = last.counts[index];
        let mut compare = |what: &str, before: u64, after: u64, slack: u64| {
            if after > before + slack {
                wrong.push(format!("{name}: {what} grew from {before} to {after}"));
            }
        };
        compare("descriptors", before.descriptors, after.descriptors, 0);
        compare("threads", before.threads, after.threads, 0);
        let mappings = judged.first().map_or(0, |s| s.counts[index].mappings);
        compare("mappings", mappings, after.mappings, MERGES);
        if let Some((grown, rounds)) = growth(&judged, index) {
            let allowed = SLACK + GROWTH * rounds / 1000.0;
            let rate = grown / rounds.max(1.0) * 1000.0;
            println!(
                "{name}: anonymous memory {grown:+.0} KiB in {rounds:.0} rounds, {rate:+.1} for a thousand; {allowed:.0} allowed"
            );
            if grown > allowed {
                wrong.push(format!(
                    "{name}: anonymous memory grew by {grown:.0} KiB in {rounds:.0} rounds"
                ));
            }
        }
    }
    wrong
}

/// How much the anonymous memory grew from the first quarter of the samples to
/// the last one, and in how many rounds: medians, since it comes and goes by
/// huge pages.
fn growth(samples: &[&Sample], index: usize) -> Option<(f64, f64)> {
    let quarter = samples.len().div_ceil(4);
    let median = |part: &[&Sample], of: fn(&Sample, usize) -> u64| {
        let mut values: Vec<u64> = part.iter().map(|sample| of(sample, index)).collect();
        values.sort_unstable();
        values.get(values.len() / 2).map(|value| *value as f64)
    };
    let memory = |sample: &Sample, index: usize| sample.counts[index].anonymous;
    let rounds = |sample: &Sample, _: usize| sample.rounds;
    let early = samples.get(..quarter)?;
    let late = samples.get(samples.len() - quarter..)?;
    Some((
        median(late, memory)? - median(early, memory)?,
        median(late, rounds)? - median(early, rounds)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(change: impl Fn(u64, &mut Sample)) -> Vec<String> {
        let sample = |rounds: u64| {
            let mut sample = Sample {
                rounds,
                seconds: rounds as f64 / 100.0,
                counts: [Counts {
                    descriptors: 10,
                    threads: 2,
                    mappings: 50,
                    anonymous: 4000 + rounds % 300,
                    resident: 6000,
                }; 3],
                zombies: 0,
                processes: 2,
            };
            change(rounds, &mut sample);
            sample
        };
        let samples: Vec<Sample> = (0..=100).map(|n| sample(n * 100)).collect();
        complaints(&samples, 100.0)
    }

    #[test]
    fn counts_that_stay_are_no_leak() {
        assert_eq!(run(|_, _| ()), Vec::<String>::new());
        // What is filled once, at the beginning.
        let warm = run(|n, sample| sample.counts[0].anonymous += n.min(900) * 100);
        assert_eq!(warm, Vec::<String>::new());
    }

    #[test]
    fn growth_is_a_leak() {
        let descriptors = run(|n, sample| sample.counts[1].descriptors += n / 10_000);
        assert_eq!(
            descriptors,
            ["exec lineage: descriptors grew from 10 to 11"]
        );
        assert_eq!(
            run(|n, sample| sample.counts[0].threads += n / 9000).len(),
            1
        );
        assert_eq!(
            run(|n, sample| sample.counts[2].mappings += n / 1000).len(),
            1
        );
        assert_eq!(run(|n, sample| sample.counts[0].anonymous += n).len(), 1);
        assert_eq!(run(|n, sample| sample.zombies += n / 5000).len(), 1);
        assert_eq!(run(|n, sample| sample.processes += n / 5000).len(), 1);
    }

    #[test]
    fn a_run_without_rounds_proves_nothing() {
        assert_eq!(complaints(&[], 1.0).len(), 1);
    }
}
