//! What is measured of a launch, and what registers it sets.
//!
//! Each manifest is deterministic CBOR (RFC 8949, section 4.2) with a version,
//! so that where a field ends is part of what is hashed. A verifier who has
//! the manifests can compute the registers anew.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use ciborium::Value;
use serde_json::json;

use crate::message::{text, to_bytes};
use crate::pcr::Digest;

/// Of the form of manifests.
const VERSION: u64 = 1;

/// Registers of a launch.
const LAUNCH: u16 = 0;
const MONITOR: u16 = 1;
const PAYLOAD: u16 = 2;
const ROLE: u16 = 3;
const INSTANCE: u16 = 4;
const SIGNER: u16 = 8;

/// The program and what it is given.
#[derive(Debug, Clone)]
pub struct PayloadManifest {
    /// Of the program's file.
    pub elf: Digest,
    /// Of the file of its interpreter (`PT_INTERP`).
    pub interpreter: Option<Digest>,
    /// Of the scripts that led to the program by their `#!` lines.
    pub scripts: Vec<Digest>,
    /// Of a list of files: [`files`].
    pub root: Option<Digest>,
    pub argv: Vec<Vec<u8>>,
    /// Less the excluded ones.
    pub env: Vec<Vec<u8>>,
    /// Names of variables whose values are not measured.
    pub env_excluded: Vec<Vec<u8>>,
    pub cwd: Vec<u8>,
}

/// What runs it.
#[derive(Debug, Clone)]
pub struct MonitorManifest {
    /// Of the monitor's program file.
    pub monitor: Digest,
    /// Of the code inside the virtual machine.
    pub guest: Digest,
    /// The contract between the two.
    pub abi: String,
    /// Most processors; 0 for as many as the host has to give.
    pub vcpus: u64,
    /// Most memory in bytes; 0 for no limit.
    pub memory: u64,
    pub devices: Vec<String>,
    /// Options that weaken what is around the payload.
    pub options: Vec<String>,
    /// The host's user can look into the virtual machine.
    pub debug: bool,
}

/// A map whose keys are sorted by their encoding, as deterministic CBOR has
/// it.
fn sorted(fields: Vec<(&str, Value)>) -> Value {
    let mut fields: Vec<_> = fields.into_iter().map(|(k, v)| (text(k), v)).collect();
    fields.sort_by_cached_key(|(key, _)| to_bytes(key));
    Value::Map(fields)
}

fn digest(digest: &Digest) -> Value {
    Value::Bytes(digest.bytes().to_vec())
}

fn strings(strings: &[Vec<u8>]) -> Value {
    Value::Array(strings.iter().cloned().map(Value::Bytes).collect())
}

fn maybe(value: Option<&Digest>) -> Value {
    value.map_or(Value::Null, digest)
}

impl PayloadManifest {
    /// Leaves out the variables named `excluded`, and records that.
    pub fn exclude(&mut self, excluded: &[Vec<u8>]) {
        let is_excluded = |variable: &[u8]| {
            let name = variable.split(|byte| *byte == b'=').next();
            excluded.iter().any(|one| Some(one.as_slice()) == name)
        };
        self.env.retain(|variable| !is_excluded(variable));
        self.env_excluded = excluded.to_vec();
        self.env_excluded.sort();
        self.env_excluded.dedup();
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut fields = vec![
            ("v", VERSION.into()),
            ("elf", digest(&self.elf)),
            ("interp", maybe(self.interpreter.as_ref())),
            ("root", maybe(self.root.as_ref())),
            ("argv", strings(&self.argv)),
            ("env", strings(&self.env)),
            ("cwd", Value::Bytes(self.cwd.clone())),
        ];
        if !self.scripts.is_empty() {
            let scripts = self.scripts.iter().map(digest).collect();
            fields.push(("scripts", Value::Array(scripts)));
        }
        if !self.env_excluded.is_empty() {
            fields.push(("env_excluded", strings(&self.env_excluded)));
        }
        to_bytes(&sorted(fields))
    }
}

impl MonitorManifest {
    pub fn encode(&self) -> Vec<u8> {
        let mut devices = self.devices.clone();
        devices.sort();
        let devices = devices.iter().map(|name| text(name)).collect();
        let mut fields = vec![
            ("v", VERSION.into()),
            ("monitor", digest(&self.monitor)),
            ("guest", digest(&self.guest)),
            ("abi", text(&self.abi)),
            ("vcpus", self.vcpus.into()),
            ("memory", self.memory.into()),
            ("devices", Value::Array(devices)),
        ];
        if !self.options.is_empty() {
            let mut options = self.options.clone();
            options.sort();
            let options = options.iter().map(|name| text(name)).collect();
            fields.push(("options", Value::Array(options)));
        }
        if self.debug {
            fields.push(("debug", true.into()));
        }
        to_bytes(&sorted(fields))
    }
}

/// All that is measured of a launch.
#[derive(Debug, Clone)]
pub struct Measurement {
    payload: Vec<u8>,
    monitor: Vec<u8>,
    launch: Vec<u8>,
    /// On whose behalf.
    pub role: Option<String>,
    /// On which installation.
    pub instance: Option<String>,
    /// The certificate, in DER, whose key has signed the program.
    pub signer: Option<Vec<u8>>,
    debug: bool,
}

impl Measurement {
    pub fn new(payload: &PayloadManifest, monitor_manifest: &MonitorManifest) -> Measurement {
        let (payload, monitor) = (payload.encode(), monitor_manifest.encode());
        let launch = to_bytes(&sorted(vec![
            ("v", VERSION.into()),
            ("monitor", digest(&Digest::of([&monitor[..]]))),
            ("payload", digest(&Digest::of([&payload[..]]))),
        ]));
        Measurement {
            payload,
            monitor,
            launch,
            role: None,
            instance: None,
            signer: None,
            debug: monitor_manifest.debug,
        }
    }

    /// The digest of the payload's manifest.
    pub fn payload(&self) -> Digest {
        Digest::of([&self.payload[..]])
    }

    /// The digest of the monitor's manifest.
    pub fn monitor(&self) -> Digest {
        Digest::of([&self.monitor[..]])
    }

    /// The registers that are not zero. What is debugged proves nothing: then
    /// those of the program and its signer stay zero, as an enclave's do.
    pub fn registers(&self) -> Vec<(u16, Digest)> {
        let measured = [
            (LAUNCH, Some(&self.launch)),
            (MONITOR, Some(&self.monitor)),
            (PAYLOAD, Some(&self.payload)),
            (SIGNER, self.signer.as_ref()),
        ];
        let measured = measured.into_iter().filter(|_| !self.debug);
        let measured = measured.filter_map(|(index, content)| {
            let value = Digest::measurement_of(content?);
            Some((index, value))
        });
        let told = [(ROLE, &self.role), (INSTANCE, &self.instance)];
        let told = told.into_iter().filter_map(|(index, text)| {
            let value = Digest::ZERO.extended(text.as_ref()?.as_bytes());
            Some((index, value))
        });
        let mut registers: Vec<_> = measured.chain(told).collect();
        registers.sort_by_key(|(index, _)| *index);
        registers
    }

    /// The event log: manifests and registers, as JSON. Byte strings are in
    /// hexadecimal digits; what is readable in them stands beside them.
    pub fn event_log(&self) -> serde_json::Value {
        let manifest = |name: &str, index: u16, bytes: &[u8]| {
            json!({
                "name": name,
                "pcr": index,
                "sha384": Digest::of([bytes]).to_string(),
                "cbor": hex(bytes),
                "content": ciborium::from_reader(bytes).map_or_else(|_| json!(null), readable),
            })
        };
        let registers = self.registers().into_iter();
        let registers: serde_json::Map<_, _> = registers
            .map(|(index, value)| (index.to_string(), value.to_string().into()))
            .collect();
        json!({
            "version": VERSION,
            "debug": self.debug,
            "manifests": [
                manifest("launch", LAUNCH, &self.launch),
                manifest("monitor", MONITOR, &self.monitor),
                manifest("payload", PAYLOAD, &self.payload),
            ],
            "role": self.role,
            "instance": self.instance,
            "signer": self.signer.as_deref().map(hex),
            "pcrs": registers,
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// For people: byte strings as text where they are some.
fn readable(value: Value) -> serde_json::Value {
    match value {
        Value::Bytes(bytes) if bytes.len() == Digest::LEN => hex(&bytes).into(),
        Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into(),
        Value::Text(text) => text.into(),
        Value::Integer(number) => u64::try_from(number).map_or_else(|_| json!(null), Into::into),
        Value::Array(values) => values.into_iter().map(readable).collect(),
        Value::Map(entries) => entries
            .into_iter()
            .filter_map(|(key, value)| Some((key.into_text().ok()?, readable(value))))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        _ => json!(null),
    }
}

/// The digest of these files and of all below these directories: their paths,
/// kinds, permissions and content, or where a link leads.
///
/// # Errors
///
/// Where one cannot be read.
pub fn files(paths: &[PathBuf]) -> io::Result<Digest> {
    let mut entries = Vec::new();
    for path in paths {
        list(path, &mut entries).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", path.display()))
        })?;
    }
    entries.sort();
    entries.dedup();
    let entries = entries.into_iter().map(|(_, entry)| entry);
    let mut all = to_bytes(&VERSION.into());
    entries.for_each(|entry| all.extend(entry));
    Ok(Digest::of([&all[..]]))
}

fn list(path: &Path, entries: &mut Vec<(Vec<u8>, Vec<u8>)>) -> io::Result<()> {
    let status = fs::symlink_metadata(path)?;
    let kind = status.file_type();
    let (kind, content) = if kind.is_dir() {
        for entry in fs::read_dir(path)? {
            list(&entry?.path(), entries)?;
        }
        ("directory", Value::Null)
    } else if kind.is_symlink() {
        let target = fs::read_link(path)?;
        ("link", Value::Bytes(target.as_os_str().as_bytes().to_vec()))
    } else if kind.is_file() {
        ("file", digest(&of_file(&fs::File::open(path)?)?))
    } else if kind.is_block_device() || kind.is_char_device() {
        ("device", status.rdev().into())
    } else {
        ("other", Value::Null)
    };
    let name = path.as_os_str().as_bytes().to_vec();
    let entry = Value::Array(vec![
        Value::Bytes(name.clone()),
        text(kind),
        (status.mode() & 0o7777).into(),
        content,
    ]);
    entries.push((name, to_bytes(&entry)));
    Ok(())
}

/// The digest of a file's content, from its beginning, whatever its position.
///
/// # Errors
///
/// From `pread(2)`.
pub fn of_file(file: &fs::File) -> io::Result<Digest> {
    use sha2::Digest as _;
    use std::os::unix::fs::FileExt;
    let mut hash = sha2::Sha384::new();
    let mut buffer = vec![0; 1 << 20];
    let mut offset = 0;
    loop {
        match file.read_at(&mut buffer, offset) {
            Ok(0) => return Ok(<[u8; Digest::LEN]>::from(hash.finalize()).into()),
            Ok(len) => {
                hash.update(buffer.get(..len).unwrap_or_default());
                offset += len as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::tests::Scratch;

    fn payload() -> PayloadManifest {
        PayloadManifest {
            elf: Digest::of([&b"elf"[..]]),
            interpreter: None,
            scripts: Vec::new(),
            root: None,
            argv: vec![b"a".to_vec(), b"bc".to_vec()],
            env: vec![b"X=1".to_vec(), b"SECRET=2".to_vec(), b"SECRET2=3".to_vec()],
            env_excluded: Vec::new(),
            cwd: b"/".to_vec(),
        }
    }

    fn monitor() -> MonitorManifest {
        MonitorManifest {
            monitor: Digest::of([&b"km"[..]]),
            guest: Digest::of([&b"shim"[..]]),
            abi: "km 1".to_owned(),
            vcpus: 0,
            memory: 0,
            devices: vec!["nsm".to_owned(), "console".to_owned()],
            options: Vec::new(),
            debug: false,
        }
    }

    #[test]
    fn manifests_are_deterministic_and_have_sorted_keys() {
        let encoded = payload().encode();
        let Value::Map(fields) = ciborium::from_reader(&encoded[..]).unwrap() else {
            panic!()
        };
        let names: Vec<_> = fields.iter().map(|(k, _)| k.as_text().unwrap()).collect();
        assert_eq!(names, ["v", "cwd", "elf", "env", "argv", "root", "interp"]);
        assert_eq!(encoded, payload().encode());
        let Value::Map(fields) = ciborium::from_reader(&monitor().encode()[..]).unwrap() else {
            panic!()
        };
        let devices = fields.iter().find(|(k, _)| k.as_text() == Some("devices"));
        let devices = devices.unwrap().1.as_array().unwrap();
        assert_eq!(devices, &[text("console"), text("nsm")]);
    }

    #[test]
    fn where_an_argument_ends_is_measured() {
        let mut other = payload();
        other.argv = vec![b"ab".to_vec(), b"c".to_vec()];
        assert_ne!(other.encode(), payload().encode());
        other.argv = vec![b"a".to_vec()];
        other.env.insert(0, b"bc".to_vec());
        assert_ne!(other.encode(), payload().encode());
    }

    #[test]
    fn excluded_variables_are_named_and_their_values_are_not_measured() {
        let mut one = payload();
        one.exclude(&[b"SECRET".to_vec()]);
        assert_eq!(one.env, [b"X=1".to_vec(), b"SECRET2=3".to_vec()]);
        let mut other = payload();
        other.env[1] = b"SECRET=other".to_vec();
        other.exclude(&[b"SECRET".to_vec()]);
        assert_eq!(one.encode(), other.encode());
        other.exclude(&[]);
        assert_ne!(one.encode(), other.encode(), "what is left out is told");
    }

    #[test]
    fn debugging_leaves_the_program_unproven() {
        let launch = |debug| {
            let monitor = MonitorManifest { debug, ..monitor() };
            let mut launch = Measurement::new(&payload(), &monitor);
            launch.instance = Some("dev-instance-0".to_owned());
            launch.signer = Some(b"certificate".to_vec());
            launch
        };
        let indices = |launch: &Measurement| -> Vec<u16> {
            launch.registers().iter().map(|(i, _)| *i).collect()
        };
        assert_eq!(indices(&launch(false)), [0, 1, 2, 4, 8]);
        // In a real module there is no register to leave at zero.
        assert_ne!(launch(true).monitor(), launch(false).monitor());
        let mut launch = launch(true);
        launch.role = Some("tenant".to_owned());
        assert_eq!(indices(&launch), [3, 4]);
        let log = launch.event_log();
        assert_eq!(log["manifests"][2]["content"]["argv"][1], "bc");
        assert_eq!(log["pcrs"].as_object().unwrap().len(), 2);
    }

    #[test]
    fn a_tree_is_its_names_kinds_modes_and_contents() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let scratch = Scratch::new("tree");
        let root = scratch.0.join("root");
        fs::create_dir(&root).unwrap();
        let file = root.join("file");
        let paths = [root.clone()];
        let mut seen = vec![files(&paths).unwrap()];
        let mut differs = |what: &str| {
            let now = files(&paths).unwrap();
            assert!(!seen.contains(&now), "{what}");
            seen.push(now);
        };
        fs::write(&file, "content").unwrap();
        differs("a new file");
        fs::write(&file, "Content").unwrap();
        differs("other content");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
        differs("another mode");
        fs::rename(&file, root.join("name")).unwrap();
        differs("another name");
        symlink("name", root.join("link")).unwrap();
        differs("a link");
        assert!(files(&[root.join("missing")]).is_err());
        let twice = [root.clone(), root.clone()];
        assert_eq!(files(&twice).unwrap(), files(&paths).unwrap());
    }
}
