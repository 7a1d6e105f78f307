//! Waiting for a word in the monitor's own memory (`futex(2)`). The words are
//! private to the address space, which processes made by `vfork` share.

use std::ptr;
use std::sync::atomic::AtomicU32;

/// Sleeps while `word` is `value`; may return earlier.
pub fn wait(word: &AtomicU32, value: u32) {
    // SAFETY: `word` is an aligned word that lives for the call; no timeout.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
            value,
            ptr::null::<libc::timespec>(),
        )
    };
}

/// Wakes all that sleep on `word`.
pub fn wake_all(word: &AtomicU32) {
    // SAFETY: as for `wait`.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG,
            i32::MAX,
        )
    };
}
