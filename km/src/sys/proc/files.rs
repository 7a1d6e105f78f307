//! Descriptors, and the files they stand for.

use std::ffi::CStr;
use std::io;
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::errno::Errno;
use crate::sys::proc::{with_open_file_limit, write_all};

/// Duplicates `fd` to the lowest free number of at least `lowest`,
/// close-on-exec.
///
/// # Errors
///
/// From `fcntl(F_DUPFD_CLOEXEC)`.
pub fn duplicate_at_least(fd: BorrowedFd<'_>, lowest: i32) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes an int and makes a new descriptor.
    let new = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, lowest) };
    if new < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `new` was just made and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(new) })
}

/// Closes all descriptors in `range` that are not in `keep`, in a forked
/// child: what owns them there is never dropped.
pub fn close_all_but<'a>(range: &Range<i32>, keep: impl IntoIterator<Item = &'a i32>) {
    let mut keep: Vec<i32> = keep.into_iter().copied().collect();
    keep.retain(|fd| range.contains(fd));
    keep.sort_unstable();
    let mut start = range.start;
    for kept in keep.into_iter().chain([range.end]) {
        if start < kept {
            // SAFETY: the caller owns what is closed.
            unsafe { libc::syscall(libc::SYS_close_range, start, kept - 1, 0) };
        }
        start = kept + 1;
    }
}

/// An open descriptor of the process, by its number, for the time of a call.
pub fn borrow_fd<'a>(number: i32) -> Option<BorrowedFd<'a>> {
    // SAFETY: -1 is excluded. That the number may be closed by the payload at
    // any time is nothing the kernel minds: the call gives EBADF.
    (number >= 0).then(|| unsafe { BorrowedFd::borrow_raw(number) })
}

/// Whether a program that is executed gets the descriptor `fd`, or not.
pub fn set_inherited(fd: i32, inherited: bool) {
    let flags = if inherited { 0 } else { libc::FD_CLOEXEC };
    // SAFETY: F_SETFD takes an int; a number that is not open gives EBADF.
    unsafe { libc::fcntl(fd, libc::F_SETFD, flags) };
}

/// Makes `old` stand for what `new` stands for, under its own number and
/// close-on-exec.
///
/// # Errors
///
/// From `dup3(2)` and `setrlimit(2)`.
pub fn put_in_place(new: BorrowedFd<'_>, old: BorrowedFd<'_>) -> io::Result<()> {
    let number = old.as_raw_fd();
    // It may lie above the limit.
    with_open_file_limit(number as u64 + 1, || {
        // SAFETY: both are open, and `old` stays so: its number is its owner's.
        match unsafe { libc::dup3(new.as_raw_fd(), number, libc::O_CLOEXEC) } {
            -1 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    })
}

/// Whether `fd` is open.
pub fn is_open(fd: i32) -> bool {
    // SAFETY: F_GETFD takes no argument.
    unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
}

/// Whether a program that is executed gets the descriptor `fd`.
pub fn is_inherited(fd: i32) -> bool {
    // SAFETY: F_GETFD takes no argument.
    unsafe { libc::fcntl(fd, libc::F_GETFD) & libc::FD_CLOEXEC == 0 }
}

/// Takes over descriptor `fd`, which the program that executed this one left
/// open for it.
///
/// # Errors
///
/// EBADF where it is not open.
pub fn take_inherited(fd: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: F_SETFD takes an int.
    if fd < 0 || unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return Err(Errno::EBADF);
    }
    // SAFETY: it is open, and the caller takes each number once.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sends standard output and error to the file at `path`, appending.
///
/// # Errors
///
/// From `open(2)` and `dup2(2)`.
pub fn redirect_output(path: &std::path::Path) -> io::Result<()> {
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)?;
    for fd in [1, 2] {
        // SAFETY: `file` is open; what the numbers stood for is closed, which
        // nothing in the monitor relies on.
        if unsafe { libc::dup2(file.as_raw_fd(), fd) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Whether the process may execute the open file (`faccessat2(2)` with
/// `AT_EMPTY_PATH`, effective ids).
pub fn may_execute(file: BorrowedFd<'_>) -> bool {
    let flags = libc::AT_EMPTY_PATH | libc::AT_EACCESS;
    // SAFETY: the path is a NUL-terminated empty string.
    let done = unsafe {
        libc::syscall(
            libc::SYS_faccessat2,
            file.as_raw_fd(),
            c"".as_ptr(),
            libc::X_OK,
            flags,
        )
    };
    match io::Error::last_os_error().raw_os_error() {
        _ if done == 0 => true,
        // The call is filtered: what the file's mode says must do.
        Some(libc::EPERM | libc::ENOSYS) => {
            status(file).is_ok_and(|status| status.st_mode & 0o111 != 0)
        }
        _ => false,
    }
}

/// What `mmap` needs to know of a file.
#[derive(Debug, Clone, Copy)]
pub struct FileStatus {
    pub device: u64,
    pub inode: u64,
    /// Open for writing.
    pub writable: bool,
    /// Opened by `O_PATH`.
    pub path_only: bool,
}

impl FileStatus {
    pub fn is_same_file(&self, other: &FileStatus) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    /// Whether `found` is of the same file.
    pub fn is_of(&self, found: &std::fs::Metadata) -> bool {
        use std::os::unix::fs::MetadataExt;
        (self.device, self.inode) == (found.dev(), found.ino())
    }
}

/// The status of an open file.
///
/// # Errors
///
/// From `fstat(2)`: EBADF.
pub fn file_status(fd: BorrowedFd<'_>) -> Result<FileStatus, Errno> {
    let status = status(fd)?;
    // SAFETY: F_GETFL takes no argument.
    let mode = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) };
    if mode < 0 {
        return Err(io::Error::last_os_error().into());
    }
    Ok(FileStatus {
        device: status.st_dev,
        inode: status.st_ino,
        writable: mode & libc::O_ACCMODE != libc::O_RDONLY,
        path_only: mode & libc::O_PATH != 0,
    })
}

/// Device and inode of an open file.
///
/// # Errors
///
/// From `fstat(2)`: EBADF.
pub fn file_identity(fd: BorrowedFd<'_>) -> Result<(u64, u64), Errno> {
    let status = status(fd)?;
    Ok((status.st_dev, status.st_ino))
}

/// The number of an open character device.
pub fn character_device(fd: BorrowedFd<'_>) -> Option<u64> {
    let status = status(fd).ok()?;
    (status.st_mode & libc::S_IFMT == libc::S_IFCHR).then_some(status.st_rdev)
}

/// Locks a file for the calling process (`F_SETLK` of `fcntl(2)`), until it
/// unlocks it or ends; false where another one has it.
///
/// # Errors
///
/// From `fcntl(2)`.
pub fn lock_file(fd: BorrowedFd<'_>) -> Result<bool, Errno> {
    match set_lock(fd, libc::F_WRLCK) {
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        result => result.map(|()| true),
    }
}

/// Gives back what [`lock_file`] took.
pub fn unlock_file(fd: BorrowedFd<'_>) {
    // A lock that is held can be given back.
    let _ = set_lock(fd, libc::F_UNLCK);
}

fn set_lock(fd: BorrowedFd<'_>, kind: i32) -> Result<(), Errno> {
    // All of the file: from its beginning, for a length of 0.
    let lock = libc::flock {
        l_type: kind as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    // SAFETY: F_SETLK reads the structure.
    let done = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETLK, &raw const lock) };
    if done < 0 {
        return Err(io::Error::last_os_error().into());
    }
    Ok(())
}

/// The kind of a file: `S_IFREG` and its like.
///
/// # Errors
///
/// From `fstat(2)`.
pub fn file_kind(fd: BorrowedFd<'_>) -> Result<u32, Errno> {
    Ok(status(fd)?.st_mode & libc::S_IFMT)
}

fn status(fd: BorrowedFd<'_>) -> Result<libc::stat, Errno> {
    let mut status = std::mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: `status` is valid for writes of one stat, all bits of which are
    // valid values.
    let (done, status) = unsafe {
        let done = libc::fstat(fd.as_raw_fd(), status.as_mut_ptr());
        (done, status.assume_init())
    };
    match done {
        0 => Ok(status),
        _ => Err(io::Error::last_os_error().into()),
    }
}

/// Whether the file lies on a file system mounted `noexec`.
pub fn is_on_noexec(fd: BorrowedFd<'_>) -> bool {
    let mut status = std::mem::MaybeUninit::<libc::statvfs>::zeroed();
    // SAFETY: `status` is valid for writes of one statvfs, all bits of which
    // are valid values.
    let (done, flags) = unsafe {
        let done = libc::fstatvfs(fd.as_raw_fd(), status.as_mut_ptr());
        (done, status.assume_init().f_flag)
    };
    done == 0 && flags & libc::ST_NOEXEC != 0
}

/// Whether a file is of a kind that programs map. KVM's are of no kind, as all
/// that the kernel gives a descriptor but no name (`anon_inode_getfile()`).
///
/// # Errors
///
/// From `fstat(2)`.
pub fn can_be_mapped(fd: BorrowedFd<'_>) -> Result<bool, Errno> {
    Ok(file_kind(fd)? != 0)
}

/// Whether the file is of `/proc`.
pub fn is_on_procfs(fd: BorrowedFd<'_>) -> bool {
    file_system(fd) == Some(libc::PROC_SUPER_MAGIC)
}

/// The kind of file system that the file is of (`statfs(2)`).
pub fn file_system(fd: BorrowedFd<'_>) -> Option<libc::c_long> {
    let mut status = std::mem::MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: `status` is valid for writes of one statfs, all bits of which
    // are valid values.
    let (done, kind) = unsafe {
        let done = libc::fstatfs(fd.as_raw_fd(), status.as_mut_ptr());
        (done, status.assume_init().f_type)
    };
    (done == 0).then_some(kind)
}

/// The monitor's own program file.
///
/// # Errors
///
/// From `open(2)`.
pub fn own_image() -> io::Result<OwnedFd> {
    open_path("/proc/self/exe", libc::O_CLOEXEC)
}

/// The root of `/proc`, to be looked up from wherever the payload goes.
///
/// # Errors
///
/// From `open(2)`; ENOENT where something else is there.
pub fn proc_root() -> io::Result<OwnedFd> {
    let root = open_path("/proc", libc::O_CLOEXEC | libc::O_DIRECTORY)?;
    match is_on_procfs(root.as_fd()) {
        true => Ok(root),
        false => Err(io::Error::from_raw_os_error(libc::ENOENT)),
    }
}

/// Holds the place of a file, without the right to read it.
fn open_path(path: &str, flags: i32) -> io::Result<OwnedFd> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    options.read(true).custom_flags(libc::O_PATH | flags);
    Ok(options.open(path)?.into())
}

/// An anonymous file with `content`, for a descriptor of the payload's.
///
/// # Errors
///
/// From `memfd_create(2)` and `write(2)`.
pub fn memory_file(name: &CStr, content: &[u8], flags: u32) -> Result<OwnedFd, Errno> {
    use std::io::Seek;
    // SAFETY: `name` is NUL-terminated.
    let fd = unsafe { libc::memfd_create(name.as_ptr(), flags) };
    if fd < 0 {
        return Err(io::Error::last_os_error().into());
    }
    // SAFETY: the descriptor is new and nothing else owns it.
    let mut file = std::fs::File::from(unsafe { OwnedFd::from_raw_fd(fd) });
    write_all(&file, content)?;
    file.rewind()?;
    Ok(file.into())
}

/// An anonymous file with `content` that nobody can change any more. Until
/// then another thread of the payload can, and it can put another file in its
/// place: see [`is_sealed_file`].
///
/// # Errors
///
/// From `memfd_create(2)`, `write(2)` and `fcntl(2)`.
pub fn sealed_file(name: &CStr, content: &[u8]) -> Result<OwnedFd, Errno> {
    file_with_seals(name, content, SEALS)
}

/// An anonymous file with `content`, whose length nobody can change.
///
/// # Errors
///
/// As for [`sealed_file`].
pub fn fixed_file(name: &CStr, content: &[u8]) -> Result<OwnedFd, Errno> {
    file_with_seals(name, content, FIXED)
}

const FIXED: i32 = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW;
const SEALS: i32 = FIXED | libc::F_SEAL_WRITE;

fn file_with_seals(name: &CStr, content: &[u8], seals: i32) -> Result<OwnedFd, Errno> {
    let file = memory_file(name, content, libc::MFD_ALLOW_SEALING | libc::MFD_CLOEXEC)?;
    // SAFETY: F_ADD_SEALS takes an int.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) } < 0 {
        return Err(io::Error::last_os_error().into());
    }
    Ok(file)
}

/// Whether `file`, which nobody can exchange any more, is one that
/// [`sealed_file`] would make of `content`.
pub fn is_sealed_file(file: BorrowedFd<'_>, content: &[u8]) -> bool {
    status(file).is_ok_and(|status| status.st_size == content.len() as i64)
        && sealed_content(file).is_ok_and(|sealed| sealed == content)
}

/// The content of a file made by [`sealed_file`].
///
/// # Errors
///
/// EINVAL where it is another file; from `fstat(2)` and `read(2)`.
pub fn sealed_content(file: BorrowedFd<'_>) -> Result<Vec<u8>, Errno> {
    use std::os::unix::fs::FileExt;
    // SAFETY: F_GET_SEALS takes no argument.
    if unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GET_SEALS) } != SEALS {
        return Err(Errno::EINVAL);
    }
    let mut content = vec![0; status(file)?.st_size as usize];
    // SAFETY: it is open, and closed by its owner only.
    let file = ManuallyDrop::new(unsafe { std::fs::File::from_raw_fd(file.as_raw_fd()) });
    // Not from its position on: who has a copy can change that.
    file.read_exact_at(&mut content, 0)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_file_that_was_sealed_is_taken() {
        let sealed = sealed_file(c"test", b"content").unwrap();
        assert!(is_sealed_file(sealed.as_fd(), b"content"));
        let other = sealed_file(c"test", b"Content").unwrap();
        assert!(!is_sealed_file(other.as_fd(), b"content"));
        let open = memory_file(c"test", b"content", libc::MFD_ALLOW_SEALING).unwrap();
        assert!(!is_sealed_file(open.as_fd(), b"content"));
    }

    #[test]
    fn its_content_does_not_depend_on_its_position() {
        use std::io::Seek;
        let sealed = sealed_file(c"test", b"content").unwrap();
        let mut copy = std::fs::File::from(sealed.try_clone().unwrap());
        copy.seek(io::SeekFrom::Start(3)).unwrap();
        assert_eq!(sealed_content(sealed.as_fd()).unwrap(), b"content");
    }
}
