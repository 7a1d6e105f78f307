//! System V semaphores and POSIX message queues, where an argument's meaning
//! depends on another.

use super::Outcome;
use super::call::{Call, FAULT, pointer_to};

/// `semctl(semid, semnum, op, arg)`: `arg` is a number for `SETVAL`, else a
/// pointer or unused.
pub fn semctl(call: &mut Call<'_>) -> Outcome {
    let mut host = call.translate();
    host.set(
        3,
        match call.int(2) {
            libc::SETVAL => call.arg(3),
            // The host knows how long it is.
            _ => call.memory().host_pointer(call.arg(3), 1),
        },
    );
    call.host(call.row.number, &host).into()
}

/// `mq_notify(mqdes, sevp)`: with `SIGEV_THREAD` the signal value points to a
/// cookie for a netlink socket, whose descriptor stands in the signal number.
pub fn mq_notify(call: &mut Call<'_>) -> Outcome {
    /// `struct sigevent` as 32-bit words: value (2), signal, method.
    const WORDS: usize = 16;
    const COOKIE: u64 = 32;
    let memory = call.memory();
    let mut event = [0u32; WORDS];
    let address = call.arg(1);
    let copied = memory.read_value::<[u32; WORDS]>(address);
    if let Ok(words) = copied {
        event = words;
        let [low, high, signal, method, ..] = &mut event;
        if *method as i32 == libc::SIGEV_THREAD {
            let cookie = memory.host_pointer(u64::from(*low) | u64::from(*high) << 32, COOKIE);
            (*low, *high) = (cookie as u32, (cookie >> 32) as u32);
            *signal = call.process.fds.translate(u64::from(*signal)) as u32;
        }
    }
    let pointer = match (address, copied) {
        (0, _) => 0,
        (_, Ok(_)) => pointer_to(&mut event),
        (_, Err(_)) => FAULT,
    };
    let mut host = call.translate();
    host.set(1, pointer);
    call.host(call.row.number, &host).into()
}
