//! The security module (`/dev/nsm`) as the payload's processes share it.
//!
//! All processes of a payload have one module, made before the first one
//! starts: an emulated one is a file in memory that each takes out, changes
//! and puts back under a lock ([`shared`]); a real one is the host's device,
//! to which requests go unchanged ([`host`]). What the payload opens is a file
//! without content, by which its descriptors are known from all others.

mod host;
mod launch;
mod shared;

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use km_nsm::policy::Policy;
use serde::{Deserialize, Serialize};
use thiserror::Error as ThisError;

use crate::errno::Errno;
use crate::fd::ReservedFds;
use crate::sys::proc;

pub use host::{Host, REQUEST};
pub use launch::{Launch, foresee, now, start};
pub use shared::{Busy, Shared};

/// The device's name, in the directory [`DIRECTORY`].
pub const NAME: &[u8] = b"nsm";
const DIRECTORY: &str = "/dev";
/// Where it is for the payload, and where a real one is on the host.
pub const DEVICE: &str = "/dev/nsm";
/// Major and minor number where the host has no such device.
const NUMBER: (u32, u32) = (10, 147);

/// What the user wants of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    pub mode: Mode,
    /// Where the certificate authority is.
    pub authority: PathBuf,
    /// The real device.
    pub device: PathBuf,
    /// Where to write the event log.
    pub manifest: Option<PathBuf>,
    /// Names of variables that are not measured.
    pub env_excluded: Vec<Vec<u8>>,
    /// Files and directories that are.
    pub files: Vec<PathBuf>,
    pub role: Option<String>,
    /// A certificate, and the program's signature by its key.
    pub signer: Option<(PathBuf, PathBuf)>,
    /// Measure into a real module.
    pub measured: bool,
    /// Let the payload lock ranges of registers of a real one.
    pub lock_ranges: bool,
}

/// Whether there is a module, and which.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// None.
    #[default]
    Off,
    /// km's own, which proves nothing to who does not trust this host.
    Emulated,
    /// The host's /dev/nsm.
    Host,
    /// The host's if it has one, else km's own.
    Auto,
}

/// Why there can be no module.
#[derive(Debug, ThisError)]
pub enum Error {
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{0} (\"km nsm init\" makes a certificate authority)")]
    NoAuthority(km_nsm::authority::Error),
    #[error("{0}")]
    Authority(#[from] km_nsm::authority::Error),
    #[error("{}: {source}", path.display())]
    Signature {
        path: PathBuf,
        source: km_nsm::signer::Error,
    },
    #[error("no random numbers: {0}")]
    Random(#[from] km_nsm::random::Error),
    #[error("{}: this is no security module", .0.display())]
    NoModule(PathBuf),
    #[error(
        "register {0} of the host's security module is in use: another payload has been measured \
         into it (--nsm-premeasure=off leaves this one out)"
    )]
    InUse(u16),
    #[error(
        "PCR 3 and 8 of the host's security module are the enclave's: --nsm-role and --nsm-signer are for an emulated one"
    )]
    OfTheEnclave,
    #[error("{0}")]
    Host(#[from] Errno),
}

/// The module of a payload, or that there is none.
#[derive(Debug)]
pub struct Nsm {
    module: Option<Module>,
    /// The numbers of the host's own devices, which the payload may not open.
    host_devices: Vec<u64>,
}

#[derive(Debug)]
struct Module {
    backend: Backend,
    /// What the payload opens.
    file: OwnedFd,
    file_id: (u64, u64),
    /// The directory that the device is in.
    directory: Option<(u64, u64)>,
}

/// Who answers.
#[derive(Debug)]
pub enum Backend {
    Emulated(Shared),
    Host(Host),
}

/// Descriptors of what the payload opens and of who answers, and the directory
/// that the device is in.
type Kept = (i32, i32, Option<(u64, u64)>);

/// What one monitor leaves to the next.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Handover {
    host_devices: Vec<u64>,
    module: Option<Kept>,
    /// Of a real one.
    policy: Option<(bool, bool)>,
}

impl Nsm {
    /// For a payload that is to have none.
    pub fn none() -> Nsm {
        Nsm {
            module: None,
            host_devices: host_device().into_iter().collect(),
        }
    }

    /// Around `backend`.
    ///
    /// # Errors
    ///
    /// Where no descriptor can be had.
    fn new(backend: Backend, fds: &ReservedFds) -> Result<Nsm, Errno> {
        let file = fds.adopt(|| proc::sealed_file(c"nsm", b""))?;
        let directory = fs::metadata(DIRECTORY).ok();
        // First the one that this module is.
        let own = match &backend {
            Backend::Host(host) => proc::character_device(host.device.as_fd()),
            Backend::Emulated(_) => None,
        };
        Ok(Nsm {
            module: Some(Module {
                backend,
                file_id: proc::file_identity(file.as_fd())?,
                file,
                directory: directory.map(|found| (found.dev(), found.ino())),
            }),
            host_devices: own.into_iter().chain(host_device()).collect(),
        })
    }

    /// What the monitor before this one has left.
    ///
    /// # Errors
    ///
    /// Where `take` does not find a descriptor.
    pub fn inherited(
        from: &Handover,
        take: impl Fn(i32) -> Result<OwnedFd, Errno>,
    ) -> Result<Nsm, Errno> {
        let module = match from.module {
            None => None,
            Some((file, backend, directory)) => {
                let (file, backend) = (take(file)?, take(backend)?);
                let backend = match from.policy {
                    None => Backend::Emulated(Shared::inherited(backend)?),
                    Some((measured, lock_ranges)) => {
                        let policy = Policy {
                            measured,
                            lock_ranges,
                        };
                        Backend::Host(Host::inherited(backend, policy))
                    }
                };
                Some(Module {
                    backend,
                    file_id: proc::file_identity(file.as_fd())?,
                    file,
                    directory,
                })
            }
        };
        Ok(Nsm {
            module,
            host_devices: from.host_devices.clone(),
        })
    }

    pub fn handover(&self) -> Handover {
        let module = self.module.as_ref();
        Handover {
            host_devices: self.host_devices.clone(),
            module: module.map(|module| {
                let backend = module.backend.descriptor();
                (module.file.as_raw_fd(), backend, module.directory)
            }),
            policy: match module.map(|module| &module.backend) {
                Some(Backend::Host(host)) => Some((host.policy.measured, host.policy.lock_ranges)),
                _ => None,
            },
        }
    }

    /// Descriptors of the monitor's that its children keep; -1 for none.
    pub fn descriptors(&self) -> [i32; 2] {
        let module = self.module.as_ref();
        module.map_or([-1; 2], |module| {
            [module.file.as_raw_fd(), module.backend.descriptor()]
        })
    }

    /// Whether the payload has one.
    pub fn is_on(&self) -> bool {
        self.module.is_some()
    }

    pub fn backend(&self) -> Option<&Backend> {
        self.module.as_ref().map(|module| &module.backend)
    }

    /// The device's number.
    pub fn number(&self) -> u64 {
        let (major, minor) = NUMBER;
        let own = self.host_devices.first();
        own.copied().unwrap_or_else(|| libc::makedev(major, minor))
    }

    /// What stands for the device.
    pub fn file(&self) -> Option<&OwnedFd> {
        self.module.as_ref().map(|module| &module.file)
    }

    /// Whether `fd` is a descriptor of the payload's for it.
    pub fn is_opened_by(&self, fd: i32) -> bool {
        let Some(module) = &self.module else {
            return false;
        };
        let opened = proc::borrow_fd(fd).and_then(|fd| proc::file_identity(fd).ok());
        opened == Some(module.file_id)
    }

    /// Whether a file of this name in `directory` is the device.
    pub fn is_at(&self, directory: BorrowedFd<'_>, name: &OsStr) -> bool {
        let Some(module) = &self.module else {
            return false;
        };
        name.as_bytes() == NAME
            && module.directory.is_some()
            && proc::file_identity(directory).ok() == module.directory
    }

    /// Whether `file`, which was opened by the host, is the host's device.
    pub fn is_the_hosts(&self, file: BorrowedFd<'_>) -> bool {
        let is_it = |number| self.host_devices.contains(&number);
        !self.host_devices.is_empty() && proc::character_device(file).is_some_and(is_it)
    }
}

impl Backend {
    fn descriptor(&self) -> i32 {
        match self {
            Backend::Emulated(shared) => shared.descriptor(),
            Backend::Host(host) => host.device.as_raw_fd(),
        }
    }
}

/// The number of the host's device, if it has one.
fn host_device() -> Option<u64> {
    let found = fs::metadata(DEVICE).ok()?;
    let is_character = found.mode() & libc::S_IFMT == libc::S_IFCHR;
    is_character.then(|| found.rdev())
}
