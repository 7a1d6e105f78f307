//! What a public test suite has to say of itself to be run natively and under
//! km. `suites/` has a file for each.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::attend::Attempt;
use crate::outcome::Results;
use crate::suites::{
    go::Go, lua::Lua, node::Node, perl::Perl, php::Php, python::Python, redis::Redis, ruby::Ruby,
    sqlite::Sqlite, stress::Stress,
};

/// In the order of the page.
pub const ALL: [&dyn Suite; 11] = [
    &Python::Debian,
    &Go,
    &Node,
    &Perl,
    &Php,
    &Ruby,
    &Stress,
    &Lua,
    &Python::Payload,
    &Redis,
    &Sqlite,
];

pub fn find(name: &str) -> Option<&'static dyn Suite> {
    ALL.into_iter().find(|suite| suite.name() == name)
}

/// `prepared` is always the suite's folder below `build/compatibility/`.
pub trait Suite: Sync {
    /// A short word: for `SUITE=`, and of its files.
    fn name(&self) -> &'static str;

    /// Its section on the page.
    fn title(&self) -> &'static str;

    /// What it is and how it is run, in a few sentences for the page.
    fn about(&self) -> String;

    /// What its items are called, in the plural.
    fn items_are(&self) -> &'static str;

    /// The Debian packages it needs.
    fn packages(&self) -> Vec<String>;

    /// What has to be done once the packages are there: sources unpacked, tests
    /// built. Called before each run: must be quick when all is done.
    fn prepare(&self, _prepared: &Path) -> io::Result<()> {
        Ok(())
    }

    /// Of the suite, so that results can be told apart.
    fn version(&self, prepared: &Path) -> io::Result<String>;

    /// The names of all items, those that take long last.
    fn items(&self, prepared: &Path) -> io::Result<Vec<String>>;

    /// Why, and which items are never run.
    fn left_out(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// How many items are run at a time.
    fn at_once(&self) -> usize {
        2
    }

    /// Whether it is run as a user without any right, in a small file system of
    /// its own. Then `job` cannot leave files for the program.
    fn is_unprivileged(&self) -> bool {
        false
    }

    /// `native` is how long it took natively, if it is now run under km.
    fn limits(&self, _item: &str, native: Option<Duration>) -> Limits {
        match native {
            None => Limits {
                total: Duration::from_secs(1200),
                silence: Duration::from_secs(300),
            },
            // A system call may cost a hundred times as much, a process ten times.
            // One test may be most of an item.
            Some(native) => Limits {
                total: Duration::from_secs(600) + 10 * native,
                silence: Duration::from_secs(300) + 5 * native,
            },
        }
    }

    /// The program that runs an item.
    fn job(&self, run: &Run) -> io::Result<Job>;

    /// What the program has told.
    fn parse(&self, item: &str, attempt: &Attempt) -> Transcript;

    /// Whether `job` heeds what is selected: can leave out this test of an item,
    /// or run it alone.
    fn can_select(&self, _id: &str) -> bool {
        false
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub total: Duration,
    /// Without any output. A hang is found by it, long before the time is up.
    pub silence: Duration,
}

/// A run of an item, on either side.
#[derive(Debug)]
pub struct Run<'a> {
    pub item: &'a str,
    /// Its own and empty; also the home, and for temporary files.
    pub directory: &'a Path,
    #[allow(dead_code, reason = "for suites that have something to prepare")]
    pub prepared: &'a Path,
    /// Only these tests, if there are any.
    pub only: &'a BTreeSet<String>,
    /// Not these tests.
    pub without: &'a BTreeSet<String>,
}

/// A program to be started natively or under km.
#[derive(Debug)]
pub struct Job {
    /// The first is the program's path.
    pub words: Vec<String>,
    /// Where it is started.
    pub directory: PathBuf,
    /// Beside `PATH`, `LANG`, `HOME` and `TMPDIR`.
    pub environment: Vec<(String, String)>,
}

impl Job {
    /// In the run's own directory.
    pub fn new(run: &Run, words: Vec<String>) -> Job {
        Job {
            words,
            directory: run.directory.into(),
            environment: Vec::new(),
        }
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Transcript {
    pub results: Results,
    /// It came to its last test.
    pub is_complete: bool,
    /// The program ended as it does by itself.
    pub has_ended: bool,
}

/// Of the Debian package that is installed.
pub fn package_version(package: &str) -> io::Result<String> {
    let output = Command::new("dpkg-query")
        .args(["-W", "-f=${Version}", package])
        .output()?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if !output.status.success() || version.is_empty() {
        let error = format!("Debian package {package} is not installed");
        return Err(io::Error::other(error));
    }
    Ok(version)
}
