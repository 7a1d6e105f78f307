//! Options of the security module.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use clap::Args;

use crate::error::Error;
use crate::nsm::{DEVICE, Mode, Settings};
use crate::sys::proc;

/// Where a system's certificate authority is, and a user's below his data.
const SYSTEM_AUTHORITY: &str = "/var/lib/kontain/nsm";
const USER_AUTHORITY: &str = "kontain/nsm";

#[derive(Debug, Default, Args, PartialEq, Eq)]
#[command(next_help_heading = "Security module (docs/attestation.md)")]
pub struct NsmArgs {
    /// Give the payload a security module, /dev/nsm: km's own (`emulated`),
    /// which proves nothing to who does not trust this host; the host's
    /// (`host`); or the host's if it has one, else km's own (`auto`).
    #[arg(long = "nsm", value_name = "MODE", value_enum, default_value_t)]
    pub mode: Mode,

    /// The certificate authority that `km nsm init` made: for root in
    /// /var/lib/kontain/nsm, else in ~/.local/share/kontain/nsm.
    #[arg(long = "nsm-ca", value_name = "DIR")]
    pub authority: Option<PathBuf>,

    /// The host's security module: /dev/nsm.
    #[arg(long = "nsm-device", value_name = "PATH")]
    pub host_device: Option<PathBuf>,

    /// Write what is measured of the launch to FILE, as JSON.
    #[arg(long = "nsm-manifest", value_name = "FILE")]
    pub manifest: Option<PathBuf>,

    /// Do not measure this environment variable; that it is left out is.
    #[arg(long = "nsm-env-exclude", value_name = "NAME")]
    pub env_excluded: Vec<OsString>,

    /// Measure this file, or this directory with all below it, as well.
    #[arg(long = "nsm-files", value_name = "PATH")]
    pub files: Vec<PathBuf>,

    /// Measure TEXT into PCR 3.
    #[arg(long = "nsm-role", value_name = "TEXT")]
    pub role: Option<String>,

    /// Measure this certificate, in PEM or DER, into PCR 8, if its P-384 key
    /// has signed the program.
    #[arg(long = "nsm-signer", value_name = "FILE", requires = "signature")]
    pub signer: Option<PathBuf>,

    /// That signature: `openssl dgst -sha384 -sign KEY PROGRAM`.
    #[arg(long = "nsm-signature", value_name = "FILE", requires = "signer")]
    pub signature: Option<PathBuf>,

    /// Whether the launch is measured into PCR 16 and 17 of the host's module:
    /// `on`, or `off`.
    #[arg(long = "nsm-premeasure", value_name = "on|off", value_parser = parse_switch)]
    pub premeasure: Option<bool>,

    /// Let the payload lock ranges of registers of the host's module.
    #[arg(long = "nsm-allow-lock-ranges")]
    pub lock_ranges: bool,
}

fn parse_switch(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err("it is on or off".to_owned()),
    }
}

/// Where the authority is that the calling user makes and uses.
pub fn default_authority() -> PathBuf {
    let system = PathBuf::from(SYSTEM_AUTHORITY);
    if proc::is_root() {
        return system;
    }
    let absolute = |path: &PathBuf| path.is_absolute();
    let variable = |name| std::env::var_os(name).map(PathBuf::from);
    let data = variable("XDG_DATA_HOME").filter(absolute);
    let data = data.or_else(|| Some(variable("HOME")?.join(".local/share")));
    data.filter(absolute)
        .map_or(system, |data| data.join(USER_AUTHORITY))
}

impl NsmArgs {
    /// What they come to.
    ///
    /// # Errors
    ///
    /// Where there are some, and no module that they could be of.
    pub fn settings(self) -> Result<Settings, Error> {
        if self.mode == Mode::Off && self != NsmArgs::default() {
            return Err(Error::WithoutModule);
        }
        let excluded = self.env_excluded.into_iter().map(OsString::into_vec);
        Ok(Settings {
            mode: self.mode,
            authority: match self.authority {
                Some(directory) => directory,
                None if self.mode == Mode::Off => PathBuf::new(),
                None => default_authority(),
            },
            device: self.host_device.unwrap_or_else(|| DEVICE.into()),
            manifest: self.manifest,
            env_excluded: excluded.collect(),
            files: self.files,
            role: self.role,
            signer: self.signer.zip(self.signature),
            measured: self.premeasure.unwrap_or(true),
            lock_ranges: self.lock_ranges,
        })
    }
}
