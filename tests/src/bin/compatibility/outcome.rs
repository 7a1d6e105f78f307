//! How tests end, and the two sides of an item beside each other.

use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    Skipped,
    Failed,
    /// It hung, or took the program with it.
    Unfinished,
}

/// By the test's id.
pub type Results = BTreeMap<String, Outcome>;

/// Of a test whose name may come again in its program: one failure is enough.
pub fn note(results: &mut Results, id: String, outcome: Outcome) {
    let known = results.entry(id).or_insert(outcome);
    if *known != Outcome::Failed {
        *known = outcome;
    }
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
    pub unfinished: usize,
}

/// A test that has not ended well on both sides alike. Nothing stands for a
/// side on which nobody has heard of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub id: String,
    pub native: Option<Outcome>,
    pub km: Option<Outcome>,
}

impl Outcome {
    pub const ALL: [Outcome; 4] = [
        Outcome::Passed,
        Outcome::Failed,
        Outcome::Skipped,
        Outcome::Unfinished,
    ];

    pub fn is_bad(self) -> bool {
        matches!(self, Outcome::Failed | Outcome::Unfinished)
    }

    pub fn name(self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::Skipped => "skipped",
            Outcome::Failed => "failed",
            Outcome::Unfinished => "unfinished",
        }
    }
}

impl Counts {
    pub fn of(results: &Results) -> Counts {
        let mut counts = Counts::default();
        for outcome in results.values() {
            match outcome {
                Outcome::Passed => counts.passed += 1,
                Outcome::Skipped => counts.skipped += 1,
                Outcome::Failed => counts.failed += 1,
                Outcome::Unfinished => counts.unfinished += 1,
            }
        }
        counts
    }

    pub fn add(&mut self, other: Counts) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.unfinished += other.unfinished;
    }
}

impl Difference {
    /// It passes natively, and under km it does not; or it fails under km, and
    /// natively it does not.
    pub fn is_exception(&self) -> bool {
        if self.fails_natively() {
            return false;
        }
        let passes_natively = self.native == Some(Outcome::Passed);
        match self.km {
            Some(Outcome::Passed) => false,
            Some(outcome) => passes_natively || outcome.is_bad(),
            None => passes_natively,
        }
    }

    pub fn fails_natively(&self) -> bool {
        self.native.is_some_and(Outcome::is_bad)
    }
}

/// All tests but those that pass, or are skipped, on both sides.
pub fn differences(native: &Results, km: &Results) -> Vec<Difference> {
    let ids: BTreeSet<&String> = native.keys().chain(km.keys()).collect();
    let both = ids.into_iter().map(|id| Difference {
        id: id.clone(),
        native: native.get(id).copied(),
        km: km.get(id).copied(),
    });
    both.filter(|d| d.native != d.km || d.fails_natively())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Outcome::{Failed, Passed, Skipped, Unfinished};
    use super::*;

    fn results(pairs: &[(&str, Outcome)]) -> Results {
        let owned = |(id, outcome): &(&str, Outcome)| ((*id).to_owned(), *outcome);
        pairs.iter().map(owned).collect()
    }

    #[test]
    fn only_what_km_alone_does_not_pass_is_an_exception() {
        let native = results(&[
            ("a", Passed),
            ("b", Passed),
            ("c", Passed),
            ("d", Failed),
            ("e", Skipped),
            ("f", Passed),
            ("g", Passed),
            ("h", Unfinished),
            ("i", Skipped),
        ]);
        let km = results(&[
            ("a", Passed),
            ("b", Failed),
            ("c", Unfinished),
            ("d", Failed),
            ("e", Skipped),
            ("f", Skipped),
            ("i", Failed),
            ("j", Failed),
            ("k", Passed),
        ]);
        let found = differences(&native, &km);
        let ids: Vec<&str> = found.iter().map(|d| d.id.as_str()).collect();
        assert_eq!(ids, ["b", "c", "d", "f", "g", "h", "i", "j", "k"]);
        let exceptions = found.iter().filter(|d| d.is_exception());
        let ids: Vec<&str> = exceptions.map(|d| d.id.as_str()).collect();
        assert_eq!(ids, ["b", "c", "f", "g", "i", "j"]);
    }

    #[test]
    fn counts_have_every_outcome() {
        let mut counts = Counts::of(&results(&[("a", Passed), ("b", Unfinished)]));
        counts.add(Counts::of(&results(&[("c", Failed), ("d", Skipped)])));
        let wanted = Counts {
            passed: 1,
            failed: 1,
            skipped: 1,
            unfinished: 1,
        };
        assert_eq!(counts, wanted);
    }
}
