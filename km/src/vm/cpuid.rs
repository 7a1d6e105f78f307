//! What processor the payload sees: the host's, less what a program in ring 3
//! of this machine cannot use.

use std::arch::x86_64::{__cpuid_count, CpuidResult};

use kvm_bindings::{CpuId, KVM_CPUID_FLAG_SIGNIFCANT_INDEX, kvm_cpuid_entry2};
use kvm_ioctls::Kvm;
use serde::{Deserialize, Serialize};

use crate::errno::Errno;
use crate::sys::proc;

/// Extended state components a payload may use (SDM volume 1, section 13.1):
/// x87, SSE, AVX, and the three of AVX-512. Not AMX, whose permission model
/// and signal frame size need work of their own, and not PKRU.
const XCR0: u64 = 0b1110_0111;

/// `(leaf, sub-leaf, register, bits taken away, why)`.
type Rule = (u32, u32, Register, u32, &'static str);

#[derive(Debug, Clone, Copy)]
enum Register {
    Eax,
    Ecx,
    Edx,
}

const RULES: &[Rule] = &[
    (0x1, 0, Register::Ecx, 1 << 3, "MONITOR: privileged here"),
    (
        0x1,
        0,
        Register::Ecx,
        1 << 5 | 1 << 6,
        "VMX, SMX: no nested machine",
    ),
    (
        0x1,
        0,
        Register::Ecx,
        1 << 21 | 1 << 24,
        "x2APIC, TSC deadline: no interrupt controller",
    ),
    (0x5, 0, Register::Ecx, u32::MAX, "MWAIT"),
    (
        0x7,
        0,
        Register::Ecx,
        1 << 3 | 1 << 4,
        "PKU: protection keys are not switched",
    ),
    (0x7, 0, Register::Ecx, 1 << 5, "WAITPKG"),
    (
        0x7,
        0,
        Register::Ecx,
        1 << 7,
        "CET shadow stacks: no kernel part",
    ),
    (
        0x7,
        0,
        Register::Edx,
        1 << 20,
        "CET branch tracking: no kernel part",
    ),
    (
        0x7,
        0,
        Register::Edx,
        1 << 5,
        "user interrupts: no kernel part",
    ),
    (0x7, 0, Register::Edx, 1 << 22 | 1 << 24 | 1 << 25, "AMX"),
    (
        0x7,
        1,
        Register::Eax,
        1 << 17 | 1 << 21 | 1 << 26,
        "FRED, AMX, LAM",
    ),
    (
        0x7,
        1,
        Register::Edx,
        1 << 8 | 1 << 19,
        "AMX, AVX10 state not enabled",
    ),
    (
        0x8000_0001,
        0,
        Register::Ecx,
        1 << 2,
        "SVM: no nested machine",
    ),
    (
        0x8000_0001,
        0,
        Register::Ecx,
        1 << 10 | 1 << 15,
        "IBS, LWP: profiling of the host",
    ),
];

/// Leaves that are empty: performance counters, processor trace, AMX tiles,
/// and the paravirtual interface of KVM, which needs a kernel.
const EMPTY: &[u32] = &[0xa, 0x14, 0x1d, 0x1e, 0x8000_000a, 0x8000_001b, 0x8000_0022];
const HYPERVISOR: std::ops::RangeInclusive<u32> = 0x4000_0000..=0x4000_ffff;

/// The processor of the guest.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Features {
    cpuid: Vec<kvm_cpuid_entry2>,
    xcr0: u64,
    xsave: bool,
    state_size: u32,
    physical_bits: u32,
    hwcap: u32,
    /// KVM can switch FS and GS bases that ring 3 sets itself.
    fsgsbase: bool,
    rdpid: bool,
}

impl Features {
    /// What `kvm` can give a guest.
    ///
    /// # Errors
    ///
    /// From `KVM_GET_SUPPORTED_CPUID`.
    pub fn of(kvm: &Kvm) -> Result<Features, kvm_ioctls::Error> {
        let basic = own_leaf(1, 0, 0);
        let extended = own_leaf(0x8000_0001, 0, 0);
        if !has_virtualisation(&basic, &extended) {
            // Asking KVM would cost more than the machine itself: where the
            // processor is virtual, each CPUID is an exit. And the payload
            // runs on the processor as it is, whatever KVM knows of it.
            let intercepted = proc::can_fault_cpuid();
            let mut entries = vec![basic, extended];
            add_own_leaves(&mut entries, intercepted);
            return Ok(Features::new(entries, intercepted));
        }
        let supported = kvm.get_supported_cpuid(kvm_bindings::KVM_MAX_CPUID_ENTRIES)?;
        let mut entries = supported.as_slice().to_vec();
        complete(&mut entries, &basic);
        Ok(Features::new(entries, true))
    }

    /// From the leaves a guest may have. Where CPUID is not `intercepted`,
    /// control registers are the host's as well.
    fn new(mut entries: Vec<kvm_cpuid_entry2>, intercepted: bool) -> Features {
        entries.retain(|entry| !HYPERVISOR.contains(&entry.function));
        let find = |leaf: u32, index: u32| {
            entries
                .iter()
                .find(|e| e.function == leaf && e.index == index)
                .copied()
                .unwrap_or_default()
        };
        let has = |register: u32, bit: u32| intercepted && register >> bit & 1 != 0;
        let xcr0 = u64::from(find(0xd, 0).eax) & XCR0;
        let mut features = Features {
            cpuid: Vec::new(),
            xcr0,
            state_size: state_size(&entries, xcr0),
            physical_bits: find(0x8000_0008, 0).eax & 0xff,
            hwcap: find(1, 0).edx,
            xsave: has(find(1, 0).ecx, 26),
            fsgsbase: has(find(7, 0).ebx, 0),
            rdpid: has(find(7, 0).ecx, 22),
        };
        features.cpuid = entries
            .into_iter()
            .map(|entry| policy(entry, xcr0, features.state_size))
            .collect();
        features
    }

    /// The identification the guest sees.
    ///
    /// # Errors
    ///
    /// E2BIG for more entries than KVM takes.
    pub fn cpuid(&self) -> Result<CpuId, Errno> {
        CpuId::from_entries(&self.cpuid).map_err(|_| Errno::E2BIG)
    }

    /// Extended state components that are enabled; 0 without XSAVE.
    pub fn xcr0(&self) -> u64 {
        self.xcr0
    }

    /// Whether CR4.OSXSAVE and XCR0 are the guest's own.
    pub fn xsave(&self) -> bool {
        self.xsave
    }

    /// Bytes of the XSAVE area for them.
    pub fn state_size(&self) -> usize {
        self.state_size as usize
    }

    /// Guest-physical address bits.
    pub fn physical_bits(&self) -> u32 {
        self.physical_bits
    }

    /// `AT_HWCAP`: CPUID leaf 1, EDX.
    pub fn hwcap(&self) -> u32 {
        self.hwcap
    }

    /// Whether CR4.FSGSBASE, for `wrfsbase` and its kin, can be set.
    pub fn fsgsbase(&self) -> bool {
        self.fsgsbase
    }

    /// Whether there is `rdpid`.
    pub fn rdpid(&self) -> bool {
        self.rdpid
    }
}

/// Size of the XSAVE area (standard format) for the components in `xcr0`.
fn state_size(entries: &[kvm_cpuid_entry2], xcr0: u64) -> u32 {
    const LEGACY_AND_HEADER: u32 = 576;
    entries
        .iter()
        .filter(|e| e.function == 0xd && (2..63).contains(&e.index) && xcr0 >> e.index & 1 != 0)
        .map(|e| e.eax.saturating_add(e.ebx))
        .fold(LEGACY_AND_HEADER, u32::max)
}

/// Whether the processor can run guests itself. One that cannot intercepts
/// CPUID only where it can make it fault; else ring 3 of the guest sees the
/// processor as it is.
fn has_virtualisation(basic: &kvm_cpuid_entry2, extended: &kvm_cpuid_entry2) -> bool {
    const VMX: u32 = 1 << 5;
    const SVM: u32 = 1 << 2;
    basic.ecx & VMX != 0 || extended.ecx & SVM != 0
}

/// Leaves, and the sub-leaves of those that have any.
type Leaves = &'static [(u32, &'static [u32])];

/// Leaves KVM itself goes by, beside 1, 0x8000_0001 and the components of the
/// extended state.
const NEEDED: Leaves = &[
    (0, &[]),
    (7, &[0]),
    (0xd, &[0, 1]),
    (0x8000_0000, &[]),
    (0x8000_0008, &[]),
];

/// Leaves that only payloads look at: further instructions, topology, the
/// processor's name, its second cache (which OpenBLAS asks for in this way of
/// any maker), whether its clock is steady.
const TOLD: Leaves = &[
    (7, &[1]),
    (0xb, &[0, 1]),
    (0x8000_0002, &[]),
    (0x8000_0003, &[]),
    (0x8000_0004, &[]),
    (0x8000_0006, &[]),
    (0x8000_0007, &[]),
];
/// Caches, which C libraries size their copies by, and the clock's frequency.
const TOLD_BY_INTEL: Leaves = &[(2, &[]), (4, &[0, 1, 2, 3]), (0x15, &[])];
const TOLD_BY_AMD: Leaves = &[(0x8000_0005, &[]), (0x8000_001d, &[0, 1, 2, 3])];

/// Adds the processor as the monitor sees it, less leaves that nobody will
/// see: a CPUID instruction of the monitor may cost as much as 100 system
/// calls.
fn add_own_leaves(leaves: &mut Vec<kvm_cpuid_entry2>, intercepted: bool) {
    for (function, indices) in NEEDED {
        add(leaves, *function, indices);
    }
    let value = |leaves: &[kvm_cpuid_entry2], function| {
        let entry = leaves.iter().find(|entry| entry.function == function);
        entry.copied().unwrap_or_default()
    };
    let components = u64::from(value(leaves, 0xd).eax) & XCR0;
    for index in (2..63).filter(|index| components >> index & 1 != 0) {
        add(leaves, 0xd, &[index]);
    }
    if intercepted {
        const AMD: u32 = u32::from_le_bytes(*b"Auth");
        let by_maker = match value(leaves, 0).ebx {
            AMD => TOLD_BY_AMD,
            _ => TOLD_BY_INTEL,
        };
        for (function, indices) in TOLD.iter().chain(by_maker) {
            add(leaves, *function, indices);
        }
    }
}

fn add(leaves: &mut Vec<kvm_cpuid_entry2>, function: u32, indices: &[u32]) {
    if indices.is_empty() {
        leaves.push(own_leaf(function, 0, 0));
    }
    let flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
    leaves.extend(indices.iter().map(|at| own_leaf(function, *at, flags)));
}

fn own_leaf(function: u32, index: u32, flags: u32) -> kvm_cpuid_entry2 {
    let CpuidResult { eax, ebx, ecx, edx } = __cpuid_count(function, index);
    kvm_cpuid_entry2 {
        function,
        index,
        flags,
        eax,
        ebx,
        ecx,
        edx,
        ..Default::default()
    }
}

/// What KVM leaves to the monitor is the host's own: whether the package has
/// several logical processors, and the processor's name.
fn complete(entries: &mut Vec<kvm_cpuid_entry2>, basic: &kvm_cpuid_entry2) {
    const HTT: u32 = 1 << 28;
    const NAME: std::ops::RangeInclusive<u32> = 0x8000_0002..=0x8000_0004;
    if let Some(entry) = entries.iter_mut().find(|entry| entry.function == 1) {
        entry.edx |= basic.edx & HTT;
    }
    let named = |entry: &kvm_cpuid_entry2| NAME.contains(&entry.function) && entry.eax != 0;
    if entries.iter().any(named) {
        return;
    }
    entries.retain(|entry| !NAME.contains(&entry.function));
    entries.extend(NAME.map(|function| own_leaf(function, 0, 0)));
}

fn policy(mut entry: kvm_cpuid_entry2, xcr0: u64, state_size: u32) -> kvm_cpuid_entry2 {
    let mut clear = false;
    for (leaf, index, register, bits, _) in RULES {
        if (*leaf, *index) != (entry.function, entry.index) {
            continue;
        }
        match register {
            Register::Eax => entry.eax &= !bits,
            Register::Ecx => entry.ecx &= !bits,
            Register::Edx => entry.edx &= !bits,
        }
    }
    clear |= EMPTY.contains(&entry.function);
    if entry.function == 0xd {
        match entry.index {
            0 => {
                entry.eax = xcr0 as u32;
                entry.edx = (xcr0 >> 32) as u32;
                entry.ecx = state_size;
            }
            // Bits 3 and 4: XSAVES (privileged) and XFD (for AMX).
            1 => {
                entry.eax &= !(1 << 3 | 1 << 4);
                (entry.ebx, entry.ecx, entry.edx) = (0, 0, 0);
            }
            index => clear |= index > 62 || xcr0 >> index & 1 == 0,
        }
    }
    if clear {
        (entry.eax, entry.ebx, entry.ecx, entry.edx) = (0, 0, 0, 0);
    }
    entry
}
