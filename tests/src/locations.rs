//! Where things are.

use std::path::{Path, PathBuf};

#[derive(Debug, Clone)]
pub struct Locations {
    /// The top of the source tree.
    pub root: PathBuf,
    /// What `make` builds or fetches.
    pub build: PathBuf,
    /// The monitor under test.
    pub km: PathBuf,
}

impl Locations {
    /// The tree this runner was built from, unless the environment says
    /// otherwise (`make` sets `BUILD` and `KM`).
    pub fn find() -> Locations {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest.parent().unwrap_or(manifest).to_path_buf();
        let given = |name: &str, default: &str| match std::env::var_os(name) {
            Some(path) => std::path::absolute(path).unwrap_or_else(|_| root.join(default)),
            None => root.join(default),
        };
        Locations {
            build: given("BUILD", "build"),
            km: given("KM", "target/x86_64-unknown-linux-gnu/release/km"),
            root,
        }
    }

    pub fn guests(&self) -> PathBuf {
        self.build.join("guests")
    }

    pub fn payloads(&self) -> PathBuf {
        self.build.join("payloads")
    }

    pub fn svm(&self) -> PathBuf {
        self.build.join("svm")
    }
}
