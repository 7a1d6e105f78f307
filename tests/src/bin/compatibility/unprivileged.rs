//! Runs a suite as a user that has no right but to what is everybody's, and to
//! `/dev/kvm`, which may be root's; in a file system that is soon full.

use std::fs;
use std::io::{self, Error};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, mknodat};

/// Nobody's: not `nobody`, as which others may be running.
const USER: u32 = 61_184;
const DEVICE: &str = "/dev/kvm";
/// What it can fill of the disk.
const ROOM: &str = "1G";
/// In mounts of its own: shows a device that is everybody's, and a file system
/// on an image in the place of the home.
const WITH_MOUNTS: &str = "\
if [ -n \"$0\" ]; then mount --bind \"$0\" /dev/kvm || exit; fi
mount -o loop \"$HOME.image\" \"$HOME\" && cd \"$HOME\" && exec \"$@\"";

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

    /// What comes before the program's words, when it is run in `home`, which
    /// is empty.
    pub fn prefix(&self, namespaces: bool, home: &Path) -> io::Result<Vec<String>> {
        if !self.is_root {
            return Ok(Vec::new());
        }
        if !namespaces {
            let error = "needs new namespaces, or a user without rights";
            return Err(Error::other(error));
        }
        make_file_system(&image(home))?;
        let device = self.device.as_ref();
        let mut words = ["/bin/sh", "-c", WITH_MOUNTS].map(String::from).to_vec();
        words.push(device.map_or(String::new(), |device| device.display().to_string()));
        words.push("/usr/bin/setpriv".into());
        words.extend([format!("--reuid={USER}"), format!("--regid={USER}")]);
        let rest = ["--clear-groups", "--inh-caps=-all", "--bounding-set=-all"];
        words.extend(rest.map(String::from));
        Ok(words)
    }

    /// What `prefix` has made.
    pub fn clean(&self, home: &Path) {
        // It is only there for a suite that needs it.
        let _ = fs::remove_file(image(home));
    }
}

fn image(home: &Path) -> PathBuf {
    home.with_extension("image")
}

/// The user's, with nothing in it.
fn make_file_system(image: &Path) -> io::Result<()> {
    let owner = format!("root_owner={USER}:{USER}");
    let output = Command::new("/sbin/mkfs.ext4")
        .args(["-q", "-E", &owner])
        .args([image.as_os_str(), ROOM.as_ref()])
        .output()?;
    if !output.status.success() {
        return Err(Error::other(String::from_utf8_lossy(&output.stderr)));
    }
    Ok(())
}
