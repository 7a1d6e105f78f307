//! The interrupt descriptor table (SDM volume 3, section 7.14.1).

use km_abi::{ports, selectors, shim};

use crate::errno::Errno;
use crate::mem::system::SystemArea;

const VECTORS: u64 = ports::VECTORS as u64;

/// Bytes of the table less one. Higher vectors are a general protection
/// fault, as `int n` is on Linux.
pub const LIMIT: u16 = (VECTORS * 16 - 1) as u16;

const INTERRUPT_GATE: u64 = 0x8e00 << 32;
/// Open to `int3` and `into` of ring 3.
const USER_GATE: u64 = 0xee00 << 32;
const BREAKPOINT: u64 = 3;
const OVERFLOW: u64 = 4;
const DOUBLE_FAULT: u64 = 8;

/// Writes the table at guest-physical `at`, for the shim at guest-virtual
/// `code`.
pub fn write(area: &SystemArea, at: u64, code: u64) -> Result<(), Errno> {
    for vector in 0..VECTORS {
        let entry = code + shim::EXCEPTION_ENTRY + vector * shim::EXCEPTION_STRIDE;
        let kind = match vector {
            BREAKPOINT | OVERFLOW => USER_GATE,
            _ => INTERRUPT_GATE,
        };
        // The double fault has a stack of its own (IST 1).
        let stack = if vector == DOUBLE_FAULT { 1 << 32 } else { 0 };
        let selector = u64::from(selectors::KERNEL_CS) << 16;
        let low = entry & 0xffff | selector | stack | kind | (entry >> 16 & 0xffff) << 48;
        area.store(at + vector * 16, low)?;
        area.store(at + vector * 16 + 8, entry >> 32)?;
    }
    Ok(())
}
