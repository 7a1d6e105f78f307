//! Files that are read whole and replaced whole.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Error, Result};

pub fn read_json(path: &Path) -> Result<Value> {
    let text = fs::read(path).map_err(Error::file(path))?;
    serde_json::from_slice(&text).map_err(|error| Error::Json {
        path: path.into(),
        error,
    })
}

/// Replaces what is in a file, or makes it: nobody sees half of it, and mode
/// and owner stay. A link stays one.
pub fn replace(path: &Path, content: &[u8]) -> Result<()> {
    let place = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let mut beside = place.clone().into_os_string();
    beside.push(OsString::from(format!(".{}", std::process::id())));
    let beside = PathBuf::from(beside);
    write(&place, &beside, content).map_err(|error| {
        // It may not have come to be.
        let _ = fs::remove_file(&beside);
        Error::file(path)(error)
    })
}

fn write(place: &Path, beside: &Path, content: &[u8]) -> io::Result<()> {
    let (mode, owner) = match fs::metadata(place) {
        Ok(old) => (old.mode() & 0o7777, Some((old.uid(), old.gid()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (0o644, None),
        Err(error) => return Err(error),
    };
    let mut options = File::options();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(beside)?;
    file.write_all(content)?;
    let new = file.metadata()?;
    if let Some((uid, gid)) = owner
        && (uid, gid) != (new.uid(), new.gid())
    {
        fchown(&file, Some(uid), Some(gid))?;
    }
    file.set_permissions(Permissions::from_mode(mode))?;
    fs::rename(beside, place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mode_and_link_stay_and_nothing_is_left() {
        let folder = std::env::temp_dir().join(format!("krun-file.{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (file, link) = (folder.join("file"), folder.join("link"));
        replace(&file, b"one").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        replace(&link, b"two").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        fs::remove_dir_all(&folder).unwrap();
        assert!(replace(&file, b"x").is_err());
    }
}
