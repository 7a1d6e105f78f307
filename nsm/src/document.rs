//! Attestation documents: COSE_Sign1 (RFC 9052) around a map of CBOR.

use ciborium::Value;
use coset::{CborSerializable, CoseSign1Builder, HeaderBuilder, iana};
use p384::ecdsa::Signature;
use p384::ecdsa::signature::Signer;

use crate::authority::Leaf;
use crate::device::DIGEST;
use crate::message::{Options, map, optional, text, to_bytes};
use crate::pcr::Digest;

/// What a document says.
#[derive(Debug)]
pub struct Content {
    pub module_id: String,
    /// In milliseconds since 1970.
    pub timestamp: u64,
    /// Those that are locked.
    pub pcrs: Vec<(u16, Digest)>,
    /// The certificates above the leaf's, the root first, in DER.
    pub cabundle: Vec<Vec<u8>>,
    pub options: Options,
}

/// Why a document cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Key(#[from] crate::authority::Error),
    #[error("cannot sign: {0}")]
    Sign(#[from] p384::ecdsa::Error),
    #[error("cannot encode: {0}")]
    Encode(coset::CoseError),
}

impl Content {
    fn encode(&self, leaf: &Leaf) -> Vec<u8> {
        let pcrs = self.pcrs.iter().map(|(index, value)| {
            let value = Value::Bytes(value.bytes().to_vec());
            (Value::from(*index), value)
        });
        let bundle = self.cabundle.iter().cloned().map(Value::Bytes);
        let options = &self.options;
        to_bytes(&map([
            ("module_id", text(&self.module_id)),
            ("digest", text(DIGEST)),
            ("timestamp", self.timestamp.into()),
            ("pcrs", Value::Map(pcrs.collect())),
            ("certificate", Value::Bytes(leaf.certificate().to_vec())),
            ("cabundle", Value::Array(bundle.collect())),
            ("public_key", optional(options.public_key.as_ref())),
            ("user_data", optional(options.user_data.as_ref())),
            ("nonce", optional(options.nonce.as_ref())),
        ]))
    }

    /// The document, untagged.
    ///
    /// # Errors
    ///
    /// Where the leaf has no key.
    pub fn sign(&self, leaf: &Leaf) -> Result<Vec<u8>, Error> {
        let signer = leaf.signer()?;
        let protected = HeaderBuilder::new().algorithm(iana::Algorithm::ES384);
        let document = CoseSign1Builder::new()
            .protected(protected.build())
            .payload(self.encode(leaf))
            .try_create_signature(b"", |bytes| {
                let signature: Signature = signer.try_sign(bytes)?;
                Ok::<_, p384::ecdsa::Error>(signature.to_vec())
            })?;
        document.build().to_vec().map_err(Error::Encode)
    }
}
