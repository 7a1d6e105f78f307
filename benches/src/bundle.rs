//! The smallest OCI bundles: own mount and PID namespaces, no network set-up, no cgroup limits. One
//! kind runs a static guest in a root file system that holds the guest alone, the other a program
//! of this machine among this machine's files.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::runner::Guest;

/// The guest's place inside the container.
const GUEST: &str = "/guest";
/// What a server started by root needs to become somebody else.
const CAPABILITIES: [&str; 6] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
];

pub fn directory(guest: &Guest) -> PathBuf {
    guest.scratch.join("bundle")
}

/// Where `runtime` keeps its state.
pub fn state(guest: &Guest, runtime: &Path) -> PathBuf {
    let name = runtime.file_name().unwrap_or_default();
    guest.scratch.join("state").join(name)
}

/// What follows a runtime's own options to run a bundle.
pub fn run_words(state: &Path, bundle: &Path) -> [OsString; 6] {
    [
        "--root".into(),
        state.into(),
        "run".into(),
        "--bundle".into(),
        bundle.into(),
        format!("km-bench-{}", std::process::id()).into(),
    ]
}

/// The bundle of a guest that is alone.
pub fn write(guest: &Guest) -> io::Result<()> {
    let directory = directory(guest);
    let root = directory.join("rootfs");
    // crun wants to make its own device nodes, whatever the mounts say.
    for directory in ["dev", "proc"] {
        fs::create_dir_all(root.join(directory))?;
    }
    fs::copy(&guest.program, root.join(&GUEST[1..]))?;
    write_config(&directory, &of_guest(guest))
}

/// The bundle of a program of this machine that is started in `current`.
pub fn write_here(directory: &Path, words: &[String], current: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    write_config(directory, &of_program(words, current))
}

fn write_config(directory: &Path, config: &Value) -> io::Result<()> {
    let text = serde_json::to_vec_pretty(config)?;
    fs::write(directory.join("config.json"), text)
}

fn of_guest(guest: &Guest) -> Value {
    let mut args = vec![GUEST.to_owned()];
    args.extend(guest.args.iter().cloned());
    let mut mounts = Vec::new();
    // At the same path as outside, so that the arguments are the same everywhere.
    if let Some(directory) = guest.data.as_deref().and_then(Path::parent) {
        mounts.push(json!({
            "destination": directory,
            "type": "bind",
            "source": directory,
            "options": ["bind", "rw"],
        }));
    }
    let process = json!({
        "terminal": false,
        "user": { "uid": 0, "gid": 0 },
        "args": args,
        "env": ["PATH=/"],
        "cwd": "/",
    });
    config(&process, Path::new("rootfs"), mounts)
}

fn of_program(words: &[String], current: &Path) -> Value {
    let process = json!({
        "terminal": false,
        "user": { "uid": 0, "gid": 0 },
        "args": words,
        "env": [format!("PATH={}", std::env::var("PATH").unwrap_or_default())],
        "cwd": current,
        "capabilities": {
            "bounding": CAPABILITIES,
            "effective": CAPABILITIES,
            "permitted": CAPABILITIES,
        },
    });
    // POSIX shared memory, for everybody.
    let shared_memory = json!({
        "destination": "/dev/shm",
        "type": "tmpfs",
        "source": "tmpfs",
        "options": ["mode=1777"],
    });
    config(&process, Path::new("/"), vec![shared_memory])
}

fn config(process: &Value, root: &Path, others: Vec<Value>) -> Value {
    let mut mounts = vec![json!({ "destination": "/proc", "type": "proc", "source": "proc" })];
    mounts.extend(others);
    json!({
        "ociVersion": "1.0.0",
        "process": process,
        "root": { "path": root, "readonly": false },
        "mounts": mounts,
        "linux": { "namespaces": [{ "type": "pid" }, { "type": "mount" }] },
    })
}
