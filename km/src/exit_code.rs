//! How km ends when the payload is not the reason, in the convention of
//! `env(1)`, `docker run` and POSIX shells.

/// km itself failed: no KVM, no permission, no memory, a bad option.
pub const MONITOR: u8 = 125;
/// The payload was found but cannot be executed.
pub const NOT_EXECUTABLE: u8 = 126;
/// The payload was not found.
pub const NOT_FOUND: u8 = 127;
