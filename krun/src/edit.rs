//! What a container's `config.json` has to say for its program to run under
//! km. Pure: it knows no files.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// Where km is in every container.
pub const KM: &str = "/opt/kontain/bin/km";

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
}

/// What goes into a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Additions {
    pub mounts: Vec<Mount>,
    pub devices: Vec<Device>,
    /// Options of km's.
    pub options: Vec<String>,
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
    if let Some(process) = top.get_mut("process") {
        self::process(process, &additions.options, path)?;
    }
    let mounts = array(top, "mounts").ok_or_else(|| shape("mounts", "an array"))?;
    for mount in &additions.mounts {
        // Last, so that no other mount covers it.
        mounts.retain(|other| {
            other.get("destination").and_then(Value::as_str) != Some(mount.destination)
        });
        mounts.push(json!({
            "destination": mount.destination,
            "type": "bind",
            "source": mount.source.to_string_lossy(),
            "options": mount.options,
        }));
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
pub fn process(process: &mut Value, options: &[String], path: &Path) -> Result<()> {
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
/// run it, and how many of them that replaces. An image made for km has km there
/// already, which is this km then: it only gets the options.
pub fn prefix(words: &[&str], options: &[String]) -> (Vec<String>, usize) {
    let mut front = vec![KM.to_owned()];
    front.extend_from_slice(options);
    match words {
        [] => (Vec::new(), 0),
        [KM, rest @ ..] => {
            let start = rest.iter().take(options.len());
            if start.eq(options) {
                (Vec::new(), 0)
            } else {
                (front, 1)
            }
        }
        _ => {
            front.extend(["--path-only".into(), "--".into()]);
            (front, 0)
        }
    }
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
