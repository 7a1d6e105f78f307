//! Calls that name files. Paths into `/proc/self` show the payload, not the
//! monitor; all others go to the host as they are.

use std::ffi::CString;

use crate::errno::Errno;
use crate::procfs::{self, View};
use crate::sys::call::{HostArgs, own_syscall};
use crate::sys::proc;
use crate::syscall::Outcome;
use crate::syscall::args::Kind;
use crate::syscall::call::Call;

/// Longest path with its NUL (`PATH_MAX`).
const PATH_MAX: usize = 4096;

/// The paths of a call, copied in: what procfs has looked at is what the host
/// gets.
#[derive(Debug, Default)]
struct Paths(Vec<CString>);

/// The proxy for rows with paths.
pub fn forward(call: &mut Call<'_>) -> Outcome {
    let mut paths = Paths::default();
    match prepare(call, &mut paths) {
        Ok(host) => call.host(call.row.number, &host).into(),
        Err(errno) => Outcome::Fail(errno),
    }
}

/// The row's arguments for the host, paths replaced by copies in `paths`.
fn prepare(call: &Call<'_>, paths: &mut Paths) -> Result<HostArgs, Errno> {
    let mut host = call.translate();
    for (index, arg) in call.row.args.iter().enumerate() {
        if !matches!(arg.kind, Kind::Path) || call.arg(index) == 0 {
            continue;
        }
        // A path that cannot be read goes to the host as it is, which finds
        // the fault in its own order of checks.
        let Ok(path) = call.memory().read_string(call.arg(index), PATH_MAX - 1) else {
            continue;
        };
        let path = match procfs::look(call.process, &path) {
            View::Host => path,
            View::File(path) => path,
            View::Text(_) => path,
            View::Refused(errno) => return Err(errno),
        };
        let Ok(path) = CString::new(path) else {
            continue;
        };
        host.set(index, path.as_ptr() as u64);
        paths.0.push(path);
    }
    Ok(host)
}

/// `open(2)`.
pub fn open(call: &mut Call<'_>) -> Outcome {
    open_path(call, 0, call.arg(1))
}

/// `creat(2)`.
pub fn creat(call: &mut Call<'_>) -> Outcome {
    open_path(
        call,
        0,
        (libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC) as u64,
    )
}

/// `openat(2)`.
pub fn openat(call: &mut Call<'_>) -> Outcome {
    open_path(call, 1, call.arg(2))
}

/// `openat2(2)`.
pub fn openat2(call: &mut Call<'_>) -> Outcome {
    let flags: u64 = call.memory().read_value(call.arg(2)).unwrap_or(0);
    open_path(call, 1, flags)
}

fn open_path(call: &mut Call<'_>, index: usize, flags: u64) -> Outcome {
    let path = call.memory().read_string(call.arg(index), PATH_MAX - 1);
    if let Ok(path) = path
        && let View::Text(text) = procfs::look(call.process, &path)
    {
        return open_text(&text, flags).into();
    }
    match forward(call) {
        Outcome::Done(fd) => inspect(call, fd, flags).into(),
        outcome => outcome,
    }
}

/// Looks at what was opened: there are more ways into `/proc` than names that
/// begin with it.
fn inspect(call: &Call<'_>, fd: u64, flags: u64) -> Result<u64, Errno> {
    let opened = proc::borrow_fd(fd as i32).filter(|fd| proc::is_on_procfs(*fd));
    let Some(opened) = opened else {
        return Ok(fd);
    };
    let view = procfs::look_opened(call.process, &proc::file_name(opened));
    if matches!(view, View::Host | View::File(_)) {
        return Ok(fd);
    }
    own_syscall(libc::SYS_close, &HostArgs::new([fd]))?;
    match view {
        View::Text(text) => open_text(&text, flags),
        View::Refused(errno) => Err(errno),
        View::Host | View::File(_) => Ok(fd),
    }
}

/// A descriptor for text made by the monitor, as a file of `/proc` is.
fn open_text(text: &[u8], flags: u64) -> Result<u64, Errno> {
    use std::os::fd::IntoRawFd;
    let flags = flags as i32;
    if flags & libc::O_ACCMODE != libc::O_RDONLY {
        return Err(Errno::EACCES);
    }
    let cloexec = if flags & libc::O_CLOEXEC != 0 {
        libc::MFD_CLOEXEC
    } else {
        0
    };
    let file = proc::memory_file(c"proc", text, cloexec)?;
    Ok(file.into_raw_fd() as u64)
}

/// `readlink(2)`.
pub fn readlink(call: &mut Call<'_>) -> Outcome {
    read_link(call, 0)
}

/// `readlinkat(2)`.
pub fn readlinkat(call: &mut Call<'_>) -> Outcome {
    read_link(call, 1)
}

fn read_link(call: &mut Call<'_>, index: usize) -> Outcome {
    let path = call.memory().read_string(call.arg(index), PATH_MAX - 1);
    if let Ok(path) = path
        && let View::File(target) = procfs::look(call.process, &path)
    {
        let size = call.int(index + 2);
        let Ok(size) = usize::try_from(size) else {
            return Outcome::Fail(Errno::EINVAL);
        };
        if size == 0 {
            return Outcome::Fail(Errno::EINVAL);
        }
        let len = size.min(target.len());
        let written = call
            .memory()
            .write(call.arg(index + 1), target.get(..len).unwrap_or(&target));
        return written.map(|()| len as u64).into();
    }
    forward(call)
}
