//! Checks a security module that nobody has used yet, request by request, and
//! leaves it with every PCR locked.

use aws_nitro_enclaves_nsm_api::api::{AttestationDoc, Digest, ErrorCode, Request, Response};
use nsm_clients::{Nsm, OF_THE_LAUNCH, PCRS, Refusal, ZERO, extended};

/// The largest option of an attestation.
const OPTION_MAX: usize = 1024;

fn main() {
    let nsm = Nsm::open();
    describe(&nsm);
    launch(&nsm);
    extend(&nsm);
    lock(&nsm);
    attest(&nsm);
    random(&nsm);
    refused(&nsm);
}

fn describe(nsm: &Nsm) {
    let Response::DescribeNSM {
        version_major,
        version_minor,
        module_id,
        max_pcrs,
        locked_pcrs,
        digest,
        ..
    } = nsm.ask(Request::DescribeNSM)
    else {
        panic!("it does not describe itself");
    };
    assert_eq!((version_major, version_minor), (1, 0));
    // As long as the C library's buffer, less its end.
    assert!((1..100).contains(&module_id.len()) && module_id.is_ascii());
    assert_eq!(max_pcrs, PCRS);
    assert!(locked_pcrs.into_iter().eq(0..OF_THE_LAUNCH));
    assert!(matches!(digest, Digest::SHA384));
    println!("describes itself");
}

/// What was measured is there, and nothing else.
fn launch(nsm: &Nsm) {
    for index in 0..PCRS {
        let (locked, value) = nsm.pcr(index);
        assert_eq!(locked, index < OF_THE_LAUNCH, "lock of PCR {index}");
        assert_eq!(value.len(), ZERO.len());
        let measured = matches!(index, 0 | 1 | 2 | 4);
        assert_eq!(value != ZERO, measured, "value of PCR {index}");
    }
    for index in 0..OF_THE_LAUNCH {
        assert_eq!(nsm.lock(index), Err(Refusal::ReadOnlyIndex));
        assert_eq!(nsm.extend(index, b"x"), Err(Refusal::ReadOnlyIndex));
    }
    println!("PCRs of the launch are measured and locked");
}

fn extend(nsm: &Nsm) {
    for index in OF_THE_LAUNCH..PCRS {
        let mut value = ZERO.to_vec();
        for data in [&b"one"[..], b"", &[index as u8; 3000], b"one"] {
            value = extended(&value, data);
            assert_eq!(nsm.extend(index, data).as_ref(), Ok(&value));
        }
        assert_eq!(nsm.pcr(index), (false, value));
    }
    println!("PCRs of the payload are extended");
}

fn lock(nsm: &Nsm) {
    assert_eq!(nsm.lock_below(0), Ok(()));
    assert_eq!(nsm.lock(20), Ok(()));
    assert_eq!(nsm.lock(20), Err(Refusal::ReadOnlyIndex));
    // The end of a range is not in it.
    assert_eq!(nsm.lock_below(24), Ok(()));
    assert!(nsm.pcr(23).0 && !nsm.pcr(24).0);
    for index in 24..PCRS {
        assert_eq!(nsm.lock(index), Ok(()));
    }
    assert_eq!(nsm.lock_below(PCRS), Ok(()));
    assert_eq!(nsm.lock_below(PCRS + 1), Err(Refusal::InvalidIndex));
    for index in 0..PCRS {
        let before = nsm.pcr(index);
        assert!(before.0);
        assert_eq!(nsm.extend(index, b"late"), Err(Refusal::ReadOnlyIndex));
        assert_eq!(nsm.pcr(index), before);
    }
    println!("all PCRs are locked");
}

fn attest(nsm: &Nsm) {
    for options in 0..=3 {
        let document = nsm.attest(options, OPTION_MAX).expect("a document");
        let found = read(&document);
        let given = [&found.user_data, &found.nonce, &found.public_key];
        for (index, option) in given.into_iter().enumerate() {
            let wanted = (index < options).then(|| vec![index as u8 + 1; OPTION_MAX]);
            assert_eq!(option.as_ref().map(|bytes| bytes.to_vec()), wanted);
        }
        assert_eq!(found.pcrs.len(), usize::from(PCRS));
        for (index, value) in found.pcrs {
            assert_eq!(nsm.pcr(index as u16).1, value.to_vec());
        }
        assert!(found.timestamp > 1_600_000_000_000);
        assert!(!found.cabundle.is_empty());
    }
    println!("attests with none, one, two and three options");
}

/// The document in its COSE_Sign1: four elements with known heads in front of
/// the third, which is as AWS's crate reads it.
fn read(document: &[u8]) -> AttestationDoc {
    let rest = document
        .strip_prefix(b"\x84\x44\xa1\x01\x38\x22\xa0\x59")
        .expect("a document signed with ES384");
    let (size, rest) = rest.split_at(2);
    let size = usize::from(u16::from_be_bytes([size[0], size[1]]));
    let (content, signature) = rest.split_at(size);
    assert_eq!((signature.len(), &signature[..2]), (98, &b"\x58\x60"[..]));
    AttestationDoc::from_binary(content).expect("a document")
}

fn random(nsm: &Nsm) {
    let found: std::collections::BTreeSet<_> = (0..16).map(|_| nsm.random()).collect();
    assert_eq!(found.len(), 16);
    assert!(found.iter().all(|bytes| bytes.len() == 256));
    println!("gives random bytes");
}

fn refused(nsm: &Nsm) {
    for index in [PCRS, 300, u16::MAX] {
        let response = nsm.ask(Request::DescribePCR { index });
        assert!(matches!(response, Response::Error(ErrorCode::InvalidIndex)));
        assert_eq!(nsm.extend(index, b"x"), Err(Refusal::InvalidIndex));
        assert_eq!(nsm.lock(index), Err(Refusal::InvalidIndex));
    }
    let too_large = Err(Refusal::InputTooLarge);
    assert_eq!(nsm.attest(1, OPTION_MAX + 1), too_large);
    assert_eq!(nsm.extend(31, &[0; 4096]), too_large);
    println!("refuses what is out of bounds");
}
