//! A case: one job and what is asked of it, made into a trial for each host.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Completion, Failed, Trial};

use crate::compare;
use crate::job::{End, Job, Outcome};
use crate::process;
use crate::svm::EmulatedHost;

/// Where a job is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// As an ordinary process of this machine.
    Native,
    /// Under km, with this machine's `/dev/kvm`.
    Kvm,
    /// Natively and under km in the emulated AMD host.
    Svm,
}

impl Host {
    pub const ALL: [Host; 3] = [Host::Native, Host::Kvm, Host::Svm];

    pub fn name(self) -> &'static str {
        match self {
            Host::Native => "native",
            Host::Kvm => "kvm",
            Host::Svm => "svm",
        }
    }

    pub fn from_name(name: &str) -> Option<Host> {
        Host::ALL.into_iter().find(|host| host.name() == name)
    }
}

#[derive(Debug, Clone)]
pub struct Case {
    pub name: String,
    pub job: Job,
    /// Whose native run the runs of `job` are compared with, if not with its
    /// own.
    pub truth: Option<Job>,
    /// The end that is asked of the native run.
    pub end: End,
    /// The standard output that is asked of it, if the case says.
    pub stdout: Option<String>,
    pub hosts: Vec<Host>,
    pub absence: Absence,
}

impl Case {
    /// What is run natively for the others to be compared with.
    pub fn truth(&self) -> &Job {
        self.truth.as_ref().unwrap_or(&self.job)
    }
}

/// What it means if the case's program is not there.
#[derive(Debug, Clone)]
pub enum Absence {
    /// Something is wrong.
    Fails,
    /// The case is skipped, for this reason.
    Skips(String),
}

/// What the trials of a run share.
#[derive(Debug)]
pub struct Session {
    pub km: PathBuf,
    /// Why `/dev/kvm` of this machine cannot be used, if so.
    pub kvm_missing: Option<String>,
    pub scratch: PathBuf,
    pub emulated: EmulatedHost,
    /// What was skipped, and why.
    pub skipped: Mutex<Vec<(String, String)>>,
}

impl Session {
    /// Notes that `trial` is skipped.
    pub fn skip(&self, trial: &str, reason: &str) -> Completion {
        if let Ok(mut skipped) = self.skipped.lock() {
            skipped.push((trial.into(), reason.into()));
        }
        Completion::ignored_with(reason)
    }

    /// A trial that is skipped where `/dev/kvm` cannot be used.
    pub fn kvm_trial(
        self: &Arc<Session>,
        name: String,
        run: impl FnOnce(&Session) -> Result<Completion, Failed> + Send + 'static,
    ) -> Trial {
        let session = Arc::clone(self);
        Trial::ignorable_test(name.clone(), move || match &session.kvm_missing {
            Some(reason) => Ok(session.skip(&name, reason)),
            None if !session.km.exists() => {
                Err(format!("no km at {}: run \"make km\"", session.km.display()).into())
            }
            None => run(&session),
        })
    }
}

/// The trials of `case` on this machine; those of the emulated host are apart,
/// since they come last.
pub fn local_trials(session: &Arc<Session>, case: &Arc<Case>) -> Vec<Trial> {
    let mut trials = Vec::new();
    // What the truth came to. Held while the case is run: its runs share a directory.
    let truth = Arc::new(Mutex::new(None));
    if case.hosts.contains(&Host::Native) {
        let (session, case) = (Arc::clone(session), Arc::clone(case));
        let truth = Arc::clone(&truth);
        let name = format!("{}::native", case.name);
        trials.push(Trial::ignorable_test(name.clone(), move || {
            if let Some(completion) = absent(&session, &case, &name)? {
                return Ok(completion);
            }
            let scratch = scratch(&session, &case);
            let mut truth = truth.lock().unwrap_or_else(PoisonError::into_inner);
            let truth = truth.get_or_insert_with(|| process::run(case.truth(), &scratch));
            let completion = check_native(&session, &name, &case, truth)?;
            if case.truth.is_none() || matches!(completion, Completion::Ignored { .. }) {
                return Ok(completion);
            }
            let own = process::run(&case.job, &scratch);
            check_same(&case, truth, "natively", &own)
        }));
    }
    if case.hosts.contains(&Host::Kvm) {
        let case = Arc::clone(case);
        let name = format!("{}::kvm", case.name);
        trials.push(session.kvm_trial(name.clone(), move |session| {
            if let Some(completion) = absent(session, &case, &name)? {
                return Ok(completion);
            }
            let scratch = scratch(session, &case);
            let mut truth = truth.lock().unwrap_or_else(PoisonError::into_inner);
            let truth = truth.get_or_insert_with(|| process::run(case.truth(), &scratch));
            if let completion @ Completion::Ignored { .. } =
                check_native(session, &name, &case, truth)?
            {
                return Ok(completion);
            }
            let job = case.job.under(&session.km.to_string_lossy());
            check_same(&case, truth, "under km", &process::run(&job, &scratch))
        }));
    }
    trials
}

pub fn svm_trial(session: &Arc<Session>, case: &Arc<Case>) -> Option<Trial> {
    if !case.hosts.contains(&Host::Svm) {
        return None;
    }
    let (session, case) = (Arc::clone(session), Arc::clone(case));
    let name = format!("{}::svm", case.name);
    Some(Trial::ignorable_test(name.clone(), move || {
        if let Some(completion) = absent(&session, &case, &name)? {
            return Ok(completion);
        }
        if let Some(reason) = session.emulated.missing() {
            return Ok(session.skip(&name, reason));
        }
        let (native, under_km) = session.emulated.outcomes(&name)?;
        if let completion @ Completion::Ignored { .. } =
            check_native(&session, &name, &case, &native)?
        {
            return Ok(completion);
        }
        check_same(&case, &native, "under km", &under_km)
    }))
}

/// The same directory natively and under km, so that a program may print where
/// it is. The two runs follow each other.
fn scratch(session: &Session, case: &Case) -> PathBuf {
    session
        .scratch
        .join(case.name.replace("::", "-").replace('/', "-"))
}

fn absent(session: &Session, case: &Case, trial: &str) -> Result<Option<Completion>, Failed> {
    let program = Path::new(&case.job.program);
    // A relative one is made in the scratch directory.
    if program.is_relative() || program.exists() {
        return Ok(None);
    }
    match &case.absence {
        Absence::Fails => Err(format!("{} is not there", case.job.program).into()),
        Absence::Skips(reason) => Ok(Some(session.skip(trial, reason))),
    }
}

/// Whether the native run was as the case asks; without that, a comparison
/// would prove nothing.
fn check_native(
    session: &Session,
    trial: &str,
    case: &Case,
    outcome: &Outcome,
) -> Result<Completion, Failed> {
    if let lacks @ End::Lacks(_) = &outcome.end {
        return Ok(session.skip(trial, &lacks.to_string()));
    }
    if outcome.end != case.end {
        return Err(format!(
            "natively: wanted {}, got {}",
            case.end,
            compare::describe(outcome)
        )
        .into());
    }
    if let Some(wanted) = &case.stdout
        && let Some(report) = compare::difference(
            &Outcome {
                stdout: wanted.clone().into_bytes(),
                ..outcome.clone()
            },
            outcome,
        )
    {
        return Err(format!("natively, with - for what is wanted:\n{report}").into());
    }
    Ok(Completion::Completed)
}

/// Whether a run of the case, made in a way that `how` tells, was as its truth.
fn check_same(
    case: &Case,
    truth: &Outcome,
    how: &str,
    outcome: &Outcome,
) -> Result<Completion, Failed> {
    let Some(report) = compare::difference(truth, outcome) else {
        return Ok(Completion::Completed);
    };
    let truth = match &case.truth {
        None => "natively".into(),
        Some(job) => format!("{} natively", job.program),
    };
    Err(format!("(- {truth}, + {how})\n{report}").into())
}
