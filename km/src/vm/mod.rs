//! The virtual machine: KVM's file descriptors, what the host can do, and the
//! memory slots.

pub mod cpuid;
pub mod slots;

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kvm_bindings::KVM_API_VERSION;
use kvm_ioctls::{Cap, Kvm, VcpuFd, VmFd};
use thiserror::Error;

use crate::fd::ReservedFds;
use crate::sys::kvm;
use crate::vm::cpuid::Features;

/// Why no virtual machine could be made.
#[derive(Debug, Error)]
pub enum VmError {
    #[error(
        "{path} does not exist: this machine offers no KVM, or the container was started without --device {path}"
    )]
    NoDevice { path: PathBuf },
    #[error(
        "no permission to open {path}: add your user to the group that owns it (usually \"kvm\")"
    )]
    NoPermission { path: PathBuf },
    #[error("cannot open {path}: {source}")]
    Open { path: PathBuf, source: io::Error },
    #[error("{path} is not a KVM device, or speaks another version of its interface")]
    NotKvm { path: PathBuf },
    #[error("this host's KVM lacks {capability}, which km needs")]
    Missing { capability: &'static str },
    #[error("KVM refused {what}: {source}")]
    Refused {
        what: &'static str,
        source: io::Error,
    },
}

impl VmError {
    fn of_open(device: &Path, source: io::Error) -> VmError {
        let path = device.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => VmError::NoDevice { path },
            io::ErrorKind::PermissionDenied => VmError::NoPermission { path },
            _ => VmError::Open { path, source },
        }
    }

    /// Whether KVM said `errno`.
    pub fn is(&self, errno: i32) -> bool {
        matches!(self, VmError::Refused { source, .. } if source.raw_os_error() == Some(errno))
    }

    fn refused(what: &'static str) -> impl FnOnce(kvm_ioctls::Error) -> VmError {
        move |error| VmError::Refused {
            what,
            source: io::Error::from_raw_os_error(error.errno()),
        }
    }
}

/// A virtual machine without memory or processors.
#[derive(Debug)]
pub struct Vm {
    kvm: Kvm,
    fd: VmFd,
    features: Features,
    slots: u32,
    vcpus: u32,
}

impl Vm {
    /// Opens the device and makes a virtual machine.
    ///
    /// # Errors
    ///
    /// Where the device is missing, may not be opened, or lacks a capability.
    pub fn open(device: &Path, fds: &ReservedFds) -> Result<Vm, VmError> {
        let file = fds
            .adopt(|| open_device(device))
            .map_err(|source| VmError::of_open(device, source))?;
        Vm::make(kvm::device(file), device, fds)
    }

    /// Makes a virtual machine with an open device that has been found good,
    /// and `features` that are known.
    ///
    /// # Errors
    ///
    /// As for [`open`](Self::open).
    pub fn with(device: OwnedFd, features: Features, fds: &ReservedFds) -> Result<Vm, VmError> {
        Vm::create(kvm::device(device), features, fds)
    }

    fn make(kvm: Kvm, device: &Path, fds: &ReservedFds) -> Result<Vm, VmError> {
        if kvm.get_api_version() != KVM_API_VERSION as i32 {
            return Err(VmError::NotKvm {
                path: device.to_owned(),
            });
        }
        for (cap, capability) in [
            (Cap::UserMemory, "KVM_CAP_USER_MEMORY"),
            (Cap::SyncRegs, "KVM_CAP_SYNC_REGS"),
            (Cap::ReadonlyMem, "KVM_CAP_READONLY_MEM"),
            (Cap::ImmediateExit, "KVM_CAP_IMMEDIATE_EXIT"),
            (Cap::Xcrs, "KVM_CAP_XCRS"),
        ] {
            if !kvm.check_extension(cap) {
                return Err(VmError::Missing { capability });
            }
        }
        let features = Features::of(&kvm).map_err(VmError::refused("to tell its CPU features"))?;
        Vm::create(kvm, features, fds)
    }

    fn create(kvm: Kvm, features: Features, fds: &ReservedFds) -> Result<Vm, VmError> {
        let slots = kvm.get_nr_memslots() as u32;
        let vcpus = kvm.get_max_vcpus() as u32;
        let fd = kvm::create_vm(&kvm, fds).map_err(|source| VmError::Refused {
            what: "a virtual machine",
            source,
        })?;
        Ok(Vm {
            kvm,
            fd,
            features,
            slots,
            vcpus,
        })
    }

    /// Another virtual machine of the same kind, for a forked process.
    ///
    /// # Errors
    ///
    /// From `KVM_CREATE_VM`, or where there is no descriptor left.
    pub fn another(&self, fds: &ReservedFds) -> Result<Vm, VmError> {
        let refused = |source| VmError::Refused {
            what: "a virtual machine",
            source,
        };
        let device = fds.adopt_copy(self.device()).map_err(refused)?;
        Vm::create(kvm::device(device), self.features.clone(), fds)
    }

    /// Lets go of a virtual machine that is the parent's, in the child of a
    /// fork: its descriptors are closed with others.
    pub fn abandon(vm: Arc<Vm>) {
        match Arc::try_unwrap(vm) {
            Ok(vm) => std::mem::forget((vm.kvm, vm.fd)),
            Err(shared) => std::mem::forget(shared),
        }
    }

    /// Lets go of it before its time, with `filler` in its place: nothing can
    /// be done with it any more.
    ///
    /// # Errors
    ///
    /// From `dup3(2)`.
    pub fn give_up(&self, filler: BorrowedFd<'_>) -> io::Result<()> {
        kvm::give_up_vm(&self.fd, filler)
    }

    /// The open KVM device.
    pub fn device(&self) -> BorrowedFd<'_> {
        kvm::descriptor(&self.kvm)
    }

    /// How many virtual processors the host allows.
    pub fn max_vcpus(&self) -> u32 {
        self.vcpus
    }

    pub fn fd(&self) -> &VmFd {
        &self.fd
    }

    /// How many memory slots the host allows.
    pub fn max_slots(&self) -> u32 {
        self.slots
    }

    /// What the guest's processors can do.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// A new virtual processor.
    ///
    /// # Errors
    ///
    /// From `KVM_CREATE_VCPU`.
    pub fn create_vcpu(&self, id: u32, fds: &ReservedFds) -> Result<VcpuFd, VmError> {
        kvm::create_vcpu(&self.fd, id, fds).map_err(|source| VmError::Refused {
            what: "a virtual processor",
            source,
        })
    }
}

fn open_device(device: &Path) -> io::Result<OwnedFd> {
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(device);
    Ok(OwnedFd::from(file?))
}
