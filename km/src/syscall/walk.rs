//! Paths through links that only `/proc` has: those that are no paths but lead
//! to a file by themselves (`exe`, `fd/N`, `cwd`, `root` of a process). The
//! host would follow them to what is the monitor's; so paths that meet one are
//! walked here, part by part.

use std::collections::VecDeque;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::errno::Errno;
use crate::procfs::{self, View};
use crate::sys::{path, proc};
use crate::task::process::Process;

/// Most links on one way (`MAXSYMLINKS`).
const MOST_LINKS: u32 = 40;

/// Where a path leads.
#[derive(Debug)]
pub enum Found {
    /// To this file, which is held (`O_PATH`) out of the payload's reach.
    File(OwnedFd),
    /// To nothing in this directory.
    Missing { directory: OwnedFd, name: CString },
}

/// Follows `path` from `directory`, which may be `AT_FDCWD`. A link at its end
/// is followed if `follow` says so.
///
/// # Errors
///
/// As `open(2)`.
pub fn walk(process: &Process, directory: i32, path: &[u8], follow: bool) -> Result<Found, Errno> {
    walk_from(process, directory, path, follow).map(|(found, _)| found)
}

/// As [`walk`], and the directory that a file was found in, if it is another.
///
/// # Errors
///
/// As `open(2)`.
pub fn walk_from(
    process: &Process,
    directory: i32,
    path: &[u8],
    follow: bool,
) -> Result<(Found, Option<OwnedFd>), Errno> {
    if path.is_empty() {
        return Err(Errno::ENOENT);
    }
    let mut walk = Walk {
        process,
        at: None,
        before: None,
        start: directory,
        rest: VecDeque::new(),
        links: 0,
    };
    let slash = path.ends_with(b"/");
    walk.go_on_with(path)?;
    let (found, parent) = walk.run(follow || slash)?;
    if slash
        && let Found::File(file) = &found
        && proc::file_kind(file.as_fd())? != libc::S_IFDIR
    {
        return Err(Errno::ENOTDIR);
    }
    Ok((found, parent))
}

struct Walk<'a> {
    process: &'a Process,
    /// The directory that was come to; none at the start.
    at: Option<OwnedFd>,
    /// The one it was come to from.
    before: Option<OwnedFd>,
    start: i32,
    rest: VecDeque<Vec<u8>>,
    links: u32,
}

impl Walk<'_> {
    fn run(mut self, follow: bool) -> Result<(Found, Option<OwnedFd>), Errno> {
        while let Some(part) = self.rest.pop_front() {
            let last = self.rest.is_empty();
            let name = CString::new(part).map_err(|_| Errno::ENOENT)?;
            let next = match self.open(&name, libc::O_NOFOLLOW) {
                Err(Errno::ENOENT) if last => {
                    let directory = self.here()?;
                    return Ok((Found::Missing { directory, name }, None));
                }
                next => next?,
            };
            let is_link = proc::file_kind(next.as_fd())? == libc::S_IFLNK;
            if !is_link || last && !follow {
                self.before = self.at.replace(next);
                continue;
            }
            self.links += 1;
            if self.links > MOST_LINKS {
                return Err(Errno::ELOOP);
            }
            if !proc::is_on_procfs(next.as_fd()) {
                self.go_on_with(&path::target_of(next.as_fd())?)?;
                continue;
            }
            let near = self.at.as_ref().map_or(self.start, OwnedFd::as_raw_fd);
            match procfs::look_opened(self.process, next.as_fd(), near) {
                View::File(path) => self.go_on_with(&path)?,
                View::Refused(errno) => return Err(errno),
                // The host does know where it leads.
                View::Host | View::Text(_) | View::Memory => {
                    let file = self.open(&name, 0)?;
                    self.before = self.at.replace(file);
                }
            }
        }
        let file = self.here()?;
        Ok((Found::File(file), self.before))
    }

    /// Puts the parts of `path` before what is left.
    fn go_on_with(&mut self, path: &[u8]) -> Result<(), Errno> {
        if path.starts_with(b"/") {
            let root = || path::open_at(libc::AT_FDCWD, c"/", libc::O_PATH);
            self.at = Some(self.process.fds.adopt(root)?);
        }
        let parts = path.split(|byte| *byte == b'/');
        let parts = parts.filter(|part| !part.is_empty());
        for part in parts.rev() {
            self.rest.push_front(part.to_vec());
        }
        Ok(())
    }

    fn open(&self, name: &CString, flags: i32) -> Result<OwnedFd, Errno> {
        let directory = self.at.as_ref().map_or(self.start, OwnedFd::as_raw_fd);
        let open = || path::open_at(directory, name, flags | libc::O_PATH);
        self.process.fds.adopt(open)
    }

    fn here(&mut self) -> Result<OwnedFd, Errno> {
        match self.at.take() {
            Some(at) => Ok(at),
            None => self.open(&c".".to_owned(), 0),
        }
    }
}
