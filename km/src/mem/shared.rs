//! Memory the payload sees that is not its own: the vDSO and the host's data
//! behind it.

use std::ops::Range;
use std::sync::Arc;

use crate::errno::Errno;
use crate::mem::layout::PAGE;
use crate::mem::mapping::{Kind, Mapping, Prot};
use crate::mem::pagetable::{Access, Pages};
use crate::mem::space::AddressSpace;
use crate::mem::system::SystemArea;
use crate::sys::kvm::Slot;
use crate::sys::map::Backing;

/// Memory for the payload that is not in an arena: the vDSO and its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedPages {
    /// Where the payload sees it.
    pub range: Range<u64>,
    /// Its guest-physical address.
    pub physical: u64,
    /// Where it lies in the monitor, if not in the system area.
    pub host: Option<u64>,
}

impl AddressSpace {
    pub(super) fn fill_shared(&mut self, piece: &Range<u64>, access: Access) -> Result<(), Errno> {
        for shared in self.shared_pages.clone() {
            let start = piece.start.max(shared.range.start);
            let end = piece.end.min(shared.range.end);
            if start < end {
                let physical = shared.physical + (start - shared.range.start);
                let mut pages = Pages {
                    vm: &self.vm,
                    slots: &mut self.slots,
                };
                self.tables
                    .map(&(start..end), physical, access, &mut pages)?;
            }
        }
        Ok(())
    }

    /// Shows the vDSO's code to the payload at `range`: a copy in the system
    /// area for the guest, which needs no slot of its own, and one in the
    /// arena for calls that read it.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn place_vdso(&mut self, range: Range<u64>, image: &[u8]) -> Result<(), Errno> {
        let physical = self.physical_range(&range)?;
        let writable = libc::PROT_READ | libc::PROT_WRITE;
        self.reservation
            .map(&physical, writable, libc::MAP_PRIVATE, Backing::Anonymous)?;
        self.memory.write(range.start, image)?;
        self.reservation.protect(&physical, libc::PROT_READ)?;

        let pages = (range.end - range.start) / PAGE;
        let area = Arc::clone(self.tables.area());
        let copy = area.allocate_run(&self.vm, &mut self.slots, pages)?;
        area.write_bytes(copy, image)?;
        self.shared_pages.push(SharedPages {
            range: range.clone(),
            physical: copy,
            host: None,
        });
        let mapping = Mapping::new(Prot::READ | Prot::EXEC, Kind::Vdso);
        self.mappings.insert(range.clone(), mapping);
        self.fill(&range)
    }

    /// Registers read-only memory of the monitor's own (the host's vDSO data)
    /// and shows it to the payload at `range`.
    ///
    /// # Errors
    ///
    /// From KVM.
    pub fn share(&mut self, range: Range<u64>, host: u64, physical: u64) -> Result<(), Errno> {
        self.register_shared(physical, host, range.end - range.start)?;
        self.mappings
            .insert(range.clone(), Mapping::new(Prot::READ, Kind::Vvar));
        self.shared_pages.push(SharedPages {
            range: range.clone(),
            physical,
            host: Some(host),
        });
        self.fill(&range)
    }

    fn register_shared(&mut self, physical: u64, host: u64, len: u64) -> Result<(), Errno> {
        let slot = Slot {
            number: 0,
            physical,
            len,
            host,
            readonly: true,
        };
        let pages = self.pages();
        pages.slots.add(pages.vm, slot)?;
        Ok(())
    }

    /// The same pages in another virtual machine, whose tables are empty;
    /// `old` is the system area they were in.
    pub(super) fn renew_shared(&mut self, old: &SystemArea) -> Result<(), Errno> {
        for mut shared in std::mem::take(&mut self.shared_pages) {
            let len = shared.range.end - shared.range.start;
            match shared.host {
                Some(host) => self.register_shared(shared.physical, host, len)?,
                None => {
                    let mut image = vec![0; len as usize];
                    old.read_bytes(shared.physical, &mut image)?;
                    let area = Arc::clone(self.tables.area());
                    shared.physical = area.allocate_run(&self.vm, &mut self.slots, len / PAGE)?;
                    area.write_bytes(shared.physical, &image)?;
                }
            }
            self.shared_pages.push(shared);
        }
        Ok(())
    }
}
