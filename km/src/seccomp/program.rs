//! Programs of classic BPF, as seccomp takes them: checked by the kernel's
//! rules, and run.

use libc::{
    BPF_A, BPF_ABS, BPF_ADD, BPF_ALU, BPF_AND, BPF_DIV, BPF_IMM, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JGT,
    BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_LDX, BPF_LEN, BPF_LSH, BPF_MEM, BPF_MISC, BPF_MUL,
    BPF_NEG, BPF_OR, BPF_RET, BPF_RSH, BPF_ST, BPF_STX, BPF_SUB, BPF_TAX, BPF_TXA, BPF_W, BPF_X,
    BPF_XOR,
};
use serde::{Deserialize, Serialize};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use crate::errno::Errno;

/// Most instructions of a program (`BPF_MAXINSNS`).
pub const MOST_INSTRUCTIONS: u16 = 4096;
/// Words of `struct seccomp_data`.
pub const WORDS: usize = 16;
/// Words of memory a program has (`BPF_MEMWORDS`).
const CELLS: usize = 16;
const BITS: u32 = 32;

/// `struct sock_filter`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
pub struct Instruction {
    pub code: u16,
    pub jump_true: u8,
    pub jump_false: u8,
    pub k: u32,
}

/// What a program looks at, `struct seccomp_data`, as the words it loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Data([u32; WORDS]);

impl Data {
    /// A call of 64-bit code: its number, the address after the instruction,
    /// and the argument registers.
    pub fn new(number: u32, address: u64, args: [u64; 6]) -> Data {
        let mut words = [0; WORDS];
        let low = |value: u64| value as u32;
        let values = [address].into_iter().chain(args);
        let halves = values.flat_map(|value| [low(value), low(value >> BITS)]);
        let all = [number, super::AUDIT_ARCH_X86_64].into_iter().chain(halves);
        for (word, value) in words.iter_mut().zip(all) {
            *word = value;
        }
        Data(words)
    }

    /// The call's number.
    pub fn number(&self) -> u32 {
        self.word(0)
    }

    fn word(&self, index: u8) -> u32 {
        self.0.get(usize::from(index)).copied().unwrap_or(0)
    }
}

/// A program that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    steps: Vec<Step>,
    /// What it counts for against the limit on a thread's filters.
    weight: u32,
}

/// One of the two registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Register {
    A,
    X,
}

/// The right-hand side of a calculation or comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Operand {
    Constant(u32),
    X,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Calculation {
    Add,
    Subtract,
    Multiply,
    Divide,
    And,
    Or,
    Xor,
    ShiftLeft,
    ShiftRight,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Comparison {
    Equal,
    Greater,
    GreaterOrEqual,
    AnyBitSet,
}

/// An instruction, decoded. Jumps go forward, over that many instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Step {
    /// `A` from a word of the data.
    LoadData(u8),
    LoadConstant(Register, u32),
    LoadCell(Register, u8),
    StoreCell(Register, u8),
    /// To that register from the other.
    Move(Register),
    Calculate(Calculation, Operand),
    Negate,
    Jump(u32),
    Branch {
        comparison: Comparison,
        operand: Operand,
        jump_true: u8,
        jump_false: u8,
    },
    ReturnConstant(u32),
    ReturnA,
}

impl Step {
    /// The instructions seccomp knows (`seccomp_check_filter()` in
    /// `kernel/seccomp.c`), with their own operands checked.
    fn decode(instruction: Instruction) -> Option<Step> {
        const SIZE: u32 = WORDS as u32 * 4;
        let Instruction {
            code,
            jump_true,
            jump_false,
            k,
        } = instruction;
        let code = u32::from(code);
        let cell = || u8::try_from(k).ok().filter(|k| usize::from(*k) < CELLS);
        Some(match code {
            _ if code == BPF_LD | BPF_W | BPF_ABS => {
                if k >= SIZE || !k.is_multiple_of(4) {
                    return None;
                }
                Step::LoadData((k / 4) as u8)
            }
            _ if code == BPF_LD | BPF_W | BPF_LEN => Step::LoadConstant(Register::A, SIZE),
            _ if code == BPF_LDX | BPF_W | BPF_LEN => Step::LoadConstant(Register::X, SIZE),
            _ if code == BPF_LD | BPF_IMM => Step::LoadConstant(Register::A, k),
            _ if code == BPF_LDX | BPF_IMM => Step::LoadConstant(Register::X, k),
            _ if code == BPF_LD | BPF_MEM => Step::LoadCell(Register::A, cell()?),
            _ if code == BPF_LDX | BPF_MEM => Step::LoadCell(Register::X, cell()?),
            BPF_ST => Step::StoreCell(Register::A, cell()?),
            BPF_STX => Step::StoreCell(Register::X, cell()?),
            _ if code == BPF_MISC | BPF_TAX => Step::Move(Register::X),
            _ if code == BPF_MISC | BPF_TXA => Step::Move(Register::A),
            _ if code == BPF_ALU | BPF_NEG => Step::Negate,
            _ if code == BPF_JMP | BPF_JA => Step::Jump(k),
            _ if code == BPF_RET | BPF_K => Step::ReturnConstant(k),
            _ if code == BPF_RET | BPF_A => Step::ReturnA,
            _ => {
                let operand = match code & BPF_X {
                    BPF_K => Operand::Constant(k),
                    _ => Operand::X,
                };
                let operation = code & !BPF_X;
                if let Some(calculation) = Calculation::decode(operation) {
                    if !calculation.takes(operand) {
                        return None;
                    }
                    return Some(Step::Calculate(calculation, operand));
                }
                Step::Branch {
                    comparison: Comparison::decode(operation)?,
                    operand,
                    jump_true,
                    jump_false,
                }
            }
        })
    }

    /// How many of the kernel's own instructions it becomes
    /// (`bpf_convert_filter()` in `net/core/filter.c`), which are what counts
    /// against the limit on a thread's filters.
    fn weight(&self) -> u32 {
        match *self {
            // Divides by anything but zero.
            Step::Calculate(Calculation::Divide, Operand::X) => 5,
            Step::ReturnConstant(_) => 2,
            Step::Branch {
                comparison,
                operand,
                jump_true,
                jump_false,
            } => {
                let inverted = jump_true == 0 && comparison != Comparison::AnyBitSet;
                let jumps = if jump_false == 0 || inverted { 1 } else { 2 };
                // The kernel's constants are signed.
                let large = matches!(operand, Operand::Constant(k) if (k as i32) < 0);
                jumps + u32::from(large)
            }
            _ => 1,
        }
    }
}

impl Calculation {
    fn decode(code: u32) -> Option<Calculation> {
        const ALL: [(u32, Calculation); 9] = [
            (BPF_ADD, Calculation::Add),
            (BPF_SUB, Calculation::Subtract),
            (BPF_MUL, Calculation::Multiply),
            (BPF_DIV, Calculation::Divide),
            (BPF_AND, Calculation::And),
            (BPF_OR, Calculation::Or),
            (BPF_XOR, Calculation::Xor),
            (BPF_LSH, Calculation::ShiftLeft),
            (BPF_RSH, Calculation::ShiftRight),
        ];
        ALL.into_iter()
            .find_map(|(bits, calculation)| (code == BPF_ALU | bits).then_some(calculation))
    }

    /// Whether a constant has a meaning there.
    fn takes(self, operand: Operand) -> bool {
        match (self, operand) {
            (Calculation::Divide, Operand::Constant(k)) => k != 0,
            (Calculation::ShiftLeft | Calculation::ShiftRight, Operand::Constant(k)) => k < BITS,
            _ => true,
        }
    }

    /// The result; none for a division by zero.
    fn of(self, left: u32, right: u32) -> Option<u32> {
        Some(match self {
            Calculation::Add => left.wrapping_add(right),
            Calculation::Subtract => left.wrapping_sub(right),
            Calculation::Multiply => left.wrapping_mul(right),
            Calculation::Divide => left.checked_div(right)?,
            Calculation::And => left & right,
            Calculation::Or => left | right,
            Calculation::Xor => left ^ right,
            // As the processor does: the lower five bits of the distance.
            Calculation::ShiftLeft => left.wrapping_shl(right),
            Calculation::ShiftRight => left.wrapping_shr(right),
        })
    }
}

impl Comparison {
    fn decode(code: u32) -> Option<Comparison> {
        const ALL: [(u32, Comparison); 4] = [
            (BPF_JEQ, Comparison::Equal),
            (BPF_JGT, Comparison::Greater),
            (BPF_JGE, Comparison::GreaterOrEqual),
            (BPF_JSET, Comparison::AnyBitSet),
        ];
        ALL.into_iter()
            .find_map(|(bits, comparison)| (code == BPF_JMP | bits).then_some(comparison))
    }

    fn holds(self, left: u32, right: u32) -> bool {
        match self {
            Comparison::Equal => left == right,
            Comparison::Greater => left > right,
            Comparison::GreaterOrEqual => left >= right,
            Comparison::AnyBitSet => left & right != 0,
        }
    }
}

impl Program {
    /// Checks a program (`bpf_check_classic()` in `net/core/filter.c`, and
    /// seccomp's own rules).
    ///
    /// # Errors
    ///
    /// EINVAL for one that is empty or too long, an instruction seccomp does
    /// not know or with an operand that makes no sense, a jump out of the
    /// program, a last instruction that does not return, and a load from
    /// memory that may not have been written.
    pub fn check(instructions: &[Instruction]) -> Result<Program, Errno> {
        /// What the kernel puts before each program.
        const PROLOGUE: u32 = 3;
        if instructions.len() > usize::from(MOST_INSTRUCTIONS) {
            return Err(Errno::EINVAL);
        }
        let decoded = instructions.iter().copied().map(Step::decode);
        let steps: Option<Vec<Step>> = decoded.collect();
        let steps = steps.ok_or(Errno::EINVAL)?;
        let weight = steps.iter().map(Step::weight).sum::<u32>() + PROLOGUE;
        let program = Program { steps, weight };
        match program.steps.last() {
            Some(Step::ReturnConstant(_) | Step::ReturnA) if program.keeps_its_memory() => {
                Ok(program)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    /// Whether all jumps stay in the program, and no cell is loaded that was
    /// not stored on each way there.
    fn keeps_its_memory(&self) -> bool {
        const ALL: u16 = u16::MAX;
        // What is stored wherever a jump to the step begins.
        let mut at_target = vec![ALL; self.steps.len()];
        let mut stored = 0u16;
        for (at, step) in self.steps.iter().enumerate() {
            stored &= at_target.get(at).copied().unwrap_or(0);
            let mut jump = |over: u32| {
                let target = at.saturating_add(1).saturating_add(over as usize);
                match at_target.get_mut(target) {
                    Some(cells) => {
                        *cells &= stored;
                        true
                    }
                    None => false,
                }
            };
            match *step {
                Step::StoreCell(_, cell) => stored |= 1 << cell,
                Step::LoadCell(_, cell) if stored >> cell & 1 == 0 => return false,
                Step::Jump(over) => {
                    if !jump(over) {
                        return false;
                    }
                    // The next step is reached by jumps only.
                    stored = ALL;
                }
                Step::Branch {
                    jump_true,
                    jump_false,
                    ..
                } => {
                    if !jump(u32::from(jump_true)) || !jump(u32::from(jump_false)) {
                        return false;
                    }
                    stored = ALL;
                }
                _ => {}
            }
        }
        true
    }

    /// What it counts for against the limit on a thread's filters.
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// Runs it. All jumps go forward, so it ends.
    pub fn run(&self, data: &Data) -> u32 {
        // What a division by zero returns, and seccomp's strictest but one.
        const NOTHING: u32 = libc::SECCOMP_RET_KILL_THREAD;
        let (mut a, mut x) = (0u32, 0u32);
        let mut cells = [0u32; CELLS];
        let mut at = 0usize;
        while let Some(step) = self.steps.get(at) {
            at += 1;
            let value = |operand, x| match operand {
                Operand::Constant(k) => k,
                Operand::X => x,
            };
            match *step {
                Step::LoadData(index) => a = data.word(index),
                Step::LoadConstant(Register::A, k) => a = k,
                Step::LoadConstant(Register::X, k) => x = k,
                Step::LoadCell(register, cell) => {
                    let loaded = cells.get(usize::from(cell)).copied().unwrap_or(0);
                    match register {
                        Register::A => a = loaded,
                        Register::X => x = loaded,
                    }
                }
                Step::StoreCell(register, cell) => {
                    if let Some(cell) = cells.get_mut(usize::from(cell)) {
                        *cell = match register {
                            Register::A => a,
                            Register::X => x,
                        };
                    }
                }
                Step::Move(Register::A) => a = x,
                Step::Move(Register::X) => x = a,
                Step::Calculate(calculation, operand) => {
                    match calculation.of(a, value(operand, x)) {
                        Some(result) => a = result,
                        None => return NOTHING,
                    }
                }
                Step::Negate => a = a.wrapping_neg(),
                Step::Jump(over) => at = at.saturating_add(over as usize),
                Step::Branch {
                    comparison,
                    operand,
                    jump_true,
                    jump_false,
                } => {
                    let holds = comparison.holds(a, value(operand, x));
                    at += usize::from(if holds { jump_true } else { jump_false });
                }
                Step::ReturnConstant(k) => return k,
                Step::ReturnA => return a,
            }
        }
        NOTHING
    }
}

#[cfg(test)]
mod tests;
