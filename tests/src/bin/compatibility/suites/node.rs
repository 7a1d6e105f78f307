//! Node's own tests, those that stand on the operating system.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::source;
use crate::attend::Attempt;
use crate::outcome::{Outcome, Results};
use crate::suite::{Job, Limits, Run, Suite, Transcript, package_version};

const NODE: &str = "/usr/bin/node";

const FOLDERS: [&str; 2] = ["parallel", "sequential"];

/// With these words the names of the scripts begin, after `test-`.
const SUBJECTS: &str = "abort atomics broadcast child-process cluster cwd dgram dns file fork fs http https kill listen \
    messageport net os pipe process set shutdown sigint signal spawn stdin stdio stdout tcp timers tls tty umask unix uv \
    worker";

#[derive(Debug)]
pub struct Node;

impl Suite for Node {
    fn name(&self) -> &'static str {
        "node"
    }

    fn title(&self) -> &'static str {
        "Node's tests"
    }

    fn about(&self) -> String {
        "Of the Debian source package, run by root with the Node that is installed: the scripts in `test/parallel` and \
         `test/sequential` on processes, threads, signals, files, sockets and time. A script is one test. Where another version \
         of Node is installed, some fail natively."
            .into()
    }

    fn items_are(&self) -> &'static str {
        "scripts"
    }

    fn packages(&self) -> Vec<String> {
        ["nodejs", "dpkg-dev"].map(String::from).into()
    }

    fn prepare(&self, prepared: &Path) -> io::Result<()> {
        source::unpack("nodejs", prepared).map(|_| ())
    }

    fn version(&self, prepared: &Path) -> io::Result<String> {
        let version = source::version(&prepared.join("source"))?;
        Ok(format!(
            "{}, tests of {version}",
            package_version("nodejs")?
        ))
    }

    fn items(&self, prepared: &Path) -> io::Result<Vec<String>> {
        let mut items = Vec::new();
        for folder in FOLDERS {
            for entry in fs::read_dir(prepared.join("source/test").join(folder))? {
                let name = entry?.file_name().to_string_lossy().into_owned();
                let is_script = name.ends_with(".js") || name.ends_with(".mjs");
                if is_script && is_wanted(&name) {
                    items.push(format!("{folder}/{name}"));
                }
            }
        }
        items.sort();
        Ok(items)
    }

    fn at_once(&self) -> usize {
        1
    }

    fn limits(&self, _item: &str, native: Option<Duration>) -> Limits {
        let total = native.map_or(Duration::from_secs(20), |native| {
            Duration::from_secs(60) + 10 * native
        });
        Limits {
            total,
            silence: total,
        }
    }

    fn job(&self, run: &Run) -> io::Result<Job> {
        let source = run.prepared.join("source");
        let script = format!("test/{}", run.item);
        let text = fs::read_to_string(source.join(&script))?;
        let mut words = vec![NODE.to_owned()];
        words.extend(options(&text).map(String::from));
        words.push(script);
        let home = run.directory.display().to_string();
        let environment = [("NODE_TEST_DIR", home.as_str()), ("TEST_THREAD_ID", "0")];
        Ok(Job {
            words,
            directory: source,
            environment: environment.map(|(k, v)| (k.into(), v.into())).into(),
        })
    }

    fn parse(&self, item: &str, attempt: &Attempt) -> Transcript {
        let is_skipped = attempt
            .text
            .lines()
            .any(|line| line.starts_with("1..0 # Skip"));
        let outcome = match attempt.status {
            None => Outcome::Unfinished,
            Some(status) if !status.success() => Outcome::Failed,
            Some(_) if is_skipped => Outcome::Skipped,
            Some(_) => Outcome::Passed,
        };
        Transcript {
            results: Results::from([(item.into(), outcome)]),
            is_complete: true,
            has_ended: true,
        }
    }
}

/// Of `test-http-agent.js` it is `http`.
fn is_wanted(name: &str) -> bool {
    let name = name.strip_prefix("test-").unwrap_or(name);
    SUBJECTS.split_whitespace().any(|subject| {
        let rest = name.strip_prefix(subject);
        rest.is_some_and(|rest| rest.starts_with(['-', '.']))
    })
}

/// In `// Flags: --expose-gc`.
fn options(script: &str) -> impl Iterator<Item = &str> {
    let lines = script.lines();
    let line = lines
        .filter_map(|line| line.strip_prefix("// Flags:"))
        .next();
    line.unwrap_or_default().split_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_chosen_by_their_subject() {
        assert!(is_wanted("test-http-agent.js"));
        assert!(is_wanted("test-os.js"));
        assert!(!is_wanted("test-http2-agent.js"));
        assert!(!is_wanted("test-assert.js"));
    }

    #[test]
    fn a_script_has_its_own_options() {
        let script = "'use strict';\n// Flags: --expose-gc --no-warnings\n";
        let words: Vec<&str> = options(script).collect();
        assert_eq!(words, ["--expose-gc", "--no-warnings"]);
        assert_eq!(options("text\n").count(), 0);
    }
}
