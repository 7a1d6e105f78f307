//! The floors of threads: what KVM takes for a further vCPU, and two vCPUs of the bare VM that do
//! what the guest `pingpong` does.

use std::thread;
use std::time::{Duration, Instant};

use kvm_bindings::kvm_regs;

use crate::bare::{BareVm, Error, Lane, Laps, Registers};
use crate::image::{Program, Trap, WORD};
use crate::sys::{self, Futex};

/// A VM gets `count` further vCPUs, made and set up but not entered yet; the nanoseconds that one
/// took.
pub fn further_vcpus(count: u64) -> Result<f64, Error> {
    let mut vm = BareVm::new(Trap::SyscallOut, Registers::Synced)?;
    let start = Instant::now();
    for _ in 0..count {
        vm.add_vcpu(&mut Laps::start())?;
    }
    Ok(start.elapsed().as_secs_f64() * 1e9 / count as f64)
}

/// Two threads, each with a vCPU of one VM, hand a word in its memory to and fro; the nanoseconds
/// that handing it over once took. Each guest looks at the word itself, and calls for the host's futex.
pub fn ping_pong(turns: u64) -> Result<f64, Error> {
    let mut vm = BareVm::running(Program::PingPong)?;
    vm.add_vcpu(&mut Laps::start())?;
    vm.run_to_trap()?;
    let lanes = vm.lanes()?;
    let mut results = Vec::new();
    let start = Instant::now();
    thread::scope(|scope| {
        let players: Vec<_> = (0_u32..)
            .zip(lanes)
            .map(|(own, lane)| scope.spawn(move || play(lane, own, turns)))
            .collect();
        results.extend(players.into_iter().map(thread::ScopedJoinHandle::join));
    });
    let elapsed = start.elapsed();
    for result in results {
        result.map_err(|_| Error::Exit("a panic".to_owned()))??;
    }
    Ok(elapsed.as_secs_f64() * 1e9 / (2 * turns) as f64)
}

/// Serves one side's calls until it has passed the word on for the last time.
fn play(mut lane: Lane<'_>, own: u32, turns: u64) -> Result<(), Error> {
    // Should the other side fail, this one must not wait for ever.
    const PATIENCE: Duration = Duration::from_secs(2);
    let other = 1 - own;
    lane.resume(|regs: &mut kvm_regs| {
        regs.rdi = WORD;
        regs.r8 = u64::from(own);
        regs.r9 = u64::from(other);
    })?;
    let mut passed = 0;
    while passed < turns {
        let operation = if lane.registers().rsi == 0 {
            Futex::Wait(other, PATIENCE)
        } else {
            passed += 1;
            Futex::Wake
        };
        sys::futex(lane.memory(), WORD, operation).map_err(|source| Error::Kvm {
            step: "futex",
            source,
        })?;
        // The last answer is never asked for.
        if passed < turns {
            lane.resume(|regs| regs.rax = 0)?;
        }
    }
    Ok(())
}
