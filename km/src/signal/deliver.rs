//! Calls the payload's handlers, and takes it back from them.

use crate::errno::Errno;
use crate::signal::action::{Action, is_harmless_by_default};
use crate::signal::frame::{self, FrameError, Saved};
use crate::sys::proc;
use crate::sys::signal::SigInfo;
use crate::task::process::Process;
use crate::task::thread::Thread;
use crate::vcpu::{Registers, Vcpu};

/// What came of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// The payload goes on, in its handler or where it was.
    Running,
    /// It ends the payload.
    Fatal(i32),
}

/// Delivers a signal the host has passed on. The thread's mask is set anew.
pub fn deliver(
    process: &Process,
    thread: &mut Thread,
    vcpu: &mut Vcpu,
    info: &SigInfo,
) -> Delivered {
    if thread.hold(info) {
        thread.temporary_mask = None;
        thread.set_mask(thread.mask);
        return Delivered::Running;
    }
    let signal = frame::signal_number(info);
    let action = process.actions().get(signal);
    if action.is_handler() {
        return call_handler(process, thread, vcpu, info, action);
    }
    thread.temporary_mask = None;
    thread.set_mask(thread.mask);
    // The first process of a PID namespace is not ended by what it is sent.
    if action.is_ignored() || is_harmless_by_default(signal) || proc::is_first() {
        Delivered::Running
    } else {
        Delivered::Fatal(signal)
    }
}

/// Delivers a signal the payload's own instruction caused: it cannot be
/// blocked or ignored.
pub fn deliver_fault(
    process: &Process,
    thread: &mut Thread,
    vcpu: &mut Vcpu,
    info: &SigInfo,
) -> Delivered {
    let signal = frame::signal_number(info);
    let action = process.actions().get(signal);
    let blocked = u32::try_from(signal - 1).is_ok_and(|bit| thread.mask >> bit & 1 != 0);
    if blocked || !action.is_handler() {
        return Delivered::Fatal(signal);
    }
    call_handler(process, thread, vcpu, info, action)
}

fn call_handler(
    process: &Process,
    thread: &mut Thread,
    vcpu: &mut Vcpu,
    info: &SigInfo,
    action: Action,
) -> Delivered {
    let signal = frame::signal_number(info);
    if push_frame(process, thread, vcpu, info, &action).is_err() {
        // No place for the frame: Linux forces SIGSEGV, which would need the
        // same place.
        return Delivered::Fatal(libc::SIGSEGV);
    }
    if action.has(libc::SA_RESETHAND) {
        let reset = Action {
            handler: 0,
            ..action
        };
        // The number is good: the action was there.
        let _ = process.actions().set(signal, reset);
    }
    let mut mask = thread.temporary_mask.take().unwrap_or(thread.mask) | action.mask;
    if !action.has(libc::SA_NODEFER) {
        mask |= 1 << (signal - 1);
    }
    thread.set_mask(mask);
    Delivered::Running
}

fn push_frame(
    process: &Process,
    thread: &mut Thread,
    vcpu: &mut Vcpu,
    info: &SigInfo,
    action: &Action,
) -> Result<(), FrameError> {
    let registers = *vcpu.registers();
    let xsave = vcpu.extended_state().map_err(|_| FrameError::Unreadable)?;
    let built = frame::build(&frame::Input {
        registers: &registers,
        xsave: frame::xsave_bytes(&xsave),
        xstate: process.xstate,
        stack: thread.alt_stack,
        use_altstack: action.has(libc::SA_ONSTACK) && thread.alt_stack.can_enter(registers.rsp),
        mask: thread.mask,
        siginfo: info,
        action: frame::Action {
            handler: action.handler,
            flags: action.flags,
            restorer: action.restorer,
        },
        fault: thread.fault,
    })?;
    process
        .memory
        .write(built.address, &built.bytes)
        .map_err(|_| FrameError::Unreadable)?;
    *vcpu.replace_registers() = built.registers;
    thread.alt_stack = thread.alt_stack.after_entry();
    Ok(())
}

/// `rt_sigreturn`: puts back what the frame on the stack holds.
///
/// # Errors
///
/// Where there is no good frame: Linux sends SIGSEGV.
pub fn restore(process: &Process, thread: &mut Thread, vcpu: &mut Vcpu) -> Result<(), Errno> {
    let Registers { rsp, rflags, .. } = *vcpu.registers();
    let mut bytes = [0; frame::SIZE];
    process
        .memory
        .read(rsp.wrapping_sub(frame::SIGRETURN_OFFSET), &mut bytes)?;
    let restored = frame::parse(&bytes, rflags).map_err(|_| Errno::EFAULT)?;
    let state = restored.state.map(|at| (at, read_state(process, at)));
    let saved = state.as_ref().map(|(address, bytes)| Saved {
        address: *address,
        bytes,
    });
    let current = vcpu.extended_state()?;
    let state = frame::restore_xstate(saved, &process.xstate, frame::xsave_bytes(&current))
        .map_err(|_| Errno::EFAULT)?;
    vcpu.set_extended_state(&frame::xsave(&state))?;
    *vcpu.replace_registers() = restored.registers;
    // Linux ignores its errors as well: a stack in use stays as it is.
    let _ = thread.set_alt_stack(restored.stack, rsp);
    thread.set_mask(restored.mask);
    Ok(())
}

/// The extended state at `at`, as much of it as can be read.
fn read_state(process: &Process, at: u64) -> Vec<u8> {
    let mut state = vec![0; process.xstate.area()];
    let len = process.memory.read_available(at, &mut state);
    state.truncate(len);
    state
}
