//! The central path: build a virtual machine around a payload, and run it.

use std::sync::Arc;

use crate::config::{LogTo, RunConfig};
use crate::error::Error;
use crate::fd::ReservedFds;
use crate::loader::{self, Layout, Target};
use crate::log::{self, Output};
use crate::mem::guest::GuestMemory;
use crate::mem::layout::Arenas;
use crate::mem::pagetable::{PageTables, Pages};
use crate::mem::space::AddressSpace;
use crate::mem::system::SystemArea;
use crate::shim::Shim;
use crate::signal::frame::XState;
use crate::stats::Stats;
use crate::sys::map::Reservation;
use crate::sys::proc;
use crate::syscall::dispatch::Payload;
use crate::task::process::{Identity, Parts, Process};
use crate::task::thread::Thread;
use crate::vcpu::Vcpu;
use crate::vcpu::exit::Failure;
use crate::vcpu::run::{End, run};
use crate::vm::Vm;
use crate::vm::slots::Slots;

/// A payload about to run.
#[derive(Debug)]
pub struct Machine {
    process: Arc<Process>,
    vcpu: Vcpu,
    output: Output,
    dump_shutdown: bool,
}

/// Builds everything a payload needs, up to its first instruction.
///
/// # Errors
///
/// Where the payload cannot be loaded, or the host lacks what km needs.
pub fn build(config: RunConfig) -> Result<Machine, Error> {
    let target = loader::resolve(&config.payload, config.argv.clone())?;
    let fds = ReservedFds::choose().map_err(Error::Descriptors)?;
    let output = start_log(&config, &fds)?;

    let vm = Arc::new(Vm::open(&config.device, &fds)?);
    let (mut space, shim) = build_memory(&vm, config.memory)?;
    let layout = Layout {
        env: config.env.clone(),
        randomise: config.randomise,
    };
    let entry = loader::load(&target, &layout, &mut space, vm.features())?;

    ::log::debug!(
        "{}: enters at {:#x}, stack at {:#x}",
        target.program.path.display(),
        entry.rip,
        entry.stack.sp
    );

    // After the memory: slots are cheaper while there is no processor.
    let page = {
        let (tables, mut pages) = space.machine();
        shim.vcpu_page(tables, &mut pages)?
    };
    let mut vcpu = Vcpu::new(vm.create_vcpu(0, &fds)?, &vm, &shim, page, space.root())?;
    let registers = vcpu.replace_registers();
    registers.rip = entry.rip;
    registers.rsp = entry.stack.sp;
    show_payload(&target, &entry, &space);

    let process = Process::new(Parts {
        space,
        fds,
        xstate: XState {
            features: vm.features().xcr0(),
            size: vm.features().state_size(),
        },
        identity: Identity {
            exe: target.program.absolute(),
            auxv: entry.auxv,
        },
        trace: config.strace.then(|| output.clone()),
        stats: config.stats.then(Stats::default),
    });
    redirect_output(&config)?;
    Ok(Machine {
        process: Arc::new(process),
        vcpu,
        output,
        dump_shutdown: config.dump_shutdown,
    })
}

impl Machine {
    /// Runs the payload to its end, on the calling thread.
    ///
    /// # Errors
    ///
    /// Where the virtual machine fails.
    pub fn run(&mut self) -> Result<End, Error> {
        let thread = Thread::current(self.vcpu.immediate_exit());
        let mut payload = Payload::new(Arc::clone(&self.process), thread);
        let end = run(&mut self.vcpu, &mut payload)?;
        if let Some(stats) = &self.process.stats {
            self.output.write(&stats.report());
        }
        match end {
            End::Failed(failure) => Err(self.stopped(failure)),
            end => Ok(end),
        }
    }

    fn stopped(&self, failure: Failure) -> Error {
        if self.dump_shutdown {
            self.output.write(&format!("{}\n", self.vcpu.describe()));
        }
        Error::Stopped(failure)
    }
}

fn start_log(config: &RunConfig, fds: &ReservedFds) -> Result<Output, Error> {
    let output = match &config.log.to {
        // Closed: then there is nobody to tell.
        LogTo::Stderr => Output::standard_error(fds).or_else(|_| Output::none(fds)),
        LogTo::Nowhere => Output::none(fds),
        LogTo::File(path) => Output::file(path, fds),
    };
    let output = output.map_err(|source| match &config.log.to {
        LogTo::File(path) => Error::Output {
            path: path.clone(),
            source,
        },
        _ => Error::Descriptors(source),
    })?;
    log::start(output.clone(), &config.log.filter);
    Ok(output)
}

fn build_memory(vm: &Arc<Vm>, limit: Option<u64>) -> Result<(AddressSpace, Shim), Error> {
    let (arenas, reservation) = reserve(vm.features().physical_bits())?;
    ::log::debug!(
        "payload addresses {:#x?} and {:#x?}",
        arenas.low(),
        arenas.high()
    );
    let area = Arc::new(SystemArea::new(&arenas)?);
    let mut slots = Slots::new(vm.max_slots(), reservation.base());
    let mut pages = Pages {
        vm,
        slots: &mut slots,
    };
    let mut tables = PageTables::new(Arc::clone(&area), &mut pages)?;
    let shim = Shim::install(&area, &mut tables, &mut pages)?;
    let memory = GuestMemory::new(arenas, reservation.base());
    let space = AddressSpace::new(
        Arc::clone(vm),
        slots,
        tables,
        Arc::new(reservation),
        memory,
        limit,
    );
    Ok((space, shim))
}

/// Arenas as large as the processor, and the monitor's own address space,
/// allow.
fn reserve(bits: u32) -> Result<(Arenas, Reservation), Error> {
    let mut bits = bits.min(crate::mem::layout::MAX_BITS);
    loop {
        let arenas = Arenas::new(bits);
        match Reservation::new(arenas.reservation()) {
            Ok(reservation) => return Ok((arenas, reservation)),
            Err(_) if bits > crate::mem::layout::MIN_BITS => bits -= 1,
            Err(error) => return Err(Error::Reserve(error)),
        }
    }
}

/// Lets `ps` and `/proc/PID` show the payload's name, arguments and
/// environment.
fn show_payload(target: &Target, entry: &loader::Entry, space: &AddressSpace) {
    proc::set_thread_name(loader::base_name(&target.program.path));
    let host = |address: u64| space.memory().host_pointer(address, 0);
    let stack = &entry.stack;
    let strings = [
        stack.arg_start,
        stack.arg_end,
        stack.env_start,
        stack.env_end,
    ]
    .map(host);
    if let Err(error) = proc::show_strings(strings) {
        ::log::debug!("/proc shows km's own command line: {error}");
    }
}

fn redirect_output(config: &RunConfig) -> Result<(), Error> {
    match &config.log_to {
        None => Ok(()),
        Some(path) => proc::redirect_output(path).map_err(|source| Error::Output {
            path: path.clone(),
            source,
        }),
    }
}
