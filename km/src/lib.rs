//! km runs an ordinary Linux program in its own virtual machine, without a
//! guest kernel.
//!
//! The central path, in ten lines: `cli` → `config` → `monitor::build` opens
//! KVM (`vm`), reserves memory (`mem`), places the shim (`shim`), loads the
//! program and its stack (`loader`) → `monitor::Launch::run` enters the guest
//! (`vcpu::run`). A `syscall` of the payload lands in the shim, which writes
//! to a port; KVM returns; `vcpu` makes it an `Exit`; `syscall::dispatch`
//! finds the row of the one table, proxies the call to the host or calls its
//! handler, and writes the result. A processor exception becomes a page table
//! entry to fill in, or a signal (`signal`).
//!
//! Direction of use: `sys` ← `mem`, `vm` ← `shim`, `loader`, `vcpu` ← `task`,
//! `signal`, `seccomp`, `fd`, `procfs`, `nsm` ← `syscall` ← `monitor`. `vcpu` does not know
//! `syscall`.
//!
//! Threads: one host thread a payload thread, which owns its vCPU and
//! `Thread`. Lock order: `Process::actions`, then the machine's processors,
//! then its space, then the system area's, then the world's seats, then a
//! thread's seccomp mode. No lock is held over `KVM_RUN`, a host call that can
//! block (a line of `--strace` is one), `World::stop`, or what a child made by
//! `vfork` asks its parent for. What such a child can take with it when it is
//! killed is a `sys::lock::Lock`.

// A payload can get an errno or a signal, never a panic of the monitor.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod cli;
mod command;
mod config;
mod errno;
mod error;
mod exit_code;
mod fd;
mod loader;
mod log;
mod mem;
mod monitor;
mod nsm;
mod procfs;
mod seccomp;
mod shim;
mod signal;
mod stats;
mod sys;
mod syscall;
mod task;
mod vcpu;
mod vm;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli::{Cli, SyscallList};
use crate::config::RunConfig;
use crate::error::Error;
use crate::task::exec;

/// The program: its exit code, where it does not come to run a payload.
pub fn main() -> u8 {
    let args: Vec<_> = std::env::args_os().collect();
    if let Some(config) = exec::inherited(&args) {
        let error = match config {
            Ok(config) => start(config),
            Err(errno) => Error::Memory(errno),
        };
        if error.is_lack_of_room() {
            // Nobody is left to return it to: as on Linux.
            ::log::debug!("{error}");
            sys::proc::die_by_signal(libc::SIGSEGV);
        }
        return complain(&error);
    }
    if let Some(command) = command::find(&args) {
        return command(args);
    }
    let cli = match Cli::from_args(args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    if let Some(format) = cli.syscalls {
        return print_syscalls(format);
    }
    complain(&match RunConfig::new(cli) {
        Ok(config) => start(config),
        Err(error) => error,
    })
}

/// Runs the payload; returns only with an error.
fn start(config: RunConfig) -> Error {
    match monitor::build(config) {
        Ok(launch) => launch.run(),
        Err(error) => error,
    }
}

fn complain(error: &Error) -> u8 {
    eprintln!("km: {error}");
    error.exit_code()
}

/// `--help` and `--version` as clap prints them; mistakes in one line.
fn usage(error: &clap::Error) -> u8 {
    if !error.use_stderr() {
        // Nobody is left to tell if that fails.
        let _ = error.print();
        return 0;
    }
    let text = match error.kind() {
        ErrorKind::MissingRequiredArgument if lacks_payload(error) => "no payload given".to_owned(),
        _ => {
            let text = error.to_string();
            let first = text.split("\n\n").next().unwrap_or_default();
            let words: Vec<_> = first
                .split_whitespace()
                .skip_while(|w| *w == "error:")
                .collect();
            words.join(" ")
        }
    };
    eprintln!("km: {text} (see km --help)");
    exit_code::MONITOR
}

/// Whether what is missing is the payload, and nothing else.
fn lacks_payload(error: &clap::Error) -> bool {
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(missing)) => missing.iter().all(|name| name.contains("PAYLOAD")),
        _ => false,
    }
}

fn print_syscalls(format: SyscallList) -> u8 {
    use std::io::Write;
    let text = match format {
        SyscallList::Text => syscall::list::text(),
        SyscallList::Json => syscall::list::json(),
        SyscallList::Markdown => syscall::list::markdown(),
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => 0,
        Err(_) => exit_code::MONITOR,
    }
}
