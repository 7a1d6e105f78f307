//! Reading and writing through `struct iovec` arrays.

use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::Outcome;
use super::call::{Call, FAULT, pointer_to};
use crate::mem::guest::{GuestMemory, MAX_RW_COUNT};
use crate::sys::call::HostArgs;

/// `struct iovec`.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Iovec {
    pub base: u64,
    pub len: u64,
}

/// Most elements Linux takes (`UIO_MAXIOV`).
pub const MAX_IOV: u64 = 1024;

/// A copy of the payload's array, its buffers translated.
pub struct Iovecs {
    entries: Vec<Iovec>,
    readable: bool,
}

impl Iovecs {
    /// Copies `count` elements at `address` in. What the host will refuse by
    /// its count, or cannot be read, is left for the host to refuse, in its
    /// own order of checks.
    pub fn copy_in(memory: &GuestMemory, address: u64, count: u64) -> Iovecs {
        let array = match usize::try_from(count) {
            Ok(count) if count as u64 <= MAX_IOV => memory.read_array::<Iovec>(address, count).ok(),
            _ => None,
        };
        let readable = array.is_some();
        let mut entries = array.unwrap_or_default();
        for entry in &mut entries {
            (entry.base, entry.len) = memory.host_buffer(entry.base, entry.len);
        }
        Iovecs { entries, readable }
    }

    /// The array for the host; `self` must outlive the call.
    pub fn pointer(&mut self) -> u64 {
        if self.readable {
            pointer_to(&mut self.entries)
        } else {
            FAULT
        }
    }
}

/// The row's call with the array in argument 1, its length in argument 2, of
/// which the kernel looks at 32 bits.
fn vectored(call: &mut Call<'_>) -> Outcome {
    let mut iov = Iovecs::copy_in(call.memory(), call.arg(1), u64::from(call.arg(2) as u32));
    let mut host = call.translate();
    host.set(1, iov.pointer());
    call.host(call.row.number, &host).into()
}

pub fn readv(call: &mut Call<'_>) -> Outcome {
    vectored(call)
}

pub fn writev(call: &mut Call<'_>) -> Outcome {
    vectored(call)
}

/// `preadv` and `preadv2`.
pub fn preadv(call: &mut Call<'_>) -> Outcome {
    vectored(call)
}

/// `pwritev` and `pwritev2`.
pub fn pwritev(call: &mut Call<'_>) -> Outcome {
    vectored(call)
}

pub fn vmsplice(call: &mut Call<'_>) -> Outcome {
    vectored(call)
}

/// The row's arguments where the kernel looks at no more than `MAX_RW_COUNT`
/// bytes of the buffer in argument `buffer`, whatever the size behind it.
pub fn clipped(call: &Call<'_>, buffer: usize) -> HostArgs {
    let mut host = call.translate();
    let len = call.arg(buffer + 1).min(MAX_RW_COUNT);
    host.set(buffer, call.memory().host_pointer(call.arg(buffer), len));
    host.set(buffer + 1, len);
    host
}

/// `getrandom(buf, buflen, flags)`.
pub fn getrandom(call: &mut Call<'_>) -> Outcome {
    let host = clipped(call, 0);
    call.host(call.row.number, &host).into()
}
