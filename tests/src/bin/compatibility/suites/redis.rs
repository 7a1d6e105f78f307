//! Redis' own tests, with the server of `payloads/redis`.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::source::succeed;
use super::{payload, source};
use crate::attend::Attempt;
use crate::outcome::{Outcome, Results, note};
use crate::suite::{Job, Limits, Run, Suite, Transcript};

const TCLSH: &str = "/usr/bin/tclsh";

/// What the tests look for in `src`, and what it is here: the programs that
/// check files are the server by another name.
const PROGRAMS: [(&str, &str); 5] = [
    ("redis-server", "redis-server.km"),
    ("redis-cli", "redis-cli.km"),
    ("redis-benchmark", "redis-benchmark.km"),
    ("redis-check-aof", "redis-server.km"),
    ("redis-check-rdb", "redis-server.km"),
];

/// Two are run at a time, and must not take each other's.
const FIRST_PORT: usize = 12_000;
const PORTS: usize = 100;
/// Below its first port a run looks for one of its own.
const OWN_PORTS: usize = 32;

/// Those that take a minute or more natively.
const LONG: [&str; 16] = [
    "unit/type/zset",
    "unit/type/list",
    "unit/aofrw",
    "unit/limits",
    "unit/cluster/links",
    "unit/client-eviction",
    "unit/maxmemory",
    "unit/memefficiency",
    "unit/obuf-limits",
    "integration/corrupt-dump",
    "integration/corrupt-dump-fuzzer",
    "integration/psync2",
    "integration/replication",
    "integration/replication-3",
    "integration/replication-4",
    "integration/replication-psync",
];

#[derive(Debug)]
pub struct Redis;

impl Suite for Redis {
    fn name(&self) -> &'static str {
        "payload-redis"
    }

    fn title(&self) -> &'static str {
        "Payload redis: Redis' own tests"
    }

    fn about(&self) -> String {
        "Those that `runtest` of the Debian source runs, by root, with the static programs of `payloads/redis` and km's own C \
         library. Their driver, the machine's `tclsh`, and what it starts run under km as well. Those that take very long or \
         much memory, and those of TLS, skip themselves."
            .into()
    }

    fn items_are(&self) -> &'static str {
        "units"
    }

    fn packages(&self) -> Vec<String> {
        payload::packages(&["tcl", "procps"])
    }

    fn prepare(&self, prepared: &Path) -> io::Result<()> {
        payload::build(prepared, "redis", "all")
    }

    fn version(&self, prepared: &Path) -> io::Result<String> {
        source::version(payload::path(prepared, "redis/src").as_ref())
    }

    fn items(&self, prepared: &Path) -> io::Result<Vec<String>> {
        let driver = payload::path(prepared, "redis/src/tests/test_helper.tcl");
        let mut units = units(&fs::read_to_string(driver)?);
        units.sort_by_key(|unit| LONG.iter().position(|long| long == unit));
        Ok(units)
    }

    fn limits(&self, _item: &str, native: Option<Duration>) -> Limits {
        // The driver ends a test that is silent for as long as it is told.
        let total = native.map_or(Duration::from_secs(900), |native| {
            Duration::from_secs(900) + 10 * native
        });
        Limits {
            total,
            silence: total,
        }
    }

    fn job(&self, run: &Run) -> io::Result<Job> {
        let source = payload::path(run.prepared, "redis/src");
        let source = Path::new(&source);
        // The tests write into their folder.
        let copied = run.directory.join("tests");
        succeed(
            Command::new("cp")
                .arg("-r")
                .args([&source.join("tests"), &copied]),
        )?;
        for name in ["utils", "redis.conf"] {
            symlink(source.join(name), run.directory.join(name))?;
        }
        let programs = run.directory.join("src");
        fs::create_dir(&programs)?;
        for (name, program) in PROGRAMS {
            let program = payload::path(run.prepared, &format!("redis/{program}"));
            symlink(program, programs.join(name))?;
        }
        let all = self.items(run.prepared)?;
        let number = all.iter().position(|unit| unit == run.item).unwrap_or(0);
        let port = FIRST_PORT + number * (PORTS + OWN_PORTS);
        let words = format!(
            "{TCLSH} tests/test_helper.tcl --clients 1 --timeout 300 --baseport {port} --portcount {PORTS} --single {}",
            run.item
        );
        Ok(Job::new(run, words.split(' ').map(String::from).collect()))
    }

    fn parse(&self, item: &str, attempt: &Attempt) -> Transcript {
        let results = results(item, &attempt.text);
        let has_failed = results.values().any(|outcome| *outcome == Outcome::Failed);
        let code = attempt.status.and_then(|status| status.code());
        Transcript {
            is_complete: attempt.text.contains("The End"),
            has_ended: code == Some(0) || (code == Some(1) && has_failed),
            results,
        }
    }
}

/// Between `set ::all_tests {` and `}`.
fn units(driver: &str) -> Vec<String> {
    let list = driver.split_once("set ::all_tests {");
    let list = list.and_then(|(_, rest)| rest.split_once('}'));
    let words = list.map_or("", |(list, _)| list).split_whitespace();
    words.map(String::from).collect()
}

/// `[ok]: NAME (2 ms)`, `[err]: NAME in tests/unit/a.tcl`, `[ignore]: NAME: Tag: ...`.
fn results(unit: &str, text: &str) -> Results {
    let mut results = Results::new();
    for line in text.lines() {
        let Some((word, name)) = line.split_once("]: ") else {
            continue;
        };
        let (outcome, end) = match word {
            "[ok" => (Outcome::Passed, " ("),
            "[err" => (Outcome::Failed, " in tests/"),
            "[ignore" => (Outcome::Skipped, ": Tag: "),
            _ => continue,
        };
        let name = name.rsplit_once(end).map_or(name, |(name, _)| name);
        note(&mut results, format!("{unit} {name}"), outcome);
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
[ready]: 1234
Testing unit/a
[ok]: one (of two) (0 ms)
[err]: two in tests/unit/a.tcl
Expected '1' to be equal to '2'
[ok]: two (1 ms)
[ignore]: three: Tag: large-memory denied
[1/1 done]: unit/a (1 seconds)
*** [err]: two in tests/unit/a.tcl
";

    #[test]
    fn every_test_has_its_result() {
        let results: Vec<_> = results("unit/a", TEXT).into_iter().collect();
        let wanted = [
            ("unit/a one (of two)", Outcome::Passed),
            ("unit/a three", Outcome::Skipped),
            ("unit/a two", Outcome::Failed),
        ];
        let wanted: Vec<_> = wanted.map(|(id, o)| (id.to_owned(), o)).into();
        assert_eq!(results, wanted);
    }

    #[test]
    fn the_units_are_the_drivers() {
        let driver = "set ::x {}\nset ::all_tests {\n    unit/a\n    unit/b\n}\nset ::y {}\n";
        assert_eq!(units(driver), ["unit/a", "unit/b"]);
    }
}
