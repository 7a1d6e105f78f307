//! Writing for the monitor itself. The payload's limit on the size of files
//! (`RLIMIT_FSIZE`) is not meant for it, nor is the SIGXFSZ that the kernel
//! sends who runs into the limit.

use std::fs::File;
use std::io::{self, ErrorKind, Write};

use crate::sys::proc::limit::without_file_size_limit;
use crate::sys::signal::Held;

/// Writes all of `bytes`. A signal for the payload does not come of it.
///
/// # Errors
///
/// From `write(2)`: EFBIG where the limit binds even the monitor, as the hard
/// one may.
pub fn write_all(file: &File, bytes: &[u8]) -> io::Result<()> {
    match write_within_limit(file, bytes)? {
        [] => Ok(()),
        rest => write_beyond_limit(file, rest),
    }
}

/// Writes what the limit allows of `bytes`; the rest, for
/// [`write_beyond_limit`].
///
/// # Errors
///
/// From `write(2)`.
pub fn write_within_limit<'a>(mut file: &File, bytes: &'a [u8]) -> io::Result<&'a [u8]> {
    let held = Held::new(libc::SIGXFSZ);
    let mut rest = bytes;
    while !rest.is_empty() {
        match file.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.raw_os_error() == Some(libc::EFBIG) => {
                held.forget();
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(rest)
}

/// Writes all of `bytes` while the limit is raised, which all threads have in
/// common: the world may not be stopped meanwhile. A file that the limit is on
/// does not keep the caller waiting.
///
/// # Errors
///
/// As for [`write_all`].
pub fn write_beyond_limit(file: &File, bytes: &[u8]) -> io::Result<()> {
    match without_file_size_limit(|| write_within_limit(file, bytes))? {
        [] => Ok(()),
        _ => Err(io::Error::from_raw_os_error(libc::EFBIG)),
    }
}
