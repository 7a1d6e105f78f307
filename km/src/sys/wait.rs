//! Waiting for a word in the monitor's own memory (`futex(2)`). The words are
//! private to the address space, which processes made by `vfork` share.

use std::ptr;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

/// Sleeps while `word` is `value`; may return earlier.
pub fn wait(word: &AtomicU32, value: u32) {
    sleep(word, libc::FUTEX_PRIVATE_FLAG, value, None);
}

/// As [`wait`], for a word that the kernel wakes as well
/// (`CLONE_CHILD_CLEARTID`), and no longer than `limit`.
pub fn wait_for_kernel(word: &AtomicU32, value: u32, limit: Option<Duration>) {
    sleep(word, 0, value, limit);
}

/// Wakes all that sleep on `word`.
pub fn wake_all(word: &AtomicU32) {
    wake(word, libc::FUTEX_PRIVATE_FLAG, i32::MAX);
}

/// Wakes one that sleeps on `word`.
pub fn wake_one(word: &AtomicU32) {
    wake(word, libc::FUTEX_PRIVATE_FLAG, 1);
}

/// Wakes who sleeps in [`wait_for_kernel`].
pub fn wake_as_kernel(word: &AtomicU32) {
    wake(word, 0, 1);
}

fn sleep(word: &AtomicU32, flags: i32, value: u32, limit: Option<Duration>) {
    let limit = limit.map(|limit| libc::timespec {
        tv_sec: limit.as_secs() as i64,
        tv_nsec: i64::from(limit.subsec_nanos()),
    });
    // SAFETY: `word` is an aligned word that lives for the call, and so does
    // the limit, if there is one.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAIT | flags,
            value,
            limit.as_ref().map_or(ptr::null(), ptr::from_ref),
        )
    };
}

fn wake(word: &AtomicU32, flags: i32, count: i32) {
    // SAFETY: as for `sleep`.
    unsafe {
        libc::syscall(
            libc::SYS_futex,
            word.as_ptr(),
            libc::FUTEX_WAKE | flags,
            count,
        )
    };
}
