//! The program's start. Rust's own start-up would ignore SIGPIPE and handle
//! SIGSEGV; the payload is to inherit what km was given.

/// Called by the C library.
#[cfg(not(test))]
#[unsafe(no_mangle)]
extern "C" fn main(_: i32, _: *const *const libc::c_char) -> i32 {
    i32::from(crate::main())
}
