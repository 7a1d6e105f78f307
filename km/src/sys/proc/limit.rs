//! The limit on open files.

use std::io;

use crate::sys::lock::Lock;

/// Soft and hard limit of a resource (`getrlimit(2)`).
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    pub soft: u64,
    pub hard: u64,
}

/// The limit on open files.
///
/// # Errors
///
/// From `getrlimit(2)`.
pub fn open_file_limit() -> io::Result<Limit> {
    let mut value = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `value` is valid for writes of one rlimit.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut value) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Limit {
        soft: value.rlim_cur,
        hard: value.rlim_max,
    })
}

/// Raises the soft limit on open files to `soft` while `work` runs.
///
/// # Errors
///
/// From `setrlimit(2)`, or of `work`.
pub fn with_open_file_limit<T>(soft: u64, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let _turn = OPEN_FILES.lock();
    let before = open_file_limit()?;
    if soft <= before.soft {
        return work();
    }
    set_limit(Limit { soft, ..before })?;
    let result = work();
    set_limit(before)?;
    result
}

/// Sets the soft limit on open files. The hard one is not lowered to `hard`,
/// but where the host would not allow that much, nothing is changed.
///
/// # Errors
///
/// From `setrlimit(2)`: EPERM beyond what the host allows.
pub fn set_open_file_limit(soft: u64, hard: u64) -> io::Result<()> {
    let _turn = OPEN_FILES.lock();
    let before = open_file_limit()?;
    set_limit(Limit {
        soft,
        hard: hard.max(before.hard),
    })
}

/// Held while the limit on open files is not what the payload set.
static OPEN_FILES: Lock<()> = Lock::new(());

fn set_limit(limit: Limit) -> io::Result<()> {
    let value = libc::rlimit {
        rlim_cur: limit.soft,
        rlim_max: limit.hard,
    };
    // SAFETY: `value` is valid for reads of one rlimit.
    match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const value) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
