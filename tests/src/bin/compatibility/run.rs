//! Runs a module, natively or under km, to its end or to ours.
//!
//! A test that hangs or takes the interpreter with it would hide all that come
//! after it. So it is noted, and the module is run again without the tests that
//! are known by then.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::compare::{Comparison, Results};
use crate::modules::{Limits, Module};
use crate::transcript::{self, Outcome};

const PYTHON: &str = "/usr/bin/python3";

/// Runs a command in a PID namespace of its own, where all dies with the first
/// process, and that one with us; it is a shell, since a program under test must
/// not be it.
const NAMESPACE: [&str; 8] = [
    "/usr/bin/setpriv",
    "--pdeathsig",
    "KILL",
    "/usr/bin/unshare",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
];
/// Signals are as in a terminal: a caller in the background ignores some.
const FIRST_PROCESS: [&str; 4] = [
    "/bin/sh",
    "-c",
    "env --default-signal \"$@\" 2>&1; exit $?",
    "sh",
];

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

/// What one start of the suite has brought.
#[derive(Debug)]
struct Attempt {
    text: String,
    /// Nothing, if it had to be ended.
    status: Option<ExitStatus>,
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
        let km = std::env::var_os("KM").map_or(
            "target/x86_64-unknown-linux-gnu/release/km".into(),
            PathBuf::from,
        );
        let km = std::path::absolute(km)?;
        if !native && !km.exists() {
            return Err(io::Error::other(format!("no km at {}", km.display())));
        }
        let mut probe = Command::new(NAMESPACE[0]);
        probe
            .args(&NAMESPACE[1..])
            .arg("/bin/true")
            .stderr(Stdio::null());
        Ok(Runner {
            version: String::from_utf8_lossy(&version).trim().to_owned(),
            km: (!native).then_some(km),
            namespaces: probe.status().is_ok_and(|status| status.success()),
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
        if self.namespaces {
            words.extend(NAMESPACE.map(String::from));
        }
        words.extend(FIRST_PROCESS.map(String::from));
        words.extend(km.map(|km| km.display().to_string()));
        words.extend([PYTHON, "-m", "test", "-v"].map(String::from));
        if !known.is_empty() {
            let list = directory.join("known");
            let lines: Vec<&str> = known.iter().copied().collect();
            fs::write(&list, lines.join("\n"))?;
            words.extend(["--ignorefile".to_owned(), list.display().to_string()]);
        }
        words.push(module.name.into());
        let mut command = Command::new(&words[0]);
        command
            .args(&words[1..])
            .current_dir(directory)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("LANG", "C.UTF-8")
            .env("HOME", directory)
            .env("TMPDIR", directory)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0);
        Ok(command)
    }
}

/// Reads what a command prints, until its end, its silence, or the deadline.
fn attend(mut command: Command, deadline: Instant, silence: Duration) -> io::Result<Attempt> {
    let mut child = command.spawn()?;
    let mut stdout = child.stdout.take().ok_or(io::Error::other("no pipe"))?;
    let (sender, receiver) = mpsc::channel();
    // It ends with the last process that holds the pipe, or not at all.
    thread::spawn(move || {
        let mut buffer = [0; 1 << 14];
        while let Ok(count @ 1..) = stdout.read(&mut buffer) {
            if sender.send(buffer[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    let mut bytes = Vec::new();
    let status = loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match receiver.recv_timeout(left.min(silence)) {
            Ok(chunk) => bytes.extend(chunk),
            // The first process held the pipe to its end.
            Err(RecvTimeoutError::Disconnected) => break Some(child.wait()?),
            Err(RecvTimeoutError::Timeout) => break child.try_wait()?,
        }
    };
    // Even after its own end: what it left running is not wanted.
    if let Some(pid) = Pid::from_raw(child.id().try_into().unwrap_or(0)) {
        let _ = kill_process_group(pid, Signal::KILL);
    }
    child.wait()?;
    Ok(Attempt {
        text: String::from_utf8_lossy(&bytes).into_owned(),
        status,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", script])
            .stdout(Stdio::piped())
            .process_group(0);
        command
    }

    #[test]
    fn an_own_end_has_a_status() {
        let deadline = Instant::now() + Duration::from_secs(20);
        let attempt = attend(
            shell("echo text; exit 2"),
            deadline,
            Duration::from_secs(20),
        );
        let attempt = attempt.expect("attended");
        assert_eq!(attempt.text, "text\n");
        assert_eq!(attempt.status.and_then(|status| status.code()), Some(2));
    }

    #[test]
    fn a_silent_command_is_ended_with_its_children() {
        let begun = Instant::now();
        let deadline = begun + Duration::from_secs(20);
        let silence = Duration::from_millis(300);
        let attempt = attend(shell("echo begun; sleep 60 & sleep 60"), deadline, silence);
        let attempt = attempt.expect("attended");
        assert_eq!(attempt.text, "begun\n");
        assert!(attempt.status.is_none());
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}
