//! The payload's system calls on the host.

use std::arch::global_asm;
use std::sync::atomic::AtomicU32;

use crate::errno::Errno;

/// Linux's own "restart me" value (`ERESTARTSYS` in `include/linux/errno.h`):
/// the call was not begun, because a signal for the payload came first.
pub const NOT_BEGUN: Errno = Errno::from_raw(512);

/// The six arguments of a host call: integers, and host pointers made by
/// `GuestMemory::host_pointer` or pointing to buffers of the monitor that the
/// caller keeps alive.
#[derive(Debug, Default, Clone, Copy)]
pub struct HostArgs([u64; 6]);

impl HostArgs {
    pub fn new<const N: usize>(args: [u64; N]) -> HostArgs {
        let mut host = HostArgs::default();
        for (index, value) in args.into_iter().enumerate() {
            host.set(index, value);
        }
        host
    }

    /// Argument `index`; 0 for others than 0 to 5.
    pub fn get(&self, index: usize) -> u64 {
        self.0.get(index).copied().unwrap_or(0)
    }

    /// Sets argument `index` (0 to 5; others are ignored).
    pub fn set(&mut self, index: usize, value: u64) {
        if let Some(slot) = self.0.get_mut(index) {
            *slot = value;
        }
    }
}

/// The host pointer to a buffer of the monitor's own, which the caller keeps
/// alive over the call.
pub fn pointer_to<T>(buffer: &mut [T]) -> u64 {
    buffer.as_mut_ptr().addr() as u64
}

// A signal for the payload that arrives just before the `syscall` instruction
// must not be slept over. The window between the test of the flag and the
// instruction is known by its two labels: the signal handler moves an RIP
// found inside it to `km_host_syscall_interrupted`.
//
// Arguments: rdi number, rsi six arguments, rdx interrupt flag.
global_asm!(
    ".pushsection .text.km_host_syscall, \"ax\", @progbits",
    ".global km_host_syscall",
    ".type km_host_syscall, @function",
    "km_host_syscall:",
    "push rbx",
    "mov rbx, rdx",
    "mov rax, rdi",
    "mov r11, rsi",
    "mov rdi, [r11]",
    "mov rsi, [r11 + 8]",
    "mov rdx, [r11 + 16]",
    "mov r10, [r11 + 24]",
    "mov r8, [r11 + 32]",
    "mov r9, [r11 + 40]",
    ".global km_host_syscall_window",
    "km_host_syscall_window:",
    "cmp dword ptr [rbx], 0",
    "jne km_host_syscall_interrupted",
    ".global km_host_syscall_instruction",
    "km_host_syscall_instruction:",
    "syscall",
    "pop rbx",
    "ret",
    ".global km_host_syscall_interrupted",
    "km_host_syscall_interrupted:",
    "mov rax, -512",
    "pop rbx",
    "ret",
    ".size km_host_syscall, . - km_host_syscall",
    ".popsection",
);

unsafe extern "C" {
    fn km_host_syscall(number: u64, args: *const u64, interrupt: *const u32) -> i64;
    static km_host_syscall_window: u8;
    static km_host_syscall_instruction: u8;
    static km_host_syscall_interrupted: u8;
}

/// Where to continue a thread that a signal found at `rip`, if that is in the
/// window before the host call.
pub fn leave_window(rip: u64) -> Option<u64> {
    let window = (&raw const km_host_syscall_window) as u64;
    let instruction = (&raw const km_host_syscall_instruction) as u64;
    (window..=instruction)
        .contains(&rip)
        .then_some((&raw const km_host_syscall_interrupted) as u64)
}

/// Makes host call `number` for the payload. While `interrupt` is not zero no
/// call is begun: the error is then [`NOT_BEGUN`].
///
/// # Errors
///
/// What the host kernel returns.
pub fn host_syscall(number: u16, args: &HostArgs, interrupt: &AtomicU32) -> Result<u64, Errno> {
    // SAFETY: `args` holds six values and `interrupt` a word, both alive for
    // the call. The kernel checks pointers itself; those in `args` are in
    // payload memory or in buffers the caller owns, so that no memory Rust
    // relies on is written. Calls that would change the monitor's own mappings
    // or end its threads have handlers that do not come here.
    let value = unsafe { km_host_syscall(u64::from(number), args.0.as_ptr(), interrupt.as_ptr()) };
    result(value)
}

/// A host call of the monitor's own, that no signal for the payload stops.
///
/// # Errors
///
/// What the host kernel returns.
pub fn own_syscall(number: i64, args: &HostArgs) -> Result<u64, Errno> {
    host_syscall(number as u16, args, &AtomicU32::new(0))
}

fn result(value: i64) -> Result<u64, Errno> {
    match value {
        -4095..0 => Err(Errno::from_raw(-(value as i32))),
        _ => Ok(value as u64),
    }
}
