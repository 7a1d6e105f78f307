//! Why tests that pass natively do not under km: a committed file for each
//! suite, a test or an item a line, a tabulator, and a sentence.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::suite::Suite;

#[derive(Debug, Default)]
pub struct Causes {
    /// An id, an item, or how they begin (`begin*`); and the sentence.
    lines: Vec<(String, String)>,
}

impl Causes {
    pub fn file(folder: &Path, suite: &dyn Suite) -> PathBuf {
        folder.join(format!("causes/{}.tsv", suite.name()))
    }

    pub fn read(path: &Path) -> io::Result<Causes> {
        match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Causes::default()),
            text => Causes::parse(&text?)
                .map_err(|line| io::Error::other(format!("{}: {line}", path.display()))),
        }
    }

    /// Of a test of an item.
    pub fn of(&self, item: &str, id: &str) -> Option<&str> {
        let mut lines = self.lines.iter();
        let (_, cause) = lines.find(|(name, _)| fits(name, id) || fits(name, item))?;
        Some(cause)
    }

    /// The names that none of these tests, with their items, needs.
    pub fn idle<'a>(&'a self, needed: &[(&str, &str)]) -> Vec<&'a str> {
        let is_needed = |name: &str| {
            needed
                .iter()
                .any(|(item, id)| fits(name, id) || fits(name, item))
        };
        let names = self.lines.iter().map(|(name, _)| name.as_str());
        names.filter(|name| !is_needed(name)).collect()
    }

    /// Fails with the line that it does not understand.
    pub fn parse(text: &str) -> Result<Causes, String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.map(|line| match line.split_once('\t') {
            Some((name, cause)) if !name.is_empty() && !cause.is_empty() => {
                Ok((name.into(), cause.into()))
            }
            _ => Err(line.to_owned()),
        });
        Ok(Causes {
            lines: pairs.collect::<Result<_, _>>()?,
        })
    }
}

fn fits(name: &str, id: &str) -> bool {
    match name.strip_suffix('*') {
        Some(begin) => id.starts_with(begin),
        None => name == id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_has_its_own_cause_or_its_items() {
        let causes = Causes::parse("# head\nx.a\tone\nx.b*\ttwo\ny\tthree\nz\tfour\n");
        let causes = causes.expect("parsed");
        assert_eq!(causes.of("x", "x.a"), Some("one"));
        assert_eq!(causes.of("x", "x.bc"), Some("two"));
        assert_eq!(causes.of("y", "y.a"), Some("three"));
        assert_eq!(causes.of("x", "x.ab"), None);
        assert_eq!(causes.idle(&[("x", "x.a"), ("y", "y.a")]), ["x.b*", "z"]);
    }

    #[test]
    fn a_name_without_a_cause_is_an_error() {
        for line in ["x", "x\t", "\tcause"] {
            assert!(Causes::parse(line).is_err(), "{line}");
        }
    }
}
