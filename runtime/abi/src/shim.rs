//! Layout of the shim image. Offsets are bytes from its start.

/// First page: code the payload may run as well. On hosts without hardware
/// virtualisation the system call entry itself runs in ring 3.
pub const SYSCALL_ENTRY: u64 = 0;
/// The gate: the system call of a C library that knows of it (`AT_SYSINFO`).
///
/// It is reached by a jump, with the registers that `syscall` takes and, in
/// `rcx`, the address to go on at. Right before that address there must be a
/// `syscall` instruction, which makes the same call: there a call is begun
/// again. Like `syscall`, the gate changes `rax`, `rcx` and `r11` and uses no
/// stack.
pub const GATE: u64 = 0x40;
/// Second page: code for ring 0 only.
pub const PRIVILEGED: u64 = 0x1000;
/// `iretq`: enters ring 3 by the frame at `rsp`.
pub const ENTER_USER: u64 = PRIVILEGED;
/// Exception entry of vector 0; one every [`EXCEPTION_STRIDE`] bytes.
pub const EXCEPTION_ENTRY: u64 = PRIVILEGED + 0x100;
pub const EXCEPTION_STRIDE: u64 = 8;
/// Bytes of the image, a whole number of pages.
pub const SIZE: u64 = 0x2000;
