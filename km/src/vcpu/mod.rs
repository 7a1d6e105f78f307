//! A virtual processor: the registers of one payload thread, and how it gets
//! into and out of the guest.

pub mod exit;
pub mod quirk;
pub mod run;

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use km_abi::{ports, selectors};
use kvm_bindings::{Msrs, kvm_msr_entry, kvm_regs, kvm_sregs, kvm_xcrs, kvm_xsave};
use kvm_ioctls::{SyncReg, VcpuExit, VcpuFd};
use thiserror::Error;

use crate::errno::Errno;
use crate::shim::{InterruptFrame, Shim, VcpuPage, code_segment, data_segment, task_segment};
use crate::sys::kvm;
use crate::vcpu::exit::{Exception, Exit, Failure};
use crate::vm::Vm;

/// The general registers, `rip` and `rflags` of the payload.
pub type Registers = kvm_regs;

/// Why a virtual processor could not be set up or entered.
#[derive(Debug, Error)]
pub enum VcpuError {
    #[error("KVM refused {what}: {source}")]
    Refused {
        what: &'static str,
        source: io::Error,
    },
    #[error("cannot write to the system area: {0}")]
    Area(#[from] Errno),
}

fn refused(what: &'static str) -> impl FnOnce(kvm_ioctls::Error) -> VcpuError {
    move |error| VcpuError::Refused {
        what,
        source: io::Error::from_raw_os_error(error.errno()),
    }
}

/// Where the guest is between two entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// In ring 3, at the registers as they are.
    User,
    /// At the `out` of a system call, in ring 3: that of the gate, or of the
    /// entry, which hosts without hardware virtualisation run there, where it
    /// cannot return by `sysretq`.
    SyscallRing3,
    /// At the `out` of the system call entry, in ring 0. KVM holds these
    /// registers; the entry returns by itself when only `rax` changes.
    SyscallRing0 { rip: u64, rflags: u64 },
    /// In ring 0, at the `out` of an exception entry.
    Exception,
}

/// Flags the payload may have (SDM volume 1, figure 3-8): not IOPL, VM, VIF,
/// VIP.
const USER_FLAGS: u64 = 0x0025_4dd5;
/// Always set: bit 1, and the interrupt flag.
const FIXED_FLAGS: u64 = 0x202;
/// Cleared at `syscall`, as Linux has it (`syscall_init()`).
const SYSCALL_MASK: u64 = 0x0025_7fd5;

const GENERAL_PROTECTION: u8 = 13;

const MSR_STAR: u32 = 0xc000_0081;
const MSR_LSTAR: u32 = 0xc000_0082;
const MSR_SYSCALL_MASK: u32 = 0xc000_0084;
const MSR_TSC_AUX: u32 = 0xc000_0103;

/// One virtual processor.
#[derive(Debug)]
pub struct Vcpu {
    fd: VcpuFd,
    shim: Shim,
    page: VcpuPage,
    at: At,
    /// The payload's registers, as of the last exit.
    registers: Registers,
    /// Whether they were changed in more than `rax`.
    replaced: bool,
    /// The guest was stopped in the monitor's own code.
    transit: bool,
    last_cpu: Option<(u32, u32)>,
    has_tsc_aux: bool,
    /// Control registers and segments in ring 3.
    user: kvm_sregs,
}

/// Everything a program has in a processor: what a new thread or process
/// starts with.
#[derive(Debug)]
pub struct Context {
    pub registers: Registers,
    pub fs_base: u64,
    pub gs_base: u64,
    extended: Box<kvm_xsave>,
}

impl Vcpu {
    /// A processor that will start in ring 3 with all registers zero.
    ///
    /// # Errors
    ///
    /// From KVM.
    pub fn new(
        mut fd: VcpuFd,
        vm: &Vm,
        shim: &Shim,
        page: VcpuPage,
        root: u64,
    ) -> Result<Vcpu, VcpuError> {
        let features = vm.features();
        fd.set_cpuid2(&features.cpuid()?)
            .map_err(refused("CPU features"))?;
        let sregs = initial_sregs(&fd, vm, shim, &page, root)?;
        fd.set_sregs(&sregs).map_err(refused("control registers"))?;
        fd.sync_regs_mut().sregs = sregs;
        if features.xsave() {
            let mut xcrs = kvm_xcrs {
                nr_xcrs: 1,
                ..kvm_xcrs::default()
            };
            if let Some(first) = xcrs.xcrs.first_mut() {
                first.value = features.xcr0();
            }
            fd.set_xcrs(&xcrs)
                .map_err(refused("the extended state mask"))?;
        }
        let mut vcpu = Vcpu {
            fd,
            shim: shim.clone(),
            page,
            at: At::User,
            registers: Registers {
                rflags: FIXED_FLAGS,
                ..Registers::default()
            },
            replaced: true,
            transit: false,
            last_cpu: None,
            has_tsc_aux: features.rdpid(),
            user: sregs,
        };
        vcpu.set_msrs(&[
            (
                MSR_STAR,
                u64::from(selectors::KERNEL_CS) << 32 | u64::from(selectors::USER32_CS) << 48,
            ),
            (MSR_LSTAR, shim.syscall_entry()),
            (MSR_SYSCALL_MASK, SYSCALL_MASK),
        ])?;
        // Without it clock_gettime in the guest would differ from the host's;
        // kernels that lack the attribute start with the host's counter.
        if let Err(error) = kvm::share_tsc(&vcpu.fd) {
            log::debug!("the time stamp counter keeps KVM's offset: {error}");
        }
        Ok(vcpu)
    }

    /// What the payload has in this processor.
    ///
    /// # Errors
    ///
    /// From KVM.
    pub fn context(&self) -> Result<Context, VcpuError> {
        Ok(Context {
            registers: self.registers,
            fs_base: self.segment_base(true),
            gs_base: self.segment_base(false),
            extended: Box::new(self.extended_state()?),
        })
    }

    /// Continues with `context` in ring 3, whatever this processor did before.
    ///
    /// # Errors
    ///
    /// From KVM.
    pub fn adopt(&mut self, context: &Context) -> Result<(), VcpuError> {
        let system = &mut self.fd.sync_regs_mut().sregs;
        *system = self.user;
        system.fs.base = context.fs_base;
        system.gs.base = context.gs_base;
        self.fd.set_sync_dirty_reg(SyncReg::SystemRegister);
        self.set_extended_state(&context.extended)?;
        self.at = At::User;
        self.transit = false;
        *self.replace_registers() = context.registers;
        Ok(())
    }

    /// The payload's registers.
    pub fn registers(&self) -> &Registers {
        &self.registers
    }

    /// The payload's registers, to be replaced as a whole: a new context.
    pub fn replace_registers(&mut self) -> &mut Registers {
        self.replaced = true;
        &mut self.registers
    }

    /// Whether the guest was stopped on its way through the monitor's own
    /// code, so that the registers are not the payload's to replace.
    pub fn in_transit(&self) -> bool {
        self.transit
    }

    /// Sets what a system call returns.
    pub fn set_result(&mut self, rax: u64) {
        self.registers.rax = rax;
    }

    /// Base of FS (`fs`) or GS.
    pub fn segment_base(&self, fs: bool) -> u64 {
        // As of the last exit, or as set since.
        let system = &self.fd.sync_regs().sregs;
        if fs { system.fs.base } else { system.gs.base }
    }

    /// Sets the base of FS (`fs`) or GS.
    pub fn set_segment_base(&mut self, fs: bool, base: u64) {
        let system = &mut self.fd.sync_regs_mut().sregs;
        let segment = if fs { &mut system.fs } else { &mut system.gs };
        segment.base = base;
        // With the next entry: a call of its own costs more.
        self.fd.set_sync_dirty_reg(SyncReg::SystemRegister);
    }

    /// The extended state: x87, SSE, AVX, in the processor's XSAVE format.
    ///
    /// # Errors
    ///
    /// From KVM.
    pub fn extended_state(&self) -> Result<kvm_xsave, VcpuError> {
        self.fd
            .get_xsave()
            .map_err(refused("to tell the extended state"))
    }

    /// Sets the extended state.
    ///
    /// # Errors
    ///
    /// From KVM: EINVAL for a state the processor would refuse.
    pub fn set_extended_state(&mut self, state: &kvm_xsave) -> Result<(), VcpuError> {
        Ok(kvm::set_xsave(&self.fd, state)?)
    }

    /// Why the last debug exception came (DR6); it is cleared.
    ///
    /// # Errors
    ///
    /// From KVM.
    pub fn take_debug_status(&mut self) -> Result<u64, VcpuError> {
        /// Bits that are always set.
        const DR6_INIT: u64 = 0xffff_0ff0;
        let mut debug = self
            .fd
            .get_debug_regs()
            .map_err(refused("to tell debug registers"))?;
        let status = std::mem::replace(&mut debug.dr6, DR6_INIT);
        self.fd
            .set_debug_regs(&debug)
            .map_err(refused("debug registers"))?;
        Ok(status)
    }

    /// Forgets cached translations, after entries were taken away that no
    /// change of the host's mappings went with.
    ///
    /// # Errors
    ///
    /// From KVM.
    pub fn flush(&mut self) -> Result<(), VcpuError> {
        // Registers that do not change flush nothing: global pages, which no
        // table uses, are turned on and off.
        const CR4_PGE: u64 = 1 << 7;
        let sregs = sregs_of(&self.fd)?;
        let mut other = sregs;
        other.cr4 ^= CR4_PGE;
        for sregs in [other, sregs] {
            self.fd
                .set_sregs(&sregs)
                .map_err(refused("control registers"))?;
        }
        Ok(())
    }

    /// Lets go of a processor that is the parent's, in the child of a fork: its
    /// descriptor is closed with others, and its run pages are not here.
    pub fn abandon(self) {
        std::mem::forget(self.fd);
    }

    /// Lets go of the processor before its time, with `filler` in the place of
    /// its descriptor: nothing can be done with it any more.
    ///
    /// # Errors
    ///
    /// From `mmap(2)` and `dup3(2)`.
    pub fn give_up(&mut self, vm: &Vm, filler: BorrowedFd<'_>) -> io::Result<()> {
        kvm::give_up_vcpu(&mut self.fd, vm.fd().run_size(), filler)
    }

    /// Has KVM make what it makes for a machine that is first run, a thread of
    /// this process; the guest is not entered.
    ///
    /// # Errors
    ///
    /// From KVM.
    pub fn make_worker(&mut self) -> Result<(), VcpuError> {
        self.fd.set_kvm_immediate_exit(1);
        let run = self.fd.run().map(|_| ());
        self.fd.set_kvm_immediate_exit(0);
        match run {
            Err(error) if error.errno() != libc::EINTR => Err(refused("to run the payload")(error)),
            _ => Ok(()),
        }
    }

    /// The number of its descriptor.
    pub fn descriptor(&self) -> i32 {
        self.fd.as_raw_fd()
    }

    /// Keeps what the processor shares with KVM out of forked processes.
    pub fn forget_in_children(&mut self, vm: &Vm) {
        kvm::keep_from_children(&mut self.fd, vm.fd().run_size());
    }

    /// All registers as KVM has them, for a report.
    pub fn describe(&self) -> String {
        let registers = self.fd.get_regs();
        let sregs = self.fd.get_sregs();
        format!("{registers:#x?}\n{sregs:#x?}")
    }

    /// The byte that makes `KVM_RUN` return at once, for signal handlers.
    pub fn immediate_exit(&mut self) -> *mut u8 {
        &raw mut self.fd.get_kvm_run().immediate_exit
    }

    fn set_msrs(&mut self, values: &[(u32, u64)]) -> Result<(), VcpuError> {
        let entries: Vec<_> = values
            .iter()
            .map(|(index, data)| kvm_msr_entry {
                index: *index,
                data: *data,
                ..Default::default()
            })
            .collect();
        let msrs = Msrs::from_entries(&entries).map_err(|_| VcpuError::Area(Errno::E2BIG))?;
        let set = self
            .fd
            .set_msrs(&msrs)
            .map_err(refused("model-specific registers"))?;
        if set == entries.len() {
            return Ok(());
        }
        let source = io::Error::from_raw_os_error(libc::EINVAL);
        Err(VcpuError::Refused {
            what: "model-specific registers",
            source,
        })
    }

    /// Runs the payload until it needs the monitor.
    ///
    /// # Errors
    ///
    /// Where KVM fails in a way that no payload can cause.
    pub fn enter(&mut self) -> Result<Exit, VcpuError> {
        self.prepare()?;
        let stop = match self.fd.run() {
            Ok(VcpuExit::IoOut(port, [_])) => Stop::Out(port),
            // The bitmap knows ports, not directions and widths: all other
            // use of the hypercall's is the payload's mistake.
            Ok(VcpuExit::IoOut(..) | VcpuExit::IoIn(..)) => Stop::BadPort,
            Ok(VcpuExit::Intr) => Stop::Interrupted,
            Ok(VcpuExit::Shutdown) => Stop::Failed(Failure::Shutdown),
            Ok(VcpuExit::FailEntry(reason, _)) => Stop::Failed(Failure::Entry(reason)),
            Ok(VcpuExit::InternalError) => Stop::Failed(Failure::Internal),
            Ok(VcpuExit::Debug(debug)) => Stop::Debug(debug.dr6),
            Ok(VcpuExit::MmioRead(at, _) | VcpuExit::MmioWrite(at, _)) => {
                Stop::Failed(Failure::NoMemory(at))
            }
            Ok(_) => Stop::Failed(Failure::Unexpected),
            Err(error) => match error.errno() {
                libc::EINTR => Stop::Interrupted,
                libc::EFAULT => Stop::Fault,
                _ => return Err(refused("to run the payload")(error)),
            },
        };
        self.leave(stop)
    }

    /// Brings the registers the payload is to have into the form in which
    /// KVM takes them at this point.
    fn prepare(&mut self) -> Result<(), VcpuError> {
        let replaced = std::mem::take(&mut self.replaced);
        let user = self.registers;
        let guest = match self.at {
            At::User if !replaced => return Ok(()),
            At::User | At::SyscallRing3 => sanitised(user),
            At::SyscallRing0 { rip, rflags } if !replaced => {
                // `rcx` and `r11` are unchanged; the entry's own `sysretq`
                // takes them for `rip` and `rflags`.
                Registers {
                    rip,
                    rflags,
                    ..user
                }
            }
            At::SyscallRing0 { .. } | At::Exception => self.through_frame(user)?,
        };
        self.fd.sync_regs_mut().regs = guest;
        self.fd.set_sync_dirty_reg(SyncReg::Register);
        Ok(())
    }

    /// Registers of ring 0 that reach `user` by `iretq`.
    fn through_frame(&self, user: Registers) -> Result<Registers, VcpuError> {
        let user = sanitised(user);
        let rsp = self.page.write_frame(&InterruptFrame {
            rip: user.rip,
            cs: u64::from(selectors::USER_CS),
            rflags: user.rflags,
            rsp: user.rsp,
            ss: u64::from(selectors::USER_DS),
        })?;
        Ok(Registers {
            rip: self.shim.enter_user(),
            rsp,
            rflags: 0x2,
            ..user
        })
    }

    /// Reads the payload's registers and what it wants.
    fn leave(&mut self, stop: Stop) -> Result<Exit, VcpuError> {
        const LAST_EXCEPTION: u16 = ports::EXCEPTION + ports::VECTORS - 1;
        let sync = self.fd.sync_regs();
        self.transit = false;
        match stop {
            Stop::Out(ports::SYSCALL) => {
                // Asked at each exit, not once: ring 3 may use the port by
                // itself, and must never be taken for ring 0 or the reverse.
                let (rip, rflags) = (sync.regs.rip, sync.regs.rflags);
                self.at = match sync.sregs.cs.dpl {
                    3 => At::SyscallRing3,
                    _ => At::SyscallRing0 { rip, rflags },
                };
                let regs = sync.regs;
                self.registers = Registers {
                    rip: regs.rcx,
                    rflags: regs.r11,
                    ..regs
                };
                Ok(Exit::Syscall)
            }
            Stop::Out(ports::GATE) => {
                self.at = At::SyscallRing3;
                self.registers = Registers {
                    rip: sync.regs.rcx,
                    ..sync.regs
                };
                Ok(Exit::Syscall)
            }
            Stop::Out(port @ ports::EXCEPTION..=LAST_EXCEPTION) => {
                let vector = (port - ports::EXCEPTION) as u8;
                let (frame, error) = self.page.exception_frame(vector)?;
                self.at = At::Exception;
                self.replaced = true;
                // Not every processor heeds the bitmap of a busy task state
                // segment (QEMU's does not): the gate is open all the same.
                let is_gate = vector == GENERAL_PROTECTION && frame.rip == self.shim.gate();
                self.registers = Registers {
                    rip: if is_gate { sync.regs.rcx } else { frame.rip },
                    rsp: frame.rsp,
                    rflags: frame.rflags,
                    ..sync.regs
                };
                if is_gate {
                    return Ok(Exit::Syscall);
                }
                Ok(Exit::Exception(Exception {
                    vector,
                    error,
                    address: sync.sregs.cr2,
                }))
            }
            Stop::Out(_) => Ok(Exit::Failed(Failure::Unexpected)),
            Stop::BadPort => {
                self.at = At::User;
                self.registers = sync.regs;
                Ok(Exit::Exception(Exception {
                    vector: GENERAL_PROTECTION,
                    error: 0,
                    address: 0,
                }))
            }
            Stop::Debug(_) => {
                self.at = At::User;
                self.registers = sync.regs;
                Ok(Exit::Exception(Exception {
                    vector: 1,
                    error: 0,
                    address: 0,
                }))
            }
            Stop::Interrupted | Stop::Fault => {
                // On the way in or out it will get there, entered again.
                self.transit = self.shim.contains(sync.regs.rip) || sync.sregs.cs.dpl == 0;
                self.at = At::User;
                self.registers = sync.regs;
                Ok(if stop == Stop::Fault {
                    Exit::Fault
                } else {
                    Exit::Kick
                })
            }
            Stop::Failed(failure) => Ok(Exit::Failed(failure)),
        }
    }

    /// Keeps `getcpu` in the guest true: called before an entry, when the
    /// thread may have moved to another processor.
    ///
    /// # Errors
    ///
    /// From KVM.
    pub fn set_cpu_node(&mut self, cpu: u32, node: u32) -> Result<(), VcpuError> {
        if self.last_cpu == Some((cpu, node)) {
            return Ok(());
        }
        self.last_cpu = Some((cpu, node));
        self.page.set_cpu_node(cpu, node)?;
        if self.has_tsc_aux {
            self.set_msrs(&[(MSR_TSC_AUX, u64::from(cpu & 0xfff | node << 12))])?;
        }
        Ok(())
    }
}

/// Why `KVM_RUN` returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Out(u16),
    BadPort,
    Debug(u64),
    Interrupted,
    Fault,
    Failed(Failure),
}

/// Registers a program in ring 3 may have.
fn sanitised(registers: Registers) -> Registers {
    Registers {
        rflags: registers.rflags & USER_FLAGS | FIXED_FLAGS,
        ..registers
    }
}

fn sregs_of(fd: &VcpuFd) -> Result<kvm_sregs, VcpuError> {
    fd.get_sregs().map_err(refused("to tell control registers"))
}

fn initial_sregs(
    fd: &VcpuFd,
    vm: &Vm,
    shim: &Shim,
    page: &VcpuPage,
    root: u64,
) -> Result<kvm_sregs, VcpuError> {
    // Protected mode, monitoring of the FPU, numeric errors, write protection
    // in ring 0, paging; caches on.
    const CR0: u64 = 1 | 1 << 1 | 1 << 4 | 1 << 5 | 1 << 16 | 1 << 18 | 1 << 31;
    // PAE, FXSAVE and SSE exceptions.
    const CR4: u64 = 1 << 5 | 1 << 9 | 1 << 10;
    const CR4_FSGSBASE: u64 = 1 << 16;
    const CR4_OSXSAVE: u64 = 1 << 18;
    // SYSCALL, long mode enabled and active, NX.
    const EFER: u64 = 1 | 1 << 8 | 1 << 10 | 1 << 11;

    let features = vm.features();
    let mut sregs = sregs_of(fd)?;
    sregs.cr0 = CR0;
    sregs.cr3 = root;
    sregs.cr4 = CR4;
    sregs.cr4 |= if features.fsgsbase() { CR4_FSGSBASE } else { 0 };
    sregs.cr4 |= if features.xsave() { CR4_OSXSAVE } else { 0 };
    sregs.efer = EFER;
    sregs.cs = code_segment(selectors::USER_CS);
    sregs.ss = data_segment(selectors::USER_DS);
    for segment in [&mut sregs.ds, &mut sregs.es, &mut sregs.fs, &mut sregs.gs] {
        *segment = data_segment(0);
        segment.unusable = 1;
        segment.present = 0;
        segment.dpl = 3;
    }
    let (base, limit) = page.task_state();
    sregs.tr = task_segment(base, limit);
    (sregs.gdt.base, sregs.gdt.limit) = page.gdt();
    (sregs.idt.base, sregs.idt.limit) = shim.idt();
    Ok(sregs)
}
