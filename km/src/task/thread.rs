//! What belongs to one payload thread, beside its registers.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use crate::errno::Errno;
use crate::seccomp::Seccomp;
use crate::signal::frame::{self, AltStack, Fault};
use crate::sys::signal::{self, Mailbox, SigInfo};
use crate::task::user_dispatch::UserDispatch;
use crate::task::world::Seat;

/// A payload thread.
#[derive(Debug)]
pub struct Thread {
    mailbox: &'static Mailbox,
    /// Its place in the world.
    pub seat: Arc<Seat>,
    /// What judges its calls: its seat's, but for a child in its parent's
    /// place.
    pub seccomp: Arc<Seccomp>,
    /// Which calls it wants to answer itself. A new thread and a new process
    /// begin without.
    pub user_dispatch: Option<UserDispatch>,
    /// Signals the payload blocks: bit `n - 1` for signal `n`. The host
    /// thread has the same mask, less the monitor's own signals.
    pub mask: u64,
    /// The mask of a call that waits with one of its own (`rt_sigsuspend`,
    /// `ppoll` and the like): in force until a signal that ended the call is
    /// in its handler.
    pub temporary_mask: Option<u64>,
    /// Where handlers with `SA_ONSTACK` run (`sigaltstack(2)`).
    pub alt_stack: AltStack,
    /// SIGSEGV and SIGBUS from other processes that came while the payload
    /// blocks them, which the host does not.
    held: Vec<SigInfo>,
    /// The last processor exception, which signal frames tell of.
    pub fault: Fault,
    /// Its children may start in another PID namespace (`unshare(2)`,
    /// `setns(2)`).
    pub children_elsewhere: bool,
    /// Word to clear and wake when the thread ends (`set_tid_address(2)`).
    pub clear_child_tid: u64,
}

impl Thread {
    /// A payload thread with no signal blocked, to run on the host thread that
    /// will [settle](Self::settle) it.
    pub fn new(mailbox: &'static Mailbox, seat: Arc<Seat>) -> Thread {
        Thread {
            mailbox,
            seccomp: Arc::clone(&seat.seccomp),
            seat,
            user_dispatch: None,
            mask: 0,
            temporary_mask: None,
            held: Vec::new(),
            alt_stack: AltStack::default(),
            fault: Fault::default(),
            children_elsewhere: false,
            clear_child_tid: 0,
        }
    }

    /// What a new process has of this one, in the same place: its mask, its
    /// stack for handlers, and what judges its calls.
    pub fn offspring(&self) -> Thread {
        let seccomp = Seccomp::default();
        seccomp.copy_from(&self.seccomp);
        Thread {
            seccomp: Arc::new(seccomp),
            mask: self.mask,
            alt_stack: self.alt_stack,
            ..Thread::new(self.mailbox, Arc::clone(&self.seat))
        }
    }

    /// Makes the seat its own, which was shared with its parent: in the child
    /// of a fork.
    pub fn keep_seat(&mut self) {
        self.seat.seccomp.copy_from(&self.seccomp);
        self.seccomp = Arc::clone(&self.seat.seccomp);
    }

    /// Makes it the calling host thread's; `immediate_exit` is its processor's.
    pub fn settle(&self, immediate_exit: *mut u8) {
        self.mailbox.install(immediate_exit);
        self.seat.take();
    }

    /// Where signals for the thread are noted.
    pub fn mailbox(&self) -> &'static Mailbox {
        self.mailbox
    }

    /// Not zero while a signal waits: no host call is to begin.
    pub fn interrupt_flag(&self) -> &'static AtomicU32 {
        self.mailbox.interrupt()
    }

    /// Sets the stack for handlers, as `sigaltstack(2)` does when the stack
    /// pointer is `rsp`.
    ///
    /// # Errors
    ///
    /// EPERM while it is in use, EINVAL for unknown flags, ENOMEM for one too
    /// small.
    pub fn set_alt_stack(&mut self, new: AltStack, rsp: u64) -> Result<(), Errno> {
        /// The smallest stack Linux takes: room for a frame without extended
        /// state.
        const MINSIGSTKSZ: u64 = 2048;
        const AUTODISARM: i32 = 1 << 31;
        if self.alt_stack.contains(rsp) {
            return Err(Errno::EPERM);
        }
        self.alt_stack = match new.flags & !AUTODISARM {
            libc::SS_DISABLE => AltStack {
                flags: new.flags,
                ..AltStack::default()
            },
            0 | libc::SS_ONSTACK if new.size < MINSIGSTKSZ => return Err(Errno::ENOMEM),
            0 | libc::SS_ONSTACK => new,
            _ => return Err(Errno::EINVAL),
        };
        Ok(())
    }

    /// Keeps a signal back that the payload blocks and the host did not; says
    /// whether it did.
    pub fn hold(&mut self, info: &SigInfo) -> bool {
        let signal = frame::signal_number(info);
        let mask = self.temporary_mask.unwrap_or(self.mask);
        let blocked = is_blocked(mask & signal::OWN, signal);
        // Standard signals do not queue.
        if blocked
            && !self
                .held
                .iter()
                .any(|held| frame::signal_number(held) == signal)
        {
            self.held.push(*info);
            // As Linux, the lowest first.
            self.held.sort_by_key(frame::signal_number);
        }
        blocked
    }

    /// Blocks all signals, to change what a signal handler of the host would
    /// find half done. False if one came before: it has to be attended to
    /// first.
    pub fn block_signals(&self) -> bool {
        signal::block_all();
        !self.mailbox.is_noted()
    }

    /// Undoes [`block_signals`](Self::block_signals).
    pub fn unblock_signals(&self) {
        if !self.mailbox.is_noted() {
            signal::set_mask(self.mask);
        }
    }

    /// Sets the payload's mask, and the host thread's.
    pub fn set_mask(&mut self, mask: u64) {
        const UNBLOCKABLE: u64 = 1 << (libc::SIGKILL - 1) | 1 << (libc::SIGSTOP - 1);
        self.mask = mask & !UNBLOCKABLE;
        let mailbox = self.mailbox;
        self.held.retain(|info| {
            let blocked = is_blocked(mask, frame::signal_number(info));
            if !blocked {
                mailbox.note(info);
            }
            blocked
        });
        signal::set_mask(self.mask);
    }
}

fn is_blocked(mask: u64, signal: i32) -> bool {
    u32::try_from(signal - 1).is_ok_and(|bit| mask.checked_shr(bit).unwrap_or(0) & 1 != 0)
}

mod held;
