//! The page of a vCPU: its task state segment with the I/O bitmap, its
//! descriptor table, and its stacks
//! (SDM volume 3, section 9.7; volume 1, section 20.5.2).

use km_abi::ports;

use crate::errno::Errno;
use crate::mem::layout::PAGE;
use crate::mem::system::SystemArea;

const RSP0: u64 = 4;
const IST1: u64 = 36;
const BITMAP_BASE: u64 = 102;
const BITMAP: u64 = 104;
/// The processor reads two bytes of the bitmap at a time.
const BITMAP_SIZE: u64 = ports::COUNT as u64 / 8 + 1;

/// Last byte of the segment.
pub const LIMIT: u32 = (BITMAP + BITMAP_SIZE - 1) as u32;
/// The descriptor table, from the start of the page.
pub const GDT: u64 = 256;
/// Top of the stack for double faults, from the start of the page.
pub const FAULT_STACK_TOP: u64 = 2048;
/// Top of the stack for other exceptions.
pub const STACK_TOP: u64 = PAGE;

// In one byte of the bitmap.
const _: () = assert!(ports::SYSCALL % 8 < 7 && ports::GATE == ports::SYSCALL + 1);
const _: () = assert!(LIMIT < GDT as u32);

/// Writes the segment at guest-physical `at`, which ring 0 sees at `address`.
pub fn write(area: &SystemArea, at: u64, address: u64) -> Result<(), Errno> {
    // Fields lie at odd multiples of four bytes: written as halves.
    for (offset, value) in [
        (RSP0, address + STACK_TOP),
        (IST1, address + FAULT_STACK_TOP),
    ] {
        area.write(at + offset, &(value as u32))?;
        area.write(at + offset + 4, &((value >> 32) as u32))?;
    }
    area.write(at + BITMAP_BASE, &(BITMAP as u16))?;
    for byte in 0..BITMAP_SIZE {
        area.write(at + BITMAP + byte, &0xffu8)?;
    }
    // Ring 3 may ask for a system call, and nothing else.
    let (byte, bit) = (u64::from(ports::SYSCALL / 8), ports::SYSCALL % 8);
    area.write(at + BITMAP + byte, &!(0b11u8 << bit))
}
