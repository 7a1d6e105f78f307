//! The guest programs of `tests/guests`, each in every link type. What is asked
//! of one stands in comment lines at its head; `tests/guests/README.md` has the
//! keys.

use std::fs;
use std::io;
use std::path::Path;

use crate::case::{Absence, Case, Host};
use crate::job::{End, Job, signal_number};
use crate::locations::Locations;
use crate::machine::is_need;
use crate::nsm;

pub const LINKS: [&str; 7] = [
    "static-musl",
    "static-pie-musl",
    "dynamic-musl",
    "static-glibc",
    "dynamic-glibc",
    "static-kontain",
    "dynamic-kontain",
];

/// Names the runs of one program.
const CASE: &str = "// km-test-case:";
/// Says something about all of them.
const SETTING: &str = "// km-test:";

/// A source whose comment lines cannot be understood.
#[derive(Debug)]
pub struct Unclear {
    pub guest: String,
    pub reason: String,
}

/// The cases of all guest programs, and the sources that have none for a fault
/// of their own.
pub fn cases(locations: &Locations) -> io::Result<(Vec<Case>, Vec<Unclear>)> {
    let mut sources: Vec<_> = fs::read_dir(locations.root.join("tests/guests"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    sources.sort();
    let mut cases = Vec::new();
    let mut unclear = Vec::new();
    for source in sources {
        let language = source.extension().and_then(|extension| extension.to_str());
        let (Some(language @ ("c" | "cpp")), Some(stem)) = (language, source.file_stem()) else {
            continue;
        };
        let guest = stem.to_string_lossy().into_owned();
        match parse(&fs::read_to_string(&source)?) {
            Ok(runs) => {
                for run in runs {
                    let builds = locations.guests();
                    cases.extend(run.cases(&guest, &builds, language == "cpp"));
                }
            }
            Err(reason) => unclear.push(Unclear { guest, reason }),
        }
    }
    Ok((cases, unclear))
}

/// One way to run a guest program.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    /// Empty if it is the only one.
    name: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
    stdin: String,
    links: Vec<String>,
    /// The link type whose native run is the truth; without it, each its own.
    truth: Option<String>,
    hosts: Vec<Host>,
    needs: Vec<String>,
    end: End,
    timeout: std::time::Duration,
    /// Under km it has a security module.
    nsm: Option<String>,
}

impl Default for Run {
    fn default() -> Run {
        Run {
            name: String::new(),
            args: Vec::new(),
            env: Vec::new(),
            stdin: String::new(),
            links: LINKS.map(String::from).to_vec(),
            truth: None,
            hosts: Host::ALL.to_vec(),
            needs: Vec::new(),
            end: End::Exit(0),
            timeout: crate::job::DEFAULT_TIMEOUT,
            nsm: None,
        }
    }
}

impl Run {
    fn cases(&self, guest: &str, builds: &Path, is_cpp: bool) -> Vec<Case> {
        let name = match self.name.as_str() {
            "" => guest.to_owned(),
            run => format!("{guest}/{run}"),
        };
        let job = |link: &String| Job {
            args: self.args.clone(),
            env: self.env.clone(),
            stdin: Some(self.stdin.clone().into_bytes()),
            needs: self.needs.clone(),
            timeout: self.timeout,
            options: self.nsm.as_deref().map_or_else(Vec::new, nsm::options),
            files: self.nsm.iter().flat_map(|_| nsm::files()).collect(),
            ..Job::new(builds.join(link).join(guest).to_string_lossy())
        };
        let case = |link: &String| Case {
            name: format!("guest::{name}::{link}"),
            job: job(link),
            truth: self.truth.as_ref().filter(|truth| *truth != link).map(job),
            end: self.end.clone(),
            stdout: None,
            hosts: self.hosts.clone(),
            absence: if is_cpp && link.ends_with("musl") {
                Absence::Skips("not built: C++ on musl needs zig, which could not be had".into())
            } else {
                Absence::Fails
            },
        };
        self.links.iter().map(case).collect()
    }

    /// Takes over one setting. The first of a key replaces what came from
    /// elsewhere; `args` of a case and `env` may be repeated to add more, which
    /// `repeated` tells.
    fn set(&mut self, key: &str, value: &str, repeated: bool) -> Result<(), String> {
        match key {
            "env" => {
                let (name, value) = value.split_once('=').ok_or("env is not of the form K=V")?;
                if !repeated {
                    self.env.clear();
                }
                self.env.push((name.into(), value.into()));
            }
            "args" if repeated => self.args.extend(value.split_whitespace().map(Into::into)),
            "args" => self.args = value.split_whitespace().map(Into::into).collect(),
            _ if repeated => return Err(format!("{key} is given twice")),
            "stdin" => self.stdin = value.replace("\\n", "\n"),
            "links" => self.links = list(value, |link| LINKS.contains(&link).then(|| link.into()))?,
            "truth" => {
                let known = LINKS.contains(&value).then(|| value.into());
                self.truth = Some(known.ok_or_else(|| format!("no link type {value:?}"))?);
            }
            "nsm" => self.nsm = Some(value.into()),
            "hosts" => self.hosts = list(value, Host::from_name)?,
            "needs" => self.needs = list(value, |need| is_need(need).then(|| need.into()))?,
            "exit" => self.end = End::Exit(number(value, 0..=255)?),
            "signal" => {
                let signal = signal_number(value).ok_or(format!("no signal {value:?}"))?;
                self.end = End::Signal(signal);
            }
            "timeout" => {
                let seconds = number(value, 1..=600)?;
                self.timeout = std::time::Duration::from_secs(seconds.unsigned_abs().into());
            }
            _ => return Err(format!("no key {key:?}")),
        }
        Ok(())
    }
}

fn list<T>(value: &str, item: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, String> {
    let known = |word| item(word).ok_or_else(|| format!("{word:?} is not known here"));
    value.split(',').map(str::trim).map(known).collect()
}

fn number(value: &str, range: std::ops::RangeInclusive<i32>) -> Result<i32, String> {
    let number = value.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| format!("{value:?} is not a number in {range:?}"))
}

/// Reads the comment lines at the head of a source.
fn parse(source: &str) -> Result<Vec<Run>, String> {
    let head = source.lines().take_while(|line| {
        let line = line.trim();
        line.is_empty() || line.starts_with("//")
    });
    let (cases, settings): (Vec<&str>, Vec<&str>) = head
        .filter(|line| line.starts_with(SETTING) || line.starts_with(CASE))
        .partition(|line| line.starts_with(CASE));

    let mut common = Run::default();
    let mut keys = Vec::new();
    for line in settings {
        let setting = line.trim_start_matches(SETTING).trim();
        apply(&mut common, setting, &mut keys)?;
    }
    if cases.is_empty() {
        return Ok(vec![common]);
    }
    let parse_case = |line: &&str| {
        let mut words = line.trim_start_matches(CASE).split_whitespace();
        let name = words.next().ok_or("a case without a name")?;
        let mut run = Run {
            name: name.into(),
            ..common.clone()
        };
        let mut keys = Vec::new();
        for word in words {
            apply(&mut run, word, &mut keys)?;
        }
        Ok(run)
    };
    cases.iter().map(parse_case).collect()
}

fn apply<'a>(run: &mut Run, setting: &'a str, keys: &mut Vec<&'a str>) -> Result<(), String> {
    let (key, value) = setting
        .split_once('=')
        .ok_or(format!("{setting:?} is not of the form key=value"))?;
    run.set(key, value, keys.contains(&key))?;
    keys.push(key);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_without_comment_lines_has_one_plain_run() {
        let runs = parse("// What it is.\n#include <stdio.h>\n// km-test: exit=3\n");
        assert_eq!(runs, Ok(vec![Run::default()]));
    }

    #[test]
    fn settings_are_read() {
        let source = "// About it.\n\n// km-test: args=one two\n// km-test: env=A=b=c\n\
                      // km-test: env=D=\n// km-test: stdin=some text\\n\n// km-test: hosts=native,svm\n\
                      // km-test: links=static-musl, dynamic-glibc\n// km-test: signal=SIGSEGV\n\
                      // km-test: truth=static-musl\n\
                      // km-test: needs=cpu:avx2,/dev/null\n// km-test: timeout=5\nint main;";
        let wanted = Run {
            args: vec!["one".into(), "two".into()],
            env: vec![("A".into(), "b=c".into()), ("D".into(), "".into())],
            stdin: "some text\n".into(),
            hosts: vec![Host::Native, Host::Svm],
            links: vec!["static-musl".into(), "dynamic-glibc".into()],
            truth: Some("static-musl".into()),
            end: End::Signal(11),
            needs: vec!["cpu:avx2".into(), "/dev/null".into()],
            timeout: std::time::Duration::from_secs(5),
            ..Run::default()
        };
        assert_eq!(parse(source), Ok(vec![wanted]));
    }

    #[test]
    fn cases_take_over_what_they_do_not_say() {
        let source = "// km-test: exit=1\n// km-test: args=x\n\
                      // km-test-case: first\n// km-test-case: second args=a args=b exit=2\n";
        let runs = parse(source).expect("clear");
        let read: Vec<_> = runs
            .iter()
            .map(|run| (run.name.as_str(), run.args.join(" "), &run.end))
            .collect();
        assert_eq!(
            read,
            [
                ("first", "x".into(), &End::Exit(1)),
                ("second", "a b".into(), &End::Exit(2))
            ]
        );
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for line in [
            "exit",
            "exit=256",
            "exit=-1",
            "exit=x",
            "signal=SEGV",
            "links=elf",
            "truth=elf",
            "hosts=",
            "needs=luck",
            "colour=red",
            "env=A",
            "timeout=0",
        ] {
            assert!(parse(&format!("// km-test: {line}\n")).is_err(), "{line}");
        }
        assert!(parse("// km-test: exit=1\n// km-test: exit=2\n").is_err());
        assert!(parse("// km-test-case:\n").is_err());
    }

    #[test]
    fn a_case_is_named_after_its_program_and_link_type() {
        let run = Run {
            name: "deep".into(),
            ..Run::default()
        };
        let cases = run.cases("stack", Path::new("/b"), false);
        assert_eq!(cases[2].name, "guest::stack/deep::dynamic-musl");
        assert_eq!(cases[2].job.program, "/b/dynamic-musl/stack");
    }
    #[test]
    fn the_truth_of_a_case_may_be_another_link_type() {
        let run = Run {
            truth: Some("static-musl".into()),
            ..Run::default()
        };
        let cases = run.cases("math", Path::new("/b"), false);
        assert!(cases[0].truth.is_none());
        assert_eq!(cases[2].truth().program, "/b/static-musl/math");
        assert_eq!(cases[2].job.program, "/b/dynamic-musl/math");
    }
}
