//! Commands beside running a payload.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::Parser;
use km_nsm::authority::Authority;
use km_nsm::verify::command::{self as verifier, Arguments, Value};

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
        "verify" => Some(verify),
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
            fixed_addresses: options.fixed_addresses,
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
#[command(name = "km nsm", bin_name = "km nsm", disable_version_flag = true)]
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

/// Tells whether an attestation document holds: its form, its signature, its
/// certificates, and what is asked of it.
#[derive(Debug, Parser)]
#[command(
    name = "km verify",
    bin_name = "km verify",
    disable_version_flag = true,
    max_term_width = 100
)]
#[command(after_help = VERIFY_HELP)]
struct VerifyCommand {
    /// The document, as it is, in hexadecimal digits or in base64; `-` is
    /// standard input.
    #[arg(value_name = "DOCUMENT")]
    document: PathBuf,

    /// Trust this certificate (PEM or DER), in place of the one of AWS. What
    /// holds is then called EMULATED.
    #[arg(long, value_name = "FILE")]
    dev_root: Option<PathBuf>,

    /// Judge the certificates by the document's time, in place of now.
    #[arg(long)]
    at_document_time: bool,

    /// The value that a register must have, in hexadecimal digits; may be
    /// repeated.
    #[arg(long = "pcr", value_name = "INDEX=HEX")]
    pcrs: Vec<String>,

    /// The nonce it must have.
    #[arg(long, value_name = "HEX|@FILE")]
    nonce: Option<Value>,

    /// The user data it must have.
    #[arg(long, value_name = "HEX|@FILE")]
    user_data: Option<Value>,

    /// The public key it must have.
    #[arg(long, value_name = "HEX|@FILE")]
    public_key: Option<Value>,

    /// How old it may be.
    #[arg(long, value_name = "SECONDS")]
    max_age: Option<u64>,

    /// Accept a document whose PCR 0 is zero, as where the program is
    /// debugged.
    #[arg(long)]
    allow_debug: bool,

    /// Print a report in JSON.
    #[arg(long)]
    json: bool,
}

const VERIFY_HELP: &str = "\
Exit codes: 0 it holds, under AWS's root; 1 it does not; 2 there is nothing to
look at, or the options make no sense; 3 it holds under --dev-root: EMULATED.";

/// `km verify`.
fn verify(mut args: Vec<OsString>) -> u8 {
    args.remove(1);
    let given = match VerifyCommand::try_parse_from(args) {
        Ok(given) => given,
        Err(error) => {
            return match usage(&error) {
                0 => 0,
                _ => verifier::UNUSABLE,
            };
        }
    };
    let arguments = Arguments {
        document: given.document,
        dev_root: given.dev_root,
        at_document_time: given.at_document_time,
        pcrs: given.pcrs,
        nonce: given.nonce,
        user_data: given.user_data,
        public_key: given.public_key,
        max_age: given.max_age,
        allow_debug: given.allow_debug,
        json: given.json,
    };
    let (mut stdin, mut stdout) = (std::io::stdin(), std::io::stdout());
    verifier::run(&arguments, &mut stdin, &mut stdout, &mut std::io::stderr())
}
