//! Further processes of a container that runs under km.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::fd::IntoRawFd;
use std::path::Path;

use rustix::fs::{MemfdFlags, memfd_create};
use serde_json::Value;

use crate::command_line::{CommandLine, Exec};
use crate::delegate::Delegate;
use crate::edit;
use crate::error::{Error, Result};
use crate::file;

/// The words of the command line, the subcommand first, by which the process
/// runs under km if its container does. That is known from the container's own
/// configuration.
///
/// # Errors
///
/// If there is no such container, or its process cannot be understood.
pub fn edited(exec: &Exec, line: &CommandLine, delegate: &Delegate) -> Result<Vec<OsString>> {
    let id = exec.words.get(exec.container).cloned().unwrap_or_default();
    let state = delegate.state(&id)?;
    let bundle = state.get("bundle").and_then(Value::as_str).unwrap_or("");
    let config = file::read_json(&Path::new(bundle).join("config.json"))?;
    if !edit::is_under_km(&config) {
        return Ok(exec.words.clone());
    }
    let options = line.options.clone();
    let options = options.with_annotations(config.get("annotations"))?;
    match &exec.process {
        Some((path, place)) => {
            let mut process = file::read_json(path)?;
            edit::process(&mut process, &options, path)?;
            let copy = in_memory(&process).map_err(Error::file(path))?;
            let mut words = exec.words.clone();
            words.splice(place.clone(), ["--process".into(), copy]);
            Ok(words)
        }
        None => {
            let (before, command) = exec.words.split_at(exec.container + 1);
            // What is no text is neither km nor an option of it.
            let text = command.iter().map(|word| word.to_str());
            let text: Vec<&str> = text.map(Option::unwrap_or_default).collect();
            let (front, replaced) = edit::prefix(&text, &options);
            let front = front.into_iter().map(OsString::from);
            let kept = command.iter().skip(replaced).cloned();
            Ok(before.iter().cloned().chain(front).chain(kept).collect())
        }
    }
}

/// The name of a file that needs no removal: it goes with the runtime that
/// reads it, which inherits the descriptor.
fn in_memory(process: &Value) -> std::io::Result<OsString> {
    let mut file = File::from(memfd_create("process.json", MemfdFlags::empty())?);
    file.write_all(process.to_string().as_bytes())?;
    Ok(format!("/proc/self/fd/{}", file.into_raw_fd()).into())
}
