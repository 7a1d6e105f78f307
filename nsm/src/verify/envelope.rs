//! The outside of a document: COSE_Sign1.

use p384::ecdsa::signature::Verifier;
use p384::ecdsa::{Signature, VerifyingKey};
use thiserror::Error;

use super::cbor::{CborError, Reader};

/// The longest answer of a security module, and so more than any document.
pub const MOST_DOCUMENT: usize = 0x3000;

/// COSE_Sign1's tag.
const TAG: u64 = 18;
/// The protected header, `{1: -35}`: signed with ES384.
const PROTECTED: &[u8] = &[0xa1, 0x01, 0x38, 0x22];
/// r and s.
const SIGNATURE: usize = 96;

/// Why something is no signed document.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    #[error("{length} bytes: no document is longer than {MOST_DOCUMENT}")]
    TooLong { length: usize },
    #[error(transparent)]
    Cbor(#[from] CborError),
    #[error("an array of {count}, where COSE_Sign1 has four elements")]
    Elements { count: u64 },
    #[error("the protected header is not {{1: -35}} (ES384)")]
    Protected,
    #[error("the unprotected header is not empty")]
    Unprotected,
    #[error("a signature of {length} bytes, where ES384 has {SIGNATURE}")]
    SignatureLength { length: usize },
    #[error("the signature's numbers are out of range")]
    SignatureRange,
}

/// A document taken apart, with nothing believed yet.
#[derive(Debug)]
pub struct Envelope<'a> {
    pub tagged: bool,
    pub payload: &'a [u8],
    signature: Signature,
}

impl<'a> Envelope<'a> {
    /// Four elements and nothing after them; the tag may be there or not.
    ///
    /// # Errors
    ///
    /// When it is anything else.
    pub fn parse(bytes: &'a [u8]) -> Result<Envelope<'a>, EnvelopeError> {
        if bytes.len() > MOST_DOCUMENT {
            let length = bytes.len();
            return Err(EnvelopeError::TooLong { length });
        }
        let mut reader = Reader::new(bytes);
        let tagged = reader.tag(TAG);
        let count = reader.array()?;
        if count != 4 {
            return Err(EnvelopeError::Elements { count });
        }
        if reader.bytes()? != PROTECTED {
            return Err(EnvelopeError::Protected);
        }
        if reader.map()? != 0 {
            return Err(EnvelopeError::Unprotected);
        }
        let payload = reader.bytes()?;
        let signature = reader.bytes()?;
        reader.end()?;
        if signature.len() != SIGNATURE {
            let length = signature.len();
            return Err(EnvelopeError::SignatureLength { length });
        }
        let signature =
            Signature::from_slice(signature).map_err(|_| EnvelopeError::SignatureRange)?;
        Ok(Envelope {
            tagged,
            payload,
            signature,
        })
    }

    /// Whether the holder of `key` signed it. s may be high or low.
    pub fn is_signed_by(&self, key: &VerifyingKey) -> bool {
        key.verify(&self.signed_bytes(), &self.signature).is_ok()
    }

    /// `["Signature1", protected, h'', payload]`, the `Sig_structure` of RFC
    /// 9052.
    fn signed_bytes(&self) -> Vec<u8> {
        const CONTEXT: &[u8] = b"\x84\x6aSignature1";
        let mut bytes = Vec::with_capacity(CONTEXT.len() + self.payload.len() + 16);
        bytes.extend_from_slice(CONTEXT);
        push(&mut bytes, PROTECTED);
        push(&mut bytes, &[]);
        push(&mut bytes, self.payload);
        bytes
    }
}

/// A byte string with the shortest head. Longer ones than a document do not
/// occur.
fn push(bytes: &mut Vec<u8>, string: &[u8]) {
    const DIRECT: u16 = 0x40;
    let length = u16::try_from(string.len()).unwrap_or(u16::MAX);
    match length.to_be_bytes() {
        [0, low @ 0..=23] => bytes.push(DIRECT as u8 | low),
        [0, low] => bytes.extend_from_slice(&[0x58, low]),
        [high, low] => bytes.extend_from_slice(&[0x59, high, low]),
    }
    bytes.extend_from_slice(string);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A document with these parts, each CBOR already.
    fn document(protected: &[u8], unprotected: &[u8], signature: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x84];
        push(&mut bytes, protected);
        bytes.extend_from_slice(unprotected);
        push(&mut bytes, b"payload");
        push(&mut bytes, signature);
        bytes
    }

    fn refused(bytes: &[u8]) -> EnvelopeError {
        Envelope::parse(bytes).unwrap_err()
    }

    #[test]
    fn four_elements_and_nothing_else() {
        let good = document(PROTECTED, &[0xa0], &[1; 96]);
        assert_eq!(Envelope::parse(&good).unwrap().payload, b"payload");
        let tagged = [&[0xd2][..], &good].concat();
        assert!(Envelope::parse(&tagged).unwrap().tagged);
        let twice = [&[0xd2][..], &tagged].concat();
        assert!(matches!(refused(&twice), EnvelopeError::Cbor(_)));
        let trailing = CborError::Trailing { count: 1 };
        let longer = [&good[..], &[0]].concat();
        assert_eq!(refused(&longer), EnvelopeError::Cbor(trailing));
        for count in [3, 5] {
            let mut other = good.clone();
            other[0] = 0x80 | count;
            let count = u64::from(count);
            assert_eq!(refused(&other), EnvelopeError::Elements { count });
        }
    }

    #[test]
    fn headers_are_exact() {
        let unsigned = document(&[0xa1, 1, 0x20], &[0xa0], &[0; 64]);
        assert_eq!(refused(&unsigned), EnvelopeError::Protected);
        let more = [0xa2, 0x01, 0x38, 0x22, 0x03, 0x00];
        let more = document(&more, &[0xa0], &[1; 96]);
        assert_eq!(refused(&more), EnvelopeError::Protected);
        let unprotected = document(PROTECTED, &[0xa1, 1, 0x38, 0x22], &[1; 96]);
        assert_eq!(refused(&unprotected), EnvelopeError::Unprotected);
    }

    #[test]
    fn signatures_have_one_length_and_range() {
        let short = document(PROTECTED, &[0xa0], &[1; 95]);
        assert_eq!(
            refused(&short),
            EnvelopeError::SignatureLength { length: 95 }
        );
        for value in [0, 0xff] {
            let outside = document(PROTECTED, &[0xa0], &[value; 96]);
            assert_eq!(refused(&outside), EnvelopeError::SignatureRange);
        }
    }

    #[test]
    fn no_document_is_longer_than_the_longest() {
        let length = MOST_DOCUMENT + 1;
        assert_eq!(refused(&vec![0; length]), EnvelopeError::TooLong { length });
    }
}
