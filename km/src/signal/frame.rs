//! The signal frame of Linux on x86-64, `rt_sigframe`: pure data, no I/O.
//!
//! ```text
//!   the interrupted stack, less 128 bytes of red zone, or the top of the
//!   alternate stack
//!   ────────────────────────────────────────────
//!   FP_XSTATE_MAGIC2                (4 bytes)
//!   XSAVE area                      64-byte aligned     ← uc_mcontext.fpstate
//!   ────────────────────────────────────────────
//!   siginfo_t                       at 312              ← rsi
//!   ucontext_t                      at 8                ← rdx
//!   address of the restorer         16-byte aligned - 8 ← rsp
//! ```
//!
//! The restorer is the handler's return address. It calls `rt_sigreturn` with
//! `rsp` 8 bytes into the frame.

mod siginfo;
mod xstate;

use kvm_bindings::kvm_regs;
use thiserror::Error;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub use siginfo::{SigInfo, describe, fault_info, seccomp_info, signal_number, user_dispatch_info};
#[cfg(test)]
pub use siginfo::{fault_address, signal_code};
#[cfg(test)]
pub use xstate::initial_xstate;
pub use xstate::{Saved, XState, restore_xstate, xsave, xsave_bytes};

use crate::vcpu::exit::Exception;

/// Bytes of the frame without the floating-point state.
pub const SIZE: usize = 440;

/// Where, seen from `rsp` in `rt_sigreturn`, the frame begins: the handler's
/// `ret` took the restorer's address.
pub const SIGRETURN_OFFSET: u64 = 8;

/// The selectors of the payload, as Linux numbers them.
const USER_CS: u16 = 0x33;
const USER_DS: u16 = 0x2b;
const RING_3: u16 = 3;

/// Bytes below `rsp` that the psABI gives to the interrupted function.
const RED_ZONE: u64 = 128;
const FRAME_ALIGN: u64 = 16;
const XSTATE_ALIGN: u64 = 64;
/// A `call` would have pushed these after aligning the stack.
const RETURN_ADDRESS: u64 = 8;

const SA_RESTORER: u64 = 0x0400_0000;
const SS_AUTODISARM: i32 = 1 << 31;

/// The end of the payload's half of the address space, as Linux counts it: its
/// last page is never used.
const TASK_SIZE: u64 = (1 << 47) - 4096;
const PAGE_FAULT: u8 = 14;
/// Page fault error code: the translation was there.
const PROTECTION: u64 = 1;

const UC_FP_XSTATE: u64 = 1;
const UC_SIGCONTEXT_SS: u64 = 2;
const UC_STRICT_RESTORE_SS: u64 = 4;

const CF: u64 = 1;
const FIXED: u64 = 1 << 1;
const PF: u64 = 1 << 2;
const AF: u64 = 1 << 4;
const ZF: u64 = 1 << 6;
const SF: u64 = 1 << 7;
const TF: u64 = 1 << 8;
const DF: u64 = 1 << 10;
const OF: u64 = 1 << 11;
const RF: u64 = 1 << 16;
const AC: u64 = 1 << 18;
/// What a frame may change of `rflags` (Linux: `FIX_EFLAGS`).
const RESTORED_FLAGS: u64 = CF | PF | AF | ZF | SF | TF | DF | OF | RF | AC;
/// What a handler does not inherit. AC stays.
const HANDLER_CLEARS: u64 = DF | RF | TF;

/// SIGKILL and SIGSTOP: no mask holds them.
const UNBLOCKABLE: u64 = 1 << (libc::SIGKILL - 1) | 1 << (libc::SIGSTOP - 1);

/// Why there is no frame, or none to go back to. For Linux each of them is a
/// SIGSEGV.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    #[error("the memory of the frame or its state cannot be reached")]
    Unreadable,
    #[error("the action has no restorer")]
    NoRestorer,
    #[error("the frame does not fit the alternate stack")]
    AltStackOverflow,
    #[error("the stack pointer leaves no room for the frame")]
    Wrap,
    #[error("the saved floating-point state is smaller than its features need")]
    XStateSize,
    #[error("the frame's selectors are not those of a 64-bit program")]
    Selectors,
    #[error("the frame's instruction pointer is not canonical")]
    InstructionPointer,
    #[error("the frame's floating-point state is not aligned")]
    XStateAlignment,
    #[error("the frame's floating-point state cannot be read in full")]
    XStateTruncated,
    #[error("the frame's XSAVE header has reserved bits set")]
    XStateHeader,
    #[error("the frame's MXCSR has reserved bits set")]
    Mxcsr,
}

/// The alternate signal stack of a thread, as `sigaltstack(2)` passes it
/// (`stack_t`). No stack is size 0.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct AltStack {
    pub sp: u64,
    /// What `sigaltstack` was given.
    pub flags: i32,
    pub padding: u32,
    pub size: u64,
}

impl AltStack {
    pub fn is_enabled(&self) -> bool {
        self.size != 0
    }

    /// Whether a thread with this stack pointer is on it. A stack that disarms
    /// itself is never taken to be in use.
    pub fn contains(&self, rsp: u64) -> bool {
        self.flags & SS_AUTODISARM == 0 && self.spans(rsp)
    }

    /// Whether a handler with `SA_ONSTACK` begins at its top.
    pub fn can_enter(&self, rsp: u64) -> bool {
        // Linux asks with the red zone taken off.
        self.is_enabled() && !self.contains(rsp.wrapping_sub(RED_ZONE))
    }

    /// `ss_flags` as `sigaltstack` tells it.
    pub fn status(&self, rsp: u64) -> i32 {
        let mode = if !self.is_enabled() {
            libc::SS_DISABLE
        } else if self.contains(rsp) {
            libc::SS_ONSTACK
        } else {
            0
        };
        mode | self.flags & SS_AUTODISARM
    }

    /// What becomes of it when a handler has been entered: a stack that
    /// disarms itself is gone until `rt_sigreturn` brings it back.
    pub fn after_entry(self) -> AltStack {
        if self.flags & SS_AUTODISARM == 0 {
            return self;
        }
        AltStack {
            flags: libc::SS_DISABLE,
            ..AltStack::default()
        }
    }

    fn spans(&self, rsp: u64) -> bool {
        rsp > self.sp && rsp - self.sp <= self.size
    }
}

/// The last exception of a thread that became a signal. Linux shows it in
/// every frame from then on, that of an unrelated signal too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fault {
    pub trap: u64,
    pub error: u64,
    /// CR2 of the last page fault.
    pub address: u64,
}

impl Fault {
    /// Takes note of an exception.
    pub fn note(&mut self, exception: Exception) {
        self.trap = u64::from(exception.vector);
        self.error = exception.error;
        if exception.vector == PAGE_FAULT {
            self.address = exception.address;
            // The other half looks present throughout: no probing what is
            // there.
            if exception.address >= TASK_SIZE {
                self.error |= PROTECTION;
            }
        }
    }
}

/// What `rt_sigaction` was given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Action {
    pub handler: u64,
    pub flags: u64,
    pub restorer: u64,
}

/// All a frame is made of.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The interrupted registers.
    pub registers: &'a kvm_regs,
    /// The interrupted XSAVE image, standard format.
    pub xsave: &'a [u8],
    pub xstate: XState,
    pub stack: AltStack,
    /// Begin on `stack`: the action has `SA_ONSTACK` and
    /// [`AltStack::can_enter`] says so.
    pub use_altstack: bool,
    /// What `rt_sigreturn` makes the signal mask again.
    pub mask: u64,
    /// The signal and what is known of it.
    pub siginfo: &'a SigInfo,
    pub action: Action,
    /// The thread's last exception, whatever this signal is.
    pub fault: Fault,
}

/// A frame to be written, and the registers its handler starts with.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    pub address: u64,
    /// The whole of it, floating-point state included.
    pub bytes: Vec<u8>,
    /// Where in guest memory the floating-point state lies.
    pub fpstate: u64,
    pub registers: kvm_regs,
}

/// What `rt_sigreturn` brings back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Restored {
    pub registers: kvm_regs,
    pub mask: u64,
    /// To be set as by `sigaltstack`, with the stack pointer `rt_sigreturn`
    /// was called with; Linux ignores its errors.
    pub stack: AltStack,
    /// Where the floating-point state is; `None` asks for the initial state.
    pub state: Option<u64>,
}

/// `struct sigcontext_64`.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct SigContext {
    r8: u64,
    r9: u64,
    r10: u64,
    r11: u64,
    r12: u64,
    r13: u64,
    r14: u64,
    r15: u64,
    rdi: u64,
    rsi: u64,
    rbp: u64,
    rbx: u64,
    rdx: u64,
    rax: u64,
    rcx: u64,
    rsp: u64,
    rip: u64,
    rflags: u64,
    cs: u16,
    gs: u16,
    fs: u16,
    ss: u16,
    error: u64,
    trap: u64,
    old_mask: u64,
    cr2: u64,
    fpstate: u64,
    reserved: [u64; 8],
}

/// The kernel's `struct ucontext`; the C library's is longer.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct UContext {
    flags: u64,
    link: u64,
    stack: AltStack,
    context: SigContext,
    mask: u64,
}

/// `struct rt_sigframe`.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct RtSigFrame {
    restorer: u64,
    ucontext: UContext,
    siginfo: SigInfo,
}

const UCONTEXT: u64 = std::mem::offset_of!(RtSigFrame, ucontext) as u64;
const SIGINFO: u64 = std::mem::offset_of!(RtSigFrame, siginfo) as u64;

// Debuggers and unwinders know these offsets by heart.
const _: () = {
    use std::mem::{offset_of, size_of};
    assert!(size_of::<RtSigFrame>() == SIZE);
    assert!(UCONTEXT == 8 && SIGINFO == 312);
    assert!(offset_of!(UContext, stack) == 16);
    assert!(offset_of!(UContext, context) == 40);
    assert!(offset_of!(UContext, mask) == 296);
    assert!(offset_of!(SigContext, rflags) == 136);
    assert!(offset_of!(SigContext, fpstate) == 184);
    assert!(size_of::<SigContext>() == 256);
};

/// Makes the frame that starts `input.action.handler`.
///
/// # Errors
///
/// Where Linux would raise SIGSEGV instead of the signal.
pub fn build(input: &Input<'_>) -> Result<Frame, FrameError> {
    if input.action.flags & SA_RESTORER == 0 {
        return Err(FrameError::NoRestorer);
    }
    if input.xsave.len() < input.xstate.size() {
        return Err(FrameError::XStateSize);
    }
    let place = place(input)?;
    let interrupted = input.registers;

    let frame = RtSigFrame {
        restorer: input.action.restorer,
        ucontext: UContext {
            flags: UC_SIGCONTEXT_SS
                | UC_STRICT_RESTORE_SS
                | if input.xstate.has_xsave() {
                    UC_FP_XSTATE
                } else {
                    0
                },
            link: 0,
            stack: AltStack {
                padding: 0,
                ..input.stack
            },
            context: SigContext::new(input, place.fpstate),
            mask: input.mask,
        },
        siginfo: *input.siginfo,
    };

    let mut bytes = Vec::with_capacity(place.gap + SIZE + input.xstate.area());
    bytes.extend_from_slice(frame.as_bytes());
    bytes.resize(SIZE + place.gap, 0);
    xstate::append(&mut bytes, input.xsave, &input.xstate)?;

    let registers = kvm_regs {
        rip: input.action.handler,
        rsp: place.frame,
        rdi: i64::from(signal_number(input.siginfo)) as u64,
        rsi: place.frame + SIGINFO,
        rdx: place.frame + UCONTEXT,
        // For handlers declared without a prototype: no vector arguments.
        rax: 0,
        rflags: interrupted.rflags & !HANDLER_CLEARS,
        ..*interrupted
    };
    Ok(Frame {
        address: place.frame,
        bytes,
        fpstate: place.fpstate,
        registers,
    })
}

/// Where the two parts of a frame go.
struct Place {
    frame: u64,
    fpstate: u64,
    /// Bytes between them.
    gap: usize,
}

fn place(input: &Input<'_>) -> Result<Place, FrameError> {
    let stack = &input.stack;
    let rsp = input.registers.rsp;
    let top = if input.use_altstack {
        stack.sp.checked_add(stack.size)
    } else {
        rsp.checked_sub(RED_ZONE)
    };
    let below = |top: u64, size: usize, align: u64| {
        top.checked_sub(size as u64)
            .map(|start| start & !(align - 1))
    };
    let top = top.ok_or(FrameError::Wrap)?;
    let fpstate = below(top, input.xstate.area(), XSTATE_ALIGN).ok_or(FrameError::Wrap)?;
    let frame = below(fpstate, SIZE, FRAME_ALIGN)
        .and_then(|aligned| aligned.checked_sub(RETURN_ADDRESS))
        .ok_or(FrameError::Wrap)?;
    if (input.use_altstack || stack.contains(rsp)) && !stack.spans(frame) {
        return Err(FrameError::AltStackOverflow);
    }
    // Less than two alignments.
    let gap = (fpstate - frame) as usize - SIZE;
    Ok(Place {
        frame,
        fpstate,
        gap,
    })
}

/// Reads the frame that `rt_sigreturn` finds [`SIGRETURN_OFFSET`] below `rsp`.
/// The frame may change only some of the current `rflags`.
///
/// # Errors
///
/// Where Linux would raise SIGSEGV; also for the selectors of 32-bit programs.
pub fn parse(frame: &[u8; SIZE], rflags: u64) -> Result<Restored, FrameError> {
    let frame: RtSigFrame = zerocopy::transmute!(*frame);
    let context = &frame.ucontext.context;

    let cs = context.cs | RING_3;
    let mut ss = context.ss | RING_3;
    if frame.ucontext.flags & UC_STRICT_RESTORE_SS == 0 {
        // Handlers from before Linux 4.6 may leave any value: the kernel then
        // takes one that works, and here there is one only.
        ss = USER_DS;
    }
    if cs != USER_CS || ss != USER_DS {
        return Err(FrameError::Selectors);
    }
    if !is_canonical(context.rip) {
        return Err(FrameError::InstructionPointer);
    }

    Ok(Restored {
        registers: context.registers(rflags),
        mask: frame.ucontext.mask & !UNBLOCKABLE,
        stack: frame.ucontext.stack,
        state: (context.fpstate != 0).then_some(context.fpstate),
    })
}

/// Whether bits 63 to 47 are equal: `iretq` faults, in ring 0, on others.
fn is_canonical(address: u64) -> bool {
    (address as i64) << 16 >> 16 == address as i64
}

impl SigContext {
    fn new(input: &Input<'_>, fpstate: u64) -> SigContext {
        let registers = input.registers;
        SigContext {
            r8: registers.r8,
            r9: registers.r9,
            r10: registers.r10,
            r11: registers.r11,
            r12: registers.r12,
            r13: registers.r13,
            r14: registers.r14,
            r15: registers.r15,
            rdi: registers.rdi,
            rsi: registers.rsi,
            rbp: registers.rbp,
            rbx: registers.rbx,
            rdx: registers.rdx,
            rax: registers.rax,
            rcx: registers.rcx,
            rsp: registers.rsp,
            rip: registers.rip,
            rflags: registers.rflags,
            cs: USER_CS,
            gs: 0,
            fs: 0,
            ss: USER_DS,
            error: input.fault.error,
            trap: input.fault.trap,
            old_mask: input.mask,
            cr2: input.fault.address,
            fpstate,
            reserved: [0; 8],
        }
    }

    fn registers(&self, rflags: u64) -> kvm_regs {
        kvm_regs {
            rax: self.rax,
            rbx: self.rbx,
            rcx: self.rcx,
            rdx: self.rdx,
            rsi: self.rsi,
            rdi: self.rdi,
            rsp: self.rsp,
            rbp: self.rbp,
            r8: self.r8,
            r9: self.r9,
            r10: self.r10,
            r11: self.r11,
            r12: self.r12,
            r13: self.r13,
            r14: self.r14,
            r15: self.r15,
            rip: self.rip,
            rflags: rflags & !RESTORED_FLAGS | self.rflags & RESTORED_FLAGS | FIXED,
        }
    }
}

#[cfg(test)]
mod tests;
