//! What a run of the suite has printed, made into a result for each test.
//!
//! `unittest` prints `NAME (ID) ... RESULT`, but what a test itself prints
//! comes in between, with or without an end of line, and so does the first line
//! of its description. For a `doctest` that line is `Doctest: ID ... RESULT`.
//! Failures are told once more at the end.

use std::collections::BTreeMap;

use crate::outcome::Outcome;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    /// By the test's id.
    pub results: BTreeMap<String, Outcome>,
    /// Whether the module came to its end.
    pub finished: bool,
    /// The whole module was skipped.
    pub skipped: bool,
}

/// Reads what `module` has printed. If it did not come to its end, the test
/// that was running is unfinished.
pub fn parse(module: &str, text: &str) -> Transcript {
    let mut transcript = Transcript::default();
    let mut current: Option<String> = None;
    for line in text.lines() {
        if line.starts_with("Ran ") && line.contains(" test") && line.contains(" in ") {
            settle(&mut transcript, current.take(), Outcome::Passed);
            transcript.finished = true;
        } else if line.starts_with("Tests result: ") {
            // A module may be without `unittest`.
            settle(&mut transcript, current.take(), Outcome::Passed);
            transcript.finished = true;
        } else if is_skipped(module, line) {
            transcript.skipped = true;
        } else if let Some((id, rest)) = doctest(line) {
            settle(&mut transcript, current.take(), Outcome::Passed);
            set(&mut transcript, id, result(rest));
            current = Some(id.into());
        } else if let Some((before, id, rest)) = head(module, line) {
            if matches!(before.trim_end(), "FAIL:" | "ERROR:") {
                settle(&mut transcript, current.take(), Outcome::Passed);
                transcript.results.insert(id, Outcome::Failed);
            } else if before.ends_with("  ") || is_subtest(rest) {
                // A part of the test has failed, or was skipped.
                if result(rest) == Some(Outcome::Failed) {
                    transcript.results.insert(id, Outcome::Failed);
                }
            } else {
                // Without a result of its own it came to its end all the same.
                settle(&mut transcript, current.take(), Outcome::Passed);
                set(&mut transcript, &id, result(rest));
                current = Some(id);
            }
        } else if let Some(id) = &current {
            set(&mut transcript, id, result(line));
        }
    }
    settle(&mut transcript, current, Outcome::Unfinished);
    transcript
}

/// A failed part makes its test fail, whatever is said of the whole.
fn set(transcript: &mut Transcript, id: &str, outcome: Option<Outcome>) {
    if let Some(outcome) = outcome {
        let known = transcript.results.entry(id.into()).or_insert(outcome);
        if *known != Outcome::Failed {
            *known = outcome;
        }
    }
}

fn settle(transcript: &mut Transcript, id: Option<String>, outcome: Outcome) {
    if let Some(id) = id {
        transcript.results.entry(id).or_insert(outcome);
    }
}

/// The whole module.
fn is_skipped(module: &str, line: &str) -> bool {
    let line = line.strip_prefix("test.").unwrap_or(line);
    line.strip_prefix(module)
        .is_some_and(|rest| rest.starts_with(" skipped"))
}

fn doctest(line: &str) -> Option<(&str, &str)> {
    let (id, rest) = line.strip_prefix("Doctest: ")?.split_once(" ...")?;
    is_id(id).then_some((id, rest))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || "_<>".contains(c)
}

fn is_id(text: &str) -> bool {
    text.chars().all(|c| is_word(c) || c == '.')
}

/// Finds `NAME (ID)` in a line: what comes before it, the id, and what follows.
fn head<'a>(module: &str, line: &'a str) -> Option<(&'a str, String, &'a str)> {
    let mut places = line.match_indices(" (").map(|(at, _)| line.split_at(at));
    places.find_map(|(before, tail)| {
        let (id, rest) = tail.strip_prefix(" (")?.split_once(')')?;
        let start = before.trim_end_matches(is_word).len();
        let (before, name) = before.split_at(start);
        if name.is_empty() || !is_id(id) {
            return None;
        }
        if id.ends_with(&format!(".{name}")) {
            return Some((before, id.to_owned(), rest));
        }
        // A class or a module that is set up; before Python 3.11, any test.
        let of_module = id.strip_prefix("test.")?.strip_prefix(module)?;
        (of_module.is_empty() || of_module.starts_with('.'))
            .then(|| (before, format!("{id}.{name}"), rest))
    })
}

/// The parameters of a part follow its test's id.
fn is_subtest(rest: &str) -> bool {
    rest.starts_with(" (") || rest.starts_with(" [")
}

/// It says that, after a number perhaps.
fn is_end(line: &str, text: &str) -> bool {
    let number = line.strip_suffix(text).map(str::trim_end);
    number.is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()))
}

/// The result at the end of a line.
fn result(line: &str) -> Option<Outcome> {
    let line = line.trim_end();
    let last = line.rsplit_once("... ").map_or(line, |(_, last)| last);
    if last.starts_with("skipped ") {
        return Some(Outcome::Skipped);
    }
    let ends = [
        ("ok", Outcome::Passed),
        ("tests with zero failures", Outcome::Passed),
        ("expected failure", Outcome::Passed),
        ("unexpected success", Outcome::Failed),
        ("FAIL", Outcome::Failed),
        ("ERROR", Outcome::Failed),
    ];
    ends.into_iter()
        .find_map(|(text, outcome)| is_end(last, text).then_some(outcome))
}

#[cfg(test)]
mod tests {
    use super::Outcome::{Failed, Passed, Skipped, Unfinished};
    use super::*;

    fn parsed(text: &str) -> (Vec<(String, Outcome)>, bool) {
        let transcript = parse("test_x", text);
        let short = |(id, outcome): (String, Outcome)| {
            let id = id
                .strip_prefix("test.test_x.")
                .map(Into::into)
                .unwrap_or(id);
            (id, outcome)
        };
        (
            transcript.results.into_iter().map(short).collect(),
            transcript.finished,
        )
    }

    fn named(pairs: &[(&str, Outcome)]) -> Vec<(String, Outcome)> {
        pairs
            .iter()
            .map(|(name, outcome)| ((*name).to_owned(), *outcome))
            .collect()
    }

    #[test]
    fn plain_lines() {
        let text = "\
test_a (test.test_x.C.test_a) ... ok
test_b (test.test_x.C.test_b) ... skipped 'not here'
test_c (test.test_x.C.test_c) ... FAIL
test_d (test.test_x.C.test_d) ... ERROR
test_e (test.test_x.C.test_e) ... expected failure
test_f (test.test_x.C.test_f) ... unexpected success

======================================================================
FAIL: test_c (test.test_x.C.test_c)
----------------------------------------------------------------------
Ran 6 tests in 0.011s
";
        let wanted = named(&[
            ("C.test_a", Passed),
            ("C.test_b", Skipped),
            ("C.test_c", Failed),
            ("C.test_d", Failed),
            ("C.test_e", Passed),
            ("C.test_f", Failed),
        ]);
        assert_eq!(parsed(text), (wanted, true));
    }

    #[test]
    fn descriptions_and_what_a_test_prints_come_in_between() {
        let text = "\
test_a (test.test_x.C.test_a)
What it is for. ... ok
test_b (test.test_x.C.test_b) ... Status: 0
String: ok, or so
ok
no end of line: test_c (test.test_x.C.test_c) ... ok
test_d (test.test_x.C.test_d) ... left openok
test_e (test.test_x.C.test_e) ... (test.support is mentioned) FAIL
test_f (test.test_y.C) ... ERROR
Ran 5 tests in 1.0s
FAIL: test_e (test.test_x.C.test_e)
";
        let wanted = named(&[
            ("C.test_a", Passed),
            ("C.test_b", Passed),
            ("C.test_c", Passed),
            ("C.test_d", Passed),
            ("C.test_e", Failed),
        ]);
        assert_eq!(parsed(text), (wanted, true));
    }

    #[test]
    fn tests_that_stand_elsewhere_and_doctests() {
        let text = "\
test_a (ctypes.test.test_anon.C.test_a) ... ok
encode (json.encoder.JSONEncoder)
Doctest: json.encoder.JSONEncoder.encode ... ok
doctests (test.test_x.__test__)
Doctest: test.test_x.__test__.doctests ... FAIL
======
FAIL: doctests (test.test_x.__test__)
Doctest: test.test_x.__test__.doctests
ok
Ran 3 tests in 1.0s
";
        let wanted = named(&[
            ("ctypes.test.test_anon.C.test_a", Passed),
            ("json.encoder.JSONEncoder.encode", Passed),
            ("__test__.doctests", Failed),
        ]);
        let (mut found, finished) = parsed(text);
        found.sort_by_key(|(id, _)| wanted.iter().position(|(wanted, _)| wanted == id));
        assert_eq!((found, finished), (wanted, true));
    }

    #[test]
    fn a_module_without_unittest() {
        let text = "\
Test passed.
doctest (test.test_x) ... 117 tests with zero failures
Tests result: SUCCESS
";
        assert_eq!(parsed(text), (named(&[("doctest", Passed)]), true));
    }

    #[test]
    fn a_failed_part_fails_its_test() {
        let text = "\
test_a (test.test_x.C.test_a) ... 
  test_a (test.test_x.C.test_a) (i=1) ... FAIL
  test_a (test.test_x.C.test_a) [text] (i=2) ... skipped 'why'
test_b (test.test_x.C.test_b) ... 
  test_b (test.test_x.C.test_b) (i=1) ... skipped 'why'
ok
Ran 2 tests in 1.0s
ERROR: setUpClass (test.test_x.D)
";
        let wanted = named(&[
            ("C.test_a", Failed),
            ("C.test_b", Passed),
            ("D.setUpClass", Failed),
        ]);
        assert_eq!(parsed(text), (wanted, true));
    }

    #[test]
    fn the_running_test_of_a_dead_run_is_unfinished() {
        let text = "\
test_a (test.test_x.C.test_a) ... ok
test_b (test.test_x.C.test_b)
What it is for. ... Fatal Python error: Segmentation fault
";
        let wanted = named(&[("C.test_a", Passed), ("C.test_b", Unfinished)]);
        assert_eq!(parsed(text), (wanted, false));
    }

    #[test]
    fn the_ids_of_older_versions() {
        let text = "test_a (test.test_x.C) ... ok\nRan 1 test in 0.1s\n";
        assert_eq!(parsed(text), (named(&[("C.test_a", Passed)]), true));
    }

    #[test]
    fn a_whole_module_can_be_skipped() {
        for text in ["test_x skipped -- not here\n", "test.test_x skipped\n"] {
            let transcript = parse("test_x", text);
            assert!(transcript.skipped && !transcript.finished);
        }
        assert!(!parse("test_x", "test_xy skipped\n").skipped);
    }
}
