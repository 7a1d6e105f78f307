//! What some hosts get wrong.
//!
//! Where ring 0 is emulated in software, so is every instruction of ring 3
//! that raises a general protection fault; those the host's emulator does not
//! know come back as invalid opcodes.

use crate::vcpu::exit::Exception;

const INVALID_OPCODE: u8 = 6;
const GENERAL_PROTECTION: u8 = 13;

/// Longest instruction, in bytes.
pub const LONGEST: usize = 15;

/// The exception the processor would raise for the instruction `code`, where
/// the host may have reported another.
pub fn correct(exception: Exception, code: &[u8]) -> Exception {
    if exception.vector != INVALID_OPCODE {
        return exception;
    }
    match protection_error(code) {
        Some(error) => Exception {
            vector: GENERAL_PROTECTION,
            error,
            ..exception
        },
        None => exception,
    }
}

/// The error code of the general protection fault of an instruction that is
/// never an invalid opcode (SDM volume 2).
fn protection_error(code: &[u8]) -> Option<u64> {
    const INT: u8 = 0xcd;
    let legacy = |byte: &u8| matches!(byte, 0x26 | 0x2e | 0x36 | 0x3e | 0x64..=0x67 | 0xf2 | 0xf3);
    let rex = |byte: &u8| matches!(byte, 0x40..=0x4f);
    let start = code.iter().position(|byte| !legacy(byte))?;
    let code = code.get(start..)?;
    let code = code.get(usize::from(code.first().is_some_and(rex))..)?;
    match code {
        // No gate of ring 3: the vector, as an entry of the IDT.
        [INT, vector, ..] => Some(u64::from(*vector) << 3 | 1 << 1),
        // FXRSTOR, LDMXCSR, XRSTOR from memory: reserved bits in what they
        // load.
        [0x0f, 0xae, modrm, ..] if modrm >> 6 != 3 && matches!(modrm >> 3 & 7, 1 | 2 | 5) => {
            Some(0)
        }
        // VLDMXCSR.
        [0xc5, _, 0xae, modrm, ..] if modrm >> 6 != 3 && modrm >> 3 & 7 == 2 => Some(0),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(code: &[u8]) -> (u8, u64) {
        let reported = Exception {
            vector: INVALID_OPCODE,
            error: 0,
            address: 0,
        };
        let real = correct(reported, code);
        (real.vector, real.error)
    }

    #[test]
    fn software_interrupts_and_state_loads_are_protection_faults() {
        assert_eq!(vector(&[0xcd, 0x81]), (13, 0x81 * 8 + 2));
        assert_eq!(vector(&[0x0f, 0xae, 0x10]), (13, 0), "ldmxcsr (%rax)");
        assert_eq!(
            vector(&[0x48, 0x0f, 0xae, 0x28]),
            (13, 0),
            "xrstor64 (%rax)"
        );
        assert_eq!(
            vector(&[0xc5, 0xf8, 0xae, 0x10]),
            (13, 0),
            "vldmxcsr (%rax)"
        );
    }

    #[test]
    fn true_invalid_opcodes_stay() {
        assert_eq!(vector(&[0x0f, 0x0b]), (6, 0), "ud2");
        assert_eq!(
            vector(&[0x0f, 0xae, 0xe8]),
            (6, 0),
            "lfence, a register form"
        );
        assert_eq!(vector(&[]), (6, 0));
        assert_eq!(vector(&[0x66; LONGEST]), (6, 0));
    }
}
