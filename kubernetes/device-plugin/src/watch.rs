//! Changes of what is in a folder.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;
use tokio::sync::Notify;
use tokio::time::sleep;

/// How long a change can go unnoticed where the kernel tells nothing of it:
/// the folder itself is not there yet, or another has taken its place.
const PERIOD: Duration = Duration::from_secs(2);

/// Wakes whoever looks after the things in one folder. What has changed they
/// see themselves, so that none can be missed.
#[derive(Debug)]
pub struct Changes {
    folder: PathBuf,
    inotify: Arc<OwnedFd>,
    noticed: Arc<Notify>,
}

impl Changes {
    /// Made once for a folder: it costs a thread, as long as the program runs.
    pub fn of(folder: &Path) -> io::Result<Changes> {
        let inotify = Arc::new(inotify::init(CreateFlags::CLOEXEC)?);
        let noticed = Arc::new(Notify::new());
        let changes = Changes {
            folder: folder.to_owned(),
            inotify: Arc::clone(&inotify),
            noticed: Arc::clone(&noticed),
        };
        changes.watch();
        thread::Builder::new().spawn(move || pass_on(&inotify, &noticed))?;
        Ok(changes)
    }

    /// Returns after a change, or after a while without one.
    pub async fn next(&self) {
        self.watch();
        tokio::select! {
            () = self.noticed.notified() => {}
            () = sleep(PERIOD) => {}
        }
    }

    /// The folder as it is now; for one that is watched already this is nothing new.
    fn watch(&self) {
        let flags = WatchFlags::CREATE
            | WatchFlags::DELETE
            | WatchFlags::MOVED_FROM
            | WatchFlags::MOVED_TO
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF;
        if let Err(error) = inotify::add_watch(&*self.inotify, &self.folder, flags) {
            log::debug!("{}: {error}", self.folder.display());
        }
    }
}

/// What the kernel says, to the thread that all else is done in.
fn pass_on(inotify: &OwnedFd, noticed: &Notify) {
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut reader = inotify::Reader::new(inotify, &mut buffer);
    loop {
        match reader.next() {
            Ok(_) => noticed.notify_one(),
            Err(Errno::INTR) => {}
            Err(error) => {
                log::error!("inotify: {error}");
                return;
            }
        }
    }
}
