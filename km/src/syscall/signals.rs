//! Signal actions, masks and stacks.

use crate::errno::Errno;
use crate::signal::action::Action;
use crate::signal::deliver;
use crate::signal::frame::{self, AltStack};
use crate::sys::call::HostArgs;
use crate::syscall::call::{Call, pointer_to};
use crate::syscall::mask::{SET, WaitMask};
use crate::syscall::{Control, Outcome};

/// `rt_sigaction(2)`.
pub fn rt_sigaction(call: &mut Call<'_>) -> Outcome {
    let work = || {
        if call.arg(3) != SET {
            return Err(Errno::EINVAL);
        }
        let signal = call.int(0);
        let (new, old) = (call.arg(1), call.arg(2));
        let action = if new == 0 {
            None
        } else {
            Some(call.memory().read_value::<Action>(new)?)
        };
        let fixed = matches!(signal, libc::SIGKILL | libc::SIGSTOP);
        if !(1..=64).contains(&signal) || fixed && action.is_some() {
            return Err(Errno::EINVAL);
        }
        let mut actions = call.process.actions();
        let before = actions.get(signal);
        if let Some(action) = action {
            actions.set(signal, action)?;
        }
        if old != 0 {
            call.memory().write_value(old, &before)?;
        }
        Ok(0)
    };
    work().into()
}

/// `rt_sigprocmask(2)`.
pub fn rt_sigprocmask(call: &mut Call<'_>) -> Outcome {
    let work = |call: &mut Call<'_>| {
        if call.arg(3) != SET {
            return Err(Errno::EINVAL);
        }
        let before = call.thread.mask;
        if call.arg(1) != 0 {
            let set: u64 = call.memory().read_value(call.arg(1))?;
            let mask = match call.int(0) {
                libc::SIG_BLOCK => before | set,
                libc::SIG_UNBLOCK => before & !set,
                libc::SIG_SETMASK => set,
                _ => return Err(Errno::EINVAL),
            };
            call.thread.set_mask(mask);
        }
        if call.arg(2) != 0 {
            call.memory().write_value(call.arg(2), &before)?;
        }
        Ok(0)
    };
    work(call).into()
}

/// `rt_sigsuspend(2)`: the host waits with the payload's mask.
pub fn rt_sigsuspend(call: &mut Call<'_>) -> Outcome {
    let suspended = || {
        if call.arg(1) != SET {
            return Err(Errno::EINVAL);
        }
        call.memory().read_value::<u64>(call.arg(0))
    };
    let mask = match suspended() {
        Ok(set) => WaitMask::new(set),
        Err(errno) => return Outcome::Fail(errno),
    };
    let args = HostArgs::new([mask.pointer(), SET]);
    mask.wait(call, &args).into()
}

/// `rt_sigpending(2)`: what the host has pending, and what is held back.
pub fn rt_sigpending(call: &mut Call<'_>) -> Outcome {
    let work = |call: &mut Call<'_>| {
        let size = call.arg(1);
        if size > SET {
            return Err(Errno::EINVAL);
        }
        let mut host = [0u64];
        let args = HostArgs::new([pointer_to(&mut host), SET]);
        let value = call.host(call.row.number, &args)?;
        let [pending] = host;
        let pending = (pending | call.thread.held_set()).to_ne_bytes();
        // As many bytes as were asked for.
        let wanted = pending.get(..size as usize).unwrap_or(&pending);
        call.memory().write(call.arg(0), wanted)?;
        Ok(value)
    };
    work(call).into()
}

/// `rt_sigtimedwait(2)`: a signal that is held back comes before those the
/// host has pending, as faults do.
pub fn rt_sigtimedwait(call: &mut Call<'_>) -> Outcome {
    let held = wanted_held(call).unwrap_or(0);
    match call.thread.take_held(held) {
        // Nothing there, or an error that the host finds.
        None => call.forward().into(),
        Some(info) => {
            let at = call.arg(1);
            if at != 0
                && let Err(errno) = call.memory().write(at, &info)
            {
                return Outcome::Fail(errno);
            }
            Outcome::Done(frame::signal_number(&info) as u64)
        }
    }
}

/// The set that is waited for, if the call is in order.
fn wanted_held(call: &Call<'_>) -> Result<u64, Errno> {
    const SECOND: i64 = 1_000_000_000;
    let set = call.memory().read_value::<u64>(call.arg(0))?;
    let time = match call.arg(2) {
        0 => [0, 0],
        at => call.memory().read_value::<[i64; 2]>(at)?,
    };
    let [seconds, nanoseconds] = time;
    if call.arg(3) != SET || seconds < 0 || !(0..SECOND).contains(&nanoseconds) {
        return Err(Errno::EINVAL);
    }
    Ok(set)
}

/// `sigaltstack(2)`.
pub fn sigaltstack(call: &mut Call<'_>) -> Outcome {
    let work = |call: &mut Call<'_>| {
        let (new, old) = (call.arg(0), call.arg(1));
        let rsp = call.vcpu.registers().rsp;
        let before = call.thread.alt_stack;
        if new != 0 {
            let stack = call.memory().read_value::<AltStack>(new)?;
            call.thread.set_alt_stack(stack, rsp)?;
        }
        if old != 0 {
            let flags = before.status(rsp);
            call.memory()
                .write_value(old, &AltStack { flags, ..before })?;
        }
        Ok(0)
    };
    work(call).into()
}

/// `rt_sigreturn(2)`.
pub fn rt_sigreturn(call: &mut Call<'_>) -> Outcome {
    match deliver::restore(call.process, call.thread, call.vcpu) {
        Ok(()) => Outcome::Control(Control::Untouched),
        Err(_) => Outcome::Control(Control::Kill(libc::SIGSEGV)),
    }
}

/// `personality(2)`: what it says of addresses holds for the programs the
/// payload starts. That reading implies executing would be true of the
/// monitor's own mappings, and is refused.
pub fn personality(call: &mut Call<'_>) -> Outcome {
    const ASK: u64 = 0xffff_ffff;
    let wanted = call.arg(0) & ASK;
    if wanted != ASK && wanted & libc::READ_IMPLIES_EXEC as u64 != 0 {
        return Outcome::Fail(Errno::EINVAL);
    }
    call.forward().into()
}
