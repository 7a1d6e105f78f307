use super::*;
use crate::signal::frame::{fault_address, signal_code, signal_number};

const RIP: u64 = 0x40_1521;

fn exception(vector: u8, error: u64) -> Exception {
    Exception {
        vector,
        error,
        address: 0,
    }
}

fn outcome(vector: u8, dr6: u64, image: &[u8]) -> Option<(i32, i32, u64)> {
    match signal_of(exception(vector, 0), RIP, dr6, image) {
        Outcome::Signal(info) => Some((
            signal_number(&info),
            signal_code(&info),
            fault_address(&info),
        )),
        Outcome::Retry | Outcome::Unexpected => None,
    }
}

/// As a handler sees them on Linux 6.18, less those marked.
#[test]
fn exceptions_are_the_signals_of_linux() {
    let rows = [
        (0, (8, 1, RIP)),
        (3, (5, 128, 0)),
        (4, (11, 128, 0)),
        (5, (11, 128, 0)), // from its source: there is no BOUND in 64-bit code
        (6, (4, 2, RIP)),
        (9, (8, 128, 0)),   // from its source
        (10, (11, 128, 0)), // from its source
        (11, (7, 128, 0)),
        (12, (7, 128, 0)),
        (13, (11, 128, 0)),
        (17, (7, 1, 0)),
        (21, (11, 10, 0)), // from its source
    ];
    for (vector, wanted) in rows {
        assert_eq!(outcome(vector, 0, &[]), Some(wanted), "vector {vector}");
    }
}

#[test]
fn traps_tell_what_stopped_the_program() {
    // `int1`, then a single step: seen on the kernel. Breakpoints of the
    // processor from its source.
    assert_eq!(outcome(1, 0, &[]), Some((5, 1, RIP)));
    assert_eq!(outcome(1, 1 << 14, &[]), Some((5, 2, RIP)));
    for breakpoint in 0..4 {
        assert_eq!(outcome(1, 1 << breakpoint, &[]), Some((5, 4, RIP)));
    }
    assert_eq!(outcome(1, 1 << 14 | 1, &[]), Some((5, 2, RIP)));
}

fn image(control: u16, status: u16, mxcsr: u32) -> Vec<u8> {
    let mut image = vec![0; 4096];
    image[0..2].copy_from_slice(&control.to_ne_bytes());
    image[2..4].copy_from_slice(&status.to_ne_bytes());
    image[24..28].copy_from_slice(&mxcsr.to_ne_bytes());
    image
}

/// Control word, status word, `si_code`, from the kernel's frames.
#[test]
fn x87_exceptions_tell_their_cause() {
    let rows = [
        (0x37b, 0xb884, FPE_FLTDIV),
        (0x37e, 0xb881, FPE_FLTINV),
        (0x37e, 0x80c1, FPE_FLTINV),
        (0x377, 0xb8a8, FPE_FLTOVF),
        (0x36f, 0xb8b2, FPE_FLTUND),
        (0x37d, 0xb882, FPE_FLTUND),
        (0x35f, 0xbaa0, FPE_FLTRES),
    ];
    for (control, status, code) in rows {
        let seen = outcome(16, 0, &image(control, status, 0x1f80));
        assert_eq!(seen, Some((8, code, RIP)), "{control:#x} {status:#x}");
    }
}

/// MXCSR and `si_code`, from the kernel's frames.
#[test]
fn simd_exceptions_tell_their_cause() {
    let rows = [
        (0x1d84, FPE_FLTDIV),
        (0x1f01, FPE_FLTINV),
        (0x1e82, FPE_FLTUND),
        (0x1ba8, FPE_FLTOVF),
        (0x17b2, FPE_FLTUND),
        (0xfa0, FPE_FLTRES),
        (0x1, FPE_FLTINV),
    ];
    for (mxcsr, code) in rows {
        let seen = outcome(19, 0, &image(0x37f, 0, mxcsr));
        assert_eq!(seen, Some((8, code, RIP)), "{mxcsr:#x}");
    }
}

#[test]
fn numeric_exceptions_without_a_cause_are_tried_again() {
    let quiet = image(0x37f, 0x3f, 0x1fbf);
    for vector in [16, 19] {
        assert!(is_numeric(vector));
        assert_eq!(
            signal_of(exception(vector, 0), RIP, 0, &quiet),
            Outcome::Retry
        );
        assert_eq!(
            signal_of(exception(vector, 0), RIP, 0, &[]),
            Outcome::Unexpected
        );
    }
}

#[test]
fn what_no_program_does_is_not_its_fault() {
    for vector in (0..=255).filter(|vector| ![1, 16, 19].contains(vector)) {
        let known = [0, 3, 4, 5, 6, 9, 10, 11, 12, 13, 17, 21].contains(&vector);
        let outcome = signal_of(exception(vector, 0), RIP, 0, &[]);
        assert_eq!(outcome == Outcome::Unexpected, !known, "vector {vector}");
    }
}
