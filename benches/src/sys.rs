//! The one module with `unsafe`: handing memory to KVM, futexes and fork.
#![allow(unsafe_code)]

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use kvm_bindings::{KVM_MEM_READONLY, kvm_userspace_memory_region};
use kvm_ioctls::{Kvm, VcpuFd, VmFd};
use vm_memory::{Address, GuestMemoryRegion, GuestRegionMmap, MemoryRegionAddress};

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
        // memory is ever made: vm-memory reads and writes it as volatile.
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
    let word = memory
        .get_host_address(MemoryRegionAddress(at))
        .map_err(io::Error::other)?;
    let (number, value, timeout) = match operation {
        Futex::Wait(value, limit) => (libc::FUTEX_WAIT, value, limit),
        Futex::Wake => (libc::FUTEX_WAKE, 1, Duration::ZERO),
    };
    let timeout = libc::timespec {
        tv_sec: timeout.as_secs() as libc::time_t,
        tv_nsec: timeout.subsec_nanos().into(),
    };
    // SAFETY: `futex` with these operations only reads the word, through a pointer that the
    // kernel checks, and the timeout, which outlives the call (and is ignored by FUTEX_WAKE).
    let result = unsafe {
        libc::syscall(
            libc::SYS_futex,
            word,
            number | libc::FUTEX_PRIVATE_FLAG,
            value,
            &raw const timeout,
        )
    };
    match result {
        0.. => Ok(()),
        _ => match io::Error::last_os_error() {
            // The word had changed already, or a signal came: the guest looks again.
            error if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EINTR)) => Ok(()),
            error => Err(error),
        },
    }
}

/// Runs `child` in a child process, ends that with the code it gives, and waits for it. For
/// processes of one thread.
pub fn fork_and_wait(child: impl FnOnce() -> i32) -> io::Result<ExitStatus> {
    // SAFETY: `fork` asks that the child of a process with several threads keep to what is safe
    // in a signal handler. Only the bare process calls this, and it never starts a thread.
    let pid = unsafe { libc::fork() };
    match pid {
        ..0 => Err(io::Error::last_os_error()),
        0 => {
            let code = child();
            // SAFETY: `_exit` has no conditions.
            unsafe { libc::_exit(code) }
        }
        pid => {
            let mut status = 0;
            // SAFETY: `status` is a valid place for the call to write to.
            if unsafe { libc::waitpid(pid, &raw mut status, 0) } != pid {
                return Err(io::Error::last_os_error());
            }
            Ok(ExitStatus::from_raw(status))
        }
    }
}
