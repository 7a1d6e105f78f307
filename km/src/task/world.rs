//! The threads that run in one virtual machine, and how they are stopped: for
//! a fork, an exec, or a change of the page tables that no processor may see
//! half done.
//!
//! A thread is in the guest, in a host call, or in the monitor's own code.
//! [`World::stop`] brings those in the guest out of it, and waits until no
//! thread but the caller is in the monitor's code: each is in a host call or
//! parked, and holds no lock. A thread that wants to go on parks until the
//! world does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::errno::Errno;
use crate::seccomp::Seccomp;
use crate::sys::lock::{Guard, Lock};
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
    /// Its process in the upper half, which is not the same for all while one
    /// waits for its `vfork`, and its id in the lower.
    ids: AtomicU64,
    /// The thread that has lent it to its child and waits, in the same form;
    /// 0 if none. It takes the place of a child that dies.
    lender: AtomicU64,
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
        let process = u64::from(std::process::id());
        let ids = process << 32 | u64::from(proc::thread_id() as u32);
        self.ids.store(ids, Ordering::SeqCst);
        self.place.store(place::MONITOR, Ordering::SeqCst);
    }

    /// As [`take`](Self::take), for a process of one thread whose id is another
    /// where the others of this world are.
    pub fn take_as(&self, id: i32) {
        let id = u64::from(id as u32);
        self.ids.store(id << 32 | id, Ordering::SeqCst);
        self.place.store(place::MONITOR, Ordering::SeqCst);
    }

    /// The calling thread lends it to a child; says who else had done so.
    pub fn lend(&self) -> u64 {
        self.lender
            .swap(self.ids.load(Ordering::SeqCst), Ordering::SeqCst)
    }

    /// It is the calling thread's again; `lender` is as it was.
    pub fn return_to(&self, lender: u64) {
        self.lender.store(lender, Ordering::SeqCst);
    }

    /// Whether its thread is gone, and nobody else has its place.
    fn is_deserted(&self) -> bool {
        let gone = |ids| match split(ids) {
            (_, 0) => true,
            (tgid, tid) => !proc::is_alive(tgid, tid),
        };
        self.tid() != 0
            && gone(self.ids.load(Ordering::SeqCst))
            && gone(self.lender.load(Ordering::SeqCst))
    }

    /// The ids of its process and its own: both of the same moment.
    fn ids(&self) -> (i32, i32) {
        split(self.ids.load(Ordering::SeqCst))
    }

    /// The thread's id; 0 before it has taken its seat.
    pub fn tid(&self) -> i32 {
        self.ids().1
    }

    /// Its process's id.
    pub fn tgid(&self) -> i32 {
        self.ids().0
    }

    /// Whether its thread, which has ended, was anywhere but in the monitor's
    /// own code: there it leaves nothing half done.
    pub fn was_outside(&self) -> bool {
        self.place.load(Ordering::SeqCst) != place::MONITOR
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
                    let (tgid, tid) = self.ids();
                    let kicked = signal::kick(tgid, tid);
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
                    return Ok(kicked.is_err() && self.is_deserted());
                }
                false
            }
            // Killed, unlike its memory, which a process made by vfork shared.
            _ => self.is_deserted(),
        })
    }
}

fn split(ids: u64) -> (i32, i32) {
    ((ids >> 32) as i32, ids as i32)
}

/// The threads of one virtual machine.
#[derive(Debug, Default)]
pub struct World {
    seats: Lock<Vec<Arc<Seat>>>,
    /// Threads that gave their seat back but have not ended yet.
    leaving: Lock<Vec<(i32, i32)>>,
    /// Not zero while the world is stopped.
    stopped: AtomicU32,
    /// Held by who stops it.
    turn: Lock<()>,
    /// Counts the changes after which processors have to forget what they
    /// have cached of the page tables.
    flushes: AtomicU64,
}

/// The world stands still while this lives.
#[derive(Debug)]
pub struct Stopped<'a> {
    world: &'a World,
    _turn: Guard<'a, ()>,
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        self.world.go_on();
    }
}

impl World {
    /// A seat for one more thread, which it has to [take](Seat::take).
    pub fn admit(&self) -> Arc<Seat> {
        let seat = Arc::new(Seat::default());
        self.seats.lock().push(Arc::clone(&seat));
        seat
    }

    /// A seat for a thread whose calls are judged as `parent` judges them.
    pub fn admit_beside(&self, parent: &Seccomp) -> Arc<Seat> {
        let seat = Arc::new(Seat::default());
        // A thread that brings its filters to all finds the old one with them
        // or the new one.
        let mut seats = self.seats.lock();
        seat.seccomp.copy_from(parent);
        seats.push(Arc::clone(&seat));
        seat
    }

    /// All seats, while no thread begins or ends.
    pub fn with_seats<T>(&self, work: impl FnOnce(&[Arc<Seat>]) -> T) -> T {
        work(&self.seats.lock())
    }

    /// Gives the seat of a thread back that is about to end, or never began.
    pub fn dismiss(&self, seat: &Arc<Seat>) {
        // First, so that it is never in neither. The first thread's id stays
        // until the process ends.
        if seat.tid() != 0 && seat.tid() != seat.tgid() {
            let mut leaving = self.leaving.lock();
            leaving.retain(|(tgid, tid)| proc::is_alive(*tgid, *tid));
            leaving.push((seat.tgid(), seat.tid()));
        }
        self.seats.lock().retain(|other| !Arc::ptr_eq(seat, other));
    }

    /// Makes `seat` the calling thread's, whose id another may have had that
    /// was thought to be leaving.
    pub fn take(&self, seat: &Seat) {
        seat.take();
        let own = (seat.tgid(), seat.tid());
        self.leaving.lock().retain(|other| *other != own);
    }

    /// All seats, as of now.
    pub fn seats(&self) -> Vec<Arc<Seat>> {
        self.seats.lock().clone()
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
        let turn = self.turn.lock();
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

    /// After a child in the calling thread's place was killed: lets the world
    /// go on that it may have stopped.
    pub fn release_abandoned(&self) {
        if self.turn.is_own() {
            self.go_on();
        }
    }

    fn go_on(&self) {
        self.stopped.store(0, Ordering::SeqCst);
        wait::wake_all(&self.stopped);
    }

    /// Whether all threads but that of `own` stand still.
    fn is_still(&self, own: &Seat) -> Result<bool, Errno> {
        let mut still = true;
        for seat in self.seats.lock().iter() {
            // All are kicked, not only the first.
            still &= std::ptr::eq(&raw const **seat, own) || seat.is_still()?;
        }
        // The C library's own end of a thread takes locks as well.
        let mut leaving = self.leaving.lock();
        // What does not change is not touched: the caller may be a child that
        // is killed.
        if !leaving.is_empty() {
            leaving.retain(|(tgid, tid)| proc::is_alive(*tgid, *tid));
        }
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
        *self.seats.lock() = vec![Arc::clone(seat)];
        self.leaving.lock().clear();
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
