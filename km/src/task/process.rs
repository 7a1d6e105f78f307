//! What the threads of a payload process share beside its memory.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use crate::config::Options;
use crate::errno::Errno;
use crate::fd::ReservedFds;
use crate::loader::stack::StackImage;
use crate::log::Output;
use crate::mem::guest::GuestMemory;
use crate::mem::space::AddressSpace;
use crate::nsm::Nsm;
use crate::seccomp::Seccomp;
use crate::signal::action::Actions;
use crate::signal::frame::XState;
use crate::stats::Stats;
use crate::sys::lock::Guard;
use crate::sys::path;
use crate::sys::vfork::Link;
use crate::syscall::limits::AddressLimits;
use crate::task::machine::Machine;
use crate::task::world::Seat;

/// A payload process.
#[derive(Debug)]
pub struct Process {
    /// The virtual machine it runs in: its own, or its parent's during a
    /// `vfork`.
    pub machine: Arc<Machine>,
    /// Payload memory, for copies and pointers.
    pub memory: GuestMemory,
    /// The monitor's own descriptors.
    pub fds: ReservedFds,
    /// Limits on the payload's address space.
    pub limits: AddressLimits,
    /// Extended processor state, as signal frames hold it.
    pub xstate: XState,
    /// What is running.
    pub identity: Identity,
    /// The options km was started with, for programs it executes.
    pub options: Arc<Options>,
    /// The monitor's program file.
    pub image: Arc<OwnedFd>,
    /// The root of `/proc`, where there is one.
    pub proc_root: Option<Arc<OwnedFd>>,
    /// The security module.
    pub nsm: Arc<Nsm>,
    /// Where the monitor's own words go.
    pub output: Output,
    /// Where `--strace` and `--stats` go.
    pub report: Output,
    /// It runs in its parent's memory; what it has with it then.
    borrowed: AtomicBool,
    link: Option<Arc<Link>>,
    /// `--strace`: a child may not be traced.
    traced: AtomicBool,
    stats: RwLock<Option<Arc<Stats>>>,
    /// How many threads have not ended.
    threads: AtomicUsize,
    ending: AtomicBool,
    actions: Mutex<Actions>,
    /// The monitor's memory as a file.
    memory_file: Mutex<Option<Arc<OwnedFd>>>,
}

/// What the payload is, for `/proc/self`.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The program's absolute path.
    pub exe: PathBuf,
    /// The auxiliary vector's bytes.
    pub auxv: Vec<u8>,
    /// Where its arguments and environment are.
    pub stack: StackImage,
}

fn own_id() -> i32 {
    std::process::id() as i32
}

/// No descriptor.
const NONE: i32 = -1;

/// What a [`Process`] is made of.
#[derive(Debug)]
pub struct Parts {
    pub machine: Arc<Machine>,
    pub fds: ReservedFds,
    pub limits: AddressLimits,
    pub xstate: XState,
    pub identity: Identity,
    pub options: Arc<Options>,
    pub image: Arc<OwnedFd>,
    pub proc_root: Option<Arc<OwnedFd>>,
    pub nsm: Nsm,
    pub output: Output,
    pub report: Output,
    pub actions: Actions,
}

impl Process {
    pub fn new(parts: Parts) -> Process {
        parts.machine.space().set_limits(parts.limits.in_bytes());
        let options = &parts.options;
        Process {
            memory: parts.machine.memory.clone(),
            machine: parts.machine,
            fds: parts.fds,
            limits: parts.limits,
            xstate: parts.xstate,
            identity: parts.identity,
            image: parts.image,
            proc_root: parts.proc_root,
            nsm: Arc::new(parts.nsm),
            output: parts.output,
            report: parts.report,
            borrowed: AtomicBool::new(false),
            link: None,
            traced: AtomicBool::new(options.strace),
            stats: RwLock::new(options.stats.then(Arc::default)),
            options: parts.options,
            threads: AtomicUsize::new(1),
            ending: AtomicBool::new(false),
            actions: Mutex::new(parts.actions),
            memory_file: Mutex::new(None),
        }
    }

    /// A child that runs in this process's memory until it executes a program
    /// or ends, with which it has `link`.
    pub fn borrow(&self, link: &Arc<Link>) -> Process {
        let follows = self.options.follow;
        Process {
            machine: Arc::clone(&self.machine),
            memory: self.memory.clone(),
            fds: self.fds.clone(),
            limits: AddressLimits::new(self.limits.all()),
            xstate: self.xstate,
            identity: self.identity.clone(),
            options: Arc::clone(&self.options),
            image: Arc::clone(&self.image),
            proc_root: self.proc_root.clone(),
            nsm: Arc::clone(&self.nsm),
            output: self.output.clone(),
            report: self.report.clone(),
            borrowed: AtomicBool::new(true),
            link: Some(Arc::clone(link)),
            traced: AtomicBool::new(follows && self.trace().is_some()),
            stats: RwLock::new(None),
            threads: AtomicUsize::new(1),
            ending: AtomicBool::new(false),
            actions: Mutex::new(self.actions().clone()),
            memory_file: Mutex::new(None),
        }
    }

    /// Makes this, in the child of a fork, the child's.
    pub fn become_child(&self) {
        let follows = self.options.follow;
        self.traced.store(
            follows && self.traced.load(Ordering::Relaxed),
            Ordering::Relaxed,
        );
        let mut stats = self.stats.write().unwrap_or_else(PoisonError::into_inner);
        *stats = (follows && stats.is_some()).then(Arc::default);
        self.threads.store(1, Ordering::Relaxed);
        self.borrowed.store(false, Ordering::Relaxed);
        // It is of the parent's memory.
        *self.held_memory() = None;
        if follows {
            self.report.renew_for(&self.options, &self.fds);
        }
    }

    /// The name of an open file, from wherever the payload has its root.
    pub fn file_name(&self, file: BorrowedFd<'_>) -> Vec<u8> {
        path::name_of(self.proc_root.as_ref().map(AsFd::as_fd), file)
    }

    /// The memory of the monitor, and with it the payload's, as a file.
    ///
    /// For a moment it has a number that the payload can use, so it is opened
    /// while there is no other thread, before the first one starts, and kept.
    ///
    /// # Errors
    ///
    /// From `openat(2)`; EIO without `/proc`.
    pub fn memory_file(&self) -> Result<Arc<OwnedFd>, Errno> {
        let mut held = self.held_memory();
        if let Some(file) = held.as_ref() {
            return Ok(Arc::clone(file));
        }
        let root = self.proc_root.as_ref().filter(|_| self.threads() == 1);
        let root = root.ok_or(Errno::EIO)?;
        let open = || path::open_at(root.as_raw_fd(), c"self/mem", libc::O_RDWR);
        let file = Arc::new(self.fds.adopt(open)?);
        *held = Some(Arc::clone(&file));
        Ok(file)
    }

    fn held_memory(&self) -> MutexGuard<'_, Option<Arc<OwnedFd>>> {
        let held = self.memory_file.lock();
        held.unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it runs in its parent's memory.
    pub fn is_borrowed(&self) -> bool {
        self.borrowed.load(Ordering::Relaxed)
    }

    fn link(&self) -> Option<&Link> {
        self.link.as_deref().filter(|_| self.is_borrowed())
    }

    /// What it has with the parent in whose memory it runs.
    pub fn link_above(&self) -> Option<Arc<Link>> {
        self.link.clone().filter(|_| self.is_borrowed())
    }

    /// The process's id, as the threads of its world have it.
    fn world_id(&self) -> i32 {
        self.link().map_or_else(own_id, Link::child_id)
    }

    /// Whether it runs in the memory of a process in another PID namespace.
    pub fn is_elsewhere(&self) -> bool {
        self.is_borrowed() && self.world_id() != own_id()
    }

    /// Makes `seat` the calling thread's.
    pub fn take_seat(&self, seat: &Seat) {
        match self.link() {
            Some(link) => seat.take_as(link.child_id()),
            None => seat.take(),
        }
    }

    /// Whether `seat` is of one of the payload's threads, and not of another
    /// process in the same memory.
    pub fn owns(&self, seat: &Seat) -> bool {
        seat.tgid() == self.world_id()
    }

    /// The thread's own id of one of those.
    pub fn thread_id(&self, seat: &Seat) -> i32 {
        match self.is_borrowed() {
            true => own_id(),
            false => seat.tid(),
        }
    }

    /// Does what must not be left half done, as everything that changes the
    /// address space: in a child that runs in its parent's memory, the parent
    /// does it, as the child may be killed. `work` is the same in both, and
    /// may wait for the world; the calling thread has `seat` and holds no
    /// lock.
    pub fn apart<T>(&self, seat: &Seat, work: impl FnOnce() -> T) -> T {
        let Some(link) = self.link() else {
            return work();
        };
        let result = link.ask(work);
        // The parent had it.
        self.take_seat(seat);
        result
    }

    /// Says that the process is about to leave, or that it stays after all: in
    /// its parent's memory it has nothing in hand any more.
    pub fn set_leaving(&self, leaving: bool) {
        if let Some(link) = self.link() {
            link.set_leaving(leaving);
        }
    }

    /// Where system calls are traced to.
    pub fn trace(&self) -> Option<&Output> {
        self.traced.load(Ordering::Relaxed).then_some(&self.report)
    }

    /// The counters of `--stats`.
    pub fn stats(&self) -> Option<Arc<Stats>> {
        if !self.options.stats {
            return None;
        }
        let stats = self.stats.read().unwrap_or_else(PoisonError::into_inner);
        stats.clone()
    }

    /// Descriptors of the monitor's that a forked child keeps.
    pub fn descriptors_for_fork(&self) -> [i32; 6] {
        let proc_root = self.proc_root.as_ref();
        let [module, backend] = self.nsm.descriptors();
        [
            self.image.as_raw_fd(),
            proc_root.map_or(NONE, |root| root.as_raw_fd()),
            self.output.descriptor(),
            self.report.descriptor(),
            module,
            backend,
        ]
    }

    /// Descriptors of the monitor's that one which is executed needs: its
    /// image, the root of `/proc` or -1, where its words go, the security
    /// module's or -1, the KVM device.
    pub fn descriptors_for_exec(&self) -> [i32; 7] {
        let [image, proc_root, output, report, module, backend] = self.descriptors_for_fork();
        let device = self.space().vm().device().as_raw_fd();
        [image, proc_root, output, report, module, backend, device]
    }

    /// How many threads the payload has.
    pub fn threads(&self) -> usize {
        self.threads.load(Ordering::Relaxed)
    }

    /// Whether `id` is one of the payload's threads.
    pub fn has_thread(&self, id: i32) -> bool {
        let seats = self.machine.world.seats();
        let is_it = |seat: &Arc<Seat>| self.owns(seat) && self.thread_id(seat) == id;
        id == own_id() || seats.iter().any(is_it)
    }

    /// What judges the calls of the payload's thread `id`.
    pub fn seccomp_of(&self, id: i32) -> Option<Arc<Seccomp>> {
        let seats = self.machine.world.seats();
        let is_it = |seat: &&Arc<Seat>| self.owns(seat) && self.thread_id(seat) == id;
        let seat = seats.iter().find(is_it)?;
        Some(Arc::clone(&seat.seccomp))
    }

    /// Counts one more thread.
    pub fn add_thread(&self) {
        self.threads.fetch_add(1, Ordering::SeqCst);
    }

    /// Counts one thread less; whether it was the last.
    pub fn remove_thread(&self) -> bool {
        self.threads.fetch_sub(1, Ordering::SeqCst) == 1
    }

    /// Marks the process as ending; false if it was already.
    pub fn begin_end(&self) -> bool {
        !self.ending.swap(true, Ordering::SeqCst)
    }

    /// The address space. A handler holds it for one change at a time.
    pub fn space(&self) -> Guard<'_, AddressSpace> {
        self.machine.space()
    }

    /// The signal actions.
    pub fn actions(&self) -> MutexGuard<'_, Actions> {
        self.actions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
