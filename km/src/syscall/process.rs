//! The process and its threads: end, identity, `prctl`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::errno::Errno;
use crate::mem::layout::TASK_SIZE;
use crate::sys::call::HostArgs;
use crate::sys::proc;
use crate::syscall::call::{Call, pointer_to};
use crate::syscall::{Control, Outcome, seccomp};
use crate::task::user_dispatch::UserDispatch;
use crate::task::world::Seat;

/// `exit(2)`: ends the thread; the last one ends the process.
pub fn exit(call: &mut Call<'_>) -> Outcome {
    Outcome::Control(Control::ExitThread(call.arg(0) as u8))
}

/// `exit_group(2)`.
pub fn exit_group(call: &mut Call<'_>) -> Outcome {
    Outcome::Control(Control::ExitGroup(call.arg(0) as u8))
}

/// `arch_prctl(2)`: bases of FS and GS.
pub fn arch_prctl(call: &mut Call<'_>) -> Outcome {
    const SET_GS: i32 = 0x1001;
    const SET_FS: i32 = 0x1002;
    const GET_FS: i32 = 0x1003;
    const GET_GS: i32 = 0x1004;
    let code = call.int(0);
    let fs = matches!(code, SET_FS | GET_FS);
    let work = |call: &mut Call<'_>| match code {
        SET_FS | SET_GS => {
            let base = call.arg(1);
            if base >= TASK_SIZE {
                return Err(Errno::EPERM);
            }
            call.vcpu.set_segment_base(fs, base);
            Ok(0)
        }
        GET_FS | GET_GS => {
            let base = call.vcpu.segment_base(fs);
            call.memory().write(call.arg(1), &base.to_ne_bytes())?;
            Ok(0)
        }
        _ => Err(Errno::EINVAL),
    };
    work(call).into()
}

/// `set_tid_address(2)`.
pub fn set_tid_address(call: &mut Call<'_>) -> Outcome {
    call.thread.clear_child_tid = call.arg(0);
    Outcome::Done(proc::thread_id() as u64)
}

/// `set_robust_list(2)`: kept for the thread's end. The host kernel may not
/// follow the list, whose pointers are the payload's.
pub fn set_robust_list(call: &mut Call<'_>) -> Outcome {
    const HEAD: u64 = 24;
    if call.arg(1) != HEAD {
        return Outcome::Fail(Errno::EINVAL);
    }
    call.thread
        .seat
        .robust_list
        .store(call.arg(0), Ordering::Relaxed);
    Outcome::Done(0)
}

/// `get_robust_list(2)`, of a thread of the calling process.
pub fn get_robust_list(call: &mut Call<'_>) -> Outcome {
    const HEAD: u64 = 24;
    let get = || {
        let wanted = match call.int(0) {
            0 => proc::thread_id(),
            thread => thread,
        };
        let seats = call.process.machine.world.seats();
        let is_it =
            |seat: &&Arc<Seat>| call.process.owns(seat) && call.process.thread_id(seat) == wanted;
        let Some(seat) = seats.iter().find(is_it) else {
            // Of another process it would be an address of its own.
            let exists = proc::exists(wanted);
            return Err(if exists { Errno::EPERM } else { Errno::ESRCH });
        };
        let head = seat.robust_list.load(Ordering::Relaxed);
        call.memory().write(call.arg(2), &HEAD.to_ne_bytes())?;
        call.memory().write(call.arg(1), &head.to_ne_bytes())?;
        Ok(0)
    };
    get().into()
}

/// `prctl(2)`, by operation.
pub fn prctl(call: &mut Call<'_>) -> Outcome {
    // Of the events the caller has made; the payload makes none.
    const PR_TASK_PERF_EVENTS_DISABLE: i32 = 31;
    const PR_TASK_PERF_EVENTS_ENABLE: i32 = 32;
    const PR_GET_TID_ADDRESS: i32 = 40;
    const PR_SET_IO_FLUSHER: i32 = 57;
    const PR_GET_IO_FLUSHER: i32 = 58;
    const PR_GET_AUXV: i32 = 0x4155_5856;
    const PR_SET_SYSCALL_USER_DISPATCH: i32 = 59;
    const NAME: usize = 16;
    let operation = call.int(0);
    let pointer = call.arg(1);
    let number = call.row.number;
    match operation {
        // Plain numbers, for the thread or process that is also the payload's.
        libc::PR_SET_PDEATHSIG
        | libc::PR_GET_DUMPABLE
        | libc::PR_SET_DUMPABLE
        | libc::PR_GET_KEEPCAPS
        | libc::PR_SET_KEEPCAPS
        | libc::PR_GET_TIMING
        | libc::PR_CAPBSET_READ
        | libc::PR_CAPBSET_DROP
        | libc::PR_GET_SECUREBITS
        | libc::PR_SET_SECUREBITS
        | libc::PR_SET_TIMERSLACK
        | libc::PR_GET_TIMERSLACK
        | libc::PR_SET_CHILD_SUBREAPER
        | libc::PR_SET_NO_NEW_PRIVS
        | libc::PR_GET_NO_NEW_PRIVS
        | libc::PR_GET_THP_DISABLE
        | libc::PR_SET_THP_DISABLE
        | PR_TASK_PERF_EVENTS_DISABLE
        | PR_TASK_PERF_EVENTS_ENABLE
        | PR_SET_IO_FLUSHER
        | PR_GET_IO_FLUSHER
        | libc::PR_CAP_AMBIENT => call.host(number, &HostArgs::new(call.args)).into(),
        // A word to be written.
        libc::PR_GET_PDEATHSIG | libc::PR_GET_CHILD_SUBREAPER | libc::PR_GET_TSC => {
            let word = call.memory().host_pointer(pointer, 4);
            call.host(number, &HostArgs::new([operation as u64, word]))
                .into()
        }
        libc::PR_SET_NAME => {
            let mut name = [0u8; NAME];
            match call.memory().read_string(pointer, NAME - 1) {
                Ok(text) => copy_name(&mut name, &text),
                // Longer names are cut.
                Err(Errno::ENAMETOOLONG) => {
                    if let Err(errno) = call.memory().read(pointer, &mut name) {
                        return Outcome::Fail(errno);
                    }
                }
                Err(errno) => return Outcome::Fail(errno),
            }
            proc::set_thread_name(&name);
            Outcome::Done(0)
        }
        libc::PR_GET_NAME => {
            let name = call.memory().host_pointer(pointer, NAME as u64);
            call.host(number, &HostArgs::new([operation as u64, name]))
                .into()
        }
        libc::PR_SET_SECCOMP => seccomp::set_by_prctl(call).into(),
        libc::PR_GET_SECCOMP => seccomp::mode_by_prctl(call).into(),
        PR_GET_TID_ADDRESS => {
            let address = call.thread.clear_child_tid;
            let tell = || {
                // Not every host has it.
                let mut own = [0u64];
                let args = HostArgs::new([operation as u64, pointer_to(&mut own)]);
                call.host(number, &args)?;
                call.memory().write_value(pointer, &address)?;
                Ok(0)
            };
            tell().into()
        }
        PR_SET_SYSCALL_USER_DISPATCH => {
            let [_, mode, start, len, selector, _] = call.args;
            let set = UserDispatch::new(mode, start, len, selector);
            set.map(|user_dispatch| {
                call.thread.user_dispatch = user_dispatch;
                0
            })
            .into()
        }
        PR_GET_AUXV => get_auxv(call).into(),
        // The monitor's own mappings are not the payload's to describe.
        libc::PR_SET_MM => Outcome::Fail(Errno::EPERM),
        _ => Outcome::Fail(Errno::EINVAL),
    }
}

fn copy_name(name: &mut [u8], text: &[u8]) {
    for (to, from) in name.iter_mut().zip(text) {
        *to = *from;
    }
}

fn get_auxv(call: &Call<'_>) -> Result<u64, Errno> {
    if call.arg(3) != 0 || call.arg(4) != 0 {
        return Err(Errno::EINVAL);
    }
    let auxv = &call.process.identity.auxv;
    let len = usize::try_from(call.arg(2))
        .unwrap_or(usize::MAX)
        .min(auxv.len());
    call.memory()
        .write(call.arg(1), auxv.get(..len).unwrap_or(auxv))?;
    Ok(auxv.len() as u64)
}
