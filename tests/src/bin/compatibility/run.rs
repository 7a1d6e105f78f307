//! Runs the items of a suite, natively and under km, each to its end or to ours.
//!
//! A test that hangs or takes the program with it would hide all that come
//! after it. So it is noted, and the item is run again without the tests that
//! are known by then, where the suite can leave tests out.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::attend::{self, Attempt, attend};
use crate::outcome::{Counts, Outcome, Results, differences};
use crate::record::Record;
use crate::suite::{Limits, Run, Suite};
use crate::unprivileged::Unprivileged;

/// How often an item is begun again.
const ATTEMPTS: usize = 20;

#[derive(Debug)]
pub struct Runner {
    /// Nothing, if km is left out.
    km: Option<PathBuf>,
    /// What that km is.
    monitor: String,
    date: String,
    namespaces: bool,
    unprivileged: Unprivileged,
    scratch: PathBuf,
    build: PathBuf,
    number: AtomicUsize,
}

/// Both sides of an item.
#[derive(Debug)]
pub struct Comparison {
    pub item: String,
    pub native: Results,
    pub km: Option<Results>,
    pub seconds: (u64, u64),
}

/// What is run of an item.
#[derive(Debug, Default)]
struct Selection {
    only: BTreeSet<String>,
    without: BTreeSet<String>,
}

impl Runner {
    /// A copy of km is run, so that it can be built anew meanwhile.
    pub fn new(build: PathBuf, km: Option<&Path>) -> io::Result<Runner> {
        let scratch = std::env::temp_dir().join(format!("km-compat.{}", std::process::id()));
        fs::create_dir_all(&scratch)?;
        let copy = scratch.join("km");
        let mut monitor = String::new();
        if let Some(km) = km {
            fs::copy(km, &copy)
                .map_err(|error| io::Error::other(format!("{}: {error}", km.display())))?;
            monitor = commit(&said(Command::new(&copy).arg("--version"))?);
        }
        Ok(Runner {
            km: km.map(|_| copy),
            monitor,
            date: said(Command::new("date").arg("+%F"))?,
            namespaces: attend::works(&attend::NAMESPACE),
            unprivileged: Unprivileged::new(&scratch)?,
            scratch,
            build,
            number: AtomicUsize::new(0),
        })
    }

    /// What belongs to a suite and is kept.
    pub fn prepared(&self, suite: &dyn Suite) -> PathBuf {
        self.build.join("compatibility").join(suite.name())
    }

    pub fn compare(&self, suite: &dyn Suite, item: &str) -> Comparison {
        let mut selection = Selection::default();
        let begun = Instant::now();
        let native = self.side(suite, item, None, &selection);
        let native_time = begun.elapsed();
        let begun = Instant::now();
        // What hangs natively would only hang again.
        let hung = native.iter().filter(|(_, o)| **o == Outcome::Unfinished);
        let selectable = hung.filter(|(id, _)| suite.can_select(id));
        selection.without = selectable.map(|(id, _)| id.clone()).collect();
        let is_run = self.km.is_some();
        let km = is_run.then(|| self.side(suite, item, Some(native_time), &selection));
        Comparison {
            item: item.into(),
            native,
            km,
            seconds: (native_time.as_secs(), begun.elapsed().as_secs()),
        }
    }

    /// Runs again what has failed natively, and then what is an exception; what
    /// comes of it is what counts. Nothing else is to be running.
    pub fn again(&self, suite: &dyn Suite, comparison: &mut Comparison) {
        let item = comparison.item.clone();
        let Some(km) = &mut comparison.km else {
            return;
        };
        let failed = |d: &&_| crate::outcome::Difference::fails_natively(d);
        let differing = differences(&comparison.native, km);
        let ids = differing.iter().filter(failed).map(|d| d.id.clone());
        self.side_again(suite, &item, None, ids.collect(), &mut comparison.native);
        let differing = differences(&comparison.native, km);
        let ids = differing.iter().filter(|d| d.is_exception());
        let native_time = Some(Duration::from_secs(comparison.seconds.0));
        let ids = ids.map(|d| d.id.clone()).collect();
        self.side_again(suite, &item, native_time, ids, km);
    }

    fn side_again(
        &self,
        suite: &dyn Suite,
        item: &str,
        under_km: Option<Duration>,
        ids: BTreeSet<String>,
        results: &mut Results,
    ) {
        if ids.is_empty() {
            return;
        }
        if !ids.iter().all(|id| suite.can_select(id)) {
            *results = self.side(suite, item, under_km, &Selection::default());
            return;
        }
        let selection = Selection {
            only: ids,
            without: BTreeSet::new(),
        };
        let new = self.side(suite, item, under_km, &selection);
        for id in &selection.only {
            results.extend(new.get(id).map(|outcome| (id.clone(), *outcome)));
        }
    }

    pub fn record(&self, comparison: &Comparison, version: &str) -> Option<Record> {
        let km = comparison.km.as_ref()?;
        Some(Record {
            version: version.into(),
            date: self.date.clone(),
            monitor: self.monitor.clone(),
            native: Counts::of(&comparison.native),
            km: Counts::of(km),
            seconds: comparison.seconds,
            differences: differences(&comparison.native, km),
        })
    }

    /// The results of one side; `under_km` is how long it took natively.
    fn side(
        &self,
        suite: &dyn Suite,
        item: &str,
        under_km: Option<Duration>,
        selection: &Selection,
    ) -> Results {
        let limits = suite.limits(item, under_km);
        let deadline = Instant::now() + limits.total;
        let mut results = Results::new();
        let mut without = selection.without.clone();
        for _ in 0..ATTEMPTS {
            let attempt = self.attempt(
                suite,
                item,
                under_km.is_some(),
                (&selection.only, &without),
                (limits, deadline),
            );
            let attempt = match attempt {
                Ok(attempt) => attempt,
                Err(error) => {
                    eprintln!("{item}: {error}");
                    break;
                }
            };
            let transcript = suite.parse(item, &attempt);
            let selectable = transcript.results.keys().filter(|id| suite.can_select(id));
            let known = without.len();
            without.extend(selectable.cloned());
            results.extend(transcript.results);
            if transcript.is_complete && transcript.has_ended {
                return results;
            }
            // It ran all its tests but could not end, or nothing would change.
            if transcript.is_complete || without.len() == known || Instant::now() >= deadline {
                break;
            }
        }
        results.insert(item.into(), Outcome::Unfinished);
        results
    }

    fn attempt(
        &self,
        suite: &dyn Suite,
        item: &str,
        is_km: bool,
        (only, without): (&BTreeSet<String>, &BTreeSet<String>),
        (limits, deadline): (Limits, Instant),
    ) -> io::Result<Attempt> {
        // A short name: it is part of the names of sockets.
        let number = self.number.fetch_add(1, Ordering::Relaxed).to_string();
        let directory = self.scratch.join(number);
        fs::create_dir_all(&directory)?;
        let prepared = self.prepared(suite);
        let job = suite.job(&Run {
            item,
            directory: &directory,
            prepared: &prepared,
            only,
            without,
        })?;
        let mut words = Vec::new();
        if suite.is_unprivileged() {
            words.extend(self.unprivileged.prefix(self.namespaces, &directory)?);
        }
        if is_km {
            words.extend(self.km.iter().map(|km| km.display().to_string()));
        }
        words.extend(job.words);
        let mut command = attend::command(self.namespaces, &words, &directory);
        command.current_dir(job.directory).envs(job.environment);
        let attempt = attend(command, deadline, limits.silence)?;
        // What is just being killed may still write there; then it goes at the end.
        let _ = fs::remove_dir_all(&directory);
        self.unprivileged.clean(&directory);
        let logs = prepared.join("logs");
        fs::create_dir_all(&logs)?;
        let side = if is_km { "km" } else { "native" };
        let log = logs.join(format!("{}.{side}", item.replace('/', "_")));
        let end = attempt.status.map_or("none".into(), |s| s.to_string());
        fs::write(log, format!("{}\n[end: {end}]\n", attempt.text))?;
        Ok(attempt)
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        // A test may have taken the right to remove what it left.
        let _ = fs::remove_dir_all(&self.scratch);
    }
}

/// The commit in `km 0.1.0 (commit d2827d340873, built 2026-11-21)`.
fn commit(version: &str) -> String {
    let tail = version.split_once("commit ").map_or(version, |(_, t)| t);
    tail.split(',').next().unwrap_or(tail).into()
}

fn said(command: &mut Command) -> io::Result<String> {
    let output = command.output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commit_is_in_the_version() {
        let version = "km 0.1.0 (commit d2827d340873, built 2026-11-21)";
        assert_eq!(commit(version), "d2827d340873");
    }
}
