//! Processes that run in their parent's memory and on its processor, while it
//! waits: until they execute another program, or end (`vfork(2)`).
//!
//! Such a child shares the monitor's memory as well, and may be killed at any
//! instruction, while the parent is to go on. So the child has a heap of its
//! own (`sys::heap`), and what changes the address space it leaves to the
//! parent's thread, which cannot be killed alone ([`Process::apart`]). The
//! other locks that it may die with guard nothing that it changes, and are
//! given back (`sys::lock`). Where it does die in the middle of a change, the
//! parent ends: there is no way to go on.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::complain;
use crate::errno::Errno;
use crate::error::Error;
use crate::sys::heap::Room;
use crate::sys::lock::{self, Left};
use crate::sys::vfork::{self as host, Link};
use crate::sys::{proc, signal};
use crate::syscall::dispatch::Payload;
use crate::task::clone::{CHILD_CLEARTID, CHILD_SETTID, CLEAR_SIGHAND, Request};
use crate::task::exit::{clear_and_wake, end_process};
use crate::task::process::Process;
use crate::task::thread::Thread;
use crate::vcpu::run::run;
use crate::vcpu::{Context, Vcpu};

/// Makes the child, and waits for it.
///
/// # Errors
///
/// As `vfork(2)`.
pub fn vfork(
    process: &Arc<Process>,
    thread: &mut Thread,
    vcpu: &mut Vcpu,
    context: &Context,
    request: &Request,
) -> Result<u64, Errno> {
    let before = vcpu.context()?;
    let others = process.threads() > 1;
    let limits = others.then(proc::PayloadLimits::now).transpose()?;
    let seat = Arc::clone(&thread.seat);
    let mailbox = thread.mailbox();
    let world = &process.machine.world;
    // What the child uses is made and dropped here: it ends without dropping
    // anything.
    let room = Room::take().ok_or(Errno::ENOMEM)?;
    let link = Arc::new(Link::new(process.link_above()));
    let (child, mut payload) = room.fill(|| {
        let child = Arc::new(process.borrow(&link));
        let payload = Payload::new(Arc::clone(&child), thread.offspring());
        (child, payload)
    });
    let robust_list = seat.robust_list.swap(0, Ordering::Relaxed);
    let lender = seat.lend();
    // One for the parent waits until the child's are forgotten.
    signal::block_every();
    let body = || {
        signal::block_all();
        if let Some(limits) = &limits {
            limits.restore();
        }
        child.take_seat(&seat);
        if request.has(CHILD_SETTID) {
            // As in the kernel, nobody is told of an error.
            let own = proc::thread_id();
            let _ = process.memory.write_value(request.child_tid, &own);
        }
        if request.has(CLEAR_SIGHAND) {
            child.actions().clear_handlers();
        }
        let end = vcpu.adopt(context).and_then(|()| {
            payload.thread().unblock_signals();
            run(vcpu, &mut payload)
        });
        end_process(&child, vcpu, end)
    };
    let result = host::vfork(&request.host(process), &link, &room, body, |work| {
        signal::for_child(|| {
            process.take_seat(&seat);
            process.apart(&seat, work);
        });
    });
    // The child may have been killed anywhere.
    let whole = result.is_err() || link.was_leaving() || seat.was_outside();
    world.leave_guest(&seat);
    mailbox.clear();
    thread.settle(vcpu.immediate_exit());
    process.take_seat(&seat);
    seat.return_to(lender);
    world.release_abandoned();
    if lock::release_abandoned() == Left::Broken {
        proc::exit(complain(&Error::Abandoned));
    }
    signal::block_all();
    if let Some(info) = signal::take_aside() {
        mailbox.note(&info);
    }
    seat.robust_list.store(robust_list, Ordering::Relaxed);
    world.resume(&seat);
    if !whole {
        // They may be half changed.
        std::mem::forget(payload);
        std::mem::forget(child);
        room.abandon();
    }
    // The child's limits were on the same address space.
    process.space().set_limits(process.limits.in_bytes());
    vcpu.adopt(&before)?;
    if request.has(CHILD_CLEARTID) {
        clear_and_wake(&process.memory, request.child_tid);
    }
    Ok(result? as u64)
}
