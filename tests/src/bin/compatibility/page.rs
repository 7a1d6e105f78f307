//! `docs/compatibility.md`, from all that is recorded.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::causes::Causes;
use crate::outcome::{Counts, Difference, Outcome};
use crate::record::{Record, Records};
use crate::suite::Suite;

const INTRODUCTION: &str = "\
# Compatibility

Public test suites, natively and under km. `make compatibility` writes this page from what its runs have recorded
(`tests/compatibility/results/`) and from the causes found for what differs (`tests/compatibility/causes/`);
[tests/README.md](../tests/README.md) says how it is run.

A test that passes natively has to pass under km, and one that is skipped natively may not fail there. One that does not is an
exception, and its cause stands here. What fails is run again once, alone, on the side where it failed, and the second result
counts: there are tests that fail on a busy machine. A test that hangs, or takes its program with it, is unfinished.
";

const NO_CAUSE: &str = "**Cause not known.**";

/// So many items that were not run are named; more are counted.
const NAMED: usize = 20;

/// A suite with all that is known of it.
pub struct Section<'a> {
    pub suite: &'a dyn Suite,
    pub records: Records,
    pub causes: Causes,
}

/// A test that is an exception.
struct Exception<'a> {
    item: &'a str,
    difference: &'a Difference,
    cause: Option<&'a str>,
}

pub fn page(sections: &[Section]) -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str(
        "\n| suite | items run | tests that pass natively | of these under km | exceptions | fail natively | skipped natively |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for section in sections {
        let _ = writeln!(page, "{}", section.row());
    }
    for section in sections {
        section.write(&mut page);
    }
    page
}

impl Section<'_> {
    /// The tests whose cause is not known.
    pub fn unexplained(&self) -> Vec<&str> {
        let exceptions = self.exceptions();
        let unexplained = exceptions.iter().filter(|e| e.cause.is_none());
        unexplained.map(|e| e.difference.id.as_str()).collect()
    }

    /// The causes that nothing needs any more.
    pub fn idle_causes(&self) -> Vec<&str> {
        let exceptions = self.exceptions();
        let needed: Vec<(&str, &str)> = exceptions
            .iter()
            .map(|e| (e.item, e.difference.id.as_str()))
            .collect();
        self.causes.idle(&needed)
    }

    fn exceptions(&self) -> Vec<Exception<'_>> {
        self.records
            .run()
            .flat_map(|(item, record)| record.exceptions().map(move |d| (item, d)))
            .map(|(item, difference)| Exception {
                item,
                difference,
                cause: self.causes.of(item, &difference.id),
            })
            .collect()
    }

    fn native(&self) -> Counts {
        let mut counts = Counts::default();
        for (_, record) in self.records.run() {
            counts.add(record.native);
        }
        counts
    }

    fn row(&self) -> String {
        let native = self.native();
        let passed = native.passed - self.only_natively();
        format!(
            "| {} | {} of {} {} | {} | {passed} | {} | {} | {} |",
            self.suite.title(),
            self.records.run().count(),
            self.records.items.len(),
            self.suite.items_are(),
            native.passed,
            self.exceptions().len(),
            native.failed + native.unfinished,
            native.skipped
        )
    }

    /// How many tests pass natively and do not pass under km.
    fn only_natively(&self) -> usize {
        let exceptions = self.exceptions();
        let passed = |e: &&Exception| e.difference.native == Some(Outcome::Passed);
        exceptions.iter().filter(passed).count()
    }

    fn write(&self, page: &mut String) {
        let _ = write!(
            page,
            "\n## {}\n\n{}\n\n",
            self.suite.title(),
            self.suite.about()
        );
        let _ = writeln!(page, "{}", self.when());
        self.write_exceptions(page);
        self.write_native_failures(page);
        let not_run: Vec<&str> = self.records.not_run().collect();
        if !not_run.is_empty() {
            let text = match not_run.len() {
                ..=NAMED => named(not_run),
                _ => counted(&not_run, self.suite.items_are()),
            };
            let _ = writeln!(page, "\n### Not run\n\n{text}");
        }
        if !self.suite.left_out().is_empty() {
            page.push_str("\n### Left out\n\nThese would reach for what is not theirs alone.\n\n");
        }
        for (what, names) in self.suite.left_out() {
            let _ = writeln!(page, "- {what}: {}", named(names.split_whitespace()));
        }
    }

    /// Versions, days and commits, and how many items are alike.
    fn when(&self) -> String {
        if self.records.run().next().is_none() {
            return "Not run.".into();
        }
        let all = |of: fn(&Record) -> &str| {
            let values: BTreeSet<&str> = self.records.run().map(|(_, record)| of(record)).collect();
            values.into_iter().collect::<Vec<_>>().join(", ")
        };
        let alike = self
            .records
            .run()
            .filter(|(_, r)| r.exceptions().next().is_none());
        let (native, km) = self
            .records
            .run()
            .fold((0, 0), |(native, km), (_, record)| {
                (native + record.seconds.0, km + record.seconds.1)
            });
        format!(
            "Version {}, run on {} by km of commit {}; {native} s natively, {km} s under km. {} of {} {} have no exception.",
            all(|r| &r.version),
            all(|r| &r.date),
            all(|r| &r.monitor),
            alike.count(),
            self.records.run().count(),
            self.suite.items_are(),
        )
    }

    /// By their causes; first those that have none.
    fn write_exceptions(&self, page: &mut String) {
        let mut by_cause: BTreeMap<Option<&str>, Vec<&Difference>> = BTreeMap::new();
        let exceptions = self.exceptions();
        for exception in &exceptions {
            let of_cause = by_cause.entry(exception.cause).or_default();
            of_cause.push(exception.difference);
        }
        if !by_cause.is_empty() {
            page.push_str("\n### Exceptions\n\n");
        }
        for (cause, differences) in by_cause {
            let _ = writeln!(page, "- {}", cause.unwrap_or(NO_CAUSE));
            for difference in differences {
                let how = difference.km.map_or("not run", Outcome::name);
                let _ = writeln!(page, "  - `{}`: {how}", difference.id);
            }
        }
    }

    fn write_native_failures(&self, page: &mut String) {
        let failures = |record: &Record| {
            let failures = record.differences.iter().filter(|d| d.fails_natively());
            failures.map(|d| d.id.clone()).collect::<Vec<_>>()
        };
        let all = self
            .records
            .run()
            .map(|(item, record)| (item, failures(record)));
        let all: Vec<(&str, Vec<String>)> = all.filter(|(_, ids)| !ids.is_empty()).collect();
        if all.is_empty() {
            return;
        }
        page.push_str("\n### Fail natively\n\nThese say nothing of km.\n\n");
        for (item, ids) in all {
            let short = ids.iter().map(String::as_str);
            match ids.as_slice() {
                [id] if id == item => {
                    let _ = writeln!(page, "- `{item}`");
                }
                _ => {
                    let _ = writeln!(page, "- `{item}`: {}", named(short));
                }
            }
        }
    }
}

fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// How many there are, and how many in which folder, the fullest first.
fn counted(names: &[&str], are: &str) -> String {
    let mut folders: BTreeMap<&str, usize> = BTreeMap::new();
    for name in names {
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        *folders.entry(folder).or_default() += 1;
    }
    let mut text = format!("{} {are}", names.len());
    let mut folders: Vec<_> = folders.into_iter().collect();
    if folders.iter().all(|(folder, _)| folder.is_empty()) {
        return text;
    }
    folders.sort_by_key(|(_, count)| Reverse(*count));
    for (number, (folder, count)) in folders.into_iter().enumerate() {
        text.push_str(if number == 0 { ": " } else { ", " });
        let _ = match folder {
            "" => write!(text, "{count} in no folder"),
            _ => write!(text, "`{folder}` {count}"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::example;
    use crate::suites::stress::Stress;

    fn section(causes: &str) -> Section<'static> {
        let mut records = Records::default();
        records.insert("x", example());
        records.set_items(&["x".into(), "y".into()]);
        Section {
            suite: &Stress,
            records,
            causes: Causes::parse(causes).expect("causes"),
        }
    }

    #[test]
    fn the_page_counts_and_names() {
        let page = page(&[section("x.b\tBecause.\n")]);
        let row = "| stress-ng | 1 of 2 stressors | 10 | 8 | 2 | 1 | 2 |\n";
        assert!(page.contains(row), "{page}");
        let exceptions = "\
### Exceptions

- **Cause not known.**
  - `x.c`: not run
- Because.
  - `x.b`: failed

### Fail natively

These say nothing of km.

- `x`: `x.a`

### Not run

`y`

### Left out
";
        assert!(page.contains(exceptions), "{page}");
        assert!(
            page.contains("Version 1.2, run on 2026-11-21 by km of commit abcdef; 1 s natively")
        );
    }

    #[test]
    fn many_that_were_not_run_are_counted() {
        let not_run = |count: usize| {
            let mut section = section("");
            let names: Vec<String> = (0..count).map(|n| format!("a/{n:02}")).collect();
            section.records.set_items(&names);
            let page = page(&[section]);
            let (_, text) = page.split_once("### Not run\n\n").expect("a list");
            text.lines().next().expect("a line").to_owned()
        };
        assert!(not_run(20).ends_with("`a/18`, `a/19`"));
        assert_eq!(not_run(21), "21 stressors: `a` 21");
    }

    #[test]
    fn folders_are_counted() {
        let names = ["a", "a/b/c", "d/e", "d/f"];
        let text = "4 scripts: `d` 2, 1 in no folder, `a/b` 1";
        assert_eq!(counted(&names, "scripts"), text);
        assert_eq!(counted(&["a", "b"], "modules"), "2 modules");
    }

    #[test]
    fn what_has_no_cause_is_told() {
        assert_eq!(section("x.b\tBecause.\n").unexplained(), ["x.c"]);
        assert!(section("x\tBecause.\n").unexplained().is_empty());
        assert_eq!(section("x\tBecause.\nz\tNo.\n").idle_causes(), ["z"]);
    }
}
