//! Whatever comes in, there is an answer, and the right one.

use coset::{CborSerializable, CoseSign1, TaggedCborSerializable};
use km_nsm::verify::certificate::Certificate;
use km_nsm::verify::chain::Chain;
use km_nsm::verify::envelope::Envelope;
use km_nsm::verify::payload::Payload;
use km_nsm::verify::{Options, Root, Time, verify};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::made;

/// A document of our own.
fn valid() -> (Vec<Vec<u8>>, Vec<u8>, Options) {
    let chain = made::chain(&made::parts()[3..]);
    let document = made::document(&chain);
    let root = Root::development(&chain[0]).unwrap();
    let options = Options::new(root, Time::Given(made::NOW * 1000));
    (chain, document, options)
}

/// A piece of bytes taken out, and others put in its place.
#[derive(Debug, Clone)]
struct Edit {
    at: prop::sample::Index,
    removed: usize,
    inserted: Vec<u8>,
}

fn edit() -> impl Strategy<Value = Edit> {
    let interesting = prop::sample::select(&[
        0x00_u8, 0x30, 0x40, 0x5b, 0x5f, 0x82, 0x84, 0x9f, 0xa0, 0xbb, 0xbf, 0xd2, 0xf6, 0xff,
    ]);
    let byte = prop_oneof![any::<u8>(), interesting];
    (any::<prop::sample::Index>(), 0..4_usize, vec(byte, 0..4)).prop_map(
        |(at, removed, inserted)| Edit {
            at,
            removed,
            inserted,
        },
    )
}

fn edited(bytes: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for edit in edits {
        let at = edit.at.index(bytes.len() + 1);
        let end = bytes.len().min(at + edit.removed);
        bytes.splice(at..end, edit.inserted.iter().copied());
    }
    bytes
}

/// What another reader finds, which is more lenient.
fn payload_as_others_see_it(document: &[u8]) -> Option<Vec<u8>> {
    let parsed = CoseSign1::from_tagged_slice(document);
    parsed
        .or_else(|_| CoseSign1::from_slice(document))
        .ok()?
        .payload
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_are_refused(bytes in vec(any::<u8>(), 0..600)) {
        let (_, _, options) = valid();
        prop_assert!(!verify(&bytes, &options).holds());
        prop_assert!(!verify(&bytes, &Options::new(Root::AWS, Time::Document)).holds());
        let _ = Payload::parse(&bytes);
        let _ = Certificate::parse(&bytes);
        let _ = Root::development(&bytes);
    }

    #[test]
    fn an_edited_document_is_refused(edits in vec(edit(), 1..4)) {
        let (_, document, options) = valid();
        let other = edited(&document, &edits);
        let is_same = other == document || other == [&[0xd2][..], &document].concat();
        prop_assert_eq!(verify(&other, &options).holds(), is_same);
        if let Ok(envelope) = Envelope::parse(&other) {
            let theirs = payload_as_others_see_it(&other);
            prop_assert_eq!(Some(envelope.payload), theirs.as_deref());
        }
    }

    /// Edits that the signature does not catch.
    #[test]
    fn an_edited_payload_signed_anew_is_read_or_refused(edits in vec(edit(), 1..4)) {
        let (_, document, options) = valid();
        let envelope = Envelope::parse(&document).unwrap();
        let payload = edited(envelope.payload, &edits);
        let report = verify(&made::sign(&payload, 100), &options);
        if report.holds() {
            // Then others can read it as well.
            let read: Result<ciborium::Value, _> = ciborium::from_reader(&payload[..]);
            prop_assert!(read.is_ok());
        }
    }

    #[test]
    fn an_edited_certificate_is_refused(
        edits in vec(edit(), 1..4),
        which in 1..2_usize,
    ) {
        let (mut chain, _, _) = valid();
        let original = chain[which].clone();
        chain[which] = edited(&original, &edits);
        let parsed = Chain::parse(&chain[0], &[], &chain[1]);
        let holds = parsed.is_ok_and(|parsed| {
            parsed.check_links().is_ok() && parsed.check_roles().is_ok()
        });
        prop_assert_eq!(holds, chain[which] == original);
    }
}
