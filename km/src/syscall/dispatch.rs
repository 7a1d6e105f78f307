//! From an exit of the guest to what it asks for: finds the row, traces,
//! counts, calls the handler or the proxy, and writes the result.

use std::sync::Arc;
use std::time::Instant;

use crate::errno::Errno;
use crate::mem::fault::Resolution;
use crate::signal::deliver::{self, Delivered, deliver_fault};
use crate::signal::exception;
use crate::signal::frame;
use crate::stats::ExitKind;
use crate::sys::call::NOT_BEGUN;
use crate::sys::proc;
use crate::syscall::args::Ret;
use crate::syscall::call::Call;
use crate::syscall::file::relocate;
use crate::syscall::row::{Action, Row};
use crate::syscall::trace::Trace;
use crate::syscall::{Control, Outcome, memory_file, mman, nsm, own, seccomp, table};
use crate::task::process::Process;
use crate::task::thread::Thread;
use crate::task::user_dispatch::Choice;
use crate::vcpu::exit::{Exception, Failure};
use crate::vcpu::run::{Dispatch, End, Next};
use crate::vcpu::{Vcpu, VcpuError, quirk};

const PAGE_FAULT: u8 = 14;
/// Length of the `syscall` instruction.
const SYSCALL_LENGTH: u64 = 2;

/// A payload thread and its process, as a running vCPU needs them.
#[derive(Debug)]
pub struct Payload {
    process: Arc<Process>,
    thread: Thread,
    host_fault: Option<HostFault>,
    /// Which of the world's flushes this processor has had.
    flushes: u64,
}

/// An instruction the host had no memory for, and what has been tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum HostFault {
    /// Old translations were dropped.
    Flushed { rip: u64 },
    /// The page tables were dropped as well: the instruction's next page
    /// faults tell which page it is.
    Probing { rip: u64 },
}

impl Payload {
    pub fn new(process: Arc<Process>, thread: Thread) -> Payload {
        let flushes = process.machine.world.flushes();
        Payload {
            process,
            thread,
            host_fault: None,
            flushes,
        }
    }

    pub fn thread(&self) -> &Thread {
        &self.thread
    }

    pub fn into_thread(self) -> Thread {
        self.thread
    }

    /// A line for `--strace`, with the thread it is about where there are
    /// several. Who reads it may be slow: the others go on meanwhile, and can
    /// stop the world.
    fn report(&self, text: &str) {
        let Some(output) = self.process.trace() else {
            return;
        };
        let options = &self.process.options;
        let shared = options.follow && options.report.is_none();
        let several = shared || self.process.threads() > 1 || self.process.is_borrowed();
        let whose = match several {
            true => format!("[pid {}] ", proc::thread_id()),
            false => String::new(),
        };
        let line = format!("{whose}{text}\n");
        let world = &self.process.machine.world;
        let rest = world.host_call(&self.thread.seat, || output.begin(&line));
        output.finish(rest);
    }

    fn count(&self, kind: ExitKind) {
        if let Some(stats) = self.process.stats() {
            stats.exit(kind);
        }
    }

    /// Runs the call in `row`, or none.
    fn carry_out(&mut self, vcpu: &mut Vcpu, row: Option<&'static Row>, args: [u64; 6]) -> Outcome {
        let Some(row) = row else {
            return Outcome::Fail(Errno::ENOSYS);
        };
        let process = &self.process;
        let mut call = Call {
            row,
            args,
            process,
            thread: &mut self.thread,
            vcpu,
        };
        if let Some(outcome) = nsm::on_device(&mut call) {
            return outcome;
        }
        let outcome = match row.action {
            Action::Proxy => call.forward().into(),
            Action::Handle(handler) if process.is_borrowed() && mman::is_the_memorys(&call) => {
                let seat = Arc::clone(&call.thread.seat);
                process.apart(&seat, || handler(&mut call))
            }
            Action::Handle(handler) => handler(&mut call),
            Action::Refuse(errno) => Outcome::Fail(errno),
        };
        match memory_file::look(&call, outcome) {
            Outcome::Done(fd) if row.ret == Ret::Fd => nsm::admit(&call, fd)
                .and_then(|fd| relocate(&process.fds, fd))
                .into(),
            outcome => outcome,
        }
    }

    /// What the payload itself has against a call: it wants to answer it, or
    /// its filters forbid it.
    fn judge(&self, vcpu: &Vcpu, number: u64, args: [u64; 6]) -> Option<Outcome> {
        if let Some(user_dispatch) = &self.thread.user_dispatch {
            let read = |address| self.process.memory.read_value(address);
            match user_dispatch.choose(vcpu.registers().rip, read) {
                Choice::Make => (),
                Choice::HandBack => return Some(Outcome::Control(Control::HandBack)),
                Choice::Kill(signal) => return Some(Outcome::Control(Control::Kill(signal))),
            }
        }
        if !self.thread.seccomp.is_active() {
            return None;
        }
        seccomp::judge(&self.thread, vcpu.registers().rip, number as u32, args)
    }

    /// Drops the page tables while no processor runs.
    fn drop_tables(&self) -> Result<(), Errno> {
        let machine = &self.process.machine;
        let _stopped = machine.world.stop(&self.thread.seat)?;
        machine.drop_tables()
    }

    fn page_fault(&mut self, vcpu: &mut Vcpu, fault: Exception) -> Result<Next, VcpuError> {
        self.count(ExitKind::PageFault);
        let rip = vcpu.registers().rip;
        let probe = match self.host_fault {
            Some(HostFault::Probing { rip: at }) => at == rip,
            _ => false,
        };
        if !probe {
            self.host_fault = None;
        }
        let resolve = || {
            let mut space = self.process.space();
            space.page_fault(fault.address, fault.error, probe)
        };
        let resolution = self.process.apart(&self.thread.seat, || match resolve() {
            Err(Errno::ENOMEM) => {
                // No room for a table: start anew with what is used now.
                self.drop_tables()?;
                Ok(resolve().unwrap_or(Resolution::NoPage))
            }
            resolution => resolution,
        })?;
        let (signal, code) = match resolution {
            Resolution::Filled => return Ok(Next::Enter),
            Resolution::Stale => {
                vcpu.flush()?;
                return Ok(Next::Enter);
            }
            Resolution::NotMapped => (libc::SIGSEGV, exception::SEGV_MAPERR),
            Resolution::Denied => (libc::SIGSEGV, exception::SEGV_ACCERR),
            Resolution::NoPage => (libc::SIGBUS, exception::BUS_ADRERR),
        };
        log::debug!("{resolution:?} at {rip:#x}: {fault:x?}");
        self.host_fault = None;
        let info = frame::fault_info(signal, code, fault.address);
        self.signal_fault(vcpu, &info, fault)
    }

    fn signal_fault(
        &mut self,
        vcpu: &mut Vcpu,
        info: &frame::SigInfo,
        exception: Exception,
    ) -> Result<Next, VcpuError> {
        self.report(&frame::describe(info));
        self.thread.fault.note(exception);
        let delivered = deliver_fault(&self.process, &mut self.thread, vcpu, info);
        Ok(next(delivered))
    }

    /// A signal instead of the call with this in `rax`.
    fn signal_call(&mut self, vcpu: &mut Vcpu, number: u64, info: &frame::SigInfo) -> Next {
        // As before the call, but for the instruction pointer.
        vcpu.set_result(number);
        self.report(&frame::describe(info));
        next(deliver_fault(&self.process, &mut self.thread, vcpu, info))
    }
}

fn next(delivered: Delivered) -> Next {
    match delivered {
        Delivered::Running => Next::Enter,
        Delivered::Fatal(signal) => Next::Stop(End::Signal(signal)),
    }
}

impl Dispatch for Payload {
    fn syscall(&mut self, vcpu: &mut Vcpu) -> Result<Next, VcpuError> {
        self.count(ExitKind::Syscall);
        self.host_fault = None;
        let regs = vcpu.registers();
        // The kernel reads the lower half of the register.
        let full_number = regs.rax;
        let number = full_number & 0xffff_ffff;
        let args = [regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9];
        let row = table::row(number).or_else(|| own::row(number));

        let trace = self
            .process
            .trace()
            .map(|_| Trace::enter(&self.process.memory, number, row, &args));
        let start = self.process.stats().map(|stats| (stats, Instant::now()));
        let outcome = match self.judge(vcpu, number, args) {
            Some(outcome) => outcome,
            None => self.carry_out(vcpu, row, args),
        };
        if !self.thread.mailbox().is_noted() {
            self.thread.temporary_mask = None;
        }
        if let Some((stats, start)) = start {
            stats.call(number, start.elapsed(), matches!(outcome, Outcome::Fail(_)));
        }
        if let Some(trace) = trace {
            self.report(&trace.exit(&self.process.memory, &outcome));
        }
        Ok(match outcome {
            Outcome::Done(value) => {
                vcpu.set_result(value);
                Next::Enter
            }
            Outcome::Fail(NOT_BEGUN) => {
                // A signal comes first; then the instruction is run again.
                let regs = vcpu.replace_registers();
                regs.rip = regs.rip.wrapping_sub(SYSCALL_LENGTH);
                regs.rax = full_number;
                Next::Enter
            }
            Outcome::Fail(errno) => {
                vcpu.set_result(errno.to_rax());
                Next::Enter
            }
            Outcome::Control(Control::Untouched) => Next::Enter,
            Outcome::Control(Control::ExitGroup(status)) => Next::Stop(End::Exit(status)),
            Outcome::Control(Control::ExitThread(status)) => Next::Stop(End::Thread(status)),
            Outcome::Control(Control::Kill(signal)) => Next::Stop(End::Signal(signal)),
            Outcome::Control(Control::KillThread(signal)) => Next::Stop(End::ThreadSignal(signal)),
            Outcome::Control(Control::Trap(data)) => {
                let info = frame::seccomp_info(data, vcpu.registers().rip, number as u32);
                self.signal_call(vcpu, full_number, &info)
            }
            Outcome::Control(Control::HandBack) => {
                let info = frame::user_dispatch_info(vcpu.registers().rip, number as u32);
                self.signal_call(vcpu, full_number, &info)
            }
        })
    }

    fn exception(&mut self, vcpu: &mut Vcpu, exception: Exception) -> Result<Next, VcpuError> {
        if exception.vector == PAGE_FAULT {
            return self.page_fault(vcpu, exception);
        }
        self.count(ExitKind::Exception);
        self.host_fault = None;
        let rip = vcpu.registers().rip;
        let mut code = [0; quirk::LONGEST];
        let len = self.process.memory.read_available(rip, &mut code);
        let exception = quirk::correct(exception, code.get(..len).unwrap_or(&code));
        let debug = if exception::is_debug(exception.vector) {
            vcpu.take_debug_status()?
        } else {
            0
        };
        let numeric = exception::is_numeric(exception.vector);
        let state = if numeric {
            Some(vcpu.extended_state()?)
        } else {
            None
        };
        let state = state.as_ref().map_or(&[][..], frame::xsave_bytes);
        match exception::signal_of(exception, rip, debug, state) {
            exception::Outcome::Signal(info) => self.signal_fault(vcpu, &info, exception),
            exception::Outcome::Retry => Ok(Next::Enter),
            exception::Outcome::Unexpected => Ok(Next::Stop(End::Failed(Failure::Exception(
                exception.vector,
            )))),
        }
    }

    fn fault(&mut self, vcpu: &mut Vcpu) -> Result<Next, VcpuError> {
        self.count(ExitKind::HostFault);
        let rip = vcpu.registers().rip;
        self.host_fault = match self.host_fault {
            Some(HostFault::Flushed { rip: at }) if at == rip => {
                let seat = &self.thread.seat;
                self.process.apart(seat, || self.drop_tables())?;
                Some(HostFault::Probing { rip })
            }
            Some(HostFault::Probing { rip: at }) if at == rip => {
                // Every page it uses can be had, and still it fails: the host
                // has taken one away again.
                self.host_fault = None;
                let info = frame::fault_info(libc::SIGBUS, exception::BUS_ADRERR, rip);
                let fault = Exception {
                    vector: PAGE_FAULT,
                    error: 0,
                    address: rip,
                };
                return self.signal_fault(vcpu, &info, fault);
            }
            _ => {
                vcpu.flush()?;
                Some(HostFault::Flushed { rip })
            }
        };
        Ok(Next::Enter)
    }

    fn attend(&mut self, vcpu: &mut Vcpu) -> Result<Next, VcpuError> {
        if vcpu.in_transit() && self.thread.mailbox().is_noted() {
            self.thread.mailbox().let_pass();
        }
        while !vcpu.in_transit()
            && let Some(info) = self.thread.mailbox().take()
        {
            self.count(ExitKind::Signal);
            self.report(&frame::describe(&info));
            let delivered = deliver::deliver(&self.process, &mut self.thread, vcpu, &info);
            if let Delivered::Fatal(signal) = delivered {
                return Ok(Next::Stop(End::Signal(signal)));
            }
        }
        let (cpu, node) = proc::cpu_and_node();
        vcpu.set_cpu_node(cpu, node)?;
        let world = &self.process.machine.world;
        world.enter_guest(&self.thread.seat);
        // Wanted while the world stood still.
        let flushes = world.flushes();
        if std::mem::replace(&mut self.flushes, flushes) != flushes {
            vcpu.flush()?;
        }
        Ok(Next::Enter)
    }

    fn left(&mut self) {
        let world = &self.process.machine.world;
        world.leave_guest(&self.thread.seat);
        // After a kick, even one that came late.
        self.thread.mailbox().calm();
    }
}
