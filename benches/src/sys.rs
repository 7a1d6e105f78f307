//! The one module with `unsafe`: handing memory to KVM.
#![allow(unsafe_code)]

use kvm_bindings::{KVM_MEM_READONLY, kvm_userspace_memory_region};
use kvm_ioctls::{Kvm, VcpuFd, VmFd};
use vm_memory::{Address, GuestMemoryRegion, GuestRegionMmap};

/// A VM with at most one vCPU and the memory it was given.
#[derive(Debug)]
pub struct Machine {
    // The order of the fields is the order in which they are dropped: KVM may use the memory for
    // as long as either descriptor is open, so the memory goes last.
    vcpu: Option<VcpuFd>,
    vm: VmFd,
    memory: Vec<GuestRegionMmap>,
}

impl Machine {
    pub fn new(kvm: &Kvm) -> Result<Self, kvm_ioctls::Error> {
        Ok(Self {
            vcpu: None,
            vm: kvm.create_vm()?,
            memory: Vec::new(),
        })
    }

    /// Registers the whole of `region` as the next slot, read-only where its mapping is. KVM
    /// refuses regions that overlap in guest-physical space.
    pub fn add_memory(&mut self, region: GuestRegionMmap) -> Result<(), kvm_ioctls::Error> {
        let writable = region.prot() & libc::PROT_WRITE != 0;
        let slot = kvm_userspace_memory_region {
            slot: u32::try_from(self.memory.len()).unwrap_or(u32::MAX),
            flags: if writable { 0 } else { KVM_MEM_READONLY },
            guest_phys_addr: region.start_addr().raw_value(),
            memory_size: region.len(),
            userspace_addr: region.as_ptr() as u64,
        };
        self.memory.push(region);
        // SAFETY: `set_user_memory_region` asks that `userspace_addr` points to valid memory of
        // `memory_size` bytes, for as long as the VM may use it, and that regions do not overlap.
        // The range is the whole of a mapping that vm-memory made and `self.memory` now owns; it
        // is never removed from there, and is dropped only after both descriptors through which
        // KVM could use it (`vcpu` never leaves this struct). Each mapping is a slot of its own,
        // and KVM itself refuses overlap in guest-physical space. No Rust reference to the
        // memory is ever made: vm-memory reads and writes it as volatile.
        unsafe { self.vm.set_user_memory_region(slot) }
    }

    /// The memory registered last.
    pub fn last_memory(&self) -> Option<&GuestRegionMmap> {
        self.memory.last()
    }

    pub fn create_vcpu(&mut self) -> Result<&mut VcpuFd, kvm_ioctls::Error> {
        let vcpu = self.vm.create_vcpu(0)?;
        Ok(self.vcpu.insert(vcpu))
    }

    /// The vCPU, once it was made.
    pub fn vcpu(&mut self) -> Option<&mut VcpuFd> {
        self.vcpu.as_mut()
    }
}
