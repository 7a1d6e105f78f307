//! The KVM calls that take addresses of the monitor.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};

use kvm_bindings::{
    KVM_MEM_READONLY, KVM_VCPU_TSC_CTRL, KVM_VCPU_TSC_OFFSET, kvm_device_attr,
    kvm_userspace_memory_region, kvm_xsave,
};
use kvm_ioctls::{Kvm, SyncReg, VcpuFd, VmFd};

use crate::errno::Errno;
use crate::fd::ReservedFds;
use crate::sys::proc;

/// A memory slot: guest-physical memory and where it lies in the monitor.
#[derive(Debug, Clone, Copy)]
pub struct Slot {
    pub number: u32,
    pub physical: u64,
    pub len: u64,
    pub host: u64,
    pub readonly: bool,
}

/// Registers `slot` with the VM.
///
/// `slot.host` must be the payload's reservation, the system area, or the
/// host's own read-only data pages: all live as long as the process, and no
/// Rust object lies in them.
///
/// # Errors
///
/// From `KVM_SET_USER_MEMORY_REGION`.
pub fn register(vm: &VmFd, slot: Slot) -> Result<(), Errno> {
    let region = kvm_userspace_memory_region {
        slot: slot.number,
        flags: if slot.readonly { KVM_MEM_READONLY } else { 0 },
        guest_phys_addr: slot.physical,
        memory_size: slot.len,
        userspace_addr: slot.host,
    };
    // SAFETY: the memory behind the slot stays mapped, or faults, for the life
    // of the process (see above); slots do not overlap by the caller's
    // bookkeeping, which KVM checks.
    unsafe { vm.set_user_memory_region(region) }.map_err(|e| Errno::from_raw(e.errno()))
}

/// The KVM device behind an open file.
pub fn device(file: OwnedFd) -> Kvm {
    // SAFETY: the descriptor is open and nothing else owns it. Should it not
    // be a KVM device, its ioctls fail.
    unsafe { Kvm::from_raw_fd(file.into_raw_fd()) }
}

/// The open file of the KVM device.
pub fn descriptor(kvm: &Kvm) -> BorrowedFd<'_> {
    // SAFETY: the descriptor stays open while `kvm` lives.
    unsafe { BorrowedFd::borrow_raw(kvm.as_raw_fd()) }
}

/// Sets the extended state (x87, SSE, AVX, …) of a virtual processor.
///
/// # Errors
///
/// From `KVM_SET_XSAVE`.
pub fn set_xsave(vcpu: &VcpuFd, state: &kvm_xsave) -> Result<(), Errno> {
    // SAFETY: `kvm_xsave` is the 4096 bytes KVM_SET_XSAVE reads unless a
    // larger state was enabled by arch_prctl (dynamic features), which the
    // CPUID policy excludes.
    unsafe { vcpu.set_xsave(state) }.map_err(|e| Errno::from_raw(e.errno()))
}

/// `_IOW(KVMIO, 0xe1, struct kvm_device_attr)`; the bindings have it for other
/// descriptors only.
const KVM_SET_DEVICE_ATTR: libc::c_ulong =
    1 << 30 | (size_of::<kvm_device_attr>() as libc::c_ulong) << 16 | 0xae << 8 | 0xe1;

/// Makes the guest's time stamp counter the host's own, where KVM can.
///
/// # Errors
///
/// From `KVM_SET_DEVICE_ATTR`: ENXIO on kernels before 5.16.
pub fn share_tsc(vcpu: &VcpuFd) -> Result<(), Errno> {
    let offset: u64 = 0;
    let attr = kvm_device_attr {
        flags: 0,
        group: KVM_VCPU_TSC_CTRL,
        attr: u64::from(KVM_VCPU_TSC_OFFSET),
        addr: &raw const offset as u64,
    };
    // SAFETY: `attr` is a kvm_device_attr, and its `addr` points to the eight
    // bytes KVM_VCPU_TSC_OFFSET reads during the call.
    let done = unsafe { libc::ioctl(vcpu.as_raw_fd(), KVM_SET_DEVICE_ATTR, &raw const attr) };
    if done < 0 {
        Err(io::Error::last_os_error().into())
    } else {
        Ok(())
    }
}

/// Makes a virtual machine whose descriptor the payload cannot name.
///
/// # Errors
///
/// From `KVM_CREATE_VM`, or where there is no descriptor left.
pub fn create_vm(kvm: &Kvm, fds: &ReservedFds) -> io::Result<VmFd> {
    let vm = fds.adopt(|| {
        // SAFETY: KVM_CREATE_VM takes a number, 0 for the default kind.
        owned(|| unsafe { libc::ioctl(kvm.as_raw_fd(), KVM_CREATE_VM, 0) })
    })?;
    // SAFETY: the descriptor is of a virtual machine of `kvm`.
    unsafe { kvm.create_vmfd_from_rawfd(vm.into_raw_fd()) }.map_err(error)
}

/// The descriptor that an ioctl makes. One that is interrupted (a stop, a
/// debugger) is made again.
fn owned(make: impl Fn() -> i32) -> io::Result<OwnedFd> {
    loop {
        let new = make();
        if new >= 0 {
            // SAFETY: `new` was just made and nothing else owns it.
            return Ok(unsafe { OwnedFd::from_raw_fd(new) });
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// `_IO(KVMIO, 0x01)`.
const KVM_CREATE_VM: libc::c_ulong = 0xae << 8 | 0x01;
/// `_IO(KVMIO, 0x41)`; that of the bindings maps the run page as well, of a
/// descriptor that is about to move.
const KVM_CREATE_VCPU: libc::c_ulong = 0xae << 8 | 0x41;

/// Makes a virtual processor whose descriptor the payload cannot name.
///
/// A copy that another thread of the payload kept is of no use to it: it can
/// make none of KVM's calls, nor [map](proc::can_be_mapped) the run page.
///
/// # Errors
///
/// From `KVM_CREATE_VCPU`, EEXIST where there was one with this `id`; or where
/// there is no descriptor left; EBADF where the payload has exchanged it.
pub fn create_vcpu(vm: &VmFd, id: u32, fds: &ReservedFds) -> io::Result<VcpuFd> {
    let vcpu = fds.adopt(|| {
        let id = libc::c_ulong::from(id);
        // SAFETY: KVM_CREATE_VCPU takes a number.
        owned(|| unsafe { libc::ioctl(vm.as_raw_fd(), KVM_CREATE_VCPU, id) })
    })?;
    if proc::can_be_mapped(vcpu.as_fd()).unwrap_or(true) {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: the descriptor is of a virtual processor, or of something else
    // that the call finds it cannot map.
    let mut vcpu = unsafe { vm.create_vcpu_from_rawfd(vcpu.into_raw_fd()) }.map_err(error)?;
    // No two have the same: those of this machine are marked, and another's
    // do nothing in this process (EIO).
    if vcpu.get_kvm_run().kvm_valid_regs != 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    vcpu.set_sync_valid_reg(SyncReg::Register);
    vcpu.set_sync_valid_reg(SyncReg::SystemRegister);
    Ok(vcpu)
}

/// Keeps the `size` bytes of run pages out of forked processes: a mapping
/// there would hold on to the virtual machine of the parent.
pub fn keep_from_children(vcpu: &mut VcpuFd, size: usize) {
    let pages = std::ptr::from_mut(vcpu.get_kvm_run()).cast();
    // SAFETY: `size` bytes are mapped there by `vcpu`; the advice changes
    // nothing here, and in a forked child, which never uses it, the object is
    // forgotten.
    unsafe { libc::madvise(pages, size, libc::MADV_DONTFORK) };
}

/// Puts `filler` in the place of a virtual machine: KVM's end of it goes when
/// its processors have gone as well.
///
/// # Errors
///
/// From `dup3(2)`.
pub fn give_up_vm(vm: &VmFd, filler: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the descriptor stays open while `vm` lives.
    let own = unsafe { BorrowedFd::borrow_raw(vm.as_raw_fd()) };
    proc::put_in_place(filler, own)
}

/// Puts `filler` in the place of a virtual processor, and plain memory in the
/// place of the `size` bytes of its run pages.
///
/// # Errors
///
/// From `mmap(2)` and `dup3(2)`.
pub fn give_up_vcpu(vcpu: &mut VcpuFd, size: usize, filler: BorrowedFd<'_>) -> io::Result<()> {
    let pages = std::ptr::from_mut(vcpu.get_kvm_run()).cast();
    // SAFETY: `size` bytes are mapped there by `vcpu`, and stay mapped: with
    // zeroes, which are valid for the structure.
    let mapped = unsafe {
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        libc::mmap(pages, size, prot, kind, -1, 0)
    };
    if mapped == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor stays open while `vcpu` lives.
    let own = unsafe { BorrowedFd::borrow_raw(vcpu.as_raw_fd()) };
    proc::put_in_place(filler, own)
}

fn error(error: kvm_ioctls::Error) -> io::Error {
    io::Error::from_raw_os_error(error.errno())
}
