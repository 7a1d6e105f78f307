//! Whether the node has the device.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::state::State;
use crate::watch::Changes;

/// Looks at the device, and never opens it: the plugin's own container has no
/// right to.
#[derive(Debug)]
pub struct Watch {
    path: PathBuf,
    changes: Changes,
}

impl Watch {
    /// `device` as it is called on the node, whose files are below `host_root`.
    pub fn new(host_root: &Path, device: &str) -> io::Result<Watch> {
        let path = host_root.join(device.trim_start_matches('/'));
        let changes = Changes::of(path.parent().unwrap_or(host_root))?;
        Ok(Watch { path, changes })
    }

    pub fn is_there(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|metadata| metadata.file_type().is_char_device())
    }

    /// Tells of every change.
    pub async fn tell(&self, state: &State) {
        let path = self.path.display();
        if self.is_there() {
            log::info!("{path} is there");
        } else {
            log::warn!("{path} is not there, or no device: no pod gets it");
        }
        loop {
            let there = self.is_there();
            let changed = state.healthy.send_if_modified(|healthy| {
                let changed = *healthy != there;
                *healthy = there;
                changed
            });
            match (changed, there) {
                (true, true) => log::info!("{path} has appeared"),
                (true, false) => log::warn!("{path} has vanished"),
                (false, _) => {}
            }
            self.changes.next().await;
        }
    }
}
