//! What brings a vCPU out of the guest.

/// Why the payload stopped running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It made a system call: number in `rax`, arguments in `rdi`, `rsi`,
    /// `rdx`, `r10`, `r8`, `r9`.
    Syscall,
    /// The processor raised an exception in it.
    Exception(Exception),
    /// The host could not give the memory an instruction at `rip` wants, or
    /// the guest used a translation that is no longer true.
    Fault,
    /// A signal brought it out.
    Kick,
    /// The virtual machine cannot go on.
    Failed(Failure),
}

/// A processor exception (SDM volume 3, section 7.15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exception {
    pub vector: u8,
    /// The error code, 0 for vectors without.
    pub error: u64,
    /// CR2, for page faults.
    pub address: u64,
}

/// Ends that no program brings about on a processor that works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// A triple fault.
    Shutdown,
    /// The processor refused to enter the guest.
    Entry(u64),
    /// KVM met an instruction it cannot emulate.
    Internal,
    /// Guest-physical memory that no slot backs was used.
    NoMemory(u64),
    /// An exception no program can cause.
    Exception(u8),
    /// An exit km does not know.
    Unexpected,
}
