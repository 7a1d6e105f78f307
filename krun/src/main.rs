//! The `krun` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(krun::runtime::main(std::env::args_os().skip(1).collect()))
}
