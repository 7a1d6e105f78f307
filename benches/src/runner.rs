//! The ways to run a guest: natively, under km, and under what other sandboxes are installed.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::bundle;
use crate::measures::Sample;
use crate::process_floors::BARE_PROCESS;
use crate::target::{FLOOR, KM, NATIVE, RUNTIME};

/// The guest's own word for "this CPU, as I see it, cannot do that".
const EXIT_SKIPPED: i32 = 77;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
    Start(String, #[source] io::Error),
    #[error("{what}: {status}{stderr}")]
    Failed {
        what: String,
        status: std::process::ExitStatus,
        stderr: String,
    },
    #[error("the CPU as seen there lacks what the guest needs")]
    Skipped,
    #[error("printed {0:?} where {1:?} was expected")]
    Output(String, &'static str),
    #[error("{0}")]
    Look(String, #[source] io::Error),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Runner {
    Native,
    Km(PathBuf),
    /// km, with the guest of its own C library.
    Runtime(PathBuf),
    /// This program itself, as a process that has the bare VM.
    BareProcess(PathBuf),
    Qemu(PathBuf),
    Crun(PathBuf),
    Runsc(PathBuf),
}

/// A guest program with its arguments, ready to be run.
#[derive(Clone, Debug)]
pub struct Guest {
    pub program: PathBuf,
    pub args: Vec<String>,
    /// The file it works on, if any.
    pub data: Option<PathBuf>,
    /// Where bundles and state of container runtimes go.
    pub scratch: PathBuf,
}

impl Runner {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Native => NATIVE,
            Self::Km(_) => KM,
            Self::Runtime(_) => RUNTIME,
            Self::BareProcess(_) => FLOOR,
            Self::Qemu(_) => "qemu-x86_64",
            Self::Crun(_) => "crun",
            Self::Runsc(_) => "runsc",
        }
    }

    /// What of the other sandboxes is installed.
    pub fn peers() -> Vec<Self> {
        let mut peers = Vec::new();
        peers.extend(in_path("crun").map(Self::Crun));
        peers.extend(in_path("runsc").map(Self::Runsc));
        peers.extend(in_path("qemu-x86_64-static").map(Self::Qemu));
        peers
    }

    /// What has to be in place before `guest` can be run.
    pub fn prepare(&self, guest: &Guest) -> Result<(), Error> {
        match self {
            Self::Crun(_) | Self::Runsc(_) => bundle::write(guest)
                .map_err(|error| Error::Start("writing the container bundle".to_owned(), error)),
            _ => Ok(()),
        }
    }

    fn command(&self, guest: &Guest) -> Command {
        let with_guest = |path: &Path, before: &[&str]| {
            let mut command = Command::new(path);
            command.args(before).arg(&guest.program).args(&guest.args);
            command
        };
        match self {
            Self::Native => {
                let mut command = Command::new(&guest.program);
                command.args(&guest.args);
                command
            }
            Self::Km(path) | Self::Runtime(path) => with_guest(path, &["--"]),
            Self::Qemu(path) => with_guest(path, &[]),
            Self::BareProcess(path) => {
                let mut command = Command::new(path);
                command.arg(BARE_PROCESS).args(&guest.args);
                command
            }
            Self::Crun(path) => container(path, &[], guest),
            Self::Runsc(path) => container(path, &["--network=none", "--ignore-cgroups"], guest),
        }
    }

    /// Runs the guest once.
    pub fn sample(&self, guest: &Guest, sample: Sample) -> Result<f64, Error> {
        let mut command = self.command(guest);
        let what = command.get_program().to_string_lossy().into_owned();
        let start_error = |error| Error::Start(what.clone(), error);
        match sample {
            Sample::WholeRun(_) => {
                command
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null());
                let start = Instant::now();
                let status = command.status().map_err(start_error)?;
                let elapsed = start.elapsed();
                check(&what, status, &[])?;
                Ok(elapsed.as_secs_f64() * 1e9)
            }
            Sample::Printed => {
                let output = command.stdin(Stdio::null()).output().map_err(start_error)?;
                check(&what, output.status, &output.stderr)?;
                let text = String::from_utf8_lossy(&output.stdout);
                match text.trim().parse::<f64>() {
                    Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
                    _ => Err(Error::Output(text.into_owned(), "one positive number")),
                }
            }
            Sample::IdleMemory => idle_memory(&what, &mut command),
        }
    }

    /// Runs the guest once with its output looked at: a guest that does nothing must not pass for
    /// a fast one.
    pub fn check_whole_run(&self, guest: &Guest, wanted: &'static str) -> Result<(), Error> {
        let mut command = self.command(guest);
        let what = command.get_program().to_string_lossy().into_owned();
        let output = command
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Error::Start(what.clone(), error))?;
        check(&what, output.status, &output.stderr)?;
        if output.stdout == wanted.as_bytes() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Err(Error::Output(text, wanted))
    }
}

fn container(runtime: &Path, options: &[&str], guest: &Guest) -> Command {
    let mut command = Command::new(runtime);
    let state = bundle::state(guest, runtime);
    command.args(options);
    command.args(bundle::run_words(&state, &bundle::directory(guest)));
    command
}

fn check(what: &str, status: std::process::ExitStatus, stderr: &[u8]) -> Result<(), Error> {
    if status.success() {
        return Ok(());
    }
    if status.code() == Some(EXIT_SKIPPED) {
        return Err(Error::Skipped);
    }
    let text = String::from_utf8_lossy(stderr);
    let line = text.lines().rfind(|line| !line.trim().is_empty());
    Err(Error::Failed {
        what: what.to_owned(),
        status,
        stderr: line.map_or_else(String::new, |line| format!(": {line}")),
    })
}

/// Starts the guest, waits until it says that it runs, and adds up the memory that is its own.
fn idle_memory(what: &str, command: &mut Command) -> Result<f64, Error> {
    let look = |error| Error::Look(format!("looking at {what}"), error);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| Error::Start(what.to_owned(), error))?;
    let mut line = String::new();
    if let Some(stdout) = &mut child.stdout {
        BufReader::new(stdout).read_line(&mut line).map_err(look)?;
    }
    let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", child.id()));
    // Closing its standard input ends the guest.
    drop(child.stdin.take());
    let status = child.wait().map_err(look)?;
    check(what, status, &[])?;
    if line != "ready\n" {
        return Err(Error::Output(line, "ready"));
    }
    private_memory(&rollup.map_err(look)?)
        .ok_or_else(|| Error::Output("/proc/PID/smaps_rollup".to_owned(), "Private_ lines"))
}

/// `Private_Clean` and `Private_Dirty` of an smaps file, added up, in KiB.
fn private_memory(smaps: &str) -> Option<f64> {
    let mut sum = None;
    for line in smaps.lines() {
        let mut words = line.split_ascii_whitespace();
        if let Some("Private_Clean:" | "Private_Dirty:") = words.next() {
            let kib: f64 = words.next()?.parse().ok()?;
            *sum.get_or_insert(0.0) += kib;
        }
    }
    sum
}

/// The program called `name`, as a shell finds it.
pub fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|file| {
            fs::metadata(file)
                .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_memory_is_clean_plus_dirty() {
        let smaps = "Rss:  400 kB\nShared_Clean: 9 kB\nPrivate_Clean:   12 kB\nPrivate_Dirty:  30 kB\nPrivate_Hugetlb: 7 kB\n";
        assert_eq!(private_memory(smaps), Some(42.0));
        assert_eq!(private_memory("Rss: 1 kB\n"), None);
        assert_eq!(private_memory("Private_Clean: many kB\n"), None);
    }
}
