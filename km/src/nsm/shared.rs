//! An emulated module that several processes share.
//!
//! It is in a file in memory that has room for it twice, and a number that says
//! which of the two holds: whoever is killed while he writes the other leaves
//! the module as it was. The lock on the file ends with its process.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;

use km_nsm::device::Module;

use crate::errno::Errno;
use crate::fd::ReservedFds;
use crate::sys::lock::{Guard, Lock};
use crate::sys::proc;

/// Where the two are, and the most bytes of each, with its length before it.
const FIRST: u64 = 4096;
const ROOM: u64 = 32 << 10;
const LENGTH: u64 = 4;

/// A module in a file.
#[derive(Debug)]
pub struct Shared {
    file: File,
    /// The lock on the file is a process's; this is among its threads.
    busy: Lock<()>,
}

/// Nobody else can take the module meanwhile.
#[derive(Debug)]
pub struct Busy<'a> {
    shared: &'a Shared,
    /// Which of the two holds.
    current: u64,
    /// The module as it was.
    bytes: Vec<u8>,
    _busy: Guard<'a, ()>,
}

impl Shared {
    /// # Errors
    ///
    /// Where there is no memory, or no descriptor.
    pub fn new(module: &Module, fds: &ReservedFds) -> Result<Shared, Errno> {
        let file = fds.adopt(|| proc::memory_file(c"km-nsm", b"", libc::MFD_CLOEXEC))?;
        let shared = Shared::inherited(file);
        let bytes = postcard::to_allocvec(module).map_err(|_| Errno::ENOMEM)?;
        shared.write(0, &bytes)?;
        Ok(shared)
    }

    pub fn inherited(file: OwnedFd) -> Shared {
        Shared {
            file: file.into(),
            busy: Lock::new(()),
        }
    }

    pub fn descriptor(&self) -> i32 {
        self.file.as_raw_fd()
    }

    /// Takes the module, if no other process has it.
    ///
    /// # Errors
    ///
    /// From `fcntl(2)` and `pread(2)`.
    pub fn take(&self) -> Result<Option<Busy<'_>>, Errno> {
        let busy = self.busy.lock();
        if !proc::lock_file(self.file.as_fd())? {
            return Ok(None);
        }
        let mut taken = Busy {
            shared: self,
            current: 0,
            bytes: Vec::new(),
            _busy: busy,
        };
        let mut current = [0; 8];
        self.file.read_exact_at(&mut current, 0)?;
        taken.current = u64::from_le_bytes(current) % 2;
        taken.bytes = self.read(taken.current)?;
        Ok(Some(taken))
    }

    fn read(&self, which: u64) -> io::Result<Vec<u8>> {
        let at = FIRST + which * ROOM;
        let mut length = [0; LENGTH as usize];
        self.file.read_exact_at(&mut length, at)?;
        let length = u64::from(u32::from_le_bytes(length)).min(ROOM - LENGTH);
        let mut bytes = vec![0; length as usize];
        self.file.read_exact_at(&mut bytes, at + LENGTH)?;
        Ok(bytes)
    }

    fn write(&self, which: u64, bytes: &[u8]) -> Result<(), Errno> {
        if bytes.len() as u64 > ROOM - LENGTH {
            return Err(Errno::EFBIG);
        }
        let mut record = (bytes.len() as u32).to_le_bytes().to_vec();
        record.extend_from_slice(bytes);
        self.write_at(FIRST + which * ROOM, &record)?;
        self.write_at(0, &which.to_le_bytes())?;
        Ok(())
    }

    /// The payload's limit on the size of files is not meant for this one.
    fn write_at(&self, at: u64, bytes: &[u8]) -> io::Result<()> {
        (&self.file).seek(SeekFrom::Start(at))?;
        proc::write_all(&self.file, bytes)
    }
}

impl Busy<'_> {
    /// The module.
    ///
    /// # Errors
    ///
    /// EIO where it is damaged.
    pub fn module(&self) -> Result<Module, Errno> {
        postcard::from_bytes(&self.bytes).map_err(|_| Errno::EIO)
    }

    /// What there is to be put back, if `module` has changed.
    ///
    /// # Errors
    ///
    /// ENOMEM.
    pub fn changed(&self, module: &Module) -> Result<Option<Vec<u8>>, Errno> {
        let bytes = postcard::to_allocvec(module).map_err(|_| Errno::ENOMEM)?;
        Ok((bytes != self.bytes).then_some(bytes))
    }

    /// Puts it back.
    ///
    /// # Errors
    ///
    /// From `pwrite(2)`.
    pub fn put(self, changed: &[u8]) -> Result<(), Errno> {
        self.shared.write(1 - self.current, changed)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        proc::unlock_file(self.shared.file.as_fd());
    }
}
