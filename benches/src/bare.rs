//! The floor of a hypercall: the least a monitor on KVM can do to serve one system call of a
//! program in ring 3. No program, no C library, no checks: some 20 bytes of guest code.

use std::io;
use std::os::unix::process::parent_id;
use std::time::{Duration, Instant};

use kvm_bindings::{KVM_MAX_CPUID_ENTRIES, kvm_regs};
use kvm_ioctls::{Kvm, SyncReg, VcpuExit, VcpuFd};
use vm_memory::{Bytes, GuestAddress, GuestRegionMmap, MemoryRegionAddress};

use crate::image::{self, PORT, Program, Trap};
use crate::sys::Machine;
use crate::vcpu::Setup;

const GETPPID: u64 = 110;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{step}")]
    Kvm {
        step: &'static str,
        source: io::Error,
    },
    #[error("memory for the bare VM")]
    Memory(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the bare VM stopped at {0}")]
    Exit(String),
    #[error("this variation needs a host that enters LSTAR in ring 3")]
    OtherHost,
}

pub fn kvm_error(step: &'static str) -> impl Fn(kvm_ioctls::Error) -> Error {
    move |error| Error::Kvm {
        step,
        source: io::Error::from_raw_os_error(error.errno()),
    }
}

/// How the monitor sees and changes the registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registers {
    /// `KVM_SYNC_X86_REGS`.
    Synced,
    /// `KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS`.
    SyncedWithSystem,
    /// `KVM_GET_REGS` and `KVM_SET_REGS`.
    Ioctls,
    /// Synced and read, but never written: nothing is answered.
    SyncedReadOnly,
}

/// Where `syscall` lands, told apart by CS.DPL at the first exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// In ring 0: the stub's own `sysretq` goes back.
    Ring0,
    /// In ring 3, where `sysretq` is refused: the monitor sets what it would have set.
    Ring3,
}

impl Entry {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ring0 => "syscall lands in ring 0",
            Self::Ring3 => "syscall lands in ring 3 (PVM)",
        }
    }
}

/// Times the steps of building a VM.
#[derive(Debug)]
pub struct Laps {
    last: Instant,
    pub laps: Vec<(&'static str, Duration)>,
}

impl Laps {
    pub fn start() -> Self {
        Self {
            last: Instant::now(),
            laps: Vec::new(),
        }
    }

    pub fn lap(&mut self, step: &'static str) {
        let now = Instant::now();
        self.laps.push((step, now - self.last));
        self.last = Instant::now();
    }
}

/// A VM whose vCPU has made its first call and waits for the answer. Where it was given further
/// ones, the one added last is meant.
#[derive(Debug)]
pub struct BareVm {
    machine: Machine,
    setup: Setup,
    trap: Trap,
    registers: Registers,
    entry: Entry,
}

impl BareVm {
    pub fn new(trap: Trap, registers: Registers) -> Result<Self, Error> {
        Self::timed(trap, registers, &mut Laps::start())
    }

    /// A VM that runs another program than the endless `getppid`.
    pub fn running(program: Program) -> Result<Self, Error> {
        let laps = &mut Laps::start();
        Self::build(Trap::SyscallOut, Registers::Synced, program, laps)
    }

    /// Builds the VM step by step, each step a lap.
    pub fn timed(trap: Trap, registers: Registers, laps: &mut Laps) -> Result<Self, Error> {
        Self::build(trap, registers, Program::Getppid, laps)
    }

    fn build(
        trap: Trap,
        registers: Registers,
        program: Program,
        laps: &mut Laps,
    ) -> Result<Self, Error> {
        let kvm = Kvm::new().map_err(kvm_error("open /dev/kvm"))?;
        laps.lap("open /dev/kvm");
        let mut machine = Machine::new(&kvm).map_err(kvm_error("KVM_CREATE_VM"))?;
        laps.lap("KVM_CREATE_VM");

        let memory = guest_memory(trap, program)?;
        laps.lap("(map and fill 2 MiB)");
        machine
            .add_memory(memory)
            .map_err(kvm_error("KVM_SET_USER_MEMORY_REGION"))?;
        laps.lap("KVM_SET_USER_MEMORY_REGION, 2 MiB");

        let cpuid = kvm
            .get_supported_cpuid(KVM_MAX_CPUID_ENTRIES)
            .map_err(kvm_error("KVM_GET_SUPPORTED_CPUID"))?;
        laps.lap("KVM_GET_SUPPORTED_CPUID");
        let vcpu = machine
            .create_vcpu()
            .map_err(kvm_error("KVM_CREATE_VCPU"))?;
        laps.lap("KVM_CREATE_VCPU + mmap");
        let setup = Setup::new(vcpu, cpuid, registers, laps)?;
        setup.apply(vcpu, laps)?;

        let mut vm = Self {
            machine,
            setup,
            trap,
            registers,
            entry: Entry::Ring0,
        };
        vm.run_to_trap()?;
        laps.lap("first KVM_RUN, to the first syscall");
        let vcpu = vm.vcpu()?;
        let sregs = vcpu.get_sregs().map_err(kvm_error("KVM_GET_SREGS"))?;
        laps.lap("KVM_GET_SREGS");
        vm.entry = if sregs.cs.dpl == 0 || trap == Trap::Out {
            Entry::Ring0
        } else {
            Entry::Ring3
        };
        if vm.entry == Entry::Ring0 && trap == Trap::SyscallOutJump {
            return Err(Error::OtherHost);
        }
        Ok(vm)
    }

    pub fn entry(&self) -> Entry {
        self.entry
    }

    /// Serves system calls for at least `limit`; the nanoseconds one took.
    pub fn round_trip(&mut self, limit: Duration) -> Result<f64, Error> {
        const BATCH: u32 = 200;
        let start = Instant::now();
        let mut calls = 0;
        loop {
            for _ in 0..BATCH {
                self.answer()?;
                self.run_to_trap()?;
            }
            calls += BATCH;
            let elapsed = start.elapsed();
            if elapsed >= limit {
                return Ok(elapsed.as_secs_f64() * 1e9 / f64::from(calls));
            }
        }
    }

    /// The nanoseconds of one `KVM_RUN` that returns at once, without entering the guest.
    pub fn immediate_exit(&mut self, times: u32) -> Result<f64, Error> {
        let vcpu = self.vcpu()?;
        vcpu.set_kvm_immediate_exit(1);
        let start = Instant::now();
        for _ in 0..times {
            // Fails with EINTR by definition.
            if vcpu.run().is_ok() {
                return Err(Error::Exit("an entry despite immediate_exit".to_owned()));
            }
        }
        let elapsed = start.elapsed();
        vcpu.set_kvm_immediate_exit(0);
        Ok(elapsed.as_secs_f64() * 1e9 / f64::from(times))
    }

    /// The nanoseconds of one vCPU ioctl that touches registers only.
    pub fn register_ioctl(&mut self, times: u32) -> Result<f64, Error> {
        let vcpu = self.vcpu()?;
        let start = Instant::now();
        for _ in 0..times {
            vcpu.get_regs().map_err(kvm_error("KVM_GET_REGS"))?;
        }
        Ok(start.elapsed().as_secs_f64() * 1e9 / f64::from(times))
    }

    /// Adds a slot to the VM while it runs, as a monitor does when its program maps more.
    pub fn add_memory(&mut self, at: u64, size: usize) -> Result<Duration, Error> {
        let region = region(at, size)?;
        let start = Instant::now();
        self.add_region(region)?;
        Ok(start.elapsed())
    }

    /// Adds memory that is mapped already.
    pub fn add_region(&mut self, region: GuestRegionMmap) -> Result<(), Error> {
        self.machine
            .add_memory(region)
            .map_err(kvm_error("KVM_SET_USER_MEMORY_REGION"))
    }

    /// The memory added last.
    pub fn last_region(&self) -> Result<&GuestRegionMmap, Error> {
        self.machine.last_memory().ok_or_else(no_memory)
    }

    /// The registers as of the last call, to be read.
    pub fn registers(&mut self) -> Result<kvm_regs, Error> {
        Ok(self.vcpu()?.sync_regs().regs)
    }

    /// Answers a call with what `answer` makes of the registers, and runs to the next one.
    pub fn resume(&mut self, answer: impl FnOnce(&mut kvm_regs)) -> Result<(), Error> {
        let (entry, trap) = (self.entry, self.trap);
        resume(self.vcpu()?, entry, trap, answer)
    }

    /// Makes a further vCPU and sets it up; it starts the guest's code from the beginning.
    pub fn add_vcpu(&mut self, laps: &mut Laps) -> Result<(), Error> {
        let vcpu = self
            .machine
            .create_vcpu()
            .map_err(kvm_error("KVM_CREATE_VCPU"))?;
        laps.lap("KVM_CREATE_VCPU + mmap");
        self.setup.apply(vcpu, laps)
    }

    pub fn run_to_trap(&mut self) -> Result<(), Error> {
        let trap = self.trap;
        run_to_trap(self.vcpu()?, trap)
    }

    /// All vCPUs, for threads of their own.
    pub fn lanes(&mut self) -> Result<Vec<Lane<'_>>, Error> {
        let (entry, trap) = (self.entry, self.trap);
        let (vcpus, memory) = self.machine.split();
        let memory = memory.ok_or_else(no_memory)?;
        let lanes = vcpus.iter_mut().map(move |vcpu| Lane {
            vcpu,
            memory,
            entry,
            trap,
        });
        Ok(lanes.collect())
    }

    fn vcpu(&mut self) -> Result<&mut VcpuFd, Error> {
        self.machine
            .last_vcpu()
            .ok_or_else(|| Error::Exit("no vCPU".to_owned()))
    }

    /// What a monitor does between two entries: number from the registers, the host's own system
    /// call, result into the registers.
    fn answer(&mut self) -> Result<(), Error> {
        let (entry, registers) = (self.entry, self.registers);
        let vcpu = self.vcpu()?;
        match registers {
            Registers::Synced | Registers::SyncedWithSystem => {
                serve(&mut vcpu.sync_regs_mut().regs, entry)?;
                vcpu.set_sync_dirty_reg(SyncReg::Register);
            }
            Registers::Ioctls => {
                let mut regs = vcpu.get_regs().map_err(kvm_error("KVM_GET_REGS"))?;
                serve(&mut regs, entry)?;
                vcpu.set_regs(&regs).map_err(kvm_error("KVM_SET_REGS"))?;
            }
            // The answer is worked out as in the other cases, and lost.
            Registers::SyncedReadOnly => serve(&mut vcpu.sync_regs().regs, entry)?,
        }
        Ok(())
    }
}

fn no_memory() -> Error {
    Error::Exit("no memory".to_owned())
}

/// One vCPU of several, each of which has made a call.
#[derive(Debug)]
pub struct Lane<'vm> {
    vcpu: &'vm mut VcpuFd,
    memory: &'vm GuestRegionMmap,
    entry: Entry,
    trap: Trap,
}

impl Lane<'_> {
    /// The registers as of the last call, to be read.
    pub fn registers(&self) -> kvm_regs {
        self.vcpu.sync_regs().regs
    }

    pub fn resume(&mut self, answer: impl FnOnce(&mut kvm_regs)) -> Result<(), Error> {
        resume(self.vcpu, self.entry, self.trap, answer)
    }

    /// The VM's first 2 MiB.
    pub fn memory(&self) -> &GuestRegionMmap {
        self.memory
    }
}

fn resume(
    vcpu: &mut VcpuFd,
    entry: Entry,
    trap: Trap,
    answer: impl FnOnce(&mut kvm_regs),
) -> Result<(), Error> {
    let regs = &mut vcpu.sync_regs_mut().regs;
    answer(regs);
    go_back(regs, entry);
    vcpu.set_sync_dirty_reg(SyncReg::Register);
    run_to_trap(vcpu, trap)
}

fn run_to_trap(vcpu: &mut VcpuFd, trap: Trap) -> Result<(), Error> {
    match vcpu.run().map_err(kvm_error("KVM_RUN"))? {
        VcpuExit::IoOut(PORT, _) if trap != Trap::SyscallMmio => Ok(()),
        VcpuExit::MmioWrite(image::MMIO, _) if trap == Trap::SyscallMmio => Ok(()),
        exit => Err(Error::Exit(format!("{exit:?}"))),
    }
}

fn serve(regs: &mut kvm_regs, entry: Entry) -> Result<(), Error> {
    if regs.rax != GETPPID {
        return Err(Error::Exit(format!("system call {}", regs.rax)));
    }
    regs.rax = u64::from(parent_id());
    go_back(regs, entry);
    Ok(())
}

/// What `sysretq` would do, where the stub cannot.
fn go_back(regs: &mut kvm_regs, entry: Entry) {
    if entry == Entry::Ring3 {
        regs.rip = regs.rcx;
        regs.rflags = regs.r11;
    }
}

pub fn region(at: u64, size: usize) -> Result<GuestRegionMmap, Error> {
    GuestRegionMmap::from_range(GuestAddress(at), size, None)
        .map_err(|error| Error::Memory(Box::new(error)))
}

fn guest_memory(trap: Trap, program: Program) -> Result<GuestRegionMmap, Error> {
    let region = region(0, image::SIZE)?;
    for (at, bytes) in image::contents(trap, program) {
        region
            .write_slice(&bytes, MemoryRegionAddress(at))
            .map_err(|error| Error::Memory(Box::new(error)))?;
    }
    Ok(region)
}
