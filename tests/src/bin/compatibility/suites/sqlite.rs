//! `SQLite`'s own tests, with the library of `payloads/sqlite`.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use super::source::said;
use super::{payload, source};
use crate::attend::Attempt;
use crate::outcome::{Outcome, Results, note};
use crate::suite::{Job, Run, Suite, Transcript};

/// Told by the tests themselves: those of the permutation `veryquick`, and what
/// `quick` has beyond, which is errors of memory and of files one after another;
/// of each the library's before those of its extensions, which have whole paths.
const LIST: &str = "\
set source [file normalize [lindex $argv 0]]
set argv0 $source/test/list.test
source $source/test/permutations.test
array set veryquick $::testspec(veryquick)
set first $veryquick(-files)
set rest [test_set $allquicktests -exclude $first]
foreach file [concat [lsort -decreasing $first] [lsort -decreasing $rest]] {
    puts [string range [file normalize [file join $source/test $file]] [string length $source/] end]
}
";

#[derive(Debug)]
pub struct Sqlite;

impl Suite for Sqlite {
    fn name(&self) -> &'static str {
        "payload-sqlite"
    }

    fn title(&self) -> &'static str {
        "Payload sqlite: SQLite's own tests"
    }

    fn about(&self) -> String {
        "Those that the Debian source calls `quick`, by root, a file at a time. The program is the source's `testfixture`: the \
         library with the features it has in `payloads/sqlite`, Tcl and zlib, one static program with km's own C library. Files \
         on other features end without a test."
            .into()
    }

    fn items_are(&self) -> &'static str {
        "files"
    }

    fn packages(&self) -> Vec<String> {
        payload::packages(&["tcl"])
    }

    fn prepare(&self, prepared: &Path) -> io::Result<()> {
        payload::build(prepared, "sqlite", "testfixture")?;
        fs::write(prepared.join("list.tcl"), LIST)
    }

    fn version(&self, prepared: &Path) -> io::Result<String> {
        source::version(payload::path(prepared, "sqlite/src").as_ref())
    }

    fn items(&self, prepared: &Path) -> io::Result<Vec<String>> {
        let listed = said(
            Command::new(payload::path(prepared, "sqlite/testfixture"))
                .arg("list.tcl")
                .arg(payload::path(prepared, "sqlite/src"))
                .env("TCL_LIBRARY", payload::path(prepared, "sqlite/tcl/library"))
                .current_dir(prepared),
        )?;
        Ok(listed.lines().map(String::from).collect())
    }

    fn job(&self, run: &Run) -> io::Result<Job> {
        let path = |file: &str| payload::path(run.prepared, &format!("sqlite/{file}"));
        let words = vec![path("testfixture"), path(&format!("src/{}", run.item))];
        let mut job = Job::new(run, words);
        let library = path("tcl/library");
        job.environment.push(("TCL_LIBRARY".into(), library));
        Ok(job)
    }

    /// At the end it counts its errors, and that is its exit code.
    fn parse(&self, item: &str, attempt: &Attempt) -> Transcript {
        let count = |line: &str| {
            let (count, _) = line.split_once(" errors out of ")?;
            count.parse::<usize>().ok()
        };
        let errors = attempt.text.lines().find_map(count);
        let code = attempt.status.and_then(|status| status.code());
        let mut results = results(item, &attempt.text);
        // Those for other systems just return.
        let is_other = code == Some(0) && errors.is_none() && results.is_empty();
        if is_other {
            results.insert(item.into(), Outcome::Skipped);
        }
        Transcript {
            results,
            is_complete: errors.is_some() || is_other,
            has_ended: code.is_some_and(|code| (code == 0) == (errors.unwrap_or(0) == 0)),
        }
    }
}

/// `NAME... Ok` or `NAME... Omitted`; one that fails is followed by `! NAME
/// expected: ...`.
fn results(item: &str, text: &str) -> Results {
    let mut results = Results::new();
    for line in text.lines() {
        let failed = line.strip_prefix("! ").and_then(|line| {
            let (name, _) = line.split_once(" expected:")?;
            Some((name, Outcome::Failed))
        });
        let ended = line.rsplit_once("... ").and_then(|(name, end)| match end {
            "Ok" => Some((name, Outcome::Passed)),
            "Omitted" => Some((name, Outcome::Skipped)),
            _ => None,
        });
        let Some((name, outcome)) = failed.or(ended) else {
            continue;
        };
        note(&mut results, format!("{item} {name}"), outcome);
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
a-1.1... Ok
a-1.2...
! a-1.2 expected: [1]
! a-1.2 got:      [2]
a-1.2... Ok
a-1.3... Omitted
Time: a.test 3 ms
1 errors out of 4 tests on machine Linux 64-bit little-endian
";

    #[test]
    fn every_test_has_its_result() {
        let results: Vec<_> = results("test/a.test", TEXT).into_iter().collect();
        let wanted = [
            ("test/a.test a-1.1", Outcome::Passed),
            ("test/a.test a-1.2", Outcome::Failed),
            ("test/a.test a-1.3", Outcome::Skipped),
        ];
        let wanted: Vec<_> = wanted.map(|(id, o)| (id.to_owned(), o)).into();
        assert_eq!(results, wanted);
    }
}
