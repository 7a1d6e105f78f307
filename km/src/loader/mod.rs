//! Brings a program into the payload's memory: file, interpreter, stack.

pub mod elf;
mod image;
mod note;
pub mod script;
pub mod stack;
pub mod vdso;

use std::ffi::{CString, OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::errno::Errno;
use crate::loader::elf::{ElfError, ElfHeader, ElfImage, Role};
use crate::loader::script::{ScriptError, parse_script};
use crate::loader::stack::StackError;
use crate::mem::mapping::FileInfo;
use crate::sys::{clone, path, proc};

pub use image::{Entry, Layout, base_name, load, prot};

/// Why a program cannot be run.
#[derive(Debug, Error)]
pub enum LoadError {
    #[error("{}: {errno}", path.display())]
    Open { path: PathBuf, errno: Errno },
    #[error("{}: is a directory", path.display())]
    Directory { path: PathBuf },
    #[error("{}: not a regular file", path.display())]
    NotRegular { path: PathBuf },
    #[error("{}: permission denied: the file is not executable (chmod +x)", path.display())]
    NotExecutable { path: PathBuf },
    #[error("{}: cannot be executed: {source}", path.display())]
    Elf { path: PathBuf, source: ElfError },
    #[error("{}: bad #! line: {source}", path.display())]
    Script { path: PathBuf, source: ScriptError },
    #[error("{}: too many levels of #! interpreters", path.display())]
    Loop { path: PathBuf },
    #[error("{}: its interpreter {source}{}", path.display(), remedy(interpreter, source))]
    Interpreter {
        path: PathBuf,
        interpreter: PathBuf,
        source: Box<LoadError>,
    },
    #[error("{0}")]
    Stack(#[from] StackError),
    #[error("{}: no room for it in memory: {errno}", path.display())]
    Map { path: PathBuf, errno: Errno },
}

impl LoadError {
    /// Whether the file could be had, and what is in it is wrong.
    pub fn is_about_content(&self) -> bool {
        !matches!(
            self,
            LoadError::Open { .. }
                | LoadError::Directory { .. }
                | LoadError::NotRegular { .. }
                | LoadError::NotExecutable { .. }
        )
    }

    /// The error `execve(2)` gives for it.
    pub fn errno(&self) -> Errno {
        match self {
            LoadError::Open { errno, .. } | LoadError::Map { errno, .. } => *errno,
            LoadError::Directory { .. }
            | LoadError::NotRegular { .. }
            | LoadError::NotExecutable { .. } => Errno::EACCES,
            LoadError::Elf { source, .. } => Errno::from_raw(source.errno()),
            LoadError::Script { source, .. } => Errno::from_raw(source.errno()),
            LoadError::Loop { .. } => Errno::ELOOP,
            LoadError::Interpreter { source, .. } => source.errno(),
            LoadError::Stack(source) => Errno::from_raw(source.errno()),
        }
    }
}

/// What to do where the dynamic linker of km's own C library is missing.
fn remedy(interpreter: &Path, source: &LoadError) -> &'static str {
    let missing = matches!(source.errno(), Errno::ENOENT | Errno::ENOTDIR);
    match missing && interpreter.ends_with("runtime/libc.so") {
        true => " (km's runtime is not installed there: make install)",
        false => "",
    }
}

/// A program file, open and found to be ELF.
#[derive(Debug)]
pub struct Program {
    pub path: PathBuf,
    pub file: File,
    pub info: Arc<FileInfo>,
    pub image: ElfImage,
}

impl Program {
    /// Its path from the root.
    pub fn absolute(&self) -> PathBuf {
        PathBuf::from(OsString::from_vec(self.info.path.clone()))
    }
}

/// What is to be run, after `#!` lines have been followed.
#[derive(Debug)]
pub struct Target {
    pub program: Program,
    pub interpreter: Option<Program>,
    /// The scripts whose `#!` lines have led to it.
    pub scripts: Vec<(PathBuf, File)>,
    pub argv: Vec<OsString>,
    /// The path as it was given: of the script, if it is one.
    pub execfn: OsString,
}

/// Opens `path`, which was given as `execfn`, and all it needs to run. From
/// where the payload has its root there may be no `/proc`: `proc_root` is, and
/// a path that goes through a descriptor (`by_descriptor`) begins there.
///
/// # Errors
///
/// What `execve(2)` would report.
pub fn resolve(
    path: &Path,
    execfn: &OsStr,
    argv: Vec<OsString>,
    by_descriptor: bool,
    proc_root: Option<BorrowedFd<'_>>,
) -> Result<Target, LoadError> {
    let finder = Finder { proc_root };
    let mut below = proc_root.filter(|_| by_descriptor);
    let mut path = path.to_owned();
    let mut name = execfn.to_owned();
    let mut argv = argv;
    let mut scripts = Vec::new();
    for _ in 0..=script::MAX_SCRIPTS {
        let file = finder.open_executable(&path, below.take())?;
        let head = read_head(&file, &path)?;
        let script = parse_script(&head).map_err(|source| LoadError::Script {
            path: path.clone(),
            source,
        })?;
        let Some(script) = script else {
            let (program, interpreter) = finder.read_program(path, file, &head)?;
            return Ok(Target {
                program,
                interpreter,
                scripts,
                argv,
                execfn: execfn.to_owned(),
            });
        };
        argv = script.argv(&name, &argv);
        let interpreter = PathBuf::from(script.interpreter);
        if let Err(source) = finder.open_executable(&interpreter, None) {
            return Err(LoadError::Interpreter {
                path,
                interpreter,
                source: Box::new(source),
            });
        }
        name = interpreter.as_os_str().to_owned();
        let script = std::mem::replace(&mut path, interpreter);
        scripts.push((script, file));
    }
    Err(LoadError::Loop {
        path: PathBuf::from(execfn),
    })
}

/// Finds files as the payload's paths lead to them.
struct Finder<'a> {
    proc_root: Option<BorrowedFd<'a>>,
}

impl Finder<'_> {
    /// The file at `path`; with `below`, the root of `/proc`, one below that.
    fn open_executable(
        &self,
        path: &Path,
        below: Option<BorrowedFd<'_>>,
    ) -> Result<File, LoadError> {
        let failed = |errno| LoadError::Open {
            path: path.to_owned(),
            errno,
        };
        let given = path.as_os_str().as_bytes();
        let (directory, name) = match (below, given.strip_prefix(b"/proc/")) {
            (Some(root), Some(name)) => (root.as_raw_fd(), name),
            _ => (libc::AT_FDCWD, given),
        };
        let name = CString::new(name).map_err(|_| failed(Errno::ENOENT))?;
        let open = |flags| path::open_at(directory, &name, flags).map_err(failed);
        // To open what is no file could do something, or wait.
        let looked_at = open(libc::O_PATH)?;
        must_be_file(looked_at.as_fd(), path)?;
        // What may be executed but not read, Linux runs all the same; km has to
        // read it.
        let file = File::from(open(libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY)?);
        must_be_file(file.as_fd(), path)?;
        if !proc::may_execute(file.as_fd()) {
            return Err(LoadError::NotExecutable {
                path: path.to_owned(),
            });
        }
        // As Linux does when it opens it: for instance, whether it is open for
        // writing.
        match clone::may_be_executed(file.as_fd()) {
            Ok(()) => Ok(file),
            Err(errno) => Err(LoadError::Open {
                path: path.to_owned(),
                errno,
            }),
        }
    }

    /// A program, and the interpreter it names.
    fn read_program(
        &self,
        path: PathBuf,
        file: File,
        head: &[u8],
    ) -> Result<(Program, Option<Program>), LoadError> {
        let (header, phdrs) = read_headers(&path, &file, head, Role::Program)?;
        // Linux opens the interpreter before it looks at the segments.
        let interpreter = self.find_interpreter(&path, &file, &header, &phdrs)?;
        Ok((
            self.plan_program(path, file, head, &header, &phdrs)?,
            interpreter,
        ))
    }

    fn plan_program(
        &self,
        path: PathBuf,
        file: File,
        head: &[u8],
        header: &ElfHeader,
        phdrs: &[u8],
    ) -> Result<Program, LoadError> {
        let flawed = |source| LoadError::Elf {
            path: path.clone(),
            source,
        };
        let image = ElfImage::plan(header, phdrs).map_err(flawed)?;
        // They stand at the beginning; what lies elsewhere is of no linker's making.
        for range in &image.notes {
            let start = usize::try_from(range.offset).unwrap_or(usize::MAX);
            let notes = head.get(start..).unwrap_or_default();
            let len = usize::try_from(range.len).unwrap_or(usize::MAX);
            let notes = notes.get(..len).unwrap_or(notes);
            image.check_runtime(notes).map_err(flawed)?;
        }
        let status = proc::file_status(file.as_fd()).map_err(|errno| LoadError::Open {
            path: path.clone(),
            errno,
        })?;
        let mut name = path::name_of(self.proc_root, file.as_fd());
        if name.is_empty() {
            // From where the root is there is no /proc.
            name = path.as_os_str().as_bytes().to_vec();
        }
        let info = FileInfo {
            path: name,
            dev: status.device,
            ino: status.inode,
            writable: false,
        };
        Ok(Program {
            path,
            file,
            info: Arc::new(info),
            image,
        })
    }

    fn find_interpreter(
        &self,
        program: &Path,
        file: &File,
        header: &ElfHeader,
        phdrs: &[u8],
    ) -> Result<Option<Program>, LoadError> {
        let damaged = |source| LoadError::Elf {
            path: program.to_owned(),
            source,
        };
        let Some(range) = ElfImage::find_interp(header, phdrs).map_err(damaged)? else {
            return Ok(None);
        };
        let bytes = read_at(file, program, range.offset, range.len as usize)?;
        let path = PathBuf::from(ElfImage::interp_path(&bytes).map_err(damaged)?);
        let opened = self.open_executable(&path, None).and_then(|file| {
            let head = read_head(&file, &path)?;
            let (header, phdrs) = read_headers(&path, &file, &head, Role::Interpreter)?;
            self.plan_program(path.clone(), file, &head, &header, &phdrs)
        });
        opened.map(Some).map_err(|source| LoadError::Interpreter {
            path: program.to_owned(),
            interpreter: path,
            source: Box::new(source),
        })
    }
}

fn must_be_file(file: BorrowedFd<'_>, path: &Path) -> Result<(), LoadError> {
    let path = path.to_owned();
    match proc::file_kind(file) {
        Ok(libc::S_IFREG) => Ok(()),
        Ok(libc::S_IFDIR) => Err(LoadError::Directory { path }),
        // Held as what it is, by a descriptor.
        Ok(libc::S_IFLNK) => Err(LoadError::Open {
            path,
            errno: Errno::ELOOP,
        }),
        Ok(_) => Err(LoadError::NotRegular { path }),
        Err(errno) => Err(LoadError::Open { path, errno }),
    }
}

fn read_head(file: &File, path: &Path) -> Result<Vec<u8>, LoadError> {
    read_at(file, path, 0, elf::HEAD)
}

/// Up to `len` bytes at `offset`.
fn read_at(file: &File, path: &Path, offset: u64, len: usize) -> Result<Vec<u8>, LoadError> {
    let mut bytes = vec![0; len];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                return Err(LoadError::Open {
                    path: path.to_owned(),
                    errno: error.into(),
                });
            }
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

fn read_headers(
    path: &Path,
    file: &File,
    head: &[u8],
    role: Role,
) -> Result<(ElfHeader, Vec<u8>), LoadError> {
    let metadata = file.metadata().map_err(|error| LoadError::Open {
        path: path.to_owned(),
        errno: error.into(),
    })?;
    let header = ElfHeader::parse(head, metadata.len(), role).map_err(|source| LoadError::Elf {
        path: path.to_owned(),
        source,
    })?;
    let (offset, len) = header.phdr_range();
    let phdrs = read_at(file, path, offset, len as usize)?;
    Ok((header, phdrs))
}
