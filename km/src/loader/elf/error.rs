//! What can be wrong with an ELF file, and the errno Linux has for it.

use goblin::elf::header::{et_to_str, machine_to_str};
use thiserror::Error;

use super::{PHDR_SIZE, Role};
use km_abi::hypercalls::ABI;

/// What is wrong with an ELF file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Flaw {
    #[error("not an ELF file")]
    NotElf,
    #[error("cut short inside the ELF header ({0} bytes)")]
    HeaderTruncated(u64),
    #[error("a 32-bit program; only 64-bit x86-64 programs can be run")]
    Class32,
    #[error("a big-endian program; only x86-64 programs can be run")]
    BigEndian,
    #[error("built for {name} (machine {0}), not for x86-64", name = machine_to_str(*.0))]
    Machine(u16),
    #[error("ELF type {0} ({name}) is not an executable", name = et_to_str(*.0))]
    Type(u16),
    #[error("damaged ELF file: e_phentsize is {0}, not {PHDR_SIZE}")]
    PhdrSize(u16),
    #[error("damaged ELF file: {0} program headers")]
    PhdrCount(u16),
    #[error("damaged ELF file: program headers at {offset:#x}, beyond its end at {file_len:#x}")]
    PhdrTruncated { offset: u64, file_len: u64 },
    #[error("damaged ELF file: interpreter path of {0} bytes")]
    InterpLength(u64),
    #[error("damaged ELF file: interpreter path at impossible offset {0:#x}")]
    InterpOffset(u64),
    #[error("damaged ELF file: interpreter path at {0:#x}, beyond its end")]
    InterpTruncated(u64),
    #[error("damaged ELF file: interpreter path without an end")]
    InterpNotTerminated,
    #[error("damaged ELF file: empty interpreter path")]
    InterpEmpty,
    #[error(
        "built for version {0} of km's C library, and this km has version {ABI}: \
         install km and its runtime anew, then link it again"
    )]
    RuntimeAbi(u32),
    #[error("damaged ELF file: nothing to load")]
    NothingToLoad,
    #[error("damaged ELF file: program header {index}: more bytes in the file than in memory")]
    FileSize { index: usize },
    #[error("damaged ELF file: program header {index}: {vaddr:#x} + {memsz:#x} is out of range")]
    AddressRange {
        index: usize,
        vaddr: u64,
        memsz: u64,
    },
    #[error(
        "damaged ELF file: program header {index}: address {vaddr:#x} and file offset {offset:#x} \
         differ within the page"
    )]
    Incongruent {
        index: usize,
        vaddr: u64,
        offset: u64,
    },
    #[error("damaged ELF file: program header {index}: impossible file offset {offset:#x}")]
    FileOffset { index: usize, offset: u64 },
    #[error("damaged ELF file: entry point {0:#x} is out of range")]
    Entry(u64),
}

/// Why a file cannot be run as a program or used as an interpreter.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{flaw}")]
pub struct ElfError {
    /// What the file was to be.
    pub role: Role,
    /// What is wrong with it.
    pub flaw: Flaw,
}

impl ElfError {
    pub(super) fn new(role: Role, flaw: Flaw) -> ElfError {
        ElfError { role, flaw }
    }

    /// The error number that Linux gives, positive (`libc::ENOEXEC`, …).
    pub fn errno(&self) -> i32 {
        match (&self.flaw, self.role) {
            (Flaw::HeaderTruncated(_), Role::Interpreter) => libc::EIO,
            (
                Flaw::NotElf
                | Flaw::HeaderTruncated(_)
                | Flaw::Class32
                | Flaw::BigEndian
                | Flaw::Machine(_)
                | Flaw::Type(_)
                | Flaw::PhdrSize(_)
                | Flaw::PhdrCount(_)
                | Flaw::PhdrTruncated { .. }
                | Flaw::RuntimeAbi(_),
                role,
            ) => match role {
                Role::Program => libc::ENOEXEC,
                Role::Interpreter => libc::ELIBBAD,
            },
            (Flaw::InterpLength(_) | Flaw::InterpNotTerminated, _) => libc::ENOEXEC,
            (Flaw::InterpOffset(_), _) => libc::EINVAL,
            (Flaw::InterpTruncated(_), _) => libc::EIO,
            // Linux opens the path, finds the working directory, and a
            // directory cannot be executed.
            (Flaw::InterpEmpty, _) => libc::EACCES,
            (Flaw::FileSize { .. } | Flaw::AddressRange { .. }, Role::Interpreter) => libc::ENOMEM,
            (
                Flaw::NothingToLoad
                | Flaw::FileSize { .. }
                | Flaw::AddressRange { .. }
                | Flaw::Incongruent { .. }
                | Flaw::Entry(_),
                _,
            ) => libc::EINVAL,
            (Flaw::FileOffset { .. }, _) => libc::EOVERFLOW,
        }
    }

    /// Whether Linux notices this flaw only when the old program is already
    /// gone: `execve(2)` then never returns, and the process dies of SIGSEGV.
    #[cfg(test)]
    pub fn is_fatal(&self) -> bool {
        match self.flaw {
            Flaw::Type(_) => self.role == Role::Interpreter,
            Flaw::NothingToLoad
            | Flaw::FileSize { .. }
            | Flaw::AddressRange { .. }
            | Flaw::Incongruent { .. }
            | Flaw::FileOffset { .. }
            | Flaw::Entry(_) => true,
            _ => false,
        }
    }
}
