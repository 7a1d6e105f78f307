//! The programs of `payloads/`, for the suites that are their own.

use std::io;
use std::path::Path;
use std::process::Command;

use super::source::succeed;

/// Has a payload's folder make a target; says nothing when it is made.
pub fn build(prepared: &Path, name: &str, target: &str) -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../payloads");
    let folder = folder.join(name);
    let mut make = Command::new("make");
    make.args(["--silent", "--no-print-directory", "-C"])
        .arg(folder)
        .arg(format!("BUILD={}", top(prepared).display()))
        .args(["RUNTIME=kontain", target]);
    // Those of the `make` that started this.
    succeed(make.env_remove("MAKEFLAGS").env_remove("MAKELEVEL"))
}

/// Of what is built, by its path below the folder of all payloads.
pub fn path(prepared: &Path, file: &str) -> String {
    top(prepared)
        .join("payloads")
        .join(file)
        .display()
        .to_string()
}

/// What every payload is built with, and these.
pub fn packages(more: &[&str]) -> Vec<String> {
    let all = [
        "gcc",
        "g++",
        "libc6-dev",
        "linux-libc-dev",
        "make",
        "dpkg-dev",
    ];
    all.iter().chain(more).map(|name| (*name).into()).collect()
}

fn top(prepared: &Path) -> &Path {
    prepared.ancestors().nth(2).unwrap_or(prepared)
}
