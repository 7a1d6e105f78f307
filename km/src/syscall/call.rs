//! One system call under way: what a handler works with.

use std::sync::Arc;

use super::args::Kind;
use super::row::Row;
use crate::errno::Errno;
use crate::mem::guest::GuestMemory;
use crate::mem::layout::Arenas;
pub use crate::sys::call::pointer_to;
use crate::sys::call::{HostArgs, host_syscall};
use crate::task::process::Process;
use crate::task::thread::Thread;
use crate::vcpu::Vcpu;

/// A host pointer that always faults, for what cannot be read: the host finds
/// the error in its own order of checks.
pub const FAULT: u64 = Arenas::BEYOND;

/// Argument `index` of `row` as a number of elements or bytes.
pub fn count(row: &Row, args: &[u64; 6], index: usize) -> u64 {
    let value = args.get(index).copied().unwrap_or(0);
    match row.args.get(index).map(|arg| arg.kind) {
        Some(Kind::Int) => (value as i32).max(0) as u64,
        Some(Kind::Uint) => u64::from(value as u32),
        _ => value,
    }
}

/// A system call of a payload thread.
pub struct Call<'a> {
    /// Its row in the table.
    pub row: &'static Row,
    /// The six argument registers, as the payload left them.
    pub args: [u64; 6],
    /// The process it belongs to.
    pub process: &'a Arc<Process>,
    /// The thread that makes it: its signal state.
    pub thread: &'a mut Thread,
    /// The processor it runs on: registers.
    pub vcpu: &'a mut Vcpu,
}

impl Call<'_> {
    /// Payload memory, for fault-tolerant copies.
    pub fn memory(&self) -> &GuestMemory {
        &self.process.memory
    }

    /// Argument `index` as it is.
    pub fn arg(&self, index: usize) -> u64 {
        self.args.get(index).copied().unwrap_or(0)
    }

    /// Argument `index` as the kernel reads an `int`.
    pub fn int(&self, index: usize) -> i32 {
        self.arg(index) as i32
    }

    /// The row's arguments, each translated by its kind, for the host call of
    /// the same number.
    pub fn translate(&self) -> HostArgs {
        let mut host = HostArgs::default();
        for (index, arg) in self.row.args.iter().enumerate() {
            host.set(index, self.translate_one(arg.kind, index));
        }
        for (index, arg) in self.row.args.iter().enumerate() {
            if let Kind::BufIn(count) | Kind::BufOut(count) = arg.kind {
                let count = usize::from(count);
                let len = self.count(count);
                let (_, cut) = self.memory().host_buffer(self.arg(index), len);
                // Lengths of 32 bits are no danger, and some are judged.
                if cut != len
                    && matches!(
                        self.row.args.get(count).map(|arg| arg.kind),
                        Some(Kind::Size)
                    )
                {
                    host.set(count, cut);
                }
            }
        }
        host
    }

    /// The generic proxy: this call on the host.
    pub fn forward(&mut self) -> Result<u64, Errno> {
        let host = self.translate();
        self.host(self.row.number, &host)
    }

    /// Another call on the host, on behalf of this one. It can be interrupted
    /// by a signal for the payload.
    pub fn host(&self, number: u16, args: &HostArgs) -> Result<u64, Errno> {
        let (thread, world) = (&self.thread, &self.process.machine.world);
        world.host_call(&thread.seat, || {
            host_syscall(number, args, thread.interrupt_flag())
        })
    }

    fn translate_one(&self, kind: Kind, index: usize) -> u64 {
        let value = self.arg(index);
        let memory = &self.process.memory;
        let sized = |size: usize| memory.host_pointer(value, size as u64);
        let array = |size: usize, count: u8| {
            let count = self.count(usize::from(count));
            memory.host_pointer(value, count.saturating_mul(size as u64))
        };
        match kind {
            Kind::Fd | Kind::DirFd => self.process.fds.translate(value),
            // The kernel bounds a socket address that it writes by the length
            // it finds in memory, and does not check room it has no use for.
            Kind::Path | Kind::PathOut | Kind::Str | Kind::SockaddrOut(_) | Kind::BufPart(_) => {
                sized(1)
            }
            Kind::BufIn(count) | Kind::BufOut(count) | Kind::SockaddrIn(count) => array(1, count),
            Kind::In(what) | Kind::Out(what) | Kind::InOut(what) => sized(what.size),
            Kind::ArrayIn(what, count)
            | Kind::ArrayOut(what, count)
            | Kind::ArrayInOut(what, count) => array(what.size, count),
            Kind::Int
            | Kind::Uint
            | Kind::Long
            | Kind::Size
            | Kind::Hex
            | Kind::Mode
            | Kind::Flags(_)
            | Kind::Signal
            | Kind::Address
            | Kind::Unused => value,
            // Rows with these kinds have handlers; should one be proxied by
            // mistake, the host sees a pointer that always faults.
            Kind::IovIn(_)
            | Kind::IovOut(_)
            | Kind::MsgIn
            | Kind::MsgOut
            | Kind::Argv
            | Kind::Envp
            | Kind::Nested => FAULT,
        }
    }

    /// Argument `index` as a number of elements: what the kernel declares as
    /// 32 bits has garbage above them, and a negative number none.
    fn count(&self, index: usize) -> u64 {
        count(self.row, &self.args, index)
    }
}
