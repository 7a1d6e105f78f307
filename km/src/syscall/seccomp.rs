//! `seccomp(2)`: how a payload installs filters, and what becomes of the calls
//! they judge.

use std::sync::Arc;

use crate::errno::Errno;
use crate::seccomp::{Data, Instruction, MOST_INSTRUCTIONS, Mode, Program, Seccomp, Verdict};
use crate::sys::call::{HostArgs, NOT_BEGUN, own_syscall};
use crate::syscall::call::{Call, pointer_to};
use crate::syscall::{Control, Outcome};
use crate::task::process::Process;
use crate::task::thread::Thread;

/// What `thread`'s filters have against a call; `address` follows its
/// instruction.
pub fn judge(thread: &Thread, address: u64, number: u32, args: [u64; 6]) -> Option<Outcome> {
    if thread.seccomp.has_no_new_privs() {
        let args = [libc::PR_SET_NO_NEW_PRIVS as u64, 1, 0, 0, 0];
        // Cannot fail: the arguments are good.
        let _ = own_syscall(libc::SYS_prctl, &HostArgs::new(args));
        thread.seccomp.forget_no_new_privs();
    }
    let verdict = thread.seccomp.judge(&Data::new(number, address, args));
    if verdict != Verdict::Allow {
        log::debug!("call {number} at {address:#x}: {verdict:?}");
    }
    Some(match verdict {
        Verdict::Allow => return None,
        Verdict::Error(0) => Outcome::Done(0),
        Verdict::Error(number) => match Errno::from_raw(i32::from(number)) {
            // A value like any other here.
            NOT_BEGUN => Outcome::Done(NOT_BEGUN.to_rax()),
            errno => Outcome::Fail(errno),
        },
        Verdict::Trap(data) => Outcome::Control(Control::Trap(data)),
        Verdict::KillThread(signal) => Outcome::Control(Control::KillThread(signal)),
        Verdict::KillProcess => Outcome::Control(Control::Kill(libc::SIGSYS)),
    })
}

/// `seccomp(operation, flags, args)`.
pub fn seccomp(call: &mut Call<'_>) -> Outcome {
    let (operation, flags, args) = (call.arg(0) as u32, call.arg(1) as u32, call.arg(2));
    let work = || match operation {
        libc::SECCOMP_SET_MODE_STRICT if flags == 0 && args == 0 => set_strict(call),
        libc::SECCOMP_SET_MODE_FILTER => set_filter(call, flags, args),
        libc::SECCOMP_GET_ACTION_AVAIL if flags == 0 => action_is_available(call, args),
        libc::SECCOMP_GET_NOTIF_SIZES if flags == 0 => {
            /// Those of `struct seccomp_notif`, `seccomp_notif_resp` and
            /// `seccomp_data`.
            const SIZES: [u16; 3] = [80, 24, 64];
            call.memory().write_value(args, &SIZES)?;
            Ok(0)
        }
        _ => Err(Errno::EINVAL),
    };
    work().into()
}

/// `prctl(PR_SET_SECCOMP, mode, program)`.
///
/// # Errors
///
/// As `seccomp(2)`.
pub fn set_by_prctl(call: &Call<'_>) -> Result<u64, Errno> {
    match u32::try_from(call.arg(1)) {
        Ok(libc::SECCOMP_MODE_STRICT) => set_strict(call),
        Ok(libc::SECCOMP_MODE_FILTER) => set_filter(call, 0, call.arg(2)),
        _ => Err(Errno::EINVAL),
    }
}

/// `prctl(PR_GET_SECCOMP)`: the payload's own mode. What judges the monitor
/// judges it as well.
///
/// # Errors
///
/// From the host.
pub fn mode_by_prctl(call: &Call<'_>) -> Result<u64, Errno> {
    match call.thread.seccomp.mode() {
        Mode::Disabled => call.host(call.row.number, &HostArgs::new(call.args)),
        mode => Ok(mode.number()),
    }
}

fn set_strict(call: &Call<'_>) -> Result<u64, Errno> {
    alone(call.process, || match call.thread.seccomp.mode() {
        Mode::Filter(_) => Err(Errno::EINVAL),
        _ => {
            call.thread.seccomp.set(Mode::Strict);
            Ok(0)
        }
    })
}

/// `SECCOMP_SET_MODE_FILTER`, with its checks in Linux's order.
fn set_filter(call: &Call<'_>, flags: u32, address: u64) -> Result<u64, Errno> {
    const TSYNC: u32 = libc::SECCOMP_FILTER_FLAG_TSYNC as u32;
    const TSYNC_ESRCH: u32 = libc::SECCOMP_FILTER_FLAG_TSYNC_ESRCH as u32;
    // Nothing is logged, and how the host's processor speculates is not
    // changed.
    const WITHOUT_EFFECT: u32 =
        (libc::SECCOMP_FILTER_FLAG_LOG | libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW) as u32;
    if flags & !(TSYNC | TSYNC_ESRCH | WITHOUT_EFFECT) != 0 {
        return Err(Errno::EINVAL);
    }
    let no_new_privs = has_no_new_privs(&call.thread.seccomp);
    let program = read_program(call, address, no_new_privs)?;
    let own = &call.thread.seccomp;
    if flags & TSYNC == 0 {
        return alone(call.process, || {
            own.set(own.mode().with(program)?);
            Ok(0)
        });
    }
    call.process.machine.world.with_seats(|seats| {
        let before = own.mode();
        let mode = before.with(program)?;
        let others = || {
            // A child in its parent's place has no other thread.
            let seats = seats.iter().filter(|_| !call.process.is_borrowed());
            seats.filter(|seat| !Arc::ptr_eq(&seat.seccomp, own))
        };
        if let Some(seat) = others().find(|seat| !seat.seccomp.may_follow(&before)) {
            return match seat.tid() {
                tid @ 1.. if flags & TSYNC_ESRCH == 0 => Ok(tid as u64),
                _ => Err(Errno::ESRCH),
            };
        }
        for seat in others() {
            seat.seccomp.follow(mode.clone(), no_new_privs);
        }
        own.set(mode);
        Ok(0)
    })
}

/// Does this while no other thread sets the caller's mode.
fn alone<T>(process: &Process, work: impl FnOnce() -> T) -> T {
    process.machine.world.with_seats(|_| work())
}

/// The program of the `struct sock_fprog` at `address`, checked.
fn read_program(call: &Call<'_>, address: u64, no_new_privs: bool) -> Result<Program, Errno> {
    let [len, instructions] = call.memory().read_value::<[u64; 2]>(address)?;
    // Its type is `unsigned short`.
    let len = len as u16;
    if len == 0 || len > MOST_INSTRUCTIONS {
        return Err(Errno::EINVAL);
    }
    if !no_new_privs && !is_administrator() {
        return Err(Errno::EACCES);
    }
    if instructions == 0 {
        return Err(Errno::EINVAL);
    }
    let instructions = call
        .memory()
        .read_array::<Instruction>(instructions, usize::from(len))?;
    Program::check(&instructions)
}

fn action_is_available(call: &Call<'_>, address: u64) -> Result<u64, Errno> {
    match call.memory().read_value::<u32>(address)? {
        libc::SECCOMP_RET_KILL_PROCESS
        | libc::SECCOMP_RET_KILL_THREAD
        | libc::SECCOMP_RET_TRAP
        | libc::SECCOMP_RET_ERRNO
        | libc::SECCOMP_RET_TRACE
        | libc::SECCOMP_RET_LOG
        | libc::SECCOMP_RET_ALLOW => Ok(0),
        // There is nobody to be notified.
        _ => Err(Errno::EOPNOTSUPP),
    }
}

/// Whether the calling thread can gain no privileges by an exec.
fn has_no_new_privs(seccomp: &Seccomp) -> bool {
    let args = [libc::PR_GET_NO_NEW_PRIVS as u64, 0, 0, 0, 0];
    seccomp.has_no_new_privs()
        || own_syscall(libc::SYS_prctl, &HostArgs::new(args)).is_ok_and(|set| set != 0)
}

/// Whether the calling thread has `CAP_SYS_ADMIN` in its user namespace.
fn is_administrator() -> bool {
    /// `_LINUX_CAPABILITY_VERSION_3`.
    const VERSION: u32 = 0x2008_0522;
    const SYS_ADMIN: u32 = 21;
    let mut header = [VERSION, 0];
    // Effective, permitted and inheritable, twice 32 bits of each.
    let mut sets = [0u32; 6];
    let args = HostArgs::new([pointer_to(&mut header), pointer_to(&mut sets)]);
    let [effective, ..] = match own_syscall(libc::SYS_capget, &args) {
        Ok(_) => sets,
        Err(_) => [0; 6],
    };
    effective >> SYS_ADMIN & 1 != 0
}
