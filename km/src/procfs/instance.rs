//! Mounts of procfs made at different times are different file systems: each
//! has the numbers of one PID namespace.

use std::ffi::CString;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use super::number;
use crate::errno::Errno;
use crate::sys::{path, proc};
use crate::task::process::Process;

/// One such file system, by its root.
#[derive(Debug, Clone)]
pub struct Instance(Arc<OwnedFd>);

impl Instance {
    /// That of the directory `root`, if it is the root of one.
    pub fn new(root: OwnedFd) -> Option<Instance> {
        /// `PROC_ROOT_INO`.
        const ROOT: u64 = 1;
        let is_root = path::locate(root.as_fd()).is_some_and(|at| at.inode == ROOT);
        (is_root && proc::is_on_procfs(root.as_fd())).then(|| Instance(Arc::new(root)))
    }

    /// The one the monitor holds.
    pub fn held(process: &Process) -> Option<Instance> {
        process.proc_root.clone().map(Instance)
    }

    pub fn root(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// The ids that the calling process and thread have here; none where they
    /// are not of its PID namespace.
    pub fn own_ids(&self) -> Option<(i32, i32)> {
        let link = path::link_at(self.root(), c"thread-self").ok()?;
        let mut parts = link.split(|byte| *byte == b'/');
        let process = number(parts.next()?)?;
        Some((process, number(parts.nth(1)?)?))
    }

    /// Whether `id` is the calling process here, or one of its threads.
    pub fn is_own(&self, id: i32) -> bool {
        let Some((own, thread)) = self.own_ids() else {
            return false;
        };
        if id == own || id == thread {
            return true;
        }
        let task = CString::new(format!("{own}/task/{id}"));
        task.is_ok_and(|task| path::exists_at(self.root(), &task))
    }

    /// Whether ids are the same here as the calling process has them.
    pub fn counts_as_process(&self) -> bool {
        self.own_ids() == Some((std::process::id() as i32, proc::thread_id()))
    }

    /// Whether its ids are those of the calling process's PID namespace. They
    /// can be the same for this process by chance.
    fn is_of_own_namespace(&self, process: &Process) -> bool {
        let Ok(status) = self.text(process, "thread-self/status") else {
            return false;
        };
        // One id for each namespace, from that of this procfs down.
        let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
        ids.is_some_and(|ids| ids.split_whitespace().count() == 1)
    }

    /// The content of the file at `path`.
    ///
    /// # Errors
    ///
    /// From `open(2)` and `read(2)`.
    pub fn bytes(&self, process: &Process, path: &str) -> Result<Vec<u8>, Errno> {
        let path = CString::new(path).map_err(|_| Errno::ENOENT)?;
        let open = || path::open_at(self.root().as_raw_fd(), &path, libc::O_RDONLY);
        let file = process.fds.adopt(open)?;
        let mut bytes = Vec::new();
        std::fs::File::from(file).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The same, as text.
    ///
    /// # Errors
    ///
    /// As for [`bytes`](Self::bytes).
    pub fn text(&self, process: &Process, path: &str) -> Result<String, Errno> {
        let bytes = self.bytes(process, path)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Reads the memory of process `id` at `address`; the whole of `buffer`.
    ///
    /// # Errors
    ///
    /// As `ptrace(2)` has it (access mode); EFAULT where there is less; EACCES
    /// where ids are not those of the calling process, or `process_vm_readv(2)`
    /// is not permitted, and it has other threads.
    pub fn read_memory(
        &self,
        process: &Process,
        id: i32,
        address: u64,
        buffer: &mut [u8],
    ) -> Result<(), Errno> {
        use std::os::unix::fs::FileExt;
        if self.is_of_own_namespace(process) {
            match path::read_memory_of(id, address, buffer) {
                // The call may be filtered, as it is in Docker's containers.
                Err(Errno::EPERM | Errno::ENOSYS) => {}
                result => return result,
            }
        }
        // Another thread could get at the file before it is out of reach.
        if process.threads() > 1 {
            return Err(Errno::EACCES);
        }
        let path = CString::new(format!("{id}/mem")).map_err(|_| Errno::ENOENT)?;
        let open = || path::open_at(self.root().as_raw_fd(), &path, libc::O_RDONLY);
        let memory = std::fs::File::from(process.fds.adopt(open)?);
        memory.read_exact_at(buffer, address)?;
        Ok(())
    }
}
