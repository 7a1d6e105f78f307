//! Descriptors that this runner was started with, beyond the standard streams
//! (make's job server, a terminal's log). The programs under test would inherit
//! them, and number their own ones differently from run to run.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Tells the second start from the first.
const MARK: &str = "KM_TESTS_RESTARTED";

/// Closing a descriptor by its number is nothing that safe Rust can do.
const CLOSE_AND_EXEC: &str = r#"
for fd in /proc/$$/fd/*; do
    fd=${fd##*/}
    if ((fd > 2)); then exec {fd}>&-; fi
done
exec "$@""#;

/// Starts this program anew without such descriptors, if it has any.
pub fn shed() -> io::Result<()> {
    if std::env::var_os(MARK).is_some() || !has_any()? {
        return Ok(());
    }
    let own = std::env::current_exe()?;
    let mut command = Command::new("/bin/bash");
    command.args(["-c", CLOSE_AND_EXEC, "km-tests"].map(OsStr::new));
    command
        .arg(own)
        .args(std::env::args_os().skip(1))
        .env(MARK, "1");
    Err(command.exec())
}

/// Whether a descriptor above the standard ones survives an exec.
fn has_any() -> io::Result<bool> {
    const O_CLOEXEC: u32 = 0o2_000_000;
    for entry in fs::read_dir("/proc/self/fdinfo")? {
        let entry = entry?;
        let number: Option<u32> = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        if number.is_none_or(|number| number <= 2) {
            continue;
        }
        let info = fs::read_to_string(entry.path())?;
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = flags.and_then(|flags| u32::from_str_radix(flags.trim(), 8).ok());
        if flags.is_some_and(|flags| flags & O_CLOEXEC == 0) {
            return Ok(true);
        }
    }
    Ok(false)
}
