//! The `km-docker-config` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(krun::docker_config::main(
        std::env::args_os().skip(1).collect(),
    ))
}
