//! The one module with `unsafe`: handing memory to KVM, and fork. Beside them what else the host
//! does with a VM's memory and with children.
#![allow(unsafe_code)]

use std::io;
use std::time::Duration;

use kvm_bindings::{KVM_MEM_READONLY, kvm_userspace_memory_region};
use kvm_ioctls::{Kvm, VcpuFd, VmFd};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, waitpid};
use rustix::thread::futex::{self, Timespec};
use vm_memory::{Address, GuestMemoryRegion, GuestRegionMmap, VolatileMemory};

/// A VM with its vCPUs and the memory it was given.
#[derive(Debug)]
pub struct Machine {
    // The order of the fields is the order in which they are dropped: KVM may use the memory for
    // as long as any descriptor is open, so the memory goes last.
    vcpus: Vec<VcpuFd>,
    vm: VmFd,
    memory: Vec<GuestRegionMmap>,
}

impl Machine {
    pub fn new(kvm: &Kvm) -> Result<Self, kvm_ioctls::Error> {
        Ok(Self {
            vcpus: Vec::new(),
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
        // is never removed from there, and is dropped only after all descriptors through which
        // KVM could use it (no vCPU ever leaves this struct). Each mapping is a slot of its own,
        // and KVM itself refuses overlap in guest-physical space. No Rust reference to the
        // memory is ever made but to an atomic: vm-memory reads and writes it as volatile.
        unsafe { self.vm.set_user_memory_region(slot) }
    }

    /// The memory registered last.
    pub fn last_memory(&self) -> Option<&GuestRegionMmap> {
        self.memory.last()
    }

    pub fn create_vcpu(&mut self) -> Result<&mut VcpuFd, kvm_ioctls::Error> {
        let vcpu = self.vm.create_vcpu(self.vcpus.len() as u64)?;
        self.vcpus.push(vcpu);
        let last = self.vcpus.len() - 1;
        Ok(&mut self.vcpus[last])
    }

    /// The vCPU made last.
    pub fn last_vcpu(&mut self) -> Option<&mut VcpuFd> {
        self.vcpus.last_mut()
    }

    /// All vCPUs, and the memory registered first, to be used side by side.
    pub fn split(&mut self) -> (&mut [VcpuFd], Option<&GuestRegionMmap>) {
        (&mut self.vcpus, self.memory.first())
    }
}

#[derive(Clone, Copy, Debug)]
pub enum Futex {
    /// Until it is woken, as long as the word holds this value. Longer than this is an error.
    Wait(u32, Duration),
    /// One that waits.
    Wake,
}

/// The host's futex on a word of a VM's memory.
pub fn futex(memory: &GuestRegionMmap, at: u64, operation: Futex) -> io::Result<()> {
    let memory = memory.as_volatile_slice().map_err(io::Error::other)?;
    let word = usize::try_from(at)
        .map_err(io::Error::other)
        .and_then(|at| memory.get_atomic_ref(at).map_err(io::Error::other))?;
    let done = match operation {
        Futex::Wait(value, limit) => {
            let limit = Timespec::try_from(limit).map_err(io::Error::other)?;
            futex::wait(word, futex::Flags::PRIVATE, value, Some(&limit))
        }
        Futex::Wake => futex::wake(word, futex::Flags::PRIVATE, 1).map(drop),
    };
    match done {
        // The word had changed already, or a signal came: the guest looks again.
        Err(Errno::AGAIN | Errno::INTR) => Ok(()),
        done => Ok(done?),
    }
}

/// Runs `child` in a child process, ends that with the code it gives, and waits for it; the code,
/// unless a signal ended it. For processes of one thread.
pub fn fork_and_wait(child: impl FnOnce() -> i32) -> io::Result<Option<i32>> {
    // SAFETY: `fork` asks that the child of a process with several threads keep to what is safe
    // in a signal handler. Only the bare process calls this, and it never starts a thread.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let code = child();
        // SAFETY: `_exit` has no conditions.
        unsafe { libc::_exit(code) }
    }
    let Some(pid) = Pid::from_raw(pid).filter(|_| pid > 0) else {
        return Err(io::Error::last_os_error());
    };
    let ended = waitpid(Some(pid), WaitOptions::empty())?;
    Ok(ended.and_then(|(_, status)| status.exit_status()))
}
