//! Puts the trials together, runs those that were asked for, and says what was
//! skipped.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Completion, Conclusion, FormatSetting, Trial};

use crate::case::{self, Case, Session};
use crate::locations::Locations;
use crate::svm::EmulatedHost;
use crate::{command_line, conformance, guest, licences, nsm, payload, process, program, server};

pub fn run(args: &Arguments) -> io::Result<ExitCode> {
    process::disable_core_files()?;
    let locations = Locations::find();
    let scratch = std::env::temp_dir().join(format!("km-tests.{}", std::process::id()));
    let session = Arc::new(Session {
        km: locations.km.clone(),
        kvm_missing: kvm_missing(),
        emulated: EmulatedHost::new(&locations, &scratch),
        scratch: scratch.clone(),
        skipped: Mutex::default(),
    });

    let mut trials = vec![licences::trial(&locations)];
    trials.extend(command_line::trials(&session));
    trials.extend(nsm::trials(&session, &locations));
    trials.extend(conformance::trials(&session, &locations));
    trials.extend(payload::trials(&session, &locations)?);
    let (mut cases, unclear) = guest::cases(&locations)?;
    trials.extend(unclear.into_iter().map(|guest::Unclear { guest, reason }| {
        let name = format!("guest::{guest}::comment-lines");
        Trial::test(name, move || {
            Err(format!("tests/guests/{guest}: {reason}").into())
        })
    }));
    cases.extend(program::cases(&locations)?);
    cases.extend(server::cases(&locations)?);
    let cases: Vec<Arc<Case>> = cases.into_iter().map(Arc::new).collect();
    trials.extend(
        cases
            .iter()
            .flat_map(|case| case::local_trials(&session, case)),
    );
    // Last, so that what is waited for is being made meanwhile.
    trials.push(emulated_host_trial(&session));
    let mut emulated = HashMap::new();
    for case in &cases {
        if let Some(trial) = case::svm_trial(&session, case) {
            emulated.insert(trial.name().to_owned(), Arc::clone(case));
            trials.push(trial);
        }
    }
    trials.retain(|trial| !args.is_filtered_out(trial));
    if !args.list {
        start_emulated_host(&session, &trials, emulated);
    }
    let conclusion = libtest_mimic::run(args, trials);
    // It may not be there: not every trial needs it.
    let _ = std::fs::remove_dir_all(&scratch);
    if !args.list && args.format != Some(FormatSetting::Json) {
        print_summary(&session, &conclusion);
    }
    Ok(conclusion.exit_code())
}

/// Why `/dev/kvm` cannot be used here, if so.
fn kvm_missing() -> Option<String> {
    let opened = OpenOptions::new().read(true).write(true).open("/dev/kvm");
    opened.err().map(|error| format!("/dev/kvm: {error}"))
}

fn emulated_host_trial(session: &Arc<Session>) -> Trial {
    let session = Arc::clone(session);
    let name = "emulated-host::svm";
    Trial::ignorable_test(name, move || {
        if let Some(reason) = session.emulated.missing() {
            return Ok(session.skip(name, reason));
        }
        let report = session.emulated.report()?;
        if let Err(error) = &report.kvm {
            return Err(format!("no /dev/kvm: {error}").into());
        }
        // Without the TSC as its clock the vDSO would make system calls.
        if !report.has_svm || report.clocksource != "tsc" {
            return Err(format!("not as wanted: {report:?}").into());
        }
        Ok(Completion::Completed)
    })
}

/// Starts the emulated host if a trial needs it, with the cases of just those.
fn start_emulated_host(
    session: &Arc<Session>,
    trials: &[Trial],
    mut cases: HashMap<String, Arc<Case>>,
) {
    if session.emulated.missing().is_some() || !trials.iter().any(|t| t.name().ends_with("::svm")) {
        return;
    }
    let name_and_case = |trial: &Trial| cases.remove_entry(trial.name());
    EmulatedHost::start(session, trials.iter().filter_map(name_and_case).collect());
}

fn print_summary(session: &Session, conclusion: &Conclusion) {
    let mut skipped = session
        .skipped
        .lock()
        .map(|list| list.clone())
        .unwrap_or_default();
    skipped.sort_by(|a, b| (&a.1, &a.0).cmp(&(&b.1, &b.0)));
    let mut last_reason = None;
    for (trial, reason) in &skipped {
        if last_reason != Some(reason) {
            println!("skipped: {reason}");
            last_reason = Some(reason);
        }
        println!("    {trial}");
    }
    println!(
        "{} passed, {} failed, {} skipped",
        conclusion.num_passed, conclusion.num_failed, conclusion.num_ignored
    );
}
