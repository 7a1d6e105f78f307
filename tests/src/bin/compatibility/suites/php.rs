//! PHP's own tests.

use std::io;
use std::path::Path;
use std::process::Command;

use super::source::{self, said};
use crate::attend::Attempt;
use crate::outcome::{Outcome, Results};
use crate::suite::{Job, Run, Suite, Transcript, package_version};

const PHP: &str = "/usr/bin/php";

/// What stands on the operating system comes first.
const FOLDERS: &str = "ext/pcntl ext/posix ext/sockets ext/sysvmsg ext/sysvsem ext/sysvshm ext/shmop sapi/cli \
    ext/standard/tests/file ext/standard/tests/dir ext/standard/tests/streams ext/standard/tests/network \
    ext/standard/tests/general_functions ext/standard/tests/time ext/standard/tests/http \
    ext/standard/tests/filters ext/standard/tests/misc ext/standard/tests/php_ini_aliases \
    ext/standard/tests/mail ext/standard/tests/password ext/standard/tests/serialize ext/ftp \
    ext/session ext/readline ext/zlib ext/pcre ext/phar ext/fileinfo ext/iconv ext/random ext/hash \
    ext/sqlite3 ext/pdo_sqlite ext/tokenizer ext/ctype ext/json ext/opcache ext/ffi tests/basic \
    tests/func tests/output tests/security tests/strings tests/run-test tests/lang tests/classes \
    Zend/tests/generators Zend/tests/fibers Zend/tests/gc Zend/tests/stack_limit";

#[derive(Debug)]
pub struct Php;

impl Suite for Php {
    fn name(&self) -> &'static str {
        "php"
    }

    fn title(&self) -> &'static str {
        "PHP's tests"
    }

    fn about(&self) -> String {
        "Of the Debian source package, run by root with the PHP that is installed: `php run-tests.php -q --offline`, a folder at \
         a time. A test is a `.phpt` file. Its runner runs under km as well. One that is expected to fail counts as passed, \
         however it ends."
            .into()
    }

    fn items_are(&self) -> &'static str {
        "folders"
    }

    fn packages(&self) -> Vec<String> {
        ["php-cli", "php-sqlite3", "dpkg-dev"]
            .map(String::from)
            .into()
    }

    fn prepare(&self, prepared: &Path) -> io::Result<()> {
        source::unpack(&package()?, prepared).map(|_| ())
    }

    fn version(&self, prepared: &Path) -> io::Result<String> {
        let version = source::version(&prepared.join("source"))?;
        let package = format!("{}-cli", package()?);
        Ok(format!(
            "{}, tests of {version}",
            package_version(&package)?
        ))
    }

    fn items(&self, prepared: &Path) -> io::Result<Vec<String>> {
        let source = prepared.join("source");
        let folders = FOLDERS.split_whitespace();
        let there = folders.filter(|folder| source.join(folder).is_dir());
        Ok(there.map(String::from).collect())
    }

    fn at_once(&self) -> usize {
        1
    }

    fn job(&self, run: &Run) -> io::Result<Job> {
        let source = run.prepared.join("source");
        let mut tests = source::files(&source, run.item, ".phpt")?;
        tests.retain(|test| run.only.is_empty() || run.only.contains(test));
        tests.retain(|test| !run.without.contains(test));
        let words = [
            PHP,
            "run-tests.php",
            "-p",
            PHP,
            "-q",
            "--offline",
            "--no-color",
        ];
        let mut words: Vec<String> = words.map(String::from).into();
        words.extend(tests);
        Ok(Job {
            words,
            directory: source,
            environment: Vec::new(),
        })
    }

    fn parse(&self, _item: &str, attempt: &Attempt) -> Transcript {
        let results = results(&attempt.text);
        let has_failed = results.values().any(|outcome| *outcome == Outcome::Failed);
        let code = attempt.status.and_then(|status| status.code());
        Transcript {
            is_complete: attempt.text.contains("\nNumber of tests :"),
            has_ended: code == Some(0) || (code == Some(1) && has_failed),
            results,
        }
    }

    fn can_select(&self, id: &str) -> bool {
        id.ends_with(".phpt")
    }
}

/// The source of the version of PHP that is installed.
fn package() -> io::Result<String> {
    let version = "echo PHP_MAJOR_VERSION, '.', PHP_MINOR_VERSION;";
    let version = said(Command::new(PHP).args(["-r", version]))?;
    Ok(format!("php{version}"))
}

/// `PASS what it says [ext/posix/tests/a.phpt] reason: ...`
fn results(text: &str) -> Results {
    let mut results = Results::new();
    for line in text.lines() {
        // Before it, what is overwritten on a terminal.
        let line = line.rsplit('\r').next().unwrap_or(line);
        let (word, rest) = line.split_once(' ').unwrap_or_default();
        let outcome = match word {
            "PASS" | "XFAIL" | "XLEAK" | "WARN" => Outcome::Passed,
            "SKIP" => Outcome::Skipped,
            "FAIL" | "BORK" | "LEAK" => Outcome::Failed,
            _ => continue,
        };
        let name = rest.split('[').find_map(|part| part.split_once(".phpt]"));
        if let Some((name, _)) = name {
            results.insert(format!("{name}.phpt"), outcome);
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_test() {
        let text = "TEST 1/2 [a/1.phpt]\rPASS what [1] is [a/1.phpt] \n\
                    SKIP two [a/2.phpt] reason: not here\nFAIL three [a/3.phpt] \n\
                    WARN four [a/4.phpt] (warn: XFAIL section but test passes)\nTEST 5/5 [a/5.phpt]\n";
        let results: Vec<_> = results(text).into_iter().collect();
        let wanted = [
            ("a/1.phpt", Outcome::Passed),
            ("a/2.phpt", Outcome::Skipped),
            ("a/3.phpt", Outcome::Failed),
            ("a/4.phpt", Outcome::Passed),
        ];
        let wanted: Vec<_> = wanted.map(|(id, o)| (id.to_owned(), o)).into();
        assert_eq!(results, wanted);
    }
}
