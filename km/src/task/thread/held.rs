//! Signals that are held back: what the kernel would have pending.

use super::{Thread, is_blocked};
use crate::signal::frame;
use crate::sys::signal::SigInfo;

impl Thread {
    /// Those held back, as a set of signals.
    pub fn held_set(&self) -> u64 {
        let bit = |info: &SigInfo| 1u64.checked_shl((frame::signal_number(info) - 1) as u32);
        self.held
            .iter()
            .filter_map(bit)
            .fold(0, |set, bit| set | bit)
    }

    /// Takes the first that is in `set`.
    pub fn take_held(&mut self, set: u64) -> Option<SigInfo> {
        let wanted = |info: &SigInfo| is_blocked(set, frame::signal_number(info));
        let at = self.held.iter().position(wanted)?;
        Some(self.held.remove(at))
    }

    /// Passes on those that `mask` does not block; whether there were any.
    pub fn release_held(&mut self, mask: u64) -> bool {
        let mut any = false;
        while let Some(info) = self.take_held(!mask) {
            self.mailbox.note(&info);
            any = true;
        }
        any
    }
}
