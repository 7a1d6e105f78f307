//! The checker and the interpreter against a second reading of the same rules,
//! from the instructions as they are.

use proptest::prelude::*;

use super::*;

const LEGAL: [u16; 41] = [
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x0c, 0x14, 0x15, 0x16, 0x1c, 0x1d, 0x20, 0x24,
    0x25, 0x2c, 0x2d, 0x34, 0x35, 0x3c, 0x3d, 0x44, 0x45, 0x4c, 0x4d, 0x54, 0x5c, 0x60, 0x61, 0x64,
    0x6c, 0x74, 0x7c, 0x80, 0x81, 0x84, 0x87, 0xa4, 0xac,
];

fn instruction(code: u16, jump_true: u8, jump_false: u8, k: u32) -> Instruction {
    Instruction {
        code,
        jump_true,
        jump_false,
        k,
    }
}

fn plain(code: u16, k: u32) -> Instruction {
    instruction(code, 0, 0, k)
}

const ALLOW: Instruction = Instruction {
    code: 0x06,
    jump_true: 0,
    jump_false: 0,
    k: libc::SECCOMP_RET_ALLOW,
};

/// Operands that mean something to many instructions.
fn operand() -> impl Strategy<Value = u32> {
    prop_oneof![
        4 => 0u32..20,
        2 => (0u32..17).prop_map(|word| word * 4),
        1 => Just(u32::MAX),
        2 => any::<u32>(),
    ]
}

fn any_instruction() -> impl Strategy<Value = Instruction> {
    let code = prop_oneof![
        30 => prop::sample::select(LEGAL.to_vec()),
        1 => any::<u16>(),
    ];
    (code, 0u8..5, 0u8..5, operand()).prop_map(|(code, t, f, k)| instruction(code, t, f, k))
}

/// Often one that is accepted: it returns at its end, and stores first.
fn any_program() -> impl Strategy<Value = Vec<Instruction>> {
    let body = prop::collection::vec(any_instruction(), 0..24);
    (0usize..16, body, any::<bool>()).prop_map(|(stored, body, returns_a)| {
        let stores = (0..stored as u32).map(|cell| plain(0x02, cell));
        let end = if returns_a { plain(0x16, 0) } else { ALLOW };
        stores
            .chain(body)
            .chain(std::iter::repeat_n(end, 5))
            .collect()
    })
}

fn any_data() -> impl Strategy<Value = Data> {
    (any::<u32>(), any::<u64>(), any::<[u64; 6]>())
        .prop_map(|(number, address, args)| Data::new(number, address, args))
}

/// How a program goes that is read as it stands. `None` where it does what no
/// program may: it leaves its instructions, or loads what was not stored.
fn interpret(program: &[Instruction], data: &Data) -> Option<u32> {
    let (mut a, mut x) = (0u64, 0u64);
    let mut cells = [None; 16];
    let mut at = 0u64;
    loop {
        let Instruction {
            code,
            jump_true,
            jump_false,
            k,
        } = *program.get(at as usize)?;
        at += 1;
        let right = if code & 8 == 0 { u64::from(k) } else { x };
        let branch = if code & 7 == 5 {
            let holds = match code & 0xf0 {
                0x00 => {
                    at += u64::from(k);
                    continue;
                }
                0x10 => a == right,
                0x20 => a > right,
                0x30 => a >= right,
                0x40 => a & right != 0,
                _ => return None,
            };
            Some(u64::from(if holds { jump_true } else { jump_false }))
        } else {
            None
        };
        if let Some(over) = branch {
            at += over;
            continue;
        }
        match code {
            0x00 => a = u64::from(k),
            0x01 => x = u64::from(k),
            0x02 => *cells.get_mut(k as usize)? = Some(a),
            0x03 => *cells.get_mut(k as usize)? = Some(x),
            0x06 => return Some(k),
            0x16 => return Some(a as u32),
            0x07 => x = a,
            0x87 => a = x,
            0x20 => a = u64::from(*data.0.get(k as usize / 4)?),
            0x60 => a = (*cells.get(k as usize)?)?,
            0x61 => x = (*cells.get(k as usize)?)?,
            0x80 => a = 64,
            0x81 => x = 64,
            0x84 => a = a.wrapping_neg(),
            _ if code & 7 == 4 => {
                a = match code & 0xf0 {
                    0x00 => a + right,
                    0x10 => a.wrapping_sub(right),
                    0x20 => a.wrapping_mul(right),
                    0x30 if right == 0 => return Some(0),
                    0x30 => a / right,
                    0x40 => a | right,
                    0x50 => a & right,
                    0x60 => a << (right % 32),
                    0x70 => a >> (right % 32),
                    0xa0 => a ^ right,
                    _ => return None,
                }
            }
            _ => return None,
        }
        a &= u64::from(u32::MAX);
    }
}

/// Whether the instruction alone is one a program may hold, `left` before its
/// end.
fn is_legal(instruction: &Instruction, left: usize) -> bool {
    let k = instruction.k;
    LEGAL.contains(&instruction.code)
        && match instruction.code {
            0x02 | 0x03 | 0x60 | 0x61 => k < 16,
            0x05 => (k as usize) < left,
            0x20 => k < 64 && k.is_multiple_of(4),
            0x34 => k != 0,
            0x64 | 0x74 => k < 32,
            code if code & 7 == 5 => {
                usize::from(instruction.jump_true.max(instruction.jump_false)) < left
            }
            _ => true,
        }
}

proptest! {
    #[test]
    fn what_is_accepted_runs_as_it_reads(
        program in any_program(),
        data in prop::collection::vec(any_data(), 4),
    ) {
        if let Ok(checked) = Program::check(&program) {
            for data in &data {
                prop_assert_eq!(Some(checked.run(data)), interpret(&program, data));
            }
        }
    }

    #[test]
    fn what_is_refused_has_a_reason(program in any_program()) {
        let last = program.len() - 1;
        let legal = program
            .iter()
            .enumerate()
            .all(|(at, instruction)| is_legal(instruction, last - at));
        let loads = program.iter().any(|i| matches!(i.code, 0x60 | 0x61));
        match Program::check(&program) {
            Ok(_) => prop_assert!(legal),
            // Where nothing is loaded from memory, nothing else can be wrong.
            Err(errno) => {
                prop_assert_eq!(errno, Errno::EINVAL);
                prop_assert!(!legal || loads);
            }
        }
    }

    #[test]
    fn nothing_at_all_panics(
        program in prop::collection::vec(
            (any::<u16>(), any::<u8>(), any::<u8>(), any::<u32>()), 0..40),
        data in any_data(),
    ) {
        let program: Vec<_> = program
            .into_iter()
            .map(|(code, t, f, k)| instruction(code % 0x100, t, f, k))
            .collect();
        if let Ok(checked) = Program::check(&program) {
            checked.run(&data);
        }
    }

    #[test]
    fn it_survives_a_handover(program in any_program()) {
        if let Ok(checked) = Program::check(&program) {
            let bytes = postcard::to_allocvec(&checked).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Program>(&bytes).unwrap(), checked);
        }
    }
}

#[test]
fn lengths_have_limits() {
    assert_eq!(Program::check(&[]), Err(Errno::EINVAL));
    assert!(Program::check(&[ALLOW]).is_ok());
    assert!(Program::check(&[ALLOW; MOST_INSTRUCTIONS as usize]).is_ok());
    assert!(Program::check(&[ALLOW; MOST_INSTRUCTIONS as usize + 1]).is_err());
}

#[test]
fn data_is_laid_out_as_linux_does() {
    let args = [0x1_0000_0002, 3, 4, 5, 6, 0x7_0000_0008];
    let data = Data::new(39, 0xaaaa_bbbb_cccc, args);
    let load = |offset| {
        let program = [plain(0x20, offset), plain(0x16, 0)];
        Program::check(&program).unwrap().run(&data)
    };
    assert_eq!(load(0), 39);
    assert_eq!(load(4), 0xc000_003e);
    assert_eq!((load(8), load(12)), (0xbbbb_cccc, 0xaaaa));
    assert_eq!((load(16), load(20)), (2, 1));
    assert_eq!((load(24), load(28)), (3, 0));
    assert_eq!((load(56), load(60)), (8, 7));
}

/// What Linux 6.18 counts: how many of a hundred such instructions and two
/// returns a thread may have was measured there.
#[test]
fn weights_are_those_of_the_kernels_own_instructions() {
    let weight = |one: Instruction| {
        let mut program = vec![one; 100];
        program[0] = ALLOW;
        program.extend([ALLOW; 2]);
        Program::check(&program).unwrap().weight()
    };
    let fits = |one| (32_768 + 4) / (weight(one) + 4);
    assert_eq!(fits(plain(0x00, u32::MAX)), 292);
    assert_eq!(fits(plain(0x3c, 0)), 64);
    assert_eq!(fits(ALLOW), 155);
    assert_eq!(fits(instruction(0x15, 1, 0, 1)), 292);
    assert_eq!(fits(instruction(0x25, 0, 1, 1)), 292);
    assert_eq!(fits(instruction(0x45, 0, 1, 1)), 155);
    assert_eq!(fits(instruction(0x3d, 1, 1, 1)), 155);
    assert_eq!(fits(instruction(0x35, 1, 1, 1 << 31)), 105);
    assert_eq!(fits(instruction(0x3d, 1, 0, 1 << 31)), 292);
}
