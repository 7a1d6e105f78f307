//! One run of one program: its directory, its server, its client, and what is
//! counted.

use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to answer or to end, and a client to be done.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}")]
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
    /// In one run.
    pub operations: u32,
    /// Makes so many operations; how many a second.
    pub work: fn(&Run<'_>, u32) -> Result<f64, Error>,
}

/// What came of a run.
pub struct Outcome {
    pub rate: f64,
    /// Of all processes, where they were counted.
    pub exits: f64,
}

/// The words before the program.
pub struct Starter {
    km: Option<PathBuf>,
    counts: bool,
}

impl Starter {
    pub fn native() -> Starter {
        Starter {
            km: None,
            counts: false,
        }
    }

    pub fn km(km: &Path) -> Starter {
        Starter {
            km: Some(km.to_path_buf()),
            counts: false,
        }
    }

    pub fn counting(km: &Path) -> Starter {
        Starter {
            counts: true,
            ..Starter::km(km)
        }
    }
}

impl App {
    pub fn check_installed(&self) -> Result<(), Error> {
        match self.needs.iter().find(|path| !Path::new(path).exists()) {
            Some(path) => Err(Error::Missing((*path).to_owned())),
            None => Ok(()),
        }
    }

    pub fn run(&self, starter: &Starter, operations: u32) -> Result<Outcome, Error> {
        let name = format!("km-bench-apps.{}.{}", std::process::id(), self.name);
        let directory = std::env::temp_dir().join(name);
        let io = |error| Error::Io(directory.display().to_string(), error);
        fs::create_dir_all(directory.join("stats")).map_err(io)?;
        // A server may have a user of its own.
        for path in [directory.clone(), directory.join("stats")] {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).map_err(io)?;
        }
        let run = Run { directory, starter };
        let rate = (self.work)(&run, operations)?;
        let exits = if starter.counts { run.exits()? } else { 0.0 };
        Ok(Outcome { rate, exits })
    }
}

/// A run in the making.
pub struct Run<'a> {
    directory: PathBuf,
    starter: &'a Starter,
}

impl Drop for Run<'_> {
    fn drop(&mut self) {
        // At worst a directory stays behind in /tmp.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Run<'_> {
    pub fn path(&self, name: &str) -> String {
        self.directory.join(name).display().to_string()
    }

    pub fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        fs::write(self.path(name), text).map_err(|error| Error::Io(name.to_owned(), error))
    }

    /// The measured program with its arguments.
    pub fn measured(&self, words: &[&str]) -> Command {
        let mut all = Vec::new();
        if let Some(km) = &self.starter.km {
            all.push(km.display().to_string());
            if self.starter.counts {
                let output = self.path("stats/process");
                all.extend(["--stats", "--follow", "-o", &output].map(String::from));
            }
            all.push("--".to_owned());
        }
        all.extend(words.iter().map(|word| (*word).to_owned()));
        let mut command = Command::new(&all[0]);
        command.args(&all[1..]).current_dir(&self.directory);
        command
    }

    /// Starts a server and waits until it listens on `port`.
    pub fn serve(&self, words: &[&str], port: u16) -> Result<Server, Error> {
        let mut command = self.measured(words);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.stderr(Stdio::null()).spawn();
        let child = child.map_err(|error| Error::Io(words.join(" "), error))?;
        let mut server = Server(child);
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if server.has_ended() || start.elapsed() > PATIENCE {
                return Err(Error::Slow(words.join(" ")));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(server)
    }

    /// Runs a command to its end; what it printed.
    pub fn output(&self, mut command: Command) -> Result<String, Error> {
        let what = format!("{command:?}");
        command.current_dir(&self.directory).stdin(Stdio::null());
        let output = command.output();
        let output = output.map_err(|error| Error::Io(what.clone(), error))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Error::Failed { what, said });
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// A native client, which has a time limit.
    pub fn client(&self, words: &[&str]) -> Result<String, Error> {
        let mut command = Command::new("timeout");
        command.arg(PATIENCE.as_secs().to_string()).args(words);
        self.output(command)
    }

    /// Adds up the lines between "exits" and the calls of each report.
    fn exits(&self) -> Result<f64, Error> {
        let io = |error| Error::Io("stats".to_owned(), error);
        let mut sum = 0.0;
        for entry in fs::read_dir(self.directory.join("stats")).map_err(io)? {
            let text = fs::read_to_string(entry.map_err(io)?.path()).map_err(io)?;
            let lines = text.lines().skip_while(|line| !line.ends_with("  exits"));
            let counts = lines.skip(1).take_while(|line| !line.contains("errors"));
            let count = |line: &str| line.split_whitespace().next()?.parse::<f64>().ok();
            sum += counts.filter_map(count).sum::<f64>();
        }
        Ok(sum)
    }
}

/// A server that runs.
pub struct Server(Child);

impl Server {
    fn has_ended(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(Some(_)) | Err(_))
    }

    /// Ends it by a signal, as it likes to be ended.
    pub fn stop(mut self, signal: &str) -> Result<(), Error> {
        let id = self.0.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status();
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
        // It has ended, or something else has gone wrong already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port that nobody listens on.
pub fn free_port() -> Result<u16, Error> {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let address = address.map_err(|error| Error::Io("a port".to_owned(), error))?;
    Ok(address.port())
}

/// The number behind `before` in `text`.
pub fn number_after(text: &str, before: &str) -> Result<f64, Error> {
    let found = text.split_once(before).and_then(|(_, rest)| {
        let digits = |byte: char| byte.is_ascii_digit() || byte == '.';
        let rest = rest.trim_start_matches(|byte: char| !digits(byte));
        rest.split(|byte: char| !digits(byte)).next()?.parse().ok()
    });
    found.ok_or_else(|| Error::Failed {
        what: format!("looking for {before:?}"),
        said: text.to_owned(),
    })
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
}
