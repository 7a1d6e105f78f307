//! The two sides of a module beside each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::transcript::Outcome;

pub type Results = BTreeMap<String, Outcome>;

#[derive(Debug)]
pub struct Comparison {
    pub module: String,
    pub native: Results,
    /// Nothing, if km was left out.
    pub km: Option<Results>,
    /// Seconds, natively and under km.
    pub seconds: (u64, u64),
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl Counts {
    pub fn of(results: &Results) -> Counts {
        let mut counts = Counts::default();
        for outcome in results.values() {
            match outcome {
                Outcome::Passed => counts.passed += 1,
                Outcome::Skipped => counts.skipped += 1,
                Outcome::Failed | Outcome::Unfinished => counts.failed += 1,
            }
        }
        counts
    }
}

impl Comparison {
    /// Km has no failure that the native run has not.
    pub fn is_passed(&self) -> bool {
        self.only_under_km().is_empty()
    }

    /// The tests that fail under km and not natively, with how they do. One that
    /// passes natively and is not heard of under km is among them.
    pub fn only_under_km(&self) -> Vec<(&str, &'static str)> {
        let Some(km) = &self.km else {
            return Vec::new();
        };
        let ids: BTreeSet<&String> = self.native.keys().chain(km.keys()).collect();
        let difference = |id: &'_ String| match (self.native.get(id), km.get(id)) {
            (Some(native), _) if native.is_bad() => None,
            (_, Some(outcome)) if outcome.is_bad() => Some(outcome.name()),
            (Some(Outcome::Passed), None) => Some("was not run"),
            _ => None,
        };
        ids.into_iter()
            .filter_map(|id| Some((id.as_str(), difference(id)?)))
            .collect()
    }

    /// The tests that pass natively and that km's side has skipped.
    pub fn skipped_under_km(&self) -> Vec<&str> {
        let is_skipped = |id: &String| {
            let km = self.km.as_ref().and_then(|km| km.get(id));
            km == Some(&Outcome::Skipped)
        };
        let passed = self.native.iter().filter(|(_, o)| **o == Outcome::Passed);
        passed
            .filter(|(id, _)| is_skipped(id))
            .map(|(id, _)| id.as_str())
            .collect()
    }

    pub fn failed_natively(&self) -> Vec<&str> {
        let failed = self.native.iter().filter(|(_, outcome)| outcome.is_bad());
        failed.map(|(id, _)| id.as_str()).collect()
    }

    /// The module in one line.
    pub fn line(&self) -> String {
        let native = counts_text(&self.native);
        let (native_seconds, km_seconds) = self.seconds;
        let mut line = format!("{}: natively {native} in {native_seconds} s", self.module);
        if let Some(km) = &self.km {
            let _ = write!(line, "; under km {} in {km_seconds} s", counts_text(km));
            let _ = write!(line, "; {} only under km", self.only_under_km().len());
        }
        line
    }

    /// The tests worth naming.
    pub fn details(&self) -> String {
        let mut text = String::new();
        for (id, how) in self.only_under_km() {
            let _ = writeln!(text, "only under km: {id} {how}");
        }
        for id in self.skipped_under_km() {
            let _ = writeln!(text, "skipped under km: {id}");
        }
        for id in self.failed_natively() {
            let _ = writeln!(text, "fails natively: {id}");
        }
        text
    }
}

fn counts_text(results: &Results) -> String {
    let counts = Counts::of(results);
    format!(
        "{} passed, {} failed, {} skipped",
        counts.passed, counts.failed, counts.skipped
    )
}

#[cfg(test)]
pub mod tests {
    use super::Outcome::{Failed, Passed, Skipped, Unfinished};
    use super::*;

    fn results(pairs: &[(&str, Outcome)]) -> Results {
        let owned = |(id, outcome): &(&str, Outcome)| ((*id).to_owned(), *outcome);
        pairs.iter().map(owned).collect()
    }

    pub fn example() -> Comparison {
        Comparison {
            module: "test_x".into(),
            native: results(&[
                ("a", Passed),
                ("b", Passed),
                ("c", Passed),
                ("d", Failed),
                ("e", Skipped),
                ("f", Passed),
            ]),
            km: Some(results(&[
                ("a", Passed),
                ("b", Failed),
                ("c", Unfinished),
                ("d", Failed),
                ("e", Skipped),
                ("f", Skipped),
                ("g", Failed),
            ])),
            seconds: (1, 20),
        }
    }

    #[test]
    fn only_what_km_alone_fails_counts() {
        let comparison = example();
        let wanted = [("b", "failed"), ("c", "did not end"), ("g", "failed")];
        assert_eq!(comparison.only_under_km(), wanted);
        assert_eq!(comparison.skipped_under_km(), ["f"]);
        assert_eq!(comparison.failed_natively(), ["d"]);
        assert!(!comparison.is_passed());
    }

    #[test]
    fn a_test_that_km_never_reached_is_a_failure() {
        let comparison = Comparison {
            km: Some(results(&[("a", Passed)])),
            native: results(&[("a", Passed), ("b", Passed), ("c", Skipped)]),
            ..example()
        };
        assert_eq!(comparison.only_under_km(), [("b", "was not run")]);
    }

    #[test]
    fn without_km_nothing_can_fail() {
        let comparison = Comparison {
            km: None,
            ..example()
        };
        assert!(comparison.is_passed());
        assert_eq!(
            comparison.line(),
            "test_x: natively 4 passed, 1 failed, 1 skipped in 1 s"
        );
    }
}
