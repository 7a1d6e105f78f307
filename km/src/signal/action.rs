//! What the payload wants done with each signal (`sigaction(2)`).

use crate::errno::Errno;
use crate::sys::signal::{HostAction, is_ignored, set_action};

/// Signals are numbered 1 to 64.
pub const COUNT: usize = 64;

const IGNORE: u64 = libc::SIG_IGN as u64;

/// The payload's action for one signal: the kernel's `struct sigaction`.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    zerocopy::FromBytes,
    zerocopy::IntoBytes,
    zerocopy::Immutable,
)]
#[repr(C)]
pub struct Action {
    /// `SIG_DFL` (0), `SIG_IGN` (1) or an address in the payload.
    pub handler: u64,
    /// `SA_*`.
    pub flags: u64,
    pub restorer: u64,
    /// Signals blocked while the handler runs.
    pub mask: u64,
}

impl Action {
    /// Whether a function of the payload is to be called.
    pub fn is_handler(&self) -> bool {
        self.handler > IGNORE
    }

    pub fn is_ignored(&self) -> bool {
        self.handler == IGNORE
    }

    /// Whether `SA_*` flag `flag` is set.
    pub fn has(&self, flag: i32) -> bool {
        self.flags & flag as u32 as u64 != 0
    }
}

/// The actions of a process.
#[derive(Debug, Clone)]
pub struct Actions {
    actions: [Action; COUNT],
    had_threads: bool,
}

impl Actions {
    /// Those the process started with: default, or ignored where its parent
    /// ignored them; `more` are ignored as well, as bits. The monitor's own
    /// handlers are installed.
    pub fn inherited(more: u64) -> Actions {
        let mut actions = [Action::default(); COUNT];
        for (signal, action) in (1..).zip(&mut actions) {
            if is_ignored(signal) || more >> (signal - 1) & 1 != 0 {
                action.handler = IGNORE;
            }
        }
        for signal in [libc::SIGSEGV, libc::SIGBUS] {
            // Cannot fail: the numbers are good.
            let _ = set_action(signal, HostAction::Default);
        }
        Actions {
            actions,
            had_threads: false,
        }
    }

    /// Puts back what the C library changed when it made its first thread: it
    /// takes a signal for itself that may be the payload's.
    pub fn restore_after_first_thread(&mut self) {
        const SIGSETXID: i32 = 33;
        if !std::mem::replace(&mut self.had_threads, true) {
            // Cannot fail: the number is good.
            let _ = self.set(SIGSETXID, self.get(SIGSETXID));
        }
    }

    /// Sets all that have a handler to their default.
    pub fn clear_handlers(&mut self) {
        for signal in 1..=COUNT as i32 {
            if self.get(signal).is_handler() {
                let _ = self.set(signal, Action::default());
            }
        }
    }

    /// The action for `signal`.
    pub fn get(&self, signal: i32) -> Action {
        index(signal)
            .and_then(|at| self.actions.get(at))
            .copied()
            .unwrap_or_default()
    }

    /// Sets the action for `signal`, on the host as well.
    ///
    /// # Errors
    ///
    /// EINVAL for a number that is none, SIGKILL and SIGSTOP.
    pub fn set(&mut self, signal: i32, mut action: Action) -> Result<(), Errno> {
        let slot = index(signal)
            .and_then(|at| self.actions.get_mut(at))
            .ok_or(Errno::EINVAL)?;
        let kernel_flags = libc::SA_RESTART | libc::SA_NOCLDSTOP | libc::SA_NOCLDWAIT;
        let flags = action.flags & kernel_flags as u64;
        let host = match action.handler {
            0 => HostAction::Default,
            IGNORE => HostAction::Ignore,
            _ => HostAction::Note { flags },
        };
        set_action(signal, host)?;
        action.mask &= !(1 << (libc::SIGKILL - 1) | 1 << (libc::SIGSTOP - 1));
        *slot = action;
        Ok(())
    }
}

fn index(signal: i32) -> Option<usize> {
    usize::try_from(signal).ok()?.checked_sub(1)
}

/// What a signal without a handler does (`signal(7)`).
pub fn is_harmless_by_default(signal: i32) -> bool {
    matches!(
        signal,
        libc::SIGCHLD | libc::SIGCONT | libc::SIGURG | libc::SIGWINCH
    )
}
