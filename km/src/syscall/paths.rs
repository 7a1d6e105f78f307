//! Calls that name files. Most go to the host as they are: what they tell of a
//! link of `/proc` that leads to something of the monitor's is corrected, and
//! those that change a file first make sure that it is none of those.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::errno::Errno;
use crate::procfs::{self, View};
use crate::sys::call::HostArgs;
use crate::sys::proc::{self, FileStatus};
use crate::syscall::Outcome;
use crate::syscall::args::Kind;
use crate::syscall::call::{Call, FAULT, pointer_to};
use crate::syscall::nsm;
use crate::syscall::open::hold_path;
use crate::syscall::walk::{Found, walk, walk_from};

/// Longest path with its NUL (`PATH_MAX`).
pub const PATH_MAX: usize = 4096;

/// The paths of a call, copied in: what procfs has looked at is what the host
/// gets.
#[derive(Debug, Default)]
struct Paths(Vec<CString>);

/// The proxy for rows with paths.
pub fn forward(call: &mut Call<'_>) -> Outcome {
    forward_with(call, |_| {})
}

/// The same, with arguments changed by `change`.
fn forward_with(call: &mut Call<'_>, change: impl FnOnce(&mut HostArgs)) -> Outcome {
    let mut paths = Paths::default();
    let forward = || {
        let mut host = prepare(call, &mut paths)?;
        change(&mut host);
        let held = secure(call, &mut host, &mut paths)?;
        let result = call.host(call.row.number, &host);
        drop(held);
        if result == Err(Errno::ENOENT)
            && let Some(path) = paths.0.first()
            && let Some(result) = nsm::on_path(call, path)
        {
            return result;
        }
        if result.is_ok() {
            correct_status(call, &host)?;
        }
        result
    };
    forward().into()
}

/// `setxattrat(dfd, path, at_flags, name, args, size)` and `getxattrat`: a
/// structure that begins with a pointer to the value. Of what is newer in it
/// the host says whether it knows it.
pub fn xattr_at(call: &mut Call<'_>) -> Outcome {
    const KNOWN: u64 = 16;
    const MOST: u64 = 4096;
    let (at, size) = (call.arg(4), call.arg(5));
    let memory = call.memory();
    let mut words = Vec::new();
    // Another size is an error, and what cannot be read as well: the host's.
    if (KNOWN..=MOST).contains(&size) {
        let bytes = memory.read_array::<u8>(at, size as usize);
        words = bytes.map_or_else(|_| Vec::new(), |bytes| in_words(&bytes));
    }
    if let [value, rest, ..] = words.as_mut_slice() {
        // The host writes no more than there is of the value.
        let len = match i64::from(call.row.number) {
            SYS_SETXATTRAT => u64::from(*rest as u32),
            _ => 1,
        };
        *value = memory.host_pointer(*value, len);
    }
    let args = match (at, words.is_empty()) {
        (0, _) => 0,
        (_, true) => FAULT,
        (_, false) => pointer_to(&mut words),
    };
    forward_with(call, |host| host.set(4, args))
}

/// `bytes` in words, the last of which may hold fewer.
fn in_words(bytes: &[u8]) -> Vec<u64> {
    let word = |bytes: &[u8]| {
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(bytes) {
            *to = *from;
        }
        u64::from_le_bytes(word)
    };
    bytes.chunks(8).map(word).collect()
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
        let path = match procfs::leads_to(call.process, &path)? {
            Some(file) if follows(call) => file,
            _ => path,
        };
        let Ok(path) = CString::new(path) else {
            continue;
        };
        host.set(index, path.as_ptr() as u64);
        paths.0.push(path);
    }
    Ok(host)
}

/// Whether the call follows a link at the end of its path.
pub fn follows(call: &Call<'_>) -> bool {
    let flags = match i64::from(call.row.number) {
        libc::SYS_lstat
        | libc::SYS_lchown
        | libc::SYS_lgetxattr
        | libc::SYS_lsetxattr
        | libc::SYS_llistxattr
        | libc::SYS_lremovexattr
        | libc::SYS_readlink
        | libc::SYS_readlinkat
        | libc::SYS_rename
        | libc::SYS_renameat
        | libc::SYS_renameat2
        | libc::SYS_link
        | libc::SYS_unlink
        | libc::SYS_unlinkat
        | libc::SYS_rmdir
        | libc::SYS_mkdir
        | libc::SYS_mkdirat
        | libc::SYS_mknod
        | libc::SYS_mknodat
        | libc::SYS_symlink
        | libc::SYS_symlinkat => return false,
        libc::SYS_linkat => return call.int(4) & libc::AT_SYMLINK_FOLLOW != 0,
        libc::SYS_statx | SYS_SETXATTRAT | SYS_GETXATTRAT | SYS_LISTXATTRAT | SYS_REMOVEXATTRAT => {
            call.int(2)
        }
        libc::SYS_newfstatat | libc::SYS_utimensat | libc::SYS_faccessat2 | SYS_FCHMODAT2 => {
            call.int(3)
        }
        libc::SYS_fchownat | SYS_FILE_SETATTR => call.int(4),
        _ => 0,
    };
    flags & libc::AT_SYMLINK_NOFOLLOW == 0
}

const SYS_FCHMODAT2: i64 = 452;
const SYS_SETXATTRAT: i64 = 463;
pub const SYS_GETXATTRAT: i64 = 464;
pub const SYS_LISTXATTRAT: i64 = 465;
const SYS_REMOVEXATTRAT: i64 = 466;
const SYS_FILE_SETATTR: i64 = 469;

/// For a call that changes the file: puts the file that was looked at in the
/// place of its path, where the two could differ. It has to stay open.
fn secure(
    call: &Call<'_>,
    host: &mut HostArgs,
    paths: &mut Paths,
) -> Result<Option<OwnedFd>, Errno> {
    let index = match i64::from(call.row.number) {
        libc::SYS_truncate
        | libc::SYS_chmod
        | libc::SYS_chown
        | libc::SYS_utime
        | libc::SYS_utimes
        | libc::SYS_setxattr
        | libc::SYS_removexattr => 0,
        libc::SYS_fchmodat
        | libc::SYS_fchownat
        | libc::SYS_futimesat
        | libc::SYS_utimensat
        | SYS_FCHMODAT2
        | SYS_SETXATTRAT
        | SYS_REMOVEXATTRAT
        | SYS_FILE_SETATTR => 1,
        _ => return Ok(None),
    };
    let Some(path) = paths.0.first().filter(|path| !path.is_empty()) else {
        return Ok(None);
    };
    if !follows(call) || call.process.proc_root.is_none() {
        return Ok(None);
    }
    let directory = start_of(call, index);
    let (held, walked) = match hold_path(call, directory, path) {
        // Nobody else could put another file there.
        Ok(_) if call.process.threads() == 1 => return Ok(None),
        Err(Errno::ELOOP) => (find(call, directory, path, true)?, true),
        held => (held?, false),
    };
    let name = format!("/proc/thread-self/fd/{}", held.as_raw_fd());
    let found = proc::file_status(held.as_fd())?;
    if !std::fs::metadata(&name).is_ok_and(|named| found.is_of(&named)) {
        // Below the payload's root there is no /proc, nor any of its links.
        return if walked { Err(Errno::EACCES) } else { Ok(None) };
    }
    let name = CString::new(name).map_err(|_| Errno::ENOENT)?;
    host.set(index, name.as_ptr() as u64);
    paths.0.push(name);
    Ok(Some(held))
}

/// The file that `path` leads to, by whatever links.
fn find(call: &Call<'_>, directory: i32, path: &CStr, follow: bool) -> Result<OwnedFd, Errno> {
    match walk(call.process, directory, path.to_bytes(), follow)? {
        Found::File(held) => Ok(held),
        Found::Missing { .. } => Err(Errno::ENOENT),
    }
}

/// `fanotify_mark(2)`. An event brings a descriptor of its file with it, which
/// the host opens for the reader unseen by the monitor: so nothing of procfs
/// can be marked.
pub fn fanotify_mark(call: &mut Call<'_>) -> Outcome {
    const DONT_FOLLOW: u64 = 0x04;
    const FLUSH: u64 = 0x80;
    let work = |call: &mut Call<'_>| {
        let (flags, directory) = (call.arg(1), call.process.fds.translate(call.arg(3)) as i32);
        let given = call.memory().read_string(call.arg(4), PATH_MAX - 1);
        let held = match given {
            _ if flags & FLUSH != 0 => return call.forward(),
            _ if call.arg(4) == 0 => {
                let fd = proc::borrow_fd(directory).ok_or(Errno::EBADF)?;
                call.process.fds.adopt_copy(fd)?
            }
            Err(_) => return call.forward(),
            Ok(path) => {
                let path = CString::new(path).map_err(|_| Errno::ENOENT)?;
                find(call, directory, &path, flags & DONT_FOLLOW == 0)?
            }
        };
        if proc::is_on_procfs(held.as_fd()) {
            return Err(Errno::EACCES);
        }
        let root = call.process.proc_root.as_ref().ok_or(Errno::EACCES)?;
        let name = CString::new(format!("thread-self/fd/{}", held.as_raw_fd()));
        let name = name.map_err(|_| Errno::ENOENT)?;
        let mut host = call.translate();
        host.set(1, flags & !DONT_FOLLOW);
        host.set(3, root.as_raw_fd() as u64);
        host.set(4, name.as_ptr() as u64);
        call.host(call.row.number, &host)
    };
    work(call).into()
}

/// The directory that the path in argument `index` starts from.
pub fn start_of(call: &Call<'_>, index: usize) -> i32 {
    match index {
        0 => libc::AT_FDCWD,
        _ => call.process.fds.translate(call.arg(0)) as i32,
    }
}

/// Where a call has told of the monitor's own program, and a link led there
/// that leads to the payload's, tells of that.
fn correct_status(call: &Call<'_>, host: &HostArgs) -> Result<(), Errno> {
    let (index, buffer) = match i64::from(call.row.number) {
        libc::SYS_stat => (0, 1),
        libc::SYS_newfstatat => (1, 2),
        libc::SYS_statx => (1, 4),
        _ => return Ok(()),
    };
    let Some(found) = told(call, call.arg(buffer)) else {
        return Ok(());
    };
    let image = proc::file_status(call.process.image.as_fd())?;
    if found != (image.device, image.inode) || !follows(call) {
        return Ok(());
    }
    let Ok(path) = call.memory().read_string(call.arg(index), PATH_MAX - 1) else {
        return Ok(());
    };
    let Ok(Found::File(held)) = walk(call.process, start_of(call, index), &path, true) else {
        return Ok(());
    };
    let is_image = |status: FileStatus| status.is_same_file(&image);
    if proc::file_status(held.as_fd()).is_ok_and(is_image) {
        return Ok(());
    }
    let mut args = *host;
    args.set(0, held.as_raw_fd() as u64);
    args.set(1, c"".as_ptr() as u64);
    let number = match i64::from(call.row.number) {
        libc::SYS_statx => {
            args.set(2, call.arg(2) | libc::AT_EMPTY_PATH as u64);
            libc::SYS_statx
        }
        _ => {
            args.set(2, host.get(buffer));
            args.set(3, libc::AT_EMPTY_PATH as u64);
            libc::SYS_newfstatat
        }
    };
    call.host(number as u16, &args).map(|_| ())
}

/// Device and inode in the structure that was written to `buffer`.
fn told(call: &Call<'_>, buffer: u64) -> Option<(u64, u64)> {
    if i64::from(call.row.number) == libc::SYS_statx {
        const INODE: u64 = 32;
        const DEVICE: u64 = 136;
        let inode = call.memory().read_value(buffer.wrapping_add(INODE)).ok()?;
        let device: [u32; 2] = call.memory().read_value(buffer.wrapping_add(DEVICE)).ok()?;
        let [major, minor] = device;
        return Some((libc::makedev(major, minor), inode));
    }
    let [device, inode] = call.memory().read_value(buffer).ok()?;
    Some((device, inode))
}

/// `readlink(2)`.
pub fn readlink(call: &mut Call<'_>) -> Outcome {
    read_link(call, 0).into()
}

/// `readlinkat(2)`.
pub fn readlinkat(call: &mut Call<'_>) -> Outcome {
    read_link(call, 1).into()
}

fn read_link(call: &mut Call<'_>, index: usize) -> Result<u64, Errno> {
    let Ok(path) = call.memory().read_string(call.arg(index), PATH_MAX - 1) else {
        return call.forward();
    };
    let (buffer, size) = (call.arg(index + 1), call.int(index + 2));
    if size <= 0 {
        return Err(Errno::EINVAL);
    }
    if let Some(target) = procfs::leads_to(call.process, &path)? {
        return answer(call, buffer, size, &target);
    }
    // Not to the payload's buffer yet: what is corrected leaves no trace.
    let mut target = vec![0u8; PATH_MAX.min(size as usize)];
    let mut host = call.translate();
    host.set(index + 1, pointer_to(&mut target));
    host.set(index + 2, target.len() as u64);
    let len = match call.host(call.row.number, &host) {
        Err(Errno::ENOENT) if nsm::is_named(call, start_of(call, index), &path, false) => {
            return Err(Errno::EINVAL);
        }
        result => result?,
    };
    target.truncate(len as usize);
    if let Some(name) = nsm::shown_name(call, &target) {
        return answer(call, buffer, size, name);
    }
    if !is_of_interest(call, &path, &target) {
        return answer(call, buffer, size, &target);
    }
    let start = start_of(call, index);
    let (held, parent) = match path.is_empty() {
        // The link itself, by a descriptor.
        true => (None, None),
        false => match walk_from(call.process, start, &path, false)? {
            (Found::File(held), parent) => (Some(held), parent),
            (Found::Missing { .. }, _) => return Err(Errno::ENOENT),
        },
    };
    let near = parent.as_ref().map_or(start, AsRawFd::as_raw_fd);
    let link = match &held {
        Some(held) => held.as_fd(),
        None => proc::borrow_fd(start).ok_or(Errno::EBADF)?,
    };
    if proc::is_on_procfs(link) {
        match procfs::look_opened(call.process, link, near) {
            View::File(payloads) => target = payloads,
            View::Refused(errno) => return Err(errno),
            View::Host | View::Text(_) | View::Memory => {}
        }
    }
    answer(call, buffer, size, &target)
}

/// Whether a link may be one that tells of a monitor: it leads to this one's
/// program, or has the number of a descriptor of the monitor's, or is the
/// program of some process.
fn is_of_interest(call: &Call<'_>, path: &[u8], target: &[u8]) -> bool {
    let last = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    if last == b"exe" || procfs::number(last).is_some_and(|fd| call.process.fds.contains(fd)) {
        return true;
    }
    call.process
        .file_name(call.process.image.as_fd())
        .starts_with(target)
}

/// Writes where a link leads to, as far as there is room.
fn answer(call: &Call<'_>, buffer: u64, size: i32, target: &[u8]) -> Result<u64, Errno> {
    let len = target.len().min(size as usize);
    let target = target.get(..len).unwrap_or(target);
    call.memory().write(buffer, target)?;
    Ok(len as u64)
}
