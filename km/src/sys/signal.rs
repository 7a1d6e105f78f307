//! Signal handlers of the monitor.
//!
//! The host kernel keeps every queue, mask and default action. A handler of
//! the payload is mirrored by [`on_signal`] on the host, which only notes the
//! signal, blocks all further ones, and gets the thread out of `KVM_RUN` or
//! the call it is in. The run loop then builds the payload's frame and sets
//! the mask that Linux would have set. So at most one signal is noted at a
//! time, and the order is the kernel's.

use std::arch::global_asm;
use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use crate::errno::Errno;
use crate::sys::{call, copy};

/// `siginfo_t` as the kernel writes it.
pub type SigInfo = [u8; 128];

/// Signals the monitor needs for itself: faults in copies. They are never
/// blocked on the host.
pub const OWN: u64 = 1 << (libc::SIGSEGV - 1) | 1 << (libc::SIGBUS - 1);

/// What a payload thread shares with the signal handler that runs on it.
#[derive(Debug)]
pub struct Mailbox {
    /// Not zero while a signal is noted: no host call is begun.
    interrupt: AtomicU32,
    /// The byte that makes `KVM_RUN` return.
    immediate_exit: AtomicPtr<u8>,
    info: Cell<SigInfo>,
    /// A second signal: the monitor's own cannot be held back while one is
    /// noted.
    spare: Cell<Option<SigInfo>>,
}

// SAFETY: the cells are used by one thread at a time, the one that has
// installed the mailbox, and by signal handlers that run on it. It is handed
// to another thread through a lock, after it was uninstalled.
unsafe impl Sync for Mailbox {}

impl Default for Mailbox {
    fn default() -> Mailbox {
        Mailbox {
            interrupt: AtomicU32::new(0),
            immediate_exit: AtomicPtr::new(ptr::null_mut()),
            info: Cell::new([0; 128]),
            spare: Cell::new(None),
        }
    }
}

thread_local! {
    /// The mailbox of this thread's payload.
    static MAILBOX: Cell<*const Mailbox> = const { Cell::new(ptr::null()) };
    /// The thread works for a child in its place, whose mailbox that is.
    static FOR_CHILD: Cell<bool> = const { Cell::new(false) };
    /// What came for the thread itself meanwhile: one of the monitor's own
    /// signals, sent by a process.
    static ASIDE: Cell<Option<SigInfo>> = const { Cell::new(None) };
}

/// Runs `work` for a child in the calling thread's place. All signals are
/// blocked but for that time, when the monitor's own are let in.
pub fn for_child<T>(work: impl FnOnce() -> T) -> T {
    let before = FOR_CHILD.replace(true);
    block_all();
    let result = work();
    block_every();
    FOR_CHILD.set(before);
    result
}

/// A signal that came for the thread itself while it worked for a child.
pub fn take_aside() -> Option<SigInfo> {
    ASIDE.take()
}

impl Mailbox {
    /// Makes this the calling thread's mailbox. It lives as long as the
    /// thread.
    pub fn install(self: &'static Mailbox, immediate_exit: *mut u8) {
        self.immediate_exit.store(immediate_exit, Ordering::Relaxed);
        MAILBOX.set(ptr::from_ref(self));
    }

    /// Not zero while a signal is noted.
    pub fn interrupt(&self) -> &AtomicU32 {
        &self.interrupt
    }

    /// Whether a signal is noted.
    pub fn is_noted(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed) != 0
    }

    /// Takes the noted signal. Further ones stay blocked until the caller
    /// sets a mask.
    pub fn take(&self) -> Option<SigInfo> {
        if !self.is_noted() {
            return None;
        }
        let info = self.info.get();
        match self.spare.take() {
            Some(spare) => self.info.set(spare),
            None => {
                self.set_immediate_exit(0);
                self.interrupt.store(0, Ordering::Relaxed);
            }
        }
        Some(info)
    }

    /// Lets the guest run on although a signal is noted, to leave the
    /// monitor's own code; host calls are still not begun.
    pub fn let_pass(&self) {
        self.set_immediate_exit(0);
    }

    /// Lets the guest be entered again after a [`kick`], unless a signal is
    /// noted.
    pub fn calm(&self) {
        if !self.is_noted() {
            self.set_immediate_exit(0);
        }
    }

    /// Forgets what was noted: for a process that starts without signals.
    pub fn clear(&self) {
        self.spare.set(None);
        self.set_immediate_exit(0);
        self.interrupt.store(0, Ordering::Relaxed);
    }

    /// Leaves the calling thread without a mailbox, to be used by another.
    pub fn uninstall(&self) {
        MAILBOX.set(ptr::null());
        self.immediate_exit
            .store(ptr::null_mut(), Ordering::Relaxed);
        self.clear();
    }

    fn set_immediate_exit(&self, value: u8) {
        let byte = self.immediate_exit.load(Ordering::Relaxed);
        if !byte.is_null() {
            // SAFETY: the byte is in the vCPU's run page, which stays mapped
            // for the life of the thread; KVM reads it as a volatile byte.
            unsafe { byte.write_volatile(value) };
        }
    }

    /// Notes a signal as if it had just come.
    pub fn note(&self, info: &SigInfo) {
        if self.is_noted() {
            self.spare.set(Some(*info));
            return;
        }
        self.info.set(*info);
        self.interrupt.store(1, Ordering::Relaxed);
        self.set_immediate_exit(1);
    }
}

/// The kernel's `struct sigaction`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default)]
struct KernelAction {
    handler: u64,
    flags: u64,
    restorer: u64,
    mask: u64,
}

/// Vector of page faults.
const PAGE_FAULT: u64 = 14;

const SA_RESTORER: u64 = 0x0400_0000;
/// Bytes of the kernel's signal set.
const SET: u64 = 8;

global_asm!(
    ".pushsection .text.km_signal_return, \"ax\", @progbits",
    ".global km_signal_return",
    ".type km_signal_return, @function",
    "km_signal_return:",
    "mov eax, 15",
    "syscall",
    ".size km_signal_return, . - km_signal_return",
    ".popsection",
);

unsafe extern "C" {
    static km_signal_return: u8;
}

/// What the host is to do with a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostAction {
    Default,
    Ignore,
    /// Note it for the payload. `flags` are those of its own action that the
    /// kernel has to know: `SA_RESTART`, `SA_NOCLDSTOP`, `SA_NOCLDWAIT`.
    Note {
        flags: u64,
    },
}

/// Sets what the host does with `signal`.
///
/// # Errors
///
/// EINVAL for a number that is none, SIGKILL and SIGSTOP.
pub fn set_action(signal: i32, action: HostAction) -> Result<(), Errno> {
    let noting = |flags| KernelAction {
        handler: on_signal as *const () as u64,
        flags: flags | libc::SA_SIGINFO as u64 | SA_RESTORER,
        restorer: (&raw const km_signal_return) as u64,
        mask: !OWN,
    };
    let own = (1..=64).contains(&signal) && OWN >> (signal - 1) & 1 != 0;
    let host = match action {
        _ if own => KernelAction {
            handler: on_fault as *const () as u64,
            ..noting(0)
        },
        HostAction::Default => KernelAction {
            handler: libc::SIG_DFL as u64,
            ..Default::default()
        },
        HostAction::Ignore => KernelAction {
            handler: libc::SIG_IGN as u64,
            ..Default::default()
        },
        HostAction::Note { flags } => noting(flags),
    };
    // SAFETY: `host` is a valid kernel sigaction; its handler, if any, obeys
    // the rules for signal handlers: it uses atomics and this thread's own
    // mailbox only.
    let done = unsafe {
        libc::syscall(
            libc::SYS_rt_sigaction,
            signal,
            &raw const host,
            ptr::null::<u8>(),
            SET,
        )
    };
    if done < 0 {
        Err(std::io::Error::last_os_error().into())
    } else {
        Ok(())
    }
}

/// What the process inherited for `signal`: whether it is ignored.
pub fn is_ignored(signal: i32) -> bool {
    let mut host = KernelAction::default();
    // SAFETY: `host` is valid for writes of a kernel sigaction.
    let done = unsafe {
        libc::syscall(
            libc::SYS_rt_sigaction,
            signal,
            ptr::null::<u8>(),
            &raw mut host,
            SET,
        )
    };
    done == 0 && host.handler == libc::SIG_IGN as u64
}

/// Sets the calling thread's mask to the payload's, and says what it was.
pub fn set_mask(mask: u64) -> u64 {
    exchange_mask(Some(mask & !OWN))
}

/// The calling thread's mask.
pub fn mask() -> u64 {
    exchange_mask(None)
}

/// Blocks all signals of the calling thread but the monitor's own.
pub fn block_all() {
    set_mask(u64::MAX);
}

/// Blocks the monitor's own signals as well, while nothing can fault:
/// [`block_all`] lets them in again. Says what the mask was.
pub fn block_every() -> u64 {
    exchange_mask(Some(u64::MAX))
}

/// Sets the calling thread's mask, with the monitor's own signals.
pub fn set_every(mask: u64) {
    exchange_mask(Some(mask));
}

/// Sets the calling thread's mask if `new` is given; the old one.
fn exchange_mask(new: Option<u64>) -> u64 {
    change_mask(libc::SIG_SETMASK, new)
}

/// As `rt_sigprocmask(2)`, for the calling thread; the old mask.
fn change_mask(how: i32, new: Option<u64>) -> u64 {
    let mut old = 0u64;
    // SAFETY: the new mask is eight bytes or none, and `old` is valid for
    // writes of as many.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            how,
            new.as_ref().map_or(ptr::null(), ptr::from_ref),
            &raw mut old,
            SET,
        )
    };
    old
}

/// A signal that the monitor may draw on the calling thread by what it does
/// itself, and the payload is not to get: blocked while this lives.
#[derive(Debug)]
pub struct Held {
    bit: u64,
    /// The mask before.
    before: u64,
    /// One for the payload is there already.
    was_pending: bool,
}

impl Held {
    pub fn new(signal: i32) -> Held {
        let bit = 1 << (signal - 1);
        let before = change_mask(libc::SIG_BLOCK, Some(bit));
        Held {
            bit,
            before,
            // What was not blocked has come.
            was_pending: before & bit != 0 && pending() & bit != 0,
        }
    }

    /// Takes back the one that was drawn. The payload's own stays: a thread
    /// has no two of a kind.
    pub fn forget(&self) {
        if self.was_pending {
            return;
        }
        let at_once = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: the set is eight bytes, nothing is written, and the time is
        // valid for reads.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigtimedwait,
                &raw const self.bit,
                ptr::null::<u8>(),
                &raw const at_once,
                SET,
            )
        };
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.before & self.bit != 0 {
            return;
        }
        let now = change_mask(libc::SIG_UNBLOCK, Some(self.bit));
        if now != self.before | self.bit {
            // A signal was noted, and all that follow are blocked.
            change_mask(libc::SIG_BLOCK, Some(self.bit));
        }
    }
}

/// Signals that wait for the calling thread or for any of its process.
fn pending() -> u64 {
    let mut set = 0u64;
    // SAFETY: `set` is valid for writes of eight bytes.
    unsafe { libc::syscall(libc::SYS_rt_sigpending, &raw mut set, SET) };
    set
}

/// What a kick carries, so that it is not taken for a signal of the
/// payload's; 0 before the first.
static KICK: AtomicU64 = AtomicU64::new(0);

/// Kicks that have not arrived yet.
static ANNOUNCED: AtomicU32 = AtomicU32::new(0);

/// Counts a kick as arrived; false where none is under way.
fn take_announced() -> bool {
    let less = |count: u32| count.checked_sub(1);
    ANNOUNCED
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less)
        .is_ok()
}

/// Where `si_code` and `si_value` are in a siginfo.
const SI_CODE: usize = 2;
const SI_PID: usize = 4;
const SI_VALUE: usize = 3;

/// Brings thread `tid` of process `tgid`, which uses the same memory, out of
/// the guest: its `KVM_RUN` returns. Nothing else becomes of it.
///
/// # Errors
///
/// ESRCH where there is no such thread any more.
pub fn kick(tgid: i32, tid: i32) -> Result<(), Errno> {
    let mut cookie = KICK.load(Ordering::Relaxed);
    if cookie == 0 {
        let random = u64::from_ne_bytes(crate::sys::proc::random()) | 1;
        cookie = match KICK.compare_exchange(0, random, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => random,
            Err(other) => other,
        };
    }
    let signal = libc::SIGSEGV;
    // si_signo and si_errno, si_code, si_pid and si_uid, si_value.
    let mut info = [0u64; 16];
    info[0] = signal as u64;
    info[1] = u64::from(libc::SI_QUEUE as u32);
    info[SI_VALUE] = cookie;
    ANNOUNCED.fetch_add(1, Ordering::Relaxed);
    // SAFETY: `info` is a siginfo of 128 bytes.
    let done = unsafe {
        libc::syscall(
            libc::SYS_rt_tgsigqueueinfo,
            tgid,
            tid,
            signal,
            info.as_ptr(),
        )
    };
    if done < 0 {
        let error = std::io::Error::last_os_error();
        take_announced();
        Err(error.into())
    } else {
        Ok(())
    }
}

/// Notes a signal for the payload of this thread.
extern "C" fn on_signal(_: i32, info: *const SigInfo, context: *mut libc::ucontext_t) {
    // SAFETY: the kernel passes a siginfo and a context that live until the
    // handler returns. The mailbox, if there is one, lives as long as the
    // thread, and only this thread uses its cell.
    unsafe {
        let context = &mut *context;
        if FOR_CHILD.get() {
            ASIDE.set(Some(*info));
        } else if let Some(mailbox) = MAILBOX.get().as_ref() {
            mailbox.note(&*info);
        }
        // Blocks all that follow until the run loop has dealt with this one.
        (&raw mut context.uc_sigmask).cast::<u64>().write(!OWN);
        if let Some(rip) = context.uc_mcontext.gregs.get_mut(libc::REG_RIP as usize)
            && let Some(exit) = call::leave_window(*rip as u64)
        {
            *rip = exit as i64;
        }
    }
}

/// A fault in a copy, a SIGSEGV or SIGBUS for the payload from elsewhere, or
/// a defect of the monitor.
extern "C" fn on_fault(signal: i32, info: *const SigInfo, context: *mut libc::ucontext_t) {
    // SAFETY: as for `on_signal`.
    unsafe {
        let code = info.cast::<i32>().add(SI_CODE).read();
        let address = info.cast::<u64>().add(2).read();
        let value = info.cast::<u64>().add(SI_VALUE).read();
        let sender = info.cast::<u32>().add(SI_PID).read();
        let is_kick = code == libc::SI_QUEUE && value != 0 && value == KICK.load(Ordering::Relaxed);
        // Where the queue of signals is full, the kernel drops what a kick
        // carries, and says that nobody sent it.
        let is_bare = code == libc::SI_USER && sender == 0 && take_announced();
        if is_kick || is_bare {
            if is_kick {
                take_announced();
            }
            if let Some(mailbox) = MAILBOX.get().as_ref() {
                mailbox.set_immediate_exit(1);
            }
            return;
        }
        let registers = &mut (*context).uc_mcontext.gregs;
        let register = |index: i32| registers.get(index as usize).copied().unwrap_or(0) as u64;
        // A process may send itself any siginfo: one that names another
        // address than the processor's last page fault is not of a fault here.
        let faulted =
            register(libc::REG_TRAPNO) == PAGE_FAULT && register(libc::REG_CR2) == address;
        if code <= 0 || !faulted {
            return on_signal(signal, info, context);
        }
        let rip = registers.get_mut(libc::REG_RIP as usize);
        match rip.and_then(|rip| copy::fixup(*rip as u64).map(|fixup| (rip, fixup))) {
            Some((rip, fixup)) => *rip = fixup as i64,
            None => {
                // The instruction is tried again, and ends the process.
                libc::signal(signal, libc::SIG_DFL);
            }
        }
    }
}
