//! Every crate that km is built from may be used, changed and passed on with
//! it.

use std::collections::HashSet;
use std::process::Command;

use libtest_mimic::Trial;
use serde::Deserialize;

use crate::locations::Locations;

/// Licences that ask for no more than a notice.
const PERMISSIVE: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Zlib",
];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
}

pub fn trial(locations: &Locations) -> Trial {
    let root = locations.root.clone();
    Trial::test("licences", move || {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--format-version=1", "--locked"])
            .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
            .current_dir(root)
            .output()?;
        if !output.status.success() {
            return Err(format!("cargo: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        let refused = refused(&serde_json::from_slice(&output.stdout)?);
        if refused.is_empty() {
            Ok(())
        } else {
            Err(refused.join("\n").into())
        }
    })
}

/// The packages in use whose licence is not one of those above.
fn refused(metadata: &Metadata) -> Vec<String> {
    let used: HashSet<&str> = metadata
        .resolve
        .nodes
        .iter()
        .map(|node| node.id.as_str())
        .collect();
    let packages = metadata
        .packages
        .iter()
        .filter(|package| used.contains(package.id.as_str()));
    packages
        .filter(|package| !package.license.as_deref().is_some_and(allows))
        .map(|package| {
            let license = package.license.as_deref().unwrap_or("no licence");
            format!("{} {}: {license}", package.name, package.version)
        })
        .collect()
}

/// Whether a licence expression (SPDX, and `/` as older crates write "or")
/// leaves a choice of permissive licences. AND binds closer than OR.
fn allows(expression: &str) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    let allowed = any(&mut rest);
    allowed == Some(true) && rest.is_empty()
}

fn any(words: &mut &[&str]) -> Option<bool> {
    let mut allowed = all(words)?;
    while take(words, "OR") {
        allowed |= all(words)?;
    }
    Some(allowed)
}

fn all(words: &mut &[&str]) -> Option<bool> {
    let mut allowed = one(words)?;
    while take(words, "AND") {
        allowed &= one(words)?;
    }
    Some(allowed)
}

fn one(words: &mut &[&str]) -> Option<bool> {
    if take(words, "(") {
        let allowed = any(words)?;
        return take(words, ")").then_some(allowed);
    }
    let (licence, rest) = words.split_first()?;
    *words = rest;
    if !take(words, "WITH") {
        return Some(PERMISSIVE.contains(licence));
    }
    let (exception, rest) = words.split_first()?;
    *words = rest;
    Some(PERMISSIVE.contains(&format!("{licence} WITH {exception}").as_str()))
}

fn take(words: &mut &[&str], word: &str) -> bool {
    match words.split_first() {
        Some((first, rest)) if *first == word => {
            *words = rest;
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::allows;

    #[test]
    fn a_permissive_choice_is_enough() {
        for expression in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-3.0 OR MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
            "GPL-2.0 AND MIT OR BSD-3-Clause",
        ] {
            assert!(allows(expression), "{expression}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for expression in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "GPL-2.0 WITH Classpath-exception-2.0",
            "MIT AND (GPL-2.0 OR LGPL-2.1)",
            "(MIT",
            "MIT MIT",
            "MIT OR",
        ] {
            assert!(!allows(expression), "{expression}");
        }
    }
}
