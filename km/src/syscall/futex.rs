//! Futexes: the host's own, on the memory the payload shares with it.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::Outcome;
use super::call::{Call, FAULT, pointer_to};
use crate::mem::guest::GuestMemory;

/// `struct futex_waitv`.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Waiter {
    value: u64,
    address: u64,
    flags: u32,
    reserved: u32,
}

/// The operation, without `FUTEX_PRIVATE_FLAG` and `FUTEX_CLOCK_REALTIME`.
const COMMAND: i32 = 0x7f;
/// Most futexes one `futex_waitv` waits for (`FUTEX_WAITV_MAX`).
const MAX_WAITERS: usize = 128;

/// What stands for a waiter that cannot be read: its word cannot either.
const UNREADABLE: Waiter = Waiter {
    value: 0,
    address: FAULT,
    flags: FUTEX2_SIZE_U32,
    reserved: 0,
};
const FUTEX2_SIZE_U32: u32 = 0x02;

/// `futex(uaddr, op, val, timeout, uaddr2, val3)`: for the operations that
/// wake or move two groups, the fourth argument is a number.
pub fn futex(call: &mut Call<'_>) -> Outcome {
    const TIMESPEC: u64 = 16;
    let memory = call.memory();
    let fourth = match call.int(1) & COMMAND {
        libc::FUTEX_REQUEUE
        | libc::FUTEX_CMP_REQUEUE
        | libc::FUTEX_WAKE_OP
        | libc::FUTEX_CMP_REQUEUE_PI => call.arg(3),
        _ => memory.host_pointer(call.arg(3), TIMESPEC),
    };
    let mut host = call.translate();
    host.set(0, word(memory, call.arg(0)));
    host.set(3, fourth);
    host.set(4, word(memory, call.arg(4)));
    call.host(call.row.number, &host).into()
}

/// `futex_wake(uaddr, mask, nr, flags)` and `futex_wait(uaddr, val, mask,
/// flags, timeout, clockid)`.
pub fn futex_of_one(call: &mut Call<'_>) -> Outcome {
    let mut host = call.translate();
    host.set(0, word(call.memory(), call.arg(0)));
    call.host(call.row.number, &host).into()
}

/// The host pointer to a futex. The host looks at the alignment before it
/// looks for the word.
fn word(memory: &GuestMemory, address: u64) -> u64 {
    const WORD: u64 = 4;
    memory.host_pointer(address, WORD) | (address % WORD)
}

/// `futex_waitv(waiters, nr_futexes, flags, timeout, clockid)`.
pub fn futex_waitv(call: &mut Call<'_>) -> Outcome {
    with_waiters(call, call.arg(1) as u32 as usize)
}

/// `futex_requeue(waiters, flags, nr_wake, nr_requeue)`: from the first waiter
/// to the second.
pub fn futex_requeue(call: &mut Call<'_>) -> Outcome {
    with_waiters(call, 2)
}

/// The row's call with `count` waiters in argument 0.
fn with_waiters(call: &mut Call<'_>, count: usize) -> Outcome {
    let memory = call.memory();
    // The host refuses another number before it reads.
    let number = if count > MAX_WAITERS { 0 } else { count };
    let mut waiters = vec![UNREADABLE; number];
    let (mut at, mut flags) = (call.arg(0), UNREADABLE.flags);
    // What is wrong with those before one that cannot be read is found first.
    for waiter in &mut waiters {
        let Ok(given) = memory.read_value::<Waiter>(at) else {
            *waiter = Waiter {
                flags,
                ..UNREADABLE
            };
            break;
        };
        let address = word(memory, given.address);
        *waiter = Waiter { address, ..given };
        flags = given.flags;
        at = at.wrapping_add(size_of::<Waiter>() as u64);
    }
    let mut host = call.translate();
    let pointer = match (call.arg(0), waiters.is_empty()) {
        (0, _) => 0,
        (_, true) => FAULT,
        (_, false) => pointer_to(&mut waiters),
    };
    host.set(0, pointer);
    call.host(call.row.number, &host).into()
}
