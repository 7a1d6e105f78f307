//! The run loop of a payload thread.

use crate::errno::Errno;
use crate::vcpu::exit::{Exception, Exit, Failure};
use crate::vcpu::{Vcpu, VcpuError};

/// What the rest of the monitor does for a running vCPU.
pub trait Dispatch {
    /// The payload made a system call.
    fn syscall(&mut self, vcpu: &mut Vcpu) -> Result<Next, VcpuError>;
    /// The processor raised an exception in the payload.
    fn exception(&mut self, vcpu: &mut Vcpu, exception: Exception) -> Result<Next, VcpuError>;
    /// The host has no memory for the instruction at `rip`.
    fn fault(&mut self, vcpu: &mut Vcpu) -> Result<Next, VcpuError>;
    /// Before each entry: signals, requests to stop.
    fn attend(&mut self, vcpu: &mut Vcpu) -> Result<Next, VcpuError>;
    /// After each exit, before anything else.
    fn left(&mut self);
}

/// What a run loop does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Enter the guest again.
    Enter,
    /// The thread is at its end.
    Stop(End),
}

/// How a payload, or one of its threads, ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// With an exit status.
    Exit(u8),
    /// Only the thread ends, with a status.
    Thread(u8),
    /// Only the thread ends, as by a signal.
    ThreadSignal(i32),
    /// By a signal.
    Signal(i32),
    /// The machine cannot go on.
    Failed(Failure),
}

/// Runs a thread of the payload on `vcpu` to its end.
///
/// # Errors
///
/// Where KVM or the monitor's own memory fails.
pub fn run(vcpu: &mut Vcpu, dispatch: &mut impl Dispatch) -> Result<End, VcpuError> {
    loop {
        if let Next::Stop(end) = dispatch.attend(vcpu)? {
            return Ok(end);
        }
        let exit = vcpu.enter();
        dispatch.left();
        let next = match exit? {
            Exit::Syscall => dispatch.syscall(vcpu)?,
            Exit::Exception(exception) => dispatch.exception(vcpu, exception)?,
            Exit::Fault => dispatch.fault(vcpu)?,
            Exit::Kick => Next::Enter,
            Exit::Failed(failure) => Next::Stop(End::Failed(failure)),
        };
        if let Next::Stop(end) = next {
            return Ok(end);
        }
    }
}

impl From<VcpuError> for Errno {
    fn from(error: VcpuError) -> Errno {
        match error {
            VcpuError::Refused { source, .. } => source.into(),
            VcpuError::Area(errno) => errno,
        }
    }
}
