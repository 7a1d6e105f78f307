//! Calls that wait with a signal mask of their own (`ppoll(2)` and its kin).
//!
//! The host waits with the payload's mask. A signal that ends the call is
//! delivered with that mask in force, and the frame holds the old one.

use super::call::{Call, FAULT};
use crate::errno::Errno;
use crate::mem::guest::GuestMemory;
use crate::sys::call::HostArgs;
use crate::sys::signal::OWN;

/// Bytes of a signal set.
pub const SET: u64 = 8;

/// The mask a call waits with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitMask {
    /// None was given: the thread's.
    Own,
    /// One that cannot be had, which the host is to find out in its own order
    /// of checks.
    Bad,
    Given {
        payload: u64,
        /// What of it the host's thread can block.
        host: u64,
    },
}

impl WaitMask {
    pub fn new(payload: u64) -> WaitMask {
        let host = payload & !OWN;
        WaitMask::Given { payload, host }
    }

    /// The mask of `size` bytes at `address`.
    pub fn read(memory: &GuestMemory, address: u64, size: u64) -> WaitMask {
        if address == 0 {
            return WaitMask::Own;
        }
        // The host looks at the size first.
        match memory.read_value(address) {
            Ok(payload) if size == SET => WaitMask::new(payload),
            _ => WaitMask::Bad,
        }
    }

    /// The host's argument for it; it has to stay where it is over the call.
    pub fn pointer(&self) -> u64 {
        match self {
            WaitMask::Own => 0,
            WaitMask::Bad => FAULT,
            WaitMask::Given { host, .. } => (&raw const *host) as u64,
        }
    }

    /// Makes `call` on the host.
    ///
    /// # Errors
    ///
    /// What the host says; EINTR where a signal was held back that the mask
    /// lets through.
    pub fn wait(&self, call: &mut Call<'_>, args: &HostArgs) -> Result<u64, Errno> {
        let WaitMask::Given { payload, .. } = *self else {
            return call.host(call.row.number, args);
        };
        // With a signal noted already, the call is begun after its handler.
        let noted = call.thread.mailbox().is_noted();
        let result = if !noted && call.thread.release_held(payload) {
            Err(Errno::EINTR)
        } else {
            call.host(call.row.number, args)
        };
        // Whatever else the call comes to, its mask is gone by then.
        if result == Err(Errno::EINTR) {
            call.thread.temporary_mask = Some(payload);
        }
        result
    }
}
