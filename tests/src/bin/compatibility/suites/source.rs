//! The sources of Debian packages, for the tests in them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Unpacks a package's source into `source` below a suite's folder, once.
pub fn unpack(package: &str, prepared: &Path) -> io::Result<PathBuf> {
    let source = prepared.join("source");
    if source.exists() {
        return Ok(source);
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../payloads/fetch-source");
    let build = prepared.ancestors().nth(2).unwrap_or(prepared);
    succeed(
        Command::new(script)
            .arg(package)
            .arg(&source)
            .env("BUILD", build),
    )?;
    Ok(source)
}

/// In the first line of `debian/changelog`: `perl (5.36.0-7) bookworm; ...`.
pub fn version(source: &Path) -> io::Result<String> {
    let text = fs::read_to_string(source.join("debian/changelog"))?;
    let version = text.split(['(', ')']).nth(1);
    version
        .map(String::from)
        .ok_or(io::Error::other("a changelog without a version"))
}

/// The files below a folder of a source that end so, in order; their paths are
/// relative to the source.
pub fn files(source: &Path, folder: &str, end: &str) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(source.join(&folder))? {
            let entry = entry?;
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(path);
            } else if path.ends_with(end) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

pub fn succeed(command: &mut Command) -> io::Result<()> {
    let status = command.status()?;
    if !status.success() {
        let program = command.get_program().to_string_lossy();
        return Err(io::Error::other(format!("{program}: {status}")));
    }
    Ok(())
}

/// What a program prints, without the end of its last line.
pub fn said(command: &mut Command) -> io::Result<String> {
    let output = command.output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
