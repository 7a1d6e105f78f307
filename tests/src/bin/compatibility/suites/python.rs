//! `CPython`'s own regression suite, as Debian packages it, and with the static
//! interpreter of `payloads/python`.

mod transcript;

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{payload, source};
use crate::attend::Attempt;
use crate::outcome::Outcome;
use crate::suite::{Job, Run, Suite, Transcript, package_version};

const DEBIAN: &str = "/usr/bin/python3";

/// What the tests may use. The rest is other people's servers, and gigabytes of
/// disk.
const RESOURCES: &str = "all,-network,-largefile,-urlfetch";

/// The codes with which the suite ends by itself: all passed, a test failed, a
/// test changed something it should not have, no test was left to run.
const OWN_CODES: [i32; 4] = [0, 2, 3, 4];

/// Those that take half a minute or more natively.
const LONG: [&str; 34] = [
    "test_asyncio",
    "test_capi",
    "test_cmd_line_script",
    "test_compileall",
    "test_cppext",
    "test_distutils",
    "test_dtrace",
    "test_ensurepip",
    "test_gdb",
    "test_httplib",
    "test_idle",
    "test_imaplib",
    "test_largefile",
    "test_embed",
    "test_peg_generator",
    "test_regrtest",
    "test_socket",
    "test_ssl",
    "test_statistics",
    "test_strptime",
    "test_subprocess",
    "test_threading",
    "test_signal",
    "test_lib2to3",
    "test_zipfile",
    "test_venv",
    "test_io",
    "test_tokenize",
    "test_decimal",
    "test_tools",
    "test_concurrent_futures",
    "test_multiprocessing_fork",
    "test_multiprocessing_forkserver",
    "test_multiprocessing_spawn",
];

#[derive(Debug)]
pub enum Python {
    Debian,
    Payload,
}

impl Python {
    fn program(&self, prepared: &Path) -> String {
        match self {
            Python::Debian => DEBIAN.into(),
            Python::Payload => payload::path(prepared, "python/python.km"),
        }
    }
}

impl Suite for Python {
    fn name(&self) -> &'static str {
        match self {
            Python::Debian => "python",
            Python::Payload => "payload-python",
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Python::Debian => "CPython's regression suite",
            Python::Payload => "Payload python: CPython's regression suite",
        }
    }

    fn about(&self) -> String {
        let which = match self {
            Python::Debian => "as Debian packages it, by root: every module there is",
            Python::Payload => {
                "by root, with the static interpreter of `payloads/python` and km's own C library. It loads no modules, so \
                 tests of `ctypes` and of what is built as an extension skip themselves or fail natively"
            }
        };
        format!(
            "`python3 -m test -v -u {RESOURCES}`, {which}. A test is a method of \
             `unittest` or a `doctest`. It counts as failed if one of its subtests fails."
        )
    }

    fn items_are(&self) -> &'static str {
        "modules"
    }

    fn packages(&self) -> Vec<String> {
        if let Python::Payload = self {
            return payload::packages(&["perl", "python3", "tcl"]);
        }
        // The suite is packaged for each version; without Python that is not known.
        let python = "python3".to_owned();
        [Some(python), package().ok()]
            .into_iter()
            .flatten()
            .collect()
    }

    fn prepare(&self, prepared: &Path) -> io::Result<()> {
        match self {
            Python::Debian => Ok(()),
            Python::Payload => payload::build(prepared, "python", "all"),
        }
    }

    fn version(&self, prepared: &Path) -> io::Result<String> {
        match self {
            Python::Debian => package_version(&package()?),
            Python::Payload => source::version(payload::path(prepared, "python/src").as_ref()),
        }
    }

    fn items(&self, prepared: &Path) -> io::Result<Vec<String>> {
        let listed = ask(&self.program(prepared), &["-m", "test", "--list-tests"])?;
        let mut items: Vec<String> = listed.split_whitespace().map(String::from).collect();
        items.sort_by_key(|item| LONG.iter().position(|long| long == item));
        Ok(items)
    }

    fn job(&self, run: &Run) -> io::Result<Job> {
        let mut words = vec![self.program(run.prepared)];
        words.extend(["-m", "test", "-v", "-u", RESOURCES].map(String::from));
        for (option, ids) in [("--matchfile", run.only), ("--ignorefile", run.without)] {
            if !ids.is_empty() {
                let list = run.directory.join(option.trim_start_matches('-'));
                let lines: Vec<&str> = ids.iter().map(String::as_str).collect();
                fs::write(&list, lines.join("\n"))?;
                words.extend([option.to_owned(), list.display().to_string()]);
            }
        }
        words.push(run.item.into());
        Ok(Job::new(run, words))
    }

    fn parse(&self, item: &str, attempt: &Attempt) -> Transcript {
        let mut text = transcript::parse(item, &attempt.text);
        let code = attempt.status.and_then(|status| status.code());
        let has_ended = code.is_some_and(|code| OWN_CODES.contains(&code));
        if text.skipped {
            text.results.insert(item.into(), Outcome::Skipped);
        }
        Transcript {
            results: text.results,
            is_complete: text.finished || text.skipped,
            has_ended: has_ended || text.skipped,
        }
    }

    /// What is set up for a class or a module has no id of its own.
    fn can_select(&self, id: &str) -> bool {
        let shared = [
            "setUpClass",
            "tearDownClass",
            "setUpModule",
            "tearDownModule",
        ];
        id.contains('.') && !shared.iter().any(|name| id.ends_with(name))
    }
}

/// Of the version of Python that is installed.
fn package() -> io::Result<String> {
    let version = ask(
        DEBIAN,
        &["-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
    )?;
    Ok(format!("libpython{version}-testsuite"))
}

fn ask(python: &str, args: &[&str]) -> io::Result<String> {
    let output = Command::new(python)
        .args(args)
        .stderr(Stdio::null())
        .output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
