//! The global descriptor table (SDM volume 3, section 3.4.5).

use km_abi::selectors;
use kvm_bindings::kvm_segment;

use crate::errno::Errno;
use crate::mem::system::SystemArea;

/// Bytes of the table less one. A TSS descriptor takes two entries.
pub const LIMIT: u16 = (selectors::COUNT * 8 - 1) as u16;

const KERNEL_CODE: u64 = 0x00af_9b00_0000_ffff;
const KERNEL_DATA: u64 = 0x00cf_9300_0000_ffff;
const USER32_CODE: u64 = 0x00cf_fb00_0000_ffff;
const USER_DATA: u64 = 0x00cf_f300_0000_ffff;
const USER_CODE: u64 = 0x00af_fb00_0000_ffff;
/// A read-only data segment of ring 3 with byte granularity; only its limit
/// is of use.
const CPU_NODE: u64 = 0x0040_f100_0000_0000;

/// Writes the table at guest-physical `at`.
pub fn write(area: &SystemArea, at: u64) -> Result<(), Errno> {
    for (selector, descriptor) in [
        (selectors::KERNEL_CS, KERNEL_CODE),
        (selectors::KERNEL_DS, KERNEL_DATA),
        (selectors::USER32_CS, USER32_CODE),
        (selectors::USER_DS, USER_DATA),
        (selectors::USER_CS, USER_CODE),
        (selectors::CPU_NODE, CPU_NODE),
    ] {
        area.store(at + entry(selector), descriptor)?;
    }
    Ok(())
}

/// Writes processor and node into the limit of their segment, as Linux does
/// (`vdso_encode_cpunode()`).
pub fn write_cpu_node(area: &SystemArea, at: u64, cpu: u32, node: u32) -> Result<(), Errno> {
    let limit = u64::from(cpu & 0xfff | node << 12);
    let descriptor = CPU_NODE | limit & 0xffff | (limit >> 16 & 0xf) << 48;
    area.store(at + entry(selectors::CPU_NODE), descriptor)
}

fn entry(selector: u16) -> u64 {
    u64::from(selector & !7)
}

fn flat(selector: u16) -> kvm_segment {
    kvm_segment {
        limit: u32::MAX,
        selector,
        present: 1,
        dpl: (selector & 3) as u8,
        s: 1,
        g: 1,
        ..kvm_segment::default()
    }
}

/// A 64-bit code segment, as the processor holds it.
pub fn code_segment(selector: u16) -> kvm_segment {
    kvm_segment {
        type_: 0xb,
        l: 1,
        ..flat(selector)
    }
}

/// A data segment.
pub fn data_segment(selector: u16) -> kvm_segment {
    kvm_segment {
        type_: 0x3,
        db: 1,
        ..flat(selector)
    }
}

/// A busy task state segment.
pub fn task_segment(base: u64, limit: u32) -> kvm_segment {
    kvm_segment {
        base,
        limit,
        selector: selectors::TSS,
        type_: 0xb,
        present: 1,
        ..kvm_segment::default()
    }
}
