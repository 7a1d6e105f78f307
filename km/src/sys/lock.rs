//! Locks of what threads share, also with a process made by `vfork`, which may
//! be killed while it holds one.
//!
//! Such a child runs with the local storage of the thread that waits for it,
//! where each lock is noted before it is taken. So its parent finds what the
//! child held, and whether it had begun to change what the lock guards: if
//! not, the lock is given back as if nothing had been.

use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering, compiler_fence};

use crate::sys::{heap, wait};

/// A lock around a `T`.
#[derive(Default)]
pub struct Lock<T> {
    state: State,
    value: UnsafeCell<T>,
}

// SAFETY: only the holder of the lock gets at the value, one at a time.
unsafe impl<T: Send> Sync for Lock<T> {}

#[derive(Debug, Default)]
struct State {
    /// The number of the thread that holds it, and [`WAITERS`]; 0 if none.
    holder: AtomicU32,
    /// The holder may have changed the value.
    changing: AtomicBool,
}

/// Others may sleep until the lock is given back.
const WAITERS: u32 = 1 << 31;

/// Most locks that a thread holds at a time; more are not noted.
const NOTES: usize = 8;

thread_local! {
    /// This thread's number. A process made by `vfork` has its parent's.
    static NUMBER: Cell<u32> = const { Cell::new(0) };
    /// The locks this thread holds, or is about to take or has just left.
    static NOTED: [AtomicPtr<State>; NOTES] =
        const { [const { AtomicPtr::new(ptr::null_mut()) }; NOTES] };
}

fn number() -> u32 {
    static LAST: AtomicU32 = AtomicU32::new(0);
    match NUMBER.get() {
        0 => {
            let number = LAST.fetch_add(1, Ordering::Relaxed) % (WAITERS - 1) + 1;
            NUMBER.set(number);
            number
        }
        number => number,
    }
}

/// What became of the locks that a killed child held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// What they guard is as it should be.
    Whole,
    /// Something may be half changed. Its lock stays taken.
    Broken,
}

/// Gives back what a child made by `vfork` has left behind in the calling
/// thread's place. The caller holds no lock.
pub fn release_abandoned() -> Left {
    let own = number();
    let mut left = Left::Whole;
    NOTED.with(|notes| {
        for note in notes {
            let state = note.swap(ptr::null_mut(), Ordering::Acquire);
            // SAFETY: the lock was alive when the child noted it, and it is
            // part of what outlives the child, or of what the parent drops
            // only after this.
            let Some(state) = (unsafe { state.as_ref() }) else {
                continue;
            };
            if state.holder.load(Ordering::Acquire) & !WAITERS == own {
                if state.changing.load(Ordering::Relaxed) {
                    left = Left::Broken;
                    continue;
                }
                state.holder.store(0, Ordering::Release);
            }
            // It may have died between a change of the word and its wake.
            wait::wake_all(&state.holder);
        }
    });
    left
}

impl<T> Lock<T> {
    pub const fn new(value: T) -> Lock<T> {
        Lock {
            state: State {
                holder: AtomicU32::new(0),
                changing: AtomicBool::new(false),
            },
            value: UnsafeCell::new(value),
        }
    }

    /// Takes the lock; waits while another has it.
    pub fn lock(&self) -> Guard<'_, T> {
        let note = self.note();
        let own = number();
        if !self.state.exchange(0, own) {
            self.state.wait(own);
        }
        Guard {
            lock: self,
            note,
            of_this_thread: PhantomData,
        }
    }

    /// Takes the lock, if nobody has it.
    pub fn try_lock(&self) -> Option<Guard<'_, T>> {
        let note = self.note();
        if !self.state.exchange(0, number()) {
            forget(note);
            return None;
        }
        Some(Guard {
            lock: self,
            note,
            of_this_thread: PhantomData,
        })
    }

    /// Whether the calling thread holds it, or a child in its place did.
    pub fn is_own(&self) -> bool {
        self.state.holder.load(Ordering::Relaxed) & !WAITERS == number()
    }

    /// Notes the lock; where, unless there is no room.
    fn note(&self) -> Option<usize> {
        let state = (&raw const self.state).cast_mut();
        let at = NOTED.with(|notes| {
            let at = notes
                .iter()
                .position(|note| note.load(Ordering::Relaxed).is_null())?;
            notes.get(at)?.store(state, Ordering::Relaxed);
            Some(at)
        });
        compiler_fence(Ordering::SeqCst);
        at
    }
}

impl State {
    fn exchange(&self, old: u32, new: u32) -> bool {
        self.holder
            .compare_exchange(old, new, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    #[cold]
    fn wait(&self, own: u32) {
        const SPINS: u32 = 100;
        for _ in 0..SPINS {
            if self.holder.load(Ordering::Relaxed) == 0 && self.exchange(0, own) {
                return;
            }
            std::hint::spin_loop();
        }
        loop {
            match self.holder.load(Ordering::Relaxed) {
                // There may be more who wait.
                0 if self.exchange(0, own | WAITERS) => return,
                0 => {}
                now if now & WAITERS != 0 || self.exchange(now, now | WAITERS) => {
                    wait::wait(&self.holder, now | WAITERS);
                }
                _ => {}
            }
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lock").finish_non_exhaustive()
    }
}

/// The lock is taken while this lives. To write to the value says that it is
/// being changed, until the lock is given back.
#[derive(Debug)]
pub struct Guard<'a, T> {
    lock: &'a Lock<T>,
    note: Option<usize>,
    /// The lock is noted with the thread that took it.
    of_this_thread: PhantomData<*const ()>,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the lock is held.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        heap::note_shared();
        self.lock.state.changing.store(true, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        // SAFETY: the lock is held, by this guard alone.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        let state = &self.lock.state;
        compiler_fence(Ordering::SeqCst);
        state.changing.store(false, Ordering::Relaxed);
        if state.holder.swap(0, Ordering::Release) & WAITERS != 0 {
            wait::wake_one(&state.holder);
        }
        forget(self.note);
    }
}

/// Takes back what [`Lock::note`] noted.
fn forget(note: Option<usize>) {
    let Some(at) = note else {
        return;
    };
    NOTED.with(|notes| {
        if let Some(note) = notes.get(at) {
            note.store(ptr::null_mut(), Ordering::Release);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time() {
        const ROUNDS: u32 = 20_000;
        let lock = Lock::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..ROUNDS {
                        *lock.lock() += 1;
                    }
                });
            }
        });
        assert_eq!(*lock.lock(), 4 * ROUNDS);
    }

    /// Leaves a lock as a killed child would.
    fn abandon(lock: &Lock<u32>, change: bool) {
        let mut guard = lock.lock();
        if change {
            *guard = 1;
        }
        std::mem::forget(guard);
    }

    #[test]
    fn what_was_not_changed_is_given_back() {
        let (first, second) = (Lock::new(0), Lock::new(0));
        std::thread::scope(|scope| {
            abandon(&first, false);
            abandon(&second, false);
            let waiting = scope.spawn(|| *first.lock());
            assert!(first.is_own());
            assert_eq!(release_abandoned(), Left::Whole);
            assert_eq!(waiting.join().unwrap(), 0);
        });
        assert_eq!(*first.lock() + *second.lock(), 0);
        assert!(!first.is_own());
    }

    #[test]
    fn what_was_being_changed_is_not() {
        let lock = Lock::new(0);
        abandon(&lock, true);
        assert_eq!(release_abandoned(), Left::Broken);
        assert!(lock.is_own());
    }

    #[test]
    fn what_others_hold_stays() {
        let lock = Lock::new(0);
        std::thread::scope(|scope| {
            let guard = lock.lock();
            scope.spawn(|| {
                // As if it had died while it waited.
                lock.note();
                assert_eq!(release_abandoned(), Left::Whole);
            });
            assert!(lock.is_own());
            drop(guard);
        });
    }
}
