//! What a verifier is given: any bytes, as a document, as a part of one, and
//! as a file.

#![no_main]

use std::path::PathBuf;

use coset::{CborSerializable, CoseSign1, TaggedCborSerializable};
use km_nsm::verify::certificate::Certificate;
use km_nsm::verify::chain::Chain;
use km_nsm::verify::command::{self, Arguments};
use km_nsm::verify::envelope::Envelope;
use km_nsm::verify::payload::Payload;
use km_nsm::verify::{Options, Root, Time, Verdict, verify};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    as_document(bytes);
    if let Ok(payload) = Payload::parse(bytes) {
        as_payload(&payload);
    }
    if let Ok(certificate) = Certificate::parse(bytes) {
        let _ = certificate.has_signed(&certificate);
    }
    let _ = Root::development(bytes);
    as_file(bytes);
});

fn as_document(bytes: &[u8]) {
    let under_aws = verify(bytes, &Options::new(Root::AWS, Time::Document));
    assert!(!under_aws.emulated && under_aws.verdict != Verdict::Emulated);
    let Ok(envelope) = Envelope::parse(bytes) else {
        assert_eq!(under_aws.verdict, Verdict::Invalid);
        return;
    };
    let others = CoseSign1::from_tagged_slice(bytes).or_else(|_| CoseSign1::from_slice(bytes));
    let others = others.ok().and_then(|document| document.payload);
    assert_eq!(others.as_deref(), Some(envelope.payload));
    let Ok(payload) = Payload::parse(envelope.payload) else {
        return;
    };
    as_payload(&payload);
    // As if the root it brings along were trusted.
    let root = payload.cabundle.first().copied().unwrap_or_default();
    let Ok(root) = Root::development(root) else {
        return;
    };
    let mut options = Options::new(root, Time::Document);
    options.allow_debug = true;
    let report = verify(bytes, &options);
    assert!(report.emulated && report.verdict != Verdict::Valid);
    if report.holds() {
        let longer = [bytes, &[0]].concat();
        assert!(!verify(&longer, &options).holds());
        options.nonce = Some(vec![1; 2000]);
        assert!(!verify(bytes, &options).holds());
    }
}

fn as_payload(payload: &Payload) {
    let Some((root, intermediates)) = payload.cabundle.split_first() else {
        panic!("an empty bundle");
    };
    if let Ok(chain) = Chain::parse(root, intermediates, payload.certificate) {
        let _ = chain.check_links();
        let _ = chain.check_validity(payload.timestamp / 1000);
        let _ = chain.check_roles();
    }
}

fn as_file(mut bytes: &[u8]) {
    let arguments = Arguments {
        document: PathBuf::from("-"),
        at_document_time: true,
        json: bytes.len().is_multiple_of(2),
        ..Arguments::default()
    };
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let code = command::run(&arguments, &mut bytes, &mut out, &mut errors);
    assert_ne!(code, command::EMULATED);
    // Nothing that a terminal acts on.
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\n');
    assert!(arguments.json || out.iter().all(is_plain));
}
