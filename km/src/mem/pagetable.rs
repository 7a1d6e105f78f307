//! The guest's page tables (SDM volume 3, section 5.5: 4-level paging).
//!
//! They are a cache of the mapping table: an entry that is missing is filled
//! in at the fault, and all of them may be dropped at any time. Entries are
//! written with the accessed and dirty bits set, so that the processor never
//! writes to them itself.

use std::ops::Range;
use std::sync::Arc;

use crate::errno::Errno;
use crate::mem::layout::{LARGE_PAGE, PAGE, SYSTEM_VIRTUAL};
use crate::mem::system::SystemArea;
use crate::vm::slots::{Registry, Slots};

const PRESENT: u64 = 1;
const WRITE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
const LARGE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

const ENTRIES: u64 = 512;
/// The entries above the one that maps pages: level 3 is the root.
const ROOT_LEVEL: u32 = 3;
const LARGE_LEVEL: u32 = 1;

/// What a page allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    pub write: bool,
    pub execute: bool,
    /// Open to ring 3.
    pub user: bool,
}

impl Access {
    fn bits(self) -> u64 {
        let mut bits = PRESENT | ACCESSED | DIRTY;
        bits |= if self.write { WRITE } else { 0 };
        bits |= if self.user { USER } else { 0 };
        bits | if self.execute { 0 } else { NO_EXECUTE }
    }
}

/// Where tables come from.
#[derive(Debug)]
pub struct Pages<'a> {
    pub vm: &'a dyn Registry,
    pub slots: &'a mut Slots,
}

/// The tables of one address space.
#[derive(Debug)]
pub struct PageTables {
    area: Arc<SystemArea>,
    root: u64,
    /// Tables for the payload's addresses, for when all are dropped.
    user: Vec<u64>,
}

/// Bytes an entry of a table at `level` stands for.
const fn span(level: u32) -> u64 {
    PAGE << (9 * level)
}

impl PageTables {
    /// Empty tables.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn new(area: Arc<SystemArea>, pages: &mut Pages<'_>) -> Result<PageTables, Errno> {
        let root = area.allocate(pages.vm, pages.slots)?;
        Ok(PageTables {
            area,
            root,
            user: Vec::new(),
        })
    }

    /// Where the tables lie.
    pub fn area(&self) -> &Arc<SystemArea> {
        &self.area
    }

    /// Guest-physical address of the root table, for CR3.
    pub fn root(&self) -> u64 {
        self.root
    }

    /// Maps `range` to the guest-physical memory from `physical` on, in pages
    /// as large as fit, replacing what was there.
    ///
    /// # Errors
    ///
    /// ENOMEM when there is no room for a table: part may be mapped.
    pub fn map(
        &mut self,
        range: &Range<u64>,
        physical: u64,
        access: Access,
        pages: &mut Pages<'_>,
    ) -> Result<(), Errno> {
        let change = Change {
            offset: physical.wrapping_sub(range.start),
            bits: access.bits(),
        };
        self.change(self.root, ROOT_LEVEL, range.clone(), Some(change), pages)
    }

    /// Takes `range` out of the tables.
    ///
    /// # Errors
    ///
    /// ENOMEM when a large page must be split and there is no room.
    pub fn unmap(&mut self, range: &Range<u64>, pages: &mut Pages<'_>) -> Result<(), Errno> {
        self.change(self.root, ROOT_LEVEL, range.clone(), None, pages)
    }

    /// The access the tables give to the page at `address`.
    pub fn lookup(&self, address: u64) -> Option<Access> {
        let mut table = self.root;
        for level in (0..=ROOT_LEVEL).rev() {
            let entry = self.area.load(table + index(address, level) * 8).ok()?;
            if entry & PRESENT == 0 {
                return None;
            }
            if level == 0 || entry & LARGE != 0 {
                return Some(Access {
                    write: entry & WRITE != 0,
                    execute: entry & NO_EXECUTE == 0,
                    user: entry & USER != 0,
                });
            }
            table = entry & ADDRESS;
        }
        None
    }

    /// Drops every table of the payload, keeping the monitor's own. The
    /// caller flushes all vCPUs before they run on.
    ///
    /// # Errors
    ///
    /// EFAULT never, by construction.
    pub fn clear_user(&mut self) -> Result<(), Errno> {
        for slot in 0..ENTRIES {
            if slot != index(SYSTEM_VIRTUAL, ROOT_LEVEL) {
                self.area.store(self.root + slot * 8, 0)?;
            }
        }
        self.area.release(self.user.drain(..));
        Ok(())
    }

    fn change(
        &mut self,
        table: u64,
        level: u32,
        range: Range<u64>,
        change: Option<Change>,
        pages: &mut Pages<'_>,
    ) -> Result<(), Errno> {
        let mut at = range.start;
        while at < range.end {
            let next = ((at | (span(level) - 1)) + 1).min(range.end);
            let entry_at = table + index(at, level) * 8;
            let whole = next - at == span(level);
            if level == 0 {
                self.area
                    .store(entry_at, change.map_or(0, |c| c.entry(at)))?;
            } else {
                self.change_entry(entry_at, level, at..next, whole, change, pages)?;
            }
            at = next;
        }
        Ok(())
    }

    fn change_entry(
        &mut self,
        entry_at: u64,
        level: u32,
        range: Range<u64>,
        whole: bool,
        change: Option<Change>,
        pages: &mut Pages<'_>,
    ) -> Result<(), Errno> {
        let entry = self.area.load(entry_at)?;
        let present = entry & PRESENT != 0;
        let table = present && entry & LARGE == 0;
        match change {
            None if !present => return Ok(()),
            None if whole && !table => return self.area.store(entry_at, 0),
            // Where there is a table already it is filled instead: it may be
            // cached by a processor, so it cannot be put to other use.
            Some(change)
                if whole && !table && level == LARGE_LEVEL && change.fits_large(range.start) =>
            {
                return self.area.store(entry_at, change.entry(range.start) | LARGE);
            }
            _ => {}
        }
        let below = if table {
            entry & ADDRESS
        } else {
            self.split(entry_at, entry, level, pages)?
        };
        self.change(below, level - 1, range, change, pages)
    }

    /// Puts a table in place of a missing entry or a large page; its address.
    fn split(
        &mut self,
        entry_at: u64,
        entry: u64,
        level: u32,
        pages: &mut Pages<'_>,
    ) -> Result<u64, Errno> {
        let below = self.area.allocate(pages.vm, pages.slots)?;
        if entry & PRESENT != 0 {
            for slot in 0..ENTRIES {
                let small = (entry & !LARGE).wrapping_add(slot * span(level - 1));
                self.area.store(below + slot * 8, small)?;
            }
        }
        self.user.push(below);
        self.area
            .store(entry_at, below | PRESENT | WRITE | USER | ACCESSED)?;
        Ok(below)
    }

    /// Maps pages of the monitor's, which stay when the payload's are
    /// dropped. They share no table with payload addresses.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn map_system(
        &mut self,
        range: &Range<u64>,
        physical: u64,
        access: Access,
        pages: &mut Pages<'_>,
    ) -> Result<(), Errno> {
        let user = self.user.len();
        let done = self.map(range, physical, access, pages);
        // Also where that failed half-way: its tables stay linked.
        self.user.truncate(user);
        done
    }
}

#[derive(Debug, Clone, Copy)]
struct Change {
    /// Guest-physical less virtual address.
    offset: u64,
    bits: u64,
}

impl Change {
    fn entry(self, address: u64) -> u64 {
        address.wrapping_add(self.offset) | self.bits
    }

    fn fits_large(self, address: u64) -> bool {
        address.wrapping_add(self.offset).is_multiple_of(LARGE_PAGE)
    }
}

fn index(address: u64, level: u32) -> u64 {
    address >> (12 + 9 * level) & (ENTRIES - 1)
}

#[cfg(test)]
mod tests;
