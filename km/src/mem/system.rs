//! The system area: guest memory that belongs to the monitor. Descriptor
//! tables, a page for each vCPU, page tables.

use std::sync::atomic::Ordering;

use vm_memory::{
    ByteValued, Bytes, GuestAddress, GuestMemoryBackend, GuestMemoryError, GuestMemoryMmap,
};

use crate::errno::Errno;
use crate::mem::layout::{Arenas, PAGE, SYSTEM_SIZE, SYSTEM_VIRTUAL};
use crate::sys::kvm::Slot;
use crate::sys::lock::Lock;
use crate::vm::slots::{Registry, Slots};

/// The first slot of the area; each further one doubles what there is.
const FIRST: u64 = 1 << 20;

/// The system area of one virtual machine.
#[derive(Debug)]
pub struct SystemArea {
    memory: GuestMemoryMmap,
    start: u64,
    state: Lock<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Bytes given out so far.
    used: u64,
    /// Bytes registered with KVM.
    registered: u64,
    free: Vec<u64>,
    slots: Vec<Slot>,
}

impl SystemArea {
    /// An empty area behind the arenas.
    ///
    /// # Errors
    ///
    /// ENOMEM where the host has no room.
    pub fn new(arenas: &Arenas) -> Result<SystemArea, Errno> {
        let start = arenas.system();
        let size = usize::try_from(SYSTEM_SIZE).map_err(|_| Errno::ENOMEM)?;
        let memory = GuestMemoryMmap::from_ranges(&[(GuestAddress(start), size)])
            .map_err(|_| Errno::ENOMEM)?;
        Ok(SystemArea {
            memory,
            start,
            state: Lock::new(State::default()),
        })
    }

    /// The memory, for loaders.
    pub fn memory(&self) -> &GuestMemoryMmap {
        &self.memory
    }

    /// Where guest-physical `physical` of the area appears to ring 0.
    pub fn virtual_address(&self, physical: u64) -> u64 {
        physical - self.start + SYSTEM_VIRTUAL
    }

    /// A zeroed page.
    ///
    /// # Errors
    ///
    /// ENOMEM when the area is full or KVM refuses a slot.
    pub fn allocate(&self, vm: &dyn Registry, slots: &mut Slots) -> Result<u64, Errno> {
        self.allocate_run(vm, slots, 1)
    }

    /// `count` zeroed pages in a row.
    ///
    /// # Errors
    ///
    /// As for [`allocate`](Self::allocate).
    pub fn allocate_run(
        &self,
        vm: &dyn Registry,
        slots: &mut Slots,
        count: u64,
    ) -> Result<u64, Errno> {
        let mut state = self.state.lock();
        if count == 1
            && let Some(page) = state.free.pop()
        {
            self.clear(page)?;
            return Ok(page);
        }
        let end = state.used + count * PAGE;
        while end > state.registered {
            let size = state.registered.max(FIRST);
            if state.registered + size > SYSTEM_SIZE {
                return Err(Errno::ENOMEM);
            }
            let physical = self.start + state.registered;
            let host = self
                .memory
                .get_host_address(GuestAddress(physical))
                .map_err(|_| Errno::ENOMEM)?;
            let slot = Slot {
                number: 0,
                physical,
                len: size,
                host: host as u64,
                readonly: false,
            };
            let slot = slots.add(vm, slot)?;
            state.slots.push(slot);
            state.registered += size;
        }
        let page = self.start + state.used;
        state.used = end;
        Ok(page)
    }

    /// Takes pages back that no processor can reach any more.
    pub fn release(&self, pages: impl IntoIterator<Item = u64>) {
        self.state.lock().free.extend(pages);
    }

    /// Makes KVM forget all it has derived from the area, so that pages of it
    /// can be put to other use: where it shadows page tables, it does not see
    /// the monitor's writes to them. No processor may be running.
    ///
    /// # Errors
    ///
    /// From the host.
    pub fn refresh(&self, vm: &dyn Registry) -> Result<(), Errno> {
        let state = self.state.lock();
        for slot in &state.slots {
            vm.register(Slot { len: 0, ..*slot })?;
            vm.register(*slot)?;
        }
        Ok(())
    }

    fn clear(&self, page: u64) -> Result<(), Errno> {
        self.write_bytes(page, &[0; PAGE as usize])
    }

    /// Writes bytes at guest-physical `at`.
    ///
    /// # Errors
    ///
    /// EFAULT outside the area.
    pub fn write_bytes(&self, at: u64, bytes: &[u8]) -> Result<(), Errno> {
        self.memory
            .write_slice(bytes, GuestAddress(at))
            .map_err(outside)
    }

    /// Reads bytes at guest-physical `at`.
    ///
    /// # Errors
    ///
    /// EFAULT outside the area.
    pub fn read_bytes(&self, at: u64, bytes: &mut [u8]) -> Result<(), Errno> {
        self.memory
            .read_slice(bytes, GuestAddress(at))
            .map_err(outside)
    }

    /// Reads a value at guest-physical `at`.
    ///
    /// # Errors
    ///
    /// EFAULT outside the area.
    pub fn read<T: ByteValued>(&self, at: u64) -> Result<T, Errno> {
        self.memory.read_obj(GuestAddress(at)).map_err(outside)
    }

    /// Writes a value at guest-physical `at`.
    ///
    /// # Errors
    ///
    /// EFAULT outside the area.
    pub fn write<T: ByteValued>(&self, at: u64, value: &T) -> Result<(), Errno> {
        self.memory
            .write_obj(*value, GuestAddress(at))
            .map_err(outside)
    }

    /// Reads a page table entry.
    ///
    /// # Errors
    ///
    /// EFAULT outside the area.
    pub fn load(&self, at: u64) -> Result<u64, Errno> {
        self.memory
            .load(GuestAddress(at), Ordering::Relaxed)
            .map_err(outside)
    }

    /// Writes a page table entry, whole.
    ///
    /// # Errors
    ///
    /// EFAULT outside the area.
    pub fn store(&self, at: u64, value: u64) -> Result<(), Errno> {
        self.memory
            .store(value, GuestAddress(at), Ordering::Release)
            .map_err(outside)
    }
}

fn outside(_: GuestMemoryError) -> Errno {
    Errno::EFAULT
}
