//! What KVM itself costs on this host: variations of the hypercall, and the steps of building a
//! VM. These are no measures of km; they tell which way of doing things is the cheapest.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::bare::{BareVm, Error, Laps, Registers};
use crate::image::Trap;
use crate::sample::median;

const MIB: usize = 1 << 20;

const VARIATIONS: [(&str, Trap, Registers); 8] = [
    (
        "syscall, out %al,$imm8; REGS synced",
        Trap::SyscallOut,
        Registers::Synced,
    ),
    (
        "  … REGS|SREGS synced",
        Trap::SyscallOut,
        Registers::SyncedWithSystem,
    ),
    (
        "  … KVM_GET_REGS + KVM_SET_REGS",
        Trap::SyscallOut,
        Registers::Ioctls,
    ),
    (
        "  … stub returns with jmp *%rcx, REGS read, none written",
        Trap::SyscallOutJump,
        Registers::SyncedReadOnly,
    ),
    (
        "syscall, out %al,%dx; REGS synced",
        Trap::SyscallOutDx,
        Registers::Synced,
    ),
    (
        "syscall, out %eax,$imm8; REGS synced",
        Trap::SyscallOutLong,
        Registers::Synced,
    ),
    (
        "syscall, store to MMIO; REGS synced",
        Trap::SyscallMmio,
        Registers::Synced,
    ),
    (
        "out %al,$imm8 in ring 3, no syscall; REGS synced",
        Trap::Out,
        Registers::Synced,
    ),
];

/// One line: the median and how far the samples spread.
#[derive(Debug, Serialize)]
pub struct Cost {
    pub what: String,
    pub median_us: Option<f64>,
    pub min_us: Option<f64>,
    pub note: Option<String>,
}

impl Cost {
    fn of(what: impl Into<String>, us: &[f64]) -> Self {
        Self {
            what: what.into(),
            median_us: median(us),
            min_us: us.iter().copied().min_by(f64::total_cmp),
            note: None,
        }
    }

    fn missing(what: impl Into<String>, error: &Error) -> Self {
        Self {
            what: what.into(),
            median_us: None,
            min_us: None,
            note: Some(crate::report::chain(error)),
        }
    }
}

/// The variations of the hypercall, run in turns.
pub fn hypercalls(rounds: usize) -> Vec<Cost> {
    let mut machines: Vec<_> = VARIATIONS
        .iter()
        .map(|(what, trap, registers)| (*what, BareVm::new(*trap, *registers), Vec::new()))
        .collect();
    for _ in 0..rounds {
        for (_, machine, samples) in &mut machines {
            let Ok(vm) = machine else { continue };
            match vm.round_trip(Duration::from_millis(50)) {
                Ok(ns) => samples.push(ns / 1e3),
                Err(error) => *machine = Err(error),
            }
        }
    }
    machines
        .iter()
        .map(|(what, machine, samples)| match machine {
            Ok(_) => Cost::of(*what, samples),
            Err(error) => Cost::missing(*what, error),
        })
        .collect()
}

/// The steps of building a VM and taking it down, and the single ioctls.
pub fn setup(rounds: usize) -> Result<Vec<Cost>, Error> {
    let mut steps: Vec<(&'static str, Vec<f64>)> = Vec::new();
    for _ in 0..rounds {
        for (step, time) in one_life()? {
            match steps.iter_mut().find(|(known, _)| *known == step) {
                Some((_, samples)) => samples.push(micros(time)),
                None => steps.push((step, vec![micros(time)])),
            }
        }
    }
    Ok(steps
        .iter()
        .map(|(step, samples)| Cost::of(*step, samples))
        .collect())
}

fn one_life() -> Result<Vec<(&'static str, Duration)>, Error> {
    const TIMES: u32 = 200;
    let mut laps = Laps::start();
    let mut vm = BareVm::timed(Trap::SyscallOut, Registers::Synced, &mut laps)?;
    let mut steps = laps.laps;
    // Where the same ioctl comes twice, the first is the one that counts.
    let mut seen = Vec::new();
    steps.retain(|(step, _)| {
        let first = !seen.contains(step);
        seen.push(*step);
        first
    });
    let built: Duration = steps.iter().map(|(_, time)| *time).sum();
    steps.push(("(all of the above)", built));

    steps.push((
        "KVM_RUN with immediate_exit",
        nanos(vm.immediate_exit(TIMES)?),
    ));
    steps.push(("KVM_GET_REGS", nanos(vm.register_ioctl(TIMES)?)));

    let start = Instant::now();
    drop(vm);
    steps.push(("close vCPU and VM, unmap 2 MiB", start.elapsed()));

    let mut vm = BareVm::new(Trap::SyscallOut, Registers::Synced)?;
    let start = Instant::now();
    vm.add_vcpu(&mut Laps::start())?;
    steps.push(("a further vCPU, made and set up", start.elapsed()));
    let start = Instant::now();
    vm.run_to_trap()?;
    steps.push(("  its first KVM_RUN, to the first syscall", start.elapsed()));
    for (what, at, size) in [
        ("a further slot, 2 MiB, VM running", 1 << 32, 2 * MIB),
        ("a further slot, 16 MiB, VM running", 2 << 32, 16 * MIB),
        ("a further slot, 128 MiB, VM running", 3 << 32, 128 * MIB),
        ("a further slot, 1 GiB, VM running", 4 << 32, 1024 * MIB),
    ] {
        steps.push((what, vm.add_memory(at, size)?));
    }
    let start = Instant::now();
    drop(vm);
    steps.push((
        "close vCPUs and VM with these slots, unmap",
        start.elapsed(),
    ));
    Ok(steps)
}

fn nanos(ns: f64) -> Duration {
    Duration::from_secs_f64(ns / 1e9)
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
