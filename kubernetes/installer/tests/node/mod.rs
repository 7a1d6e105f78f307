//! A node's files in a folder, and the program that changes them.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

pub struct Node {
    scratch: TempDir,
}

/// All below a folder: contents and mode of files, targets of links.
pub type Snapshot = BTreeMap<PathBuf, (Vec<u8>, u32)>;

impl Node {
    /// An empty one, and what is to be installed.
    pub fn new() -> Node {
        let scratch = TempDir::new().unwrap();
        let node = Node { scratch };
        node.write("etc/hostname", "node\n");
        for program in ["km", "krun"] {
            let path = node.files().join("bin").join(program);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, format!("this is {program}")).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        }
        fs::create_dir(node.files().join("runtime")).unwrap();
        fs::write(node.files().join("runtime/libc.so"), "a library").unwrap();
        symlink("libc.so", node.files().join("runtime/ld.so")).unwrap();
        node
    }

    pub fn root(&self) -> PathBuf {
        self.scratch.path().join("root")
    }

    pub fn files(&self) -> PathBuf {
        self.scratch.path().join("files")
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[allow(dead_code, reason = "not all tests look into files")]
    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    pub fn run(&self, args: &[&str]) -> Output {
        let (action, rest) = args.split_first().unwrap();
        Command::new(env!("CARGO_BIN_EXE_km-installer"))
            .arg(action)
            .arg("--host-root")
            .arg(self.root())
            .arg("--files")
            .arg(self.files())
            .args(rest)
            .output()
            .unwrap()
    }

    /// What it prints when all goes well.
    pub fn does(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), &*said), (Some(0), ""), "{args:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What it says when it refuses: one line, and nothing has changed.
    #[allow(dead_code, reason = "not all tests refuse")]
    pub fn refuses(&self, args: &[&str]) -> String {
        let before = self.snapshot();
        let output = self.run(args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.starts_with("km-installer: "), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert_eq!(self.snapshot(), before, "{args:?}");
        said
    }

    pub fn snapshot(&self) -> Snapshot {
        let mut all = Snapshot::new();
        add(&self.root(), &mut all);
        all
    }
}

fn add(folder: &Path, all: &mut Snapshot) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let contents = if metadata.is_dir() {
            add(&path, all);
            Vec::new()
        } else if metadata.is_symlink() {
            let target = fs::read_link(&path).unwrap();
            target.into_os_string().into_encoded_bytes()
        } else {
            fs::read(&path).unwrap()
        };
        all.insert(path, (contents, metadata.permissions().mode()));
    }
}
