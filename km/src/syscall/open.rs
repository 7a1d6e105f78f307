//! Calls that open a file by its name.
//!
//! What is opened may be of `/proc`, by many ways. So the host does not follow
//! the links there that are no paths (`RESOLVE_NO_MAGICLINKS`), the monitor
//! [walks](walk) paths that meet one, and it looks at what was opened before
//! the payload gets it. With several threads another could use it meanwhile:
//! then a file that exists is first held without being opened (`O_PATH`), out
//! of reach, and opened by that hold.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};

use zerocopy::FromBytes;

use crate::errno::Errno;
use crate::procfs::{self, View};
use crate::sys::call::{HostArgs, own_syscall};
use crate::sys::path::How;
use crate::sys::proc;
use crate::syscall::Outcome;
use crate::syscall::call::{Call, pointer_to};
use crate::syscall::memory_file;
use crate::syscall::nsm;
use crate::syscall::paths::{PATH_MAX, start_of};
use crate::syscall::walk::{Found, walk_from};

/// The file system of `binfmt_misc`: whoever writes there has the host execute
/// a program of his choice in the place of a monitor.
pub const BINFMTFS: libc::c_long = 0x4249_4e4d;

/// With any of them the host itself follows no such link.
const RESOLVE_KEEPS_OUT: u64 = libc::RESOLVE_NO_XDEV
    | libc::RESOLVE_NO_MAGICLINKS
    | libc::RESOLVE_NO_SYMLINKS
    | libc::RESOLVE_BENEATH
    | libc::RESOLVE_IN_ROOT;

/// `O_LARGEFILE` as the kernel has it; the C library's is 0.
const O_LARGEFILE: i32 = 0o100_000;
/// Flags that `open` looks at (`VALID_OPEN_FLAGS` in `include/linux/fcntl.h`);
/// `openat2` wants no others.
const KNOWN: i32 = libc::O_ACCMODE
    | libc::O_CREAT
    | libc::O_EXCL
    | libc::O_NOCTTY
    | libc::O_TRUNC
    | libc::O_APPEND
    | libc::O_NONBLOCK
    | libc::O_SYNC
    | libc::O_ASYNC
    | libc::O_DIRECT
    | O_LARGEFILE
    | libc::O_DIRECTORY
    | libc::O_NOFOLLOW
    | libc::O_NOATIME
    | libc::O_CLOEXEC
    | libc::O_PATH
    | libc::O_TMPFILE;
/// And those beside which it wants no others.
const KNOWN_WITH_PATH: i32 = libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_PATH | libc::O_CLOEXEC;

impl How {
    /// For `open` and `openat` (`build_open_how()` in `fs/open.c`).
    fn new(flags: u64, mode: u64) -> How {
        let flags = flags as i32;
        let flags = match flags & libc::O_PATH {
            0 => flags & KNOWN | O_LARGEFILE,
            _ => flags & KNOWN_WITH_PATH,
        };
        let makes = libc::O_CREAT | libc::O_TMPFILE & !libc::O_DIRECTORY;
        How {
            flags: u64::from(flags as u32),
            mode: if flags & makes != 0 { mode & 0o7777 } else { 0 },
            resolve: 0,
        }
    }

    pub fn has(&self, flag: i32) -> bool {
        self.flags as i32 & flag == flag
    }

    fn writes(&self) -> bool {
        self.flags as i32 & libc::O_ACCMODE != libc::O_RDONLY && !self.has(libc::O_PATH)
    }

    fn makes_new(&self) -> bool {
        self.has(libc::O_CREAT | libc::O_EXCL)
    }

    /// The same, and some flags.
    fn with(self, flags: i32) -> How {
        let flags = self.flags | u64::from(flags as u32);
        How { flags, ..self }
    }

    /// The same, less some flags.
    fn without(self, flags: i32) -> How {
        let flags = self.flags & !u64::from(flags as u32);
        let mode = if flags & libc::O_CREAT as u64 == 0 && !self.has(libc::O_TMPFILE) {
            0
        } else {
            self.mode
        };
        How {
            flags,
            mode,
            ..self
        }
    }
}

/// `open(2)`.
pub fn open(call: &mut Call<'_>) -> Outcome {
    let how = How::new(call.arg(1), call.arg(2));
    open_path(call, 0, how).into()
}

/// `creat(2)`.
pub fn creat(call: &mut Call<'_>) -> Outcome {
    let flags = libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC;
    let how = How::new(flags as u64, call.arg(1));
    open_path(call, 0, how).into()
}

/// `openat(2)`.
pub fn openat(call: &mut Call<'_>) -> Outcome {
    let how = How::new(call.arg(2), call.arg(3));
    open_path(call, 1, how).into()
}

/// `openat2(2)`.
pub fn openat2(call: &mut Call<'_>) -> Outcome {
    let open = || {
        let how = read_how(call)?;
        open_path(call, 1, how)
    };
    open().into()
}

/// The structure of `openat2`, which may be longer than what is known of it if
/// the rest is zeroes.
fn read_how(call: &Call<'_>) -> Result<How, Errno> {
    const PAGE: u64 = 4096;
    let (at, size) = (call.arg(2), call.arg(3));
    let known = size_of::<How>();
    if size < known as u64 {
        return Err(Errno::EINVAL);
    }
    if size > PAGE {
        return Err(Errno::E2BIG);
    }
    let bytes: Vec<u8> = call.memory().read_array(at, size as usize)?;
    let (how, rest) = How::read_from_prefix(&bytes).map_err(|_| Errno::EINVAL)?;
    if rest.iter().any(|byte| *byte != 0) {
        return Err(Errno::E2BIG);
    }
    judge(how)?;
    Ok(how)
}

/// What the host finds wrong with it before it looks for a file.
fn judge(mut how: How) -> Result<(), Errno> {
    let args = HostArgs::new([
        libc::AT_FDCWD as u64,
        c"".as_ptr().addr() as u64,
        pointer_to(std::slice::from_mut(&mut how)),
        size_of::<How>() as u64,
    ]);
    match own_syscall(libc::SYS_openat2, &args) {
        Err(errno) if errno != Errno::ENOENT => Err(errno),
        _ => Ok(()),
    }
}

fn open_path(call: &Call<'_>, index: usize, how: How) -> Result<u64, Errno> {
    let path = call.memory().read_string(call.arg(index), PATH_MAX - 1)?;
    let directory = start_of(call, index);
    let path = CString::new(path).map_err(|_| Errno::EINVAL)?;
    let is_module = || {
        let follow = !how.has(libc::O_NOFOLLOW);
        nsm::is_named(call, directory, path.to_bytes(), follow)
    };
    if how.has(libc::O_CREAT) && is_module() {
        // The host would make a file of that name.
        return nsm::open(call, how);
    }
    match open_by_path(call, directory, &path, how) {
        Err(Errno::ENOENT) if is_module() => nsm::open(call, how),
        Ok(fd) if nsm::is_hosts(call, fd) => {
            own_syscall(libc::SYS_close, &HostArgs::new([fd]))?;
            nsm::open(call, how)
        }
        result => result,
    }
}

fn open_by_path(call: &Call<'_>, directory: i32, path: &CStr, how: How) -> Result<u64, Errno> {
    let result = if call.process.threads() == 1 {
        open_alone(call, directory, path, how)
    } else {
        open_unseen(call, directory, path, how)
    };
    match result {
        // Too many links, or one that the host was told not to follow.
        Err(Errno::ELOOP) if how.resolve & RESOLVE_KEEPS_OUT == 0 => {
            open_walked(call, directory, path, how)
        }
        result => result,
    }
}

/// The call for the host.
fn ask(directory: i32, path: &CStr, how: &mut How) -> HostArgs {
    how.resolve |= libc::RESOLVE_NO_MAGICLINKS;
    let how = std::slice::from_mut(how);
    let size = size_of_val(how) as u64;
    HostArgs::new([
        directory as u64,
        path.as_ptr().addr() as u64,
        pointer_to(how),
        size,
    ])
}

/// Opens it, as the payload's.
fn open_on_host(call: &Call<'_>, directory: i32, path: &CStr, mut how: How) -> Result<u64, Errno> {
    call.host(libc::SYS_openat2 as u16, &ask(directory, path, &mut how))
}

/// Opens a file of which no other thread can know before it was looked at.
fn open_alone(call: &Call<'_>, directory: i32, path: &CStr, how: How) -> Result<u64, Errno> {
    let fd = open_on_host(call, directory, path, how)?;
    let Some(opened) = proc::borrow_fd(fd as i32) else {
        return Ok(fd);
    };
    match proc::file_system(opened) {
        Some(libc::PROC_SUPER_MAGIC) => {}
        Some(BINFMTFS) if how.writes() => {
            own_syscall(libc::SYS_close, &HostArgs::new([fd]))?;
            return Err(Errno::EACCES);
        }
        _ => return Ok(fd),
    }
    let view = procfs::look_opened(call.process, opened, directory);
    let of_link = how.has(libc::O_PATH | libc::O_NOFOLLOW);
    if view == View::Host || of_link {
        return Ok(fd);
    }
    own_syscall(libc::SYS_close, &HostArgs::new([fd]))?;
    serve(call, view, how)
}

fn open_unseen(call: &Call<'_>, directory: i32, path: &CStr, how: How) -> Result<u64, Errno> {
    if how.has(libc::O_CREAT) {
        judge(how)?;
        if path.to_bytes().ends_with(b"/") {
            // An error, whatever is there.
            return open_on_host(call, directory, path, how);
        }
    }
    match hold(call, directory, path, how) {
        Ok(held) if !how.makes_new() => return open_held(call, held, directory, how),
        Ok(_) => return Err(Errno::EEXIST),
        Err(Errno::ENOENT) if how.has(libc::O_CREAT) => {}
        Err(errno) => return Err(errno),
    }
    // A new file is none of `/proc`.
    match open_on_host(call, directory, path, how.with(libc::O_EXCL)) {
        // A link that leads to no file yet, or one that came in between.
        Err(Errno::EEXIST) if !how.makes_new() && how.resolve & RESOLVE_KEEPS_OUT == 0 => {
            open_walked(call, directory, path, how)
        }
        result => result,
    }
}

/// The file at `path`, not opened, on a descriptor of the monitor's.
fn hold(call: &Call<'_>, directory: i32, path: &CStr, how: How) -> Result<OwnedFd, Errno> {
    let mut kept = how.flags as i32 & (libc::O_NOFOLLOW | libc::O_DIRECTORY);
    if how.makes_new() {
        kept |= libc::O_NOFOLLOW;
    }
    let mut how = How {
        flags: (kept | libc::O_PATH | libc::O_CLOEXEC) as u64,
        mode: 0,
        ..how
    };
    call.process.fds.adopt(|| {
        // A lock is held, so that this is no host call of the payload's.
        let fd = own_syscall(libc::SYS_openat2, &ask(directory, path, &mut how))?;
        proc::take_inherited(fd as i32)
    })
}

/// The file at `path`, links followed but for those that only `/proc` has.
///
/// # Errors
///
/// As `open(2)`; ELOOP where the path meets one of those.
pub fn hold_path(call: &Call<'_>, directory: i32, path: &CStr) -> Result<OwnedFd, Errno> {
    let how = How {
        flags: 0,
        mode: 0,
        resolve: 0,
    };
    hold(call, directory, path, how)
}

/// Opens a file whose path meets links of `/proc`, or one that leads to a file
/// to be made.
fn open_walked(call: &Call<'_>, directory: i32, path: &CStr, how: How) -> Result<u64, Errno> {
    /// A file may come and go as often meanwhile.
    const TRIES: usize = 10;
    let follow = !how.has(libc::O_NOFOLLOW) && !how.makes_new();
    for _ in 0..TRIES {
        let (found, parent) = walk_from(call.process, directory, path.to_bytes(), follow)?;
        let (parent, name) = match found {
            Found::File(_) if how.makes_new() => return Err(Errno::EEXIST),
            Found::File(held) => {
                let near = parent.as_ref().map_or(directory, AsRawFd::as_raw_fd);
                return open_held(call, held, near, how);
            }
            Found::Missing { directory, name } => (directory, name),
        };
        if !how.has(libc::O_CREAT) {
            return Err(Errno::ENOENT);
        }
        let new = how.with(libc::O_EXCL);
        match open_on_host(call, parent.as_raw_fd(), &name, new) {
            Err(Errno::EEXIST) if !how.makes_new() => {}
            result => return result,
        }
    }
    Err(Errno::ENOENT)
}

/// Opens what `held` stands for, which was looked up from the directory `near`,
/// if the payload may have it.
fn open_held(call: &Call<'_>, held: OwnedFd, near: i32, how: How) -> Result<u64, Errno> {
    if call.process.nsm.is_the_hosts(held.as_fd()) {
        return nsm::open(call, how);
    }
    let only_path = how.has(libc::O_PATH);
    let kind = proc::file_kind(held.as_fd())?;
    if how.has(libc::O_DIRECTORY) && kind != libc::S_IFDIR {
        return Err(Errno::ENOTDIR);
    }
    if !only_path {
        if kind == libc::S_IFLNK {
            return Err(Errno::ELOOP);
        }
        if kind == libc::S_IFDIR && how.has(libc::O_CREAT) {
            return Err(Errno::EISDIR);
        }
    }
    let file_system = proc::file_system(held.as_fd());
    if file_system == Some(BINFMTFS) && how.writes() {
        return Err(Errno::EACCES);
    }
    if kind != libc::S_IFLNK && file_system == Some(libc::PROC_SUPER_MAGIC) {
        let view = procfs::look_opened(call.process, held.as_fd(), near);
        if view != View::Host {
            return serve(call, view, how);
        }
    }
    if only_path {
        let duplicate = match how.has(libc::O_CLOEXEC) {
            true => libc::F_DUPFD_CLOEXEC,
            false => libc::F_DUPFD,
        };
        let args = HostArgs::new([held.as_raw_fd() as u64, duplicate as u64, 0]);
        return own_syscall(libc::SYS_fcntl, &args);
    }
    // As `openat`, which follows this link.
    let how = how.without(libc::O_CREAT | libc::O_EXCL | libc::O_NOFOLLOW);
    reopen(call, &held, how.flags, how.mode)
}

/// Opens, for the payload, the file that `held` stands for.
pub fn reopen(call: &Call<'_>, held: &OwnedFd, flags: u64, mode: u64) -> Result<u64, Errno> {
    let root = call.process.proc_root.as_ref().ok_or(Errno::ENOENT)?;
    let name = format!("thread-self/fd/{}", held.as_raw_fd());
    let name = CString::new(name).map_err(|_| Errno::ENOENT)?;
    let args = HostArgs::new([
        root.as_raw_fd() as u64,
        name.as_ptr().addr() as u64,
        flags,
        mode,
    ]);
    call.host(libc::SYS_openat as u16, &args)
}

/// What the payload gets in place of a file of `/proc`.
fn serve(call: &Call<'_>, view: View, how: How) -> Result<u64, Errno> {
    match view {
        View::Text(text) => open_text(&text, how),
        View::Memory => memory_file::open(call, how),
        View::Refused(errno) => Err(errno),
        View::File(path) => {
            let path = CString::new(path).map_err(|_| Errno::ENOENT)?;
            open_on_host(call, libc::AT_FDCWD, &path, how)
        }
        View::Host => Err(Errno::EACCES),
    }
}

/// A descriptor for text made by the monitor, as a file of `/proc` is.
fn open_text(text: &[u8], how: How) -> Result<u64, Errno> {
    let flags = how.flags as i32;
    if flags & libc::O_ACCMODE != libc::O_RDONLY {
        return Err(Errno::EACCES);
    }
    if how.has(libc::O_DIRECTORY) {
        return Err(Errno::ENOTDIR);
    }
    let cloexec = if how.has(libc::O_CLOEXEC) {
        libc::MFD_CLOEXEC
    } else {
        0
    };
    let file = proc::memory_file(c"proc", text, cloexec)?;
    Ok(file.into_raw_fd() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_what_openat2_takes() {
        let how = How::new(u64::MAX, u64::MAX);
        assert_eq!(how.flags as i32, KNOWN_WITH_PATH, "O_PATH and its company");
        let how = How::new((libc::O_RDWR | 0x4000_0000) as u64, 0o7_7777);
        assert_eq!(
            (how.flags as i32, how.mode),
            (libc::O_RDWR | O_LARGEFILE, 0)
        );
        let how = How::new((libc::O_CREAT | libc::O_WRONLY) as u64, 0o10_0644);
        assert_eq!(how.mode, 0o644);
        let how = How::new((libc::O_TMPFILE | libc::O_WRONLY) as u64, 0o600);
        assert_eq!(how.mode, 0o600);
        assert_eq!(how.without(libc::O_CREAT).mode, 0o600);
    }
}
