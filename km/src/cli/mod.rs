//! The command line.

pub mod nsm;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use clap::{ArgAction, Parser};

use nsm::NsmArgs;

const VERSION: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (commit ",
    env!("KM_COMMIT"),
    ", built ",
    env!("KM_BUILD_DATE"),
    ")"
);

const LOG_TO: &str = "stderr";
const DEVICE: &str = "/dev/kvm";

const AFTER_HELP: &str = "\
Other commands (km COMMAND --help):
  km measure [OPTIONS] PAYLOAD [--] [ARGS]...  what a run would have in its registers
  km nsm init [--dir DIR]                      a certificate authority for --nsm=emulated
  km verify [OPTIONS] DOCUMENT                 whether an attestation document holds

Exit codes: the payload's own; 128+N in a shell when signal N killed it;
125 when km itself failed, 126 when the payload cannot be executed, 127 when
it was not found.";

/// Runs a Linux program in a virtual machine of its own.
///
/// PAYLOAD is an ordinary x86-64 ELF program, static or dynamic, or a `#!`
/// script. A name without a slash is looked for in the current directory,
/// then in PATH.
#[derive(Debug, Parser, PartialEq, Eq)]
#[command(name = "km", version = VERSION, disable_version_flag = true, after_help = AFTER_HELP, max_term_width = 100)]
#[command(override_usage = "km [OPTIONS] [--] PAYLOAD [ARGS]...")]
pub struct Cli {
    /// Set an environment variable of the payload. Any use of it starts from
    /// an empty environment, unless --copyenv is given as well.
    #[arg(short = 'e', long = "env", visible_alias = "putenv", value_name = "K=V", action = ArgAction::Append)]
    pub env: Vec<OsString>,

    /// Hand km's own environment on to the payload (the default without
    /// --env); variables given by --env replace those of the same name.
    #[arg(long)]
    pub copyenv: bool,

    /// Send the payload's standard output and error to FILE.
    #[arg(long, value_name = "FILE")]
    pub log_to: Option<PathBuf>,

    /// Send km's own log, traces and reports to FILE; `stderr` and `none` are
    /// special.
    #[arg(short = 'k', long, value_name = "FILE", default_value = LOG_TO)]
    pub km_log_to: PathBuf,

    /// Log what km does: a level (error, warn, info, debug, trace) or
    /// `module=level` pairs.
    #[arg(short = 'V', long, value_name = "FILTER", num_args = 0..=1, require_equals = true, default_missing_value = "debug")]
    pub verbose: Option<String>,

    /// Print each system call with its arguments and result, as strace(1)
    /// does.
    #[arg(long)]
    pub strace: bool,

    /// Follow the payload's children with --strace and --stats.
    #[arg(short = 'f', long)]
    pub follow: bool,

    /// Send the output of --strace and --stats to FILE; with --follow, of each
    /// process to FILE.PID.
    #[arg(short = 'o', long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// At the end, print how often the payload left the virtual machine and
    /// why, and each system call's count and times.
    #[arg(long)]
    pub stats: bool,

    /// Most private memory the payload may have, in bytes or with K, M, G, T:
    /// beyond it, mmap and brk fail with ENOMEM.
    #[arg(long, value_name = "LIMIT", value_parser = parse_size)]
    pub memory: Option<u64>,

    /// The KVM device.
    #[arg(long, value_name = "PATH", default_value = DEVICE)]
    pub device: PathBuf,

    /// Look for a PAYLOAD without a slash in PATH alone, as execvp(3) does.
    #[arg(long)]
    pub path_only: bool,

    /// Do not randomise the payload's addresses.
    #[arg(long)]
    pub no_aslr: bool,

    /// Print all registers when the virtual machine stops by a failure.
    #[arg(long)]
    pub dump_shutdown: bool,

    #[command(flatten)]
    pub nsm: NsmArgs,

    /// Print km's version, commit and build date.
    #[arg(long, action = ArgAction::Version)]
    pub version: Option<bool>,

    /// Print the table of system calls, and exit.
    #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text", exclusive = true)]
    pub syscalls: Option<SyscallList>,

    /// The program and its arguments.
    #[arg(
        value_name = "PAYLOAD",
        trailing_var_arg = true,
        required_unless_present = "syscalls"
    )]
    pub payload: Vec<OsString>,
}

impl Cli {
    /// The command line `args`, the program's name first.
    ///
    /// # Errors
    ///
    /// What clap finds wrong with it; `--help` and `--version` as well.
    pub fn from_args(args: Vec<OsString>) -> Result<Cli, clap::Error> {
        // Without an option there is nothing to parse, and setting up the
        // parser costs as much as a few system calls of the payload.
        let plain = args
            .get(1)
            .is_some_and(|word| !word.as_bytes().starts_with(b"-"));
        if !plain {
            return Cli::try_parse_from(args);
        }
        Ok(Cli {
            env: Vec::new(),
            copyenv: false,
            log_to: None,
            km_log_to: LOG_TO.into(),
            verbose: None,
            strace: false,
            follow: false,
            output: None,
            stats: false,
            memory: None,
            device: DEVICE.into(),
            path_only: false,
            no_aslr: false,
            dump_shutdown: false,
            nsm: NsmArgs::default(),
            version: None,
            syscalls: None,
            payload: args.into_iter().skip(1).collect(),
        })
    }
}

/// How `--syscalls` prints the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum SyscallList {
    Text,
    Json,
    Markdown,
}

/// A size in bytes, with an optional binary suffix.
fn parse_size(text: &str) -> Result<u64, String> {
    let bad = || format!("not a size: {text:?}; write for example 512M or 2G");
    let digits = text.trim_end_matches(['B', 'b', 'i']);
    let (digits, shift) = match digits.chars().last() {
        Some('k' | 'K') => (digits.get(..digits.len() - 1), 10),
        Some('m' | 'M') => (digits.get(..digits.len() - 1), 20),
        Some('g' | 'G') => (digits.get(..digits.len() - 1), 30),
        Some('t' | 'T') => (digits.get(..digits.len() - 1), 40),
        _ => (Some(digits), 0),
    };
    let number: u64 = digits.ok_or_else(bad)?.parse().map_err(|_| bad())?;
    number
        .checked_shl(shift)
        .filter(|size| size >> shift == number && *size > 0)
        .ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_declaration_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_end_at_the_payload() {
        let cli = Cli::try_parse_from(["km", "--stats", "ls", "-l", "--stats", "--"]).unwrap();
        assert!(cli.stats);
        assert_eq!(cli.payload, ["ls", "-l", "--stats", "--"]);
        let cli = Cli::try_parse_from(["km", "--", "--odd", "-x"]).unwrap();
        assert_eq!(cli.payload, ["--odd", "-x"]);
    }

    #[test]
    fn a_plain_command_line_means_the_same_either_way() {
        let args = ["km", "ls", "-l", "--", "--stats"]
            .map(OsString::from)
            .to_vec();
        let plain = Cli::from_args(args.clone()).unwrap();
        assert_eq!(plain, Cli::try_parse_from(args).unwrap());
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_size("4096"), Ok(4096));
        assert_eq!(parse_size("512M"), Ok(512 << 20));
        assert_eq!(parse_size("2GiB"), Ok(2 << 30));
        for bad in ["", "M", "-1", "0", "99999999999T", "1.5G", "1X"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }
}
