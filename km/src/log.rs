//! Where the monitor's own words go: its log, traces, reports.
//!
//! Levels: `error` ends the payload; `warn` is something the user should
//! change; `info` is an event of the monitor's life; `debug` is each decision;
//! `trace` is each exit. Payload input never logs above `debug`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use crate::config::Options;
use crate::fd::ReservedFds;
use crate::sys::proc;

/// A place to write lines to, on a descriptor the payload cannot touch. No
/// lock is held in a write, which may block: a child that is forked meanwhile
/// writes as well.
#[derive(Debug, Clone)]
pub struct Output(Arc<File>);

impl Output {
    /// The process's standard error as it is now.
    ///
    /// # Errors
    ///
    /// From `dup`: EBADF when it is closed.
    pub fn standard_error(fds: &ReservedFds) -> io::Result<Output> {
        Ok(Output::inherited(fds.adopt_copy(io::stderr().as_fd())?))
    }

    /// A file, appended to.
    ///
    /// # Errors
    ///
    /// From `open(2)`.
    pub fn file(path: &Path, fds: &ReservedFds) -> io::Result<Output> {
        let open = || OpenOptions::new().create(true).append(true).open(path);
        Ok(Output::inherited(fds.adopt(|| open().map(OwnedFd::from))?))
    }

    /// Nowhere.
    ///
    /// # Errors
    ///
    /// From `open(2)`.
    pub fn none(fds: &ReservedFds) -> io::Result<Output> {
        Output::file(Path::new("/dev/null"), fds)
    }

    /// A descriptor inherited from the program that executed this one.
    pub fn inherited(fd: OwnedFd) -> Output {
        Output(Arc::new(File::from(fd)))
    }

    /// The number of its descriptor.
    pub fn descriptor(&self) -> i32 {
        self.0.as_raw_fd()
    }

    /// In a new process: writes to a file of its own, where processes have
    /// such.
    pub fn renew_for(&self, options: &Options, fds: &ReservedFds) {
        let Some(path) = options.report_path() else {
            return;
        };
        let own = Output::file(&path, fds);
        if let Err(error) = own.and_then(|own| proc::put_in_place(own.0.as_fd(), self.0.as_fd())) {
            ::log::warn!("cannot write to {}: {error}", path.display());
        }
    }

    /// Writes `text`, in one piece where the file allows. A log that cannot
    /// be written is no reason to disturb the payload.
    pub fn write(&self, text: &str) {
        self.finish(self.begin(text));
    }

    /// Writes as much of `text` as the payload's limit on the size of files
    /// allows; the rest, for [`finish`](Self::finish).
    pub fn begin<'a>(&self, text: &'a str) -> &'a [u8] {
        proc::write_within_limit(&self.0, text.as_bytes()).unwrap_or_default()
    }

    /// Writes the rest. That is not to a file that keeps one waiting.
    pub fn finish(&self, rest: &[u8]) {
        if !rest.is_empty() {
            let _ = proc::write_beyond_limit(&self.0, rest);
        }
    }
}

/// What is logged without a word from the user.
const DEFAULT_FILTER: &str = "warn";

/// Sends the log to `output`. `filter` is in `env_logger`'s syntax: a level,
/// or `target=level` pairs.
pub fn start(output: Output, filter: Option<&str>) {
    let pipe = Pipe(output);
    let mut builder = env_logger::Builder::new();
    builder
        .parse_filters(filter.unwrap_or(DEFAULT_FILTER))
        .target(env_logger::Target::Pipe(Box::new(pipe)));
    builder.format(|out, record| {
        let target = record.target().trim_start_matches("km::");
        writeln!(
            out,
            "km: {} {target}: {}",
            record.level().as_str().to_lowercase(),
            record.args()
        )
    });
    // Only a second call fails, and there is none.
    let _ = builder.try_init();
}

struct Pipe(Output);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
