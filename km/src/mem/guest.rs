//! Payload memory as the monitor reaches it.
//!
//! Payload pointers become host pointers by [`GuestMemory::host_pointer`],
//! which never fails: a pointer to nowhere becomes a host pointer to nowhere,
//! so that the host kernel finds the fault itself, in the order of checks the
//! call has on Linux, with partial results where Linux has them.

use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

use crate::errno::Errno;
use crate::mem::layout::{Arenas, GUARD, PAGE, TASK_SIZE};
use crate::sys::copy::{self, HostPtr};

/// Most bytes the kernel moves in one call.
pub const MAX_RW_COUNT: u64 = 0x7fff_f000;

/// The payload's address space, for copies and pointer translation.
#[derive(Debug, Clone)]
pub struct GuestMemory {
    arenas: Arenas,
    host_base: u64,
}

impl GuestMemory {
    /// `host_base` is where guest-physical address 0 lies in the monitor.
    pub fn new(arenas: Arenas, host_base: u64) -> GuestMemory {
        GuestMemory { arenas, host_base }
    }

    pub fn arenas(&self) -> &Arenas {
        &self.arenas
    }

    /// Where guest-physical address 0 lies in the monitor.
    pub fn host_base(&self) -> u64 {
        self.host_base
    }

    /// The host pointer for `len` bytes at payload address `address`.
    ///
    /// NULL stays NULL, also where the payload has mapped the page at 0. What Linux would refuse by its range check
    /// (`access_ok`) becomes an address the host refuses by the same check;
    /// what lies where the payload can map nothing becomes an address where
    /// the monitor maps nothing. A range that runs off its arena runs into a
    /// guard that no call can cross (`MAX_RW_COUNT` is less than 2 GiB).
    pub fn host_pointer(&self, address: u64, len: u64) -> u64 {
        if address == 0 {
            return 0;
        }
        match address.checked_add(len) {
            Some(end) if end <= TASK_SIZE => {}
            _ => return Arenas::BEYOND,
        }
        self.host(address).raw()
    }

    /// The host pointer and length for a buffer of `len` bytes.
    ///
    /// The kernel checks the whole range, then moves `MAX_RW_COUNT` bytes at
    /// most. Here the range has been checked, and its length is cut to that:
    /// in the monitor the range could run out of its address space.
    pub fn host_buffer(&self, address: u64, len: u64) -> (u64, u64) {
        match self.host_pointer(address, len) {
            pointer @ (0 | Arenas::BEYOND) => (pointer, len),
            pointer => (pointer, len.min(MAX_RW_COUNT)),
        }
    }

    /// Where payload address `address` lies in the monitor.
    fn host(&self, address: u64) -> HostPtr {
        let physical = self
            .arenas
            .physical(address)
            .unwrap_or(self.arenas.nowhere());
        HostPtr::new(self.host_base.wrapping_add(physical))
    }

    /// Fills `to` from payload memory as far as it can be read; the number of
    /// bytes.
    pub fn read_available(&self, address: u64, to: &mut [u8]) -> usize {
        if !self.in_range(address, to.len()) {
            return 0;
        }
        copy::read(self.host(address), to)
    }

    fn in_range(&self, address: u64, len: usize) -> bool {
        // A copy is never larger than the guard behind an arena.
        len as u64 <= GUARD
            && address
                .checked_add(len as u64)
                .is_some_and(|end| end <= TASK_SIZE)
    }

    /// Fills `to` from payload memory.
    ///
    /// # Errors
    ///
    /// EFAULT where any byte cannot be read.
    pub fn read(&self, address: u64, to: &mut [u8]) -> Result<(), Errno> {
        match self.read_available(address, to) == to.len() {
            true => Ok(()),
            false => Err(Errno::EFAULT),
        }
    }

    /// Copies `from` to payload memory.
    ///
    /// # Errors
    ///
    /// EFAULT where any byte cannot be written; bytes before it may have been.
    pub fn write(&self, address: u64, from: &[u8]) -> Result<(), Errno> {
        if !self.in_range(address, from.len()) {
            return Err(Errno::EFAULT);
        }
        match copy::write(self.host(address), from) == from.len() {
            true => Ok(()),
            false => Err(Errno::EFAULT),
        }
    }

    /// A structure, copied in.
    ///
    /// # Errors
    ///
    /// EFAULT.
    pub fn read_value<T: FromZeros + FromBytes + IntoBytes>(
        &self,
        address: u64,
    ) -> Result<T, Errno> {
        let mut value = T::new_zeroed();
        self.read(address, value.as_mut_bytes())?;
        Ok(value)
    }

    /// A structure, copied out.
    ///
    /// # Errors
    ///
    /// EFAULT.
    pub fn write_value<T: IntoBytes + Immutable>(
        &self,
        address: u64,
        value: &T,
    ) -> Result<(), Errno> {
        self.write(address, value.as_bytes())
    }

    /// `count` structures, copied in.
    ///
    /// # Errors
    ///
    /// EFAULT.
    pub fn read_array<T: FromBytes + IntoBytes>(
        &self,
        address: u64,
        count: usize,
    ) -> Result<Vec<T>, Errno> {
        let mut values = T::new_vec_zeroed(count).map_err(|_| Errno::ENOMEM)?;
        self.read(address, values.as_mut_slice().as_mut_bytes())?;
        Ok(values)
    }

    /// A NUL-terminated string of at most `max` bytes, the NUL not counted
    /// and not returned.
    ///
    /// # Errors
    ///
    /// EFAULT where memory ends before the NUL; ENAMETOOLONG where there is
    /// none in `max + 1` bytes.
    pub fn read_string(&self, address: u64, max: usize) -> Result<Vec<u8>, Errno> {
        let mut string = Vec::new();
        self.append_string(address, max, &mut string)?;
        Ok(string)
    }

    /// As [`read_string`](Self::read_string), behind what is in `to`; the
    /// string's length.
    ///
    /// # Errors
    ///
    /// As there; a part of the string is in `to` then.
    pub fn append_string(
        &self,
        address: u64,
        max: usize,
        to: &mut Vec<u8>,
    ) -> Result<usize, Errno> {
        let mut len = 0;
        let mut chunk = [0u8; 256];
        loop {
            let at = address.checked_add(len as u64).ok_or(Errno::EFAULT)?;
            // Not over a page's end, so that only pages with string are read.
            let to_page_end = (PAGE - at % PAGE) as usize;
            let wanted = chunk.len().min(to_page_end).min(max + 1 - len);
            let Some(piece) = chunk.get_mut(..wanted) else {
                return Err(Errno::EFAULT);
            };
            self.read(at, piece)?;
            let end = piece.iter().position(|byte| *byte == 0);
            let text = piece.get(..end.unwrap_or(wanted)).unwrap_or(piece);
            to.extend_from_slice(text);
            len += text.len();
            if end.is_some() {
                return Ok(len);
            }
            if len > max {
                return Err(Errno::ENAMETOOLONG);
            }
        }
    }

    /// Replaces the aligned word at `address` by `new` if it is `old`; what it
    /// was.
    ///
    /// # Errors
    ///
    /// EFAULT where it cannot be written.
    pub fn compare_exchange(&self, address: u64, old: u32, new: u32) -> Result<u32, Errno> {
        let end = address.checked_add(4).filter(|end| *end <= TASK_SIZE);
        end.and_then(|_| copy::compare_exchange(self.host(address), old, new))
            .ok_or(Errno::EFAULT)
    }

    /// Whether the byte at `address` could be accessed now, by its host page.
    pub fn accessible(&self, address: u64, write: bool) -> bool {
        let at = self.host(address);
        if write {
            copy::can_write(at)
        } else {
            copy::can_read(at)
        }
    }
}
