//! Calls that name files. Paths into `/proc/self` show the payload, not the
//! monitor; all others go to the host as they are.

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::errno::Errno;
use crate::procfs::{self, View};
use crate::sys::call::{HostArgs, own_syscall};
use crate::sys::proc;
use crate::syscall::Outcome;
use crate::syscall::args::Kind;
use crate::syscall::call::{Call, pointer_to};

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
    if call.process.threads() > 1
        && let Some(proc) = &call.process.proc_root
    {
        return open_unseen(call, index, flags, proc.as_raw_fd()).into();
    }
    match forward(call) {
        Outcome::Done(fd) => inspect(call, fd, flags).into(),
        outcome => outcome,
    }
}

/// `struct open_how`.
const HOW: usize = 3;

/// Opens a file where other threads could use its descriptor before it is
/// looked at: what has a name is first taken hold of without being opened
/// (`O_PATH`), out of their reach, and then opened by that hold.
fn open_unseen(call: &mut Call<'_>, index: usize, flags: u64, proc: i32) -> Result<u64, Errno> {
    /// A link may come and go as often.
    const TRIES: usize = 3;
    let flags = flags as i32;
    let creates = flags & libc::O_CREAT != 0;
    let mut paths = Paths::default();
    let host = prepare(call, &mut paths)?;
    for _ in 0..TRIES {
        match hold(call, &host, index, flags) {
            Ok(held) if creates && flags & libc::O_EXCL != 0 => {
                drop(held);
                return Err(Errno::EEXIST);
            }
            Ok(held) => return open_held(call, &host, index, &held, flags, proc),
            Err(Errno::ENOENT) if creates => {}
            Err(errno) => return Err(errno),
        }
        // A new file is none of `/proc`.
        match create(call, &host, index, flags | libc::O_EXCL) {
            Err(Errno::EEXIST) if flags & libc::O_EXCL == 0 => {}
            result => return result,
        }
    }
    Err(Errno::ENOENT)
}

/// The file at the path in argument `index`, not opened, on a descriptor of
/// the monitor's.
fn hold(call: &Call<'_>, host: &HostArgs, index: usize, flags: i32) -> Result<OwnedFd, Errno> {
    let kept = flags & (libc::O_NOFOLLOW | libc::O_DIRECTORY);
    let kept = if flags & libc::O_TMPFILE == libc::O_TMPFILE {
        kept | libc::O_DIRECTORY
    } else {
        kept
    };
    call.process.fds.adopt(|| {
        let flags = kept | libc::O_PATH | libc::O_CLOEXEC;
        // A lock is held, so that this is no host call of the payload's.
        let fd = lookup(call, host, index, flags, Some(0), |number, args| {
            own_syscall(i64::from(number), args)
        })?;
        proc::take_inherited(fd as i32)
    })
}

/// The row's call with these flags.
fn create(call: &Call<'_>, host: &HostArgs, index: usize, flags: i32) -> Result<u64, Errno> {
    lookup(call, host, index, flags, None, |number, args| {
        call.host(number, args)
    })
}

/// The row's call with other flags and, where given, another mode; `make`
/// makes it.
fn lookup(
    call: &Call<'_>,
    host: &HostArgs,
    index: usize,
    flags: i32,
    mode: Option<u64>,
    make: impl FnOnce(u16, &HostArgs) -> Result<u64, Errno>,
) -> Result<u64, Errno> {
    let directory = match index {
        0 => libc::AT_FDCWD as u64,
        _ => host.get(0),
    };
    let path = host.get(index);
    let flags = u64::from(flags as u32);
    if i64::from(call.row.number) == libc::SYS_openat2 {
        let mut how: [u64; HOW] = call.memory().read_value(call.arg(2))?;
        let [its_flags, its_mode, _] = &mut how;
        *its_flags = flags;
        *its_mode = mode.unwrap_or(*its_mode);
        let size = size_of_val(&how) as u64;
        let args = HostArgs::new([directory, path, pointer_to(&mut how), size]);
        return make(libc::SYS_openat2 as u16, &args);
    }
    // `creat` has its mode where `open` has flags.
    let its_mode = match i64::from(call.row.number) {
        libc::SYS_creat => call.arg(1),
        _ => call.arg(index + 2),
    };
    let args = HostArgs::new([directory, path, flags, mode.unwrap_or(its_mode)]);
    make(libc::SYS_openat as u16, &args)
}

/// Opens what `held` stands for, if the payload may have it.
fn open_held(
    call: &Call<'_>,
    host: &HostArgs,
    index: usize,
    held: &OwnedFd,
    flags: i32,
    proc: i32,
) -> Result<u64, Errno> {
    let kind = proc::file_kind(held.as_fd())?;
    if flags & libc::O_PATH == 0 {
        if kind == libc::S_IFLNK {
            return Err(Errno::ELOOP);
        }
        if kind == libc::S_IFDIR && flags & libc::O_CREAT != 0 {
            return Err(Errno::EISDIR);
        }
    }
    if proc::is_on_procfs(held.as_fd()) {
        match procfs::look_opened(call.process, &proc::file_name(held.as_fd())) {
            View::Text(text) => return open_text(&text, flags as u64),
            View::Refused(errno) => return Err(errno),
            View::Host | View::File(_) => {}
        }
    }
    if flags & libc::O_PATH != 0 {
        // Nothing can be done with it but what the name could.
        return create(call, host, index, flags);
    }
    let mut name = format!("thread-self/fd/{}\0", held.as_raw_fd()).into_bytes();
    let without = libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW;
    let args = HostArgs::new([
        proc as u64,
        name.as_mut_ptr() as u64,
        (flags & !without) as u32 as u64,
        call.arg(index + 2),
    ]);
    call.host(libc::SYS_openat as u16, &args)
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
