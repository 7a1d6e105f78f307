//! Certificates and documents of our own, right or wrong as wished.

use std::time::Duration;

use ciborium::Value;
use der::asn1::{BitString, ObjectIdentifier, OctetString};
use der::oid::AssociatedOid;
use der::oid::db::rfc5912::ECDSA_WITH_SHA_384;
use der::{DateTime, Decode, Encode};
use p384::ecdsa::signature::Signer;
use p384::ecdsa::{DerSignature, Signature, SigningKey};
use x509_cert::Certificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, Builder, CertificateBuilder};
use x509_cert::certificate::TbsCertificate;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfo, SubjectPublicKeyInfoRef};
use x509_cert::time::Validity;

/// All is valid around this time, in seconds since 1970.
pub const NOW: u64 = 1_800_000_000;
pub const DAY: u64 = 24 * 60 * 60;

/// Everything of a certificate that can be wrong.
#[derive(Clone)]
pub struct Part {
    pub subject: String,
    /// The subject of the one above where there is none.
    pub issuer: Option<String>,
    /// Which key it is for; the one above signs with its own.
    pub key: u8,
    /// Who signs, where it is not the one above.
    pub signer: Option<u8>,
    pub not_before: u64,
    pub not_after: u64,
    pub extensions: Vec<Extension>,
}

pub fn key(number: u8) -> SigningKey {
    SigningKey::from_slice(&[number; 48]).unwrap()
}

pub fn extension(id: ObjectIdentifier, critical: bool, value: Vec<u8>) -> Extension {
    Extension {
        extn_id: id,
        critical,
        extn_value: OctetString::new(value).unwrap(),
    }
}

pub fn constraints(critical: bool, ca: bool, path_length: Option<u8>) -> Extension {
    let constraints = BasicConstraints {
        ca,
        path_len_constraint: path_length,
    };
    extension(
        BasicConstraints::OID,
        critical,
        constraints.to_der().unwrap(),
    )
}

pub fn usage(usages: &[KeyUsages]) -> Extension {
    let mut set = der::flagset::FlagSet::default();
    for usage in usages {
        set |= *usage;
    }
    extension(KeyUsage::OID, true, KeyUsage(set).to_der().unwrap())
}

pub fn authority(number: u8, path_length: Option<u8>) -> Part {
    Part {
        subject: format!("CN=authority {number}"),
        issuer: None,
        key: number + 1,
        signer: None,
        not_before: NOW - DAY,
        not_after: NOW + DAY,
        extensions: vec![
            constraints(true, true, path_length),
            usage(&[KeyUsages::KeyCertSign, KeyUsages::CRLSign]),
        ],
    }
}

pub fn leaf() -> Part {
    Part {
        subject: "CN=leaf".to_owned(),
        key: 100,
        extensions: vec![
            constraints(true, false, None),
            usage(&[KeyUsages::DigitalSignature]),
        ],
        ..authority(0, None)
    }
}

/// A root, as many intermediates as AWS has, and a leaf.
pub fn parts() -> Vec<Part> {
    let mut parts = vec![authority(0, None)];
    parts.extend((1..=3).map(|number| authority(number, Some(3 - number))));
    parts.push(leaf());
    parts
}

struct Profile<'a> {
    part: &'a Part,
    issuer: &'a str,
}

impl BuilderProfile for Profile<'_> {
    fn get_issuer(&self, _subject: &Name) -> Name {
        self.issuer.parse().unwrap()
    }

    fn get_subject(&self) -> Name {
        self.part.subject.parse().unwrap()
    }

    fn build_extensions(
        &self,
        _spk: SubjectPublicKeyInfoRef<'_>,
        _issuer_spk: SubjectPublicKeyInfoRef<'_>,
        _tbs: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        Ok(self.part.extensions.clone())
    }
}

fn time(seconds: u64) -> x509_cert::time::Time {
    let date = DateTime::from_unix_duration(Duration::from_secs(seconds));
    date.unwrap().into()
}

/// The certificate (DER) of `part`, issued by the one above it.
fn certificate(part: &Part, above: &Part) -> Vec<u8> {
    let profile = Profile {
        part,
        issuer: part.issuer.as_ref().unwrap_or(&above.subject),
    };
    let key_info = SubjectPublicKeyInfo::from_key(key(part.key).verifying_key()).unwrap();
    let validity = Validity::new(time(part.not_before), time(part.not_after));
    let serial = SerialNumber::from(u32::from(part.key));
    let builder = CertificateBuilder::new(profile, serial, validity, key_info).unwrap();
    let signer = key(part.signer.unwrap_or(above.key));
    let certificate = builder.build::<_, DerSignature>(&signer).unwrap();
    certificate.to_der().unwrap()
}

/// All of a chain, root first; the root is its own issuer.
pub fn chain(parts: &[Part]) -> Vec<Vec<u8>> {
    let above = parts.first().into_iter().chain(parts);
    parts
        .iter()
        .zip(above)
        .map(|(part, above)| certificate(part, above))
        .collect()
}

/// A certificate (DER) around `inner`, signed with that key whatever it says.
pub fn signed(inner: &[u8], signer: u8, algorithm: ObjectIdentifier) -> Vec<u8> {
    let signature: DerSignature = key(signer).sign(inner);
    let algorithm = AlgorithmIdentifierOwned {
        oid: algorithm,
        parameters: None,
    };
    let signature = BitString::from_bytes(signature.as_bytes()).unwrap();
    sequence(&[
        inner,
        &algorithm.to_der().unwrap(),
        &signature.to_der().unwrap(),
    ])
}

pub fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[0x30, 0x82], &length[..], &content].concat()
}

/// The signed part (DER) of a certificate.
pub fn inner(certificate: &[u8]) -> Vec<u8> {
    let certificate = Certificate::from_der(certificate).unwrap();
    certificate.tbs_certificate().to_der().unwrap()
}

/// The first `from` replaced, by as many bytes.
pub fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut found = bytes.windows(from.len());
    let at = found.position(|window| window == from).unwrap();
    let mut bytes = bytes.to_vec();
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

/// ecdsa-with-SHA384, as certificates name it.
pub const ALGORITHM: ObjectIdentifier = ECDSA_WITH_SHA_384;

pub const PCR0: [u8; 48] = [0xa5; 48];
pub const NONCE: &[u8] = b"only once";

/// A document with this chain, signed at `NOW` with the leaf's key.
pub fn document(chain: &[Vec<u8>]) -> Vec<u8> {
    let (leaf, bundle) = chain.split_last().unwrap();
    let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
    let pcrs = [(0, PCR0), (1, [0; 48])];
    let pcrs = pcrs.map(|(index, value)| (Value::from(index), bytes(&value)));
    let bundle = bundle.iter().map(|certificate| bytes(certificate));
    let payload = [
        ("module_id", Value::from("dev-nsm-00")),
        ("digest", Value::from("SHA384")),
        ("timestamp", Value::from(NOW * 1000)),
        ("pcrs", Value::Map(pcrs.to_vec())),
        ("certificate", bytes(leaf)),
        ("cabundle", Value::Array(bundle.collect())),
        ("public_key", Value::Null),
        ("user_data", bytes(b"")),
        ("nonce", bytes(NONCE)),
    ];
    let payload = payload.map(|(key, value)| (Value::from(key), value));
    sign(&encode(&Value::Map(payload.to_vec())), 100)
}

/// A document with this payload.
pub fn sign(payload: &[u8], signer: u8) -> Vec<u8> {
    let protected = Value::Bytes(vec![0xa1, 1, 0x38, 0x22]);
    let payload = Value::Bytes(payload.to_vec());
    let signed = Value::Array(vec![
        "Signature1".into(),
        protected.clone(),
        Value::Bytes(Vec::new()),
        payload.clone(),
    ]);
    let signature: Signature = key(signer).sign(&encode(&signed));
    encode(&Value::Array(vec![
        protected,
        Value::Map(Vec::new()),
        payload,
        Value::Bytes(signature.to_vec()),
    ]))
}

pub fn encode(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}
