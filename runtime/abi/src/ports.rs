//! I/O ports. All fit the one-byte form of `out`.

/// A system call: all registers are as the `syscall` instruction left them.
pub const SYSCALL: u16 = 0xc0;
/// A system call through the gate, in ring 3: registers as the `syscall`
/// instruction takes them, and in `rcx` where to go on.
pub const GATE: u16 = 0xc1;
/// An exception: this plus the vector (0 to 31).
pub const EXCEPTION: u16 = 0x20;
/// Number of exception vectors (SDM volume 3, section 7.3).
pub const VECTORS: u16 = 32;
/// Number of ports a TSS I/O bitmap of the monitor covers.
pub const COUNT: u16 = 0x100;

const _: () = assert!(EXCEPTION + VECTORS <= SYSCALL && SYSCALL < COUNT && GATE < COUNT);
