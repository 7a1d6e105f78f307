//! Keeps the plugin registered. A kubelet that starts removes all sockets in
//! its folder and knows of no plugin, so each must notice, and begin anew.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tokio::net::UnixListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::{Endpoint, Server};

use crate::api::device_plugin::device_plugin_server::DevicePluginServer;
use crate::api::registration::registration_client::RegistrationClient;
use crate::api::{KUBELET_SOCKET, RegisterRequest, VERSION};
use crate::options::Options;
use crate::plugin::{OPTIONS, Plugin};
use crate::state::State;
use crate::watch::Changes;

/// How long after one attempt the next is made: twice as long each time, and
/// from the beginning after a registration that held for the longest pause. One
/// that is over at once counts as a failure: it would be asked for in a loop.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long the kubelet may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{path}: {error}")]
    Socket {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    #[error("no answer from the kubelet: {0}")]
    Connect(#[from] tonic::transport::Error),
    #[error("the kubelet refuses: {}", .0.message())]
    Refused(#[from] tonic::Status),
}

/// Why a registration holds no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Over {
    /// There is another kubelet, or none, or it has removed the plugin's socket.
    Restarted,
    /// The kubelet has ended the call that tells it of the devices.
    Deaf,
}

/// Never returns. `changes` are those of the kubelet's folder.
pub async fn keep_registered(options: &Options, changes: &Changes, state: &Arc<State>) {
    let kubelet = options.kubelet_dir.join(KUBELET_SOCKET);
    let mut pause = Duration::ZERO;
    loop {
        let held = match once(options, changes, state, &kubelet).await {
            Ok((over, held)) => {
                match over {
                    Over::Restarted => log::info!("the kubelet restarts"),
                    Over::Deaf => log::warn!("the kubelet does not listen any more"),
                }
                held
            }
            Err(error) => {
                state.failed_registrations.fetch_add(1, Relaxed);
                log::warn!("not registered: {error}");
                Duration::ZERO
            }
        };
        pause = next_pause(pause, held);
        sleep(pause).await;
    }
}

/// `held` is how long the registration did that came after the last pause.
fn next_pause(last: Duration, held: Duration) -> Duration {
    if held >= LONGEST_PAUSE {
        return FIRST_PAUSE;
    }
    (last * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE)
}

/// One registration, until it is over, and how long it held.
async fn once(
    options: &Options,
    changes: &Changes,
    state: &Arc<State>,
    kubelet: &Path,
) -> Result<(Over, Duration), Error> {
    let known = appearance(kubelet, changes).await;
    let service = Service::start(options, state)?;
    register(options, kubelet).await?;
    log::info!("registered {} with the kubelet", options.resource);
    state.registrations.fetch_add(1, Relaxed);
    state.registered.store(true, Relaxed);
    let since = Instant::now();
    let over = loop {
        tokio::select! {
            () = changes.next() => {}
            () = service.deaf.notified() => break Over::Deaf,
        }
        if Identity::of(kubelet) != Some(known) || !service.is_reachable() {
            break Over::Restarted;
        }
    };
    state.registered.store(false, Relaxed);
    Ok((over, since.elapsed()))
}

/// Waits until there is a kubelet.
async fn appearance(kubelet: &Path, changes: &Changes) -> Identity {
    if let Some(identity) = Identity::of(kubelet) {
        return identity;
    }
    log::info!("waiting for {}", kubelet.display());
    loop {
        changes.next().await;
        if let Some(identity) = Identity::of(kubelet) {
            return identity;
        }
    }
}

async fn register(options: &Options, kubelet: &Path) -> Result<(), Error> {
    let channel = Endpoint::from_shared(format!("unix:{}", kubelet.display()))?
        .connect_timeout(PATIENCE)
        .timeout(PATIENCE)
        .connect()
        .await?;
    let request = RegisterRequest {
        version: VERSION.to_owned(),
        endpoint: options.socket_name(),
        resource_name: options.resource.clone(),
        options: Some(OPTIONS),
    };
    RegistrationClient::new(channel).register(request).await?;
    Ok(())
}

/// Which file it is: numbers of inodes are used again, times are not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    made: (i64, i64),
}

impl Identity {
    fn of(path: &Path) -> Option<Identity> {
        let metadata = fs::symlink_metadata(path).ok()?;
        Some(Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
            made: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }
}

/// The plugin's service at its socket, while this lives.
#[derive(Debug)]
struct Service {
    socket: PathBuf,
    identity: Option<Identity>,
    server: JoinHandle<()>,
    deaf: Arc<Notify>,
    _end: watch::Sender<()>,
}

impl Service {
    fn start(options: &Options, state: &Arc<State>) -> Result<Service, Error> {
        let socket = options.kubelet_dir.join(options.socket_name());
        let listener = bind(&socket).map_err(|error| Error::Socket {
            path: socket.clone(),
            error,
        })?;
        let identity = Identity::of(&socket);
        let (end, ended) = watch::channel(());
        let deaf = Arc::new(Notify::new());
        let plugin = Plugin::new(options, state, ended, Arc::clone(&deaf));
        let server = Server::builder()
            .add_service(DevicePluginServer::new(plugin))
            .serve_with_incoming(UnixListenerStream::new(listener));
        let server = tokio::spawn(async move {
            if let Err(error) = server.await {
                log::error!("the plugin's service: {error}");
            }
        });
        Ok(Service {
            socket,
            identity,
            server,
            deaf,
            _end: end,
        })
    }

    /// Whether its socket is still in its place.
    fn is_reachable(&self) -> bool {
        self.identity.is_some()
            && Identity::of(&self.socket) == self.identity
            && !self.server.is_finished()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.server.abort();
        if Identity::of(&self.socket) == self.identity {
            // It is there, and can only be in the way.
            let _ = fs::remove_file(&self.socket);
        }
    }
}

/// A socket in the place of one that an earlier run has left.
fn bind(path: &Path) -> io::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => fs::remove_file(path)?,
        Ok(_) => return Err(io::Error::other("there, and not a socket")),
        Err(_) => {}
    }
    UnixListener::bind(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_or_holds_briefly_is_tried_ever_more_rarely() {
        let briefly = LONGEST_PAUSE - Duration::from_millis(1);
        for held in [Duration::ZERO, briefly] {
            let mut pause = Duration::ZERO;
            let tenths = [1, 2, 4, 8, 16, 32, 64, 100, 100];
            for expected in tenths.map(|tenths| Duration::from_millis(100 * tenths)) {
                pause = next_pause(pause, held);
                assert_eq!(pause, expected, "{held:?}");
            }
        }
    }

    #[test]
    fn what_held_begins_anew() {
        for last in [Duration::ZERO, FIRST_PAUSE, LONGEST_PAUSE] {
            assert_eq!(next_pause(last, LONGEST_PAUSE), FIRST_PAUSE);
        }
    }
}
