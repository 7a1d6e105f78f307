//! The tests of Go's standard library.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use super::source::{said, succeed};
use crate::attend::Attempt;
use crate::outcome::{Outcome, Results};
use crate::suite::{Job, Run, Suite, Transcript, package_version};

const GO: &str = "/usr/bin/go";

/// These take half a minute or more natively.
const LONG: [&str; 3] = ["net/http", "runtime/pprof", "runtime"];

#[derive(Debug)]
pub struct Go;

impl Suite for Go {
    fn name(&self) -> &'static str {
        "go"
    }

    fn title(&self) -> &'static str {
        "Go's standard library"
    }

    fn about(&self) -> String {
        "The tests of every package of the standard library, as Debian packages its sources: built natively by `go test -c`, run \
         with `-test.v -test.short` by root. A test is a test function or a subtest. Some build programs and run them: under km \
         the compiler and the linker run there too."
            .into()
    }

    fn items_are(&self) -> &'static str {
        "packages"
    }

    fn packages(&self) -> Vec<String> {
        ["golang-go", "golang-src", "gcc", "libc6-dev", "tzdata"]
            .map(String::from)
            .into()
    }

    fn prepare(&self, prepared: &Path) -> io::Result<()> {
        let done = prepared.join("packages");
        if done.exists() {
            return Ok(());
        }
        let list = "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}";
        let listed = said(go(prepared).args(["list", "-f", list, "std"]))?;
        let mut built = Vec::new();
        for package in listed.split_whitespace() {
            let program = program(prepared, package);
            succeed(
                go(prepared)
                    .args(["test", "-c", "-o"])
                    .arg(&program)
                    .arg(package),
            )?;
            // Those whose tests are for other systems bring none.
            if program.exists() {
                built.push(package);
            }
        }
        // What tests build is linked with it, which is not to be built under km.
        succeed(go(prepared).args(["build", "std"]))?;
        fs::write(done, built.join("\n"))
    }

    fn version(&self, _prepared: &Path) -> io::Result<String> {
        package_version("golang-go")
    }

    fn items(&self, prepared: &Path) -> io::Result<Vec<String>> {
        let text = fs::read_to_string(prepared.join("packages"))?;
        let mut items: Vec<String> = text.lines().map(String::from).collect();
        items.sort_by_key(|item| LONG.iter().position(|long| long == item));
        Ok(items)
    }

    /// Many ask for answers in milliseconds.
    fn at_once(&self) -> usize {
        1
    }

    fn job(&self, run: &Run) -> io::Result<Job> {
        let program = program(run.prepared, run.item);
        let mut words = vec![program.display().to_string()];
        words.extend(["-test.v", "-test.short", "-test.timeout=0"].map(String::from));
        let root = said(go(run.prepared).args(["env", "GOROOT"]))?;
        let directory = Path::new(&root).join("src").join(run.item);
        let only: BTreeSet<&str> = run.only.iter().map(|id| function(id)).collect();
        let without: BTreeSet<&str> = run.without.iter().map(|id| function(id)).collect();
        if !only.is_empty() || !without.is_empty() {
            let listed = said(
                Command::new(&program)
                    .arg("-test.list=.")
                    .current_dir(&directory),
            )?;
            let wanted =
                |name: &&str| (only.is_empty() || only.contains(name)) && !without.contains(name);
            let names: Vec<&str> = listed.lines().filter(wanted).collect();
            words.push(format!("-test.run=^({})$", names.join("|")));
        }
        Ok(Job {
            words,
            directory,
            environment: environment(run.prepared),
        })
    }

    fn parse(&self, item: &str, attempt: &Attempt) -> Transcript {
        let results = results(item, &attempt.text);
        let has_failed = results.values().any(|outcome| *outcome == Outcome::Failed);
        let code = attempt.status.and_then(|status| status.code());
        let is_unfinished = |outcome: &Outcome| *outcome == Outcome::Unfinished;
        Transcript {
            is_complete: attempt.status.is_some() && !results.values().any(is_unfinished),
            has_ended: code == Some(0) || (code == Some(1) && has_failed),
            results,
        }
    }

    /// A package that ended badly stands for itself.
    fn can_select(&self, id: &str) -> bool {
        id.contains(' ')
    }
}

fn program(prepared: &Path, package: &str) -> std::path::PathBuf {
    prepared.join(format!("{}.test", package.replace('/', "_")))
}

/// Nothing is fetched, and what was compiled once is compiled.
fn environment(prepared: &Path) -> Vec<(String, String)> {
    let cache = prepared.join("cache").display().to_string();
    let pairs = [
        ("GOCACHE", cache.as_str()),
        ("GOPROXY", "off"),
        ("GOFLAGS", ""),
        ("GOTRACEBACK", ""),
    ];
    pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).into()
}

fn go(prepared: &Path) -> Command {
    let mut command = Command::new(GO);
    command.current_dir("/").envs(environment(prepared));
    command
}

/// Of `net TestDial/tcp` it is `TestDial`.
fn function(id: &str) -> &str {
    let name = id.split_once(' ').map_or(id, |(_, name)| name);
    name.split('/').next().unwrap_or(name)
}

/// A test may print without ending its line, so the words stand anywhere.
fn results(package: &str, text: &str) -> Results {
    let words = [
        ("=== RUN ", Outcome::Unfinished),
        ("--- PASS:", Outcome::Passed),
        ("--- FAIL:", Outcome::Failed),
        ("--- SKIP:", Outcome::Skipped),
    ];
    let mut results = Results::new();
    for line in text.lines() {
        for (word, outcome) in words {
            let Some((_, rest)) = line.split_once(word) else {
                continue;
            };
            let mut rest = rest.split_whitespace();
            let name = rest.next().unwrap_or_default();
            // Others print such words of their own.
            let is_own = match outcome {
                Outcome::Unfinished => rest.next().is_none(),
                _ => rest.next().is_some_and(|time| time.starts_with('(')),
            };
            let id = format!("{package} {name}");
            if is_own && (outcome != Outcome::Unfinished || !results.contains_key(&id)) {
                results.insert(id, outcome);
            }
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
=== RUN   TestA
=== RUN   TestA/one
=== PAUSE TestA/one
=== RUN   TestB
some text--- SKIP: TestB (0.00s)
    b_test.go:3: not here
=== CONT  TestA/one
--- FAIL: TestA (1.20s)
    --- PASS: TestA/one (1.00s)
=== RUN   TestC
";

    #[test]
    fn every_test_has_its_result() {
        let results: Vec<_> = results("net", TEXT).into_iter().collect();
        let wanted = [
            ("net TestA", Outcome::Failed),
            ("net TestA/one", Outcome::Passed),
            ("net TestB", Outcome::Skipped),
            ("net TestC", Outcome::Unfinished),
        ];
        let wanted: Vec<_> = wanted.map(|(id, o)| (id.to_owned(), o)).into();
        assert_eq!(results, wanted);
        assert_eq!(function("net TestA/one"), "TestA");
    }
}
