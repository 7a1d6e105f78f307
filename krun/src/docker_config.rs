//! Making krun known to container engines, and taking that back: a runtime in
//! Docker's `daemon.json`, and a file of krun's own beside podman's
//! configuration.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::ser::PrettyFormatter;
use serde_json::{Map, Serializer, Value, json};

use crate::error::{Error, Result};
use crate::file;

const NAME: &str = "krun";
const RUNTIMES: &str = "runtimes";

const HELP: &str = "\
km-docker-config makes the runtime krun known to Docker and podman.

Usage: km-docker-config [--undo] [--krun PATH] [--daemon-json FILE] [--containers-conf FILE]

  --undo                  take that back, and nothing else
  --krun PATH             where krun is (without it: in this program's folder)
  --daemon-json FILE      Docker's configuration, /etc/docker/daemon.json
  --containers-conf FILE  the file that is made for podman,
                          /etc/containers/containers.conf.d/50-krun.conf

Exit codes: 0; 1 where something is not as it must be, and then nothing is changed,
unless it is the second file that cannot be written.
";

/// What is asked for.
#[derive(Debug)]
struct Request {
    undo: bool,
    krun: PathBuf,
    daemon: PathBuf,
    containers: PathBuf,
}

/// What is to become of a file.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    None,
    Write(String),
    Remove,
}

/// The program `km-docker-config`: its exit code.
pub fn main(words: Vec<OsString>) -> u8 {
    let done = request(words).and_then(|request| match request {
        Some(request) => configure(&request),
        None => Ok(HELP.to_owned()),
    });
    match done {
        Ok(said) => {
            print!("{said}");
            0
        }
        Err(error) => {
            eprintln!("km-docker-config: {error}");
            1
        }
    }
}

fn request(words: Vec<OsString>) -> Result<Option<Request>> {
    let own = std::env::current_exe().map_err(Error::file("/proc/self/exe"))?;
    let mut request = Request {
        undo: false,
        krun: own.with_file_name(NAME),
        daemon: "/etc/docker/daemon.json".into(),
        containers: "/etc/containers/containers.conf.d/50-krun.conf".into(),
    };
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let word = word.to_string_lossy().into_owned();
        let place = match word.as_str() {
            "--help" | "-h" => return Ok(None),
            "--undo" => {
                request.undo = true;
                continue;
            }
            "--krun" => &mut request.krun,
            "--daemon-json" => &mut request.daemon,
            "--containers-conf" => &mut request.containers,
            _ => return Err(Error::UnknownOption(word)),
        };
        let value = words.next().ok_or(Error::NoValue(word))?;
        *place = std::path::absolute(&value).map_err(Error::file(&value))?;
    }
    Ok(Some(request))
}

/// Says what it has done. Both files are looked at before one is changed.
fn configure(request: &Request) -> Result<String> {
    let Some(krun) = request.krun.to_str() else {
        let name = request.krun.to_string_lossy();
        return Err(Error::NotText(name.into_owned()));
    };
    if !request.undo && !crate::delegate::is_program(&request.krun) {
        return Err(Error::NotKrun(request.krun.clone()));
    }
    let daemon = daemon_json(&request.daemon, krun, request.undo)?;
    let containers = containers_conf(&request.containers, krun, request.undo)?;
    let mut said = String::new();
    if apply(&request.daemon, &daemon, request.undo, &mut said)? {
        said.push_str("a running dockerd reads it when it is told to: systemctl reload docker\n");
    }
    apply(&request.containers, &containers, request.undo, &mut said)?;
    Ok(said)
}

fn apply(path: &Path, change: &Change, undo: bool, said: &mut String) -> Result<bool> {
    let done = match change {
        Change::None if undo => "it has no krun",
        Change::None => "it has krun already",
        Change::Write(text) => {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(Error::file(folder))?;
            }
            file::replace(path, text.as_bytes())?;
            if undo {
                "krun was taken out"
            } else {
                "krun was added"
            }
        }
        Change::Remove => {
            fs::remove_file(path).map_err(Error::file(path))?;
            "it had only krun and was removed"
        }
    };
    said.push_str(&format!("{}: {done}\n", path.display()));
    Ok(*change != Change::None)
}

/// The text of a file, if it is there.
fn text(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::file(path)(error)),
    }
}

fn daemon_json(path: &Path, krun: &str, undo: bool) -> Result<Change> {
    let shape = |property: &str| Error::Shape {
        path: path.into(),
        property: property.into(),
        wanted: "an object",
    };
    let old = text(path)?;
    let mut config = match old.as_deref() {
        // As Docker takes it.
        None => Value::Object(Map::new()),
        Some(text) if text.trim().is_empty() => Value::Object(Map::new()),
        Some(text) => serde_json::from_str(text).map_err(|error| Error::Json {
            path: path.into(),
            error,
        })?,
    };
    let top = config.as_object_mut().ok_or_else(|| shape("it"))?;
    let entry = match top.get(RUNTIMES) {
        None => None,
        Some(runtimes) => runtimes
            .as_object()
            .ok_or_else(|| shape(RUNTIMES))?
            .get(NAME),
    };
    let there = entry.and_then(|entry| entry.get("path"));
    let is_ours = there.and_then(Value::as_str) == Some(krun);
    match (entry.is_some(), is_ours, undo) {
        (true, true, false) | (false, _, true) => return Ok(Change::None),
        (true, false, _) => {
            return Err(Error::OtherKrun {
                path: path.into(),
                there: there.map_or("nothing".into(), Value::to_string),
            });
        }
        _ => {}
    }
    let runtimes = top.entry(RUNTIMES).or_insert_with(|| json!({}));
    let runtimes = runtimes.as_object_mut().ok_or_else(|| shape(RUNTIMES))?;
    if undo {
        runtimes.shift_remove(NAME);
        if runtimes.is_empty() {
            top.shift_remove(RUNTIMES);
        }
        if top.is_empty() {
            return Ok(Change::Remove);
        }
    } else {
        runtimes.insert(NAME.into(), json!({ "path": krun }));
    }
    let text = pretty(&config, indent(old.as_deref())).map_err(|error| Error::Json {
        path: path.into(),
        error,
    })?;
    Ok(Change::Write(text))
}

/// How the lines of the outermost object begin.
fn indent(text: Option<&str>) -> &str {
    let line = text.and_then(|text| text.lines().find(|line| line.starts_with([' ', '\t'])));
    let line = line.unwrap_or("    ");
    line.split_once(|char: char| !char.is_whitespace())
        .map_or(line, |(indent, _)| indent)
}

fn pretty(value: &Value, indent: &str) -> serde_json::Result<String> {
    let mut out = Vec::new();
    let formatter = PrettyFormatter::with_indent(indent.as_bytes());
    value.serialize(&mut Serializer::with_formatter(&mut out, formatter))?;
    out.push(b'\n');
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// The file is krun's alone, so it is either whole or not there.
fn containers_conf(path: &Path, krun: &str, undo: bool) -> Result<Change> {
    // What JSON writes so, TOML reads.
    let name = Value::from(krun);
    let wanted = format!("# Made by km-docker-config.\n[engine.runtimes]\n{NAME} = [{name}]\n");
    match (text(path)?, undo) {
        (None, true) => Ok(Change::None),
        (None, false) => Ok(Change::Write(wanted)),
        (Some(text), _) if text != wanted => Err(Error::NotOurs(path.into())),
        (Some(_), true) => Ok(Change::Remove),
        (Some(_), false) => Ok(Change::None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KRUN: &str = "/opt/kontain/bin/krun";

    /// What becomes of a `daemon.json` with this text.
    fn daemon(name: &str, text: Option<&str>, undo: bool) -> Result<Change> {
        let path = std::env::temp_dir().join(format!("krun-{name}.{}", std::process::id()));
        if let Some(text) = text {
            fs::write(&path, text).unwrap();
        }
        let change = daemon_json(&path, KRUN, undo);
        let _ = fs::remove_file(&path);
        change
    }

    fn written(change: Result<Change>) -> String {
        match change.unwrap() {
            Change::Write(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn others_settings_stay_in_their_order() {
        let old = "{\n  \"zone\": 1e3,\n  \"runtimes\": {\n    \"b\": {\n      \"path\": \"/b\"\n    }\n  },\n  \"a\": []\n}\n";
        let new = written(daemon("order", Some(old), false));
        assert!(new.contains(KRUN));
        assert_eq!(daemon("order", Some(&new), false).unwrap(), Change::None);
        // The number is the same, and written otherwise.
        let old = old.replace("1e3", "1000.0");
        assert_eq!(written(daemon("order", Some(&new), true)), old);
        assert_eq!(daemon("order", Some(&old), true).unwrap(), Change::None);
    }

    #[test]
    fn a_file_that_was_not_there_goes_again() {
        let new = written(daemon("new", None, false));
        assert_eq!(daemon("new", Some(&new), true).unwrap(), Change::Remove);
        assert_eq!(written(daemon("new", Some(""), false)), new);
        assert_eq!(daemon("new", None, true).unwrap(), Change::None);
    }

    #[test]
    fn what_is_not_understood_is_left() {
        for (text, said) in [
            ("{", "is not JSON"),
            ("[]", "it is not an object"),
            ("{\"runtimes\": 1}", "runtimes is not an object"),
            ("{\"runtimes\": {\"krun\": {\"path\": \"/x\"}}}", "\"/x\""),
        ] {
            for undo in [false, true] {
                let error = daemon("bad", Some(text), undo).unwrap_err().to_string();
                assert!(error.contains(said), "{error}");
            }
        }
    }

    #[test]
    fn options_of_the_runtime_stay() {
        let text = json!({ "runtimes": { NAME: { "path": KRUN, "runtimeArgs": ["--stats"] } } });
        let change = daemon("args", Some(&text.to_string()), false);
        assert_eq!(change.unwrap(), Change::None);
    }
}
