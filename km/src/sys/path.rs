//! Looking up files for the payload.

use std::ffi::CStr;
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
    let mut target = vec![0u8; libc::PATH_MAX as usize];
    // SAFETY: `target` is valid for writes of its length.
    let len = unsafe {
        libc::readlinkat(
            link.as_raw_fd(),
            c"".as_ptr(),
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
