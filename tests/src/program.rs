//! Real programs that nobody wrote for this: the machine's own and the built
//! payloads, one file of `tests/programs` each. `tests/README.md` has the keys.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::time::Duration;

use serde::Deserialize;

use crate::case::{Absence, Case, Host};
use crate::job::{DEFAULT_TIMEOUT, End, File, Job, Step};
use crate::locations::Locations;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Program {
    /// Absolute, or below the folder of built payloads, or `./` and one of the
    /// run's own files.
    program: String,
    /// How to get it.
    from: String,
    run: Vec<Run>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    name: String,
    #[serde(default)]
    args: Vec<String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    stdin: Option<String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default)]
    dialogue: Vec<Step>,
    #[serde(default)]
    exit: i32,
    /// The signal it must die of.
    signal: Option<i32>,
    stdout: Option<String>,
    hosts: Option<Vec<String>>,
    #[serde(default)]
    needs: Vec<String>,
    timeout: Option<u64>,
}

/// The cases of all programs, in the order of their files.
pub fn cases(locations: &Locations) -> io::Result<Vec<Case>> {
    let mut paths: Vec<_> = fs::read_dir(locations.root.join("tests/programs"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<_>>()?;
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "toml")
    });
    paths.sort();
    let mut cases = Vec::new();
    for path in paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let parsed = parse(&name, &fs::read_to_string(&path)?, locations);
        let error = |reason| io::Error::other(format!("{}: {reason}", path.display()));
        cases.extend(parsed.map_err(error)?);
    }
    Ok(cases)
}

fn parse(name: &str, text: &str, locations: &Locations) -> Result<Vec<Case>, String> {
    let program: Program = toml::from_str(text).map_err(|error| error.to_string())?;
    let path = if program.program.starts_with(['/', '.']) {
        program.program
    } else {
        locations
            .payloads()
            .join(&program.program)
            .to_string_lossy()
            .into_owned()
    };
    let absence = Absence::Skips(format!("{path} is not there: {}", program.from));
    let case = |run: Run| {
        let hosts = run
            .hosts
            .unwrap_or_else(|| vec!["native".into(), "kvm".into()]);
        let known = |name: &String| Host::from_name(name).ok_or(format!("no host {name:?}"));
        Ok(Case {
            name: format!("program::{name}::{}", run.name),
            job: Job {
                args: run.args,
                env: run.env.into_iter().collect(),
                stdin: run.stdin.map(String::into_bytes),
                files: run
                    .files
                    .into_iter()
                    .map(|(name, text)| File::new(name, &text))
                    .collect(),
                dialogue: run.dialogue,
                needs: run.needs,
                timeout: run.timeout.map_or(DEFAULT_TIMEOUT, Duration::from_secs),
                ..Job::new(&path)
            },
            truth: None,
            end: run.signal.map_or(End::Exit(run.exit), End::Signal),
            stdout: run.stdout,
            hosts: hosts.iter().map(known).collect::<Result<_, String>>()?,
            absence: absence.clone(),
        })
    };
    program.run.into_iter().map(case).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_an_exit_code_or_a_signal() {
        let text = r#"
            program = "/bin/true"
            from = "here"
            [[run]]
            name = "plain"
            [[run]]
            name = "code"
            exit = 3
            [[run]]
            name = "signal"
            signal = 15
        "#;
        let cases = parse("x", text, &Locations::find()).expect("parsed");
        let ends: Vec<&End> = cases.iter().map(|case| &case.end).collect();
        assert_eq!(ends, [&End::Exit(0), &End::Exit(3), &End::Signal(15)]);
        assert_eq!(cases[1].name, "program::x::code");
    }
}
