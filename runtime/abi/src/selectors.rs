//! Segment selectors, as Linux lays them out (`arch/x86/include/asm/segment.h`).

pub const KERNEL_CS: u16 = 0x10;
pub const KERNEL_DS: u16 = 0x18;
/// Base of the user selectors in the STAR register: 32-bit code.
pub const USER32_CS: u16 = 0x23;
pub const USER_DS: u16 = 0x2b;
pub const USER_CS: u16 = 0x33;
pub const TSS: u16 = 0x40;
/// Its limit holds the processor and node number, for `getcpu`.
pub const CPU_NODE: u16 = 0x7b;
/// Entries in the descriptor table.
pub const COUNT: usize = 16;

// SYSRET takes CS from STAR[63:48] + 16 and SS from STAR[63:48] + 8.
const _: () = assert!(USER_CS == USER32_CS + 16 && USER_DS == USER32_CS + 8);
// SYSCALL takes SS from STAR[47:32] + 8.
const _: () = assert!(KERNEL_DS == KERNEL_CS + 8);
