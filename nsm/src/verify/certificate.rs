//! One certificate of a chain.

use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use der::oid::AssociatedOid;
use der::oid::db::rfc5912::{ECDSA_WITH_SHA_384, ID_EC_PUBLIC_KEY, SECP_384_R_1};
use der::{Decode, Reader, SliceReader};
use p384::ecdsa::signature::Verifier;
use p384::ecdsa::{Signature, VerifyingKey};
use thiserror::Error;
use x509_cert::certificate::{TbsCertificate, Version};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};
use x509_cert::name::Name;
use x509_cert::spki::AlgorithmIdentifierRef;

use super::payload::MOST_CERTIFICATE;

/// Why a certificate cannot be part of any chain.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CertificateError {
    #[error("{length} bytes, where it can have 1 to {MOST_CERTIFICATE}")]
    Length { length: usize },
    #[error("not a certificate: {0}")]
    Der(#[from] der::Error),
    #[error("not of version 3")]
    Version,
    #[error("not signed with ECDSA and SHA-384")]
    Algorithm,
    #[error("the signature is not one of P-384")]
    Signature,
    #[error("the key is not one of P-384")]
    Key,
    #[error("it has a unique identifier")]
    UniqueIdentifier,
    #[error("extension {0} is there twice")]
    Duplicate(ObjectIdentifier),
    #[error("extension {0} is critical, and unknown here")]
    UnknownCritical(ObjectIdentifier),
}

/// A certificate whose form is right.
#[derive(Debug)]
pub struct Certificate<'a> {
    /// What was signed, as it stands in the certificate.
    signed: &'a [u8],
    signature: Signature,
    key: VerifyingKey,
    pub issuer: Name,
    pub subject: Name,
    pub serial: Vec<u8>,
    /// Seconds since 1970, both included.
    pub not_before: u64,
    pub not_after: u64,
    /// With whether they are critical.
    pub basic_constraints: Option<(bool, BasicConstraints)>,
    pub key_usage: Option<KeyUsage>,
}

impl<'a> Certificate<'a> {
    /// A certificate of version 3 for a key of P-384, signed by another such
    /// key.
    ///
    /// # Errors
    ///
    /// When it is anything else, or has a critical extension that is not known
    /// here.
    pub fn parse(bytes: &'a [u8]) -> Result<Certificate<'a>, CertificateError> {
        if !(1..=MOST_CERTIFICATE).contains(&bytes.len()) {
            let length = bytes.len();
            return Err(CertificateError::Length { length });
        }
        let outer = Outer::parse(bytes)?;
        let inner = TbsCertificate::from_der(outer.signed)?;
        if inner.version() != Version::V3 {
            return Err(CertificateError::Version);
        }
        let algorithm = inner.signature();
        let inside_is_right = algorithm.oid == ECDSA_WITH_SHA_384 && algorithm.parameters.is_none();
        if !inside_is_right || !is_ecdsa_with_sha384(outer.algorithm) {
            return Err(CertificateError::Algorithm);
        }
        let signature = outer
            .signature
            .as_bytes()
            .and_then(|bytes| Signature::from_der(bytes).ok())
            .ok_or(CertificateError::Signature)?;
        if inner.issuer_unique_id().is_some() || inner.subject_unique_id().is_some() {
            return Err(CertificateError::UniqueIdentifier);
        }
        let validity = inner.validity();
        let seconds = |time: x509_cert::time::Time| time.to_unix_duration().as_secs();
        let mut certificate = Certificate {
            signed: outer.signed,
            signature,
            key: key(&inner)?,
            issuer: inner.issuer().clone(),
            subject: inner.subject().clone(),
            serial: inner.serial_number().as_bytes().to_vec(),
            not_before: seconds(validity.not_before),
            not_after: seconds(validity.not_after),
            basic_constraints: None,
            key_usage: None,
        };
        certificate.read_extensions(&inner)?;
        Ok(certificate)
    }

    /// Whether the holder of this certificate's key signed `other`.
    pub fn has_signed(&self, other: &Certificate) -> bool {
        self.key.verify(other.signed, &other.signature).is_ok()
    }

    /// The key it is for.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    fn read_extensions(&mut self, inner: &TbsCertificate) -> Result<(), CertificateError> {
        let extensions = inner.extensions().map_or(&[][..], Vec::as_slice);
        for (at, extension) in extensions.iter().enumerate() {
            let id = extension.extn_id;
            let mut earlier = extensions.iter().take(at);
            if earlier.any(|earlier| earlier.extn_id == id) {
                return Err(CertificateError::Duplicate(id));
            }
            let value = extension.extn_value.as_bytes();
            if id == BasicConstraints::OID {
                let constraints = BasicConstraints::from_der(value)?;
                self.basic_constraints = Some((extension.critical, constraints));
            } else if id == KeyUsage::OID {
                self.key_usage = Some(KeyUsage::from_der(value)?);
            } else if extension.critical {
                return Err(CertificateError::UnknownCritical(id));
            }
        }
        Ok(())
    }
}

/// A certificate's three parts. The first stays as it is: decoded and encoded
/// again it could come out as other bytes than were signed.
struct Outer<'a> {
    signed: &'a [u8],
    algorithm: AlgorithmIdentifierRef<'a>,
    signature: BitStringRef<'a>,
}

impl<'a> Outer<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Outer<'a>, der::Error> {
        let mut reader = SliceReader::new(bytes)?;
        let outer = reader.sequence(|reader| {
            Ok::<_, der::Error>(Outer {
                signed: reader.tlv_bytes()?,
                algorithm: reader.decode()?,
                signature: reader.decode()?,
            })
        })?;
        reader.finish()?;
        Ok(outer)
    }
}

fn is_ecdsa_with_sha384(algorithm: AlgorithmIdentifierRef) -> bool {
    algorithm.oid == ECDSA_WITH_SHA_384 && algorithm.parameters.is_none()
}

/// The key, an uncompressed point of P-384.
fn key(inner: &TbsCertificate) -> Result<VerifyingKey, CertificateError> {
    const LENGTH: usize = 1 + 2 * 48;
    let info = inner.subject_public_key_info();
    let curve = info.algorithm.parameters.as_ref();
    let curve = curve.and_then(|any| AnyRef::from(any).decode_as::<ObjectIdentifier>().ok());
    if info.algorithm.oid != ID_EC_PUBLIC_KEY || curve != Some(SECP_384_R_1) {
        return Err(CertificateError::Key);
    }
    let point = info.subject_public_key.as_bytes();
    point
        .filter(|point| point.len() == LENGTH)
        .and_then(|point| VerifyingKey::from_sec1_bytes(point).ok())
        .ok_or(CertificateError::Key)
}
