//! Calls that only km has, beside Linux's: made as system calls are, by numbers
//! that Linux does not give out, so that elsewhere they are ENOSYS. The C side
//! is `runtime/libkontain/kontain.h`.

/// `kontain_info(struct kontain_info *, size)`.
pub const INFO: u16 = 0xf000;
/// `kontain_stats(struct kontain_stats *, size)`.
pub const STATS: u16 = 0xf001;
/// `kontain_nsm(struct kontain_nsm_message *)`.
pub const NSM: u16 = 0xf002;

/// The version of the contract between the monitor and km's C library: the
/// gate, and these calls. Programs and the library carry theirs in an ELF note.
pub const ABI: u32 = 1;
/// Name and type of that note; its content is the version, 32 bits.
pub const NOTE_NAME: &[u8] = b"kontain";
pub const NOTE_TYPE: u32 = 1;
