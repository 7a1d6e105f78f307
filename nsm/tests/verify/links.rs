//! Chains of which one thing is wrong, and what is said of them.

use der::asn1::ObjectIdentifier;
use der::oid::AssociatedOid;
use der::oid::db::rfc5912::ECDSA_WITH_SHA_256;
use km_nsm::verify::certificate::CertificateError;
use km_nsm::verify::chain::{ChainError, Position};
use x509_cert::ext::pkix::{KeyUsage, KeyUsages, NameConstraints, SubjectAltName};

use crate::made::{self, Part, constraints, extension, usage};
use crate::opinions::{Beyond, compare, ours, theirs};

const ROOT: usize = 0;
const LEAF: usize = 4;

/// What is said of a chain with one part changed, and what webpki does not
/// see of it.
fn changed(which: usize, change: impl FnOnce(&mut Part)) -> (Option<ChainError>, Option<Beyond>) {
    let mut parts = made::parts();
    change(&mut parts[which]);
    judged(&made::chain(&parts))
}

fn judged(chain: &[Vec<u8>]) -> (Option<ChainError>, Option<Beyond>) {
    let beyond = compare("changed", chain, made::NOW);
    (ours(chain, made::NOW).err(), beyond)
}

fn at(which: usize) -> Position {
    match which {
        ROOT => Position::Root,
        LEAF => Position::Leaf,
        number => Position::Intermediate(number),
    }
}

fn malformed(which: usize, error: CertificateError) -> Option<ChainError> {
    let at = at(which);
    Some(ChainError::Certificate { at, error })
}

#[test]
fn paths_have_a_length() {
    for (which, allowed, below) in [(0, 3, 3), (1, 2, 2), (3, 0, 0)] {
        let change = |part: &mut Part| part.extensions[0] = constraints(true, true, Some(allowed));
        assert_eq!(changed(which, change).0, None, "{which}: {below}");
    }
    for (which, allowed, below) in [(0, 2, 3), (0, 0, 3), (1, 1, 2), (2, 0, 1)] {
        let error = ChainError::PathLength {
            at: at(which),
            below,
            allowed,
        };
        let beyond = (which == ROOT).then_some(Beyond::Root);
        let change = |part: &mut Part| part.extensions[0] = constraints(true, true, Some(allowed));
        assert_eq!(changed(which, change), (Some(error), beyond));
    }
}

#[test]
fn authorities_issued_to_themselves_count() {
    // Each has the same name, so each is its own issuer by name.
    let mut parts = made::parts();
    for part in &mut parts[..LEAF] {
        part.subject = "CN=same".to_owned();
    }
    assert_eq!(ours(&made::chain(&parts), made::NOW), Ok(()));
    parts[2].extensions[0] = constraints(true, true, Some(0));
    let error = ChainError::PathLength {
        at: at(2),
        below: 1,
        allowed: 0,
    };
    assert_eq!(judged(&made::chain(&parts)), (Some(error), None));
}

#[test]
fn authorities_are_authorities() {
    for which in 0..LEAF {
        let unseen = (which == ROOT).then_some(Beyond::Root);
        let no_authority = Some(ChainError::NoAuthority { at: at(which) });
        let without = changed(which, |part| drop(part.extensions.remove(0)));
        assert_eq!(without, (no_authority.clone(), unseen));
        let denied = changed(which, |part| {
            part.extensions[0] = constraints(true, false, None);
        });
        assert_eq!(denied, (no_authority, unseen));
        let lax = changed(which, |part| part.extensions[0].critical = false);
        let not_critical = ChainError::NotCritical { at: at(which) };
        assert_eq!(lax, (Some(not_critical), Some(Beyond::Critical)));
    }
}

#[test]
fn keys_of_authorities_are_for_certificates() {
    for which in 0..LEAF {
        let error = Some(ChainError::NoCertificateSigning { at: at(which) });
        let seen = (error, Some(Beyond::KeyUsage));
        assert_eq!(changed(which, |part| drop(part.extensions.pop())), seen);
        let other = [KeyUsages::DigitalSignature, KeyUsages::CRLSign];
        let change = |part: &mut Part| part.extensions[1] = usage(&other);
        assert_eq!(changed(which, change), seen);
        // What it is for does not have to be critical.
        assert_eq!(
            changed(which, |part| part.extensions[1].critical = false),
            (None, None)
        );
    }
}

#[test]
fn leaves_are_no_authorities_and_sign() {
    let authority = changed(LEAF, |part| {
        part.extensions[0] = constraints(true, true, None);
    });
    let error = ChainError::LeafAuthority { at: at(LEAF) };
    assert_eq!(authority, (Some(error), None));
    let limit = changed(LEAF, |part| {
        part.extensions[0] = constraints(true, false, Some(0));
    });
    let error = ChainError::LeafPathLength { at: at(LEAF) };
    assert_eq!(limit, (Some(error), Some(Beyond::LeafPathLength)));
    let error = ChainError::NoDigitalSignature { at: at(LEAF) };
    let seen = (Some(error), Some(Beyond::KeyUsage));
    assert_eq!(changed(LEAF, |part| drop(part.extensions.pop())), seen);
    let other = changed(LEAF, |part| {
        part.extensions[1] = usage(&[KeyUsages::NonRepudiation]);
    });
    assert_eq!(other, seen);
    let without = changed(LEAF, |part| drop(part.extensions.remove(0)));
    assert_eq!(without, (None, None));
}

#[test]
fn critical_extensions_have_to_be_known() {
    let unknown = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.32473.1");
    for which in 0..=LEAF {
        let with = |id, critical| {
            let more = extension(id, critical, vec![0x30, 0]);
            changed(which, |part| part.extensions.push(more))
        };
        assert_eq!(with(unknown, false), (None, None));
        let error = malformed(which, CertificateError::UnknownCritical(unknown));
        let unseen = (which == ROOT).then_some(Beyond::Extensions);
        assert_eq!(with(unknown, true), (error, unseen));
        // Known to webpki; not here, where they have no use.
        for id in [NameConstraints::OID, SubjectAltName::OID] {
            let error = malformed(which, CertificateError::UnknownCritical(id));
            assert_eq!(with(id, true).0, error);
        }
    }
}

#[test]
fn extensions_are_there_once_and_well_formed() {
    for which in 1..=LEAF {
        let twice = changed(which, |part| {
            part.extensions.push(part.extensions[1].clone())
        });
        let error = CertificateError::Duplicate(KeyUsage::OID);
        assert_eq!(twice, (malformed(which, error), None));
    }
    for value in [&[][..], &[0x30, 1], &[0x30, 3, 1, 1, 0xfe], &[0x30, 0, 0]] {
        let (error, _) = changed(1, |part| {
            let id = part.extensions[0].extn_id;
            part.extensions[0] = extension(id, true, value.to_vec());
        });
        let is_malformed = matches!(
            error,
            Some(ChainError::Certificate {
                error: CertificateError::Der(_),
                ..
            })
        );
        assert!(is_malformed, "{value:?}: {error:?}");
    }
}

#[test]
fn all_are_valid_at_the_time() {
    for which in 0..=LEAF {
        let unseen = (which == ROOT).then_some(Beyond::Root);
        let from = made::NOW + 1;
        let early = changed(which, |part| part.not_before = from);
        let error = ChainError::NotYetValid {
            at: at(which),
            from,
        };
        assert_eq!(early, (Some(error), unseen));
        let end = made::NOW - 1;
        let late = changed(which, |part| part.not_after = end);
        let error = ChainError::Expired { at: at(which), end };
        assert_eq!(late, (Some(error), unseen));
        let now = changed(which, |part| {
            (part.not_before, part.not_after) = (made::NOW, made::NOW);
        });
        assert_eq!(now, (None, None));
    }
}

#[test]
fn issuers_are_named_and_sign() {
    for which in 1..=LEAF {
        let named = changed(which, |part| part.issuer = Some("CN=another".to_owned()));
        assert_eq!(named, (Some(ChainError::Issuer { at: at(which) }), None));
        let signed = changed(which, |part| part.signer = Some(200));
        assert_eq!(
            signed,
            (Some(ChainError::Signature { at: at(which) }), None)
        );
    }
}

#[test]
fn algorithms_are_the_same_inside_and_outside() {
    const SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
    const SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    for which in 1..=LEAF {
        let chain = made::chain(&made::parts());
        let signer = made::parts()[which - 1].key;
        let error = malformed(which, CertificateError::Algorithm);
        let as_it_is = made::inner(&chain[which]);
        let other = made::replaced(&as_it_is, SHA384, SHA256);
        for (inner, outside) in [
            (&other, made::ALGORITHM),
            (&as_it_is, ECDSA_WITH_SHA_256),
            (&other, ECDSA_WITH_SHA_256),
        ] {
            let mut chain = chain.clone();
            chain[which] = made::signed(inner, signer, outside);
            assert_eq!(judged(&chain), (error.clone(), None));
        }
        let mut chain = chain.clone();
        chain[which] = made::signed(&as_it_is, signer, made::ALGORITHM);
        assert_eq!(judged(&chain), (None, None));
    }
}

#[test]
fn certificates_are_of_version_3() {
    let mut chain = made::chain(&made::parts());
    let inner = made::inner(&chain[LEAF]);
    let inner = made::replaced(&inner, &[0xa0, 3, 2, 1, 2], &[0xa0, 3, 2, 1, 1]);
    chain[LEAF] = made::signed(&inner, made::parts()[LEAF - 1].key, made::ALGORITHM);
    assert_eq!(
        judged(&chain),
        (malformed(LEAF, CertificateError::Version), None)
    );
}

#[test]
fn keys_are_of_p384() {
    /// secp384r1, and secp521r1 of the same length.
    const CURVES: [&[u8]; 2] = [&[0x2b, 0x81, 4, 0, 0x22], &[0x2b, 0x81, 4, 0, 0x23]];
    /// Head of the key, and one of a compressed point.
    const POINTS: [&[u8]; 2] = [&[3, 0x62, 0, 4], &[3, 0x62, 0, 3]];
    for [from, to] in [CURVES, POINTS] {
        let mut chain = made::chain(&made::parts());
        let inner = made::replaced(&made::inner(&chain[LEAF]), from, to);
        chain[LEAF] = made::signed(&inner, made::parts()[LEAF - 1].key, made::ALGORITHM);
        let error = malformed(LEAF, CertificateError::Key);
        assert_eq!(judged(&chain), (error, Some(Beyond::LeafKey)));
    }
}

#[test]
fn certificates_and_chains_have_a_limit() {
    let long = changed(1, |part| {
        let unknown = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.32473.1");
        part.extensions
            .push(extension(unknown, false, vec![0; 700]));
    });
    let (error, beyond) = long;
    let too_long = CertificateError::Length { length: 1025 };
    assert!(
        matches!(
            error,
            Some(ChainError::Certificate {
                error: CertificateError::Length { .. },
                ..
            })
        ),
        "{error:?}, as {too_long}"
    );
    assert_eq!(beyond, Some(Beyond::Length));

    let mut parts = vec![made::authority(0, None)];
    parts.extend((1..8).map(|number| made::authority(number, None)));
    parts.push(made::leaf());
    assert_eq!(ours(&made::chain(&parts), made::NOW), Ok(()));
    parts.insert(8, made::authority(8, None));
    let error = ChainError::Length { count: 9 };
    assert_eq!(ours(&made::chain(&parts), made::NOW), Err(error));
}

#[test]
fn what_was_signed_is_what_stands_there() {
    // "Not critical", written out, is not DER. webpki and this crate agree
    // about a certificate that has it, whatever they think of it.
    let mut chain = made::chain(&made::parts());
    let usage = [6, 3, 0x55, 0x1d, 0x0f, 1, 1, 0xff];
    let lax = [6, 3, 0x55, 0x1d, 0x0f, 1, 1, 0x00];
    let inner = made::replaced(&made::inner(&chain[LEAF]), &usage, &lax);
    chain[LEAF] = made::signed(&inner, made::parts()[LEAF - 1].key, made::ALGORITHM);
    assert_eq!(judged(&chain).1, None);
    assert_eq!(
        theirs(&chain, made::NOW).is_ok(),
        ours(&chain, made::NOW).is_ok()
    );
}
