//! Commands beside running a payload.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::Parser;
use km_nsm::authority::Authority;

use crate::cli::Cli;
use crate::cli::nsm::default_authority;
use crate::config::RunConfig;
use crate::error::Error;
use crate::nsm::{self, Mode};
use crate::{complain, exit_code, loader, usage};

/// A command's name and arguments, if `args` are one: the first word is one of
/// the names. A payload of that name is run by its path.
pub fn find(args: &[OsString]) -> Option<fn(Vec<OsString>) -> u8> {
    match args.get(1)?.to_str()? {
        "measure" => Some(measure),
        "nsm" => Some(nsm),
        _ => None,
    }
}

/// `km measure`: what a run with the same options would have in its registers.
fn measure(mut args: Vec<OsString>) -> u8 {
    args.remove(1);
    let mut cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    if cli.nsm.mode == Mode::Off {
        cli.nsm.mode = Mode::Emulated;
    }
    // Between the payload and its arguments there may be a "--".
    if cli.payload.get(1).is_some_and(|word| word == "--") {
        cli.payload.remove(1);
    }
    let print = || -> Result<(), Error> {
        let config = RunConfig::new(cli)?;
        let RunConfig {
            payload,
            argv,
            env,
            options,
            nsm,
            ..
        } = config;
        let execfn = payload.as_os_str().to_owned();
        let target = loader::resolve(&payload, &execfn, argv, false, None)?;
        let launch = nsm::Launch {
            target: &target,
            env: &env,
            memory: options.memory,
            debug: options.is_debugged(),
        };
        let registers = nsm::foresee(&launch, &nsm)?;
        let mut text = String::new();
        for (index, value) in registers {
            text.push_str(&format!("PCR{index} {value}\n"));
        }
        print_out(&text)
    };
    match print() {
        Ok(()) => 0,
        Err(error) => complain(&error),
    }
}

fn print_out(text: &str) -> Result<(), Error> {
    let written = std::io::stdout().write_all(text.as_bytes());
    written.map_err(|source| Error::Output {
        path: "standard output".into(),
        source,
    })
}

/// Makes what the emulated security module needs.
#[derive(Debug, Parser)]
#[command(name = "km nsm", disable_version_flag = true)]
enum NsmCommand {
    /// Make a certificate authority for emulated security modules.
    Init {
        /// Where: for root /var/lib/kontain/nsm, else
        /// ~/.local/share/kontain/nsm. It must not be there yet.
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

/// `km nsm`.
fn nsm(mut args: Vec<OsString>) -> u8 {
    args.remove(1);
    let NsmCommand::Init { dir } = match NsmCommand::try_parse_from(args) {
        Ok(command) => command,
        Err(error) => return usage(&error),
    };
    let directory = dir.unwrap_or_else(default_authority);
    if let Err(error) = Authority::create(&directory, nsm::now()) {
        eprintln!("km: {error}");
        return exit_code::MONITOR;
    }
    let text = format!(
        "{0}: made. Its documents are verified with --dev-root {0}/root.pem; they prove nothing \
         to who does not trust this host.\n",
        directory.display()
    );
    match print_out(&text) {
        Ok(()) => 0,
        Err(error) => complain(&error),
    }
}
