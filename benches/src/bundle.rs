//! The smallest OCI bundle that runs a static guest: a root file system that holds the guest
//! alone, own mount and PID namespaces, no network set-up, no cgroup limits.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::runner::Guest;

/// The guest's place inside the container.
const GUEST: &str = "/guest";

pub fn directory(guest: &Guest) -> PathBuf {
    guest.scratch.join("bundle")
}

/// Where `runtime` keeps its state.
pub fn state(guest: &Guest, runtime: &Path) -> PathBuf {
    let name = runtime.file_name().unwrap_or_default();
    guest.scratch.join("state").join(name)
}

pub fn write(guest: &Guest) -> io::Result<()> {
    let directory = directory(guest);
    let root = directory.join("rootfs");
    // crun wants to make its own device nodes, whatever the mounts say.
    for directory in ["dev", "proc"] {
        fs::create_dir_all(root.join(directory))?;
    }
    fs::copy(&guest.program, root.join(&GUEST[1..]))?;
    fs::write(
        directory.join("config.json"),
        serde_json::to_vec_pretty(&config(guest))?,
    )
}

fn config(guest: &Guest) -> Value {
    let mut args = vec![GUEST.to_owned()];
    args.extend(guest.args.iter().cloned());
    let mut mounts = vec![json!({ "destination": "/proc", "type": "proc", "source": "proc" })];
    // At the same path as outside, so that the arguments are the same everywhere.
    if let Some(directory) = guest.data.as_deref().and_then(Path::parent) {
        mounts.push(json!({
            "destination": directory,
            "type": "bind",
            "source": directory,
            "options": ["bind", "rw"],
        }));
    }
    json!({
        "ociVersion": "1.0.0",
        "process": {
            "terminal": false,
            "user": { "uid": 0, "gid": 0 },
            "args": args,
            "env": ["PATH=/"],
            "cwd": "/",
        },
        "root": { "path": "rootfs", "readonly": false },
        "mounts": mounts,
        "linux": { "namespaces": [{ "type": "pid" }, { "type": "mount" }] },
    })
}
