//! Where everything lies: the only file with magic addresses.
//!
//! ```text
//! payload address                guest-physical          monitor
//! 0x7fff_ffff_f000 ┐
//!   stack          │ high arena  ┌ nowhere (2 GiB) ──┐
//!   mmap area ↓    │ ──────────► │ system area       │
//!   brk ↑          │  minus a    │ guard             │
//!   PIE            │  constant   │ high arena        │   host_base
//!                  ┘             │ guard             │ ◄── + guest-physical
//!   system area (kernel only)    │                   │
//!                  ┐             │                   │
//!   brk ↑          │ low arena   │                   │
//!   fixed images   │ ──────────► │ low arena         │
//! 0                ┘  identity   └ 0 ────────────────┘
//! ```
//!
//! All sizes follow from the number of guest-physical address bits.

use std::ops::Range;

use crate::mem::mapping::STACK_GUARD_GAP;

/// Bytes in a page.
pub const PAGE: u64 = 4096;
/// Bytes in a large page.
pub const LARGE_PAGE: u64 = 2 << 20;
/// End of the payload's addresses (`TASK_SIZE_MAX` of x86-64 with 4-level
/// page tables: 2^47 less a page).
pub const TASK_SIZE: u64 = (1 << 47) - PAGE;
/// Reserved, never accessible, behind each arena. No host call moves more
/// than `MAX_RW_COUNT` (2 GiB less a page) at once.
pub const GUARD: u64 = 2 << 30;
/// Lowest address a payload may map without a privilege
/// (`vm.mmap_min_addr`).
pub const MMAP_MIN: u64 = 0x1_0000;

/// Most guest-physical bits that are used: the payload's and the monitor's
/// addresses together must fit into 47.
pub const MAX_BITS: u32 = 47;
/// Fewest bits km can work with (64 GiB).
pub const MIN_BITS: u32 = 36;

/// Where the system area appears to the guest, in the hole between the
/// arenas, which no payload can map.
pub const SYSTEM_VIRTUAL: u64 = 0x4000_0000_0000;
/// Size of the system area: descriptor tables, vCPU pages, page tables.
pub const SYSTEM_SIZE: u64 = 1 << 30;

/// Linux places a PIE at two thirds of the address space
/// (`ELF_ET_DYN_BASE`).
const PIE_BASE: u64 = (TASK_SIZE / 3 * 2) & !(PAGE - 1);
/// Room Linux keeps for the stack at least (`MIN_GAP`).
const STACK_GAP_MIN: u64 = 128 << 20;
/// Largest random offset of the stack: 22 bits of pages.
pub const STACK_RANDOM: u64 = 0x3f_ffff * PAGE;

/// The two ranges of payload addresses, and where they lie in guest-physical
/// memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arenas {
    low: Range<u64>,
    high: Range<u64>,
    /// Guest-physical address of the high arena's start.
    high_physical: u64,
}

impl Arenas {
    /// A host address outside every user address space.
    pub const BEYOND: u64 = 0xffff_8000_0000_0000;

    /// Arenas for a CPU with `bits` guest-physical address bits.
    pub fn new(bits: u32) -> Arenas {
        let bits = bits.clamp(MIN_BITS, MAX_BITS);
        let total = 1u64 << bits;
        let low = total / 4;
        // With 47 bits half of the space would leave the monitor too little.
        let high = (total / 2).min(48 << 40);
        let top = TASK_SIZE + PAGE;
        Arenas {
            low: 0..low,
            high: top - high..TASK_SIZE,
            high_physical: low + LARGE_GUARD,
        }
    }

    /// The guest-physical address of payload address `address`, or `None`
    /// where the payload can have no memory.
    pub fn physical(&self, address: u64) -> Option<u64> {
        if self.low.contains(&address) {
            Some(address)
        } else if self.high.contains(&address) {
            Some(address - self.high.start + self.high_physical)
        } else {
            None
        }
    }

    /// Whether the whole range can hold payload memory.
    pub fn contains(&self, range: &Range<u64>) -> bool {
        [&self.low, &self.high]
            .iter()
            .any(|arena| arena.start <= range.start && range.end <= arena.end)
    }

    pub fn low(&self) -> &Range<u64> {
        &self.low
    }

    pub fn high(&self) -> &Range<u64> {
        &self.high
    }

    /// Guest-physical start of the system area.
    pub fn system(&self) -> u64 {
        self.high_physical + (self.high.end + PAGE - self.high.start) + LARGE_GUARD
    }

    /// Guest-physical address with nothing behind it for 2 GiB.
    pub fn nowhere(&self) -> u64 {
        self.system() + SYSTEM_SIZE
    }

    /// Guest-physical address of pages of the host's that the payload may
    /// read (the vDSO's data).
    pub fn shared(&self) -> u64 {
        self.nowhere() + GUARD
    }

    /// Size of the monitor's reservation.
    pub fn reservation(&self) -> u64 {
        self.nowhere() + GUARD
    }

    /// Where a position-independent executable goes without randomisation.
    pub fn pie_base(&self) -> u64 {
        PIE_BASE.max(self.high.start + (self.high.end - self.high.start) / 16) & !(PAGE - 1)
    }

    /// Top of the mmap area, before randomisation, for a stack that may grow
    /// to `stack` bytes and be moved by `offset` (`mmap_base()` in
    /// `arch/x86/mm/mmap.c`).
    pub fn mmap_base(&self, stack: u64, offset: u64) -> u64 {
        let room = (self.high.end - self.high.start) / 6 * 5;
        let pad = offset + STACK_GUARD_GAP;
        let gap = stack
            .saturating_add(pad)
            .clamp(STACK_GAP_MIN + offset, room);
        (TASK_SIZE - gap) & !(PAGE - 1)
    }
}

/// Guard between areas of guest-physical memory, a multiple of 1 GiB.
const LARGE_GUARD: u64 = 4 << 30;

#[cfg(test)]
mod tests;
