//! `make stress`: the stressors of `stress-ng` that need no privilege, natively
//! and under km, and those that fail under km alone.
//!
//!     stress [--write FILE] [STRESSOR...]
//!
//! One at a time, because some count what is there in the whole machine. The
//! exit status says whether km has a failure whose reason is not known.

#[path = "../compatibility/attend.rs"]
mod attend;
mod page;
mod stressors;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::attend::Attempt;
use crate::stressors::STRESS_NG;

const NATIVE_LIMIT: Duration = Duration::from_secs(20);
const KM_LIMIT: Duration = Duration::from_secs(60);

const UNPRIVILEGED: [&str; 3] = ["/usr/bin/setpriv", "--inh-caps=-all", "--bounding-set=-all"];

/// A run that has not succeeded.
#[derive(Debug)]
pub struct Failure {
    pub how: String,
    /// The last line of output that says something of it.
    pub line: String,
}

/// A stressor, natively and, where that succeeds, under km.
pub type Comparison = (String, (Option<Failure>, Option<Failure>));

#[derive(Debug)]
struct Runner {
    km: PathBuf,
    namespaces: bool,
    /// Whether there are capabilities to drop.
    drops: bool,
    scratch: PathBuf,
}

fn main() -> ExitCode {
    match stress(std::env::args().skip(1)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("stress: {error}");
            ExitCode::from(2)
        }
    }
}

fn stress(mut args: impl Iterator<Item = String>) -> io::Result<bool> {
    let all = stressors::all()?;
    let mut write = None;
    let mut names = Vec::new();
    while let Some(arg) = args.next() {
        if arg == "--write" {
            write = Some(args.next().ok_or(io::Error::other("--write what?"))?);
        } else if all.contains(&arg) {
            names.push(arg);
        } else {
            let error = format!("no stressor {arg}; there are {}", all.join(" "));
            return Err(io::Error::other(error));
        }
    }
    let runner = Runner {
        km: attend::km()?,
        namespaces: attend::works(&attend::NAMESPACE),
        drops: attend::works(&UNPRIVILEGED),
        scratch: std::env::temp_dir().join(format!("km-stress.{}", std::process::id())),
    };
    let mut comparisons: Vec<Comparison> = Vec::new();
    for name in if names.is_empty() { all } else { names } {
        let mut sides = (runner.run(&name, None, NATIVE_LIMIT)?, None);
        if sides.0.is_none() {
            sides.1 = runner.run(&name, Some(&runner.km), KM_LIMIT)?;
        }
        println!("{}", page::line(&name, &sides));
        comparisons.push((name, sides));
    }
    let _ = fs::remove_dir_all(&runner.scratch);
    println!("{}", page::summary(&comparisons));
    if let Some(file) = write {
        fs::write(file, page::page(&version()?, &comparisons))?;
    }
    let is_fine = |(name, (_, km)): &Comparison| km.is_none() || stressors::reason(name).is_some();
    Ok(comparisons.iter().all(is_fine))
}

/// `stress-ng 0.15.06`, from `stress-ng, version 0.15.06 (gcc …)`.
fn version() -> io::Result<String> {
    let output = Command::new(STRESS_NG).arg("--version").output()?.stdout;
    let text = String::from_utf8_lossy(&output).replace(", version", "");
    Ok(text.split(" (").next().unwrap_or_default().trim().into())
}

impl Runner {
    fn run(&self, name: &str, km: Option<&Path>, limit: Duration) -> io::Result<Option<Failure>> {
        let side = if km.is_some() { "km" } else { "native" };
        let directory = self.scratch.join(format!("{name}-{side}"));
        fs::create_dir_all(&directory)?;
        let drop: &[&str] = if self.drops { &UNPRIVILEGED } else { &[] };
        let mut words: Vec<String> = drop.iter().map(ToString::to_string).collect();
        words.extend(km.map(|km| km.display().to_string()));
        words.extend([STRESS_NG.into(), format!("--{name}"), "1".into()]);
        words.extend(["--timeout", "1", "--verify"].map(String::from));
        let command = attend::command(self.namespaces, &words, &directory);
        let attempt = attend::attend(command, Instant::now() + limit, limit)?;
        // What is just being killed may still write there; then it goes at the end.
        let _ = fs::remove_dir_all(&directory);
        Ok(failure(&attempt, limit))
    }
}

/// A stressor that finds it cannot run succeeds all the same, and says so.
fn failure(attempt: &Attempt, limit: Duration) -> Option<Failure> {
    let is_skip = |line: &&str| line.contains("skipping") || line.contains("will be skipped");
    let lines = || attempt.text.lines().rev();
    let how = match attempt.status.map(|status| status.code()) {
        None => format!("does not end in {} s", limit.as_secs()),
        Some(Some(0)) if lines().any(|line| is_skip(&line)) => "skips itself".into(),
        Some(Some(0)) => return None,
        Some(code) => code.map_or("killed".into(), |code| format!("exit code {code}")),
    };
    let line = lines().find(|line| is_skip(line) || line.contains(" fail: "));
    let line = line.or_else(|| lines().find(|line| !line.contains(" info: ")));
    // Without `stress-ng: fail:  [PID] `.
    let line = line.map_or("", |line| line.split_once("] ").map_or(line, |(_, l)| l));
    let line = line.into();
    Some(Failure { how, line })
}
