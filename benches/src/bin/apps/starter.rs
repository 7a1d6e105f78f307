//! The ways to start a program, two of which count what it does.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use km_bench::bundle;
use km_bench::runner::in_path;

use crate::app::{Error, number_after, number_before};

/// The event of each system call.
const CALLS: &str = "raw_syscalls:sys_enter";

/// A way to start a program.
pub enum Starter {
    Native,
    /// Natively, while perf counts the program's system calls.
    Watched(PathBuf),
    Km(PathBuf),
    /// Under km, which counts its exits.
    Counted(PathBuf),
    Runsc(PathBuf),
}

impl Starter {
    pub fn watched() -> Result<Starter, Error> {
        installed("perf").map(Starter::Watched)
    }

    pub fn runsc() -> Result<Starter, Error> {
        installed("runsc").map(Starter::Runsc)
    }

    /// The program with its arguments, to be started in `directory`.
    pub fn command(&self, words: &[&str], directory: &Path) -> Result<Command, Error> {
        let mut command = match self {
            Starter::Native => Command::new(words[0]),
            Starter::Watched(perf) => {
                let mut command = Command::new(perf);
                command.args(["stat", "-x", ",", "-e", CALLS, "-o"]);
                command.arg(calls_file(directory)).arg("--").arg(words[0]);
                command
            }
            Starter::Km(km) => {
                let mut command = Command::new(km);
                command.arg("--").arg(words[0]);
                command
            }
            Starter::Counted(km) => {
                let mut command = Command::new(km);
                command.args(["--stats", "--follow", "-o"]);
                command.arg(exits_directory(directory).join("process"));
                command.arg("--").arg(words[0]);
                command
            }
            Starter::Runsc(runsc) => {
                let (bundle, state) = (directory.join("bundle"), directory.join("state"));
                let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
                bundle::write_here(&bundle, &words, directory)
                    .map_err(|error| Error::Io("a bundle".to_owned(), error))?;
                let mut command = Command::new(runsc);
                command.args(["--network=host", "--ignore-cgroups"]);
                command.args(bundle::run_words(&state, &bundle));
                command.current_dir(directory);
                return Ok(command);
            }
        };
        command.args(&words[1..]).current_dir(directory);
        Ok(command)
    }

    /// The process that gets signals meant for the program, where `child` is the one started.
    pub fn receiver(&self, child: u32) -> Result<u32, Error> {
        let Starter::Watched(_) = self else {
            return Ok(child);
        };
        // The program is perf's only child.
        let path = format!("/proc/{child}/task/{child}/children");
        let children = fs::read_to_string(&path);
        let children = children.map_err(|error| Error::Io(path.clone(), error))?;
        number_after(&children, "").map(|id| id as u32)
    }

    /// What was counted of a run in `directory`, in all its processes; nothing where nobody counts.
    pub fn counts(&self, directory: &Path) -> Result<Counts, Error> {
        match self {
            Starter::Watched(_) => {
                let io = |error| Error::Io("the report of perf".to_owned(), error);
                Counts::of_perf(&fs::read_to_string(calls_file(directory)).map_err(io)?)
            }
            Starter::Counted(_) => {
                let io = |error| Error::Io("reports of km".to_owned(), error);
                let mut counts = Counts::default();
                for entry in fs::read_dir(exits_directory(directory)).map_err(io)? {
                    let text = fs::read_to_string(entry.map_err(io)?.path()).map_err(io)?;
                    counts.add_report(&text);
                }
                Ok(counts)
            }
            _ => Ok(Counts::default()),
        }
    }
}

fn installed(name: &str) -> Result<PathBuf, Error> {
    in_path(name).ok_or_else(|| Error::Missing(name.to_owned()))
}

fn calls_file(directory: &Path) -> PathBuf {
    directory.join("calls")
}

/// Holds a report a process.
pub fn exits_directory(directory: &Path) -> PathBuf {
    directory.join("exits")
}

/// Things counted.
#[derive(Debug, Default, PartialEq)]
pub struct Counts {
    /// System calls.
    pub calls: f64,
    /// Exits for other reasons.
    pub others: f64,
    /// Both by their names, where these are known.
    pub kinds: BTreeMap<String, f64>,
}

impl Counts {
    /// What `perf stat` writes.
    fn of_perf(report: &str) -> Result<Counts, Error> {
        let line = report.lines().find(|line| line.contains(CALLS));
        Ok(Counts {
            calls: number_before(line.unwrap_or(report), ",")?,
            ..Counts::default()
        })
    }

    pub fn all(&self) -> f64 {
        self.calls + self.others
    }

    /// Adds a report of `km --stats`.
    fn add_report(&mut self, report: &str) {
        let mut lines = report
            .lines()
            .skip_while(|line| !line.ends_with("  exits"))
            .skip(1);
        let exits = lines.by_ref().take_while(|line| !line.contains("errors"));
        for (count, name) in exits.filter_map(count_and_kind) {
            if name == "system call" {
                self.calls += count;
            } else {
                self.others += count;
                *self.kinds.entry(name.to_owned()).or_default() += count;
            }
        }
        for (count, name) in lines.filter_map(count_and_name) {
            *self.kinds.entry(name.to_owned()).or_default() += count;
        }
    }

    /// What an operation takes, where `fewer` has what was counted with so many `operations` less.
    pub fn per_operation(&self, fewer: &Counts, operations: f64) -> Counts {
        let each = |(name, count): (&String, &f64)| {
            let before = fewer.kinds.get(name).unwrap_or(&0.0);
            (name.clone(), (count - before) / operations)
        };
        Counts {
            calls: (self.calls - fewer.calls) / operations,
            others: (self.others - fewer.others) / operations,
            kinds: self.kinds.iter().map(each).collect(),
        }
    }
}

/// The number at the start of a line and the word at its end.
fn count_and_name(line: &str) -> Option<(f64, &str)> {
    let mut words = line.split_whitespace();
    let count = words.next()?.parse().ok()?;
    Some((count, words.next_back()?))
}

/// The number at the start of a line and the words behind it.
fn count_and_kind(line: &str) -> Option<(f64, &str)> {
    let (count, kind) = line.trim().split_once("  ")?;
    Some((count.parse().ok()?, kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(kinds: &[(&str, f64)]) -> BTreeMap<String, f64> {
        let pair = |(name, count): &(&str, f64)| ((*name).to_owned(), *count);
        kinds.iter().map(pair).collect()
    }

    #[test]
    fn perf_s_line_is_found() {
        let text = "# started on Sat\n\n364438,,raw_syscalls:sys_enter,2351551441,100.00,,\n";
        let counts = Counts::of_perf(text);
        assert_eq!(counts.map(|counts| counts.calls).ok(), Some(364_438.0));
        assert!(Counts::of_perf("<not supported>,,raw_syscalls:sys_enter,0,100.00,,\n").is_err());
        assert!(Counts::of_perf("").is_err());
    }

    #[test]
    fn reports_of_km_add_up() {
        let report = "km: ran for 5.000 ms
     count  exits
        20  system call
         2  page fault
     count   errors        min       mean        max  system call (times in us)
        15        0      0.712     13.293       16.4  read
         4        1      1.506     18.665      100.2  openat
";
        let mut counts = Counts::default();
        counts.add_report(report);
        counts.add_report(report);
        let expected = Counts {
            calls: 40.0,
            others: 4.0,
            kinds: kinds(&[("openat", 8.0), ("page fault", 4.0), ("read", 30.0)]),
        };
        assert_eq!(counts, expected);
    }

    #[test]
    fn start_and_end_do_not_count() {
        let fewer = Counts {
            calls: 110.0,
            others: 20.0,
            kinds: kinds(&[("read", 10.0), ("brk", 100.0), ("page fault", 20.0)]),
        };
        let more = Counts {
            calls: 290.0,
            others: 65.0,
            kinds: kinds(&[
                ("read", 100.0),
                ("write", 90.0),
                ("brk", 100.0),
                ("page fault", 65.0),
            ]),
        };
        let expected = Counts {
            calls: 2.0,
            others: 0.5,
            kinds: kinds(&[
                ("read", 1.0),
                ("write", 1.0),
                ("brk", 0.0),
                ("page fault", 0.5),
            ]),
        };
        assert_eq!(more.per_operation(&fewer, 90.0), expected);
    }
}
