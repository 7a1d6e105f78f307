use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::sys::copy::{self, HostPtr};
use crate::sys::proc::memory_file;

const P: u64 = PAGE as u64;
const RW: i32 = libc::PROT_READ | libc::PROT_WRITE;
const PRIVATE: i32 = libc::MAP_PRIVATE | libc::MAP_NORESERVE;
const ANONYMOUS: Growth = Growth::Anonymous {
    prot: RW,
    flags: PRIVATE,
};

fn reservation() -> Reservation {
    Reservation::new(1 << 30).expect("address space")
}

fn fill(memory: &Reservation, range: Range<u64>, value: u8) {
    for page in range.step_by(PAGE) {
        let at = HostPtr::new(memory.base() + page);
        assert_eq!(copy::write(at, &[value]), 1);
    }
}

/// The first byte of each page; `None` where it cannot be read.
fn bytes(memory: &Reservation, range: Range<u64>) -> Vec<Option<u8>> {
    let one = |page| {
        let mut byte = [0];
        let read = copy::read(HostPtr::new(memory.base() + page), &mut byte);
        (read == 1).then_some(byte[0])
    };
    range.step_by(PAGE).map(one).collect()
}

fn is_whole(memory: &Reservation, range: Range<u64>) -> bool {
    memory.resident(&range).is_ok()
}

fn catch_faults() {
    use crate::sys::signal::{HostAction, set_action};
    set_action(libc::SIGSEGV, HostAction::Default).expect("SIGSEGV");
}

#[test]
fn anonymous_memory_grows_and_moves_as_several_mappings() {
    catch_faults();
    let memory = reservation();
    memory
        .map(&(P..3 * P), RW, PRIVATE, Backing::Anonymous)
        .unwrap();
    fill(&memory, P..3 * P, 1);
    memory.move_pages(&(P..3 * P), 10 * P).unwrap();
    memory.unmap(&(P..3 * P)).unwrap();
    // The kernel keeps what was moved and what is new apart.
    memory.grow(&(10 * P..12 * P), 4 * P, ANONYMOUS).unwrap();
    assert_eq!(memory.first_mapping(&(10 * P..14 * P)), Ok(2 * P));
    fill(&memory, 12 * P..14 * P, 2);
    memory.move_pages(&(10 * P..14 * P), 20 * P).unwrap();
    assert_eq!(
        bytes(&memory, 20 * P..25 * P),
        [Some(1), Some(1), Some(2), Some(2), None]
    );
    assert_eq!(bytes(&memory, 10 * P..14 * P), [Some(0); 4]);
    assert!(is_whole(&memory, 0..64 * P));
}

#[test]
fn shared_memory_grows_into_a_second_view() {
    catch_faults();
    let memory = reservation();
    let file = file_of_six_pages();
    let backing = whole(&file);
    memory
        .map(&(P..3 * P), RW, libc::MAP_SHARED, backing)
        .unwrap();
    memory.grow(&(P..3 * P), 6 * P, Growth::Shared).unwrap();
    memory
        .map(&(20 * P..26 * P), RW, libc::MAP_SHARED, backing)
        .unwrap();
    fill(&memory, P..7 * P, 7);
    assert_eq!(bytes(&memory, 20 * P..26 * P), [Some(7); 6]);
    memory.duplicate(2 * P, &(40 * P..42 * P)).unwrap();
    fill(&memory, 40 * P..42 * P, 8);
    assert_eq!(bytes(&memory, P..4 * P), [Some(7), Some(8), Some(8)]);
    assert!(is_whole(&memory, 0..64 * P));
}

#[test]
fn a_private_file_mapping_grows_with_its_changes() {
    catch_faults();
    let memory = reservation();
    let file = file_of_six_pages();
    let backing = whole(&file);
    memory
        .map(&(10 * P..16 * P), RW, libc::MAP_SHARED, backing)
        .unwrap();
    fill(&memory, 10 * P..16 * P, 3);
    memory.map(&(P..3 * P), RW, PRIVATE, backing).unwrap();
    fill(&memory, P..3 * P, 9);
    memory.grow(&(P..3 * P), 5 * P, Growth::Private).unwrap();
    assert_eq!(
        bytes(&memory, P..7 * P),
        [Some(9), Some(9), Some(3), Some(3), Some(3), None]
    );
    assert!(is_whole(&memory, 0..64 * P));
}

#[test]
fn what_fails_leaves_everything_as_it_was() {
    catch_faults();
    let memory = reservation();
    memory
        .map(&(P..3 * P), RW, PRIVATE, Backing::Anonymous)
        .unwrap();
    fill(&memory, P..3 * P, 1);
    let end = 1 << 30;
    assert!(memory.move_pages(&(P..3 * P), end - P).is_err());
    assert!(memory.grow(&(P..3 * P), end, ANONYMOUS).is_err());
    assert_eq!(bytes(&memory, 0..4 * P), [None, Some(1), Some(1), None]);
    assert!(is_whole(&memory, 0..64 * P));
}

/// Another thread maps and unmaps all the time, and never gets an address in
/// the reservation.
#[test]
fn there_is_never_a_hole() {
    let memory = reservation();
    let inside = memory.base()..memory.base() + (1 << 30);
    let done = AtomicBool::new(false);
    let file = file_of_six_pages();
    let backing = whole(&file);
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    std::thread::scope(|threads| {
        let other = threads.spawn(|| {
            let mut strays = 0;
            while !done.load(Ordering::Relaxed) {
                // SAFETY: a fresh mapping at an address of the kernel's
                // choosing, which goes away again.
                unsafe {
                    let at = libc::mmap(std::ptr::null_mut(), PAGE, RW, flags, -1, 0);
                    if at != libc::MAP_FAILED {
                        strays += usize::from(inside.contains(&(at as u64)));
                        libc::munmap(at, PAGE);
                    }
                }
            }
            strays
        });
        for _ in 0..1000 {
            for (backing, flags, how) in [
                (Backing::Anonymous, PRIVATE, ANONYMOUS),
                (backing, libc::MAP_SHARED, Growth::Shared),
                (backing, libc::MAP_PRIVATE, Growth::Private),
            ] {
                memory.map(&(P..3 * P), RW, flags, backing).unwrap();
                memory.grow(&(P..3 * P), 5 * P, how).unwrap();
                memory.move_pages(&(P..6 * P), 10 * P).unwrap();
                memory.unmap(&(P..6 * P)).unwrap();
                memory.unmap(&(10 * P..15 * P)).unwrap();
            }
        }
        done.store(true, Ordering::Relaxed);
        assert_eq!(other.join().expect("thread"), 0);
    });
}

fn file_of_six_pages() -> OwnedFd {
    memory_file(c"test", &[0; 6 * PAGE], libc::MFD_CLOEXEC).expect("a file")
}

fn whole(file: &OwnedFd) -> Backing<'_> {
    Backing::File {
        fd: file.as_fd(),
        offset: 0,
    }
}
