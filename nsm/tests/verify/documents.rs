//! Documents are judged as they should be.

use std::time::Duration;

use km_nsm::authority::Authority;
use km_nsm::device::{Answer, Module};
use km_nsm::message::{self, Request};
use km_nsm::pcr::{Bank, Digest};
use km_nsm::verify::chain::{ChainError, Position};
use km_nsm::verify::policy::PolicyError;
use km_nsm::verify::{Error, Options, Root, Step, Time, Verdict, verify};

use crate::given::{self, Given};
use crate::made;

#[test]
fn given_documents_are_judged_as_expected() {
    for given in given::all() {
        let report = verify(&given.bytes, &given.options());
        let expected = match (given.is_valid(), given.root.is_emulated()) {
            (false, _) => Verdict::Invalid,
            (true, false) => Verdict::Valid,
            (true, true) => Verdict::Emulated,
        };
        assert_eq!(report.verdict, expected, "{}: {report:#?}", given.name);
        assert_eq!(report.emulated, given.root.is_emulated());
        let says = |step: Step| matches!(report.error(), Some((found, _)) if found == step);
        match given.name.as_str() {
            "dev_doc_bad_signature"
            | "dev_doc_bad_payload"
            | "test/aws_nitro_document_bad_sig.cbor" => assert!(says(Step::Signature)),
            "dev_doc_under_aws_root" => assert!(says(Step::Root)),
            "dev_doc_qemu_like_unsigned" => assert!(says(Step::Envelope)),
            _ => assert!(given.is_valid()),
        }
        if let Some(document) = &report.document {
            let timestamp = given.timestamp.unwrap_or(document.timestamp);
            assert_eq!(document.timestamp, timestamp);
            let module_id = given.module_id.as_ref().unwrap_or(&document.module_id);
            assert_eq!(document.module_id, *module_id);
        }
    }
}

#[test]
fn real_documents_have_expired() {
    for given in given::real().iter().filter(|given| given.is_valid()) {
        let mut options = given.options();
        options.time = Time::Given(made::NOW * 1000);
        let report = verify(&given.bytes, &options);
        let expired = matches!(
            report.error(),
            Some((
                Step::Validity,
                Error::Chain(ChainError::Expired {
                    at: Position::Intermediate(1),
                    ..
                })
            ))
        );
        assert!(expired, "{}: {report:#?}", given.name);
    }
}

#[test]
fn development_documents_fail_under_other_roots() {
    let other = Root::development(&made::chain(&made::parts())[0]).unwrap();
    let root_itself = |given: &Given, root: &Root| {
        let mut options = given.options();
        options.root = root.clone();
        verify(&given.bytes, &options)
    };
    for given in given::all().iter().filter(|given| given.is_valid()) {
        let mut roots = vec![other.clone()];
        if given.root.is_emulated() {
            roots.push(Root::AWS);
        } else {
            roots.extend(given::development_root().map(|der| Root::development(&der).unwrap()));
        }
        for root in roots {
            let report = root_itself(given, &root);
            assert!(!report.holds(), "{}", given.name);
            let failed = |step| {
                report.checks.iter().any(|check| {
                    check.step == step && check.outcome != km_nsm::verify::Outcome::Passed
                })
            };
            assert!(failed(Step::Root) && failed(Step::Chain));
        }
    }
}

#[test]
fn real_documents_of_debug_mode_are_refused_unless_allowed() {
    for given in given::real().iter().filter(|given| given.debug) {
        let mut options = given.options();
        options.allow_debug = false;
        let report = verify(&given.bytes, &options);
        let error = Error::Policy(PolicyError::Debug);
        assert_eq!(report.error(), Some((Step::Debug, &error)));
    }
}

/// A document of our own, and what it holds for.
fn made() -> (Vec<u8>, Options) {
    let chain = made::chain(&made::parts());
    let root = Root::development(&chain[0]).unwrap();
    let now = Time::Given(made::NOW * 1000);
    (made::document(&chain), Options::new(root, now))
}

#[test]
fn demands_are_met_or_not() {
    let (document, mut options) = made();
    options.pcrs.insert(0, made::PCR0);
    options.pcrs.insert(1, [0; 48]);
    options.nonce = Some(made::NONCE.to_vec());
    options.user_data = Some(Vec::new());
    options.max_age = Some(Duration::from_secs(300));
    let report = verify(&document, &options);
    assert_eq!(report.verdict, Verdict::Emulated, "{report:#?}");
    type Demand = fn(&mut Options);
    let demands: [(Step, Demand); 6] = [
        (Step::Pcrs, |options| options.pcrs = [(1, [1; 48])].into()),
        (Step::Pcrs, |options| options.pcrs = [(2, [0; 48])].into()),
        (Step::Nonce, |options| options.nonce = Some(Vec::new())),
        (Step::UserData, |options| options.user_data = Some(vec![0])),
        (Step::PublicKey, |options| {
            options.public_key = Some(Vec::new())
        }),
        (Step::Age, |options| {
            options.time = Time::Given((made::NOW + 301) * 1000)
        }),
    ];
    for (step, demand) in demands {
        let mut options = options.clone();
        demand(&mut options);
        let report = verify(&document, &options);
        assert_eq!(report.verdict, Verdict::Invalid);
        assert_eq!(report.error().map(|(step, _)| step), Some(step));
    }
}

#[test]
fn all_that_is_wrong_is_said() {
    let (document, mut options) = made();
    options.time = Time::Given((made::NOW + 2 * made::DAY) * 1000);
    options.nonce = Some(Vec::new());
    let report = verify(&document, &options);
    let failed = report
        .checks
        .iter()
        .filter(|check| matches!(check.outcome, km_nsm::verify::Outcome::Failed(_)));
    let failed: Vec<Step> = failed.map(|check| check.step).collect();
    assert_eq!(failed, [Step::Validity, Step::Nonce]);
}

#[test]
fn a_document_signed_by_an_authority_is_refused() {
    // The leaf's key has to sign, not one above it.
    let (document, options) = made();
    let envelope = km_nsm::verify::envelope::Envelope::parse(&document).unwrap();
    let document = made::sign(envelope.payload, made::parts()[3].key);
    let report = verify(&document, &options);
    assert_eq!(report.error(), Some((Step::Signature, &Error::Signature)));
}

#[test]
fn a_bundle_may_have_the_root_alone_and_the_root_has_to_be_there() {
    let parts = [made::authority(0, Some(0)), made::leaf()];
    let chain = made::chain(&parts);
    let root = Root::development(&chain[0]).unwrap();
    let options = Options::new(root, Time::Document);
    assert!(verify(&made::document(&chain), &options).holds());

    let chain = made::chain(&made::parts());
    let root = Root::development(&chain[0]).unwrap();
    let options = Options::new(root, Time::Document);
    let report = verify(&made::document(&chain[1..]), &options);
    assert_eq!(report.error(), Some((Step::Root, &Error::Root)));
}

#[test]
fn a_root_of_the_same_name_and_key_is_not_the_root() {
    // Signed anew: the same in all but its serial number and signature.
    let chain = made::chain(&made::parts());
    let other = made::replaced(&made::inner(&chain[0]), &[2, 1, 1], &[2, 1, 2]);
    let other = made::signed(&other, 1, made::ALGORITHM);
    let root = Root::development(&other).unwrap();
    let report = verify(&made::document(&chain), &Options::new(root, Time::Document));
    assert_eq!(report.error(), Some((Step::Root, &Error::Root)));
    let mut others = report
        .checks
        .iter()
        .filter(|check| check.step != Step::Root);
    assert!(others.all(|check| check.outcome == km_nsm::verify::Outcome::Passed));
}

#[test]
fn documents_of_this_crate_hold_under_its_own_root() {
    let directory = std::env::temp_dir().join(format!("km-nsm-verify-{}", std::process::id()));
    let now = made::NOW * 1000;
    Authority::create(&directory, Duration::from_millis(now)).unwrap();
    let authority = Authority::load(&directory, Duration::from_millis(now)).unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
    let root = Root::development(&authority.issuer.chain()[0]).unwrap();
    let bank = Bank::new([(0, Digest::of([&b"launch"[..]]))]);
    let mut module = Module::new([7; 16], bank, authority.issuer);
    let request = Request::Attestation(message::Options {
        nonce: Some(made::NONCE.to_vec()),
        ..message::Options::default()
    });
    let Answer::Document(document) = module.answer(request, now) else {
        panic!("no document");
    };
    let (content, leaf) = *document;
    let document = content.sign(&leaf).unwrap();

    let mut options = Options::new(root, Time::Given(now));
    options.nonce = Some(made::NONCE.to_vec());
    options.max_age = Some(Duration::ZERO);
    let report = verify(&document, &options);
    assert_eq!(report.verdict, Verdict::Emulated, "{report:#?}");
    assert_eq!(report.document.unwrap().pcrs.len(), 16);
    options.root = Root::AWS;
    assert!(!verify(&document, &options).holds());
}

#[test]
fn certificates_have_a_place_each() {
    let (document, options) = made();
    let report = verify(&document, &options);
    let positions = report.certificates.iter().map(|one| one.position.as_str());
    let expected = [
        "root",
        "intermediate 1",
        "intermediate 2",
        "intermediate 3",
        "leaf",
    ];
    assert!(positions.eq(expected));
    assert_eq!(report.certificates[4].subject, "CN=leaf");
    assert_eq!(report.certificates[4].not_after, made::NOW + made::DAY);
}
