//! Notes below `/` what it is asked for, and fails where `/broken` is there
//! and the configuration it would start with names krun.

use std::fs;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let before = fs::read_to_string("/asked").unwrap_or_default();
    fs::write("/asked", before + &args.join(" ") + "\n").unwrap();
    let config = fs::read_to_string("/etc/containerd/config.toml").unwrap_or_default();
    if fs::exists("/broken").unwrap() && config.contains("krun") {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
