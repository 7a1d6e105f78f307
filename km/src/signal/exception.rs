//! Processor exceptions as the signals Linux makes of them
//! (`arch/x86/kernel/traps.c`).
//!
//! Page faults are decided where the mappings are known.

use libc::{SI_KERNEL, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP};

use crate::signal::frame::{SigInfo, fault_info};
use crate::vcpu::exit::Exception;

/// Vectors (SDM volume 3, table 7-1).
pub mod vector {
    pub const DIVIDE_ERROR: u8 = 0;
    pub const DEBUG: u8 = 1;
    pub const BREAKPOINT: u8 = 3;
    pub const OVERFLOW: u8 = 4;
    pub const BOUND: u8 = 5;
    pub const INVALID_OPCODE: u8 = 6;
    pub const COPROCESSOR_OVERRUN: u8 = 9;
    pub const INVALID_TSS: u8 = 10;
    pub const SEGMENT_NOT_PRESENT: u8 = 11;
    pub const STACK_SEGMENT: u8 = 12;
    pub const GENERAL_PROTECTION: u8 = 13;
    pub const X87: u8 = 16;
    pub const ALIGNMENT_CHECK: u8 = 17;
    pub const SIMD: u8 = 19;
    pub const CONTROL_PROTECTION: u8 = 21;
}

// `si_code` of the signals that exceptions raise.
pub const ILL_ILLOPN: i32 = 2;
pub const FPE_INTDIV: i32 = 1;
pub const FPE_FLTDIV: i32 = 3;
pub const FPE_FLTOVF: i32 = 4;
pub const FPE_FLTUND: i32 = 5;
pub const FPE_FLTRES: i32 = 6;
pub const FPE_FLTINV: i32 = 7;
pub const SEGV_MAPERR: i32 = 1;
pub const SEGV_ACCERR: i32 = 2;
pub const SEGV_CPERR: i32 = 10;
pub const BUS_ADRALN: i32 = 1;
pub const BUS_ADRERR: i32 = 2;
pub const TRAP_BRKPT: i32 = 1;
pub const TRAP_TRACE: i32 = 2;
pub const TRAP_HWBKPT: i32 = 4;

/// DR6: a single step, and the four breakpoints.
const DR6_STEP: u64 = 1 << 14;
const DR6_BREAKPOINTS: u64 = 0xf;

/// Exception flags of x87 and SSE alike: status in the low bits.
const INVALID: u16 = 1 << 0;
const DENORMAL: u16 = 1 << 1;
const ZERO_DIVIDE: u16 = 1 << 2;
const NUMERIC_OVERFLOW: u16 = 1 << 3;
const UNDERFLOW: u16 = 1 << 4;
const PRECISION: u16 = 1 << 5;

/// Where the words are in an XSAVE image.
const X87_CONTROL: usize = 0;
const X87_STATUS: usize = 2;
const MXCSR: usize = 24;

/// What becomes of an exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A signal that is forced: blocked or ignored, it ends the program.
    Signal(SigInfo),
    /// It had no cause that lasted: the instruction is tried again.
    Retry,
    /// No program in ring 3 brings this about, or it is a page fault.
    Unexpected,
}

/// Whether the state of the x87 or of MXCSR tells more about it.
pub fn is_numeric(vector: u8) -> bool {
    matches!(vector, vector::X87 | vector::SIMD)
}

/// Whether DR6 tells more about it.
pub fn is_debug(vector: u8) -> bool {
    vector == vector::DEBUG
}

/// The signal for an exception other than a page fault. `rip` is the saved
/// instruction pointer; `dr6` is looked at where [`is_debug`], the XSAVE image
/// where [`is_numeric`].
pub fn signal_of(exception: Exception, rip: u64, dr6: u64, xsave: &[u8]) -> Outcome {
    let (signal, code, address) = match exception.vector {
        vector::DIVIDE_ERROR => (SIGFPE, FPE_INTDIV, rip),
        vector::DEBUG => (SIGTRAP, debug_code(dr6), rip),
        vector::BREAKPOINT => (SIGTRAP, SI_KERNEL, 0),
        vector::OVERFLOW | vector::BOUND => (SIGSEGV, SI_KERNEL, 0),
        vector::INVALID_OPCODE => (SIGILL, ILL_ILLOPN, rip),
        vector::COPROCESSOR_OVERRUN => (SIGFPE, SI_KERNEL, 0),
        vector::INVALID_TSS | vector::GENERAL_PROTECTION => (SIGSEGV, SI_KERNEL, 0),
        vector::SEGMENT_NOT_PRESENT | vector::STACK_SEGMENT => (SIGBUS, SI_KERNEL, 0),
        vector::ALIGNMENT_CHECK => (SIGBUS, BUS_ADRALN, 0),
        vector::CONTROL_PROTECTION => (SIGSEGV, SEGV_CPERR, 0),
        vector::X87 | vector::SIMD => match numeric_cause(exception.vector, xsave) {
            None => return Outcome::Unexpected,
            Some(cause) => match numeric_code(cause) {
                None => return Outcome::Retry,
                Some(code) => (SIGFPE, code, rip),
            },
        },
        _ => return Outcome::Unexpected,
    };
    Outcome::Signal(fault_info(signal, code, address))
}

fn debug_code(dr6: u64) -> i32 {
    if dr6 & DR6_STEP != 0 {
        TRAP_TRACE
    } else if dr6 & DR6_BREAKPOINTS != 0 {
        TRAP_HWBKPT
    } else {
        TRAP_BRKPT
    }
}

/// The exception flags that are set and not masked.
fn numeric_cause(vector: u8, xsave: &[u8]) -> Option<u16> {
    if vector == vector::X87 {
        Some(word(xsave, X87_STATUS)? & !word(xsave, X87_CONTROL)?)
    } else {
        let mxcsr = word(xsave, MXCSR)?;
        Some(mxcsr & !(mxcsr >> 7))
    }
}

/// The first cause that applies, in Linux's order.
fn numeric_code(cause: u16) -> Option<i32> {
    if cause & INVALID != 0 {
        Some(FPE_FLTINV)
    } else if cause & ZERO_DIVIDE != 0 {
        Some(FPE_FLTDIV)
    } else if cause & NUMERIC_OVERFLOW != 0 {
        Some(FPE_FLTOVF)
    } else if cause & (DENORMAL | UNDERFLOW) != 0 {
        Some(FPE_FLTUND)
    } else if cause & PRECISION != 0 {
        Some(FPE_FLTRES)
    } else {
        None
    }
}

fn word(image: &[u8], offset: usize) -> Option<u16> {
    image
        .get(offset..)?
        .first_chunk()
        .copied()
        .map(u16::from_ne_bytes)
}

#[cfg(test)]
mod tests;
