//! Host threads for the payload's.
//!
//! They run on stacks of the monitor's own, not of the C library's: so the
//! word that the kernel clears at a thread's very end (`set_tid_address(2)`),
//! by which the C library would know when a stack of its own is free, can be
//! the payload's.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::{Mutex, PoisonError};

use libc::c_void;

use crate::errno::Errno;
use crate::sys::proc;

/// Bytes of a stack, its guard included.
const SIZE: usize = 256 << 10;
const GUARD: usize = 4096;

/// A stack, and the thread that is to have left it before it is used again.
#[derive(Debug)]
struct Stack {
    start: usize,
    tid: i32,
}

/// An id that no thread has (`PID_MAX_LIMIT` is 2^22).
const NOBODY: i32 = i32::MAX;

/// Stacks of threads that have ended, or are about to.
static USED: Mutex<Vec<Stack>> = Mutex::new(Vec::new());

fn used() -> std::sync::MutexGuard<'static, Vec<Stack>> {
    USED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps the C library to one heap for all threads. For one of its own, a
/// thread would map 128 MiB and touch pages that it hardly uses; and to learn
/// how many there may be, the library opens a file, at a number that the payload
/// may take for its own.
pub fn share_heap() {
    // SAFETY: called while there is one thread; an allocator that does not
    // know the parameter leaves all as it is.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}

fn stack() -> Result<usize, Errno> {
    let own = std::process::id() as i32;
    let mut used = used();
    // The one that ended first is the likeliest to have left.
    let free = used
        .iter()
        .position(|stack| !proc::is_alive(own, stack.tid));
    if let Some(free) = free {
        return Ok(used.remove(free).start);
    }
    drop(used);
    // SAFETY: a fresh mapping touches no other; its lowest page becomes the
    // guard.
    unsafe {
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE | libc::MAP_STACK;
        let start = libc::mmap(ptr::null_mut(), SIZE, prot, kind, -1, 0);
        if start == libc::MAP_FAILED {
            return Err(Errno::EAGAIN);
        }
        libc::mprotect(start, GUARD, libc::PROT_NONE);
        Ok(start as usize)
    }
}

/// What a new thread runs: its work gets the host address that the kernel is
/// to clear and wake when the thread has ended, if any.
type Work = Box<dyn FnOnce() -> Option<u64> + Send>;

struct Start {
    stack: usize,
    work: Work,
}

/// Runs `work` on a new host thread, which nobody joins. The host address it
/// returns is cleared, and one waiter on it woken, when the thread is gone.
///
/// # Errors
///
/// EAGAIN where the host allows no more threads, EINVAL where none at all
/// (`clone(2)`, namespaces).
pub fn spawn(work: Work) -> Result<(), Errno> {
    extern "C" fn run(start: *mut c_void) -> *mut c_void {
        // SAFETY: it is the box given to pthread_create below, once.
        let Start { stack, work } = *unsafe { Box::from_raw(start.cast::<Start>()) };
        let cleared = work();
        used().push(Stack {
            start: stack,
            tid: proc::thread_id(),
        });
        // SAFETY: the address is the payload's, where the kernel writes one
        // word if it can; with NULL nothing. The C library does not look at
        // the word it registered: nobody joins the thread, and the stack is
        // not its own.
        unsafe { libc::syscall(libc::SYS_set_tid_address, cleared.unwrap_or(0)) };
        ptr::null_mut()
    }
    let stack = stack()?;
    let start = Box::into_raw(Box::new(Start { stack, work }));
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
    // SAFETY: the attributes are initialised before use; the stack above its
    // guard is mapped, and stays so as it is used for threads only, by one at
    // a time. `start` is handed over to the thread, or taken back where there
    // is none.
    let error = unsafe {
        let attributes = attributes.as_mut_ptr();
        libc::pthread_attr_init(attributes);
        libc::pthread_attr_setdetachstate(attributes, libc::PTHREAD_CREATE_DETACHED);
        let bottom = (stack + GUARD) as *mut c_void;
        libc::pthread_attr_setstack(attributes, bottom, SIZE - GUARD);
        let error = libc::pthread_create(thread.as_mut_ptr(), attributes, run, start.cast());
        libc::pthread_attr_destroy(attributes);
        if error != 0 {
            drop(Box::from_raw(start));
        }
        error
    };
    if error == 0 {
        return Ok(());
    }
    log::debug!("no thread: {}", io::Error::from_raw_os_error(error));
    used().push(Stack {
        start: stack,
        tid: NOBODY,
    });
    // What other threads cannot have is no lack of room.
    Err(match error {
        libc::EINVAL => Errno::EINVAL,
        _ => Errno::EAGAIN,
    })
}

/// In the child of a fork: the other threads' stacks are nobody's.
pub fn forget_others() {
    for stack in used().iter_mut() {
        stack.tid = NOBODY;
    }
}
