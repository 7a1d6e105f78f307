//! `make compatibility`: `CPython`'s own regression suite, natively and under
//! km, and the tests that fail under km alone.
//!
//!     compatibility [--native] [--write FILE] [MODULE...]
//!
//! Each module is run by `python3 -m test -v`, two at a time. The exit status
//! says whether km has a failure that the native run has not.

mod attend;
mod compare;
mod modules;
mod page;
mod run;
mod transcript;

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::compare::Comparison;
use crate::modules::Module;
use crate::run::Runner;

/// More at once would only make the modules' own time limits run out.
const AT_ONCE: usize = 2;

#[derive(Debug, Default)]
struct Options {
    /// Leave km out: to see what the suite does on this machine.
    native: bool,
    write: Option<PathBuf>,
    modules: Vec<&'static Module>,
}

fn main() -> ExitCode {
    match options(std::env::args().skip(1)).and_then(|options| compatibility(&options)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("compatibility: {error}");
            ExitCode::from(2)
        }
    }
}

fn options(mut args: impl Iterator<Item = String>) -> io::Result<Options> {
    let mut options = Options::default();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--native" => options.native = true,
            "--write" => {
                let file = args.next().ok_or(io::Error::other("--write what?"))?;
                options.write = Some(file.into());
            }
            name => options.modules.push(modules::find(name).ok_or_else(|| {
                let known: Vec<&str> = modules::ALL.iter().map(|module| module.name).collect();
                io::Error::other(format!("no module {name}; there are {}", known.join(" ")))
            })?),
        }
    }
    if options.modules.is_empty() {
        options.modules = modules::ALL.iter().collect();
    }
    Ok(options)
}

fn compatibility(options: &Options) -> io::Result<ExitCode> {
    let runner = Runner::new(options.native)?;
    let queue: Mutex<VecDeque<&Module>> = Mutex::new(options.modules.iter().copied().collect());
    // Not in the loop's condition: the lock would be held through its body.
    let next = || lock(&queue).pop_front();
    let done = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(module) = next() {
                    let comparison = runner.compare(module);
                    println!("{}", comparison.line());
                    lock(&done).push(comparison);
                }
            });
        }
    });
    runner.clean();
    let mut comparisons = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    comparisons.sort_by(|a, b| a.module.cmp(&b.module));
    for comparison in &comparisons {
        print!("{}", comparison.details());
    }
    if let Some(file) = &options.write {
        fs::write(file, page::page(&runner.version, &comparisons))?;
    }
    let passed = comparisons.iter().all(Comparison::is_passed);
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
