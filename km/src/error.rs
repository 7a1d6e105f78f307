//! Why km could not run the payload: one line for the user, and an exit code.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::errno::Errno;
use crate::exit_code;
use crate::loader::LoadError;
use crate::shim::ShimError;
use crate::vcpu::VcpuError;
use crate::vcpu::exit::Failure;
use crate::vm::VmError;

/// A failure of km itself, or of the attempt to start the payload.
#[derive(Debug, Error)]
pub enum Error {
    #[error("{0}")]
    Load(#[from] LoadError),
    #[error("{0}: not found, neither here nor in PATH")]
    NotFound(PathBuf),
    #[error("{0}: not found in PATH")]
    NotInPath(PathBuf),
    #[error("{0}")]
    Vm(#[from] VmError),
    #[error("{0}")]
    Vcpu(#[from] VcpuError),
    #[error("{0}")]
    Shim(#[from] ShimError),
    #[error(
        "no room for the payload's address space: {0} (is there a limit on virtual memory, ulimit -v?)"
    )]
    Reserve(io::Error),
    #[error("out of memory: {0}")]
    Memory(#[from] Errno),
    #[error(
        "cannot set aside descriptors of its own: {0} (is the limit on open files very low, ulimit -n?)"
    )]
    Descriptors(io::Error),
    #[error("cannot write to {path}: {source}")]
    Output { path: PathBuf, source: io::Error },
    #[error(
        "the virtual machine stopped: {0:?} (km's fault: please report it, with --dump-shutdown)"
    )]
    Stopped(Failure),
    #[error("--nsm: {0}")]
    Nsm(#[from] crate::nsm::Error),
    #[error("options that begin with --nsm- need --nsm=MODE (see km --help)")]
    WithoutModule,
    #[error("a child that shared the program's memory (vfork) was killed while it changed it")]
    Abandoned,
}

impl Error {
    /// Whether the payload, which may be executed, does not fit into memory.
    pub fn is_lack_of_room(&self) -> bool {
        matches!(
            self,
            Error::Load(LoadError::Map { .. } | LoadError::Stack(_))
        )
    }

    /// The exit code of km for it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::NotFound(_) | Error::NotInPath(_) => exit_code::NOT_FOUND,
            Error::Load(error) => match (error, error.errno()) {
                (LoadError::Open { .. }, Errno::ENOENT | Errno::ENOTDIR) => exit_code::NOT_FOUND,
                (LoadError::Interpreter { .. }, Errno::ENOENT | Errno::ENOTDIR) => {
                    exit_code::NOT_FOUND
                }
                (LoadError::Map { .. }, Errno::ENOMEM) => exit_code::MONITOR,
                _ => exit_code::NOT_EXECUTABLE,
            },
            _ => exit_code::MONITOR,
        }
    }
}
