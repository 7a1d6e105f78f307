//! From words on the command line to a checked configuration.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cli::Cli;
use crate::error::Error;
use crate::nsm;
use crate::task::exec::Inherited;

/// What C libraries take for `PATH` where it is not set.
const EXECVP_PATH: &str = "/bin:/usr/bin";

/// Everything a run of km needs to know.
#[derive(Debug)]
pub struct RunConfig {
    pub payload: PathBuf,
    pub argv: Vec<OsString>,
    pub env: Vec<OsString>,
    pub options: Options,
    /// The security module.
    pub nsm: nsm::Settings,
    /// Where km's own log goes.
    pub log: LogTo,
    /// Where the payload's output goes instead.
    pub log_to: Option<PathBuf>,
    /// What the program that executes this one hands over.
    pub inherited: Option<Inherited>,
}

/// Options that hold for all programs the payload executes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Options {
    pub device: PathBuf,
    pub memory: Option<u64>,
    /// Never randomise addresses.
    pub fixed_addresses: bool,
    pub strace: bool,
    pub stats: bool,
    /// With the payload's children.
    pub follow: bool,
    /// Where `strace` and `stats` go, if not to the log.
    pub report: Option<PathBuf>,
    pub dump_shutdown: bool,
    /// Of km's own log.
    pub log_filter: Option<String>,
}

impl Options {
    /// Whether the user can see more of the payload than what it shows.
    pub fn is_debugged(&self) -> bool {
        self.strace || self.dump_shutdown
    }

    /// The file the calling process reports to.
    pub fn report_path(&self) -> Option<PathBuf> {
        let path = self.report.clone()?;
        if !self.follow {
            return Some(path);
        }
        let mut name = path.into_os_string();
        name.push(format!(".{}", std::process::id()));
        Some(name.into())
    }
}

/// Where km's own log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTo {
    Stderr,
    Nowhere,
    File(PathBuf),
}

impl RunConfig {
    /// Checks and completes what the user said.
    ///
    /// # Errors
    ///
    /// Where there is no such payload.
    pub fn new(cli: Cli) -> Result<RunConfig, Error> {
        let name = cli.payload.first().cloned().unwrap_or_default();
        let nsm = cli.nsm.settings()?;
        let path = std::env::var_os("PATH");
        let payload = if cli.path_only {
            find_in_path(&name, path.as_deref())?
        } else {
            find(&name, path.as_deref())?
        };
        Ok(RunConfig {
            payload,
            argv: cli.payload,
            env: environment(&cli.env, cli.copyenv, std::env::vars_os()),
            options: Options {
                device: cli.device,
                memory: cli.memory,
                fixed_addresses: cli.no_aslr,
                strace: cli.strace,
                stats: cli.stats,
                follow: cli.follow,
                report: cli.output.map(absolute),
                dump_shutdown: cli.dump_shutdown,
                log_filter: cli.verbose,
            },
            nsm,
            log: match cli.km_log_to {
                path if path == Path::new("stderr") => LogTo::Stderr,
                path if path == Path::new("none") => LogTo::Nowhere,
                path => LogTo::File(path),
            },
            log_to: cli.log_to,
            inherited: None,
        })
    }
}

/// A path that holds wherever the payload goes.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// Where the payload is: a path as it stands; a bare name in the current
/// directory, then in `PATH`.
fn find(name: &OsStr, path: Option<&OsStr>) -> Result<PathBuf, Error> {
    let direct = PathBuf::from(name);
    if name.as_bytes().contains(&b'/') || direct.is_file() {
        return Ok(direct);
    }
    let found = path
        .map(std::env::split_paths)
        .into_iter()
        .flatten()
        .map(|directory| directory.join(name))
        .find(|candidate| !name.is_empty() && candidate.is_file());
    match found {
        Some(found) => Ok(found),
        // A directory of that name is no payload, and says so itself.
        None if direct.exists() && !name.is_empty() => Ok(direct),
        None => Err(Error::NotFound(direct)),
    }
}

/// As execvp(3): a name without a slash is looked for in `PATH` alone, where a
/// file that may not be executed is only taken if there is no other.
fn find_in_path(name: &OsStr, path: Option<&OsStr>) -> Result<PathBuf, Error> {
    if name.as_bytes().contains(&b'/') {
        return Ok(name.into());
    }
    let path = path.unwrap_or(OsStr::new(EXECVP_PATH));
    let candidates = || {
        let folders = std::env::split_paths(path);
        let all = folders.map(|folder| folder.join(name));
        all.filter(|candidate| !name.is_empty() && candidate.is_file())
    };
    candidates()
        .find(|candidate| is_executable(candidate))
        .or_else(|| candidates().next())
        .ok_or_else(|| Error::NotInPath(name.into()))
}

fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|file| file.permissions().mode() & 0o111 != 0)
}

/// The payload's environment: km's own, unless variables are given; both
/// with `copy`.
fn environment(
    given: &[OsString],
    copy: bool,
    own: impl Iterator<Item = (OsString, OsString)>,
) -> Vec<OsString> {
    let name = |variable: &OsStr| {
        let bytes = variable.as_bytes();
        bytes
            .iter()
            .position(|byte| *byte == b'=')
            .map(|at| bytes.split_at(at).0.to_vec())
    };
    let mut env = Vec::new();
    if copy || given.is_empty() {
        env.extend(own.map(|(key, value)| {
            let mut variable = key.into_vec();
            variable.push(b'=');
            variable.extend(value.into_vec());
            OsString::from_vec(variable)
        }));
    }
    for variable in given {
        env.retain(|old: &OsString| name(old) != name(variable));
        env.push(variable.clone());
    }
    env
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(given: &[&str], copy: bool) -> Vec<OsString> {
        let given: Vec<OsString> = given.iter().map(OsString::from).collect();
        let own = [("A", "1"), ("B", "2")].map(|(k, v)| (k.into(), v.into()));
        environment(&given, copy, own.into_iter())
    }

    #[test]
    fn environment_is_copied_replaced_or_merged() {
        assert_eq!(env(&[], false), ["A=1", "B=2"]);
        assert_eq!(env(&["C=3"], false), ["C=3"]);
        assert_eq!(env(&["A=9", "C=3"], true), ["B=2", "A=9", "C=3"]);
        assert_eq!(env(&["A=9", "A=8"], false), ["A=8"]);
    }

    #[test]
    fn names_are_found_in_path() {
        let path = OsString::from("/nonexistent:/bin:/usr/bin");
        assert_eq!(
            find("sh".as_ref(), Some(&path)).unwrap(),
            Path::new("/bin/sh")
        );
        assert!(find("no-such-program".as_ref(), Some(&path)).is_err());
        assert!(find("".as_ref(), Some(&path)).is_err());
        assert_eq!(find("./x".as_ref(), Some(&path)).unwrap(), Path::new("./x"));
    }

    #[test]
    fn the_current_directory_can_be_left_out() {
        // Tests start in the folder that has it.
        assert_eq!(
            find("Cargo.toml".as_ref(), None).unwrap(),
            Path::new("Cargo.toml")
        );
        assert!(find_in_path("Cargo.toml".as_ref(), None).is_err());
        let here = OsString::from("src:.:/bin");
        let found = |name: &str| find_in_path(name.as_ref(), Some(&here)).unwrap();
        assert_eq!(found("Cargo.toml"), Path::new("./Cargo.toml"));
        assert_eq!(found("sh"), Path::new("/bin/sh"));
        assert_eq!(found("./x"), Path::new("./x"));
        assert!(find_in_path("".as_ref(), Some(&here)).is_err());
    }
}
