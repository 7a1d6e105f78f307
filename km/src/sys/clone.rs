//! New processes and new programs (`clone(2)`, `execveat(2)`). Those that share
//! the monitor's memory are in `vfork`.

use std::arch::asm;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::errno::Errno;

/// What the host is told of a new process. The pointers are host pointers
/// made by `GuestMemory::host_pointer`, or 0.
#[derive(Debug, Clone, Copy, Default)]
pub struct Child {
    /// `CLONE_*`.
    pub flags: u64,
    /// The signal for the parent at its end; 0 for none.
    pub exit_signal: u64,
    /// Where the kernel leaves a descriptor for it (`CLONE_PIDFD`).
    pub pidfd: u64,
    pub child_tid: u64,
}

/// `struct clone_args` (`clone3(2)`).
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct CloneArgs {
    pub flags: u64,
    pub pidfd: u64,
    pub child_tid: u64,
    pub parent_tid: u64,
    pub exit_signal: u64,
    pub stack: u64,
    pub stack_size: u64,
    pub tls: u64,
    pub set_tid: u64,
    pub set_tid_size: u64,
    pub cgroup: u64,
}

/// What `clone` has no bit for (`CLONE_NEWTIME`): there the exit signal is.
const ONLY_CLONE3: u64 = 0xff;

/// Which of two a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forked {
    /// The parent, with the child's id.
    Parent(i32),
    Child,
}

/// Copies the process: `CLONE_VM` must not be among the flags. The child has
/// the calling thread only, so no other thread may hold a lock that the child
/// needs: the caller has stopped them.
///
/// # Errors
///
/// From `clone(2)`.
pub fn fork(child: &Child) -> Result<Forked, Errno> {
    let result: i64;
    let flags = child.flags & !(libc::CLONE_VM as u64);
    let structure = CloneArgs {
        flags,
        pidfd: child.pidfd,
        child_tid: child.child_tid,
        exit_signal: child.exit_signal,
        ..CloneArgs::default()
    };
    let (number, args) = if flags & ONLY_CLONE3 == 0 {
        let flags = flags | child.exit_signal;
        (libc::SYS_clone, [flags, 0, child.pidfd, child.child_tid])
    } else {
        let at = std::ptr::from_ref(&structure).addr() as u64;
        let size = size_of::<CloneArgs>() as u64;
        (libc::SYS_clone3, [at, size, 0, 0])
    };
    // SAFETY: without CLONE_VM the child runs on a copy of this stack, as
    // after fork(2). The kernel reads the structure, which lives for the call,
    // and writes to the pointers, which are the payload's. The assembly
    // preserves all but the registers named.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") 0,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    match result {
        0 => Ok(Forked::Child),
        ..0 => Err(Errno::from_raw(-(result as i32))),
        pid => Ok(Forked::Parent(pid as i32)),
    }
}

/// Executes the open file with a name and one argument, and no environment.
/// Returns only with an error. Allocates nothing.
pub fn execute(file: BorrowedFd<'_>, name: &CStr, argument: &CStr) -> Errno {
    exec(file, [name, argument], 0)
}

/// `AT_EXECVE_CHECK`: only says whether the file could be executed
/// (`execveat(2)`, Linux 6.14).
pub const EXECVE_CHECK: i32 = 0x10000;

/// Whether the kernel would execute the file now: for instance not while it is
/// open for writing. Kernels before 6.14 say nothing.
///
/// # Errors
///
/// What `execve(2)` would say of the file.
pub fn may_be_executed(file: BorrowedFd<'_>) -> Result<(), Errno> {
    match exec(file, [c"", c""], EXECVE_CHECK) {
        Errno::EINVAL | Errno::ENOSYS => Ok(()),
        errno if errno.raw() == 0 => Ok(()),
        errno => Err(errno),
    }
}

/// Whether the kernel knows [`EXECVE_CHECK`]; `file` is any open file.
pub fn knows_check(file: BorrowedFd<'_>) -> bool {
    !matches!(
        exec(file, [c"", c""], EXECVE_CHECK),
        Errno::EINVAL | Errno::ENOSYS
    )
}

fn exec(file: BorrowedFd<'_>, [name, argument]: [&CStr; 2], flags: i32) -> Errno {
    let args = [name.as_ptr(), argument.as_ptr(), ptr::null()];
    let nothing: [*const libc::c_char; 1] = [ptr::null()];
    // SAFETY: the path is an empty string, both arrays end with NULL, and
    // their strings live for the call.
    let done = unsafe {
        libc::syscall(
            libc::SYS_execveat,
            file.as_raw_fd(),
            c"".as_ptr(),
            args.as_ptr(),
            nothing.as_ptr(),
            libc::AT_EMPTY_PATH | flags,
        )
    };
    match done {
        0 => Errno::from_raw(0),
        _ => io::Error::last_os_error().into(),
    }
}

/// Ends the calling thread alone. Only for the process's first thread, which
/// nobody joins; the process lives on with the others.
/// The kernel clears the word at host address `cleared`, as for any thread.
pub fn exit_first_thread(status: u8, cleared: Option<u64>) -> ! {
    // SAFETY: the thread's stack stays mapped, and nothing on it is used by
    // others: the caller has given away all it shared. The address is the
    // payload's, where the kernel writes one word if it can.
    unsafe {
        libc::syscall(libc::SYS_set_tid_address, cleared.unwrap_or(0));
        libc::syscall(libc::SYS_exit, libc::c_long::from(status));
    }
    crate::sys::proc::exit(status)
}

/// Stops sharing what threads share (`CLONE_FS`, `CLONE_SYSVSEM`), or enters
/// new namespaces.
///
/// # Errors
///
/// From `unshare(2)`.
pub fn unshare(flags: i32) -> Result<(), Errno> {
    // SAFETY: the monitor relies on none of what these flags separate; its
    // descriptors (`CLONE_FILES`) stay the same in the copy.
    match unsafe { libc::unshare(flags) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error().into()),
    }
}
