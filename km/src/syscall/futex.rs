//! Futexes: the host's own, on the memory the payload shares with it.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::Outcome;
use super::call::{Call, FAULT, pointer_to};

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

/// `futex(uaddr, op, val, timeout, uaddr2, val3)`: for the operations that
/// wake or move two groups, the fourth argument is a number.
pub fn futex(call: &mut Call<'_>) -> Outcome {
    const WORD: u64 = 4;
    const TIMESPEC: u64 = 16;
    let memory = call.memory();
    let fourth = match call.int(1) & COMMAND {
        libc::FUTEX_REQUEUE
        | libc::FUTEX_CMP_REQUEUE
        | libc::FUTEX_WAKE_OP
        | libc::FUTEX_CMP_REQUEUE_PI => call.arg(3),
        _ => memory.host_pointer(call.arg(3), TIMESPEC),
    };
    // The host looks at the alignment before it looks for the word.
    let word = |index| memory.host_pointer(call.arg(index), WORD) | (call.arg(index) % WORD);
    let mut host = call.translate();
    host.set(0, word(0));
    host.set(3, fourth);
    host.set(4, word(4));
    call.host(call.row.number, &host).into()
}

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
    let copied = match count {
        // The host refuses the number before it reads.
        0 | MAX_WAITERS.. if count != MAX_WAITERS => None,
        _ => memory.read_array::<Waiter>(call.arg(0), count).ok(),
    };
    let mut waiters = copied.unwrap_or_default();
    for waiter in &mut waiters {
        waiter.address = memory.host_pointer(waiter.address, 8);
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
