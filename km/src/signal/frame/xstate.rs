//! The floating-point and vector state in a signal frame: the XSAVE area in
//! standard format, with words of Linux's in the bytes FXSAVE leaves to
//! software, and one behind it (`struct _fpx_sw_bytes`).

use kvm_bindings::kvm_xsave;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{FrameError, XSTATE_ALIGN};

const MAGIC1: u32 = 0x4650_5853;
const MAGIC2: u32 = 0x4650_5845;
const MAGIC2_SIZE: usize = 4;

/// Features of XCR0, and of the XSAVE header.
const X87: u64 = 1 << 0;
const SSE: u64 = 1 << 1;
const AVX: u64 = 1 << 2;

const LEGACY_SIZE: usize = 512;
const LEGACY_ALIGN: u64 = 16;
const HEADER_SIZE: usize = 64;
const MINIMUM: usize = LEGACY_SIZE + HEADER_SIZE;

const INITIAL_CONTROL: u16 = 0x37f;
const INITIAL_MXCSR: u32 = 0x1f80;
/// The mask of processors that do not give one (SDM volume 1, 11.6.6).
const DEFAULT_MXCSR_MASK: u32 = 0xffbf;

/// What the payload's processor saves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XState {
    /// XCR0; 0 on a processor without XSAVE.
    pub features: u64,
    /// Bytes of the XSAVE area for these features (CPUID leaf 0xd, subleaf 0,
    /// EBX).
    pub size: usize,
}

impl XState {
    pub(super) fn has_xsave(&self) -> bool {
        self.features != 0
    }

    /// Bytes of the state alone.
    pub(super) fn size(&self) -> usize {
        if self.has_xsave() {
            self.size
        } else {
            LEGACY_SIZE
        }
    }

    /// Bytes the state takes in a frame: what to read at its `fpstate`.
    pub fn area(&self) -> usize {
        if self.has_xsave() {
            self.size.saturating_add(MAGIC2_SIZE)
        } else {
            LEGACY_SIZE
        }
    }
}

/// The area that FXSAVE writes (SDM volume 1, table 10-2).
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Legacy {
    x87: X87Control,
    mxcsr: u32,
    mxcsr_mask: u32,
    st: [u8; 128],
    xmm: [u8; 256],
    reserved: [u8; 48],
    software: Software,
}

#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct X87Control {
    control: u16,
    status: u16,
    tags: u16,
    opcode: u16,
    instruction: u64,
    operand: u64,
}

/// `struct _fpx_sw_bytes`.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Software {
    magic1: u32,
    /// Bytes of the state and the second magic.
    extended_size: u32,
    features: u64,
    /// Bytes of the state: where the second magic is.
    size: u32,
    padding: [u32; 7],
}

/// The XSAVE header (SDM volume 1, 13.4.2).
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Header {
    /// `XSTATE_BV`: what is not in its initial state.
    features: u64,
    /// `XCOMP_BV`, and 8 bytes more that XRSTOR wants to be 0.
    compaction: [u64; 2],
    /// Not looked at by XRSTOR.
    reserved: [u64; 5],
}

#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Head {
    legacy: Legacy,
    header: Header,
}

const _: () = {
    use std::mem::{offset_of, size_of};
    assert!(size_of::<Legacy>() == LEGACY_SIZE);
    assert!(size_of::<Header>() == HEADER_SIZE);
    assert!(offset_of!(Legacy, software) == 464);
    assert!(offset_of!(Legacy, mxcsr) == 24);
};

/// Appends the state as it is in a frame.
pub(super) fn append(frame: &mut Vec<u8>, image: &[u8], xstate: &XState) -> Result<(), FrameError> {
    let size = xstate.size();
    let state = image.get(..size).ok_or(FrameError::XStateSize)?;
    let (mut legacy, rest) = Legacy::read_from_prefix(state).map_err(|_| FrameError::XStateSize)?;
    let field = |bytes: usize| u32::try_from(bytes).map_err(|_| FrameError::XStateSize);
    legacy.software = Software {
        magic1: MAGIC1,
        extended_size: field(size.saturating_add(MAGIC2_SIZE))?,
        features: xstate.features,
        size: field(size)?,
        padding: [0; 7],
    };
    frame.extend_from_slice(legacy.as_bytes());
    if !xstate.has_xsave() {
        return Ok(());
    }
    let (saved, extended) = Header::read_from_prefix(rest).map_err(|_| FrameError::XStateSize)?;
    // Handlers that know FXSAVE only change these two without touching the
    // header: it must say that they are there.
    let features = saved.features & xstate.features | X87 | SSE;
    frame.extend_from_slice(
        Header {
            features,
            ..Header::default()
        }
        .as_bytes(),
    );
    frame.extend_from_slice(extended);
    frame.extend_from_slice(&MAGIC2.to_ne_bytes());
    Ok(())
}

/// How `rt_sigreturn` takes a state.
enum Kind {
    /// What FXSAVE writes; all else is made initial.
    Legacy,
    /// These features; all else is made initial.
    Extended(u64),
}

/// What a frame's `fpstate` points to.
#[derive(Debug, Clone, Copy)]
pub struct Saved<'a> {
    pub address: u64,
    /// What can be read there: [`XState::area`] bytes, or fewer where memory
    /// ends.
    pub bytes: &'a [u8],
}

/// The XSAVE image that a frame's state asks for; none asks for the initial
/// state. `current` is an image of the same vCPU: the result has its length.
///
/// PKRU goes with the rest: initial, 0, where the frame does not have it.
///
/// # Errors
///
/// Where Linux would raise SIGSEGV; [`FrameError::XStateSize`] also if
/// `current` is too small for `xstate`.
pub fn restore_xstate(
    saved: Option<Saved<'_>>,
    xstate: &XState,
    current: &[u8],
) -> Result<Vec<u8>, FrameError> {
    let Some(Saved { address, bytes }) = saved else {
        return initial_xstate(xstate, current);
    };
    let (legacy, _) = Legacy::read_from_prefix(bytes).map_err(|_| FrameError::XStateTruncated)?;
    let kind = kind(&legacy.software, bytes, xstate)?;
    let align = match kind {
        Kind::Legacy => LEGACY_ALIGN,
        Kind::Extended(_) => XSTATE_ALIGN,
    };
    if !address.is_multiple_of(align) {
        return Err(FrameError::XStateAlignment);
    }

    let mut image = initial_xstate(xstate, current)?;
    let allowed = mxcsr_mask(current);
    let (mut head, _) = Head::read_from_prefix(&image).map_err(|_| FrameError::XStateSize)?;
    let refuse_mxcsr = || {
        if legacy.mxcsr & !allowed != 0 {
            Err(FrameError::Mxcsr)
        } else {
            Ok(())
        }
    };
    match kind {
        Kind::Legacy => {
            refuse_mxcsr()?;
            head.legacy.restore_x87(&legacy);
            head.legacy.restore_sse(&legacy);
            head.legacy.mxcsr = legacy.mxcsr;
        }
        Kind::Extended(wanted) => {
            let (frame, extended) =
                Head::read_from_prefix(bytes).map_err(|_| FrameError::XStateTruncated)?;
            let saved = frame.header.features;
            if saved & !xstate.features != 0 || frame.header.compaction != [0; 2] {
                return Err(FrameError::XStateHeader);
            }
            // XRSTOR reads MXCSR for either of them, whatever the header says.
            if wanted & (SSE | AVX) != 0 {
                refuse_mxcsr()?;
            }
            if wanted & saved & X87 != 0 {
                head.legacy.restore_x87(&legacy);
            }
            if wanted & saved & SSE != 0 {
                head.legacy.restore_sse(&legacy);
            }
            if wanted & SSE != 0 {
                head.legacy.mxcsr = legacy.mxcsr;
            }
            head.header.features |= wanted & saved;
            // What the header does not name is initial whatever lies here.
            let size = extended.len().min(xstate.size.saturating_sub(MINIMUM));
            let target = image
                .get_mut(MINIMUM..)
                .and_then(|rest| rest.get_mut(..size));
            if let (Some(target), Some(source)) = (target, extended.get(..size)) {
                target.copy_from_slice(source);
            }
        }
    }
    head.write_to_prefix(&mut image)
        .map_err(|_| FrameError::XStateSize)?;
    Ok(image)
}

/// The image of the initial state: what a frame without floating-point state
/// asks for, and what a program starts with. It has the length of `current`,
/// an image of the same vCPU.
///
/// # Errors
///
/// [`FrameError::XStateSize`] if `current` is too small for `xstate`.
pub fn initial_xstate(xstate: &XState, current: &[u8]) -> Result<Vec<u8>, FrameError> {
    if current.len() < xstate.size() {
        return Err(FrameError::XStateSize);
    }
    let head = Head {
        legacy: Legacy {
            x87: X87Control {
                control: INITIAL_CONTROL,
                ..X87Control::default()
            },
            mxcsr: INITIAL_MXCSR,
            mxcsr_mask: mxcsr_mask(current),
            st: [0; 128],
            xmm: [0; 256],
            reserved: [0; 48],
            software: Software {
                magic1: 0,
                extended_size: 0,
                features: 0,
                size: 0,
                padding: [0; 7],
            },
        },
        // KVM takes MXCSR only together with SSE.
        header: Header {
            features: X87 | SSE,
            ..Header::default()
        },
    };
    let mut image = vec![0; current.len()];
    head.write_to_prefix(&mut image)
        .map_err(|_| FrameError::XStateSize)?;
    Ok(image)
}

fn kind(software: &Software, bytes: &[u8], xstate: &XState) -> Result<Kind, FrameError> {
    let size = software.size as usize;
    if !xstate.has_xsave()
        || software.magic1 != MAGIC1
        || size < MINIMUM
        || size > xstate.size
        || software.size > software.extended_size
    {
        return Ok(Kind::Legacy);
    }
    // A handler that copied what FXSAVE knows copied the first magic with it,
    // but not the second.
    let magic2 = bytes.get(size..).and_then(|rest| rest.first_chunk());
    let magic2 = magic2.ok_or(FrameError::XStateTruncated)?;
    if u32::from_ne_bytes(*magic2) != MAGIC2 {
        return Ok(Kind::Legacy);
    }
    Ok(Kind::Extended(software.features & xstate.features))
}

/// A vCPU's image as bytes.
pub fn xsave_bytes(image: &kvm_xsave) -> &[u8] {
    image.region.as_bytes()
}

/// Bytes as an image for a vCPU; what is beyond KVM's 4096 is cut off.
pub fn xsave(bytes: &[u8]) -> kvm_xsave {
    let mut image = kvm_xsave::default();
    for (to, from) in image.region.as_mut_bytes().iter_mut().zip(bytes) {
        *to = *from;
    }
    image
}

/// The bits of MXCSR the processor has.
fn mxcsr_mask(image: &[u8]) -> u32 {
    match Legacy::read_from_prefix(image) {
        Ok((Legacy { mxcsr_mask, .. }, _)) if mxcsr_mask != 0 => mxcsr_mask,
        _ => DEFAULT_MXCSR_MASK,
    }
}

impl Legacy {
    fn restore_x87(&mut self, from: &Legacy) {
        self.x87 = from.x87;
        self.st = from.st;
    }

    fn restore_sse(&mut self, from: &Legacy) {
        self.xmm = from.xmm;
    }
}
