//! The central path: build a virtual machine around a payload, and run it.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use crate::config::{LogTo, Options, RunConfig};
use crate::error::Error;
use crate::exit_code;
use crate::fd::ReservedFds;
use crate::loader::stack::StackImage;
use crate::loader::{self, Layout, Target};
use crate::log::{self, Output};
use crate::mem::guest::GuestMemory;
use crate::mem::layout::Arenas;
use crate::nsm::{self, Nsm};
use crate::procfs::Notice;
use crate::seccomp::Mode;
use crate::signal::action::Actions;
use crate::signal::frame::XState;
use crate::sys::map::Reservation;
use crate::sys::{namespace, proc, signal, thread};
use crate::syscall::limits::AddressLimits;
use crate::task::clone::run_thread;
use crate::task::exec::Inherited;
use crate::task::machine::{Machine, Processor};
use crate::task::process::{Identity, Parts, Process};
use crate::task::thread::Thread;
use crate::vm::Vm;

/// A payload about to run.
#[derive(Debug)]
pub struct Launch {
    process: Arc<Process>,
    thread: Thread,
    processor: Processor,
}

/// Builds everything a payload needs, up to its first instruction.
///
/// # Errors
///
/// Where the payload cannot be loaded, or the host lacks what km needs.
pub fn build(config: RunConfig) -> Result<Launch, Error> {
    let RunConfig {
        payload,
        argv,
        env,
        options,
        nsm: nsm_settings,
        log,
        log_to,
        inherited,
    } = config;
    let execfn = match &inherited {
        Some(inherited) => inherited.execfn.clone(),
        None => payload.as_os_str().to_owned(),
    };
    let found = match &inherited {
        Some(_) => None,
        None => proc::proc_root().ok(),
    };
    let held = match &inherited {
        Some(inherited) => &inherited.proc_root,
        None => &found,
    };
    let held = held.as_ref().map(AsFd::as_fd);
    let by_descriptor = inherited.as_ref().is_some_and(|from| from.below_proc);
    let target = loader::resolve(&payload, &execfn, argv, by_descriptor, held)?;
    let Surroundings {
        fds,
        image,
        proc_root,
        output,
        report,
        vm,
        limits,
        mask,
        ignored,
        seccomp,
        children_elsewhere,
        module,
    } = match inherited {
        Some(mut inherited) => {
            // The program is open now.
            drop(inherited.way.take());
            Surroundings::inherited(inherited, &options)?
        }
        None => Surroundings::new(&log, &options, found)?,
    };
    let machine = build_memory(&vm, options.memory, &fds)?;
    let layout = Layout {
        proc_root: proc_root.as_ref().map(AsFd::as_fd),
        env,
        randomise: !options.fixed_addresses && proc::randomises_addresses(),
        stack_limit: limits.all().stack.soft,
        gate: machine.gate(),
    };
    let entry = loader::load(&target, &layout, &mut machine.space(), vm.features())?;

    let module = match module {
        Some(module) => module,
        None => {
            let launch = nsm::Launch {
                target: &target,
                env: &layout.env,
                memory: options.memory,
                fixed_addresses: options.fixed_addresses,
                debug: options.is_debugged(),
            };
            nsm::start(&launch, &nsm_settings, &fds)?
        }
    };

    ::log::debug!(
        "{}: enters at {:#x}, stack at {:#x}",
        target.program.path.display(),
        entry.rip,
        entry.stack.sp
    );

    // After the memory: slots are cheaper while there is no processor.
    let mut processor = machine.processor()?;
    let registers = processor.vcpu.replace_registers();
    registers.rip = entry.rip;
    registers.rsp = entry.stack.sp;
    show_payload(&target, &execfn, &entry, &machine.memory, &fds);

    if children_elsewhere {
        // Where that is not possible, KVM needs no worker.
        let made = namespace::with_children_here(|| processor.vcpu.make_worker());
        made.unwrap_or_else(|_| processor.vcpu.make_worker())?;
    }

    let mut thread = Thread::new(processor.mailbox, machine.world.admit());
    thread.children_elsewhere = children_elsewhere;
    thread.mask = mask;
    thread.seccomp.set(seccomp);
    let process = Process::new(Parts {
        machine: Arc::new(machine),
        fds,
        limits,
        xstate: XState {
            features: vm.features().xcr0(),
            size: vm.features().state_size(),
        },
        identity: Identity {
            exe: target.program.absolute(),
            auxv: entry.auxv,
            stack: StackImage {
                bytes: Vec::new(),
                ..entry.stack
            },
        },
        options: Arc::new(options),
        image: Arc::new(image),
        proc_root: proc_root.map(Arc::new),
        nsm: module,
        output,
        report,
        actions: Actions::inherited(ignored),
    });
    redirect_output(log_to.as_deref())?;
    Ok(Launch {
        process: Arc::new(process),
        thread,
        processor,
    })
}

impl Launch {
    /// Runs the payload to its end, on the calling thread.
    pub fn run(mut self) -> ! {
        thread::share_heap();
        self.thread.settle(self.processor.vcpu.immediate_exit());
        self.thread.set_mask(self.thread.mask);
        run_thread(self.process, self.thread, self.processor);
        // The first thread ends the process, or itself.
        proc::exit(exit_code::MONITOR)
    }
}

/// What a payload's process has around its program.
struct Surroundings {
    fds: ReservedFds,
    image: OwnedFd,
    proc_root: Option<OwnedFd>,
    output: Output,
    report: Output,
    vm: Arc<Vm>,
    limits: AddressLimits,
    mask: u64,
    ignored: u64,
    seccomp: Mode,
    children_elsewhere: bool,
    /// Of the first program, it is made when that is loaded.
    module: Option<Nsm>,
}

impl Surroundings {
    /// Those of a program that a user starts.
    fn new(
        log: &LogTo,
        options: &Options,
        proc_root: Option<OwnedFd>,
    ) -> Result<Surroundings, Error> {
        let fds = ReservedFds::choose().map_err(Error::Descriptors)?;
        let proc_root = proc_root.and_then(|root| fds.adopt(|| io::Result::Ok(root)).ok());
        let output = open_log(log, &fds)?;
        log::start(output.clone(), options.log_filter.as_deref());
        let report = match options.report_path() {
            None => output.clone(),
            Some(path) => {
                Output::file(&path, &fds).map_err(|source| Error::Output { path, source })?
            }
        };
        let image = fds.adopt(proc::own_image);
        let limits = AddressLimits::default();
        limits.forbid_core_files()?;
        Ok(Surroundings {
            image: image.map_err(Error::Descriptors)?,
            proc_root,
            vm: Arc::new(Vm::open(&options.device, &fds)?),
            fds,
            output,
            report,
            limits,
            mask: signal::mask(),
            ignored: 0,
            seccomp: Mode::Disabled,
            children_elsewhere: false,
            module: None,
        })
    }

    /// Those of a program that another one executes.
    fn inherited(from: Inherited, options: &Options) -> Result<Surroundings, Error> {
        log::start(from.output.clone(), options.log_filter.as_deref());
        // The one that executed this may have been a child in its parent's
        // memory, and have reported to its parent's file.
        from.report.renew_for(options, &from.fds);
        Ok(Surroundings {
            vm: Arc::new(Vm::with(from.device, from.features, &from.fds)?),
            fds: from.fds,
            image: from.image,
            proc_root: from.proc_root,
            output: from.output,
            report: from.report,
            limits: from.limits,
            mask: from.mask,
            ignored: from.ignored,
            seccomp: from.seccomp,
            children_elsewhere: from.children_elsewhere,
            module: Some(from.nsm),
        })
    }
}

fn open_log(to: &LogTo, fds: &ReservedFds) -> Result<Output, Error> {
    let output = match to {
        // Closed: then there is nobody to tell.
        LogTo::Stderr => Output::standard_error(fds).or_else(|_| Output::none(fds)),
        LogTo::Nowhere => Output::none(fds),
        LogTo::File(path) => Output::file(path, fds),
    };
    output.map_err(|source| match to {
        LogTo::File(path) => Error::Output {
            path: path.clone(),
            source,
        },
        _ => Error::Descriptors(source),
    })
}

fn build_memory(vm: &Arc<Vm>, limit: Option<u64>, fds: &ReservedFds) -> Result<Machine, Error> {
    let (arenas, reservation) = reserve(vm.features().physical_bits())?;
    ::log::debug!(
        "payload addresses {:#x?} and {:#x?}",
        arenas.low(),
        arenas.high()
    );
    let memory = GuestMemory::new(arenas, reservation.base());
    Machine::new(vm, reservation, memory, limit, fds.clone())
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
fn show_payload(
    target: &Target,
    execfn: &OsStr,
    entry: &loader::Entry,
    memory: &GuestMemory,
    fds: &ReservedFds,
) {
    // Of a file that has only a descriptor, Linux shows the own name.
    let absolute = target.program.absolute();
    let unnamed = execfn.as_bytes().starts_with(b"/dev/fd/");
    let name = if unnamed {
        &absolute
    } else {
        Path::new(execfn)
    };
    proc::set_thread_name(loader::base_name(name));
    let host = |address: u64| memory.host_pointer(address, 0);
    let stack = &entry.stack;
    let strings = [
        stack.arg_start,
        stack.arg_end,
        stack.env_start,
        stack.env_end,
    ]
    .map(host);
    let notice: &'static Notice = Box::leak(Box::new(Notice::new(memory, fds, &absolute)));
    if let Err(error) = proc::show_payload(strings, &notice.announce(&entry.auxv)) {
        ::log::debug!("/proc shows km's own command line: {error}");
    }
}

fn redirect_output(to: Option<&Path>) -> Result<(), Error> {
    match to {
        None => Ok(()),
        Some(path) => proc::redirect_output(path).map_err(|source| Error::Output {
            path: path.to_owned(),
            source,
        }),
    }
}
