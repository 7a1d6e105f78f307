//! What the `conform_*` guests have to make, by km's own table: every call it
//! serves, with at least one error of each that has any; and `refused`, every
//! call it refuses, with the error that the table promises.
//!
//! That what they come to is Linux's is asked by the trials of the guests
//! themselves; here it is only that nothing is left out. What was called is
//! read from `--strace`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use libtest_mimic::{Completion, Failed, Trial};
use serde_json::Value;

use crate::case::Session;
use crate::compare::describe;
use crate::job::{End, Job};
use crate::locations::Locations;
use crate::process;

/// The link type whose guests are run: the calls are raw ones.
const LINK: &str = "static-musl";

/// Calls that are not made, and why.
const UNMADE: &[(&str, &str)] = &[(
    "sync",
    "writes all file systems of the machine, which takes as long as others have written",
)];

/// Calls that have no error, and why.
const UNFAILING: &[(&str, &str)] = &[
    ("brk", "tells the old end"),
    ("rt_sigreturn", "tells what the frame holds"),
    ("sched_yield", "always there"),
    ("alarm", "always there"),
    ("exit", "does not come back"),
    ("exit_group", "does not come back"),
    ("umask", "takes any mask"),
    ("getpid", "only tells"),
    ("getppid", "only tells"),
    ("getpgrp", "only tells"),
    ("gettid", "only tells"),
    ("getuid", "only tells"),
    ("geteuid", "only tells"),
    ("getgid", "only tells"),
    ("getegid", "only tells"),
    ("setfsuid", "tells the old one"),
    ("setfsgid", "tells the old one"),
    ("personality", "takes any bits"),
    ("munlockall", "undoes what is there to be undone"),
    ("set_tid_address", "takes any address"),
];

pub fn trials(session: &Arc<Session>, locations: &Locations) -> Vec<Trial> {
    let (every, refused) = (locations.clone(), locations.clone());
    vec![
        session.kvm_trial("conformance::every-call::kvm".into(), move |session| {
            every_call(session, &every).map(|()| Completion::Completed)
        }),
        session.kvm_trial("conformance::refusals::kvm".into(), move |session| {
            refusals(session, &refused).map(|()| Completion::Completed)
        }),
    ]
}

/// A row of km's table.
struct Row {
    name: String,
    /// `full`, `partial` or `none`.
    level: String,
    /// The error of a refusal.
    errno: Option<String>,
}

fn table(session: &Session) -> Result<Vec<Row>, Failed> {
    let mut job = Job::new(session.km.to_string_lossy());
    job.args = vec!["--syscalls=json".into()];
    let outcome = process::run(&job, &session.scratch.join("conformance-table"));
    let rows: Vec<Value> = serde_json::from_slice(&outcome.stdout)
        .map_err(|error| format!("{error}: {}", describe(&outcome)))?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let row = |value: &Value| {
        Some(Row {
            name: text(&value["name"])?,
            level: text(&value["level"])?,
            errno: text(&value["errno"]),
        })
    };
    let rows: Option<Vec<Row>> = rows.iter().map(row).collect();
    rows.ok_or_else(|| "a row without a name or a level".into())
}

/// What of a row was seen.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Seen {
    made: bool,
    failed: bool,
}

fn every_call(session: &Session, locations: &Locations) -> Result<(), Failed> {
    let rows = table(session)?;
    let traces = session.scratch.join("conformance-traces");
    fs::create_dir_all(&traces)?;
    let mut seen = BTreeMap::new();
    for guest in guests(locations)? {
        let scratch = session.scratch.join(format!("conformance-{guest}"));
        let outcome = process::run(&traced(session, locations, &guest, &traces), &scratch);
        if outcome.end != End::Exit(0) {
            return Err(format!("{guest}: {}", describe(&outcome)).into());
        }
        for trace in fs::read_dir(&traces)? {
            let trace = trace?.path();
            // Strings of the payload are escaped; only a line that a killed
            // process has not finished could be anything else.
            note(&String::from_utf8_lossy(&fs::read(&trace)?), &mut seen);
            fs::remove_file(trace)?;
        }
    }
    let served = rows.iter().filter(|row| row.level != "none");
    let complaints = judge(served.map(|row| row.name.as_str()), &seen);
    if complaints.is_empty() {
        return Ok(());
    }
    Err(complaints.join("\n").into())
}

/// The guests of the set, in order.
fn guests(locations: &Locations) -> io::Result<BTreeSet<String>> {
    let mut guests = BTreeSet::new();
    for entry in fs::read_dir(locations.root.join("tests/guests"))? {
        let name = entry?.file_name();
        let stem = name.to_str().and_then(|name| name.strip_suffix(".c"));
        guests.extend(
            stem.filter(|stem| stem.starts_with("conform_"))
                .map(Into::into),
        );
    }
    Ok(guests)
}

/// The guest under `--strace`, a file a process in `traces`.
fn traced(session: &Session, locations: &Locations, guest: &str, traces: &Path) -> Job {
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let mut job = Job::new(text(&session.km));
    job.args = vec![
        "--strace".into(),
        "--follow".into(),
        "--output".into(),
        text(&traces.join("trace")),
        text(&locations.guests().join(LINK).join(guest)),
    ];
    job.timeout = std::time::Duration::from_secs(120);
    job
}

/// Notes the calls of a trace: `name(arguments) = result`.
fn note(trace: &str, seen: &mut BTreeMap<String, Seen>) {
    for line in trace.lines() {
        let Some((name, rest)) = line.split_once('(') else {
            continue;
        };
        let is_name = |name: &str| {
            let mut bytes = name.bytes();
            bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        };
        let Some((_, result)) = rest.rsplit_once("= ").filter(|_| is_name(name)) else {
            continue;
        };
        let call = seen.entry(name.to_owned()).or_default();
        call.made = true;
        call.failed |= result.starts_with("-1 E");
    }
}

/// What is wrong with what was `seen` of the calls that km serves, by name.
fn judge<'a>(served: impl Iterator<Item = &'a str>, seen: &BTreeMap<String, Seen>) -> Vec<String> {
    let listed = |list: &[(&str, &str)], name: &str| list.iter().any(|(known, _)| *known == name);
    let complaint = |name: &str| {
        let call = seen.get(name).copied().unwrap_or_default();
        let (unmade, unfailing) = (listed(UNMADE, name), listed(UNFAILING, name));
        let text = match call {
            Seen { made: false, .. } if !unmade => "is not made",
            Seen { made: true, .. } if unmade => "is made, and listed as one that is not",
            Seen {
                failed: false,
                made: true,
            } if !unfailing => "never fails",
            Seen { failed: true, .. } if unfailing => "fails, and is listed as one that does not",
            Seen { .. } => return None,
        };
        Some(format!("{name} {text}"))
    };
    served.filter_map(complaint).collect()
}

/// Runs `refused`, which prints `NAME ERROR` for each refused call.
fn refusals(session: &Session, locations: &Locations) -> Result<(), Failed> {
    let guest = locations.guests().join(LINK).join("refused");
    let mut job = Job::new(guest.to_string_lossy());
    job.args = vec!["errors".into()];
    let job = job.under(&session.km.to_string_lossy());
    let outcome = process::run(&job, &session.scratch.join("conformance-refused"));
    if outcome.end != End::Exit(0) {
        return Err(describe(&outcome).into());
    }
    let text = String::from_utf8_lossy(&outcome.stdout);
    let answers: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .collect();
    let rows = table(session)?;
    let complaint = |row: &Row| {
        let (promised, name) = (row.errno.as_deref()?, row.name.as_str());
        match answers.get(name) {
            Some(answer) if *answer == promised => None,
            Some(answer) => Some(format!("{name}: {answer}, and {promised} is promised")),
            None => Some(format!("{name} is not made")),
        }
    };
    let complaints: Vec<String> = rows.iter().filter_map(complaint).collect();
    if complaints.is_empty() {
        return Ok(());
    }
    Err(complaints.join("\n").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(trace: &str) -> BTreeMap<String, Seen> {
        let mut seen = BTreeMap::new();
        note(trace, &mut seen);
        seen
    }

    #[test]
    fn calls_and_their_errors_are_read_from_a_trace() {
        let trace = "getpid()                                = 7\n\
                     open(\"= -1 E\", O_RDONLY)                = 3\n\
                     close(9)                                = -1 EBADF (Bad file descriptor)\n\
                     exit_group(0)                           = ?\n\
                     --- SIGUSR1 {si_signo=SIGUSR1} ---\n\
                     read(0, \"unfinis";
        let seen = seen(trace);
        let names: Vec<_> = seen.keys().map(String::as_str).collect();
        assert_eq!(names, ["close", "exit_group", "getpid", "open"]);
        assert!(seen["close"].failed && !seen["open"].failed && !seen["getpid"].failed);
    }

    #[test]
    fn what_is_missing_is_named() {
        let seen =
            seen("close(9) = 0\ngetpid() = -1 EPERM (x)\nsync() = 0\nread(0) = -1 EIO (x)\n");
        let served = ["close", "getpid", "open", "read", "sync", "getuid"];
        let complaints = judge(served.into_iter(), &seen);
        let wanted = [
            "close never fails",
            "getpid fails, and is listed as one that does not",
            "open is not made",
            "sync is made, and listed as one that is not",
            "getuid is not made",
        ];
        assert_eq!(complaints, wanted);
    }
}
