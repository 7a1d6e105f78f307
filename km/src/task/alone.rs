//! Calls that the host makes only for a process of one thread, made for a
//! payload that has one.
//!
//! KVM's worker is a thread of the process that runs a virtual machine. So the
//! machine is given up for the call; another takes its place around the same
//! memory, as in the child of a fork.

use std::os::fd::AsFd;
use std::sync::Arc;

use crate::complain;
use crate::errno::Errno;
use crate::sys::call::NOT_BEGUN;
use crate::sys::namespace::{self, PidNamespaces};
use crate::sys::proc;
use crate::task::process::Process;
use crate::task::thread::Thread;
use crate::vcpu::Vcpu;

/// Whether the calling thread is the only one of a process that the host takes
/// for one of several.
pub fn has_only_worker_beside(process: &Process) -> bool {
    is_only_thread(process) && !process.is_borrowed() && !namespace::is_alone()
}

/// Whether the payload has no thread beside the calling one. Its first thread
/// counts even after its end.
pub fn is_only_thread(process: &Process) -> bool {
    process.threads() == 1 && proc::thread_id() as u32 == std::process::id()
}

/// A change of the process that is made while it has one thread.
pub struct Change<'a> {
    pub work: &'a dyn Fn() -> Result<(), Errno>,
    /// What is to follow when it can have others again: for instance that its
    /// children start in another PID namespace, after which it gets none.
    pub last: Option<&'a dyn Fn() -> Result<(), Errno>>,
}

/// Makes a change while the process has one thread, the payload's.
///
/// # Errors
///
/// Of the change. Then nothing has changed.
pub fn alone(
    process: &Arc<Process>,
    thread: &mut Thread,
    vcpu: &mut Vcpu,
    change: &Change<'_>,
) -> Result<(), Errno> {
    let context = vcpu.context()?;
    if !thread.block_signals() {
        return Err(NOT_BEGUN);
    }
    let before = thread
        .children_elsewhere
        .then(PidNamespaces::if_children_are_elsewhere)
        .flatten();
    let result = prepare(change, before.as_ref()).and_then(|()| {
        // No signal handler touches what goes.
        thread.settle(std::ptr::null_mut());
        let result = without_machine(process, vcpu, change.work);
        match process.machine.rebuild(&context) {
            Ok(own) => *vcpu = own,
            // Nobody is left to return an error to.
            Err(error) => proc::exit(complain(&error)),
        }
        thread.settle(vcpu.immediate_exit());
        match &result {
            Ok(()) => finish(change, before.as_ref()),
            Err(_) => send_children_there(before.as_ref()).and(result),
        }
    });
    thread.unblock_signals();
    result
}

/// Where more than one step is to be made: sees to it that all can be.
fn prepare(change: &Change<'_>, before: Option<&PidNamespaces>) -> Result<(), Errno> {
    if let Some(before) = before {
        before.keep_children_here().map_err(|_| Errno::EINVAL)?;
    }
    if before.is_none() && change.last.is_none() {
        return Ok(());
    }
    let all = || (change.work)().and_then(|()| finish(change, before));
    namespace::rehearse(all).inspect_err(|_| {
        // It came from there.
        let _ = send_children_there(before);
    })
}

fn without_machine(
    process: &Process,
    vcpu: &mut Vcpu,
    work: &dyn Fn() -> Result<(), Errno>,
) -> Result<(), Errno> {
    process.machine.give_up(vcpu, process.image.as_fd())?;
    // A forked child may have the descriptors for a moment as well.
    match namespace::wait_until_alone() {
        true => work(),
        false => Err(Errno::EINVAL),
    }
}

fn finish(change: &Change<'_>, before: Option<&PidNamespaces>) -> Result<(), Errno> {
    match change.last {
        Some(last) => last(),
        None => send_children_there(before),
    }
}

fn send_children_there(before: Option<&PidNamespaces>) -> Result<(), Errno> {
    before.map_or(Ok(()), PidNamespaces::send_children_there)
}
