//! Processes that share the monitor's memory, until they execute another
//! program or end, while their parent waits (`CLONE_VM`).
//!
//! The parent does not wait in the kernel, as with `CLONE_VFORK`, but for a
//! word that the kernel clears and wakes when the child's use of the memory is
//! over: at its exec, and at its end however it comes. So it can work for the
//! child meanwhile. A child may be killed at any instruction; what its parent
//! does for it is done to the end.

use std::arch::global_asm;
use std::convert::Infallible;
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
use std::time::Duration;

use crate::errno::Errno;
use crate::exit_code;
use crate::sys::clone::Child;
use crate::sys::heap::Room;
use crate::sys::{proc, signal, wait};

// Arguments: rdi flags, rsi end of the child's stack, rdx parent_tid, rcx
// child_tid, r8 function, r9 its argument. The child runs the function, which
// does not return.
global_asm!(
    ".pushsection .text.km_vfork, \"ax\", @progbits",
    ".global km_vfork",
    ".type km_vfork, @function",
    "km_vfork:",
    "push r12",
    "push r13",
    "mov r12, r8",
    "mov r13, r9",
    "mov r10, rcx",
    "xor r8d, r8d",
    "mov eax, 56",
    "syscall",
    "test eax, eax",
    "jz 2f",
    "pop r13",
    "pop r12",
    "ret",
    "2:",
    "xor ebp, ebp",
    "mov rdi, r13",
    "call r12",
    "ud2",
    ".size km_vfork, . - km_vfork",
    ".popsection",
);

unsafe extern "C" {
    fn km_vfork(
        flags: u64,
        stack: *mut c_void,
        parent_tid: u64,
        child_tid: *mut u32,
        function: extern "C" fn(*mut c_void) -> !,
        argument: *mut c_void,
    ) -> i64;
}

/// What a [`Link`]'s word says.
mod turn {
    /// The kernel: the child has left the memory.
    pub const OVER: u32 = 0;
    /// The child runs, and the parent waits.
    pub const CHILD: u32 = 1;
    /// The child waits for the parent to do its work.
    pub const ASKED: u32 = 2;
    /// The parent is at it.
    pub const PARENT: u32 = 3;
}

/// What a child and its waiting parent have between them.
#[derive(Debug)]
pub struct Link {
    turn: AtomicU32,
    /// What the parent is to do, on the child's stack.
    work: AtomicPtr<Work<'static>>,
    /// The child's id as the parent has it, which may be in another PID
    /// namespace; 0 while that is not known.
    child: AtomicU32,
    /// Cleared by the kernel when the thread that waits has ended.
    parent: AtomicU32,
    /// That of the parent, where it is such a child itself: the kernel has one
    /// word to clear.
    above: Option<Arc<Link>>,
    /// The parent was killed, and the child goes on.
    orphaned: AtomicBool,
    /// The child has nothing left in hand, and is about to leave.
    leaving: AtomicBool,
}

struct Work<'a>(&'a mut dyn FnMut());

impl Link {
    /// For a child of the calling process, which has `above` with its parent.
    pub fn new(above: Option<Arc<Link>>) -> Link {
        Link {
            turn: AtomicU32::new(turn::CHILD),
            work: AtomicPtr::new(ptr::null_mut()),
            child: AtomicU32::new(0),
            parent: AtomicU32::new(1),
            above,
            orphaned: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
        }
    }

    /// In the child: its id as its parent has it.
    pub fn child_id(&self) -> i32 {
        loop {
            match self.child.load(Ordering::Acquire) {
                0 if self.parent_has_ended() => return proc::thread_id(),
                0 => wait::wait_for_kernel(&self.child, 0, Some(PATIENCE)),
                id => return id as i32,
            }
        }
    }

    /// Whether nobody waits for the child any more.
    fn parent_has_ended(&self) -> bool {
        let word = match &self.above {
            Some(above) => &above.turn,
            None => &self.parent,
        };
        word.load(Ordering::Acquire) == turn::OVER
    }

    /// The child says that it will touch nothing any more that it shares, or
    /// takes that back.
    pub fn set_leaving(&self, leaving: bool) {
        self.leaving.store(leaving, Ordering::Release);
    }

    /// Whether the child had said so.
    pub fn was_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    /// In the child: has `work` done by the parent. Nothing that can be done
    /// by one process only may be in it, and the caller holds no lock.
    pub fn ask<T>(&self, work: impl FnOnce() -> T) -> T {
        if self.orphaned.load(Ordering::Relaxed) {
            // Nobody is left to be protected.
            return work();
        }
        let mut work = Some(work);
        let mut result = None;
        let mut once = || result = work.take().map(|work| work());
        let mut whole = Work(&mut once);
        // A handler would run with the parent's at the same time, and both
        // have the same local storage.
        let mask = signal::block_every();
        self.work.store((&raw mut whole).cast(), Ordering::Relaxed);
        self.turn.store(turn::ASKED, Ordering::Release);
        wait::wake_as_kernel(&self.turn);
        loop {
            let now = self.turn.load(Ordering::Acquire);
            if now != turn::ASKED && now != turn::PARENT {
                break;
            }
            wait::wait_for_kernel(&self.turn, now, Some(PATIENCE));
            if self.turn.load(Ordering::Acquire) == now && self.parent_has_ended() {
                self.orphaned.store(true, Ordering::Relaxed);
                if self.pass(turn::ASKED, turn::CHILD) {
                    (whole.0)();
                }
                break;
            }
        }
        signal::set_every(mask);
        match result {
            Some(result) => result,
            // The parent has ended in the middle of it.
            None => proc::exit(exit_code::MONITOR),
        }
    }

    fn pass(&self, from: u32, to: u32) -> bool {
        self.turn
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// In the parent: works for the child until that has left.
    fn serve(&self, room: &Room, mut around: impl FnMut(&mut dyn FnMut())) {
        loop {
            match self.turn.load(Ordering::Acquire) {
                turn::OVER => return,
                turn::ASKED if self.pass(turn::ASKED, turn::PARENT) => {
                    room.leave();
                    // SAFETY: the child has left the work for its parent, and
                    // keeps off it and all it borrows. Its stack stays where
                    // it is, even if it is killed.
                    let work = unsafe { &mut *self.work.load(Ordering::Relaxed) };
                    around(work.0);
                    room.enter();
                    if self.pass(turn::PARENT, turn::CHILD) {
                        wait::wake_as_kernel(&self.turn);
                    }
                }
                now => wait::wait_for_kernel(&self.turn, now, None),
            }
        }
    }
}

/// When to look whether the parent is still there.
const PATIENCE: Duration = Duration::from_millis(100);

/// Has the kernel clear `word` when the calling thread has ended, or none.
fn clear_at_end(word: Option<&AtomicU32>) {
    let word = word.map_or(ptr::null_mut(), AtomicU32::as_ptr);
    // SAFETY: the caller takes it back while the word lives. The one that the
    // C library registered for the thread is not looked at: nobody joins it.
    unsafe { libc::syscall(libc::SYS_set_tid_address, word) };
}

/// Makes a process that shares the monitor's memory, in which `body` runs
/// while the calling thread waits: until the child executes another program,
/// or ends. `body` ends the process and does not return; it allocates in
/// `room`. What it [asks](Link::ask) for is done here, by `around`.
///
/// # Errors
///
/// From `clone(2)`.
pub fn vfork(
    child: &Child,
    link: &Link,
    room: &Room,
    mut body: impl FnMut() -> Infallible,
    around: impl FnMut(&mut dyn FnMut()),
) -> Result<i32, Errno> {
    struct Body<'a>(&'a Room, &'a mut dyn FnMut() -> Infallible);
    extern "C" fn call(body: *mut c_void) -> ! {
        // SAFETY: it is the body below, which the waiting parent keeps.
        let Body(room, body) = unsafe { &mut *body.cast::<Body<'_>>() };
        room.enter();
        match body() {}
    }
    const UNWANTED: i32 = libc::CLONE_SETTLS | libc::CLONE_VFORK | libc::CLONE_CHILD_SETTID;
    let wanted = (libc::CLONE_VM | libc::CLONE_CHILD_CLEARTID) as u64;
    let flags = child.flags & !(UNWANTED as u64) | wanted | child.exit_signal;
    // Both are left in the same place.
    let has_pidfd = child.flags & libc::CLONE_PIDFD as u64 != 0;
    let (flags, parent_tid) = match has_pidfd {
        true => (flags, child.pidfd),
        false => (
            flags | libc::CLONE_PARENT_SETTID as u64,
            link.child.as_ptr().addr() as u64,
        ),
    };
    let mut body = Body(room, &mut body);
    if link.above.is_none() {
        clear_at_end(Some(&link.parent));
    }
    // SAFETY: the room's stack is nobody else's. The parent does not return
    // before the child has left the memory: the kernel clears the word then,
    // as long as another process uses the memory. So `body` and all it borrows
    // outlive the child's use, and the thread's local storage has one user at
    // a time: the parent runs nothing but what the child waits for. The word
    // for the child's id is the link's, which the parent keeps as well.
    let pid = unsafe {
        km_vfork(
            flags,
            room.stack(),
            parent_tid,
            link.turn.as_ptr(),
            call,
            (&raw mut body).cast(),
        )
    };
    if pid > 0 {
        if has_pidfd {
            link.child.store(pid as u32, Ordering::Release);
            wait::wake_as_kernel(&link.child);
        }
        link.serve(room, around);
        room.leave();
    }
    if link.above.is_none() {
        clear_at_end(None);
    }
    match pid {
        ..0 => Err(Errno::from_raw(-(pid as i32))),
        pid => Ok(pid as i32),
    }
}
