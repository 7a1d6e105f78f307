//! Namespaces: they are the host's, and the payload's process is in them.

use crate::errno::Errno;
use crate::sys::call::HostArgs;
use crate::sys::namespace::{self, PidNamespaces};
use crate::sys::{clone, proc};
use crate::syscall::Outcome;
use crate::syscall::call::Call;
use crate::task::alone::{Change, alone, has_only_worker_beside, is_only_thread};

const FILES: i32 = libc::CLONE_FILES;
const NEWPID: i32 = libc::CLONE_NEWPID;
const NEWUSER: i32 = libc::CLONE_NEWUSER;
/// What only a process of one thread may ask for, and has then.
const OF_A_PROCESS: i32 = libc::CLONE_THREAD | libc::CLONE_SIGHAND | libc::CLONE_VM;

/// `unshare(flags)`.
pub fn unshare(call: &mut Call<'_>) -> Outcome {
    let work = |call: &mut Call<'_>| {
        let Ok(flags) = i32::try_from(call.arg(0)) else {
            return Err(Errno::EINVAL);
        };
        let own = match call.process.is_borrowed() {
            // A host process like any other.
            true => flags,
            false => {
                // The monitor's descriptors are in the table that threads have
                // in common.
                let shared = OF_A_PROCESS | NEWUSER | FILES;
                if flags & shared != 0 && !is_only_thread(call.process) {
                    return Err(Errno::EINVAL);
                }
                flags & !(OF_A_PROCESS | FILES)
            }
        };
        let done = if own & NEWUSER != 0 && has_only_worker_beside(call.process) {
            unshare_alone(call, own)
        } else {
            call.host(call.row.number, &HostArgs::new([own as u64]))
        };
        call.thread.children_elsewhere |= done.is_ok() && own & NEWPID != 0;
        done
    };
    work(call).into()
}

/// As `unshare`, where the host asks for a process of one thread.
fn unshare_alone(call: &mut Call<'_>, flags: i32) -> Result<u64, Errno> {
    let last = flags & NEWPID;
    let elsewhere = || PidNamespaces::if_children_are_elsewhere().is_some();
    if last != 0 && call.thread.children_elsewhere && elsewhere() {
        return Err(Errno::EINVAL);
    }
    let then = || clone::unshare(last);
    let change = Change {
        work: &|| clone::unshare(flags & !last),
        last: (last != 0).then_some(&then),
    };
    alone(call.process, call.thread, call.vcpu, &change)?;
    Ok(0)
}

/// `setns(fd, nstype)`.
pub fn setns(call: &mut Call<'_>) -> Outcome {
    let work = |call: &mut Call<'_>| {
        let kinds = kinds(call);
        let done = match call.forward() {
            // What KVM's worker may be the reason of.
            Err(errno @ (Errno::EINVAL | Errno::EUSERS))
                if has_only_worker_beside(call.process) =>
            {
                enter_beside_worker(call, kinds, errno)
            }
            done => done,
        };
        call.thread.children_elsewhere |= done.is_ok() && kinds & NEWPID != 0;
        done
    };
    work(call).into()
}

/// The namespaces that `setns` is to enter.
fn kinds(call: &Call<'_>) -> i32 {
    let fd = proc::borrow_fd(call.process.fds.translate(call.arg(0)) as i32);
    match (fd.and_then(namespace::kind_of), call.int(1)) {
        (Some(kind), 0) => kind,
        (Some(kind), asked) => kind & asked,
        // Of a process, by a pidfd.
        (None, asked) => asked,
    }
}

/// Enters namespaces where the host has refused it with `errno`.
fn enter_beside_worker(call: &mut Call<'_>, kinds: i32, errno: Errno) -> Result<u64, Errno> {
    /// `CLONE_NEWTIME`.
    const NEWTIME: i32 = 0x80;
    if kinds & (NEWUSER | NEWTIME) == 0 {
        if kinds & libc::CLONE_NEWNS == 0 {
            return Err(errno);
        }
        // The worker has its directory in common with the thread that first
        // ran the machine.
        clone::unshare(libc::CLONE_FS)?;
        return call.forward();
    }
    let number = call.process.fds.translate(call.arg(0)) as i32;
    let fd = proc::borrow_fd(number).ok_or(Errno::EBADF)?;
    let last = kinds & NEWPID;
    let then = || namespace::enter(fd, last);
    let change = Change {
        work: &|| namespace::enter(fd, kinds & !last),
        last: (last != 0).then_some(&then),
    };
    alone(call.process, call.thread, call.vcpu, &change)?;
    Ok(0)
}
