//! Runs one job: its own scratch directory, process group and time limit,
//! bounded output, and an end that is always found out.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Resource, Rlimit, Signal, getrlimit, kill_process_group, pidfd_open, setrlimit,
};

use crate::job::{End, Job, Outcome, Step};
use crate::scratch::Scratch;
use crate::{machine, terminal};

/// More output than this, on either stream, ends a run.
const OUTPUT_LIMIT: usize = 1 << 20;

/// How long to wait for more output when the program is gone but something it
/// started still holds its streams open.
const LINGER: Duration = Duration::from_secs(1);

/// How long a process may take to die from SIGKILL.
const DEATH: Duration = Duration::from_secs(5);

/// The whole environment of a run, but for what its job adds.
const ENVIRONMENT: [(&str, &str); 4] = [
    ("PATH", "/usr/local/bin:/usr/bin:/bin"),
    ("HOME", "/"),
    ("LANG", "C"),
    ("TZ", "UTC"),
];

/// To be called once: a program that dies on purpose shall not write a core
/// file.
pub fn disable_core_files() -> io::Result<()> {
    Ok(setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: getrlimit(Resource::Core).maximum,
        },
    )?)
}

/// Runs `job` in a scratch directory made at `scratch`.
pub fn run(job: &Job, scratch: &Path) -> Outcome {
    if let Some(lacking) = machine::lacks(&job.needs) {
        return Outcome::without_output(End::Lacks(lacking));
    }
    let scratch = match Scratch::create(scratch, &job.files) {
        Ok(scratch) => scratch,
        Err(error) => {
            return Outcome::without_output(End::Failed(format!("scratch directory: {error}")));
        }
    };
    let mut outcome = execute(job, scratch.path()).unwrap_or_else(|error| {
        Outcome::without_output(End::Failed(format!("{}: {error}", job.program)))
    });
    match scratch.entries() {
        Ok(entries) => outcome.files = entries,
        Err(error) => outcome.end = End::Failed(format!("scratch directory: {error}")),
    }
    outcome
}

/// A command for the job's program, in its directory and environment; the
/// streams are still to be set.
fn command(job: &Job, directory: &Path) -> io::Result<Command> {
    let mut command = if job.dialogue.is_empty() {
        let mut command = Command::new(&job.program);
        command.process_group(0);
        command
    } else {
        terminal::command(&job.program)?
    };
    command
        .args(&job.args)
        .current_dir(directory)
        .env_clear()
        .envs(ENVIRONMENT);
    command.envs(job.env.iter().map(|(name, value)| (name, value)));
    Ok(command)
}

fn execute(job: &Job, directory: &Path) -> io::Result<Outcome> {
    let mut command = command(job, directory)?;
    let (child, streams) = if job.dialogue.is_empty() {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.stdin(if job.stdin.is_some() {
            Stdio::piped()
        } else {
            Stdio::null()
        });
        let mut child = command.spawn()?;
        let streams = Streams {
            stdout: Output::new(child.stdout.take().map(OwnedFd::from))?,
            stderr: Output::new(child.stderr.take().map(OwnedFd::from))?,
            input: Input::pipe(child.stdin.take().map(OwnedFd::from), job.stdin.as_deref())?,
        };
        (child, streams)
    } else {
        let (master, slave) = terminal::open()?;
        command
            .stdin(slave.try_clone()?)
            .stdout(slave.try_clone()?)
            .stderr(slave);
        let child = command.spawn()?;
        // Until it is dropped the command holds the slave open, and reading
        // the master would never end.
        drop(command);
        let streams = Streams {
            stdout: Output::new(Some(master.try_clone()?))?,
            stderr: Output::new(None)?,
            input: Input::terminal(master, job),
        };
        (child, streams)
    };
    supervise(child, streams, job.timeout)
}

/// The program's side of the conversation.
struct Output {
    /// Until its end is reached.
    file: Option<File>,
    data: Vec<u8>,
}

impl Output {
    fn new(fd: Option<OwnedFd>) -> io::Result<Output> {
        if let Some(fd) = &fd {
            rustix::io::ioctl_fionbio(fd, true)?;
        }
        Ok(Output {
            file: fd.map(File::from),
            data: Vec::new(),
        })
    }

    /// Reads what is there; forgets the file at its end.
    fn read(&mut self) {
        let Some(file) = &mut self.file else { return };
        let mut buffer = [0; 1 << 14];
        match file.read(&mut buffer) {
            Ok(0) => self.file = None,
            Ok(count) => self.data.extend_from_slice(&buffer[..count]),
            Err(error) if is_transient(&error) => {}
            // The master of a terminal gives EIO once the last slave is closed.
            Err(_) => self.file = None,
        }
    }
}

/// Our side of the conversation.
struct Input {
    file: Option<File>,
    /// Still to be written.
    pending: Vec<u8>,
    /// Still to be said, in this order.
    steps: std::vec::IntoIter<Step>,
    /// The step that is next, and up to where the output has been dealt with.
    next: Option<Step>,
    seen: usize,
    /// A pipe is closed once everything is written; a terminal is not.
    closes: bool,
}

impl Input {
    fn pipe(fd: Option<OwnedFd>, data: Option<&[u8]>) -> io::Result<Input> {
        if let Some(fd) = &fd {
            rustix::io::ioctl_fionbio(fd, true)?;
        }
        let mut input = Input {
            file: fd.map(File::from),
            pending: data.unwrap_or_default().to_vec(),
            steps: Vec::new().into_iter(),
            next: None,
            seen: 0,
            closes: true,
        };
        input.close_if_done();
        Ok(input)
    }

    fn terminal(master: OwnedFd, job: &Job) -> Input {
        let mut steps = job.dialogue.clone().into_iter();
        let next = steps.next();
        let file = Some(File::from(master));
        Input {
            file,
            pending: Vec::new(),
            steps,
            next,
            seen: 0,
            closes: false,
        }
    }

    fn close_if_done(&mut self) {
        if self.closes && self.pending.is_empty() {
            self.file = None;
        }
    }

    /// Types the next keys, if what they wait for has been printed.
    fn listen(&mut self, output: &[u8]) {
        while let Some(step) = &self.next {
            let heard = output.get(self.seen..).unwrap_or_default();
            let Some(at) = find(heard, step.wait.as_bytes()) else {
                return;
            };
            self.seen += at + step.wait.len();
            self.pending.extend_from_slice(step.send.as_bytes());
            self.next = self.steps.next();
        }
    }

    /// Writes what can be written.
    fn write(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let Some(file) = &mut self.file else { return };
        match file.write(&self.pending) {
            Ok(count) => drop(self.pending.drain(..count)),
            Err(error) if is_transient(&error) => {}
            // Nobody reads it any more.
            Err(_) => self.pending.clear(),
        }
        self.close_if_done();
    }
}

struct Streams {
    stdout: Output,
    stderr: Output,
    input: Input,
}

impl Streams {
    fn are_at_end(&self) -> bool {
        self.stdout.file.is_none() && self.stderr.file.is_none()
    }

    fn overflow(&self) -> bool {
        self.stdout.data.len() > OUTPUT_LIMIT || self.stderr.data.len() > OUTPUT_LIMIT
    }

    /// Waits until `deadline` for one event, and deals with it. Says whether
    /// the process behind `pidfd` has ended.
    fn step(&mut self, pidfd: Option<&OwnedFd>, deadline: Instant) -> io::Result<bool> {
        let reading = PollFlags::IN;
        let mut waits = Vec::with_capacity(4);
        waits.extend(pidfd.map(|fd| PollFd::new(fd, reading)));
        waits.extend(
            self.stdout
                .file
                .as_ref()
                .map(|file| PollFd::new(file, reading)),
        );
        waits.extend(
            self.stderr
                .file
                .as_ref()
                .map(|file| PollFd::new(file, reading)),
        );
        if !self.input.pending.is_empty() {
            waits.extend(
                self.input
                    .file
                    .as_ref()
                    .map(|file| PollFd::new(file, PollFlags::OUT)),
            );
        }
        wait(&mut waits, deadline)?;
        let ended = pidfd.is_some() && waits.first().is_some_and(|fd| !fd.revents().is_empty());

        // All are nonblocking: one without news is simply left as it is.
        self.stdout.read();
        self.stderr.read();
        self.input.listen(&self.stdout.data);
        self.input.write();
        Ok(ended)
    }
}

/// Sees the child through to its end, and kills what is left of its group.
fn supervise(mut child: Child, mut streams: Streams, timeout: Duration) -> io::Result<Outcome> {
    let pid = Pid::from_child(&child);
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    let mut deadline = Instant::now() + timeout;
    let mut cut_short = None;
    let mut ended = false;
    while !(ended && streams.are_at_end()) {
        if Instant::now() >= deadline {
            if !ended {
                cut_short = Some(End::Timeout(timeout));
            }
            break;
        }
        if streams.overflow() {
            cut_short = Some(End::Flood(OUTPUT_LIMIT));
            break;
        }
        let watched = if ended { None } else { Some(&pidfd) };
        if streams.step(watched, deadline)? {
            ended = true;
            deadline = deadline.min(Instant::now() + LINGER);
        }
    }
    // The leader is not reaped yet, so the group still has its number; it may
    // well be empty otherwise.
    let _ = kill_process_group(pid, Signal::KILL);
    let mut death = [PollFd::new(&pidfd, PollFlags::IN)];
    wait(&mut death, Instant::now() + DEATH)?;
    let end = if death[0].revents().is_empty() {
        End::Unkillable
    } else {
        let status = child.wait()?;
        cut_short.unwrap_or_else(|| own_end(status))
    };
    Ok(Outcome {
        end,
        stdout: streams.stdout.data,
        stderr: streams.stderr.data,
        files: Vec::new(),
    })
}

fn own_end(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exit(code),
        (None, Some(signal)) => End::Signal(signal),
        (None, None) => End::Failed(format!("unknown wait status {status:?}")),
    }
}

/// `poll` until `deadline`; a signal or an early end counts as no event.
fn wait(fds: &mut [PollFd<'_>], deadline: Instant) -> io::Result<()> {
    let left = deadline.saturating_duration_since(Instant::now());
    let left = Timespec::try_from(left).map_err(io::Error::other)?;
    match poll(fds, Some(&left)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return Some(0);
    }
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Job {
        let mut job = Job::new("/bin/sh");
        job.args = vec!["-c".into(), script.into()];
        job
    }

    fn run_in(name: &str, job: &Job) -> Outcome {
        run(
            job,
            &std::env::temp_dir().join(format!("km-tests-{name}.{}", std::process::id())),
        )
    }

    #[test]
    fn both_streams_the_input_and_the_exit_code_arrive() {
        let mut job = shell("read line; echo got $line; echo bad >&2; echo x > made; exit 3");
        job.stdin = Some(b"this\n".to_vec());
        let outcome = run_in("streams", &job);
        assert_eq!(outcome.end, End::Exit(3));
        assert_eq!(outcome.stdout, b"got this\n");
        assert_eq!(outcome.stderr, b"bad\n");
        assert_eq!(outcome.files[0].path, "made");
    }

    #[test]
    fn a_large_input_and_output_do_not_block_each_other() {
        let mut job = Job::new("/bin/cat");
        job.stdin = Some(vec![b'x'; OUTPUT_LIMIT]);
        let outcome = run_in("large", &job);
        assert_eq!(outcome.end, End::Exit(0));
        assert_eq!(outcome.stdout.len(), OUTPUT_LIMIT);
    }

    #[test]
    fn the_fatal_signal_is_told() {
        assert_eq!(
            run_in("signal", &shell("kill -SEGV $$")).end,
            End::Signal(11)
        );
    }

    #[test]
    fn a_timeout_ends_the_whole_group_and_keeps_the_output() {
        let mut job = shell("echo begun; sleep 60 & sleep 60");
        job.timeout = Duration::from_millis(300);
        let begun = Instant::now();
        let outcome = run_in("timeout", &job);
        assert_eq!(outcome.end, End::Timeout(job.timeout));
        assert_eq!(outcome.stdout, b"begun\n");
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn what_a_program_leaves_running_is_not_waited_for() {
        let begun = Instant::now();
        let outcome = run_in("linger", &shell("sleep 60 & echo done"));
        assert_eq!(
            (outcome.end, outcome.stdout),
            (End::Exit(0), b"done\n".to_vec())
        );
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn endless_output_ends_the_run() {
        let outcome = run_in("flood", &shell("while :; do echo yes yes yes yes; done"));
        assert_eq!(outcome.end, End::Flood(OUTPUT_LIMIT));
    }

    #[test]
    fn what_cannot_be_started_is_an_outcome() {
        let outcome = run_in("nothing", &Job::new("/no/such/program"));
        assert!(matches!(outcome.end, End::Failed(_)), "{:?}", outcome.end);
        let mut job = shell("exit 0");
        job.needs = vec!["cpu:abacus".into()];
        assert_eq!(run_in("needs", &job).end, End::Lacks("cpu:abacus".into()));
    }
}
