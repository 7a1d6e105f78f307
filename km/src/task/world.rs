//! The threads that run in one virtual machine, and how they are stopped: for
//! a fork, an exec, or a change of the page tables that no processor may see
//! half done.
//!
//! A thread is in the guest, in a host call, or in the monitor's own code.
//! [`World::stop`] brings those in the guest out of it, and waits until no
//! thread but the caller is in the monitor's code: each is in a host call or
//! parked, and holds no lock. A thread that wants to go on parks until the
//! world does.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::errno::Errno;
use crate::seccomp::Seccomp;
use crate::sys::{proc, signal, wait};

/// Where a thread is.
mod place {
    /// In the monitor's code: it may hold locks.
    pub const MONITOR: u32 = 0;
    /// In the guest, or about to enter it.
    pub const GUEST: u32 = 1;
    /// In the guest, and about to be kicked.
    pub const KICKED: u32 = 2;
    /// In a host call of the payload's.
    pub const HOST: u32 = 3;
    /// Waiting for the world to go on.
    pub const PARKED: u32 = 4;
}

/// A thread's place in the world.
#[derive(Debug, Default)]
pub struct Seat {
    /// Its process; not the same for all while one waits for its `vfork`.
    tgid: AtomicI32,
    tid: AtomicI32,
    place: AtomicU32,
    /// The kick that `KICKED` announces was sent.
    sent: AtomicBool,
    /// Head of the payload's list of robust futexes (`set_robust_list(2)`).
    pub robust_list: AtomicU64,
    /// What judges the thread's calls.
    pub seccomp: Arc<Seccomp>,
}

impl Seat {
    /// Makes it the calling thread's, where its id is not a new one.
    pub fn take(&self) {
        self.tgid
            .store(std::process::id() as i32, Ordering::Relaxed);
        self.tid.store(proc::thread_id(), Ordering::Release);
        self.place.store(place::MONITOR, Ordering::SeqCst);
    }

    /// The thread's id; 0 before it has taken its seat.
    pub fn tid(&self) -> i32 {
        self.tid.load(Ordering::Acquire)
    }

    /// Its process's id.
    pub fn tgid(&self) -> i32 {
        self.tgid.load(Ordering::Relaxed)
    }

    /// Gets it out of the guest; true once it holds no lock and takes none.
    ///
    /// # Errors
    ///
    /// EPERM where its process is another user's by now.
    fn is_still(&self) -> Result<bool, Errno> {
        Ok(match self.place.load(Ordering::SeqCst) {
            place::HOST | place::PARKED => true,
            place::GUEST => {
                self.sent.store(false, Ordering::Relaxed);
                let kicks = self.place.compare_exchange(
                    place::GUEST,
                    place::KICKED,
                    Ordering::SeqCst,
                    Ordering::SeqCst,
                );
                if kicks.is_ok() {
                    let kicked = signal::kick(self.tgid(), self.tid());
                    self.sent.store(true, Ordering::Release);
                    if let Err(error) = kicked
                        && error != Errno::ESRCH
                    {
                        // It may have left by itself meanwhile.
                        let _ = self.place.compare_exchange(
                            place::KICKED,
                            place::GUEST,
                            Ordering::SeqCst,
                            Ordering::SeqCst,
                        );
                        return Err(error);
                    }
                    // A thread that is gone has left by itself.
                    return Ok(kicked.is_err());
                }
                false
            }
            // Killed, unlike its memory, which a process made by vfork shared.
            _ if self.tid() != 0 => !proc::is_alive(self.tgid(), self.tid()),
            _ => false,
        })
    }
}

/// The threads of one virtual machine.
#[derive(Debug, Default)]
pub struct World {
    seats: Mutex<Vec<Arc<Seat>>>,
    /// Threads that gave their seat back but have not ended yet.
    leaving: Mutex<Vec<(i32, i32)>>,
    /// Not zero while the world is stopped.
    stopped: AtomicU32,
    /// Held by who stops it.
    turn: Mutex<()>,
    /// Counts the changes after which processors have to forget what they
    /// have cached of the page tables.
    flushes: AtomicU64,
}

/// The world stands still while this lives.
#[derive(Debug)]
pub struct Stopped<'a> {
    world: &'a World,
    _turn: MutexGuard<'a, ()>,
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.world.stopped.store(0, Ordering::SeqCst);
        wait::wake_all(&self.world.stopped);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// A seat for one more thread, which it has to [take](Seat::take).
    pub fn admit(&self) -> Arc<Seat> {
        let seat = Arc::new(Seat::default());
        lock(&self.seats).push(Arc::clone(&seat));
        seat
    }

    /// A seat for a thread whose calls are judged as `parent` judges them.
    pub fn admit_beside(&self, parent: &Seccomp) -> Arc<Seat> {
        let seat = Arc::new(Seat::default());
        // A thread that brings its filters to all finds the old one with them
        // or the new one.
        let mut seats = lock(&self.seats);
        seat.seccomp.copy_from(parent);
        seats.push(Arc::clone(&seat));
        seat
    }

    /// All seats, while no thread begins or ends.
    pub fn with_seats<T>(&self, work: impl FnOnce(&[Arc<Seat>]) -> T) -> T {
        work(&lock(&self.seats))
    }

    /// Gives the seat of a thread back that is about to end, or never began.
    pub fn dismiss(&self, seat: &Arc<Seat>) {
        // First, so that it is never in neither. The first thread's id stays
        // until the process ends.
        if seat.tid() != 0 && seat.tid() != seat.tgid() {
            let mut leaving = lock(&self.leaving);
            leaving.retain(|(tgid, tid)| proc::is_alive(*tgid, *tid));
            leaving.push((seat.tgid(), seat.tid()));
        }
        lock(&self.seats).retain(|other| !Arc::ptr_eq(seat, other));
    }

    /// Makes `seat` the calling thread's, whose id another may have had that
    /// was thought to be leaving.
    pub fn take(&self, seat: &Seat) {
        seat.take();
        let own = (seat.tgid(), seat.tid());
        lock(&self.leaving).retain(|other| *other != own);
    }

    /// All seats, as of now.
    pub fn seats(&self) -> Vec<Arc<Seat>> {
        lock(&self.seats).clone()
    }

    /// Before the guest is entered. Waits while the world is stopped.
    pub fn enter_guest(&self, seat: &Seat) {
        loop {
            seat.place.store(place::GUEST, Ordering::SeqCst);
            if self.stopped.load(Ordering::SeqCst) == 0 {
                return;
            }
            self.leave_guest(seat);
            self.park(seat);
        }
    }

    /// After the guest was left. A kick has arrived then.
    pub fn leave_guest(&self, seat: &Seat) {
        if seat.place.swap(place::MONITOR, Ordering::SeqCst) != place::KICKED {
            return;
        }
        while !seat.sent.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        // A signal that was sent is handled before a host call returns.
        proc::thread_id();
    }

    /// Makes a host call that may block.
    pub fn host_call<T>(&self, seat: &Seat, call: impl FnOnce() -> T) -> T {
        seat.place.store(place::HOST, Ordering::SeqCst);
        let result = call();
        self.resume(seat);
        result
    }

    /// Back in the monitor's code. Waits while the world is stopped.
    pub fn resume(&self, seat: &Seat) {
        seat.place.store(place::MONITOR, Ordering::SeqCst);
        if self.stopped.load(Ordering::SeqCst) != 0 {
            self.park(seat);
        }
    }

    fn park(&self, seat: &Seat) {
        loop {
            seat.place.store(place::PARKED, Ordering::SeqCst);
            while self.stopped.load(Ordering::SeqCst) != 0 {
                wait::wait(&self.stopped, 1);
            }
            seat.place.store(place::MONITOR, Ordering::SeqCst);
            if self.stopped.load(Ordering::SeqCst) == 0 {
                return;
            }
        }
    }

    /// Stops all threads but the caller's, which has `seat` and holds no
    /// lock.
    ///
    /// # Errors
    ///
    /// EAGAIN where one cannot be stopped.
    pub fn stop(&self, seat: &Seat) -> Result<Stopped<'_>, Errno> {
        seat.place.store(place::PARKED, Ordering::SeqCst);
        let turn = lock(&self.turn);
        seat.place.store(place::MONITOR, Ordering::SeqCst);
        self.stopped.store(1, Ordering::SeqCst);
        let stopped = Stopped {
            world: self,
            _turn: turn,
        };
        let mut pause = Duration::from_micros(5);
        while !self.is_still(seat).map_err(|_| Errno::EAGAIN)? {
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(1));
        }
        Ok(stopped)
    }

    /// Whether all threads but that of `own` stand still.
    fn is_still(&self, own: &Seat) -> Result<bool, Errno> {
        let mut still = true;
        for seat in lock(&self.seats).iter() {
            // All are kicked, not only the first.
            still &= std::ptr::eq(&raw const **seat, own) || seat.is_still()?;
        }
        // The C library's own end of a thread takes locks as well.
        let mut leaving = lock(&self.leaving);
        leaving.retain(|(tgid, tid)| proc::is_alive(*tgid, *tid));
        Ok(still && leaving.is_empty())
    }

    /// The processors have to forget what they have cached of the page
    /// tables. The world is stopped.
    pub fn want_flush(&self) {
        self.flushes.fetch_add(1, Ordering::SeqCst);
    }

    /// How often that was wanted.
    pub fn flushes(&self) -> u64 {
        self.flushes.load(Ordering::SeqCst)
    }

    /// Leaves only `seat` in it: in the child of a fork.
    pub fn keep_only(&self, seat: &Arc<Seat>) {
        *lock(&self.seats) = vec![Arc::clone(seat)];
        lock(&self.leaving).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    /// Threads that go from place to place, while others stop the world and
    /// look whether anything moves.
    #[test]
    fn a_stopped_world_stands_still() {
        let world = World::default();
        let in_monitor = AtomicUsize::new(0);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let walker = |calls: bool| {
                let (world, in_monitor, done) = (&world, &in_monitor, &done);
                move || {
                    let seat = world.admit();
                    seat.take();
                    while !done.load(Ordering::Relaxed) {
                        in_monitor.fetch_add(1, Ordering::SeqCst);
                        in_monitor.fetch_sub(1, Ordering::SeqCst);
                        if calls {
                            world.host_call(&seat, std::thread::yield_now);
                        } else {
                            // Stands for a guest that was left at once.
                            world.resume(&seat);
                        }
                    }
                    world.dismiss(&seat);
                }
            };
            scope.spawn(walker(true));
            scope.spawn(walker(false));
            let stoppers = [0, 1].map(|_| {
                scope.spawn(|| {
                    let seat = world.admit();
                    seat.take();
                    for _ in 0..200 {
                        let stopped = world.stop(&seat).unwrap();
                        assert_eq!(in_monitor.load(Ordering::SeqCst), 0);
                        drop(stopped);
                    }
                    world.dismiss(&seat);
                })
            });
            for stopper in stoppers {
                stopper.join().unwrap();
            }
            done.store(true, Ordering::Relaxed);
        });
    }
}
