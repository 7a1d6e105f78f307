//! What a run with a security module needs: km's options, and a certificate
//! authority in the scratch directory.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::OnceLock;
use std::time::SystemTime;

use km_nsm::authority::Authority;

use crate::job::File;

/// The authority's name in the scratch directory.
const DIRECTORY: &str = "authority";

/// km's options for a module of this mode.
pub fn options(mode: &str) -> Vec<String> {
    vec![format!("--nsm={mode}"), format!("--nsm-ca={DIRECTORY}")]
}

/// The files of an authority, the same for all runs; none where it cannot be
/// made, which the runs tell.
pub fn files() -> Vec<File> {
    static FILES: OnceLock<Vec<File>> = OnceLock::new();
    FILES.get_or_init(|| make().unwrap_or_default()).clone()
}

fn make() -> Option<Vec<File>> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let name = format!("km-tests-authority.{}", std::process::id());
    let directory = std::env::temp_dir().join(name);
    Authority::create(&directory, now.ok()?).ok()?;
    let read = read(&directory);
    // It is only in the way.
    let _ = fs::remove_dir_all(&directory);
    read
}

fn read(directory: &Path) -> Option<Vec<File>> {
    let entries = fs::read_dir(directory).ok()?;
    let file = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.ok()?.path();
        Some(File {
            name: format!("{DIRECTORY}/{}", path.file_name()?.to_str()?),
            content: fs::read(&path).ok()?,
            mode: fs::metadata(&path).ok()?.permissions().mode() & 0o7777,
        })
    };
    entries.map(file).collect()
}
