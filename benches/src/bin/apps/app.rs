//! One run of one program: its directory, its server, its client.

use std::fs::{self, File};
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::starter::{Counts, Starter, exits_directory};

/// How long a server may take to answer or to end, and a client to be done.
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const LOOK_AGAIN: Duration = Duration::from_millis(20);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0} is not installed")]
    Missing(String),
    #[error("{0}: {1}")]
    Io(String, io::Error),
    #[error("{0} takes too long")]
    Slow(String),
    #[error("{what} failed: {said}")]
    Failed { what: String, said: String },
}

/// A program to be measured.
pub struct App {
    pub name: &'static str,
    pub title: &'static str,
    /// What must be installed.
    pub needs: &'static [&'static str],
    /// In the first run, which shows how many a second are to be expected.
    pub operations: u32,
    pub work: fn(&Run<'_>, Load) -> Result<Done, Error>,
}

/// How much is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    pub operations: u32,
    /// For clients that go by time.
    pub seconds: u32,
}

impl Load {
    /// What takes so long at so many operations a second.
    pub fn lasting(seconds: f64, rate: f64) -> Load {
        Load {
            operations: (rate * seconds).ceil() as u32,
            seconds: seconds.ceil() as u32,
        }
    }
}

/// What was done.
#[derive(Debug, Clone, Copy)]
pub struct Done {
    pub operations: f64,
    /// Operations a second.
    pub rate: f64,
}

impl App {
    pub fn check_installed(&self) -> Result<(), Error> {
        match self.needs.iter().find(|path| !Path::new(path).exists()) {
            Some(path) => Err(Error::Missing((*path).to_owned())),
            None => Ok(()),
        }
    }

    pub fn run(&self, place: &Place, starter: &Starter, load: Load) -> Result<Done, Error> {
        (self.work)(&Run::new(place, starter)?, load)
    }

    /// With what was counted.
    pub fn run_counted(
        &self,
        place: &Place,
        starter: &Starter,
        load: Load,
    ) -> Result<(f64, Counts), Error> {
        let run = Run::new(place, starter)?;
        let done = (self.work)(&run, load)?;
        Ok((done.operations, starter.counts(&run.directory)?))
    }
}

/// The directory of all runs, which goes with this.
pub struct Place(PathBuf);

impl Place {
    pub fn new() -> Result<Place, Error> {
        let name = format!("km-bench-apps.{}", std::process::id());
        let place = Place(std::env::temp_dir().join(name));
        open_directory(&place.0)?;
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // At worst a directory stays behind in /tmp.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Makes a directory for everybody: a server may have a user of its own.
fn open_directory(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o777)))
        .map_err(|error| Error::Io(path.display().to_string(), error))
}

/// A run in the making.
pub struct Run<'a> {
    place: &'a Place,
    directory: PathBuf,
    starter: &'a Starter,
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        // What stays goes with the place.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl<'a> Run<'a> {
    fn new(place: &'a Place, starter: &'a Starter) -> Result<Run<'a>, Error> {
        let directory = place.0.join("run");
        open_directory(&directory)?;
        open_directory(&exits_directory(&directory))?;
        Ok(Run {
            place,
            directory,
            starter,
        })
    }

    pub fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    /// A path that outlives this run, for what is made once.
    pub fn kept(&self, name: &str) -> String {
        self.place.0.join(name).display().to_string()
    }

    pub fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        fs::write(self.path(name), text).map_err(|error| Error::Io(name.to_owned(), error))
    }

    pub fn starter(&self) -> &'a Starter {
        self.starter
    }

    /// Runs the measured program to its end; what it printed.
    pub fn measured(&self, words: &[&str]) -> Result<String, Error> {
        self.output(self.starter.command(words, &self.directory)?)
    }

    /// Starts the measured server and waits until it listens on `port`.
    pub fn serve(&self, words: &[&str], port: u16) -> Result<Server, Error> {
        self.serve_by(self.starter, words, port)
    }

    pub fn serve_by(&self, starter: &Starter, words: &[&str], port: u16) -> Result<Server, Error> {
        let what = || words.join(" ");
        let io = |error| Error::Io(what(), error);
        let log = self.path("log");
        let mut command = starter.command(words, &self.directory)?;
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(&log).map_err(io)?);
        let child = command.spawn().map_err(io)?;
        let mut server = Server {
            receiver: child.id(),
            child,
        };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if server.has_ended() {
                let said = fs::read_to_string(&log).unwrap_or_default();
                return Err(failed(what(), &said));
            }
            if start.elapsed() > PATIENCE {
                return Err(Error::Slow(what()));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        server.receiver = starter.receiver(server.child.id())?;
        Ok(server)
    }

    /// Runs a command to its end; what it printed.
    fn output(&self, mut command: Command) -> Result<String, Error> {
        let what = format!("{command:?}");
        command.current_dir(&self.directory).stdin(Stdio::null());
        let output = command.output();
        let output = output.map_err(|error| Error::Io(what.clone(), error))?;
        if !output.status.success() {
            return Err(failed(what, &String::from_utf8_lossy(&output.stderr)));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// A native client, or whatever else is not measured; it has a time limit.
    pub fn client(&self, words: &[&str]) -> Result<String, Error> {
        let mut command = Command::new("timeout");
        command.arg(PATIENCE.as_secs().to_string()).args(words);
        self.output(command)
    }
}

/// The last line is the one that tells.
fn failed(what: String, said: &str) -> Error {
    let last = said.lines().rfind(|line| !line.trim().is_empty());
    let said = last.unwrap_or("it says nothing").trim().to_owned();
    Error::Failed { what, said }
}

/// A server that runs.
pub struct Server {
    child: Child,
    /// The process that signals are sent to.
    receiver: u32,
}

impl Server {
    fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)) | Err(_))
    }

    fn signal(&self, signal: &str) -> io::Result<()> {
        let id = self.receiver.to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status();
        sent.map(|_| ())
    }

    /// Ends it by a signal, as it likes to be ended.
    pub fn stop(mut self, signal: &str) -> Result<(), Error> {
        let sent = self.signal(signal);
        sent.map_err(|error| Error::Io("kill".to_owned(), error))?;
        let start = Instant::now();
        while !self.has_ended() {
            if start.elapsed() > PATIENCE {
                return Err(Error::Slow("the end of a server".to_owned()));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.has_ended() {
            // Something else has gone wrong already.
            let _ = self.signal("KILL");
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// A port that nobody listens on.
pub fn free_port() -> Result<u16, Error> {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let address = address.map_err(|error| Error::Io("a port".to_owned(), error))?;
    Ok(address.port())
}

fn is_of_number(byte: char) -> bool {
    byte.is_ascii_digit() || byte == '.'
}

/// The number behind `before` in `text`.
pub fn number_after(text: &str, before: &str) -> Result<f64, Error> {
    let found = text.split_once(before).and_then(|(_, rest)| {
        let rest = rest.trim_start_matches(|byte: char| !is_of_number(byte));
        rest.split(|byte: char| !is_of_number(byte))
            .next()?
            .parse()
            .ok()
    });
    found.ok_or_else(|| not_found(text, before))
}

/// The number in front of `after` in `text`.
pub fn number_before(text: &str, after: &str) -> Result<f64, Error> {
    let found = text.split_once(after).and_then(|(rest, _)| {
        rest.rsplit(|byte: char| !is_of_number(byte))
            .next()?
            .parse()
            .ok()
    });
    found.ok_or_else(|| not_found(text, after))
}

fn not_found(text: &str, wanted: &str) -> Error {
    failed(format!("looking for {wanted:?}"), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_behind_its_words() {
        let text = "\"test\",\"rps\"\n\"SET\",\"4524.89\",\"1\"\n";
        assert_eq!(number_after(text, "\"SET\"").ok(), Some(4524.89));
        assert_eq!(number_after("tps = 12.5 (x)", "tps").ok(), Some(12.5));
        assert!(number_after("nothing", "tps").is_err());
    }

    #[test]
    fn a_number_is_found_before_its_words() {
        let text = "Req/Sec 5.24k\n  10423 requests in 2.00s, 1.26MB read\n";
        assert_eq!(number_before(text, " requests in").ok(), Some(10423.0));
        assert!(number_before("no requests in", " requests in").is_err());
    }

    #[test]
    fn a_load_lasts() {
        let load = Load::lasting(1.2, 1000.4);
        assert_eq!((load.operations, load.seconds), (1201, 2));
    }
}
