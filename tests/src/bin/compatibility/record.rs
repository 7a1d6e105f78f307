//! What is kept of each item that was run: a text file for each suite, a line
//! an item, and a line for each test that has not ended well on both sides
//! alike.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::outcome::{Counts, Difference, Outcome};
use crate::suite::Suite;

const HEAD: &str = "\
# Written by `make compatibility`. Of each item: its name, the suite's version, the day, km's commit, how many tests passed/
# failed/were skipped/were unfinished natively, and under km, and the seconds natively, and under km. Below it the tests that did
# not end well on both sides alike: how natively, how under km, and which.
";
const NOT_RUN: &str = "not run";
const ABSENT: &str = "absent";

/// All there is of a suite.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// In the order of their names; without a record, an item was not run.
    pub items: Vec<(String, Option<Record>)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub version: String,
    pub date: String,
    /// The commit it was built from.
    pub monitor: String,
    pub native: Counts,
    pub km: Counts,
    /// Seconds, natively and under km.
    pub seconds: (u64, u64),
    pub differences: Vec<Difference>,
}

/// Where the records of a suite are.
pub fn file(folder: &Path, suite: &dyn Suite) -> PathBuf {
    folder.join(format!("results/{}.tsv", suite.name()))
}

/// Changes a file, while no other run does. `change` gets what is there.
pub fn change(path: &Path, change: impl FnOnce(&mut Records)) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // Let go of when it is closed.
    let lock = File::open(folder)?;
    flock(&lock, FlockOperation::LockExclusive)?;
    let mut records = Records::read(path)?;
    change(&mut records);
    let new = path.with_extension("new");
    fs::write(&new, records.text())?;
    fs::rename(new, path)
}

impl Records {
    /// Of a suite that was never run there is nothing.
    pub fn read(path: &Path) -> io::Result<Records> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        Records::parse(&text)
            .map_err(|line| io::Error::other(format!("{}: damaged: {line}", path.display())))
    }

    /// The suite's items are these, and no others.
    pub fn set_items(&mut self, names: &[String]) {
        self.items.retain(|(name, _)| names.contains(name));
        for name in names {
            if !self.items.iter().any(|(known, _)| known == name) {
                self.items.push((name.clone(), None));
            }
        }
        self.items.sort_by(|(a, _), (b, _)| a.cmp(b));
    }

    pub fn insert(&mut self, item: &str, record: Record) {
        self.items.retain(|(name, _)| name != item);
        self.items.push((item.into(), Some(record)));
        self.items.sort_by(|(a, _), (b, _)| a.cmp(b));
    }

    pub fn get(&self, item: &str) -> Option<&Record> {
        let (_, record) = self.items.iter().find(|(name, _)| name == item)?;
        record.as_ref()
    }

    pub fn run(&self) -> impl Iterator<Item = (&str, &Record)> {
        let items = self.items.iter();
        items.filter_map(|(name, record)| Some((name.as_str(), record.as_ref()?)))
    }

    pub fn not_run(&self) -> impl Iterator<Item = &str> {
        let items = self.items.iter().filter(|(_, record)| record.is_none());
        items.map(|(name, _)| name.as_str())
    }

    fn text(&self) -> String {
        let mut text = HEAD.to_owned();
        for (name, record) in &self.items {
            text.push_str(name);
            match record {
                None => text.push_str(&format!("\t{NOT_RUN}\n")),
                Some(record) => text.push_str(&record.text()),
            }
        }
        text
    }

    /// Fails with the line that it does not understand.
    fn parse(text: &str) -> Result<Records, String> {
        let mut records = Records::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let damaged = || line.to_owned();
            if let Some(line) = line.strip_prefix('\t') {
                let difference = parse_difference(line).ok_or_else(damaged)?;
                let last = records
                    .items
                    .last_mut()
                    .and_then(|(_, record)| record.as_mut());
                last.ok_or_else(damaged)?.differences.push(difference);
                continue;
            }
            let (name, rest) = line.split_once('\t').ok_or_else(damaged)?;
            let record = match rest {
                NOT_RUN => None,
                rest => Some(Record::parse(rest).ok_or_else(damaged)?),
            };
            records.items.push((name.into(), record));
        }
        Ok(records)
    }
}

impl Record {
    pub fn exceptions(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|d| d.is_exception())
    }

    fn text(&self) -> String {
        let mut text = format!(
            "\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n",
            self.version,
            self.date,
            self.monitor,
            counts_text(self.native),
            counts_text(self.km),
            self.seconds.0,
            self.seconds.1
        );
        for difference in &self.differences {
            let (native, km) = (name(difference.native), name(difference.km));
            text.push_str(&format!("\t{native}\t{km}\t{}\n", plain(&difference.id)));
        }
        text
    }

    fn parse(line: &str) -> Option<Record> {
        let [
            version,
            date,
            monitor,
            native,
            km,
            native_seconds,
            km_seconds,
        ] = line.split('\t').collect::<Vec<_>>().try_into().ok()?;
        Some(Record {
            version: version.into(),
            date: date.into(),
            monitor: monitor.into(),
            native: parse_counts(native)?,
            km: parse_counts(km)?,
            seconds: (native_seconds.parse().ok()?, km_seconds.parse().ok()?),
            differences: Vec::new(),
        })
    }
}

/// One line.
fn plain(id: &str) -> String {
    id.replace(char::is_control, " ")
}

fn name(outcome: Option<Outcome>) -> &'static str {
    outcome.map_or(ABSENT, Outcome::name)
}

fn parse_outcome(text: &str) -> Option<Option<Outcome>> {
    if text == ABSENT {
        return Some(None);
    }
    let outcome = Outcome::ALL.into_iter().find(|o| o.name() == text)?;
    Some(Some(outcome))
}

fn parse_difference(line: &str) -> Option<Difference> {
    let [native, km, id] = line.splitn(3, '\t').collect::<Vec<_>>().try_into().ok()?;
    Some(Difference {
        id: id.into(),
        native: parse_outcome(native)?,
        km: parse_outcome(km)?,
    })
}

fn counts_text(counts: Counts) -> String {
    format!(
        "{}/{}/{}/{}",
        counts.passed, counts.failed, counts.skipped, counts.unfinished
    )
}

fn parse_counts(text: &str) -> Option<Counts> {
    let numbers: Result<Vec<usize>, _> = text.split('/').map(str::parse).collect();
    let [passed, failed, skipped, unfinished] = numbers.ok()?.try_into().ok()?;
    Some(Counts {
        passed,
        failed,
        skipped,
        unfinished,
    })
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn example() -> Record {
        let difference = |id: &str, native, km| Difference {
            id: id.into(),
            native,
            km,
        };
        let counts = |passed, failed| Counts {
            passed,
            failed,
            skipped: 2,
            unfinished: 0,
        };
        Record {
            version: "1.2".into(),
            date: "2026-11-21".into(),
            monitor: "abcdef".into(),
            native: counts(10, 1),
            km: counts(8, 2),
            seconds: (1, 20),
            differences: vec![
                difference("x.a", Some(Outcome::Failed), Some(Outcome::Failed)),
                difference("x.b", Some(Outcome::Passed), Some(Outcome::Failed)),
                difference("x.c", Some(Outcome::Passed), None),
            ],
        }
    }

    #[test]
    fn what_is_written_can_be_read() {
        let mut records = Records::default();
        records.insert("b", example());
        records.set_items(&["a".into(), "b".into(), "c".into()]);
        assert_eq!(records.not_run().collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(Records::parse(&records.text()), Ok(records));
    }

    #[test]
    fn a_new_record_takes_the_place_of_the_old() {
        let mut records = Records::default();
        records.insert("a", example());
        let record = Record {
            date: "2026-11-22".into(),
            ..example()
        };
        records.insert("a", record);
        let dates: Vec<&str> = records.run().map(|(_, r)| r.date.as_str()).collect();
        assert_eq!(dates, ["2026-11-22"]);
        records.set_items(&["b".into()]);
        assert_eq!(records.run().count(), 0);
    }

    #[test]
    fn a_damaged_line_is_named() {
        for line in [
            "a",
            "a\t1.2",
            "\tpassed\tfailed\tid",
            "a\tnot run\n\tx\ty\tz",
        ] {
            assert!(Records::parse(line).is_err(), "{line}");
        }
    }
}
