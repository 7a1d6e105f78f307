//! Runs a command, natively or under km, to its end or to ours, and with it all
//! that it has started.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// Runs a command in PID and IPC namespaces of its own, where all dies with the
/// first process, and that one with us; it is a shell, since a program under test
/// must not be it.
pub const NAMESPACE: [&str; 9] = [
    "/usr/bin/setpriv",
    "--pdeathsig",
    "KILL",
    "/usr/bin/unshare",
    "--pid",
    "--ipc",
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

/// What one start of a command has brought.
#[derive(Debug)]
pub struct Attempt {
    pub text: String,
    /// Nothing, if it had to be ended.
    pub status: Option<ExitStatus>,
}

/// Whether this machine permits what comes before a command.
pub fn works(prefix: &[&str]) -> bool {
    let mut probe = Command::new(prefix[0]);
    probe
        .args(&prefix[1..])
        .arg("/bin/true")
        .stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success())
}

/// Words made a command with a small environment and `home` for its files.
pub fn command(namespaces: bool, words: &[String], home: &Path) -> Command {
    let prefix: &[&str] = if namespaces { &NAMESPACE } else { &[] };
    let mut all = prefix.iter().chain(&FIRST_PROCESS);
    let mut command = Command::new(all.next().unwrap_or(&"/bin/sh"));
    command
        .args(all)
        .args(words)
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("LANG", "C.UTF-8")
        .env("HOME", home)
        .env("TMPDIR", home)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0);
    command
}

/// Reads what a command prints, until its end, its silence, or the deadline.
pub fn attend(mut command: Command, deadline: Instant, silence: Duration) -> io::Result<Attempt> {
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
