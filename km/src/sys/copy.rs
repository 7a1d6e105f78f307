//! Copies between the monitor and memory that may not be there.
//!
//! The payload decides what lies at its addresses, and may change it while
//! the monitor looks. So every access is a plain byte copy in assembly, never
//! through a Rust reference, and a fault in it is no fault of the monitor: the
//! SIGSEGV and SIGBUS handler continues at the fixup.

use std::arch::global_asm;

// `km_copy(dst, src, len)` returns the number of bytes that were not copied.
// `km_touch_write(p)` writes back the byte at `p`; 0, or 1 if it cannot.
global_asm!(
    ".pushsection .text.km_copy, \"ax\", @progbits",
    ".global km_copy",
    ".type km_copy, @function",
    "km_copy:",
    "mov rcx, rdx",
    ".global km_copy_instruction",
    "km_copy_instruction:",
    "rep movsb",
    ".global km_copy_fixup",
    "km_copy_fixup:",
    "mov rax, rcx",
    "ret",
    ".size km_copy, . - km_copy",
    ".global km_touch_write",
    ".type km_touch_write, @function",
    "km_touch_write:",
    "xor eax, eax",
    ".global km_touch_instruction",
    "km_touch_instruction:",
    "lock or byte ptr [rdi], 0",
    "ret",
    ".global km_touch_fixup",
    "km_touch_fixup:",
    "mov eax, 1",
    "ret",
    ".size km_touch_write, . - km_touch_write",
    ".popsection",
);

unsafe extern "C" {
    fn km_copy(dst: *mut u8, src: *const u8, len: usize) -> usize;
    fn km_touch_write(at: *mut u8) -> u32;
    static km_copy_instruction: u8;
    static km_copy_fixup: u8;
    static km_touch_instruction: u8;
    static km_touch_fixup: u8;
}

/// Where to continue after a fault at `rip`, if it is one of these copies.
pub fn fixup(rip: u64) -> Option<u64> {
    let pairs = [
        (&raw const km_copy_instruction, &raw const km_copy_fixup),
        (&raw const km_touch_instruction, &raw const km_touch_fixup),
    ];
    pairs
        .into_iter()
        .find(|(instruction, _)| *instruction as u64 == rip)
        .map(|(_, fixup)| fixup as u64)
}

/// A host address that payload memory is, or would be, behind. Only
/// `GuestMemory` makes them, so it never points at the monitor's own memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostPtr(u64);

impl HostPtr {
    pub(crate) const fn new(address: u64) -> HostPtr {
        HostPtr(address)
    }

    pub const fn raw(self) -> u64 {
        self.0
    }
}

/// Copies payload memory at `from` into `to`; the number of bytes copied.
pub fn read(from: HostPtr, to: &mut [u8]) -> usize {
    // SAFETY: `to` is valid for writes of its length. `from` lies in the
    // payload's reservation or is unmapped: a fault there ends the copy, and
    // a concurrent change of it yields other bytes, nothing worse.
    let left = unsafe { km_copy(to.as_mut_ptr(), from.0 as *const u8, to.len()) };
    to.len().saturating_sub(left)
}

/// Copies `from` to payload memory at `to`; the number of bytes copied.
pub fn write(to: HostPtr, from: &[u8]) -> usize {
    // SAFETY: `from` is valid for reads of its length. `to` lies in the
    // payload's reservation, where no Rust object lives, or is unmapped: a
    // fault there ends the copy.
    let left = unsafe { km_copy(to.0 as *mut u8, from.as_ptr(), from.len()) };
    from.len().saturating_sub(left)
}

/// Whether the byte at `at` can be read now; brings its page in.
pub fn can_read(at: HostPtr) -> bool {
    read(at, &mut [0]) == 1
}

/// Whether the byte at `at` can be written now; brings its page in. Its value
/// stays, even against concurrent writers.
pub fn can_write(at: HostPtr) -> bool {
    // SAFETY: as for `write`; the byte is or-ed with 0 atomically.
    unsafe { km_touch_write(at.0 as *mut u8) == 0 }
}
