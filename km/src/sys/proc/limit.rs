//! Limits of the process that the payload sets, and that bind the monitor as
//! well: it raises them for itself, for moments.
//!
//! All threads have them in common. So who reads or sets one for the payload
//! does it while none has it raised, and so who makes a process: a forked one
//! is made by a stopped world, where none has; for one made by `vfork` see
//! [`PayloadLimits`].

use std::io;

use crate::sys::lock::{Guard, Lock};

/// Soft and hard limit of a resource (`getrlimit(2)`).
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    pub soft: u64,
    pub hard: u64,
}

/// A limit that the monitor raises for moments.
#[derive(Debug)]
pub struct Raisable {
    resource: u32,
    /// Held while it is not what the payload set.
    turn: Lock<()>,
}

/// The limit on open files.
pub static OPEN_FILES: Raisable = Raisable::new(libc::RLIMIT_NOFILE);
/// The limit on the size of files. It may be raised by who has the other
/// raised, not the other way round.
pub static FILE_SIZE: Raisable = Raisable::new(libc::RLIMIT_FSIZE);

/// Such a limit while it is what the payload set.
#[derive(Debug)]
pub struct Settled<'a> {
    resource: u32,
    _turn: Guard<'a, ()>,
}

impl Raisable {
    const fn new(resource: u32) -> Raisable {
        Raisable {
            resource,
            turn: Lock::new(()),
        }
    }

    /// Waits until nobody has it raised.
    pub fn settled(&self) -> Settled<'_> {
        Settled {
            resource: self.resource,
            _turn: self.turn.lock(),
        }
    }

    fn with_value(&'static self) -> io::Result<(&'static Raisable, Limit)> {
        Ok((self, self.settled().get()?))
    }
}

impl Settled<'_> {
    /// The limit.
    ///
    /// # Errors
    ///
    /// From `getrlimit(2)`.
    pub fn get(&self) -> io::Result<Limit> {
        let mut value = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: `value` is valid for writes of one rlimit.
        if unsafe { libc::getrlimit(self.resource, &raw mut value) } < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Limit {
            soft: value.rlim_cur,
            hard: value.rlim_max,
        })
    }

    fn set(&self, limit: Limit) -> io::Result<()> {
        let value = libc::rlimit {
            rlim_cur: limit.soft,
            rlim_max: limit.hard,
        };
        // SAFETY: `value` is valid for reads of one rlimit.
        match unsafe { libc::setrlimit(self.resource, &raw const value) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Sets the soft limit. The hard one is not lowered to `hard`, but where
    /// the host would not allow that much, nothing is changed.
    ///
    /// # Errors
    ///
    /// From `setrlimit(2)`: EPERM beyond what the host allows.
    pub fn set_soft(&self, soft: u64, hard: u64) -> io::Result<()> {
        let before = self.get()?;
        self.set(Limit {
            soft,
            hard: hard.max(before.hard),
        })
    }
}

/// Raises the soft limit on open files to `soft` while `work` runs.
///
/// # Errors
///
/// From `setrlimit(2)`, or of `work`.
pub fn with_open_file_limit<T>(soft: u64, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let limit = OPEN_FILES.settled();
    let before = limit.get()?;
    if soft <= before.soft {
        return work();
    }
    limit.set(Limit { soft, ..before })?;
    let result = work();
    limit.set(before)?;
    result
}

/// Runs `work` while the limit on the size of files is as high as it can be.
///
/// # Errors
///
/// From `setrlimit(2)`, or of `work`.
pub fn without_file_size_limit<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    const NONE: Limit = Limit {
        soft: libc::RLIM_INFINITY,
        hard: libc::RLIM_INFINITY,
    };
    let limit = FILE_SIZE.settled();
    let before = limit.get()?;
    let highest = Limit {
        soft: before.hard,
        ..before
    };
    limit.set(NONE).or_else(|_| limit.set(highest))?;
    let result = work();
    limit.set(before)?;
    result
}

/// The raisable limits as the payload set them, for a process made by `vfork`,
/// which gets what they are at that moment, and nobody else after it.
#[derive(Debug)]
pub struct PayloadLimits([(&'static Raisable, Limit); 2]);

impl PayloadLimits {
    /// Those of the calling process.
    ///
    /// # Errors
    ///
    /// From `getrlimit(2)`.
    pub fn now() -> io::Result<PayloadLimits> {
        Ok(PayloadLimits([
            OPEN_FILES.with_value()?,
            FILE_SIZE.with_value()?,
        ]))
    }

    /// Makes them those of the calling process, the new one.
    pub fn restore(&self) {
        for (limit, value) in &self.0 {
            // What was raised can be lowered.
            let _ = limit.settled().set(*value);
        }
    }
}
