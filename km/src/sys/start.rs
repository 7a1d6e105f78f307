//! The program's start. Rust's own start-up would ignore SIGPIPE and handle
//! SIGSEGV; the payload is to inherit what km was given.
//!
//! The first thread leaves the stack it was started on, whose size is the
//! payload's limit (`ulimit -s`): it may be too small for the monitor.

use std::arch::global_asm;
use std::ffi::c_void;
use std::ptr;

/// Bytes of the first thread's stack, its guard included.
const STACK: usize = 1 << 20;
const GUARD: usize = 4096;

// Arguments: rdi end of a stack, rsi the function to call on it. Returns what
// that returns, on the old stack.
global_asm!(
    ".pushsection .text.km_call_on, \"ax\", @progbits",
    ".global km_call_on",
    ".type km_call_on, @function",
    "km_call_on:",
    "push rbp",
    "mov rbp, rsp",
    "mov rsp, rdi",
    "call rsi",
    "mov rsp, rbp",
    "pop rbp",
    "ret",
    ".size km_call_on, . - km_call_on",
    ".popsection",
);

unsafe extern "C" {
    fn km_call_on(stack: *mut c_void, function: extern "C" fn() -> i32) -> i32;
}

extern "C" fn run() -> i32 {
    i32::from(crate::main())
}

/// Calls `run` on a new stack, or on the old one if there is no memory for it.
fn run_on_new_stack() -> i32 {
    // SAFETY: a fresh mapping touches no other; its lowest page becomes the
    // guard, and its end is aligned as the ABI asks. It is never unmapped, so
    // that it outlives the call. The assembly keeps all registers that a
    // callee has to keep.
    unsafe {
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK;
        let stack = libc::mmap(ptr::null_mut(), STACK, prot, kind, -1, 0);
        if stack == libc::MAP_FAILED {
            return run();
        }
        libc::mprotect(stack, GUARD, libc::PROT_NONE);
        km_call_on(stack.byte_add(STACK), run)
    }
}

/// Called by the C library.
#[unsafe(no_mangle)]
extern "C" fn main(_: i32, _: *const *const libc::c_char) -> i32 {
    run_on_new_stack()
}
