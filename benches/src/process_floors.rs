//! The floors of processes: this program, started as a process that has the bare VM and nothing
//! else to do, in the place of a guest.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::bare::{BareVm, Error, Registers};
use crate::image::Trap;
use crate::report::chain;
use crate::sys;

/// The word that makes this program such a process. The words of the guest follow.
pub const BARE_PROCESS: &str = "--bare-process";

/// This program is open for as long as it runs, so the link is always good.
pub const THIS_PROGRAM: &str = "/proc/self/exe";

/// Builds the bare VM and runs it to its first call. Without words, that is all: the floor of
/// starting a program. With those of the guest `launch`, starts children as that does, from a
/// process with a VM, and prints the time of one.
pub fn main(mut words: impl Iterator<Item = String>) -> ExitCode {
    let way = words.next();
    let children = words.next().and_then(|word| word.parse().ok()).unwrap_or(1);
    let result = match way.as_deref() {
        None => build().map(drop),
        Some("fork") => children_each(children, || {
            // The child of a monitor cannot run on its parent's VM.
            forked(|| i32::from(build().is_err()))
        }),
        // What the child does before it executes the program, it does on a VM of its own.
        Some("exec") => children_each(children, || {
            forked(|| match build() {
                Ok(_vm) => {
                    // Only returns where it fails.
                    let error = bare_process().exec();
                    eprintln!("km-bench: {error}");
                    127
                }
                Err(_) => 1,
            })
        }),
        // Between vfork and exec, the child runs on the VM of its parent.
        Some("spawn") => children_each(children, || {
            let status = bare_process().status();
            let status = status.map_err(|source| Error::Kvm {
                step: "posix_spawn",
                source,
            })?;
            ended_well(status.success())
        }),
        Some(word) => Err(Error::Exit(format!("an unknown word, {word}"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("km-bench: {}", chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<BareVm, Error> {
    BareVm::new(Trap::SyscallOut, Registers::Synced)
}

fn bare_process() -> Command {
    let mut command = Command::new(THIS_PROGRAM);
    command.arg(BARE_PROCESS);
    command
}

fn forked(child: impl FnOnce() -> i32) -> Result<(), Error> {
    let code = sys::fork_and_wait(child).map_err(|source| Error::Kvm {
        step: "fork",
        source,
    })?;
    ended_well(code == Some(0))
}

fn ended_well(well: bool) -> Result<(), Error> {
    if well {
        Ok(())
    } else {
        Err(Error::Exit("a failed child".to_owned()))
    }
}

/// Prints the nanoseconds of one child.
fn children_each(children: u32, run: impl Fn() -> Result<(), Error>) -> Result<(), Error> {
    let mut vm = build()?;
    // The VM's memory is in use, as it is when a program forks.
    vm.round_trip(Duration::from_millis(1))?;
    run()?;
    let start = Instant::now();
    for _ in 0..children {
        run()?;
    }
    let elapsed = start.elapsed();
    println!("{}", elapsed.as_secs_f64() * 1e9 / f64::from(children));
    Ok(())
}
