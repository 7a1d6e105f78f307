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
use crate::sys::{namespace, proc};
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

/// Runs `work` while the process has one thread, the payload's.
///
/// # Errors
///
/// Of `work`; EINVAL where the process would stay without virtual machine,
/// because its children start in another PID namespace.
pub fn alone<T>(
    process: &Arc<Process>,
    thread: &mut Thread,
    vcpu: &mut Vcpu,
    work: impl FnOnce() -> Result<T, Errno>,
) -> Result<T, Errno> {
    if thread.children_elsewhere && namespace::children_are_elsewhere() {
        return Err(Errno::EINVAL);
    }
    let context = vcpu.context()?;
    if !thread.block_signals() {
        return Err(NOT_BEGUN);
    }
    // No signal handler touches what goes.
    thread.settle(std::ptr::null_mut());
    let machine = &process.machine;
    let given_up = machine.give_up(vcpu, process.image.as_fd());
    let result = match given_up {
        // A forked child may have the descriptors for a moment as well.
        Ok(()) if namespace::wait_until_alone() => work(),
        Ok(()) => Err(Errno::EINVAL),
        Err(errno) => Err(errno),
    };
    match machine.rebuild(&context) {
        Ok(own) => *vcpu = own,
        // Nobody is left to return an error to.
        Err(error) => proc::exit(complain(&error)),
    }
    thread.settle(vcpu.immediate_exit());
    thread.unblock_signals();
    result
}
