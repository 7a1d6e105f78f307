//! Memory slots for the payload's arenas, made as memory comes into use.
//!
//! KVM's cost for a slot grows with its size, and faster than its size for
//! large ones, so that registering the arenas whole is out of the question;
//! and the number of slots is limited. So slots start small and grow with the
//! payload.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::errno::Errno;
use crate::sys::kvm::{Slot, register};
use crate::vm::Vm;

/// Smallest slot. Below it the cost no longer falls.
const SMALLEST: u64 = 16 << 20;
/// Largest slot.
const LARGEST: u64 = 1 << 30;
/// After so many slots the smallest size doubles.
const PER_SIZE: u32 = 8;

/// Where slots are registered: KVM, or a test's record of them.
pub trait Registry: fmt::Debug {
    /// Gives the guest the memory of `slot`.
    ///
    /// # Errors
    ///
    /// From the host.
    fn register(&self, slot: Slot) -> Result<(), Errno>;
}

impl Registry for Vm {
    fn register(&self, slot: Slot) -> Result<(), Errno> {
        register(self.fd(), slot)
    }
}

impl<T: Registry> Registry for Arc<T> {
    fn register(&self, slot: Slot) -> Result<(), Errno> {
        T::register(self, slot)
    }
}

/// Which guest-physical ranges have memory.
#[derive(Debug)]
pub struct Slots {
    /// Start to end, not overlapping.
    covered: BTreeMap<u64, u64>,
    next: u32,
    max: u32,
    host_base: u64,
}

impl Slots {
    /// No slots. Guest-physical address 0 of the arenas is at `host_base`.
    pub fn new(max: u32, host_base: u64) -> Slots {
        Slots {
            covered: BTreeMap::new(),
            next: 0,
            max,
            host_base,
        }
    }

    /// Makes sure that `range` has memory. Slots may be larger than asked for
    /// but stay within `bounds`.
    ///
    /// # Errors
    ///
    /// ENOMEM where the host has no more slots or no memory for them.
    pub fn cover(
        &mut self,
        vm: &dyn Registry,
        range: &Range<u64>,
        bounds: &Range<u64>,
    ) -> Result<(), Errno> {
        let mut at = range.start;
        while at < range.end {
            let before = self
                .covered
                .range(..=at)
                .next_back()
                .map_or(0, |(_, end)| *end);
            if before > at {
                at = before;
                continue;
            }
            let behind = self
                .covered
                .range(at..)
                .next()
                .map_or(u64::MAX, |(start, _)| *start);
            let unit = self.unit(range.end.min(behind) - at);
            let start = (at & !(unit - 1)).max(before).max(bounds.start);
            let end = ((at & !(unit - 1)) + unit).min(behind).min(bounds.end);
            let host = self.host_base + start;
            self.add(
                vm,
                Slot {
                    number: 0,
                    physical: start,
                    len: end - start,
                    host,
                    readonly: false,
                },
            )?;
            self.covered.insert(start, end);
            at = end;
        }
        Ok(())
    }

    /// Registers a slot under the next number, and says it with that number.
    ///
    /// # Errors
    ///
    /// ENOMEM when there is none left, or from the host.
    pub fn add(&mut self, vm: &dyn Registry, slot: Slot) -> Result<Slot, Errno> {
        if self.next >= self.max {
            return Err(Errno::ENOMEM);
        }
        let slot = Slot {
            number: self.next,
            ..slot
        };
        vm.register(slot)?;
        self.next += 1;
        Ok(slot)
    }

    fn unit(&self, wanted: u64) -> u64 {
        let smallest = SMALLEST << (self.next / PER_SIZE).min(6);
        wanted
            .checked_next_power_of_two()
            .unwrap_or(LARGEST)
            .clamp(smallest.min(LARGEST), LARGEST)
    }
}

#[cfg(test)]
pub(crate) mod tests;
