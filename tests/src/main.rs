//! The one test runner: what it runs, and how to add to it, is in
//! `tests/README.md`.

mod case;
mod command_line;
mod compare;
mod conformance;
mod guest;
mod inherited;
mod job;
mod licences;
mod locations;
mod machine;
mod nsm;
mod payload;
mod process;
mod program;
mod scratch;
mod server;
mod suite;
mod svm;
mod terminal;

use std::process::ExitCode;

fn main() -> ExitCode {
    let error = if svm::init::is_init() {
        svm::init::main().err()
    } else if std::env::args_os()
        .nth(1)
        .is_some_and(|option| option == terminal::OPTION)
    {
        Some(terminal::become_program(std::env::args_os().skip(2)))
    } else {
        let args = libtest_mimic::Arguments::from_args();
        match inherited::shed().and_then(|()| suite::run(&args)) {
            Ok(code) => return code,
            Err(error) => Some(error),
        }
    };
    if let Some(error) = error {
        eprintln!("km-tests: {error}");
    }
    ExitCode::FAILURE
}
