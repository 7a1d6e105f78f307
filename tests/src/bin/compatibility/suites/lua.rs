//! Lua's own tests, with the interpreter of `payloads/lua`.

use std::io;
use std::path::Path;
use std::process::Command;

use super::payload;
use super::source::{self, succeed};
use crate::attend::Attempt;
use crate::outcome::{Outcome, Results};
use crate::suite::{Job, Run, Suite, Transcript};

/// One runs all the others, one takes all memory, one has to be in a coroutine,
/// and two are parts of others.
const NO_TESTS: [&str; 5] = [
    "all.lua",
    "heavy.lua",
    "big.lua",
    "bwcoercion.lua",
    "tracegc.lua",
];

/// The rest of these would not be reached: they want a standard input that cannot
/// seek, and glibc's order of letters.
const PORTABLE: [&str; 2] = ["files.lua", "strings.lua"];

#[derive(Debug)]
pub struct Lua;

impl Suite for Lua {
    fn name(&self) -> &'static str {
        "payload-lua"
    }

    fn title(&self) -> &'static str {
        "Payload lua: Lua's own tests"
    }

    fn about(&self) -> String {
        "The tests of Lua 5.4.4, which are in the source of the package `lupa` 2.0 of PyPI (Debian has them not), by root, with \
         the static interpreter of `payloads/lua` and km's own C library. A file is one test; `files.lua` and \
         `strings.lua` are run as portable tests. Those that need Lua's internal \
         test library skip themselves, in part or, `api.lua` and `code.lua`, as a whole."
            .into()
    }

    fn items_are(&self) -> &'static str {
        "files"
    }

    fn packages(&self) -> Vec<String> {
        payload::packages(&["python3-pip"])
    }

    fn prepare(&self, prepared: &Path) -> io::Result<()> {
        payload::build(prepared, "lua", "tests")
    }

    fn version(&self, prepared: &Path) -> io::Result<String> {
        source::version(payload::path(prepared, "lua/src").as_ref())
    }

    fn items(&self, prepared: &Path) -> io::Result<Vec<String>> {
        let folder = payload::path(prepared, "lua");
        let files = source::files(folder.as_ref(), "tests", ".lua")?;
        let names = files.iter().filter_map(|file| file.strip_prefix("tests/"));
        let names = names.filter(|name| !name.contains('/') && !NO_TESTS.contains(name));
        Ok(names.map(String::from).collect())
    }

    fn job(&self, run: &Run) -> io::Result<Job> {
        // The tests write beside themselves.
        let tests = payload::path(run.prepared, "lua/tests");
        let mut copy = Command::new("cp");
        succeed(copy.args(["-r", "-T", &tests]).arg(run.directory))?;
        let mut words = vec![payload::path(run.prepared, "lua/lua.km")];
        if PORTABLE.contains(&run.item) {
            words.extend(["-e", "_port = true"].map(String::from));
        }
        words.push(run.item.into());
        Ok(Job::new(run, words))
    }

    fn parse(&self, item: &str, attempt: &Attempt) -> Transcript {
        let outcome = match attempt.status {
            None => Outcome::Unfinished,
            Some(status) if !status.success() => Outcome::Failed,
            // Said of a part of a file as well.
            Some(_) if attempt.text.contains("skipping") && !attempt.text.contains("OK") => {
                Outcome::Skipped
            }
            Some(_) => Outcome::Passed,
        };
        Transcript {
            results: Results::from([(item.into(), outcome)]),
            is_complete: true,
            has_ended: true,
        }
    }
}
