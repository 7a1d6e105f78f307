//! `km-device-plugin`: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    km_device_plugin::main()
}
