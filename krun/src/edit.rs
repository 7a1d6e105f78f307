//! What a container's `config.json` has to say for its program to run under
//! km. Pure: it knows no files.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::options::{self, Options};

/// Where km is in every container: directly below its root, as what lies in a
/// folder can be exchanged together with that by the container's programs.
pub const KM: &str = "/.km";
/// Where images made for km have one.
pub const IMAGE_KM: &str = "/opt/kontain/bin/km";
/// What km does without a payload.
const SUBCOMMANDS: [&str; 3] = ["measure", "nsm", "verify"];

/// A device of the host that the container has too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub path: &'static str,
    pub major: u32,
    pub minor: u32,
}

/// A file or folder of the host, and where it is in the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    pub source: PathBuf,
    pub destination: &'static str,
    pub options: &'static [&'static str],
}

impl Mount {
    pub fn read_only(source: PathBuf, destination: &'static str) -> Mount {
        Mount {
            source,
            destination,
            options: &["bind", "ro", "nosuid", "nodev"],
        }
    }

    /// A device of the host, for who may make none.
    pub fn device(path: &'static str) -> Mount {
        Mount {
            source: path.into(),
            destination: path,
            options: &["bind", "rw", "nosuid", "noexec"],
        }
    }

    fn as_json(&self) -> Value {
        json!({
            "destination": self.destination,
            "type": "bind",
            "source": self.source.to_string_lossy(),
            "options": self.options,
        })
    }
}

/// What goes into a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Additions {
    pub mounts: Vec<Mount>,
    pub devices: Vec<Device>,
    /// What km is told.
    pub options: Options,
}

/// Puts `additions` into the configuration of a container; into one that has
/// them, nothing. What else it says stays.
///
/// # Errors
///
/// A property that has another type than the specification says.
pub fn container(config: &mut Value, additions: &Additions, path: &Path) -> Result<()> {
    let shape = |property: &str, wanted| Error::Shape {
        path: path.into(),
        property: property.into(),
        wanted,
    };
    let top = config
        .as_object_mut()
        .ok_or_else(|| shape("it", "an object"))?;
    let program = top
        .get("process")
        .and_then(|process| process.pointer("/args/0"));
    let starts_km = program.and_then(Value::as_str) == Some(KM);
    let mounts = array(top, "mounts").ok_or_else(|| shape("mounts", "an array"))?;
    // No image can name a mount: this is krun's doing of another time.
    let is_edited = |mount: &Mount| mount.destination == KM && mounts.contains(&mount.as_json());
    if starts_km && additions.mounts.iter().any(is_edited) {
        return Ok(());
    }
    for mount in &additions.mounts {
        // Last, so that no other mount covers it.
        mounts.retain(|other| {
            other.get("destination").and_then(Value::as_str) != Some(mount.destination)
        });
        mounts.push(mount.as_json());
    }
    if let Some(process) = top.get_mut("process") {
        self::process(process, &additions.options, path)?;
    }
    let linux = object(top, "linux").ok_or_else(|| shape("linux", "an object"))?;
    let devices = array(linux, "devices").ok_or_else(|| shape("linux.devices", "an array"))?;
    for device in &additions.devices {
        devices.retain(|other| other.get("path").and_then(Value::as_str) != Some(device.path));
        // For whichever user: nobody else has this node.
        devices.push(json!({
            "path": device.path, "type": "c",
            "major": device.major, "minor": device.minor,
            "fileMode": 0o666, "uid": 0, "gid": 0,
        }));
    }
    let resources =
        object(linux, "resources").ok_or_else(|| shape("linux.resources", "an object"))?;
    let rules =
        array(resources, "devices").ok_or_else(|| shape("linux.resources.devices", "an array"))?;
    for device in &additions.devices {
        let rule = json!({
            "allow": true, "type": "c",
            "major": device.major, "minor": device.minor, "access": "rwm",
        });
        // A later rule has precedence.
        rules.retain(|other| *other != rule);
        rules.push(rule);
    }
    Ok(())
}

/// Has a process of a container run under km with these options.
///
/// # Errors
///
/// As above.
pub fn process(process: &mut Value, options: &Options, path: &Path) -> Result<()> {
    let shape = |property: &str, wanted| Error::Shape {
        path: path.into(),
        property: property.into(),
        wanted,
    };
    let process = process
        .as_object_mut()
        .ok_or_else(|| shape("process", "an object"))?;
    // Without arguments it cannot be started: the runtime says so.
    let Some(args) = process.get_mut("args") else {
        return Ok(());
    };
    let words = args
        .as_array()
        .and_then(|all| all.iter().map(Value::as_str).collect::<Option<Vec<_>>>())
        .ok_or_else(|| shape("process.args", "an array of strings"))?;
    let (front, replaced) = prefix(&words, options);
    let kept = words.into_iter().skip(replaced).map(Value::from);
    *args = front.into_iter().map(Value::from).chain(kept).collect();
    Ok(())
}

/// What the words of a program's command line get in front of them for km to
/// run it, and how many of them that replaces. An image made for km names km
/// itself, and options of its own, of which those that are given here do not
/// count.
pub fn prefix(words: &[&str], options: &Options) -> (Vec<String>, usize) {
    let mut front = vec![KM.to_owned()];
    match words {
        [] => (Vec::new(), 0),
        [KM | IMAGE_KM, rest @ ..] => {
            let alone = rest.first().is_some_and(|word| SUBCOMMANDS.contains(word));
            if alone {
                return (front, 1);
            }
            front.extend(options.arguments());
            let (kept, length) = own_options(rest, options);
            front.extend(kept);
            (front, 1 + length)
        }
        _ => {
            front.extend(options.arguments());
            front.extend(["--path-only".into(), "--".into()]);
            (front, 0)
        }
    }
}

/// The options at the start of an image's own command line of km's, as far as
/// they are known: those that `given` has not, and how many words all are.
fn own_options(words: &[&str], given: &Options) -> (Vec<String>, usize) {
    let (mut kept, mut length) = (Vec::new(), 0);
    while let Some((word, rest)) = words.get(length..).and_then(<[&str]>::split_first) {
        let Some(option) = word.strip_prefix("--") else {
            break;
        };
        let (name, inline) = match option.split_once('=') {
            Some((name, _)) => (name, true),
            None => (option, false),
        };
        let Some(has_value) = options::is_known(name) else {
            break;
        };
        let value = rest.first().filter(|_| has_value && !inline);
        length += 1 + value.iter().len();
        if !given.has(name) {
            kept.push((*word).to_owned());
            kept.extend(value.map(|value| (*value).to_owned()));
        }
    }
    (kept, length)
}

/// Whether a container was made to run under km.
pub fn is_under_km(config: &Value) -> bool {
    let mounts = config.get("mounts").and_then(Value::as_array);
    mounts
        .into_iter()
        .flatten()
        .any(|mount| mount.get("destination").and_then(Value::as_str) == Some(KM))
}

fn array<'a>(of: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Vec<Value>> {
    let value = of.entry(name).or_insert(Value::Null);
    if value.is_null() {
        *value = Value::Array(Vec::new());
    }
    value.as_array_mut()
}

fn object<'a>(of: &'a mut Map<String, Value>, name: &str) -> Option<&'a mut Map<String, Value>> {
    let value = of.entry(name).or_insert(Value::Null);
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut()
}

#[cfg(test)]
mod tests;
