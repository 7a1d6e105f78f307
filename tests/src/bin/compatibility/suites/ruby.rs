//! Ruby's own tests.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::Command;

use super::source::{self, said};
use crate::attend::Attempt;
use crate::outcome::{Outcome, Results};
use crate::suite::{Job, Run, Suite, Transcript, package_version};

const RUBY: &str = "/usr/bin/ruby";

const FOLDERS: [&str; 16] = [
    "test/ruby",
    "test/socket",
    "test/io",
    "test/etc",
    "test/fiber",
    "test/net",
    "test/drb",
    "test/rinda",
    "test/monitor",
    "test/open-uri",
    "test/logger",
    "test/fileutils",
    "test/pathname",
    "test/zlib",
    "test/fiddle",
    "test/openssl",
];

/// Beside those folders, in `test` itself.
const FILES: &str = "delegate find open3 pstore pty syslog tempfile timeout tmpdir weakref";

/// They start a C compiler for each method.
const COMPILER: [&str; 2] = ["test/ruby/test_jit.rb", "test/ruby/test_jit_debug.rb"];

/// A pipeline of 16 thousand commands, of which root may start all.
const FLOOD: &str = "TestProcess#test_aspawn_too_long_path";
const LEFT_OUT: [(&str, &str); 1] = [("room for processes", FLOOD)];

#[derive(Debug)]
pub struct Ruby;

impl Suite for Ruby {
    fn name(&self) -> &'static str {
        "ruby"
    }

    fn title(&self) -> &'static str {
        "Ruby's tests"
    }

    fn about(&self) -> String {
        format!(
            "Of the Debian source package, run by root with the Ruby that is installed: `ruby test/runner.rb -v`, a file at a \
             time, of {}, but those of the compiler. A test is a method.",
            FOLDERS.map(|folder| format!("`{folder}`")).join(", ")
        )
    }

    fn items_are(&self) -> &'static str {
        "files"
    }

    fn packages(&self) -> Vec<String> {
        ["ruby", "ruby-dev", "dpkg-dev"].map(String::from).into()
    }

    fn prepare(&self, prepared: &Path) -> io::Result<()> {
        source::unpack(&package()?, prepared).map(|_| ())
    }

    fn version(&self, prepared: &Path) -> io::Result<String> {
        let version = source::version(&prepared.join("source"))?;
        Ok(format!(
            "{}, tests of {version}",
            package_version(&package()?)?
        ))
    }

    fn items(&self, prepared: &Path) -> io::Result<Vec<String>> {
        let source = prepared.join("source");
        let mut items = Vec::new();
        for folder in FOLDERS {
            items.extend(source::files(&source, folder, ".rb")?);
        }
        let is_test = |item: &String| {
            item.rsplit('/')
                .next()
                .is_some_and(|n| n.starts_with("test_"))
        };
        items.retain(is_test);
        let files = FILES.split_whitespace();
        items.extend(files.map(|name| format!("test/test_{name}.rb")));
        items.retain(|item| !COMPILER.contains(&item.as_str()));
        Ok(items)
    }

    fn left_out(&self) -> &'static [(&'static str, &'static str)] {
        &LEFT_OUT
    }

    fn at_once(&self) -> usize {
        1
    }

    fn job(&self, run: &Run) -> io::Result<Job> {
        let words = [
            RUBY,
            "test/runner.rb",
            "-v",
            "--tty=no",
            "--show-skip",
            "--test-order=alpha",
        ];
        let mut words: Vec<String> = words.map(String::from).into();
        if run.only.is_empty() {
            let without = names(run.without).chain([FLOOD]);
            words.push(format!("--name=!/{}/", pattern(without)));
        } else {
            words.push(format!("--name=/{}/", pattern(names(run.only))));
        }
        words.push(run.item.into());
        Ok(Job {
            words,
            directory: run.prepared.join("source"),
            environment: Vec::new(),
        })
    }

    fn parse(&self, item: &str, attempt: &Attempt) -> Transcript {
        let results = results(item, &attempt.text);
        let has_failed = results.values().any(|outcome| *outcome == Outcome::Failed);
        let code = attempt.status.and_then(|status| status.code());
        Transcript {
            is_complete: attempt.text.lines().any(is_summary),
            has_ended: code == Some(0) || (has_failed && code.is_some()),
            results,
        }
    }

    fn can_select(&self, id: &str) -> bool {
        id.contains('#')
    }
}

/// Of the version of Ruby that is installed.
fn package() -> io::Result<String> {
    let version = said(Command::new(RUBY).args(["-e", "print RUBY_VERSION[/[0-9]+[.][0-9]+/]"]))?;
    Ok(format!("ruby{version}"))
}

/// The ids begin with the file.
fn names(ids: &BTreeSet<String>) -> impl Iterator<Item = &str> {
    ids.iter()
        .filter_map(|id| id.split_once(' '))
        .map(|(_, name)| name)
}

/// Of these and no others.
fn pattern<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(quoted).collect();
    format!("\\A(?:{})\\z", names.join("|"))
}

/// As it stands, in a regular expression.
fn quoted(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if !letter.is_alphanumeric() && !"_#:".contains(letter) {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}

/// `10 tests, 20 assertions, ...`
fn is_summary(line: &str) -> bool {
    let mut words = line.split([' ', ',']).filter(|word| !word.is_empty());
    let number = words
        .next()
        .is_some_and(|word| word.parse::<usize>().is_ok());
    number && words.next() == Some("tests")
}

/// `[2/8] TestIO#test_copy = 0.01 s`, and in the end what went wrong:
/// ` 1) Failure:`, `TestIO#test_copy [...]:`.
fn results(item: &str, text: &str) -> Results {
    let mut results = Results::new();
    let mut told = None;
    for line in text.lines() {
        if let Some(outcome) = told.take() {
            let name = line.split(" [").next().unwrap_or(line);
            let name = name.trim_end_matches(':');
            results.insert(format!("{item} {name}"), outcome);
        }
        told = match line.trim_start().split_once(") ") {
            Some((number, "Failure:" | "Error:")) if number.parse::<usize>().is_ok() => {
                Some(Outcome::Failed)
            }
            Some((number, "Skipped:")) if number.parse::<usize>().is_ok() => Some(Outcome::Skipped),
            _ => None,
        };
        let Some((_, rest)) = line.split_once("] ").filter(|(head, _)| is_counter(head)) else {
            continue;
        };
        let (name, end) = rest.split_once(" = ").unwrap_or((rest, ""));
        let outcome = if end.is_empty() {
            Outcome::Unfinished
        } else {
            Outcome::Passed
        };
        results.insert(format!("{item} {name}"), outcome);
    }
    results
}

/// `[2/8`
fn is_counter(text: &str) -> bool {
    text.strip_prefix('[')
        .and_then(|text| text.split_once('/'))
        .is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
[1/5] TestA#test_one = 0.00 s
[2/5] TestA#test_two = 0.10 s
[3/5] M::TestB#test_three = 0.00 s
[4/5] TestB#test_four

  1) Failure:
TestA#test_two [/a.rb:3]:
<1> expected
  2) Skipped:
M::TestB#test_three [/a.rb:9]:
not here
5 tests, 4 assertions, 1 failures, 0 errors, 1 skips
";

    #[test]
    fn every_method_has_its_result() {
        let results: Vec<_> = results("a.rb", TEXT).into_iter().collect();
        let wanted = [
            ("a.rb M::TestB#test_three", Outcome::Skipped),
            ("a.rb TestA#test_one", Outcome::Passed),
            ("a.rb TestA#test_two", Outcome::Failed),
            ("a.rb TestB#test_four", Outcome::Unfinished),
        ];
        let wanted: Vec<_> = wanted.map(|(id, o)| (id.to_owned(), o)).into();
        assert_eq!(results, wanted);
        assert!(TEXT.lines().any(is_summary));
    }

    #[test]
    fn a_selection_is_a_pattern() {
        let ids = ["a.rb TestA#test_b?", "a.rb TestA#test_c"].map(String::from);
        assert_eq!(
            pattern(names(&ids.into())),
            r"\A(?:TestA#test_b\?|TestA#test_c)\z"
        );
    }
}
