//! The scratch directory of a run: made empty, filled with the job's files,
//! looked over afterwards, and removed.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::job::{Content, Entry, File};

/// The time stamp of all that is made here, so that a listing looks the same
/// each time.
const MADE_AT: Duration = Duration::from_secs(1_000_000_000);

/// A file up to this size is kept whole, so that a difference can be shown.
const KEPT: u64 = 4096;

/// Entries beyond this many are not looked at: no test needs them, and the list
/// must stay of a size that can be sent.
const ENTRIES: usize = 1000;

#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    pub fn create(path: &Path, files: &[File]) -> io::Result<Scratch> {
        remove(path)?;
        fs::create_dir_all(path)?;
        let scratch = Scratch {
            path: path.to_path_buf(),
        };
        for file in files {
            let path = path.join(&file.name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&path, &file.content)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(file.mode))?;
        }
        stamp(path)?;
        Ok(scratch)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        list(&self.path, &self.path, &mut entries)?;
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(entries)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is removed before the next run, which
        // reports it.
        let _ = remove(&self.path);
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Gives everything below `path`, and itself, the same time.
fn stamp(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            stamp(&entry?.path())?;
        }
    }
    fs::File::open(path)?.set_modified(SystemTime::UNIX_EPOCH + MADE_AT)
}

fn list(top: &Path, directory: &Path, entries: &mut Vec<Entry>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        if entries.len() == ENTRIES {
            return Ok(());
        }
        let path = entry?.path();
        let metadata = fs::symlink_metadata(&path)?;
        let kind = metadata.file_type();
        let content = if kind.is_dir() {
            Content::Directory
        } else if kind.is_symlink() {
            Content::Link(fs::read_link(&path)?.to_string_lossy().into_owned())
        } else if kind.is_fifo() || kind.is_socket() || !kind.is_file() {
            Content::Special
        } else {
            read(&path, &metadata).or_else(unreadable)?
        };
        let name = path.strip_prefix(top).unwrap_or(&path);
        entries.push(Entry {
            path: name.to_string_lossy().into_owned(),
            mode: metadata.mode() & 0o7777,
            content,
        });
        if kind.is_dir() {
            list(top, &path, entries).or_else(|error| unreadable(error).map(drop))?;
        }
    }
    Ok(())
}

/// A program may take its own right to read: nothing is known then but the mode.
fn unreadable(error: io::Error) -> io::Result<Content> {
    if error.kind() == io::ErrorKind::PermissionDenied {
        Ok(Content::Special)
    } else {
        Err(error)
    }
}

fn read(path: &Path, metadata: &fs::Metadata) -> io::Result<Content> {
    if metadata.len() <= KEPT {
        return fs::read(path).map(Content::Bytes);
    }
    let mut file = fs::File::open(path)?;
    let mut hasher = crc32fast::Hasher::new();
    let mut buffer = vec![0; 1 << 16];
    let mut len = 0;
    loop {
        let count = file.read(&mut buffer)?;
        if count == 0 {
            return Ok(Content::Digest {
                len,
                crc32: hasher.finalize(),
            });
        }
        hasher.update(&buffer[..count]);
        len += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_directory_holds_its_files_and_leaves_nothing_behind() {
        let path = std::env::temp_dir().join(format!("km-tests-scratch.{}", std::process::id()));
        let files = [
            File::new("run", "#!/bin/sh\n"),
            File::new("sub/data", &"x".repeat(5000)),
        ];
        let scratch = Scratch::create(&path, &files).expect("made");
        std::os::unix::fs::symlink("run", path.join("link")).expect("linked");
        let entries = scratch.entries().expect("listed");
        let names: Vec<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(names, ["link", "run", "sub", "sub/data"]);
        assert_eq!(entries[0].content, Content::Link("run".into()));
        assert_eq!(entries[1].mode, 0o755);
        assert_eq!(entries[2].content, Content::Directory);
        assert!(matches!(
            entries[3].content,
            Content::Digest { len: 5000, .. }
        ));
        drop(scratch);
        assert!(!path.exists());
    }
}
