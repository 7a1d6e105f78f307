//! The ways to start a program, two of which count what it does.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use km_bench::bundle;
use km_bench::runner::in_path;

use crate::app::{Error, LOOK_AGAIN, PATIENCE};

/// A way to start a program.
pub enum Starter {
    Native,
    /// Under strace, which counts the program's system calls.
    Traced(PathBuf),
    Km(PathBuf),
    /// Under km, which counts its exits.
    Counted(PathBuf),
    Runsc(PathBuf),
}

impl Starter {
    pub fn traced() -> Result<Starter, Error> {
        installed("strace").map(Starter::Traced)
    }

    pub fn runsc() -> Result<Starter, Error> {
        installed("runsc").map(Starter::Runsc)
    }

    /// The program with its arguments, to be started in `directory`. Its process gets the signals
    /// that are meant for the program.
    pub fn command(&self, words: &[&str], directory: &Path) -> Result<Command, Error> {
        let mut command = match self {
            Starter::Native => Command::new(words[0]),
            Starter::Traced(strace) => {
                let mut command = Command::new(strace);
                // With -D the program is the child and strace the grandchild.
                command.args(["-D", "-f", "-c", "-U", "calls,name", "-o"]);
                command.arg(calls_file(directory)).arg(words[0]);
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

    /// What was counted of a run in `directory`, in all its processes; nothing where nobody counts.
    pub fn counts(&self, directory: &Path) -> Result<Counts, Error> {
        match self {
            Starter::Traced(_) => {
                let path = calls_file(directory);
                let start = Instant::now();
                // strace writes when the last process has ended.
                loop {
                    let text = fs::read_to_string(&path).unwrap_or_default();
                    if let Some(counts) = Counts::of_strace(&text) {
                        return Ok(counts);
                    }
                    if start.elapsed() > PATIENCE {
                        return Err(Error::Slow("strace".to_owned()));
                    }
                    std::thread::sleep(LOOK_AGAIN);
                }
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

/// Things counted: their number, and that of each kind.
#[derive(Debug, Default, PartialEq)]
pub struct Counts {
    pub all: f64,
    pub kinds: BTreeMap<String, f64>,
}

impl Counts {
    /// A summary of strace; `None` if it is not complete.
    fn of_strace(text: &str) -> Option<Counts> {
        let mut counts = Counts::default();
        for (count, name) in text.lines().filter_map(count_and_name) {
            if name == "total" {
                counts.all = count;
                return Some(counts);
            }
            counts.kinds.insert(name.to_owned(), count);
        }
        None
    }

    /// Adds a report of `km --stats`. An exit for a system call is of the call's kind.
    fn add_report(&mut self, report: &str) {
        let mut lines = report
            .lines()
            .skip_while(|line| !line.ends_with("  exits"))
            .skip(1);
        let exits = lines.by_ref().take_while(|line| !line.contains("errors"));
        for (count, name) in exits.filter_map(count_and_kind) {
            self.all += count;
            if name != "system call" {
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
            all: (self.all - fewer.all) / operations,
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
    fn a_summary_of_strace_has_a_last_line() {
        let text = "    calls syscall\n--------- ------\n       12 read\n        3 openat\n";
        assert_eq!(Counts::of_strace(text), None);
        let text = format!("{text}--------- ------\n       15 total\n");
        let expected = Counts {
            all: 15.0,
            kinds: kinds(&[("openat", 3.0), ("read", 12.0)]),
        };
        assert_eq!(Counts::of_strace(&text), Some(expected));
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
            all: 44.0,
            kinds: kinds(&[("openat", 8.0), ("page fault", 4.0), ("read", 30.0)]),
        };
        assert_eq!(counts, expected);
    }

    #[test]
    fn start_and_end_do_not_count() {
        let fewer = Counts {
            all: 110.0,
            kinds: kinds(&[("read", 10.0), ("brk", 100.0)]),
        };
        let more = Counts {
            all: 290.0,
            kinds: kinds(&[("read", 100.0), ("write", 90.0), ("brk", 100.0)]),
        };
        let expected = Counts {
            all: 2.0,
            kinds: kinds(&[("read", 1.0), ("write", 1.0), ("brk", 0.0)]),
        };
        assert_eq!(more.per_operation(&fewer, 90.0), expected);
    }
}
