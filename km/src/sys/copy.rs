//! Copies between the monitor and memory that may not be there.
//!
//! The payload decides what lies at its addresses, and may change it while
//! the monitor looks. So every access is a plain byte copy in assembly, never
//! through a Rust reference, and a fault in it is no fault of the monitor: the
//! SIGSEGV and SIGBUS handler continues at the fixup.

use std::arch::global_asm;

// `km_copy(dst, src, len)` returns the number of bytes that were not copied.
// `km_touch_write(p)` writes back the byte at `p`; 0, or 1 if it cannot.
// `km_exchange(p, old, new)` replaces the word at `p` if it is `old`, and
// returns what it was; 2^32 if there is none.
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
    ".global km_exchange",
    ".type km_exchange, @function",
    "km_exchange:",
    "mov eax, esi",
    ".global km_exchange_instruction",
    "km_exchange_instruction:",
    "lock cmpxchg dword ptr [rdi], edx",
    "ret",
    ".global km_exchange_fixup",
    "km_exchange_fixup:",
    "mov eax, 1",
    "shl rax, 32",
    "ret",
    ".size km_exchange, . - km_exchange",
    ".popsection",
);

unsafe extern "C" {
    fn km_copy(dst: *mut u8, src: *const u8, len: usize) -> usize;
    fn km_touch_write(at: *mut u8) -> u32;
    fn km_exchange(at: *mut u8, old: u32, new: u32) -> u64;
    static km_copy_instruction: u8;
    static km_copy_fixup: u8;
    static km_touch_instruction: u8;
    static km_touch_fixup: u8;
    static km_exchange_instruction: u8;
    static km_exchange_fixup: u8;
}

/// Where to continue after a fault at `rip`, if it is one of these copies.
pub fn fixup(rip: u64) -> Option<u64> {
    let pairs = [
        (&raw const km_copy_instruction, &raw const km_copy_fixup),
        (&raw const km_touch_instruction, &raw const km_touch_fixup),
        (
            &raw const km_exchange_instruction,
            &raw const km_exchange_fixup,
        ),
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

/// Replaces the word at `at` by `new` if it is `old`; what it was, or `None`
/// where there is no memory to write to.
pub fn compare_exchange(at: HostPtr, old: u32, new: u32) -> Option<u32> {
    // SAFETY: as for `write`; the word is replaced atomically.
    let was = unsafe { km_exchange(at.0 as *mut u8, old, new) };
    u32::try_from(was).ok()
}
