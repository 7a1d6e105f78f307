//! The verifier of attestation documents.
//!
//! [`verify`] takes a document and what is demanded of it, and says of each
//! step whether it holds. It reads no clock and no file; [`command`] does.
//! `envelope` and `payload` read what came from outside, in place and with
//! limits; `certificate` and `chain` are about who signed it; `policy` is what
//! the one who asks demands beyond that; `report` is what comes out.

pub mod cbor;
pub mod certificate;
pub mod chain;
pub mod command;
mod date;
pub mod envelope;
mod hex;
mod input;
pub mod payload;
pub mod policy;
mod report;
mod root;
mod table;

use std::collections::BTreeMap;
use std::time::Duration;

use thiserror::Error;

use self::chain::{Chain, ChainError};
use self::date::Date;
use self::envelope::{Envelope, EnvelopeError};
use self::payload::{Payload, PayloadError};
use self::policy::PolicyError;
use self::report::Checks;

pub use self::hex::Hex;
pub use self::report::{CertificateSummary, Check, Document, Outcome, Report, Step, Verdict};
pub use self::root::{Root, RootError};

/// Bytes of a PCR.
pub const PCR_LENGTH: usize = 48;

/// What is demanded of a document.
#[derive(Debug, Clone)]
pub struct Options {
    pub root: Root,
    pub time: Time,
    /// What these PCRs have to be.
    pub pcrs: BTreeMap<u8, [u8; PCR_LENGTH]>,
    pub nonce: Option<Vec<u8>>,
    pub user_data: Option<Vec<u8>>,
    pub public_key: Option<Vec<u8>>,
    /// How old it may be. It cannot be told at the document's own time.
    pub max_age: Option<Duration>,
    /// Whether PCR0 may be zero, as of an enclave that is debugged.
    pub allow_debug: bool,
}

impl Options {
    /// A genuine document of an enclave that is not debugged, and nothing
    /// beyond.
    pub fn new(root: Root, time: Time) -> Options {
        Options {
            root,
            time,
            pcrs: BTreeMap::new(),
            nonce: None,
            user_data: None,
            public_key: None,
            max_age: None,
            allow_debug: false,
        }
    }
}

/// When the certificates have to be valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// Then, in milliseconds since 1970.
    Given(u64),
    /// When the document says it was signed. That is sound only where
    /// something else proves when it was received.
    Document,
}

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error(transparent)]
    Payload(#[from] PayloadError),
    #[error("the bundle does not begin with the root that is trusted")]
    Root,
    #[error(transparent)]
    Chain(#[from] ChainError),
    #[error("not signed with the leaf's key")]
    Signature,
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

/// Looks at a document, step by step. Steps that do not need what an earlier
/// one found wrong are made all the same: the report says all that is wrong.
pub fn verify(document: &[u8], options: &Options) -> Report {
    let mut checks = Checks::default();
    look(document, options, &mut checks);
    checks.report(options)
}

/// What the document is, as far as it can be read.
fn look(document: &[u8], options: &Options, checks: &mut Checks) -> Option<()> {
    let envelope = checks.note(Step::Envelope, Envelope::parse(document), |envelope| {
        let tag = if envelope.tagged { "with" } else { "without" };
        format!("COSE_Sign1 {tag} its tag, ES384")
    })?;
    let payload = checks.note(Step::Payload, Payload::parse(envelope.payload), |payload| {
        format!("complete, with {} PCRs", payload.pcrs.len())
    })?;
    checks.document = Some((&payload).into());
    // What is wrong with these is no reason not to look at the others.
    let _: Option<()> = check_origin(&envelope, &payload, options, checks);
    check_policy(&payload, options, checks);
    Some(())
}

/// Who signed it.
fn check_origin(
    envelope: &Envelope,
    payload: &Payload,
    options: &Options,
    checks: &mut Checks,
) -> Option<()> {
    let (first, intermediates) = payload.cabundle.split_first()?;
    let is_trusted = *first == options.root.der();
    let is_trusted = if is_trusted { Ok(()) } else { Err(Error::Root) };
    checks.note(Step::Root, is_trusted, |()| {
        match options.root.is_emulated() {
            true => "EMULATED: the development root that was named".to_owned(),
            false => "AWS's root for Nitro Enclaves".to_owned(),
        }
    });

    // From the root that is trusted, whatever the document has in its place.
    let chain = Chain::parse(options.root.der(), intermediates, payload.certificate);
    let chain = checks.note(Step::Certificates, chain, |chain| {
        format!("{}, all for P-384", chain.all().count())
    })?;
    checks.certificates = CertificateSummary::of_all(&chain);
    checks.note(Step::Chain, chain.check_links(), |()| {
        "each is issued and signed by the one above".to_owned()
    });
    let seconds = match options.time {
        Time::Given(milliseconds) => milliseconds / 1000,
        Time::Document => payload.timestamp / 1000,
    };
    checks.checked_at = Some(seconds);
    checks.note(
        Step::Validity,
        chain.check_validity(seconds),
        |()| match options.time {
            Time::Given(_) => format!("all are valid at {}", Date(seconds)),
            Time::Document => format!(
                "all were valid at the document's own time, {}",
                Date(seconds)
            ),
        },
    );
    checks.note(Step::Roles, chain.check_roles(), |()| {
        "authorities may issue, the leaf may sign".to_owned()
    });
    let signed = envelope.is_signed_by(chain.leaf().key());
    let signed = if signed {
        Ok(())
    } else {
        Err(Error::Signature)
    };
    checks.note(Step::Signature, signed, |()| "by the leaf's key".to_owned());
    Some(())
}

/// What is demanded beyond.
fn check_policy(payload: &Payload, options: &Options, checks: &mut Checks) {
    let debug = policy::debug(payload, options);
    checks.note(Step::Debug, debug, String::clone);
    if !options.pcrs.is_empty() {
        let pcrs = policy::pcrs(payload, options);
        checks.note(Step::Pcrs, pcrs, String::clone);
    }
    for (step, found, expected) in [
        (Step::Nonce, payload.nonce, &options.nonce),
        (Step::UserData, payload.user_data, &options.user_data),
        (Step::PublicKey, payload.public_key, &options.public_key),
    ] {
        if let Some(expected) = expected {
            checks.note(step, policy::option(found, expected), String::clone);
        }
    }
    if let Some(most) = options.max_age {
        let age = policy::age(payload, options.time, most);
        checks.note(Step::Age, age, String::clone);
    }
}
