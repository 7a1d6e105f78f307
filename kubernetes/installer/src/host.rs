//! The node's files, below a folder. Links are followed as the node would
//! follow them: none leads out of that folder.

use std::fmt;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};

use crate::error::Error;

/// One change of the node; paths are the node's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Folder(String),
    Write {
        path: String,
        contents: Vec<u8>,
        /// None: as the file in its place has it, whose owner is kept as well.
        mode: Option<u32>,
    },
    Link {
        path: String,
        target: PathBuf,
    },
    Remove(String),
    /// If nothing is in it.
    RemoveFolder(String),
}

impl Change {
    pub fn write(path: &str, contents: impl Into<Vec<u8>>) -> Change {
        Change::Write {
            path: path.to_owned(),
            contents: contents.into(),
            mode: None,
        }
    }

    pub fn path(&self) -> &str {
        match self {
            Change::Folder(path)
            | Change::Write { path, .. }
            | Change::Link { path, .. }
            | Change::Remove(path)
            | Change::RemoveFolder(path) => path,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = match self {
            Change::Folder(_) => "make",
            Change::Write { .. } | Change::Link { .. } => "write",
            Change::Remove(_) | Change::RemoveFolder(_) => "remove",
        };
        write!(f, "{verb} {}", self.path())
    }
}

/// What is at a path.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    Nothing,
    Folder,
    File { contents: Vec<u8>, mode: u32 },
    Link(PathBuf),
    Other,
}

#[derive(Debug)]
pub struct Host {
    root: OwnedFd,
}

/// A path that can be used while the folder is open.
struct Place {
    path: PathBuf,
    _folder: OwnedFd,
}

impl Host {
    pub fn open(root: &Path) -> Result<Host, Error> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::openat(CWD, root, flags, Mode::empty()) {
            Ok(root) => Ok(Host { root }),
            Err(error) => Err(Error::Files {
                path: root.to_owned(),
                error: error.into(),
            }),
        }
    }

    /// The contents of a file that may be missing.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        match self.find(path)? {
            Found::Nothing => Ok(None),
            Found::File { contents, .. } => Ok(Some(contents)),
            Found::Folder | Found::Link(_) | Found::Other => {
                let error = io::Error::other("not a file, or a link: not touched");
                Err(at(path)(error))
            }
        }
    }

    pub fn find(&self, path: &str) -> Result<Found, Error> {
        let found = || {
            let place = match self.place(path) {
                Err(error) if is_missing(&error) => return Ok(Found::Nothing),
                place => place?,
            };
            let place = &place.path;
            let metadata = match fs::symlink_metadata(place) {
                Err(error) if is_missing(&error) => return Ok(Found::Nothing),
                metadata => metadata?,
            };
            let kind = metadata.file_type();
            Ok(if kind.is_dir() {
                Found::Folder
            } else if kind.is_symlink() {
                Found::Link(fs::read_link(place)?)
            } else if kind.is_file() {
                Found::File {
                    contents: fs::read(place)?,
                    mode: metadata.permissions().mode() & 0o7777,
                }
            } else {
                Found::Other
            })
        };
        found().map_err(at(path))
    }

    /// Whether there is something, behind links as well.
    pub fn exists(&self, path: &str) -> bool {
        self.resolve(path).is_ok()
    }

    pub fn make(&self, change: &Change) -> Result<(), Error> {
        let make = || {
            let place = self.place(change.path())?;
            let place = &place.path;
            match change {
                Change::Folder(_) => {
                    fs::create_dir(place)?;
                    fs::set_permissions(place, Permissions::from_mode(0o755))
                }
                Change::Write { contents, mode, .. } => write(place, contents, *mode),
                Change::Link { target, .. } => {
                    let new = beside(place)?;
                    symlink(target, &new)?;
                    fs::rename(new, place)
                }
                Change::Remove(_) => fs::remove_file(place),
                Change::RemoveFolder(_) => match fs::remove_dir(place) {
                    Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
                    result => result,
                },
            }
        };
        make().map_err(at(change.path()))
    }

    /// What undoes changes that are not made yet: the files as they are now.
    pub fn undo(&self, changes: &[Change]) -> Result<Vec<Change>, Error> {
        let as_now = |change: &Change| {
            let path = change.path();
            Ok(match self.read(path)? {
                Some(contents) => Change::write(path, contents),
                None => Change::Remove(path.to_owned()),
            })
        };
        changes.iter().map(as_now).collect()
    }

    /// Where a path's last part is; that part itself need not be there.
    fn place(&self, path: &str) -> io::Result<Place> {
        let path = Path::new(path);
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::Error::other("no name of a file"));
        };
        let folder = self.resolve(folder)?;
        Ok(Place {
            path: by_descriptor(&folder).join(name),
            _folder: folder,
        })
    }

    fn resolve(&self, path: impl rustix::path::Arg) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        Ok(openat2(&self.root, path, flags, Mode::empty(), inside)?)
    }
}

fn by_descriptor(fd: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", fd.as_raw_fd()))
}

fn is_missing(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}

fn at(path: &str) -> impl Fn(io::Error) -> Error + '_ {
    |error| Error::Node {
        path: path.to_owned(),
        error,
    }
}

/// A name for what takes a file's place once it is whole. An earlier run may
/// have been interrupted before that.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let mut name = path.as_os_str().to_owned();
    name.push(".km-new");
    let new = PathBuf::from(name);
    match fs::remove_file(&new) {
        Err(error) if !is_missing(&error) => Err(error),
        _ => Ok(new),
    }
}

fn write(path: &Path, contents: &[u8], mode: Option<u32>) -> io::Result<()> {
    let new = beside(path)?;
    let fill = || {
        // It may have secrets, until its mode is known only for its owner.
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(contents)?;
        match (mode, fs::symlink_metadata(path)) {
            (None, Ok(old)) if old.is_file() => {
                file.set_permissions(old.permissions())?;
                fchown(&file, Some(old.uid()), Some(old.gid()))?;
            }
            (mode, _) => {
                file.set_permissions(Permissions::from_mode(mode.unwrap_or(0o644)))?;
            }
        }
        file.sync_all()?;
        fs::rename(&new, path)
    };
    fill().inspect_err(|_| {
        // What has failed is said; this is only tidying.
        let _ = fs::remove_file(&new);
    })
}
