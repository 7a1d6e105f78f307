//! The installed runtime that does what krun does not.

use std::ffi::OsString;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::command_line::CommandLine;
use crate::error::{Error, Result};

const NAMES: [&str; 2] = ["crun", "runc"];
/// crun does not run where cgroups of both versions are mounted, which shows
/// by this file (`systemd.unified_cgroup_hierarchy` in systemd(1)).
const HYBRID: &str = "/sys/fs/cgroup/unified/cgroup.procs";
/// Where they are looked for after PATH, which engines may shorten.
const FOLDERS: &str =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/libexec/crio";
/// What each keeps of a container, in the container's folder of its own folder.
const STATES: [(&str, &str); 2] = [("crun", "status"), ("runc", "state.json")];

#[derive(Debug)]
pub struct Delegate {
    path: PathBuf,
    /// Its options before the subcommand.
    global: Vec<OsString>,
}

impl Delegate {
    /// The one that is asked for, else the one that has made the container that
    /// is spoken of, else the first that is installed.
    ///
    /// # Errors
    ///
    /// If it is not there.
    pub fn find(line: &CommandLine) -> Result<Delegate> {
        let path = match &line.delegate {
            Some(path) if is_program(path) && !is_krun(path) => path.clone(),
            Some(path) => return Err(Error::NotADelegate(path.clone())),
            None => installed(maker(line)).ok_or(Error::NoDelegate)?,
        };
        let global = line.global.clone();
        Ok(Delegate { path, global })
    }

    /// Becomes that runtime: returns only if it cannot.
    pub fn execute<I: IntoIterator<Item = OsString>>(&self, words: I) -> Error {
        let error = self.command().args(words).exec();
        Error::Delegate {
            path: self.path.clone(),
            error,
        }
    }

    /// What it says of a container.
    ///
    /// # Errors
    ///
    /// If it cannot be asked, or there is no such container.
    pub fn state(&self, id: &OsString) -> Result<Value> {
        let failed = |reason: String| Error::State {
            path: self.path.clone(),
            id: id.to_string_lossy().into_owned(),
            reason,
        };
        let mut command = self.command();
        command.args(["state", "--"]).arg(id).stdin(Stdio::null());
        let output = command.output().map_err(|error| Error::Delegate {
            path: self.path.clone(),
            error,
        })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(failed(said.lines().next().unwrap_or("failed").to_owned()));
        }
        serde_json::from_slice(&output.stdout).map_err(|error| failed(error.to_string()))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        // crun does other things under krun's name.
        command.arg0(&self.path).args(&self.global);
        command
    }
}

/// `first`, if it is there, or the first that is.
fn installed(first: Option<&str>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path)
        .chain(std::env::split_paths(FOLDERS))
        .filter(|folder| folder.is_absolute())
        .collect();
    let mut names = NAMES;
    if Path::new(HYBRID).exists() {
        names.reverse();
    }
    names.sort_by_key(|name| Some(*name) != first);
    names.iter().find_map(|name| {
        let mut all = folders.iter().map(|folder| folder.join(name));
        all.find(|path| is_program(path) && !is_krun(path))
    })
}

/// The one that has made the container which a word of the command names: which
/// is installed, or preferred, may have changed since.
fn maker(line: &CommandLine) -> Option<&'static str> {
    let ids = line.command.words().iter().skip(1).map(Path::new);
    let mut ids = ids.filter(|id| id.components().count() == 1);
    ids.find_map(|id| {
        STATES.iter().find_map(|(name, state)| {
            let folder = line.root.clone();
            let folder = folder.unwrap_or_else(|| Path::new("/run").join(name));
            folder.join(id).join(state).exists().then_some(*name)
        })
    })
}

fn is_krun(path: &Path) -> bool {
    let (found, own) = (std::fs::metadata(path), std::fs::metadata("/proc/self/exe"));
    matches!((found, own), (Ok(found), Ok(own)) if (found.dev(), found.ino()) == (own.dev(), own.ino()))
}

pub fn is_program(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}
