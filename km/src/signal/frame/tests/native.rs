//! Frames the kernel itself made (Linux 6.18, a processor with AVX-512), seen
//! in a handler. The program loads every register, sets DF and CF, stores to
//! 0x1238, where nothing is mapped, and takes SIGSEGV with signal 30 blocked.
//! The stack below it held zeros.
//!
//! Pairs of offset and 8 bytes; all else is 0.

/// What differs between the frames.
#[derive(Debug)]
pub struct Case {
    pub name: &'static str,
    /// `sigaltstack`'s pointer, flags and size.
    pub stack: (u64, i32, u64),
    /// The handler has `SA_ONSTACK`, and the stack can be entered.
    pub use_altstack: bool,
    pub interrupted_rsp: u64,
    /// `rsp` in the handler.
    pub rsp: u64,
    pub fpstate: u64,
}

const ALT: u64 = 0x50_62c0;
const ALT_SIZE: u64 = 0xffd8;

pub const CASES: [Case; 4] = [
    Case {
        name: "no alternate stack",
        stack: (0, 0, 0),
        use_altstack: false,
        interrupted_rsp: 0x48_62a8,
        rsp: 0x48_56b8,
        fpstate: 0x48_5880,
    },
    Case {
        name: "the alternate stack is entered",
        stack: (ALT, 0, ALT_SIZE),
        use_altstack: true,
        interrupted_rsp: 0x48_62a8,
        rsp: 0x51_5738,
        fpstate: 0x51_5900,
    },
    Case {
        name: "on the alternate stack already",
        stack: (ALT, 0, ALT_SIZE),
        use_altstack: false,
        interrupted_rsp: 0x50_e2c0,
        rsp: 0x50_d6b8,
        fpstate: 0x50_d880,
    },
    Case {
        name: "on an alternate stack with SS_AUTODISARM",
        stack: (ALT, i32::MIN, ALT_SIZE),
        use_altstack: true,
        interrupted_rsp: 0x50_e2c0,
        rsp: 0x51_5738,
        fpstate: 0x51_5900,
    },
];

/// The smallest alternate stacks that hold this frame: base and size.
pub const SMALLEST: [(u64, u64); 3] = [(ALT, 2948), (ALT + 8, 2940), (ALT + 16, 2932)];

pub const RESTORER: u64 = 0x40_11a6;
pub const MASK: u64 = 0x2000_0000;
/// `rflags` in the handler.
pub const HANDLER_FLAGS: u64 = 0x213;

/// What all frames have in common.
pub const FRAME: &[(usize, u64)] = &[
    (0, RESTORER),
    (8, 7),
    (48, 0x1008),
    (56, 0x1009),
    (64, 0x100a),
    (72, 0x100b),
    (80, 0x100c),
    (88, 0x100d),
    (96, 0x100e),
    (104, 0x100f),
    (112, 0x1006),
    (120, 0x1005),
    (128, 0x1007),
    (136, 0x1002),
    (144, 0x1004),
    (152, 0x1001),
    (160, 0x1003),
    (176, 0x40_1521),
    (184, 0x1_0613),
    (192, 0x2b_0000_0000_0033),
    (200, 6),
    (208, 14),
    (216, MASK),
    (224, 0x1238),
    (304, MASK),
    (312, 11),
    (320, 1),
    (328, 0x1238),
];

/// Where `ss_sp`, `ss_flags`, `ss_size`, `rsp` and `fpstate` are in a frame.
pub const SS_SP: usize = 24;
pub const SS_FLAGS: usize = 32;
pub const SS_SIZE: usize = 40;
pub const RSP: usize = 168;
pub const FPSTATE: usize = 232;

pub const FEATURES: u64 = 0xe7;
pub const XSTATE_SIZE: usize = 2432;
pub const MAGIC2: u32 = 0x4650_5845;

/// The floating-point state, without the second magic.
pub const XSTATE: &[(usize, u64)] = &[
    (0, 0xc0_3000_037f),
    (24, 0x2_ffff_0000_1fa0),
    (32, 0xc90f_daa2_2168_c235),
    (40, 0x4000),
    (48, 0x8000_0000_0000_0000),
    (56, 0x3fff),
    (208, 0xa7a6_a5a4_a3a2_a1a0),
    (216, 0xafae_adac_abaa_a9a8),
    (224, 0x5aa5),
    (232, 0x5aa5),
    (464, 0x984_4650_5853),
    (472, FEATURES),
    (480, 2432),
    (512, FEATURES),
    (624, 0xb7b6_b5b4_b3b2_b1b0),
    (632, 0xbfbe_bdbc_bbba_b9b8),
    (640, 0x5aa5),
    (648, 0x5aa5),
    (848, 0x5aa5),
    (1024, 0x5aa5),
    (1032, 0x5aa5),
    (1040, 0x5aa5),
    (1048, 0x5aa5),
    (1472, 0x5aa5),
    (1480, 0x5aa5),
    (1488, 0x5aa5),
    (1496, 0x5aa5),
    (1504, 0x5aa5),
    (1512, 0x5aa5),
    (1520, 0x5aa5),
    (1528, 0x5aa5),
];

pub fn bytes(words: &[(usize, u64)], size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    for (offset, word) in words {
        bytes[*offset..*offset + 8].copy_from_slice(&word.to_ne_bytes());
    }
    bytes
}
