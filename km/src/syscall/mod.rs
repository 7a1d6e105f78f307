//! The payload's system calls: one table, a generic proxy, and a file of
//! handlers for each area.

pub mod aio;
pub mod args;
pub mod call;
pub mod clone;
pub mod dir;
pub mod dispatch;
pub mod fcntl;
pub mod file;
pub mod flags;
pub mod futex;
pub mod io;
pub mod ioctl;
pub mod ipc;
pub mod limits;
pub mod list;
pub mod mask;
pub mod memory_file;
pub mod mman;
pub mod mount;
pub mod namespace;
pub mod nsm;
pub mod open;
pub mod own;
pub mod paths;
pub mod pipe;
pub mod poll;
pub mod process;
pub mod row;
pub mod seccomp;
pub mod shm;
pub mod signals;
pub mod socket;
pub mod sockopt;
pub mod structs;
pub mod table;
pub mod trace;
pub mod walk;

use crate::errno::Errno;

/// What a system call comes to.
#[derive(Debug)]
pub enum Outcome {
    /// It succeeded; the value for `rax`.
    Done(u64),
    /// It failed.
    Fail(Errno),
    /// Something else happens than a return to the payload.
    Control(Control),
}

/// What happens instead of a return with a value.
#[derive(Debug, PartialEq, Eq)]
pub enum Control {
    /// The process ends with this status (0 to 255).
    ExitGroup(u8),
    /// This thread ends with this status.
    ExitThread(u8),
    /// The registers were replaced (signal return): leave them alone.
    Untouched,
    /// The process is killed by this signal.
    Kill(i32),
    /// The thread is, and no other but with the last.
    KillThread(i32),
    /// The call is not made: SIGSYS for it, with this as `si_errno`.
    Trap(u16),
    /// The call is not made: SIGSYS, for the thread to answer it.
    HandBack,
}

impl From<Result<u64, Errno>> for Outcome {
    fn from(result: Result<u64, Errno>) -> Outcome {
        match result {
            Ok(value) => Outcome::Done(value),
            Err(errno) => Outcome::Fail(errno),
        }
    }
}
