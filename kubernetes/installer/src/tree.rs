//! km's files on the node: `/opt/kontain`. What was put there stands in its
//! `share/km/files`, as `make install` writes it: a path a line, those of
//! folders with a slash at the end. Nothing else is ever replaced or removed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::host::{Change, Found, Host};

const PREFIX: &str = "/opt/kontain";
const LIST: &str = "share/km/files";

/// What is to be on the node, by its path below the prefix.
enum Entry {
    Folder,
    File { contents: Vec<u8>, mode: u32 },
    Link(PathBuf),
}

/// What makes the node's files those in `source`.
pub fn put(host: &Host, source: &Path) -> Result<Vec<Change>, Error> {
    let tree = read_tree(source)?;
    let old = read_list(host)?;
    let mut list: BTreeSet<String> = BTreeSet::new();
    let mut changes = Vec::new();

    let above = ["/opt", PREFIX].map(str::to_owned);
    for path in above {
        if !host.exists(&path) {
            changes.push(Change::Folder(path));
        }
    }
    for (path, entry) in &tree {
        let place = format!("{PREFIX}/{path}");
        let found = host.find(&place)?;
        let ours = old.contains(path);
        let change = match (entry, found) {
            (Entry::Folder, Found::Folder) => {
                // It may have been made by an earlier installation.
                list.extend(old.get(&format!("{path}/")).cloned());
                continue;
            }
            (Entry::Folder, Found::Nothing) => {
                list.insert(format!("{path}/"));
                changes.push(Change::Folder(place));
                continue;
            }
            (Entry::File { contents, mode }, found) => match found {
                Found::File {
                    contents: c,
                    mode: m,
                } if c == *contents && m == *mode && ours => None,
                Found::Nothing => Some((contents, mode)),
                Found::File { .. } | Found::Link(_) if ours => Some((contents, mode)),
                _ => return Err(Error::NotOurs(place)),
            }
            .map(|(contents, mode)| Change::Write {
                path: place,
                contents: contents.clone(),
                mode: Some(*mode),
            }),
            (Entry::Link(target), found) => match found {
                Found::Link(there) if there == *target && ours => None,
                Found::Nothing => Some(()),
                Found::File { .. } | Found::Link(_) if ours => Some(()),
                _ => return Err(Error::NotOurs(place)),
            }
            .map(|()| Change::Link {
                path: place,
                target: target.clone(),
            }),
            (Entry::Folder, _) => return Err(Error::NotOurs(place)),
        };
        list.insert(path.clone());
        changes.extend(change);
    }

    // What an earlier version had and this one has not.
    let stale = old.difference(&list).cloned().collect();
    // Should it be interrupted, all that may be there is in the list.
    let (folders, rest): (Vec<_>, Vec<_>) = changes
        .into_iter()
        .partition(|change| matches!(change, Change::Folder(_)));
    let mut changes = folders;
    let all: BTreeSet<_> = list.union(&old).cloned().collect();
    let is_new = all != old;
    if is_new {
        changes.push(write_list(&all));
    }
    changes.extend(rest);
    let stale = removals(host, &stale)?;
    if !stale.is_empty() || all != list {
        changes.extend(stale);
        changes.push(write_list(&list));
    }
    Ok(changes)
}

/// What removes that again.
pub fn take(host: &Host) -> Result<Vec<Change>, Error> {
    let old = read_list(host)?;
    if old.is_empty() {
        return Ok(Vec::new());
    }
    let list = format!("{PREFIX}/{LIST}");
    let (files, folders): (BTreeSet<_>, BTreeSet<_>) =
        old.into_iter().partition(|path| !path.ends_with('/'));
    let mut changes = removals(host, &files)?;
    changes.push(Change::Remove(list));
    changes.extend(removals(host, &folders)?);
    changes.push(Change::RemoveFolder(PREFIX.to_owned()));
    Ok(changes)
}

fn write_list(list: &BTreeSet<String>) -> Change {
    let lines: String = list.iter().map(|path| format!("{path}\n")).collect();
    Change::write(&format!("{PREFIX}/{LIST}"), lines)
}

/// Of what is still there, what is inside a folder before the folder.
fn removals(host: &Host, paths: &BTreeSet<String>) -> Result<Vec<Change>, Error> {
    let mut changes = Vec::new();
    for path in paths.iter().rev() {
        let place = format!("{PREFIX}/{}", path.trim_end_matches('/'));
        match host.find(&place)? {
            Found::Folder if path.ends_with('/') => changes.push(Change::RemoveFolder(place)),
            Found::File { .. } | Found::Link(_) if !path.ends_with('/') => {
                changes.push(Change::Remove(place));
            }
            _ => {}
        }
    }
    Ok(changes)
}

/// The list is only believed where it stays inside.
fn read_list(host: &Host) -> Result<BTreeSet<String>, Error> {
    let place = format!("{PREFIX}/{LIST}");
    let Some(list) = host.read(&place)? else {
        return Ok(BTreeSet::new());
    };
    let damaged = || Error::List(place.clone());
    let list = String::from_utf8(list).map_err(|_| damaged())?;
    for line in list.lines() {
        let path = line.strip_suffix('/').unwrap_or(line);
        let is_inside =
            line == "./" || path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        if !is_inside {
            return Err(damaged());
        }
    }
    let paths = list.lines().filter(|line| *line != "./");
    Ok(paths.map(str::to_owned).collect())
}

fn read_tree(source: &Path) -> Result<BTreeMap<String, Entry>, Error> {
    let mut tree = BTreeMap::new();
    read_folder(source, "", &mut tree).map_err(|error| Error::Files {
        path: source.to_owned(),
        error,
    })?;
    // That is written here.
    tree.remove(LIST);
    for folder in ["share", "share/km"] {
        tree.entry(folder.to_owned()).or_insert(Entry::Folder);
    }
    if !tree.contains_key("bin/krun") || !tree.contains_key("bin/km") {
        return Err(Error::Files {
            path: source.join("bin"),
            error: io::Error::other("neither km nor krun may be missing there"),
        });
    }
    Ok(tree)
}

fn read_folder(folder: &Path, prefix: &str, tree: &mut BTreeMap<String, Entry>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            return Err(io::Error::other("a name that is not text"));
        };
        if name.contains('\n') {
            return Err(io::Error::other("a name with a line end"));
        }
        let path = format!("{prefix}{name}");
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            read_folder(&entry.path(), &format!("{path}/"), tree)?;
            tree.insert(path, Entry::Folder);
        } else if metadata.is_symlink() {
            tree.insert(path, Entry::Link(fs::read_link(entry.path())?));
        } else {
            let is_program = metadata.permissions().mode() & 0o100 != 0;
            let mode = if is_program { 0o755 } else { 0o644 };
            let contents = fs::read(entry.path())?;
            tree.insert(path, Entry::File { contents, mode });
        }
    }
    Ok(())
}
