//! An emulated module that several processes share.
//!
//! It is in a file in memory, mapped by each of them, that has room for it
//! twice, and a number that says which of the two holds: whoever is killed
//! while he writes the other leaves the module as it was. The lock on the file
//! ends with its process. Mapped, since writing to a file is bound by a limit
//! of the payload's (`RLIMIT_FSIZE`).

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use km_nsm::device::Module;
use vm_memory::{Bytes, FileOffset, MmapRegion, VolatileMemory};

use crate::errno::Errno;
use crate::fd::ReservedFds;
use crate::sys::lock::{Guard, Lock};
use crate::sys::proc;

/// Where the two are, and the most bytes of each, with its length before it.
const FIRST: usize = 4096;
const ROOM: usize = 32 << 10;
const LENGTH: usize = 4;
const SIZE: usize = FIRST + 2 * ROOM;

/// A module in a file.
#[derive(Debug)]
pub struct Shared {
    file: Arc<File>,
    memory: MmapRegion,
    /// The lock on the file is a process's; this is among its threads.
    busy: Lock<()>,
}

/// Nobody else can take the module meanwhile.
#[derive(Debug)]
pub struct Busy<'a> {
    shared: &'a Shared,
    /// Which of the two holds.
    current: usize,
    /// The module as it was.
    bytes: Vec<u8>,
    _busy: Guard<'a, ()>,
}

impl Shared {
    /// # Errors
    ///
    /// Where there is no memory, or no descriptor.
    pub fn new(module: &Module, fds: &ReservedFds) -> Result<Shared, Errno> {
        let empty = vec![0; SIZE];
        let file = fds.adopt(|| proc::fixed_file(c"km-nsm", &empty))?;
        let shared = Shared::inherited(file)?;
        let bytes = postcard::to_allocvec(module).map_err(|_| Errno::ENOMEM)?;
        shared.write(0, &bytes)?;
        Ok(shared)
    }

    /// # Errors
    ///
    /// Where it cannot be mapped.
    pub fn inherited(file: OwnedFd) -> Result<Shared, Errno> {
        let file = Arc::new(File::from(file));
        let whole = FileOffset::from_arc(Arc::clone(&file), 0);
        let memory = MmapRegion::from_file(whole, SIZE).map_err(|_| Errno::ENOMEM)?;
        Ok(Shared {
            file,
            memory,
            busy: Lock::new(()),
        })
    }

    pub fn descriptor(&self) -> i32 {
        self.file.as_raw_fd()
    }

    /// Takes the module, if no other thread or process has it.
    ///
    /// # Errors
    ///
    /// From `fcntl(2)`.
    pub fn take(&self) -> Result<Option<Busy<'_>>, Errno> {
        // Not waited for: a child made by `vfork` may be stopped while it has
        // it, and who waits here could not be interrupted.
        let Some(busy) = self.busy.try_lock() else {
            return Ok(None);
        };
        if !proc::lock_file(self.file.as_fd())? {
            return Ok(None);
        }
        let mut taken = Busy {
            shared: self,
            current: 0,
            bytes: Vec::new(),
            _busy: busy,
        };
        let memory = self.memory.as_volatile_slice();
        let current: u32 = memory.load(0, Ordering::Acquire).map_err(|_| Errno::EIO)?;
        taken.current = current as usize % 2;
        taken.bytes = self.read(taken.current)?;
        Ok(Some(taken))
    }

    fn read(&self, which: usize) -> Result<Vec<u8>, Errno> {
        let at = FIRST + which * ROOM;
        let memory = self.memory.as_volatile_slice();
        let length: u32 = memory.read_obj(at).map_err(|_| Errno::EIO)?;
        let mut bytes = vec![0; (length as usize).min(ROOM - LENGTH)];
        let read = memory.read_slice(&mut bytes, at + LENGTH);
        read.map_err(|_| Errno::EIO)?;
        Ok(bytes)
    }

    fn write(&self, which: usize, bytes: &[u8]) -> Result<(), Errno> {
        if bytes.len() > ROOM - LENGTH {
            return Err(Errno::EFBIG);
        }
        let at = FIRST + which * ROOM;
        let memory = self.memory.as_volatile_slice();
        memory
            .write_obj(bytes.len() as u32, at)
            .and_then(|()| memory.write_slice(bytes, at + LENGTH))
            .and_then(|()| memory.store(which as u32, 0, Ordering::Release))
            .map_err(|_| Errno::EIO)
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
    /// EFBIG where it has grown beyond its room.
    pub fn put(self, changed: &[u8]) -> Result<(), Errno> {
        self.shared.write(1 - self.current, changed)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        proc::unlock_file(self.shared.file.as_fd());
    }
}
