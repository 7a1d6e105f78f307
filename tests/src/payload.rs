//! The payloads' own checks: `make check` in each folder of `payloads/` asks
//! its expected output of a native run and of one under km.

use std::fs;
use std::io;
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
    let built = locations.payloads().join(payload).join("src");
    let folder = locations.root.join("payloads").join(payload);
    let scratch = session.scratch.join(name.replace("::", "-"));
    let build = locations.build.display().to_string();
    session.kvm_trial(name.clone(), move |session| {
        if !built.exists() {
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
