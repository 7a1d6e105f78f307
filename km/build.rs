//! Builds the shim (`runtime/shim`) into a small ELF image, and tells the
//! program which commit and day it was built from.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    build_shim(Path::new("../runtime/shim"), &out.join("shim.elf"));
    println!("cargo::rustc-env=KM_COMMIT={}", commit());
    println!("cargo::rustc-env=KM_BUILD_DATE={}", date());
}

fn build_shim(source: &Path, image: &Path) {
    let script = source.join("shim.ld");
    println!("cargo::rerun-if-changed={}", source.display());
    println!("cargo::rerun-if-changed=../runtime/abi/src");
    let rustc = env::var_os("RUSTC").expect("cargo sets RUSTC");
    let status = Command::new(rustc)
        .args([
            "--edition",
            "2024",
            "--crate-name",
            "shim",
            "--crate-type",
            "bin",
        ])
        .args(["--target", "x86_64-unknown-linux-gnu"])
        .args([
            "-C",
            "panic=abort",
            "-C",
            "relocation-model=static",
            "-C",
            "opt-level=2",
        ])
        .args(["-C", "strip=symbols"])
        .args([
            "-C",
            "link-arg=-nostdlib",
            "-C",
            "link-arg=-nostartfiles",
            "-C",
            "link-arg=-static",
        ])
        .arg("-C")
        .arg(format!(
            "link-arg=-Wl,--build-id=none,--no-eh-frame-hdr,-n,-T{}",
            script.display()
        ))
        .arg("-o")
        .arg(image)
        .arg(source.join("shim.rs"))
        .status()
        .expect("rustc can be started");
    assert!(status.success(), "the shim did not build");
}

fn commit() -> String {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (output.status.success() && !text.is_empty()).then_some(text)
    };
    // The first changes with the branch, the second with each commit.
    for name in ["HEAD", "logs/HEAD"] {
        let path = git(&["rev-parse", "--git-path", name]);
        if let Some(path) = path.filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"]).unwrap_or_else(|| "unknown".to_owned())
}

/// The build's day: that of `SOURCE_DATE_EPOCH` where it is set, for builds
/// that can be repeated to the byte, else today.
fn date() -> String {
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let epoch = env::var("SOURCE_DATE_EPOCH").unwrap_or_default();
    let spec = if epoch.is_empty() {
        "now".to_owned()
    } else {
        format!("@{epoch}")
    };
    let output = Command::new("date")
        .args(["-u", "-d", &spec, "+%Y-%m-%d"])
        .output();
    match output {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
        _ => "unknown".to_owned(),
    }
}
