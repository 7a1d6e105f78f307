//! The end of threads and processes.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::complain;
use crate::error::Error;
use crate::mem::guest::GuestMemory;
use crate::sys::call::{HostArgs, own_syscall};
use crate::sys::{clone, proc};
use crate::task::machine::{Processor, Reserved};
use crate::task::process::Process;
use crate::task::thread::Thread;
use crate::vcpu::run::End;
use crate::vcpu::{Vcpu, VcpuError};

/// Ends the process: `end` is how its last thread, or the first to end it,
/// left its run loop.
pub fn end_process(process: &Process, vcpu: &Vcpu, end: Result<End, VcpuError>) -> ! {
    if !process.begin_end() {
        // Another thread is at it already, and ends this one with the rest.
        loop {
            proc::pause();
        }
    }
    release_robust_lists(process);
    if let Some(stats) = process.stats() {
        process.report.write(&stats.report());
    }
    process.set_leaving(true);
    match end {
        Ok(End::Exit(status) | End::Thread(status)) => proc::exit(status),
        Ok(End::Signal(signal) | End::ThreadSignal(signal)) => proc::die_by_signal(signal),
        Ok(End::Failed(failure)) => {
            if process.options.dump_shutdown {
                process.output.write(&format!("{}\n", vcpu.describe()));
            }
            proc::exit(complain(&Error::Stopped(failure)))
        }
        Err(error) => proc::exit(complain(&Error::Vcpu(error))),
    }
}

/// Releases what the threads of the process hold, at its end or when it goes
/// on with other memory.
pub fn release_robust_lists(process: &Process) {
    for seat in process.machine.world.seats() {
        if process.owns(&seat) {
            let head = seat.robust_list.swap(0, Ordering::Relaxed);
            release_robust_list(&process.memory, head, process.thread_id(&seat));
        }
    }
}

/// Ends the calling thread as `end` says, and the process with its last. The
/// processor is left to others. Returns where the host thread may end: the
/// host address of the word to clear then.
pub fn end_thread(
    process: &Arc<Process>,
    thread: Thread,
    processor: Processor,
    end: End,
) -> Option<u64> {
    let world = &process.machine.world;
    let own = proc::thread_id();
    let first = own as u32 == std::process::id();
    let head = thread.seat.robust_list.swap(0, Ordering::Relaxed);
    release_robust_list(&process.memory, head, own);
    if process.remove_thread() {
        // The last one tells how the process ends, as since Linux 5.17.
        end_process(process, &processor.vcpu, Ok(end));
    }
    thread.block_signals();
    processor.mailbox.uninstall();
    process
        .machine
        .give_back(Reserved::Used(Box::new(processor)));
    let cleared = thread.clear_child_tid;
    world.dismiss(&thread.seat);
    drop(thread);
    let cleared = match cleared {
        0 => None,
        address => Some(process.memory.host_pointer(address, 4)),
    };
    if first {
        // Seen by nobody: the last thread's end is the process's.
        let status = match end {
            End::Thread(status) => status,
            _ => 0,
        };
        clone::exit_first_thread(status, cleared);
    }
    cleared
}

/// Tells those who wait for the end of a thread by the word at `address`
/// (`CLONE_CHILD_CLEARTID`).
pub fn clear_and_wake(memory: &GuestMemory, address: u64) {
    // As in the kernel, nobody is told of an error.
    let _ = memory.write_value(address, &0u32);
    wake(memory, address);
}

/// Wakes one waiter on the futex at `address`.
fn wake(memory: &GuestMemory, address: u64) {
    let word = memory.host_pointer(address, 4);
    let args = HostArgs::new([word, libc::FUTEX_WAKE as u64, 1]);
    let _ = own_syscall(libc::SYS_futex, &args);
}

/// Most entries of a list that are followed (`ROBUST_LIST_LIMIT`).
const LIST_LIMIT: usize = 2048;
/// Bit 0 of a list pointer: the futex is a PI one, which the host releases.
const PI: u64 = 1;

/// Marks the robust futexes that thread `tid` holds as left by a dead owner
/// (`exit_robust_list()` in `kernel/futex/core.c`).
fn release_robust_list(memory: &GuestMemory, head: u64, tid: i32) {
    if head == 0 {
        return;
    }
    let Ok([mut entry, offset, pending]) = memory.read_value::<[u64; 3]>(head) else {
        return;
    };
    for _ in 0..LIST_LIMIT {
        if entry & !PI == head {
            break;
        }
        let next = memory.read_value::<u64>(entry & !PI);
        if entry & !PI != pending & !PI && !release_futex(memory, entry, offset, tid, false) {
            return;
        }
        match next {
            Ok(next) => entry = next,
            Err(_) => return,
        }
    }
    if pending & !PI != 0 {
        release_futex(memory, pending, offset, tid, true);
    }
}

/// Marks one futex, if `tid` owns it. False where it cannot be reached.
fn release_futex(memory: &GuestMemory, entry: u64, offset: u64, tid: i32, pending: bool) -> bool {
    const WAITERS: u32 = 1 << 31;
    const OWNER_DIED: u32 = 1 << 30;
    const TID: u32 = OWNER_DIED - 1;
    let pi = entry & PI != 0;
    let address = (entry & !PI).wrapping_add(offset);
    if !address.is_multiple_of(4) {
        return false;
    }
    let Ok(mut word) = memory.read_value::<u32>(address) else {
        return false;
    };
    loop {
        if pending && !pi && word == 0 {
            // Unlocked, but the waiters not woken yet.
            wake(memory, address);
            return true;
        }
        if word & TID != tid as u32 {
            return true;
        }
        match memory.compare_exchange(address, word, word & WAITERS | OWNER_DIED) {
            Ok(was) if was == word => break,
            Ok(was) => word = was,
            Err(_) => return false,
        }
    }
    if !pi && word & WAITERS != 0 {
        wake(memory, address);
    }
    true
}
