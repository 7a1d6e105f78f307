//! New threads and processes of the payload (`clone(2)`).

use std::sync::{Arc, Mutex, PoisonError, mpsc};

use crate::complain;
use crate::errno::Errno;
use crate::error::Error;
use crate::mem::layout::TASK_SIZE;
use crate::sys::call::NOT_BEGUN;
use crate::sys::clone::{self, Child, Forked};
use crate::sys::namespace::PidNamespaces;
use crate::sys::{heap, proc, thread};
use crate::syscall::dispatch::Payload;
use crate::task::exit::{end_process, end_thread};
use crate::task::machine::{Processor, Reserved};
use crate::task::process::Process;
use crate::task::thread::Thread;
use crate::task::vfork::vfork;
use crate::vcpu::run::{End, run};
use crate::vcpu::{Context, Vcpu};

/// What is to be made: the arguments of `clone3(2)`, in payload addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Request {
    /// `CLONE_*`, without the signal.
    pub flags: u64,
    pub pidfd: u64,
    pub child_tid: u64,
    pub parent_tid: u64,
    pub exit_signal: u64,
    /// The new stack pointer; 0 for the caller's.
    pub stack: u64,
    pub tls: u64,
}

const VM: u64 = libc::CLONE_VM as u64;
const FS: u64 = libc::CLONE_FS as u64;
const FILES: u64 = libc::CLONE_FILES as u64;
const SIGHAND: u64 = libc::CLONE_SIGHAND as u64;
const VFORK: u64 = libc::CLONE_VFORK as u64;
const THREAD: u64 = libc::CLONE_THREAD as u64;
const SETTLS: u64 = libc::CLONE_SETTLS as u64;
const PIDFD: u64 = libc::CLONE_PIDFD as u64;
const PARENT: u64 = libc::CLONE_PARENT as u64;
const PARENT_SETTID: u64 = libc::CLONE_PARENT_SETTID as u64;
/// The child's id is written in its memory.
pub const CHILD_SETTID: u64 = libc::CLONE_CHILD_SETTID as u64;
/// A word is cleared and woken when the child has ended.
pub const CHILD_CLEARTID: u64 = libc::CLONE_CHILD_CLEARTID as u64;
const DETACHED: u64 = libc::CLONE_DETACHED as u64;
const SYSVSEM: u64 = libc::CLONE_SYSVSEM as u64;
/// `CLONE_CLEAR_SIGHAND`: `clone3` only.
pub const CLEAR_SIGHAND: u64 = 1 << 32;
/// Flags that make namespaces.
const NAMESPACES: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u64
    | NEWTIME;
/// `CLONE_NEWTIME`: `clone3` only, as `clone` has the signal there.
const NEWTIME: u64 = 0x80;
/// What threads of a process may leave apart.
const SEPARABLE: u64 = FS | SYSVSEM;

impl Request {
    /// Checks the flags (`kernel_clone()`, `copy_process()` in
    /// `kernel/fork.c`).
    ///
    /// # Errors
    ///
    /// EINVAL for what Linux refuses, for processes that share memory or signal
    /// handlers and run at the same time, and for descriptors that processes
    /// share or threads do not; EPERM for thread-local storage outside the
    /// payload's addresses.
    pub fn check(&self) -> Result<(), Errno> {
        let has = |flags: u64| self.flags & flags == flags;
        let own_ids = (libc::CLONE_NEWUSER | libc::CLONE_NEWPID) as u64;
        if has(THREAD) && !has(SIGHAND)
            || has(THREAD) && self.flags & own_ids != 0
            || has(SIGHAND) && !has(VM)
            || has(SIGHAND | CLEAR_SIGHAND)
            || has(libc::CLONE_NEWNS as u64 | FS)
            || has(libc::CLONE_NEWUSER as u64 | FS)
            || has(libc::CLONE_NEWIPC as u64 | SYSVSEM)
            || has(PIDFD) && self.flags & (THREAD | DETACHED) != 0
            || has(PIDFD | PARENT_SETTID) && self.pidfd == self.parent_tid
        {
            return Err(Errno::EINVAL);
        }
        let thread = has(THREAD);
        let waits = has(VM | VFORK);
        // The monitor's own descriptors are in the table.
        if thread != has(FILES) {
            return Err(Errno::EINVAL);
        }
        if !thread && (has(VM) && !waits || has(SIGHAND)) {
            return Err(Errno::EINVAL);
        }
        if has(SETTLS) && self.tls >= TASK_SIZE {
            return Err(Errno::EPERM);
        }
        Ok(())
    }

    /// Whether one of these flags is set.
    pub fn has(&self, flag: u64) -> bool {
        self.flags & flag != 0
    }

    /// What the new thread or process starts with.
    fn context(&self, vcpu: &Vcpu) -> Result<Context, Errno> {
        let mut context = vcpu.context()?;
        context.registers.rax = 0;
        if self.stack != 0 {
            context.registers.rsp = self.stack;
        }
        if self.has(SETTLS) {
            context.fs_base = self.tls;
        }
        Ok(context)
    }

    /// What the host is told; the kernel itself writes the ids.
    pub fn host(&self, process: &Process) -> Child {
        let word = |flag: u64, address: u64| match self.flags & flag {
            0 => 0,
            _ => process.memory.host_pointer(address, 4),
        };
        let forwarded = NAMESPACES | FS | VFORK | PARENT | PIDFD | CHILD_SETTID | SYSVSEM;
        Child {
            flags: self.flags & (forwarded | libc::CLONE_IO as u64),
            exit_signal: self.exit_signal,
            pidfd: word(PIDFD, self.pidfd),
            child_tid: word(CHILD_SETTID, self.child_tid),
        }
    }
}

/// Carries out `request` for the calling thread: the new thread's or
/// process's id, or 0 in the child.
///
/// # Errors
///
/// As `clone(2)`.
pub fn clone(
    process: &Arc<Process>,
    thread: &mut Thread,
    vcpu: &mut Vcpu,
    request: &Request,
) -> Result<u64, Errno> {
    request.check()?;
    let context = request.context(vcpu)?;
    if !thread.block_signals() {
        return Err(NOT_BEGUN);
    }
    let result = if request.has(THREAD) {
        spawn(process, thread, context, request)
    } else if request.has(VM) && !request.has(NEWTIME) && !process.is_elsewhere() {
        vfork(process, thread, vcpu, &context, request)
    } else {
        fork(process, thread, vcpu, &context, request)
    };
    thread.unblock_signals();
    if let Ok(id @ 1..) = result
        && request.has(PARENT_SETTID)
        && !request.has(THREAD)
    {
        let _ = process.memory.write_value(request.parent_tid, &(id as u32));
    }
    result
}

fn out_of(error: &Error) -> Errno {
    log::debug!("no new thread or process: {error}");
    Errno::EAGAIN
}

fn spawn(
    process: &Arc<Process>,
    thread: &Thread,
    context: Context,
    request: &Request,
) -> Result<u64, Errno> {
    let machine = &process.machine;
    if process.is_borrowed() {
        // Its process is about to end or to execute another program.
        return Err(Errno::EAGAIN);
    }
    if let Err(errno) = process.memory_file() {
        log::debug!("/proc/self/mem will not be served: {errno:?}");
    }
    if thread.children_elsewhere && PidNamespaces::if_children_are_elsewhere().is_some() {
        return Err(Errno::EINVAL);
    }
    let reserved = machine.reserve().map_err(|e| out_of(&e))?;
    // Taken by the thread, or back where there is none.
    let reserved = Arc::new(Mutex::new(Some(reserved)));
    let take = |from: &Mutex<Option<Reserved>>| {
        let mut from = from.lock().unwrap_or_else(PoisonError::into_inner);
        from.take()
    };
    let its_reserved = Arc::clone(&reserved);
    let seat = machine.world.admit_beside(&thread.seccomp);
    let its_seat = Arc::clone(&seat);
    let mask = thread.mask;
    process.add_thread();
    let (tell, told) = mpsc::sync_channel(1);
    let request = *request;
    let its_process = Arc::clone(process);
    let start = move || {
        let tid = proc::thread_id();
        // Both before it runs. As in Linux, nobody is told of an error.
        for (flag, word) in [
            (PARENT_SETTID, request.parent_tid),
            (CHILD_SETTID, request.child_tid),
        ] {
            if request.has(flag) {
                let _ = its_process.memory.write_value(word, &tid);
            }
        }
        let apart = SEPARABLE & !request.flags | NAMESPACES & request.flags;
        if apart != 0
            && let Err(errno) = clone::unshare(apart as i32)
        {
            let _ = tell.send(Err(errno));
            return None;
        }
        // Gone if the parent is: the process is at its end.
        its_process.machine.world.take(&its_seat);
        let _ = tell.send(Ok(tid));
        drop(tell);
        // The rest is done while the parent goes on already. That KVM fails
        // here is the end of the machine.
        let mut processor = match take(&its_reserved).map(Reserved::ready) {
            Some(Ok(processor)) => processor,
            Some(Err(error)) => proc::exit(complain(&error)),
            None => return None,
        };
        if let Err(error) = processor.vcpu.adopt(&context) {
            end_process(&its_process, &processor.vcpu, Err(error));
        }
        let mut child = Thread::new(processor.mailbox, its_seat);
        child.mask = mask;
        if request.has(CHILD_CLEARTID) {
            child.clear_child_tid = request.child_tid;
        }
        child.settle(processor.vcpu.immediate_exit());
        child.set_mask(child.mask);
        run_thread(its_process, child, processor)
    };
    let spawned = thread::spawn(Box::new(start));
    let told = spawned.and_then(|()| told.recv().map_err(|_| Errno::EAGAIN)?);
    process.actions().restore_after_first_thread();
    let tid = told.inspect_err(|_| {
        if let Some(reserved) = take(&reserved) {
            machine.give_back(reserved);
        }
        machine.world.dismiss(&seat);
        process.remove_thread();
    })?;
    Ok(tid as u64)
}

/// Runs a thread to its end. Returns where the host thread may end: the host
/// address of the word to clear then.
pub fn run_thread(process: Arc<Process>, thread: Thread, mut processor: Processor) -> Option<u64> {
    let mut payload = Payload::new(Arc::clone(&process), thread);
    match run(&mut processor.vcpu, &mut payload) {
        Ok(end @ (End::Thread(_) | End::ThreadSignal(_))) => {
            end_thread(&process, payload.into_thread(), processor, end)
        }
        end => end_process(&process, &processor.vcpu, end),
    }
}

fn fork(
    process: &Arc<Process>,
    thread: &mut Thread,
    vcpu: &mut Vcpu,
    context: &Context,
    request: &Request,
) -> Result<u64, Errno> {
    let host = request.host(process);
    let world = &process.machine.world;
    // Where the others are, a child in its parent's memory may not be.
    let stopped = process.apart(&thread.seat, || world.stop(&thread.seat))?;
    match clone::fork(&host)? {
        Forked::Parent(pid) => {
            drop(stopped);
            Ok(pid as u64)
        }
        Forked::Child => {
            heap::leave_rooms();
            world.keep_only(&thread.seat);
            drop(stopped);
            let mailbox = thread.mailbox();
            // The parent's processor is not here.
            mailbox.uninstall();
            *thread = thread.offspring();
            thread.keep_seat();
            thread.settle(std::ptr::null_mut());
            if request.has(CHILD_CLEARTID) {
                thread.clear_child_tid = request.child_tid;
            }
            if request.has(CLEAR_SIGHAND) {
                process.actions().clear_handlers();
            }
            process.become_child();
            thread::forget_others();
            let keep = process.descriptors_for_fork();
            match process.machine.renew(context, &keep) {
                Ok(own) => std::mem::replace(vcpu, own).abandon(),
                // Nobody is left to return an error to.
                Err(error) => proc::exit(complain(&error)),
            }
            thread.settle(vcpu.immediate_exit());
            Ok(0)
        }
    }
}
