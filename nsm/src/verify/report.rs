//! What was found out about a document.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use super::chain::Chain;
use super::hex::Hex;
use super::payload::Payload;
use super::{Error, Options};
use crate::name::Shown;

/// What was found out about a document.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub verdict: Verdict,
    /// Whether the root that was asked for is a development root: then even a
    /// valid document proves nothing to those who do not trust its host.
    pub emulated: bool,
    /// The time certificates were looked at for, in seconds since 1970.
    pub checked_at: Option<u64>,
    /// In order; each that was asked for is there.
    pub checks: Vec<Check>,
    /// What the document says, true or not.
    pub document: Option<Document>,
    /// Root first, leaf last.
    pub certificates: Vec<CertificateSummary>,
}

/// What it comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything holds, under AWS's root.
    Valid,
    /// Everything holds, under a development root.
    Emulated,
    /// Something does not.
    Invalid,
}

/// What has to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    Envelope,
    Payload,
    Root,
    Certificates,
    Chain,
    Validity,
    Roles,
    Signature,
    Debug,
    Pcrs,
    Nonce,
    UserData,
    PublicKey,
    Age,
}

impl Step {
    /// What all documents are asked.
    const ALWAYS: [Step; 9] = [
        Step::Envelope,
        Step::Payload,
        Step::Root,
        Step::Certificates,
        Step::Chain,
        Step::Validity,
        Step::Roles,
        Step::Signature,
        Step::Debug,
    ];

    /// What is to be asked.
    fn asked(options: &Options) -> Vec<Step> {
        let mut steps = Step::ALWAYS.to_vec();
        for (step, asked) in [
            (Step::Pcrs, !options.pcrs.is_empty()),
            (Step::Nonce, options.nonce.is_some()),
            (Step::UserData, options.user_data.is_some()),
            (Step::PublicKey, options.public_key.is_some()),
            (Step::Age, options.max_age.is_some()),
        ] {
            if asked {
                steps.push(step);
            }
        }
        steps
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Step::Envelope => "envelope",
            Step::Payload => "payload",
            Step::Root => "root",
            Step::Certificates => "certificates",
            Step::Chain => "chain",
            Step::Validity => "validity",
            Step::Roles => "roles",
            Step::Signature => "signature",
            Step::Debug => "debug mode",
            Step::Pcrs => "PCRs",
            Step::Nonce => "nonce",
            Step::UserData => "user data",
            Step::PublicKey => "public key",
            Step::Age => "age",
        })
    }
}

/// A step and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub step: Step,
    pub outcome: Outcome,
    /// The outcome in words.
    pub line: String,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Passed,
    Failed(Error),
    /// What it needs is not there, because of an earlier failure.
    Unreached,
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Outcome::Passed => "passed",
            Outcome::Failed(_) => "failed",
            Outcome::Unreached => "unreached",
        })
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a document says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Document {
    pub module_id: String,
    pub digest: String,
    /// Milliseconds since 1970.
    pub timestamp: u64,
    pub pcrs: BTreeMap<u8, Hex>,
    pub public_key: Option<Hex>,
    pub user_data: Option<Hex>,
    pub nonce: Option<Hex>,
}

impl From<&Payload<'_>> for Document {
    fn from(payload: &Payload) -> Document {
        let pcrs = payload.pcrs.iter();
        Document {
            module_id: payload.module_id.to_owned(),
            digest: payload.digest.to_owned(),
            timestamp: payload.timestamp,
            pcrs: pcrs.map(|(index, value)| (*index, value.into())).collect(),
            public_key: payload.public_key.map(Hex::from),
            user_data: payload.user_data.map(Hex::from),
            nonce: payload.nonce.map(Hex::from),
        }
    }
}

/// Whose a certificate is, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CertificateSummary {
    pub position: String,
    pub subject: String,
    pub serial: Hex,
    /// Seconds since 1970.
    pub not_before: u64,
    pub not_after: u64,
}

impl CertificateSummary {
    pub(super) fn of_all(chain: &Chain) -> Vec<CertificateSummary> {
        let certificates = chain.all();
        certificates
            .map(|(position, certificate)| CertificateSummary {
                position: position.to_string(),
                subject: Shown(&certificate.subject).to_string(),
                serial: Hex::from(&certificate.serial),
                not_before: certificate.not_before,
                not_after: certificate.not_after,
            })
            .collect()
    }
}

impl Report {
    /// Whether everything holds that was asked for, under whatever root.
    pub fn holds(&self) -> bool {
        self.verdict != Verdict::Invalid
    }

    /// The first step that failed, and why.
    pub fn error(&self) -> Option<(Step, &Error)> {
        self.checks.iter().find_map(|check| match &check.outcome {
            Outcome::Failed(error) => Some((check.step, error)),
            _ => None,
        })
    }
}

/// A report in the making.
#[derive(Default)]
pub(super) struct Checks {
    done: Vec<Check>,
    pub checked_at: Option<u64>,
    pub document: Option<Document>,
    pub certificates: Vec<CertificateSummary>,
}

impl Checks {
    /// Notes what became of a step, `line` in words, and returns its result.
    pub fn note<T, E: Into<Error>>(
        &mut self,
        step: Step,
        result: Result<T, E>,
        line: impl FnOnce(&T) -> String,
    ) -> Option<T> {
        let (result, outcome, line) = match result {
            Ok(value) => {
                let line = line(&value);
                (Some(value), Outcome::Passed, line)
            }
            Err(error) => {
                let error = error.into();
                let line = error.to_string();
                (None, Outcome::Failed(error), line)
            }
        };
        self.done.push(Check {
            step,
            outcome,
            line,
        });
        result
    }

    /// The report. It is valid only if each step that is asked for was made,
    /// and passed.
    pub fn report(mut self, options: &Options) -> Report {
        let asked = Step::asked(options);
        let mut checks = Vec::with_capacity(asked.len());
        for step in asked {
            let at = self.done.iter().position(|check| check.step == step);
            checks.push(match at {
                Some(at) => self.done.swap_remove(at),
                None => Check {
                    step,
                    outcome: Outcome::Unreached,
                    line: "not looked at".to_owned(),
                },
            });
        }
        let mut outcomes = checks.iter().map(|check| &check.outcome);
        let holds = outcomes.all(|outcome| *outcome == Outcome::Passed) && self.done.is_empty();
        let emulated = options.root.is_emulated();
        Report {
            verdict: match (holds, emulated) {
                (true, false) => Verdict::Valid,
                (true, true) => Verdict::Emulated,
                (false, _) => Verdict::Invalid,
            },
            emulated,
            checked_at: self.checked_at,
            checks,
            document: self.document,
            certificates: self.certificates,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Root, Time};
    use super::*;

    fn passed(steps: &[Step]) -> Checks {
        let mut checks = Checks::default();
        for step in steps {
            checks.note(*step, Ok::<_, Error>(()), |()| String::new());
        }
        checks
    }

    #[test]
    fn a_step_that_was_not_made_is_no_pass() {
        let mut options = Options::new(Root::AWS, Time::Document);
        let whole = passed(&Step::ALWAYS).report(&options);
        assert_eq!(whole.verdict, Verdict::Valid);
        for left_out in Step::ALWAYS {
            let mut steps = Step::ALWAYS.to_vec();
            steps.retain(|step| *step != left_out);
            let report = passed(&steps).report(&options);
            assert_eq!(report.verdict, Verdict::Invalid);
            assert_eq!(report.error(), None);
        }
        options.nonce = Some(Vec::new());
        let report = passed(&Step::ALWAYS).report(&options);
        assert_eq!(report.verdict, Verdict::Invalid);
    }

    #[test]
    fn a_step_made_twice_does_not_hide_a_failure() {
        let options = Options::new(Root::AWS, Time::Document);
        let mut checks = passed(&Step::ALWAYS);
        checks.note(Step::Root, Err::<(), _>(Error::Root), |()| String::new());
        assert!(!checks.report(&options).holds());
    }
}
