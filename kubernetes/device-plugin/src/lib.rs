//! A Kubernetes device plugin: tells the kubelet of its node that there is
//! `/dev/kvm`, as a resource that many pods may hold at once, and how a
//! container gets it.
//!
//! `kubelet` keeps the plugin registered, whatever becomes of the kubelet;
//! `plugin` answers its calls; `device` looks whether the device is there;
//! `metrics` says by HTTP what all of them have done, which `state` knows.
//! `api` has the messages of the protocol. All of it is one thread, with one
//! more for each folder that is watched.

// What others send may be refused, but ends nothing.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod api;
mod device;
mod kubelet;
mod metrics;
mod options;
mod plugin;
mod state;
mod watch;

use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::options::Options;
use crate::state::State;

const FAILED: u8 = 1;
const USAGE: u8 = 2;

/// Why the plugin ends by itself. A kubelet that is not there, or refuses, is
/// no reason.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("cannot start: {0}")]
    Start(#[source] io::Error),
    #[error("cannot listen on {address}: {error}")]
    Listen {
        address: SocketAddr,
        #[source]
        error: io::Error,
    },
    #[error("cannot answer by HTTP: {0}")]
    Http(#[source] io::Error),
}

/// The program: 0 after SIGTERM or SIGINT, 1 if it cannot start, 2 for a bad
/// option.
pub fn main() -> ExitCode {
    let options = match Options::from_args() {
        Ok(options) => options,
        Err(error) => return usage(&error),
    };
    env_logger::Builder::new()
        .filter_level(options.log)
        .format_target(false)
        .init();
    match start(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("km-device-plugin: {error}");
            ExitCode::from(FAILED)
        }
    }
}

fn start(options: Options) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Error::Start)?;
    runtime.block_on(run(options))
}

/// Until a signal says that it is enough.
async fn run(options: Options) -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Start)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Start)?;
    let device = device::Watch::new(&options.host_root, &options.device).map_err(Error::Start)?;
    let plugins = watch::Changes::of(&options.kubelet_dir).map_err(Error::Start)?;
    let state = Arc::new(State::new(options.devices, device.is_there()));
    let http = match options.metrics {
        Some(address) => {
            let listener = TcpListener::bind(address).await;
            Some(listener.map_err(|error| Error::Listen { address, error })?)
        }
        None => None,
    };
    tokio::select! {
        () = kubelet::keep_registered(&options, &plugins, &state) => Ok(()),
        () = device.tell(&state) => Ok(()),
        result = metrics::serve(http, &state) => result.map_err(Error::Http),
        _ = terminate.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    }
}

/// `--help` and `--version` as clap prints them; mistakes in one line.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Nobody is left to tell if that fails.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<_> = first
        .split_whitespace()
        .skip_while(|word| *word == "error:")
        .collect();
    eprintln!(
        "km-device-plugin: {} (see km-device-plugin --help)",
        words.join(" ")
    );
    ExitCode::from(USAGE)
}
