//! Two opinions on a chain: this crate's and rustls-webpki's.
//!
//! What this crate accepts, webpki accepts. What webpki accepts and this crate
//! refuses is of one of the kinds in `Beyond`, each with a test in `links`.

use km_nsm::verify::chain::{Chain, ChainError, Position};
use km_nsm::verify::envelope::Envelope;
use km_nsm::verify::payload::Payload;
use proptest::prelude::*;
use rustls_pki_types::{CertificateDer, UnixTime};
use webpki::ring::ECDSA_P384_SHA384;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::{given, made};

/// What webpki does not look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beyond {
    /// It takes intermediates in any order, and leaves out those it does not
    /// need.
    Order,
    /// It ignores what a key is for.
    KeyUsage,
    /// Of a root it takes no more than name and key.
    Root,
    /// It asks for basic constraints that are critical of nobody.
    Critical,
    /// It lets a leaf limit paths.
    LeafPathLength,
    /// It does not look at the leaf's key before it is used.
    LeafKey,
    /// It knows more extensions, such as constraints on names.
    Extensions,
    /// It has no limit to the length of a certificate, and another one to
    /// that of a chain.
    Length,
}

/// This crate's opinion.
pub fn ours(certificates: &[Vec<u8>], seconds: u64) -> Result<(), ChainError> {
    let (leaf, authorities) = certificates.split_last().unwrap();
    let (root, intermediates) = authorities.split_first().unwrap();
    let intermediates: Vec<&[u8]> = intermediates.iter().map(Vec::as_slice).collect();
    let chain = Chain::parse(root, &intermediates, leaf)?;
    chain.check_links()?;
    chain.check_validity(seconds)?;
    chain.check_roles()
}

/// webpki's.
pub fn theirs(certificates: &[Vec<u8>], seconds: u64) -> Result<(), webpki::Error> {
    let certificates = certificates
        .iter()
        .map(|der| CertificateDer::from(&der[..]));
    let certificates: Vec<_> = certificates.collect();
    let (leaf, authorities) = certificates.split_last().unwrap();
    let (root, intermediates) = authorities.split_first().unwrap();
    let anchors = [anchor_from_trusted_cert(root)?];
    let leaf = EndEntityCert::try_from(leaf)?;
    let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
    let usage = KeyUsage::client_auth();
    let algorithms = [ECDSA_P384_SHA384];
    let path = leaf.verify_for_usage(
        &algorithms,
        &anchors,
        intermediates,
        time,
        usage,
        None,
        None,
    );
    path.map(drop)
}

/// That both opinions are the same, or ours is the stricter one for a reason
/// that is allowed; the reason.
pub fn compare(name: &str, certificates: &[Vec<u8>], seconds: u64) -> Option<Beyond> {
    let (ours, theirs) = (ours(certificates, seconds), theirs(certificates, seconds));
    match (&ours, &theirs) {
        (Ok(()), Ok(())) | (Err(_), Err(_)) => None,
        (Ok(()), Err(error)) => panic!("{name}: accepted; webpki: {error}"),
        (Err(error), Ok(())) => match beyond(error) {
            Some(reason) => Some(reason),
            None => panic!("{name}: {error}; webpki accepts"),
        },
    }
}

/// Why webpki does not see this error, if it does not.
fn beyond(error: &ChainError) -> Option<Beyond> {
    use km_nsm::verify::certificate::CertificateError;
    match error {
        ChainError::Issuer { .. } => Some(Beyond::Order),
        ChainError::NoCertificateSigning { .. } | ChainError::NoDigitalSignature { .. } => {
            Some(Beyond::KeyUsage)
        }
        ChainError::NotCritical { .. } => Some(Beyond::Critical),
        ChainError::LeafPathLength { .. } => Some(Beyond::LeafPathLength),
        ChainError::Length { .. } => Some(Beyond::Length),
        ChainError::Certificate { error, at } => match error {
            CertificateError::Length { .. } => Some(Beyond::Length),
            CertificateError::UnknownCritical(_) => Some(Beyond::Extensions),
            CertificateError::Key if *at == Position::Leaf => Some(Beyond::LeafKey),
            _ if *at == Position::Root => Some(Beyond::Root),
            _ => None,
        },
        ChainError::NotYetValid { at, .. }
        | ChainError::Expired { at, .. }
        | ChainError::NoAuthority { at }
        | ChainError::PathLength { at, .. }
            if *at == Position::Root =>
        {
            Some(Beyond::Root)
        }
        _ => None,
    }
}

/// The chains of the given documents, with their own times.
fn given_chains() -> Vec<(String, Vec<Vec<u8>>, u64)> {
    let mut chains = Vec::new();
    for given in given::all() {
        let Ok(envelope) = Envelope::parse(&given.bytes) else {
            continue;
        };
        let payload = Payload::parse(envelope.payload).unwrap();
        let mut certificates: Vec<_> = payload.cabundle.iter().map(|der| der.to_vec()).collect();
        certificates.push(payload.certificate.to_vec());
        chains.push((given.name, certificates, payload.timestamp / 1000));
    }
    chains
}

/// Those, and one of our own.
fn chains() -> Vec<(String, Vec<Vec<u8>>, u64)> {
    let mut chains = given_chains();
    chains.push(("made".to_owned(), made::chain(&made::parts()), made::NOW));
    chains
}

#[test]
fn both_accept_all_chains() {
    for (name, chain, time) in chains() {
        assert_eq!(ours(&chain, time), Ok(()), "{name}");
        assert_eq!(theirs(&chain, time), Ok(()), "{name}");
    }
}

#[test]
fn both_see_the_ends_of_validity() {
    for (name, chain, time) in chains() {
        let (leaf, authorities) = chain.split_last().unwrap();
        let authorities: Vec<&[u8]> = authorities.iter().map(Vec::as_slice).collect();
        let parsed = Chain::parse(authorities[0], &authorities[1..], leaf).unwrap();
        for (position, certificate) in parsed.all() {
            for (at, inside) in [
                (certificate.not_before - 1, false),
                (certificate.not_before, true),
                (certificate.not_after, true),
                (certificate.not_after + 1, false),
            ] {
                let reason = compare(&name, &chain, at);
                // Nothing below a root is valid when the root is not.
                assert_eq!(reason, None, "{name}: {position} at {at}");
                assert!(inside || ours(&chain, at).is_err());
            }
        }
        assert!(ours(&chain, time).is_ok());
    }
}

#[test]
fn both_see_a_certificate_left_out_or_of_another_chain() {
    let chains = chains();
    for (name, chain, time) in &chains {
        // Without its root, the rest would be a chain of its own.
        for at in 1..chain.len() - 1 {
            let mut shorter = chain.clone();
            shorter.remove(at);
            assert!(ours(&shorter, *time).is_err(), "{name}: {at}");
            assert_eq!(compare(name, &shorter, *time), None, "{name}: {at}");
        }
        for (other_name, other, _) in &chains {
            for at in 0..chain.len().min(other.len()) {
                let mut mixed = chain.clone();
                mixed[at].clone_from(&other[at]);
                let name = format!("{name}, {at} of {other_name}");
                assert_eq!(compare(&name, &mixed, *time), None, "{name}");
            }
        }
    }
}

#[test]
fn only_we_see_the_order() {
    for (name, chain, time) in chains() {
        // With the root on top, and the leaf at the end, both in their places.
        let inner = 1..chain.len() - 1;
        for first in inner.clone() {
            for second in first + 1..inner.end {
                let mut swapped = chain.clone();
                swapped.swap(first, second);
                assert_eq!(compare(&name, &swapped, time), Some(Beyond::Order));
            }
            let mut twice = chain.clone();
            twice.insert(first, chain[first].clone());
            assert_eq!(compare(&name, &twice, time), Some(Beyond::Order));
        }
        for other in 1..chain.len() {
            // It may take what is on top then as a root of the rest.
            let mut other_root = chain.clone();
            other_root.swap(0, other);
            assert!(ours(&other_root, time).is_err(), "{name}: {other}");
            let reason = compare(&name, &other_root, time);
            assert!(matches!(reason, None | Some(Beyond::Order)), "{name}");
        }
        let leaf = chain.len() - 1;
        for other in 0..leaf {
            let mut other_leaf = chain.clone();
            other_leaf.swap(leaf, other);
            assert!(ours(&other_leaf, time).is_err(), "{name}: {other}");
            assert_eq!(compare(&name, &other_leaf, time), None, "{name}");
        }
    }
}

#[test]
fn both_see_every_changed_byte() {
    for (name, mut chain, time) in chains() {
        // webpki takes less of a root, so all of it is another test's.
        for which in 1..chain.len() {
            for at in (which..chain[which].len()).step_by(11) {
                chain[which][at] ^= 1 << (at % 8);
                let seen = compare(&name, &chain, time);
                assert!(ours(&chain, time).is_err(), "{name}: {which}, byte {at}");
                assert_eq!(seen, None, "{name}: {which}, byte {at}");
                chain[which][at] ^= 1 << (at % 8);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Chains of which anything can be wrong, in all combinations.
    #[test]
    fn opinions_differ_only_for_a_reason(
        intermediates in 0..4_usize,
        faults in prop::collection::vec((0..5_usize, 0..9_u8), 0..3),
    ) {
        let mut parts = made::parts();
        parts.drain(1..4 - intermediates);
        for (which, fault) in &faults {
            let which = which % parts.len();
            let part = &mut parts[which];
            match fault {
                0 => part.not_after = made::NOW - 1,
                1 => part.not_before = made::NOW + 1,
                2 => part.signer = Some(200),
                3 => part.issuer = Some("CN=another".to_owned()),
                4 => part.extensions[0] = made::constraints(true, true, Some(0)),
                5 => part.extensions[0] = made::constraints(true, false, None),
                6 => part.extensions[0] = made::constraints(false, true, None),
                7 => drop(part.extensions.remove(0)),
                _ => drop(part.extensions.pop()),
            }
        }
        let chain = made::chain(&parts);
        compare(&format!("{faults:?}"), &chain, made::NOW);
        if faults.is_empty() {
            prop_assert_eq!(ours(&chain, made::NOW), Ok(()));
        }
    }
}
