//! Namespaces of the monitor's own process, which are the payload's.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use crate::errno::Errno;
use crate::sys::clone::{self, Child, Forked};
use crate::sys::proc;

/// Whether the process has one thread, KVM's worker counted; true where that
/// cannot be told.
pub fn is_alone() -> bool {
    // Changes nothing: the kernel only looks.
    clone::unshare(libc::CLONE_THREAD) != Err(Errno::EINVAL)
}

/// Waits until the process has one thread; false where that takes too long.
pub fn wait_until_alone() -> bool {
    const LONGEST: Duration = Duration::from_secs(5);
    let start = Instant::now();
    let mut pause = Duration::from_micros(20);
    while !is_alone() {
        if start.elapsed() > LONGEST {
            return false;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(5));
    }
    true
}

/// Tries `work`, which changes the process it runs in, in a process of its
/// own. It allocates nothing.
///
/// # Errors
///
/// Of `work`; from `clone(2)`.
pub fn rehearse(work: impl FnOnce() -> Result<(), Errno>) -> Result<(), Errno> {
    let pid = match clone::fork(&Child::default())? {
        Forked::Child => proc::exit(work().map_or_else(|errno| errno.raw() as u8, |()| 0)),
        Forked::Parent(pid) => pid,
    };
    let mut status = 0;
    loop {
        // SAFETY: `status` is valid for writes of one int. The child has no
        // signal for its parent, so that only such a wait finds it.
        if unsafe { libc::waitpid(pid, &raw mut status, libc::__WALL) } == pid {
            break;
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error.into());
        }
    }
    match libc::WEXITSTATUS(status) {
        0 if libc::WIFEXITED(status) => Ok(()),
        0 => Err(Errno::EAGAIN),
        errno => Err(Errno::from_raw(errno)),
    }
}

/// Enters the namespaces that `fd` stands for (`setns(2)`).
///
/// # Errors
///
/// From `setns(2)`.
pub fn enter(fd: BorrowedFd<'_>, kinds: i32) -> Result<(), Errno> {
    // SAFETY: setns takes two numbers. The monitor depends on none of the
    // process's namespaces: it holds by descriptor what it needs.
    match unsafe { libc::setns(fd.as_raw_fd(), kinds) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error().into()),
    }
}

/// The kind of namespace that `fd` stands for, as `CLONE_NEW*`; none if it is
/// no such file.
pub fn kind_of(fd: BorrowedFd<'_>) -> Option<i32> {
    const NS_GET_NSTYPE: libc::c_ulong = 0xb703;
    // SAFETY: the request takes no argument.
    let kind = unsafe { libc::ioctl(fd.as_raw_fd(), NS_GET_NSTYPE) };
    (kind > 0).then_some(kind)
}

/// The PID namespaces of the calling thread: its own, and that of its
/// children. It may have no process yet, so that only a pidfd tells of it.
#[derive(Debug)]
pub struct PidNamespaces {
    own: OwnedFd,
    children: OwnedFd,
}

impl PidNamespaces {
    /// Those of the calling thread, if they differ; from Linux 6.11 on.
    pub fn if_children_are_elsewhere() -> Option<PidNamespaces> {
        let namespaces = PidNamespaces::now().ok()?;
        let own = proc::file_status(namespaces.own.as_fd()).ok()?;
        let children = proc::file_status(namespaces.children.as_fd()).ok()?;
        (!own.is_same_file(&children)).then_some(namespaces)
    }

    fn now() -> Result<PidNamespaces, Errno> {
        const PIDFD_THREAD: i32 = libc::O_EXCL;
        const PIDFD_GET_PID_NAMESPACE: libc::c_ulong = 0xff05;
        const PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE: libc::c_ulong = 0xff06;
        let id = proc::thread_id();
        // SAFETY: pidfd_open takes two numbers.
        let thread = owned(unsafe { libc::syscall(libc::SYS_pidfd_open, id, PIDFD_THREAD) })?;
        // SAFETY: the requests take no argument and make a descriptor.
        let get = |request| owned(unsafe { libc::ioctl(thread.as_raw_fd(), request, 0) }.into());
        Ok(PidNamespaces {
            own: get(PIDFD_GET_PID_NAMESPACE)?,
            children: get(PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE)?,
        })
    }

    /// Has children start in the thread's own: only then the process can have
    /// another thread, such as KVM's worker.
    ///
    /// # Errors
    ///
    /// EPERM where it has no right to that.
    pub fn keep_children_here(&self) -> Result<(), Errno> {
        enter(self.own.as_fd(), libc::CLONE_NEWPID)
    }

    /// Has children start where they did.
    ///
    /// # Errors
    ///
    /// EPERM where it has no right to that.
    pub fn send_children_there(&self) -> Result<(), Errno> {
        enter(self.children.as_fd(), libc::CLONE_NEWPID)
    }
}

fn owned(fd: i64) -> Result<OwnedFd, Errno> {
    if fd < 0 {
        return Err(io::Error::last_os_error().into());
    }
    // SAFETY: the descriptor is new and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Runs `work` while children start in the thread's own PID namespace.
///
/// # Errors
///
/// EPERM where it has no right to change that.
pub fn with_children_here<T>(work: impl FnOnce() -> T) -> Result<T, Errno> {
    let Some(namespaces) = PidNamespaces::if_children_are_elsewhere() else {
        return Ok(work());
    };
    namespaces.keep_children_here()?;
    let result = work();
    namespaces.send_children_there()?;
    Ok(result)
}
