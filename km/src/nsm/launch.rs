//! A launch: measures what is about to run, and makes the module that tells of
//! it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use km_abi::hypercalls;
use km_nsm::authority::{self, Authority};
use km_nsm::device::Module;
use km_nsm::manifest::{self, Measurement, MonitorManifest, PayloadManifest};
use km_nsm::pcr::{Bank, Digest};
use km_nsm::policy::{self, Policy};
use km_nsm::random;
use km_nsm::signer;

use super::{Backend, Error, Host, Mode, Nsm, Settings, Shared};
use crate::fd::ReservedFds;
use crate::loader::Target;
use crate::shim;

/// What is about to run.
#[derive(Debug)]
pub struct Launch<'a> {
    pub target: &'a Target,
    pub env: &'a [OsString],
    /// Most memory, in bytes.
    pub memory: Option<u64>,
    pub fixed_addresses: bool,
    /// The host's user can see what the payload does.
    pub debug: bool,
}

fn in_file<T>(path: &Path, result: io::Result<T>) -> Result<T, Error> {
    result.map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })
}

fn digest(path: &Path, file: &File) -> Result<Digest, Error> {
    in_file(path, manifest::of_file(file))
}

/// Since 1970.
pub fn now() -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap_or_default()
}

/// Measures a launch, with a module of this mode. Program and interpreter are
/// read by the descriptors they are mapped by.
///
/// # Errors
///
/// Where a file cannot be read, or the signature is wrong.
fn measure(launch: &Launch<'_>, settings: &Settings, mode: Mode) -> Result<Measurement, Error> {
    let bytes = |strings: &[OsString]| -> Vec<Vec<u8>> {
        strings.iter().map(|s| s.as_bytes().to_vec()).collect()
    };
    let target = launch.target;
    let program = &target.program;
    let elf = digest(&program.path, &program.file)?;
    let interpreter = match &target.interpreter {
        None => None,
        Some(interpreter) => Some(digest(&interpreter.path, &interpreter.file)?),
    };
    let scripts = target.scripts.iter();
    let root = match settings.files.as_slice() {
        [] => None,
        files => Some(in_file(Path::new("--nsm-files"), manifest::files(files))?),
    };
    let cwd = in_file(Path::new("."), std::env::current_dir())?;
    let mut payload = PayloadManifest {
        elf,
        interpreter,
        scripts: scripts
            .map(|(path, file)| digest(path, file))
            .collect::<Result<_, _>>()?,
        root,
        argv: bytes(&target.argv),
        env: bytes(launch.env),
        env_excluded: Vec::new(),
        cwd: cwd.as_os_str().as_bytes().to_vec(),
    };
    payload.exclude(&settings.env_excluded);
    let own = Path::new("/proc/self/exe");
    let monitor = MonitorManifest {
        monitor: digest(own, &in_file(own, File::open(own))?)?,
        guest: Digest::of([shim::image()]),
        abi: format!("km-abi {}", hypercalls::ABI),
        vcpus: 0,
        memory: launch.memory.unwrap_or(0),
        devices: vec![
            match mode {
                Mode::Host => "nsm-host",
                _ => "nsm-emulated",
            }
            .to_owned(),
        ],
        options: options(launch, settings, mode),
        debug: launch.debug,
    };
    let mut measurement = Measurement::new(&payload, &monitor);
    measurement.role.clone_from(&settings.role);
    if let Some((certificate, signature)) = &settings.signer {
        let read = |path: &PathBuf| in_file(path, fs::read(path));
        let signed = signer::check(&read(certificate)?, &read(signature)?, &elf);
        let signer = signed.map_err(|source| Error::Signature {
            path: signature.clone(),
            source,
        })?;
        measurement.signer = Some(signer);
    }
    Ok(measurement)
}

/// Options that weaken what is around the payload.
fn options(launch: &Launch<'_>, settings: &Settings, mode: Mode) -> Vec<String> {
    let all = [
        (launch.fixed_addresses, "no-aslr"),
        (
            mode == Mode::Host && settings.lock_ranges,
            "nsm-allow-lock-ranges",
        ),
    ];
    let given = all.into_iter().filter(|(given, _)| *given);
    given.map(|(_, name)| name.to_owned()).collect()
}

fn write_log(measurement: &Measurement, settings: &Settings) -> Result<(), Error> {
    let Some(path) = &settings.manifest else {
        return Ok(());
    };
    let log = format!("{:#}\n", measurement.event_log());
    // The environment is in it.
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let written = options
        .open(path)
        .and_then(|mut file| file.write_all(log.as_bytes()));
    in_file(path, written)
}

/// The registers that a launch would have, without its module: of an emulated
/// one, and the two that are extended in a real one.
///
/// # Errors
///
/// As [`measure`].
pub fn foresee(launch: &Launch<'_>, settings: &Settings) -> Result<Vec<(u16, Digest)>, Error> {
    let mode = match settings.mode {
        Mode::Auto if settings.device.exists() => Mode::Host,
        Mode::Auto => Mode::Emulated,
        mode => mode,
    };
    let mut measurement = measure(launch, settings, mode)?;
    if mode == Mode::Host && !settings.measured {
        return Ok(Vec::new());
    }
    if mode == Mode::Host {
        write_log(&measurement, settings)?;
        return Ok(vec![
            (
                policy::PAYLOAD,
                Digest::ZERO.extended(measurement.payload().bytes()),
            ),
            (
                policy::MONITOR,
                Digest::ZERO.extended(measurement.monitor().bytes()),
            ),
        ]);
    }
    // Which installation it is, need not be known here.
    measurement.instance = match Authority::load(&settings.authority, now()).map_err(explain) {
        Ok(authority) => Some(authority.instance),
        Err(Error::NoAuthority(_)) => None,
        Err(error) => return Err(error),
    };
    write_log(&measurement, settings)?;
    Ok(measurement.registers())
}

/// Makes the module for a launch, if there is to be one.
///
/// # Errors
///
/// Where that is not possible: a payload that is to have one never runs without
/// it, or with another.
pub fn start(launch: &Launch<'_>, settings: &Settings, fds: &ReservedFds) -> Result<Nsm, Error> {
    let policy = Policy {
        measured: settings.measured,
        lock_ranges: settings.lock_ranges,
    };
    let open = || Host::open(&settings.device, policy, fds);
    let (mode, host) = match settings.mode {
        Mode::Off => return Ok(Nsm::none()),
        Mode::Emulated => (Mode::Emulated, None),
        Mode::Host => (Mode::Host, Some(in_file(&settings.device, open())?)),
        Mode::Auto => match open() {
            Ok(host) => (Mode::Host, Some(host)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (Mode::Emulated, None),
            error => (Mode::Host, Some(in_file(&settings.device, error)?)),
        },
    };
    if mode == Mode::Host && (settings.role.is_some() || settings.signer.is_some()) {
        return Err(Error::OfTheEnclave);
    }
    let mut measurement = measure(launch, settings, mode)?;
    let backend = match host {
        Some(host) => {
            // Before what cannot be taken back.
            write_log(&measurement, settings)?;
            if settings.measured {
                let (payload, monitor) = (measurement.payload(), measurement.monitor());
                host.measure(&settings.device, &payload, &monitor)?;
            }
            ::log::info!("/dev/nsm is the host's {}", settings.device.display());
            Backend::Host(host)
        }
        None => {
            let authority = Authority::load(&settings.authority, now()).map_err(explain)?;
            measurement.instance = Some(authority.instance);
            write_log(&measurement, settings)?;
            let mut id = [0; 16];
            random::fill(&mut id)?;
            let bank = Bank::new(measurement.registers());
            let module = Module::new(id, bank, authority.issuer);
            ::log::info!(
                "/dev/nsm is emulated, with certificates of {}",
                settings.authority.display()
            );
            Backend::Emulated(Shared::new(&module, fds)?)
        }
    };
    Ok(Nsm::new(backend, fds)?)
}

/// What to do where there is no authority.
fn explain(error: authority::Error) -> Error {
    match &error {
        authority::Error::File { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            Error::NoAuthority(error)
        }
        _ => Error::Authority(error),
    }
}
