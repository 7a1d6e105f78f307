//! What a payload forbids itself: `seccomp(2)`.
//!
//! The filters are the payload's, and judge its calls before the monitor does
//! anything about them. The host's kernel knows nothing of them: there they
//! would judge the monitor's calls.
//!
//! Pure data: who asks for what is in `syscall::seccomp`.

mod program;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

pub use program::{Data, Instruction, MOST_INSTRUCTIONS, Program};

use crate::errno::Errno;

/// What filters are told they run on: 64-bit code.
pub const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;

/// How a thread's calls are judged.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub enum Mode {
    /// Not at all.
    #[default]
    Disabled,
    /// `read`, `write`, `exit` and `rt_sigreturn`, and nothing else.
    Strict,
    /// By programs.
    Filter(Filters),
}

impl Mode {
    /// Its number for `prctl` and in `/proc`.
    pub fn number(&self) -> u64 {
        u64::from(match self {
            Mode::Disabled => libc::SECCOMP_MODE_DISABLED,
            Mode::Strict => libc::SECCOMP_MODE_STRICT,
            Mode::Filter(_) => libc::SECCOMP_MODE_FILTER,
        })
    }

    /// How many programs judge.
    pub fn filters(&self) -> usize {
        match self {
            Mode::Filter(filters) => filters.0.len(),
            _ => 0,
        }
    }

    /// The mode with one more program.
    ///
    /// # Errors
    ///
    /// EINVAL in strict mode, ENOMEM where the programs become too long.
    pub fn with(&self, program: Program) -> Result<Mode, Errno> {
        let filters = match self {
            Mode::Disabled => &Filters::default(),
            Mode::Strict => return Err(Errno::EINVAL),
            Mode::Filter(filters) => filters,
        };
        Ok(Mode::Filter(filters.with(program)?))
    }

    /// Whether a thread in this mode may be given the programs of one in mode
    /// `other`: it has none of its own beside them.
    fn gives_way_to(&self, other: &Mode) -> bool {
        match (self, other) {
            (Mode::Disabled, _) => true,
            (Mode::Filter(own), Mode::Filter(other)) => own.is_part_of(other),
            _ => false,
        }
    }
}

/// The programs of a thread, the oldest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Filters(Arc<Vec<Arc<Program>>>);

impl Filters {
    /// These and one more.
    ///
    /// # Errors
    ///
    /// ENOMEM where together they are too long.
    fn with(&self, program: Program) -> Result<Filters, Errno> {
        /// `MAX_INSNS_PER_PATH` in `kernel/seccomp.c`.
        const MOST: u32 = 32_768;
        /// What each program costs beside its own length.
        const PENALTY: u32 = 4;
        let earlier = self.0.iter().map(|program| program.weight() + PENALTY);
        if earlier.sum::<u32>() + program.weight() > MOST {
            return Err(Errno::ENOMEM);
        }
        let mut programs = Vec::with_capacity(self.0.len() + 1);
        programs.extend(self.0.iter().cloned());
        programs.push(Arc::new(program));
        Ok(Filters(Arc::new(programs)))
    }

    /// Whether `other` are these, or these with later ones.
    fn is_part_of(&self, other: &Filters) -> bool {
        match self.0.len().checked_sub(1) {
            None => true,
            Some(last) => match (self.0.get(last), other.0.get(last)) {
                (Some(own), Some(other)) => Arc::ptr_eq(own, other),
                _ => false,
            },
        }
    }

    /// What all of them together say (`seccomp_run_filters()`).
    fn judge(&self, data: &Data) -> u32 {
        let action = |verdict: u32| (verdict & libc::SECCOMP_RET_ACTION_FULL) as i32;
        let mut strictest = libc::SECCOMP_RET_ALLOW;
        // Among equals the newest is heard.
        for program in self.0.iter().rev() {
            let verdict = program.run(data);
            if action(verdict) < action(strictest) {
                strictest = verdict;
            }
        }
        strictest
    }
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Allow,
    /// It is not made and returns this error, or 0.
    Error(u16),
    /// SIGSYS instead, with this as its `si_errno`.
    Trap(u16),
    /// It ends the thread, as by this signal.
    KillThread(i32),
    /// It ends the process by SIGSYS.
    KillProcess,
}

/// What judges the calls of one thread. Others see it: one of them may bring
/// its own filters to all (`SECCOMP_FILTER_FLAG_TSYNC`).
#[derive(Debug, Default)]
pub struct Seccomp {
    /// Whether the mode is another than disabled.
    active: AtomicBool,
    /// Another thread's filters came with its `no_new_privs`, which the host
    /// thread does not have yet.
    no_new_privs: AtomicBool,
    mode: Mutex<Mode>,
}

impl Seccomp {
    /// Whether calls are judged at all.
    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::Acquire)
    }

    pub fn mode(&self) -> Mode {
        self.lock().clone()
    }

    pub fn set(&self, mode: Mode) {
        self.replace(&mut self.lock(), mode);
    }

    /// Becomes what `other` is.
    pub fn copy_from(&self, other: &Seccomp) {
        self.set(other.mode());
        let no_new_privs = other.no_new_privs.load(Ordering::Relaxed);
        self.no_new_privs.store(no_new_privs, Ordering::Relaxed);
    }

    /// Whether the thread has `no_new_privs` whatever the host says.
    pub fn has_no_new_privs(&self) -> bool {
        self.no_new_privs.load(Ordering::Relaxed)
    }

    /// The host thread has it by now.
    pub fn forget_no_new_privs(&self) {
        self.no_new_privs.store(false, Ordering::Relaxed);
    }

    /// Whether the thread may be given the programs of one in `mode`: not
    /// where it has others.
    pub fn may_follow(&self, mode: &Mode) -> bool {
        self.lock().gives_way_to(mode)
    }

    /// Takes over the mode of another thread, and that it can gain no
    /// privileges.
    pub fn follow(&self, mode: Mode, no_new_privs: bool) {
        self.set(mode);
        if no_new_privs {
            self.no_new_privs.store(true, Ordering::Relaxed);
        }
    }

    /// What becomes of a call (`__secure_computing()` in `kernel/seccomp.c`).
    pub fn judge(&self, data: &Data) -> Verdict {
        let filters = match &*self.lock() {
            Mode::Disabled => return Verdict::Allow,
            Mode::Strict => return strict(data.number()),
            Mode::Filter(filters) => filters.clone(),
        };
        verdict(filters.judge(data))
    }

    fn replace(&self, slot: &mut Mode, mode: Mode) {
        let active = !matches!(mode, Mode::Disabled);
        *slot = mode;
        self.active.store(active, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, Mode> {
        self.mode.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn strict(number: u32) -> Verdict {
    match i64::from(number) {
        libc::SYS_read | libc::SYS_write | libc::SYS_exit | libc::SYS_rt_sigreturn => {
            Verdict::Allow
        }
        _ => Verdict::KillThread(libc::SIGKILL),
    }
}

/// What a program's value asks for. Nobody traces and nobody is notified, so
/// what asks for them fails.
fn verdict(value: u32) -> Verdict {
    /// `MAX_ERRNO`: above are addresses.
    const MOST: u16 = 4095;
    let data = (value & libc::SECCOMP_RET_DATA) as u16;
    match value & libc::SECCOMP_RET_ACTION_FULL {
        libc::SECCOMP_RET_ALLOW | libc::SECCOMP_RET_LOG => Verdict::Allow,
        libc::SECCOMP_RET_TRACE | libc::SECCOMP_RET_USER_NOTIF => {
            Verdict::Error(libc::ENOSYS as u16)
        }
        libc::SECCOMP_RET_ERRNO => Verdict::Error(data.min(MOST)),
        libc::SECCOMP_RET_TRAP => Verdict::Trap(data),
        libc::SECCOMP_RET_KILL_THREAD => Verdict::KillThread(libc::SIGSYS),
        _ => Verdict::KillProcess,
    }
}

#[cfg(test)]
mod tests;
