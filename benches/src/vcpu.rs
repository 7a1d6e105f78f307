//! Setting up a vCPU of the bare VM: what a monitor has to tell KVM before a program can run on it
//! and make a call.

use kvm_bindings::{CpuId, Msrs, kvm_msr_entry, kvm_regs, kvm_sregs, kvm_xcrs};
use kvm_ioctls::{SyncReg, VcpuFd};

use crate::bare::{Error, Laps, Registers, kvm_error};
use crate::image;

/// What is the same for every vCPU of a VM, worked out once.
#[derive(Debug)]
pub struct Setup {
    cpuid: CpuId,
    sregs: kvm_sregs,
    xcrs: kvm_xcrs,
    msrs: Msrs,
    registers: Registers,
}

impl Setup {
    /// From a fresh vCPU's own values.
    pub fn new(
        vcpu: &VcpuFd,
        cpuid: CpuId,
        registers: Registers,
        laps: &mut Laps,
    ) -> Result<Self, Error> {
        let mut sregs = vcpu.get_sregs().map_err(kvm_error("KVM_GET_SREGS"))?;
        laps.lap("KVM_GET_SREGS");
        image::set_system_registers(&mut sregs);

        let mut xcrs = vcpu.get_xcrs().map_err(kvm_error("KVM_GET_XCRS"))?;
        laps.lap("KVM_GET_XCRS");
        // What KVM puts into CPUID leaf 0xd is what XCR0 may hold.
        let supported = cpuid
            .as_slice()
            .iter()
            .find(|entry| entry.function == 0xd && entry.index == 0)
            .map_or(1, |entry| u64::from(entry.eax));
        xcrs.nr_xcrs = 1;
        xcrs.xcrs[0].xcr = 0;
        // x87, SSE, AVX and AVX-512 state, as far as the host has them.
        xcrs.xcrs[0].value = supported & 0b1110_0111;

        let entries = image::MSRS.map(|(index, data)| kvm_msr_entry {
            index,
            data,
            ..Default::default()
        });
        let msrs =
            Msrs::from_entries(&entries).map_err(|error| Error::Exit(format!("{error:?}")))?;
        Ok(Self {
            cpuid,
            sregs,
            xcrs,
            msrs,
            registers,
        })
    }

    /// Makes a fresh vCPU ready to start the guest's code.
    pub fn apply(&self, vcpu: &mut VcpuFd, laps: &mut Laps) -> Result<(), Error> {
        vcpu.set_cpuid2(&self.cpuid)
            .map_err(kvm_error("KVM_SET_CPUID2"))?;
        laps.lap("KVM_SET_CPUID2");
        vcpu.set_sregs(&self.sregs)
            .map_err(kvm_error("KVM_SET_SREGS"))?;
        laps.lap("KVM_SET_SREGS");
        vcpu.set_xcrs(&self.xcrs)
            .map_err(kvm_error("KVM_SET_XCRS"))?;
        laps.lap("KVM_SET_XCRS");
        let set = vcpu
            .set_msrs(&self.msrs)
            .map_err(kvm_error("KVM_SET_MSRS"))?;
        if let Some((index, _)) = image::MSRS.get(set) {
            return Err(Error::Exit(format!("MSR {index:#x} refused")));
        }
        laps.lap("KVM_SET_MSRS (3)");

        vcpu.set_sync_valid_reg(SyncReg::Register);
        if self.registers == Registers::SyncedWithSystem {
            vcpu.set_sync_valid_reg(SyncReg::SystemRegister);
        }
        // They go in with the first entry, without a call of their own.
        vcpu.sync_regs_mut().regs = kvm_regs {
            rip: image::CODE,
            rsp: image::STACK_TOP,
            rflags: 2,
            ..Default::default()
        };
        vcpu.set_sync_dirty_reg(SyncReg::Register);
        Ok(())
    }
}
