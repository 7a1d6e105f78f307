//! What all threads of a payload share.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::fd::ReservedFds;
use crate::log::Output;
use crate::mem::guest::GuestMemory;
use crate::mem::space::AddressSpace;
use crate::signal::action::Actions;
use crate::signal::frame::XState;
use crate::stats::Stats;
use crate::syscall::limits::AddressLimits;

/// A payload process.
#[derive(Debug)]
pub struct Process {
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
    /// `--strace`: where to.
    pub trace: Option<Output>,
    /// `--stats`.
    pub stats: Option<Stats>,
    /// Set when the processors must forget what they have cached of the page
    /// tables.
    pub flush_wanted: Arc<AtomicBool>,
    space: Mutex<AddressSpace>,
    actions: Mutex<Actions>,
}

/// What the payload is, for `/proc/self`.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The program's absolute path.
    pub exe: PathBuf,
    /// The auxiliary vector's bytes.
    pub auxv: Vec<u8>,
}

/// What a [`Process`] is made of.
#[derive(Debug)]
pub struct Parts {
    pub space: AddressSpace,
    pub fds: ReservedFds,
    pub xstate: XState,
    pub identity: Identity,
    pub trace: Option<Output>,
    pub stats: Option<Stats>,
}

impl Process {
    pub fn new(parts: Parts) -> Process {
        let limits = AddressLimits::default();
        let mut parts = parts;
        parts.space.set_limits(limits.in_bytes());
        Process {
            memory: parts.space.memory().clone(),
            fds: parts.fds,
            limits,
            xstate: parts.xstate,
            identity: parts.identity,
            trace: parts.trace,
            stats: parts.stats,
            flush_wanted: parts.space.flush_wanted(),
            space: Mutex::new(parts.space),
            actions: Mutex::new(Actions::inherited()),
        }
    }

    /// How many threads the payload has.
    pub fn threads(&self) -> usize {
        1
    }

    /// Whether `id` is one of the payload's threads.
    pub fn has_thread(&self, id: i32) -> bool {
        id as u32 == std::process::id()
    }

    /// The address space. A handler holds it for one change at a time.
    pub fn space(&self) -> MutexGuard<'_, AddressSpace> {
        self.space.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The signal actions.
    pub fn actions(&self) -> MutexGuard<'_, Actions> {
        self.actions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
