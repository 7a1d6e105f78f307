//! The crates that km and krun are linked from, and Rust's own library.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{Component, Part, Result, output};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// How the files with licence texts begin.
const TEXTS: [&str; 6] = [
    "LICENSE",
    "LICENCE",
    "COPYING",
    "COPYRIGHT",
    "NOTICE",
    "UNLICENSE",
];

/// The program itself.
#[derive(Debug)]
pub struct Own {
    pub name: String,
    pub root: PathBuf,
    pub version: String,
    pub licence: String,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_root: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
    repository: Option<String>,
    manifest_path: PathBuf,
}

impl Package {
    fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new("."))
    }
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    version: String,
    checksum: Option<String>,
}

fn metadata() -> Result<Metadata> {
    let text = cargo(&[
        "metadata",
        "--locked",
        "--format-version=1",
        "--filter-platform",
        TARGET,
    ])?;
    Ok(serde_json::from_str(&text)?)
}

fn cargo(args: &[&str]) -> Result<String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    output(&cargo, args)
}

/// The first of these programs of the workspace, and what all of them are linked from.
pub fn own_and_components(names: &[&str]) -> Result<(Own, Vec<Component>)> {
    let name = *names.first().ok_or("no program is named")?;
    let metadata = metadata()?;
    let program = metadata
        .packages
        .iter()
        .find(|package| package.name == name && package.source.is_none());
    let program = program.ok_or_else(|| format!("{name} is not in this workspace"))?;
    let own = Own {
        name: name.to_owned(),
        root: metadata.workspace_root.clone(),
        version: program.version.clone(),
        licence: program.license.clone().unwrap_or_default(),
    };
    Ok((own, components(names, metadata)?))
}

fn components(names: &[&str], metadata: Metadata) -> Result<Vec<Component>> {
    let packages = names.iter().flat_map(|name| ["--package", name]);
    let mut args = vec!["tree", "--locked"];
    args.extend(packages);
    args.extend([
        "--target",
        TARGET,
        "--edges",
        "normal,no-proc-macro",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    let tree = cargo(&args)?;
    let linked = linked(&tree);
    let checksums = checksums(&fs::read_to_string(
        metadata.workspace_root.join("Cargo.lock"),
    )?)?;
    let mut components = Vec::new();
    for package in &metadata.packages {
        let id = (package.name.clone(), package.version.clone());
        // What has no source is the workspace's own.
        if package.source.is_none() || !linked.contains(&id) {
            continue;
        }
        let checksum = checksums.get(&id).cloned();
        let (name, version) = id;
        let mut texts = texts(package.folder())?;
        let licence = package.license.clone().unwrap_or_default();
        let licence = licence.replace('/', " OR ");
        // Some leave the text out where it is the well-known one.
        if texts.is_empty() && licence.contains("Apache-2.0") {
            texts.push((
                metadata.workspace_root.join("LICENSE"),
                "LICENSE-APACHE".into(),
            ));
        }
        // Or where another crate from the same place has it.
        if texts.is_empty() {
            texts = texts_of_kin(package, &metadata.packages)?;
        }
        components.push(Component {
            purl: Some(format!("pkg:cargo/{name}@{version}")),
            name,
            version,
            licence,
            checksum,
            comment: None,
            part: Part::Km,
            texts,
        });
    }
    components.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    components.push(standard_library()?);
    Ok(components)
}

/// Names and versions in the lines of `cargo tree`.
fn linked(tree: &str) -> BTreeSet<(String, String)> {
    tree.lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
            Some((name.to_owned(), version.to_owned()))
        })
        .collect()
}

/// The checksums in a `Cargo.lock`.
fn checksums(lock: &str) -> Result<HashMap<(String, String), String>> {
    let lock: Lock = toml::from_str(lock)?;
    let checksum = |locked: Locked| Some(((locked.name, locked.version), locked.checksum?));
    Ok(lock.package.into_iter().filter_map(checksum).collect())
}

/// The texts of a crate with the same licence, out of the same repository.
fn texts_of_kin(package: &Package, all: &[Package]) -> Result<Vec<(PathBuf, String)>> {
    let is_kin = |other: &&Package| {
        package.repository.is_some()
            && other.repository == package.repository
            && other.license == package.license
    };
    for other in all.iter().filter(is_kin) {
        let texts = texts(other.folder())?;
        if !texts.is_empty() {
            return Ok(texts);
        }
    }
    Ok(Vec::new())
}

fn texts(folder: &Path) -> Result<Vec<(PathBuf, String)>> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if TEXTS
            .iter()
            .any(|text| name.to_uppercase().starts_with(text))
            && entry.path().is_file()
        {
            texts.push((entry.path(), name));
        }
    }
    texts.sort();
    Ok(texts)
}

fn standard_library() -> Result<Component> {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let said = output(&rustc, &["-vV"])?;
    let value = |key: &str| {
        let value = said
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
        value.unwrap_or("unknown").to_owned()
    };
    let sysroot = PathBuf::from(output(&rustc, &["--print", "sysroot"])?.trim());
    let texts = sysroot.join("share/doc/rust");
    Ok(Component {
        name: "rust-std".to_owned(),
        version: value("release"),
        licence: "MIT OR Apache-2.0".to_owned(),
        purl: Some(format!(
            "pkg:github/rust-lang/rust@{}",
            value("commit-hash")
        )),
        checksum: None,
        comment: Some("Rust's library, with the crates it is made of itself".to_owned()),
        part: Part::Km,
        texts: vec![
            (
                texts.join("COPYRIGHT-library.html"),
                "COPYRIGHT-library.html".to_owned(),
            ),
            (
                texts.join("licenses/Apache-2.0.txt"),
                "Apache-2.0.txt".to_owned(),
            ),
            (texts.join("licenses/MIT.txt"), "MIT.txt".to_owned()),
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linked_crates_are_read_from_the_tree() {
        let tree = "km v0.1.0 (/somewhere/km)\nlibc v0.2.1\nlibc v0.2.1 (*)\n\n";
        let expected = [("km", "0.1.0"), ("libc", "0.2.1")];
        let expected = expected.map(|(name, version)| (name.to_owned(), version.to_owned()));
        assert_eq!(linked(tree), BTreeSet::from(expected));
    }

    #[test]
    fn a_checksum_belongs_to_a_version() {
        let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nchecksum = \"01\"\n\n\
                    [[package]]\nname = \"a\"\nversion = \"2.0.0\"\ndependencies = [\n \"b\",\n]\n";
        let checksums = checksums(lock).expect("a lock");
        assert_eq!(checksums.len(), 1);
        assert_eq!(checksums[&("a".to_owned(), "1.0.0".to_owned())], "01");
    }
}
