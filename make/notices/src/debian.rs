//! What the runtime is built from, and what km is linked with beside Rust: all
//! of it comes in packages of the distribution.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Component, Part, Result, output};

const GCC_LICENCE: &str = "GPL-3.0-or-later WITH GCC-exception-3.1";

/// `sources` has source packages as they were fetched, `work` what was made of them.
pub fn components(sources: &Path, work: &Path) -> Result<Vec<Component>> {
    let release = release(&fs::read_to_string("/etc/os-release")?);
    let component =
        |source: &Source, licence: &str, part, comment: &str, texts: Vec<PathBuf>| Component {
            name: source.name.clone(),
            version: source.version.clone(),
            licence: licence.to_owned(),
            purl: Some(purl(source, &release)),
            checksum: source.checksum.clone(),
            comment: Some(comment.to_owned()),
            part,
            texts: texts.into_iter().map(named).collect(),
        };
    let compiler = compiler_source()?;
    let gcc_texts = vec![
        work.join("gcc/COPYING3"),
        work.join("gcc/COPYING.RUNTIME"),
        doc(&compiler.package),
    ];
    Ok(vec![
        component(
            &installed("libc6-dev")?,
            "LGPL-2.1-or-later",
            Part::Km,
            "glibc, linked into km; with km's source it can be linked with another version",
            vec![
                doc("libc6-dev"),
                "/usr/share/common-licenses/LGPL-2.1".into(),
            ],
        ),
        component(
            &musl_source(&sources.join("musl"))?,
            "MIT",
            Part::Runtime,
            "runtime/ and headers of it, changed by the patches in runtime/libc of km's source",
            vec![work.join("musl/COPYRIGHT")],
        ),
        component(
            &compiler,
            GCC_LICENCE,
            Part::Both,
            "libstdc++ in lib/ and include/c++, and parts of libgcc in libraries and in km",
            gcc_texts,
        ),
        component(
            &installed("linux-libc-dev")?,
            "GPL-2.0-only WITH Linux-syscall-note",
            Part::Runtime,
            "the kernel's headers in include/",
            vec![
                doc("linux-libc-dev"),
                "/usr/share/common-licenses/GPL-2".into(),
            ],
        ),
    ])
}

/// A source package.
#[derive(Debug, Default, PartialEq, Eq)]
struct Source {
    /// The package that is installed of it.
    package: String,
    name: String,
    version: String,
    checksum: Option<String>,
}

/// That of the machine's own g++.
fn compiler_source() -> Result<Source> {
    let version = output("g++", &["-dumpversion"])?;
    let version = version.trim().split('.').next().unwrap_or_default();
    let mut source = installed(&format!("gcc-{version}-source"))?;
    for entry in fs::read_dir(format!("/usr/src/gcc-{version}"))? {
        let path = entry?.path().to_string_lossy().into_owned();
        if path.ends_with(".tar.xz") {
            let said = output("sha256sum", &[&path])?;
            source.checksum = said.split_whitespace().next().map(str::to_owned);
        }
    }
    Ok(source)
}

fn installed(package: &str) -> Result<Source> {
    let format = "${source:Package} ${source:Version}\n";
    let said = output("dpkg-query", &["-W", "-f", format, package])?;
    let (name, version) = said
        .lines()
        .next()
        .and_then(|line| line.split_once(' '))
        .ok_or_else(|| format!("dpkg-query says nothing of {package}"))?;
    Ok(Source {
        package: package.to_owned(),
        name: name.to_owned(),
        version: version.to_owned(),
        checksum: None,
    })
}

/// The C library's, from the description that was fetched with it.
fn musl_source(folder: &Path) -> Result<Source> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "dsc") {
            return described(&fs::read_to_string(&path)?)
                .ok_or_else(|| format!("{}: not clear", path.display()).into());
        }
    }
    Err(format!("{}: no source package", folder.display()).into())
}

fn described(description: &str) -> Option<Source> {
    let value = |key: &str| {
        description
            .lines()
            .find_map(|line| line.strip_prefix(key))
            .map(str::trim)
    };
    let checksum = description
        .lines()
        .skip_while(|line| !line.starts_with("Checksums-Sha256:"))
        .skip(1)
        .take_while(|line| line.starts_with(' '))
        .find(|line| line.contains(".orig.tar."))?;
    Some(Source {
        package: String::new(),
        name: value("Source:")?.to_owned(),
        version: value("Version:")?.to_owned(),
        checksum: checksum.split_whitespace().next().map(str::to_owned),
    })
}

/// `debian-12` of an `os-release(5)`.
fn release(text: &str) -> String {
    let value = |key: &str| {
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        value.unwrap_or_default().trim_matches('"').to_owned()
    };
    format!("{}-{}", value("ID"), value("VERSION_ID"))
}

fn purl(source: &Source, release: &str) -> String {
    let vendor = release.split('-').next().unwrap_or_default();
    let version = source.version.replace('+', "%2B").replace(':', "%3A");
    format!(
        "pkg:deb/{vendor}/{}@{version}?arch=source&distro={release}",
        source.name
    )
}

fn doc(package: &str) -> PathBuf {
    Path::new("/usr/share/doc").join(package).join("copyright")
}

fn named(path: PathBuf) -> (PathBuf, String) {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    (path, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_package_describes_itself() {
        let description = "Source: musl\nBinary: musl, musl-dev\nVersion: 1.2.3-1\nChecksums-Sha1:\n 00 9 \
                           musl_1.2.3.orig.tar.gz\nChecksums-Sha256:\n 01 9 musl_1.2.3.orig.tar.gz\n 02 9 x\nFiles:\n";
        let source = described(description).expect("clear");
        assert_eq!(
            (source.name.as_str(), source.version.as_str()),
            ("musl", "1.2.3-1")
        );
        assert_eq!(source.checksum.as_deref(), Some("01"));
        assert_eq!(described("Source: musl\n"), None);
    }

    #[test]
    fn a_package_url_is_escaped() {
        let source = Source {
            name: "gcc-12".into(),
            version: "12.2.0-14+deb12u1".into(),
            ..Source::default()
        };
        let release = release("NAME=\"Debian\"\nVERSION_ID=\"12\"\nID=debian\n");
        let expected = "pkg:deb/debian/gcc-12@12.2.0-14%2Bdeb12u1?arch=source&distro=debian-12";
        assert_eq!(purl(&source, &release), expected);
    }
}
