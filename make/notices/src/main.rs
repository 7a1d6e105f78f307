//! `km-notices OUT SOURCES WORK`: what has to go along with km and its
//! runtime. Below `OUT/share/km`, `licences` has the licence texts of all that
//! is passed on, and `km.spdx.json` says what that is (SPDX 2.3).
//!
//! `SOURCES` is the folder of source packages, `WORK` that of what was unpacked
//! of them.
//!
//! `km-notices --package NAME OUT`: the texts of what one other program of this
//! workspace is linked from, in `OUT`.

mod debian;
mod rust;
mod spdx;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How something is part of what is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Linked into `bin/km`, or krun's programs.
    Km,
    /// Linked into the libraries, or copied.
    Runtime,
    Both,
}

/// One thing that others made.
#[derive(Debug)]
struct Component {
    name: String,
    version: String,
    /// An SPDX expression.
    licence: String,
    /// Package URL, where there is one.
    purl: Option<String>,
    /// SHA-256 of the source, where it is known.
    checksum: Option<String>,
    comment: Option<String>,
    part: Part,
    /// The texts, and the names they are kept by.
    texts: Vec<(PathBuf, String)>,
}

fn main() -> ExitCode {
    let args: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let result = match args.as_slice() {
        [flag, name, out] if flag.as_os_str() == "--package" => {
            write_package(&name.to_string_lossy(), out)
        }
        [out, sources, work] => write(&out.join("share/km"), sources, work),
        _ => {
            eprintln!("usage: km-notices OUT SOURCES WORK, or km-notices --package NAME OUT");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("km-notices: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(out: &Path, sources: &Path, work: &Path) -> Result<()> {
    let (own, mut components) = rust::own_and_components(&["km", "krun"])?;
    components.extend(debian::components(sources, work)?);
    write_licences(&own, &components, &out.join("licences"))?;
    let document = serde_json::to_string_pretty(&spdx::document(&own, &components)?)?;
    fs::write(out.join("km.spdx.json"), document + "\n")?;
    Ok(())
}

fn write_package(name: &str, out: &Path) -> Result<()> {
    let (own, components) = rust::own_and_components(&[name])?;
    write_licences(&own, &components, out)
}

fn write_licences(own: &rust::Own, components: &[Component], licences: &Path) -> Result<()> {
    if licences.exists() {
        fs::remove_dir_all(licences)?;
    }
    fs::create_dir_all(licences)?;
    let name = &own.name;
    fs::copy(own.root.join("LICENSE"), licences.join(name))?;
    let mut table = format!(
        "What {name} {} is made of, and the licences of its parts. Their texts are in the folders of their names.\n\n\
         {name} {}: {}\n",
        own.version, own.version, own.licence
    );
    for component in components {
        let folder = licences.join(format!("{}-{}", component.name, component.version));
        fs::create_dir_all(&folder)?;
        for (text, name) in &component.texts {
            fs::copy(text, folder.join(name))
                .map_err(|error| format!("{}: {error}", text.display()))?;
        }
        if component.texts.is_empty() {
            return Err(
                format!("{} {}: no licence text", component.name, component.version).into(),
            );
        }
        let line = format!(
            "{} {}: {}\n",
            component.name, component.version, component.licence
        );
        table.push_str(&line);
    }
    fs::write(licences.join("README"), table)?;
    Ok(())
}

/// What a command prints.
fn output(program: &str, args: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(args)
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{program} {}: {}", args.join(" "), words.trim()).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}
