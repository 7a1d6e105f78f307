//! No document stays valid with a byte changed.

use km_nsm::verify::chain::Chain;
use km_nsm::verify::envelope::Envelope;
use km_nsm::verify::payload::Payload;
use km_nsm::verify::{Options, verify};

use crate::given::{self, Given};
use crate::made;

/// All before the payload's content, and some of that.
const HEAD: usize = 16;
const SIGNATURE: usize = 96;

fn is_refused(document: &mut [u8], at: usize, change: u8, options: &Options) -> bool {
    document[at] ^= change;
    let refused = !verify(document, options).holds();
    document[at] ^= change;
    refused
}

/// Changes every `stride`th byte of a valid document, in one way, and those
/// around payload and signature in all.
fn change_each(name: &str, bytes: &[u8], options: &Options, stride: usize) {
    assert!(verify(bytes, options).holds(), "{name}");
    let mut document = bytes.to_vec();
    for at in (0..bytes.len()).step_by(stride) {
        let change = 1 << (at % 8);
        assert!(
            is_refused(&mut document, at, change, options),
            "{name}: byte {at}"
        );
    }
    let signature = bytes.len() - SIGNATURE;
    for at in (0..HEAD).chain(signature - 2..signature) {
        for change in 1..=u8::MAX {
            assert!(
                is_refused(&mut document, at, change, options),
                "{name}: byte {at}, {change:#x}"
            );
        }
    }
}

/// All bytes of the first valid document, and a part of the others', a
/// different one of each.
fn change_all(documents: &[Given]) {
    let valid = documents.iter().filter(|given| given.is_valid());
    for (given, stride) in valid.zip([1, 29, 31, 37, 41, 43, 47]) {
        change_each(&given.name, &given.bytes, &given.options(), stride);
    }
}

#[test]
fn every_byte_of_real_documents_counts() {
    change_all(&given::real());
}

#[test]
fn every_byte_of_development_documents_counts() {
    change_all(&given::development());
}

#[test]
fn a_document_cut_short_or_made_longer_is_refused() {
    for given in given::all().iter().filter(|given| given.is_valid()) {
        let options = given.options();
        for end in 0..given.bytes.len() {
            let report = verify(&given.bytes[..end], &options);
            assert!(!report.holds(), "{}: {end} bytes", given.name);
        }
        for more in [&[0][..], &[0xff], &[0xf6], &given.bytes] {
            let longer = [&given.bytes, more].concat();
            assert!(!verify(&longer, &options).holds(), "{}", given.name);
        }
    }
}

/// That no byte of certificates below the root can be changed, whatever else
/// is in the document.
fn change_certificates(name: &str, certificates: &[Vec<u8>], time: u64, stride: usize) {
    let mut certificates = certificates.to_vec();
    let holds = |certificates: &[Vec<u8>]| {
        let (leaf, authorities) = certificates.split_last().unwrap();
        let (root, intermediates) = authorities.split_first().unwrap();
        let intermediates: Vec<&[u8]> = intermediates.iter().map(Vec::as_slice).collect();
        Chain::parse(root, &intermediates, leaf).is_ok_and(|chain| {
            chain.check_validity(time).is_ok()
                && chain.check_roles().is_ok()
                && chain.check_links().is_ok()
        })
    };
    assert!(holds(&certificates), "{name}");
    for which in 1..certificates.len() {
        for at in (0..certificates[which].len()).step_by(stride) {
            let change = 1 << (at % 8);
            certificates[which][at] ^= change;
            assert!(!holds(&certificates), "{name}: {which}, byte {at}");
            certificates[which][at] ^= change;
        }
    }
}

#[test]
fn every_byte_of_certificates_counts() {
    let chain = made::chain(&made::parts());
    change_certificates("made", &chain, made::NOW, 1);
    for given in given::real().iter().filter(|given| given.is_valid()) {
        let envelope = Envelope::parse(&given.bytes).unwrap();
        let payload = Payload::parse(envelope.payload).unwrap();
        let mut certificates: Vec<_> = payload.cabundle.iter().map(|der| der.to_vec()).collect();
        certificates.push(payload.certificate.to_vec());
        let time = given::own_time(&given.bytes);
        change_certificates(&given.name, &certificates, time, 7);
    }
}
