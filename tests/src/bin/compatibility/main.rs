//! `make compatibility`: public test suites, natively and under km, and what
//! fails under km alone.
//!
//!     compatibility [--suite NAME [ITEM...]] [--share 2/8] [--rest]
//!                   [--minutes N] [--native | --page | --packages | --list]
//!
//! What comes of an item is recorded when it ends (`record.rs`), and the page
//! is written from all records, so a suite can be run in parts. The exit status
//! says whether there is an exception whose cause is not known.
//!
//! `suite.rs` is what a suite has to say of itself, `suites/` has them all.

mod attend;
mod causes;
mod options;
mod outcome;
mod page;
mod record;
mod run;
mod suite;
mod suites;
mod unprivileged;

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use crate::causes::Causes;
use crate::options::{Options, Task};
use crate::outcome::{Counts, Outcome, differences};
use crate::page::Section;
use crate::record::Records;
use crate::run::{Comparison, Runner};
use crate::suite::Suite;

fn main() -> ExitCode {
    match Options::new(std::env::args().skip(1)).and_then(|options| compatibility(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("compatibility: {error}");
            ExitCode::from(2)
        }
    }
}

/// Whether all exceptions have their causes.
fn compatibility(options: &Options) -> io::Result<bool> {
    let places = Places::find()?;
    match options.task {
        Task::Packages => {
            for suite in &options.suites {
                println!("{}", suite.packages().join(" "));
            }
            return Ok(true);
        }
        Task::List => {
            for suite in &options.suites {
                let prepared = places.build.join("compatibility").join(suite.name());
                suite.prepare(&prepared)?;
                println!("{}", suite.items(&prepared)?.join("\n"));
            }
            return Ok(true);
        }
        Task::Page => {}
        Task::Run | Task::RunNatively => {
            let km = (options.task == Task::Run).then_some(places.km.as_path());
            let runner = Runner::new(places.build.clone(), km)?;
            let begun = Instant::now();
            for suite in &options.suites {
                run(&runner, &places, *suite, options, begun)?;
            }
        }
    }
    if options.task == Task::RunNatively {
        return Ok(true);
    }
    places.write_page()?;
    judge(&places, options)
}

struct Places {
    /// What is recorded, and the causes.
    kept: PathBuf,
    page: PathBuf,
    build: PathBuf,
    km: PathBuf,
}

impl Places {
    /// In the tree this was built from; `make` sets `BUILD` and `KM`.
    fn find() -> io::Result<Places> {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = tests.parent().unwrap_or(tests);
        let given = |name: &str, default: &str| {
            std::env::var_os(name).map_or_else(|| Ok(root.join(default)), std::path::absolute)
        };
        Ok(Places {
            kept: tests.join("compatibility"),
            page: root.join("docs/compatibility.md"),
            build: given("BUILD", "build")?,
            km: given("KM", "target/x86_64-unknown-linux-gnu/release/km")?,
        })
    }

    fn section(&self, suite: &'static dyn Suite) -> io::Result<Section<'static>> {
        Ok(Section {
            suite,
            records: Records::read(&record::file(&self.kept, suite))?,
            causes: Causes::read(&Causes::file(&self.kept, suite))?,
        })
    }

    /// Of all suites, whatever was run now.
    fn text(&self) -> io::Result<String> {
        let sections = suite::ALL.into_iter().map(|suite| self.section(suite));
        Ok(page::page(&sections.collect::<io::Result<Vec<_>>>()?))
    }

    fn write_page(&self) -> io::Result<()> {
        fs::write(&self.page, self.text()?)
    }
}

/// The items of a suite: first all but what has failed, side by side; then that
/// once more, alone.
fn run(
    runner: &Runner,
    places: &Places,
    suite: &'static dyn Suite,
    options: &Options,
    begun: Instant,
) -> io::Result<()> {
    let prepared = runner.prepared(suite);
    fs::create_dir_all(&prepared)?;
    suite.prepare(&prepared)?;
    let version = suite.version(&prepared)?;
    let all = suite.items(&prepared)?;
    let file = record::file(&places.kept, suite);
    let is_recorded = options.task == Task::Run;
    if is_recorded {
        record::change(&file, |records| records.set_items(&all))?;
    }
    let items = chosen(&all, &Records::read(&file)?, options)?;
    let queue: Mutex<VecDeque<String>> = Mutex::new(items.into());
    let next = || match options.time {
        Some(time) if begun.elapsed() >= time => None,
        // Not in the loop's condition: the lock would be held through its body.
        _ => lock(&queue).pop_front(),
    };
    let keep = |comparison: &Comparison| {
        print!("{}", told(comparison));
        let Some(record) = runner.record(comparison, &version) else {
            return;
        };
        let kept = record::change(&file, |records| records.insert(&comparison.item, record))
            .and_then(|()| places.write_page());
        if let Err(error) = kept {
            eprintln!("{}: not recorded: {error}", comparison.item);
        }
    };
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..suite.at_once() {
            scope.spawn(|| {
                while let Some(item) = next() {
                    let comparison = runner.compare(suite, &item);
                    keep(&comparison);
                    if comparison.has_failure() {
                        lock(&failed).push(comparison);
                    }
                }
            });
        }
    });
    if !is_recorded {
        return Ok(());
    }
    for mut comparison in failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        runner.again(suite, &mut comparison);
        print!("again: ");
        keep(&comparison);
    }
    Ok(())
}

/// What is to be run; of what was run before the shortest come first.
fn chosen(all: &[String], records: &Records, options: &Options) -> io::Result<Vec<String>> {
    if let Some(item) = options.items.iter().find(|item| !all.contains(item)) {
        let error = format!("no item {item}; --list names them");
        return Err(io::Error::other(error));
    }
    let mut items = options.share.of(all);
    items.retain(|item| options.items.is_empty() || options.items.contains(item));
    items.retain(|item| !options.rest || records.get(item).is_none());
    items.sort_by_key(|item| {
        let seconds = records.get(item).map(|record| record.seconds);
        seconds.map_or(0, |(native, km)| native + km)
    });
    Ok(items)
}

impl Comparison {
    fn has_failure(&self) -> bool {
        let km = self.km.iter().flatten();
        let all = differences(&self.native, &km.map(|(k, v)| (k.clone(), *v)).collect());
        all.iter().any(|d| d.is_exception() || d.fails_natively())
    }
}

/// An item in one line, and the tests worth naming.
fn told(comparison: &Comparison) -> String {
    let counts = |counts: Counts| {
        format!(
            "{} passed, {} failed, {} skipped, {} unfinished",
            counts.passed, counts.failed, counts.skipped, counts.unfinished
        )
    };
    let (native_seconds, km_seconds) = comparison.seconds;
    let native = counts(Counts::of(&comparison.native));
    let mut text = format!(
        "{}: natively {native} in {native_seconds} s",
        comparison.item
    );
    let Some(km) = &comparison.km else {
        return text + "\n";
    };
    text.push_str(&format!(
        "; under km {} in {km_seconds} s\n",
        counts(Counts::of(km))
    ));
    for difference in differences(&comparison.native, km) {
        let how = |outcome: Option<Outcome>| outcome.map_or("absent", Outcome::name);
        if difference.is_exception() || difference.fails_natively() {
            text.push_str(&format!(
                "    {}: natively {}, under km {}\n",
                difference.id,
                how(difference.native),
                how(difference.km)
            ));
        }
    }
    text
}

/// Tells what has no cause, and what causes are left over.
fn judge(places: &Places, options: &Options) -> io::Result<bool> {
    let mut is_explained = true;
    for suite in &options.suites {
        let section = places.section(*suite)?;
        for id in section.unexplained() {
            println!("{}: no cause: {id}", suite.name());
            is_explained = false;
        }
        for name in section.idle_causes() {
            println!("{}: a cause that nothing needs: {name}", suite.name());
        }
    }
    Ok(is_explained)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_what_the_records_say() {
        let places = Places::find().expect("places");
        let page = fs::read_to_string(&places.page).expect("a page");
        let text = places.text().expect("a text");
        assert_eq!(page, text, "`make compatibility-page` writes it");
    }

    #[test]
    fn the_shortest_come_first() {
        let mut records = Records::default();
        let record = record::tests::example();
        records.insert(
            "a",
            record::Record {
                seconds: (3, 4),
                ..record.clone()
            },
        );
        records.insert(
            "b",
            record::Record {
                seconds: (1, 1),
                ..record
            },
        );
        let all = ["a", "b", "c"].map(String::from);
        let options = |text: &str| Options::new(text.split(' ').map(String::from));
        let chosen = |text| chosen(&all, &records, &options(text).expect("options"));
        assert_eq!(chosen("--suite stress").expect("items"), ["c", "b", "a"]);
        assert_eq!(chosen("--suite stress --rest").expect("items"), ["c"]);
        assert_eq!(chosen("--suite stress a b").expect("items"), ["b", "a"]);
        assert!(chosen("--suite stress d").is_err());
    }
}
