//! The payloads' own checks: `make check` in each folder of `payloads/` asks
//! its expected output of a native run and of one under km.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Completion, Trial};

use crate::case::Session;
use crate::compare::describe;
use crate::job::{End, Job};
use crate::locations::Locations;
use crate::process;

const TIMEOUT: Duration = Duration::from_secs(300);

pub fn trials(session: &Arc<Session>, locations: &Locations) -> io::Result<Vec<Trial>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(locations.root.join("payloads"))? {
        let path = entry?.path();
        if path.join("check.sh").exists() {
            names.extend(
                path.file_name()
                    .map(|name| name.to_string_lossy().into_owned()),
            );
        }
    }
    names.sort();
    Ok(names
        .iter()
        .map(|name| trial(session, locations, name))
        .collect())
}

fn trial(session: &Arc<Session>, locations: &Locations, payload: &str) -> Trial {
    let name = format!("payload::{payload}::kvm");
    let built = locations.payloads().join(payload);
    let folder = locations.root.join("payloads").join(payload);
    let scratch = session.scratch.join(name.replace("::", "-"));
    let build = locations.build.display().to_string();
    session.kvm_trial(name.clone(), move |session| {
        if !is_built(&built) {
            return Ok(session.skip(&name, "not built: run \"make payloads\""));
        }
        let job = Job {
            args: vec![
                "--no-print-directory".into(),
                format!("--directory={}", folder.display()),
                format!("BUILD={build}"),
                format!("KM={}", session.km.display()),
                "check".into(),
            ],
            timeout: TIMEOUT,
            ..Job::new("/usr/bin/make")
        };
        let outcome = process::run(&job, &scratch);
        if outcome.end == End::Exit(0) {
            return Ok(Completion::Completed);
        }
        Err(describe(&outcome).into())
    })
}

/// Each payload has at least one program that is to be run.
fn is_built(folder: &Path) -> bool {
    let is_program = |entry: io::Result<fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.path().extension().is_some_and(|kind| kind == "km"))
    };
    fs::read_dir(folder).is_ok_and(|mut entries| entries.any(is_program))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_built_once_its_program_is_there() {
        let folder = std::env::temp_dir().join(format!("km-tests-payload.{}", std::process::id()));
        assert!(!is_built(&folder));
        fs::create_dir_all(folder.join("src")).expect("made");
        assert!(!is_built(&folder));
        fs::write(folder.join("program.km"), "").expect("written");
        assert!(is_built(&folder));
        fs::remove_dir_all(&folder).expect("removed");
    }
}
