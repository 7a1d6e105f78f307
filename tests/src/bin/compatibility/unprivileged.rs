//! Runs a suite as a user that has no right but to what is everybody's, and to
//! `/dev/kvm`, which may be root's.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, mknodat};

/// Nobody's: not `nobody`, as which others may be running.
const USER: u32 = 61_184;
const DEVICE: &str = "/dev/kvm";
/// Shows a device that is everybody's in its own mounts, and no other's.
const WITH_DEVICE: &str = "mount --bind \"$0\" /dev/kvm && exec \"$@\"";

#[derive(Debug)]
pub struct Unprivileged {
    /// The device once more, for everybody. Nothing, if there is no need to
    /// change the user, or no device.
    device: Option<PathBuf>,
    is_root: bool,
}

impl Unprivileged {
    pub fn new(scratch: &Path) -> io::Result<Unprivileged> {
        let is_root = rustix::process::geteuid().is_root();
        let device = scratch.join("device");
        let original = fs::metadata(DEVICE).ok().filter(|_| is_root);
        if let Some(original) = &original {
            let mode = Mode::from_bits_truncate(0o666);
            mknodat(
                CWD,
                &device,
                FileType::CharacterDevice,
                mode,
                original.rdev(),
            )?;
            fs::set_permissions(&device, fs::Permissions::from_mode(0o666))?;
        }
        Ok(Unprivileged {
            device: original.map(|_| device),
            is_root,
        })
    }

    /// The directory and what is in it.
    pub fn give(&self, directory: &Path) -> io::Result<()> {
        if !self.is_root {
            return Ok(());
        }
        for entry in fs::read_dir(directory)? {
            chown(entry?.path(), Some(USER), Some(USER))?;
        }
        chown(directory, Some(USER), Some(USER))
    }

    /// What comes before the program's words.
    pub fn prefix(&self, namespaces: bool) -> io::Result<Vec<String>> {
        if !self.is_root {
            return Ok(Vec::new());
        }
        if !namespaces {
            let error = "needs new namespaces, or a user without rights";
            return Err(io::Error::other(error));
        }
        let mut words = Vec::new();
        if let Some(device) = &self.device {
            words.extend(["/bin/sh", "-c", WITH_DEVICE].map(String::from));
            words.push(device.display().to_string());
        }
        words.push("/usr/bin/setpriv".into());
        words.extend([format!("--reuid={USER}"), format!("--regid={USER}")]);
        let rest = ["--clear-groups", "--inh-caps=-all", "--bounding-set=-all"];
        words.extend(rest.map(String::from));
        Ok(words)
    }
}
