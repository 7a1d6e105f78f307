//! Whatever comes in, there is an answer, and the right one.

use std::sync::LazyLock;

use coset::{CborSerializable, CoseSign1, TaggedCborSerializable};
use km_nsm::verify::certificate::Certificate;
use km_nsm::verify::chain::Chain;
use km_nsm::verify::envelope::Envelope;
use km_nsm::verify::payload::Payload;
use km_nsm::verify::{Options, Root, Time, verify};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::made;

/// A chain and a document of our own, and what it holds for.
struct Made {
    chain: Vec<Vec<u8>>,
    document: Vec<u8>,
    options: Options,
}

static MADE: LazyLock<Made> = LazyLock::new(|| {
    let chain = made::chain(&made::parts()[3..]);
    let document = made::document(&chain);
    let root = Root::development(&chain[0]).unwrap();
    let options = Options::new(root, Time::Given(made::NOW * 1000));
    Made {
        chain,
        document,
        options,
    }
});

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
        prop_assert!(!verify(&bytes, &MADE.options).holds());
        prop_assert!(!verify(&bytes, &Options::new(Root::AWS, Time::Document)).holds());
        let _ = Payload::parse(&bytes);
        let _ = Certificate::parse(&bytes);
        let _ = Root::development(&bytes);
    }

    #[test]
    fn an_edited_document_is_refused(edits in vec(edit(), 1..4)) {
        let Made { document, options, .. } = &*MADE;
        let other = edited(document, &edits);
        let is_same = other == *document || other == [&[0xd2][..], document].concat();
        prop_assert_eq!(verify(&other, options).holds(), is_same);
        if let Ok(envelope) = Envelope::parse(&other) {
            let theirs = payload_as_others_see_it(&other);
            prop_assert_eq!(Some(envelope.payload), theirs.as_deref());
        }
    }

    /// Edits that the signature does not catch.
    #[test]
    fn an_edited_payload_signed_anew_is_read_or_refused(edits in vec(edit(), 1..4)) {
        let Made { document, options, .. } = &*MADE;
        let envelope = Envelope::parse(document).unwrap();
        let payload = edited(envelope.payload, &edits);
        let report = verify(&made::sign(&payload, 100), options);
        if report.holds() {
            // Then others can read it as well.
            let read: Result<ciborium::Value, _> = ciborium::from_reader(&payload[..]);
            prop_assert!(read.is_ok());
        }
    }

    #[test]
    fn an_edited_certificate_is_refused(edits in vec(edit(), 1..4)) {
        let chain = &MADE.chain;
        let leaf = edited(&chain[1], &edits);
        let parsed = Chain::parse(&chain[0], &[], &leaf);
        let holds = parsed.is_ok_and(|parsed| {
            parsed.check_links().is_ok() && parsed.check_roles().is_ok()
        });
        prop_assert_eq!(holds, leaf == chain[1]);
    }
}
