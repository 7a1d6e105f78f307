//! What a handler may do to the saved state, and what becomes of it, as seen on
//! the kernel itself: a program takes a signal, its handler changes the frame,
//! and what `ymm15` and the control words hold after `rt_sigreturn` is looked
//! at. Processors without XSAVE or without a mask for MXCSR, and the sizes of
//! images, are not from there.

use super::*;

const XMM15: usize = 160 + 15 * 16;
const YMM15_HIGH: usize = 576 + 15 * 16;
const CONTROL: usize = 0;
const MXCSR: usize = 24;
const MAGIC1: usize = 464;
const EXTENDED_SIZE: usize = 468;
const SW_FEATURES: usize = 472;
const SW_SIZE: usize = 480;
const FEATURES: usize = 512;
const COMPACTION: usize = 520;

/// 64-byte aligned.
const ADDRESS: u64 = 0x48_5880;

/// What the registers hold afterwards.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    xmm15: u64,
    ymm15_high: u64,
    control: u16,
    mxcsr: u32,
}

const ALL: Seen = Seen {
    xmm15: 0x1234,
    ymm15_high: 0x5678,
    control: 0x27f,
    mxcsr: 0x1f81,
};
const LEGACY: Seen = Seen {
    ymm15_high: 0,
    ..ALL
};
const INITIAL: Seen = Seen {
    xmm15: 0,
    ymm15_high: 0,
    control: 0x37f,
    mxcsr: 0x1f80,
};

impl Seen {
    /// What the processor loads from an image.
    fn of(image: &[u8]) -> Seen {
        let word = |at: usize| u64::from_ne_bytes(*image[at..].first_chunk().unwrap());
        let features = word(FEATURES);
        assert_eq!(
            features & 3,
            3,
            "KVM takes these from the image only if they are named"
        );
        Seen {
            xmm15: word(XMM15),
            ymm15_high: if features & 4 != 0 {
                word(YMM15_HIGH)
            } else {
                0
            },
            control: word(CONTROL) as u16,
            mxcsr: word(MXCSR) as u32,
        }
    }
}

/// What a handler finds, with marks of its own put in.
fn state() -> Vec<u8> {
    let mut state = native::bytes(native::XSTATE, native::XSTATE_SIZE);
    state.extend(native::MAGIC2.to_ne_bytes());
    put(&mut state, XMM15, 0x1234_u64.to_ne_bytes());
    put(&mut state, YMM15_HIGH, 0x5678_u64.to_ne_bytes());
    put(&mut state, CONTROL, 0x27f_u16.to_ne_bytes());
    put(&mut state, MXCSR, 0x1f81_u32.to_ne_bytes());
    state
}

fn restore_at(address: u64, bytes: &[u8]) -> Result<Seen, FrameError> {
    let saved = Saved { address, bytes };
    restore_xstate(Some(saved), &XSTATE, &native_image()).map(|image| Seen::of(&image))
}

/// The state with these changes: offset and value, 32 and 64 bits wide.
fn changed(narrow: &[(usize, u32)], wide: &[(usize, u64)]) -> Result<Seen, FrameError> {
    let mut state = state();
    for (offset, value) in narrow {
        put(&mut state, *offset, value.to_ne_bytes());
    }
    for (offset, value) in wide {
        put(&mut state, *offset, value.to_ne_bytes());
    }
    restore_at(ADDRESS, &state)
}

#[test]
fn all_of_it() {
    assert_eq!(changed(&[], &[]), Ok(ALL));
}

#[test]
fn none_of_it() {
    let image = restore_xstate(None, &XSTATE, &native_image()).unwrap();
    assert_eq!(Seen::of(&image), INITIAL);
    assert_eq!(
        image[28..32],
        native_image()[28..32],
        "the MXCSR mask is the processor's"
    );
}

#[test]
fn without_a_magic_it_is_fxsave_state() {
    assert_eq!(changed(&[(MAGIC1, 0)], &[]), Ok(LEGACY));
    assert_eq!(changed(&[(native::XSTATE_SIZE, 0)], &[]), Ok(LEGACY));
}

#[test]
fn sizes_that_do_not_fit_make_it_fxsave_state() {
    let magic2 = native::MAGIC2;
    assert_eq!(changed(&[(SW_SIZE, 2368)], &[]), Ok(LEGACY));
    assert_eq!(changed(&[(EXTENDED_SIZE, 0)], &[]), Ok(LEGACY));
    assert_eq!(changed(&[(SW_SIZE, 512), (512, magic2)], &[]), Ok(LEGACY));
    assert_eq!(
        changed(&[(SW_SIZE, 2440), (EXTENDED_SIZE, 4000)], &[]),
        Ok(LEGACY)
    );
    // The second magic is where the frame says it is.
    assert_eq!(changed(&[(SW_SIZE, 2368), (2368, magic2)], &[]), Ok(ALL));
    assert_eq!(changed(&[(SW_SIZE, 832), (832, magic2)], &[]), Ok(ALL));
    assert_eq!(changed(&[(SW_SIZE, 576), (576, magic2)], &[]), Ok(ALL));
}

#[test]
fn a_smaller_state_need_not_be_followed_by_memory() {
    let mut state = state();
    state.truncate(836);
    put(&mut state, SW_FEATURES, 7_u64.to_ne_bytes());
    put(&mut state, SW_SIZE, 832_u32.to_ne_bytes());
    put(&mut state, EXTENDED_SIZE, 836_u32.to_ne_bytes());
    put(&mut state, 832, native::MAGIC2.to_ne_bytes());
    put(&mut state, FEATURES, 7_u64.to_ne_bytes());
    assert_eq!(restore_at(ADDRESS, &state), Ok(ALL));
}

#[test]
fn a_state_cut_off_is_refused() {
    let mut state = state();
    assert_eq!(
        restore_at(ADDRESS, &state[..512]),
        Err(FrameError::XStateTruncated)
    );
    assert_eq!(
        restore_at(ADDRESS, &state[..2435]),
        Err(FrameError::XStateTruncated)
    );
    assert_eq!(
        restore_at(ADDRESS, &state[..511]),
        Err(FrameError::XStateTruncated)
    );
    put(&mut state, MAGIC1, 0_u32.to_ne_bytes());
    assert_eq!(restore_at(ADDRESS, &state[..512]), Ok(LEGACY));
}

#[test]
fn features_the_frame_leaves_out_are_made_initial() {
    assert_eq!(changed(&[], &[(SW_FEATURES, 0xe3)]), Ok(LEGACY));
    // Without SSE, MXCSR is initial too.
    assert_eq!(
        changed(&[], &[(SW_FEATURES, 0xe5)]),
        Ok(Seen {
            xmm15: 0,
            mxcsr: 0x1f80,
            ..ALL
        })
    );
    assert_eq!(changed(&[], &[(SW_FEATURES, 0)]), Ok(INITIAL));
    assert_eq!(
        changed(&[(MXCSR, 0x1fa0)], &[(SW_FEATURES, 4)]),
        Ok(Seen {
            ymm15_high: 0x5678,
            ..INITIAL
        })
    );
}

#[test]
fn features_the_header_leaves_out_are_made_initial() {
    // But MXCSR is not one of them.
    assert_eq!(
        changed(&[], &[(FEATURES, 0xe5)]),
        Ok(Seen { xmm15: 0, ..ALL })
    );
    assert_eq!(
        changed(&[(MXCSR, 0x1fa0)], &[(FEATURES, 4)]),
        Ok(Seen {
            ymm15_high: 0x5678,
            mxcsr: 0x1fa0,
            ..INITIAL
        })
    );
    assert_eq!(
        changed(&[], &[(FEATURES, 0)]),
        Ok(Seen {
            mxcsr: 0x1f81,
            ..INITIAL
        })
    );
}

#[test]
fn features_the_payload_does_not_have_are_refused() {
    for bit in [3, 4, 62, 63] {
        let features = native::FEATURES | 1 << bit;
        assert_eq!(
            changed(&[], &[(FEATURES, features)]),
            Err(FrameError::XStateHeader)
        );
    }
}

#[test]
fn only_the_standard_format_is_taken() {
    for (offset, value) in [(COMPACTION, 1), (COMPACTION, 1 << 63), (COMPACTION + 8, 1)] {
        assert_eq!(
            changed(&[], &[(offset, value)]),
            Err(FrameError::XStateHeader)
        );
    }
    // The processor does not look further.
    assert_eq!(changed(&[], &[(536, 1)]), Ok(ALL));
    assert_eq!(changed(&[], &[(568, 1)]), Ok(ALL));
}

#[test]
fn reserved_bits_of_mxcsr_are_refused() {
    const BAD: (usize, u32) = (MXCSR, 0x1_1f80 | 1 << 31);
    assert_eq!(changed(&[BAD], &[]), Err(FrameError::Mxcsr));
    assert_eq!(changed(&[BAD, (MAGIC1, 0)], &[]), Err(FrameError::Mxcsr));
    assert_eq!(
        changed(&[BAD], &[(SW_FEATURES, 5), (FEATURES, 0)]),
        Err(FrameError::Mxcsr)
    );
    // Not loaded, not checked.
    let x87_only = Seen {
        control: 0x27f,
        ..INITIAL
    };
    assert_eq!(changed(&[BAD], &[(SW_FEATURES, 1)]), Ok(x87_only));
}

#[test]
fn the_mask_of_mxcsr_is_the_processors() {
    let mut current = native_image();
    let mut state = state();
    put(&mut state, MXCSR, 0x1fc0_u32.to_ne_bytes());
    let restore = |current: &[u8]| {
        let saved = Saved {
            address: ADDRESS,
            bytes: &state,
        };
        restore_xstate(Some(saved), &XSTATE, current).map(|image| Seen::of(&image).mxcsr)
    };
    assert_eq!(restore(&current), Ok(0x1fc0));
    // A processor that tells no mask has no denormals-are-zeros.
    put(&mut current, 28, 0_u32.to_ne_bytes());
    assert_eq!(restore(&current), Err(FrameError::Mxcsr));
}

#[test]
fn a_state_is_aligned() {
    let mut state = state();
    assert_eq!(
        restore_at(ADDRESS + 8, &state),
        Err(FrameError::XStateAlignment)
    );
    assert_eq!(
        restore_at(ADDRESS + 16, &state),
        Err(FrameError::XStateAlignment)
    );
    put(&mut state, MAGIC1, 0_u32.to_ne_bytes());
    assert_eq!(
        restore_at(ADDRESS + 8, &state),
        Err(FrameError::XStateAlignment)
    );
    assert_eq!(restore_at(ADDRESS + 16, &state), Ok(LEGACY));
}

#[test]
fn without_xsave_the_magic_means_nothing() {
    let state = state();
    let saved = Saved {
        address: ADDRESS + 16,
        bytes: &state[..512],
    };
    let xstate = XState {
        features: 0,
        size: 0,
    };
    let image = restore_xstate(Some(saved), &xstate, &native_image()).unwrap();
    assert_eq!(Seen::of(&image), LEGACY);
}

#[test]
fn an_image_too_small_is_refused() {
    let short = vec![0; native::XSTATE_SIZE - 1];
    assert_eq!(
        restore_xstate(None, &XSTATE, &short),
        Err(FrameError::XStateSize)
    );
}

#[test]
fn images_and_bytes_are_the_same() {
    let bytes = native_image();
    assert_eq!(xsave_bytes(&xsave(&bytes)), bytes);
    assert_eq!(xsave_bytes(&xsave(&bytes[..700]))[..700], bytes[..700]);
    assert_eq!(xsave_bytes(&xsave(&[1; 5000])), [1; 4096]);
}
