//! Looking up files for the payload.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::errno::Errno;

/// Opens `path` under `directory`, close-on-exec; a number, as it may be
/// `AT_FDCWD` or one that the payload has closed.
///
/// # Errors
///
/// From `openat(2)`.
pub fn open_at(directory: i32, path: &CStr, flags: i32) -> Result<OwnedFd, Errno> {
    // SAFETY: `path` ends with a NUL; without O_CREAT there is no mode.
    let fd = unsafe { libc::openat(directory, path.as_ptr(), flags | libc::O_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error().into());
    }
    // SAFETY: `fd` was just made and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Where a symbolic link that is itself open (`O_PATH`) leads to.
///
/// # Errors
///
/// From `readlinkat(2)`.
pub fn target_of(link: BorrowedFd<'_>) -> Result<Vec<u8>, Errno> {
    read_link(link, c"")
}

fn read_link(directory: BorrowedFd<'_>, path: &CStr) -> Result<Vec<u8>, Errno> {
    let mut target = vec![0u8; libc::PATH_MAX as usize];
    // SAFETY: `path` ends with a NUL, and `target` is valid for writes of its
    // length.
    let len = unsafe {
        libc::readlinkat(
            directory.as_raw_fd(),
            path.as_ptr(),
            target.as_mut_ptr().cast(),
            target.len(),
        )
    };
    if len < 0 {
        return Err(io::Error::last_os_error().into());
    }
    target.truncate(len as usize);
    Ok(target)
}

/// The name of an open file, as `/proc/PID/maps` would have it; `proc_root` is
/// the root of `/proc`, and nothing is told without.
pub fn name_of(proc_root: Option<BorrowedFd<'_>>, file: BorrowedFd<'_>) -> Vec<u8> {
    // Not `self`: the first thread may have ended.
    let link = CString::new(format!("thread-self/fd/{}", file.as_raw_fd()));
    let (Some(root), Ok(link)) = (proc_root, link) else {
        return Vec::new();
    };
    read_link(root, &link).unwrap_or_default()
}

/// Where a file is: the mount it was reached through, its file system, and its
/// number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    pub mount: u64,
    /// Major and minor number.
    pub device: (u32, u32),
    pub inode: u64,
}

impl Location {
    /// Whether both are of the same file.
    pub fn is_same_file(&self, other: &Location) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }
}

/// The place of an open file; from Linux 5.8 on.
pub fn locate(file: BorrowedFd<'_>) -> Option<Location> {
    let mut status = std::mem::MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: the path is an empty string, and `status` is valid for writes of
    // one statx, all bits of which are valid values.
    let (done, status) = unsafe {
        let done = libc::statx(
            file.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            libc::STATX_INO | libc::STATX_MNT_ID,
            status.as_mut_ptr(),
        );
        (done, status.assume_init())
    };
    let told = done == 0 && status.stx_mask & libc::STATX_MNT_ID != 0;
    told.then_some(Location {
        mount: status.stx_mnt_id,
        device: (status.stx_dev_major, status.stx_dev_minor),
        inode: status.stx_ino,
    })
}

/// `struct open_how` (`openat2(2)`).
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct How {
    pub flags: u64,
    pub mode: u64,
    pub resolve: u64,
}

/// As [`open_at`], with `RESOLVE_*` of `openat2(2)`.
///
/// # Errors
///
/// From `openat2(2)`.
pub fn open_resolved(
    directory: i32,
    path: &CStr,
    flags: i32,
    resolve: u64,
) -> Result<OwnedFd, Errno> {
    let how = How {
        flags: (flags | libc::O_CLOEXEC) as u64,
        mode: 0,
        resolve,
    };
    // SAFETY: `path` ends with a NUL, and `how` is valid for reads of its size.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_openat2,
            directory,
            path.as_ptr(),
            &raw const how,
            size_of::<How>(),
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error().into());
    }
    // SAFETY: `fd` was just made and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Whether there is anything at `path` under `directory`.
pub fn exists_at(directory: BorrowedFd<'_>, path: &CStr) -> bool {
    // SAFETY: `path` ends with a NUL.
    unsafe { libc::faccessat(directory.as_raw_fd(), path.as_ptr(), libc::F_OK, 0) == 0 }
}

/// Reads the link at `path` under `directory`.
///
/// # Errors
///
/// From `readlinkat(2)`.
pub fn link_at(directory: BorrowedFd<'_>, path: &CStr) -> Result<Vec<u8>, Errno> {
    read_link(directory, path)
}

/// Reads memory of another process at `address`; the whole of `buffer`.
///
/// # Errors
///
/// From `process_vm_readv(2)`: EPERM, ESRCH; EFAULT where there is less.
pub fn read_memory_of(process: i32, address: u64, buffer: &mut [u8]) -> Result<(), Errno> {
    let local = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    let remote = libc::iovec {
        iov_base: address as *mut libc::c_void,
        iov_len: buffer.len(),
    };
    // SAFETY: `local` is all of `buffer`; the other address is checked by the
    // kernel.
    let read =
        unsafe { libc::process_vm_readv(process, &raw const local, 1, &raw const remote, 1, 0) };
    match usize::try_from(read) {
        Ok(read) if read == buffer.len() => Ok(()),
        Ok(_) => Err(Errno::EFAULT),
        Err(_) => Err(io::Error::last_os_error().into()),
    }
}
