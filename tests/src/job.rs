//! What is to be run, and what came of it: plain data, so that a job can be
//! sent into the emulated host and its outcome sent back.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One run of one program.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Job {
    /// The program's path; a relative one is looked up in the scratch directory.
    pub program: String,
    pub args: Vec<String>,
    /// Beside the few variables every run has; see [`crate::process`].
    pub env: Vec<(String, String)>,
    /// What to feed to standard input; without it, that is `/dev/null`.
    pub stdin: Option<Vec<u8>>,
    /// Made in the scratch directory before the run.
    pub files: Vec<File>,
    /// If there is any step, the program runs on a terminal of its own and
    /// these are the keys typed at it.
    pub dialogue: Vec<Step>,
    /// What the machine must have for the run to make sense; see
    /// [`crate::machine`].
    pub needs: Vec<String>,
    pub timeout: Duration,
    /// Options for the monitor.
    pub options: Vec<String>,
    /// For a program that starts others: the variable that tells it by what.
    pub starter: Option<String>,
}

/// How long a run may take if nothing else is said.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);

impl Job {
    pub fn new(program: impl Into<String>) -> Job {
        Job {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            stdin: None,
            files: Vec::new(),
            dialogue: Vec::new(),
            needs: Vec::new(),
            timeout: DEFAULT_TIMEOUT,
            options: Vec::new(),
            starter: None,
        }
    }

    /// The same run, made by the monitor at `km`.
    pub fn under(&self, km: &str) -> Job {
        let mut job = self.clone();
        match &job.starter {
            Some(variable) => job.env.push((variable.clone(), km.into())),
            None => {
                let program = std::mem::replace(&mut job.program, km.into());
                let options = std::mem::take(&mut job.options);
                job.args.splice(0..0, options.into_iter().chain([program]));
            }
        }
        job
    }
}

/// A file made in the scratch directory before a run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct File {
    pub name: String,
    pub content: Vec<u8>,
    pub mode: u32,
}

impl File {
    /// A file with this text; a script is made executable.
    pub fn new(name: impl Into<String>, text: &str) -> File {
        let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
        File {
            name: name.into(),
            content: text.into(),
            mode,
        }
    }
}

/// One step of a conversation at a terminal.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Wait until this has been printed since the last step,
    pub wait: String,
    /// then type this.
    pub send: String,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub end: End,
    /// On a terminal: all that the screen was sent, standard error included.
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// What the scratch directory holds afterwards, sorted by path.
    pub files: Vec<Entry>,
}

impl Outcome {
    /// An outcome without output, for a run that did not get to make any.
    pub fn without_output(end: End) -> Outcome {
        Outcome {
            end,
            stdout: Vec::new(),
            stderr: Vec::new(),
            files: Vec::new(),
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    Exit(i32),
    Signal(i32),
    /// Killed, with its whole process group, after this long.
    Timeout(Duration),
    /// Killed because it printed more than this many bytes.
    Flood(usize),
    /// Not even SIGKILL ended it.
    Unkillable,
    /// The machine has not what the job needs; nothing was run.
    Lacks(String),
    /// Could not be started or watched.
    Failed(String),
}

impl End {
    /// Whether the program itself brought about this end.
    pub fn is_own(&self) -> bool {
        matches!(self, End::Exit(_) | End::Signal(_))
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Exit(code) => write!(f, "exit code {code}"),
            End::Signal(number) => match signal_name(*number) {
                Some(name) => write!(f, "killed by {name}"),
                None => write!(f, "killed by signal {number}"),
            },
            End::Timeout(after) => write!(f, "still running after {} s", after.as_secs()),
            End::Flood(limit) => write!(f, "printed more than {limit} bytes"),
            End::Unkillable => write!(f, "did not die from SIGKILL"),
            End::Lacks(what) => write!(f, "this machine lacks {what}"),
            End::Failed(why) => write!(f, "could not be run: {why}"),
        }
    }
}

/// A file found in the scratch directory after a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub path: String,
    pub mode: u32,
    pub content: Content,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    Bytes(Vec<u8>),
    /// A file too long to keep.
    Digest {
        len: u64,
        crc32: u32,
    },
    Link(String),
    Directory,
    /// A socket, FIFO or device node, or a file that may not be read.
    Special,
}

/// The signals of Linux on x86-64, from 1.
const SIGNALS: [&str; 31] = [
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

pub fn signal_number(name: &str) -> Option<i32> {
    let index = SIGNALS.iter().position(|known| *known == name)?;
    i32::try_from(index + 1).ok()
}

pub fn signal_name(number: i32) -> Option<&'static str> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    SIGNALS.get(index).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_numbered_as_linux_does() {
        assert_eq!(signal_number("SIGSEGV"), Some(11));
        assert_eq!(signal_number("SIGSYS"), Some(31));
        assert_eq!(signal_name(9), Some("SIGKILL"));
        assert_eq!(signal_name(0), None);
        assert_eq!(signal_name(32), None);
        assert_eq!(signal_number("SIGNOT"), None);
    }

    #[test]
    fn under_km_the_program_becomes_the_first_argument() {
        let mut job = Job::new("/bin/true");
        job.args = vec!["x".into()];
        let job = job.under("/km");
        assert_eq!(job.program, "/km");
        assert_eq!(job.args, ["/bin/true", "x"]);
        let mut job = Job::new("/bin/sh");
        job.starter = Some("RUN".into());
        let job = job.under("/km");
        assert_eq!(job.program, "/bin/sh");
        assert_eq!(job.env, [("RUN".into(), "/km".into())]);
    }
}
