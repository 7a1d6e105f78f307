//! Looking up files for the payload.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

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

/// The number of the mount that an open file was reached through; from Linux
/// 5.8 on.
pub fn mount_id(file: BorrowedFd<'_>) -> Option<u64> {
    let mut status = std::mem::MaybeUninit::<libc::statx>::zeroed();
    // SAFETY: the path is an empty string, and `status` is valid for writes of
    // one statx, all bits of which are valid values.
    let (done, status) = unsafe {
        let done = libc::statx(
            file.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH,
            libc::STATX_MNT_ID,
            status.as_mut_ptr(),
        );
        (done, status.assume_init())
    };
    let told = done == 0 && status.stx_mask & libc::STATX_MNT_ID != 0;
    told.then_some(status.stx_mnt_id)
}

/// Whether the calling process has its root within procfs.
pub fn is_root_on_procfs() -> bool {
    let mut status = std::mem::MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: the path ends with a NUL, and `status` is valid for writes of
    // one statfs, all bits of which are valid values.
    let (done, kind) = unsafe {
        let done = libc::statfs(c"/".as_ptr(), status.as_mut_ptr());
        (done, status.assume_init().f_type)
    };
    done == 0 && kind == libc::PROC_SUPER_MAGIC
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
