//! `km-installer`: puts km and krun onto a Kubernetes node, and tells the
//! node's container runtime of krun; takes both away again.
//!
//! All that is to be done is found out first (`tree`: the files, `runtime`:
//! the configuration), as a list of `host::Change`. So a dry run is the list
//! without the doing, and what cannot be done is refused before anything is.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod error;
mod host;
mod runtime;
mod service;
mod tree;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::error::Error;
use crate::host::{Change, Host};
use crate::runtime::Runtime;

const FAILED: u8 = 1;
const USAGE: u8 = 2;

/// There from before the configuration changes until the runtime has been
/// restarted, for the next run if this one is interrupted. A node that starts
/// anew needs no restart, and has an empty `/run`.
const RESTART_DUE: &str = "/run/km-installer-restart";

/// Puts km and its container runtime onto a Kubernetes node, and takes them away again.
#[derive(Debug, Parser)]
#[command(name = "km-installer", version)]
struct Cli {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Copy the files, add krun to the runtime's configuration, restart it
    Install(Options),
    /// Undo that, and nothing else
    Uninstall(Options),
    /// For the program itself
    #[command(hide = true)]
    Systemctl { root: PathBuf, service: String },
}

#[derive(Debug, Args)]
struct Options {
    /// The node's container runtime
    #[arg(long, value_enum)]
    runtime: Runtime,

    /// Say what would be done, and change nothing
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value_t = false, default_missing_value = "true", action = clap::ArgAction::Set)]
    dry_run: bool,

    /// Where the node's files are seen from here
    #[arg(long, value_name = "DIR", default_value = "/")]
    host_root: PathBuf,

    /// What is copied, to /opt/kontain of the node
    #[arg(long, value_name = "DIR", default_value = "/opt/kontain")]
    files: PathBuf,

    /// The runtime's configuration on the node, where it is not in its usual place
    #[arg(long, value_name = "PATH")]
    config: Option<String>,

    /// The runtime's systemd service, where it has not its usual name
    #[arg(long, value_name = "NAME")]
    service: Option<String>,

    /// Leave the restart of the runtime to others
    #[arg(long)]
    no_restart: bool,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let result = match &cli.action {
        Action::Install(options) => install(options),
        Action::Uninstall(options) => uninstall(options),
        Action::Systemctl { root, service } => {
            eprintln!("{}", service::systemctl(root, service));
            return ExitCode::from(FAILED);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("km-installer: {error}");
            ExitCode::from(FAILED)
        }
    }
}

fn install(options: &Options) -> Result<(), Error> {
    let host = Host::open(&options.host_root)?;
    let config = runtime::add(options.runtime, &host, options.config.as_deref())?;
    let back = match &config {
        Some(_) => host.undo(config.as_slice())?,
        // It is as an earlier run has left it.
        None => runtime::remove(options.runtime, &host, options.config.as_deref())?,
    };
    // krun is there before the runtime is told of it.
    act(options, &host, &tree::put(&host, &options.files)?)?;
    configure(options, &host, config.as_slice(), &back)
}

fn uninstall(options: &Options) -> Result<(), Error> {
    let host = Host::open(&options.host_root)?;
    let config = runtime::remove(options.runtime, &host, options.config.as_deref())?;
    let back = host.undo(&config)?;
    let files = tree::take(&host)?;
    configure(options, &host, &config, &back)?;
    act(options, &host, &files)
}

/// Does what is to be done, or says it.
fn act(options: &Options, host: &Host, changes: &[Change]) -> Result<(), Error> {
    for change in changes {
        println!("{}{change}", if options.dry_run { "would " } else { "" });
        if !options.dry_run {
            host.make(change)?;
        }
    }
    Ok(())
}

/// Changes the configuration and restarts the runtime. One that does not start
/// with it gets the old one back.
fn configure(
    options: &Options,
    host: &Host,
    changes: &[Change],
    back: &[Change],
) -> Result<(), Error> {
    let is_due = host.exists(RESTART_DUE);
    if changes.is_empty() && !is_due {
        println!("the configuration is as it is to be");
        return Ok(());
    }
    let due = Change::write(RESTART_DUE, "");
    let done = Change::Remove(RESTART_DUE.to_owned());
    if options.no_restart {
        act(options, host, changes)?;
        if is_due {
            // That one is left to others as well.
            act(options, host, &[done])?;
        }
        return Ok(());
    }
    act(options, host, &[due])?;
    act(options, host, changes)?;
    let Err(first) = restart(options, host) else {
        return act(options, host, &[done]);
    };
    if back.is_empty() {
        return Err(first);
    }
    println!("it does not start: back to the old configuration");
    let result = act(options, host, back)
        .and_then(|()| restart(options, host))
        .and_then(|()| act(options, host, &[done]));
    Err(match result {
        Ok(()) => first,
        Err(then) => Error::Then {
            first: Box::new(first),
            then: Box::new(then),
        },
    })
}

fn restart(options: &Options, host: &Host) -> Result<(), Error> {
    let service = match &options.service {
        Some(service) => service,
        None => options.runtime.service(host),
    };
    if options.dry_run {
        println!("would restart {service}");
        return Ok(());
    }
    println!("restart {service}");
    service::restart(&options.host_root, service)
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
        "km-installer: {} (see km-installer --help)",
        words.join(" ")
    );
    ExitCode::from(USAGE)
}
