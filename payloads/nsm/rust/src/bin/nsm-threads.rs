//! Ninety threads on one descriptor: all kinds of requests at once, for a number
//! of rounds. No extension may be lost, and no lock undone.
//!
//!     nsm-threads [THREADS [ROUNDS]]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use aws_nitro_enclaves_nsm_api::api::{Request, Response};
use nsm_clients::{Nsm, OF_THE_LAUNCH, PCRS, Refusal, ZERO, extended};

/// Extended by all to the end.
const OPEN: u16 = 16;
/// Locked by one in the middle of it.
const LOCKED: u16 = 17;
const DATA: &[u8] = b"a turn";

fn main() {
    let given: Vec<usize> = std::env::args()
        .skip(1)
        .map(|text| text.parse().expect("a number"))
        .collect();
    let threads = given.first().copied().unwrap_or(90);
    let rounds = given.get(1).copied().unwrap_or(20);

    let nsm = Nsm::open();
    // How often LOCKED was extended.
    let before_lock = AtomicUsize::new(0);
    thread::scope(|scope| {
        for me in 0..threads {
            let (nsm, before_lock) = (&nsm, &before_lock);
            scope.spawn(move || work(nsm, me, rounds, before_lock));
        }
    });

    assert_eq!(nsm.pcr(OPEN), (false, chain(threads * rounds)));
    let counted = before_lock.into_inner();
    assert_eq!(nsm.pcr(LOCKED), (true, chain(counted)));
    assert_eq!(nsm.extend(LOCKED, DATA), Err(Refusal::ReadOnlyIndex));
    println!(
        "{threads} threads, {rounds} rounds: no extension is lost, and what is locked stays so"
    );
}

fn work(nsm: &Nsm, me: usize, rounds: usize, before_lock: &AtomicUsize) {
    let mut was_locked = false;
    let mut last = Vec::new();
    for round in 0..rounds {
        nsm.extend(OPEN, DATA).expect("never locked");
        match nsm.extend(LOCKED, DATA) {
            Ok(_) => {
                assert!(!was_locked, "a lock is undone");
                before_lock.fetch_add(1, Ordering::Relaxed);
            }
            Err(code) => {
                assert_eq!(code, Refusal::ReadOnlyIndex);
                was_locked = true;
            }
        }
        if me == 0 && round == rounds / 2 {
            nsm.lock(LOCKED).expect("the only one to lock it");
            was_locked = true;
        }
        match (me + round) % 4 {
            0 => {
                let options = round % 4;
                let document = nsm.attest(options, 1024).expect("a document");
                assert!(document.len() > 1000 + 1024 * options);
            }
            1 => {
                let random = nsm.random();
                assert_eq!(random.len(), 256);
                assert_ne!(random, last);
                last = random;
            }
            2 => {
                let response = nsm.ask(Request::DescribeNSM);
                assert!(matches!(
                    response,
                    Response::DescribeNSM { max_pcrs: PCRS, .. }
                ));
            }
            _ => {
                let index = (me % usize::from(OF_THE_LAUNCH)) as u16;
                assert_eq!(nsm.extend(index, DATA), Err(Refusal::ReadOnlyIndex));
                assert!(nsm.pcr(index).0);
            }
        }
    }
}

fn chain(turns: usize) -> Vec<u8> {
    (0..turns).fold(ZERO.to_vec(), |value, _| extended(&value, DATA))
}
