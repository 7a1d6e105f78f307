//! Signal actions, masks and stacks.

use crate::errno::Errno;
use crate::signal::action::Action;
use crate::signal::deliver;
use crate::signal::frame::AltStack;
use crate::sys::call::HostArgs;
use crate::syscall::call::Call;
use crate::syscall::{Control, Outcome};

/// Bytes of a signal set.
const SET: u64 = 8;

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
    let set = match suspended() {
        Ok(set) => set & !crate::sys::signal::OWN,
        Err(errno) => return Outcome::Fail(errno),
    };
    call.thread.temporary_mask = Some(set);
    let args = HostArgs::new([(&raw const set) as u64, SET]);
    call.host(call.row.number, &args).into()
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
