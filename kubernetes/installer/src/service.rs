//! The node's services.
//!
//! They are restarted by the node's own `systemctl`, which finds systemd's
//! socket in the node's `/run`. That needs neither the node's process IDs nor
//! a privileged container, only `chroot(2)`, which a process of its own makes.

use std::io;
use std::os::unix::fs::chroot;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::error::Error;

/// Starts this program anew, for `systemctl` below.
///
/// # Errors
///
/// What `systemctl` has said, or that it cannot be run.
pub fn restart(root: &Path, service: &str) -> Result<(), Error> {
    let failed = |text: String| Error::Restart {
        service: service.to_owned(),
        text,
    };
    let output = Command::new("/proc/self/exe")
        .arg("systemctl")
        .arg(root)
        .arg(service)
        .output()
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().next().unwrap_or("systemctl gives no reason");
    Err(failed(line.to_owned()))
}

/// Becomes the node's `systemctl restart`; returns only if that cannot be.
pub fn systemctl(root: &Path, service: &str) -> io::Error {
    if let Err(error) = chroot(root).and_then(|()| std::env::set_current_dir("/")) {
        return io::Error::new(error.kind(), format!("chroot: {error}"));
    }
    let error = Command::new("systemctl")
        .args(["restart", service])
        // Without it systemctl does nothing in another root.
        .env("SYSTEMD_IGNORE_CHROOT", "1")
        .env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
        .exec();
    io::Error::new(error.kind(), format!("systemctl: {error}"))
}
