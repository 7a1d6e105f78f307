//! Notes below `/` what it is asked for. It fails where `/broken` is there and
//! the configuration it would start with names krun, and where `/dead` is there;
//! where `/deadly` is there, who has asked is killed.

use std::fs;
use std::process::ExitCode;

use rustix::process::{Signal, getppid, kill_process};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let before = fs::read_to_string("/asked").unwrap_or_default();
    let asked = before + &args.join(" ") + "\n";
    fs::write("/asked", &asked).unwrap();
    if fs::exists("/deadly").unwrap() {
        kill_process(getppid().unwrap(), Signal::KILL).unwrap();
    }
    if fs::exists("/dead").unwrap() {
        eprintln!("dead, {}", asked.lines().count());
        return ExitCode::FAILURE;
    }
    let config = fs::read_to_string("/etc/containerd/config.toml").unwrap_or_default();
    if fs::exists("/broken").unwrap() && config.contains("krun") {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
