//! Runs a module, natively or under km, to its end or to ours.
//!
//! A test that hangs or takes the interpreter with it would hide all that come
//! after it. So it is noted, and the module is run again without the tests that
//! are known by then.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::attend::{self, Attempt, attend};
use crate::compare::{Comparison, Results};
use crate::modules::{Limits, Module};
use crate::transcript::{self, Outcome};

const PYTHON: &str = "/usr/bin/python3";

/// How often a module is begun again.
const ATTEMPTS: usize = 20;

/// The codes with which the suite ends by itself: all passed, a test failed, a
/// test changed something it should not have, no test was left to run.
const OWN_CODES: [i32; 4] = [0, 2, 3, 4];

#[derive(Debug)]
pub struct Runner {
    pub version: String,
    km: Option<PathBuf>,
    namespaces: bool,
    scratch: PathBuf,
}

impl Attempt {
    fn has_own_end(&self) -> bool {
        let code = self.status.and_then(|status| status.code());
        code.is_some_and(|code| OWN_CODES.contains(&code))
    }

    fn last_lines(&self) -> String {
        let lines: Vec<&str> = self.text.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

impl Runner {
    pub fn new(native: bool) -> io::Result<Runner> {
        let version = Command::new(PYTHON).arg("--version").output()?.stdout;
        let has_suite = Command::new(PYTHON)
            .args(["-c", "import test.regrtest, test.test_fcntl"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        if !has_suite.success() {
            return Err(io::Error::other(
                "no test suite of Python: Debian package libpythonVERSION-testsuite",
            ));
        }
        let km = if native { None } else { Some(attend::km()?) };
        Ok(Runner {
            version: String::from_utf8_lossy(&version).trim().to_owned(),
            km,
            namespaces: attend::works(&attend::NAMESPACE),
            scratch: std::env::temp_dir().join(format!("km-compat.{}", std::process::id())),
        })
    }

    pub fn compare(&self, module: &Module) -> Comparison {
        let begun = Instant::now();
        let native = self.side(module, None, module.native_limits(), &BTreeSet::new());
        let native_seconds = begun.elapsed().as_secs();
        let begun = Instant::now();
        let km = self.km.as_deref();
        // What hangs natively would only hang again.
        let hung = native.iter().filter(|(_, o)| **o == Outcome::Unfinished);
        let hung: BTreeSet<&str> = hung.map(|(id, _)| id.as_str()).collect();
        let km = km.map(|km| self.side(module, Some(km), module.km_limits(), &hung));
        Comparison {
            module: module.name.into(),
            native,
            km,
            seconds: (native_seconds, begun.elapsed().as_secs()),
        }
    }

    /// To be called at the end.
    pub fn clean(&self) {
        // A test may have taken the right to remove what it left.
        let _ = fs::remove_dir_all(&self.scratch);
    }

    /// The results of all tests but `unwanted`.
    fn side(
        &self,
        module: &Module,
        km: Option<&Path>,
        limits: Limits,
        unwanted: &BTreeSet<&str>,
    ) -> Results {
        let deadline = Instant::now() + limits.total;
        let name = if km.is_some() { "km" } else { "native" };
        let mut results = Results::new();
        for number in 0..ATTEMPTS {
            let directory = format!("{}-{name}-{number}", module.name);
            let directory = self.scratch.join(directory);
            let mut known: BTreeSet<&str> = results.keys().map(String::as_str).collect();
            known.extend(unwanted);
            let attempt = self
                .command(module, km, &directory, &known)
                .and_then(|command| attend(command, deadline, limits.silence));
            let attempt = match attempt {
                Ok(attempt) => attempt,
                Err(error) => {
                    eprintln!("{} ({name}): {error}", module.name);
                    break;
                }
            };
            let transcript = transcript::parse(module.name, &attempt.text);
            let nothing_new = transcript.results.is_empty();
            results.extend(transcript.results);
            if transcript.skipped {
                results.insert(module.id(), Outcome::Skipped);
                return results;
            }
            if transcript.finished && attempt.has_own_end() {
                return results;
            }
            // It ran all its tests but could not end, or did not even begin one.
            if transcript.finished || nothing_new || Instant::now() >= deadline {
                eprintln!(
                    "{} ({name}) ends with:\n{}",
                    module.name,
                    attempt.last_lines()
                );
                break;
            }
        }
        results.insert(module.id(), Outcome::Unfinished);
        results
    }

    fn command(
        &self,
        module: &Module,
        km: Option<&Path>,
        directory: &Path,
        known: &BTreeSet<&str>,
    ) -> io::Result<Command> {
        fs::create_dir_all(directory)?;
        let mut words: Vec<String> = Vec::new();
        words.extend(km.map(|km| km.display().to_string()));
        words.extend([PYTHON, "-m", "test", "-v"].map(String::from));
        if !known.is_empty() {
            let list = directory.join("known");
            let lines: Vec<&str> = known.iter().copied().collect();
            fs::write(&list, lines.join("\n"))?;
            words.extend(["--ignorefile".to_owned(), list.display().to_string()]);
        }
        words.push(module.name.into());
        Ok(attend::command(self.namespaces, &words, directory))
    }
}
