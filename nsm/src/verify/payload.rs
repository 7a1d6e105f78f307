//! The inside of a document: what the security module says.

use std::collections::BTreeMap;
use std::fmt;

use thiserror::Error;

use super::cbor::{CborError, Count, Reader};

/// The longest certificate.
pub const MOST_CERTIFICATE: usize = 1024;
/// More certificates above the leaf than AWS has (4).
pub const MOST_BUNDLE: u64 = 8;

/// PCRs of a security module.
const PCRS: u64 = 32;
/// The longest nonce, user data or public key.
const MOST_OPTION: usize = 1024;
/// The one digest PCRs are made with.
const DIGEST: &str = "SHA384";

/// Why a payload is not that of an attestation document.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PayloadError {
    #[error(transparent)]
    Cbor(#[from] CborError),
    #[error("{0} is there twice")]
    Duplicate(Key),
    #[error("{0} is missing")]
    Missing(Key),
    #[error("\"{}\" is no part of a document", .0.escape_debug())]
    Unknown(String),
    #[error("module_id is empty")]
    ModuleId,
    #[error("the digest is not {DIGEST}")]
    Digest,
    #[error("the timestamp is zero")]
    Timestamp,
    #[error("{count} PCRs, where there are 1 to {PCRS}")]
    PcrCount { count: u64 },
    #[error("PCR {index}, where the last one is {}", PCRS - 1)]
    PcrIndex { index: u64 },
    #[error("PCR {index} is there twice")]
    PcrDuplicate { index: u8 },
    #[error("PCR {index} has {length} bytes, where it can have 32, 48 or 64")]
    PcrLength { index: u8, length: usize },
    #[error("{count} certificates in the bundle, where there can be 1 to {MOST_BUNDLE}")]
    BundleCount { count: u64 },
    #[error("a certificate of {length} bytes, where it can have 1 to {MOST_CERTIFICATE}")]
    CertificateLength { length: usize },
    #[error("{key} has {length} bytes, where it can have {MOST_OPTION}")]
    OptionLength { key: Key, length: usize },
}

/// What the payload's map has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    ModuleId,
    Digest,
    Timestamp,
    Pcrs,
    Certificate,
    CaBundle,
    PublicKey,
    UserData,
    Nonce,
}

impl Key {
    const ALL: [Key; 9] = [
        Key::ModuleId,
        Key::Digest,
        Key::Timestamp,
        Key::Pcrs,
        Key::Certificate,
        Key::CaBundle,
        Key::PublicKey,
        Key::UserData,
        Key::Nonce,
    ];

    fn name(self) -> &'static str {
        match self {
            Key::ModuleId => "module_id",
            Key::Digest => "digest",
            Key::Timestamp => "timestamp",
            Key::Pcrs => "pcrs",
            Key::Certificate => "certificate",
            Key::CaBundle => "cabundle",
            Key::PublicKey => "public_key",
            Key::UserData => "user_data",
            Key::Nonce => "nonce",
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// The payload's map, checked for form.
#[derive(Debug)]
pub struct Payload<'a> {
    pub module_id: &'a str,
    pub digest: &'a str,
    /// Milliseconds since 1970.
    pub timestamp: u64,
    pub pcrs: BTreeMap<u8, &'a [u8]>,
    /// The leaf.
    pub certificate: &'a [u8],
    /// Root first.
    pub cabundle: Vec<&'a [u8]>,
    pub public_key: Option<&'a [u8]>,
    pub user_data: Option<&'a [u8]>,
    pub nonce: Option<&'a [u8]>,
}

/// The entries found so far; an option is found when it is null as well.
#[derive(Default)]
struct Found<'a> {
    module_id: Option<&'a str>,
    digest: Option<&'a str>,
    timestamp: Option<u64>,
    pcrs: Option<BTreeMap<u8, &'a [u8]>>,
    certificate: Option<&'a [u8]>,
    cabundle: Option<Vec<&'a [u8]>>,
    public_key: Option<Option<&'a [u8]>>,
    user_data: Option<Option<&'a [u8]>>,
    nonce: Option<Option<&'a [u8]>>,
}

impl<'a> Payload<'a> {
    /// One map, of definite length or not, and nothing after it.
    ///
    /// # Errors
    ///
    /// When it is anything else, or an entry is not as it has to be.
    pub fn parse(bytes: &'a [u8]) -> Result<Payload<'a>, PayloadError> {
        let mut reader = Reader::new(bytes);
        let mut found = Found::default();
        match reader.open_map()? {
            // Ends early: at the first entry that is there twice, or unknown.
            Count::Definite(count) => {
                for _ in 0..count {
                    found.entry(&mut reader)?;
                }
            }
            Count::Indefinite => {
                while !reader.end_of_map() {
                    found.entry(&mut reader)?;
                }
            }
        }
        reader.end()?;
        found.complete()
    }
}

impl<'a> Found<'a> {
    fn entry(&mut self, reader: &mut Reader<'a>) -> Result<(), PayloadError> {
        let name = reader.text()?;
        let Some(key) = Key::ALL.into_iter().find(|key| key.name() == name) else {
            return Err(PayloadError::Unknown(name.chars().take(32).collect()));
        };
        let earlier = match key {
            Key::ModuleId => self.module_id.replace(reader.text()?).is_some(),
            Key::Digest => self.digest.replace(reader.text()?).is_some(),
            Key::Timestamp => self.timestamp.replace(reader.unsigned()?).is_some(),
            Key::Pcrs => self.pcrs.replace(pcrs(reader)?).is_some(),
            Key::Certificate => self.certificate.replace(certificate(reader)?).is_some(),
            Key::CaBundle => self.cabundle.replace(bundle(reader)?).is_some(),
            Key::PublicKey => self.public_key.replace(option(key, reader)?).is_some(),
            Key::UserData => self.user_data.replace(option(key, reader)?).is_some(),
            Key::Nonce => self.nonce.replace(option(key, reader)?).is_some(),
        };
        if earlier {
            return Err(PayloadError::Duplicate(key));
        }
        Ok(())
    }

    fn complete(self) -> Result<Payload<'a>, PayloadError> {
        let payload = Payload {
            module_id: self.module_id.ok_or(missing(Key::ModuleId))?,
            digest: self.digest.ok_or(missing(Key::Digest))?,
            timestamp: self.timestamp.ok_or(missing(Key::Timestamp))?,
            pcrs: self.pcrs.ok_or(missing(Key::Pcrs))?,
            certificate: self.certificate.ok_or(missing(Key::Certificate))?,
            cabundle: self.cabundle.ok_or(missing(Key::CaBundle))?,
            public_key: self.public_key.flatten(),
            user_data: self.user_data.flatten(),
            nonce: self.nonce.flatten(),
        };
        if payload.module_id.is_empty() {
            return Err(PayloadError::ModuleId);
        }
        if payload.digest != DIGEST {
            return Err(PayloadError::Digest);
        }
        if payload.timestamp == 0 {
            return Err(PayloadError::Timestamp);
        }
        Ok(payload)
    }
}

fn missing(key: Key) -> PayloadError {
    PayloadError::Missing(key)
}

fn pcrs<'a>(reader: &mut Reader<'a>) -> Result<BTreeMap<u8, &'a [u8]>, PayloadError> {
    let count = reader.map()?;
    if !(1..=PCRS).contains(&count) {
        return Err(PayloadError::PcrCount { count });
    }
    let mut pcrs = BTreeMap::new();
    for _ in 0..count {
        let index = reader.unsigned()?;
        let index = match u8::try_from(index) {
            Ok(index) if u64::from(index) < PCRS => index,
            _ => return Err(PayloadError::PcrIndex { index }),
        };
        let value = reader.bytes()?;
        let length = value.len();
        if !matches!(length, 32 | 48 | 64) {
            return Err(PayloadError::PcrLength { index, length });
        }
        if pcrs.insert(index, value).is_some() {
            return Err(PayloadError::PcrDuplicate { index });
        }
    }
    Ok(pcrs)
}

fn bundle<'a>(reader: &mut Reader<'a>) -> Result<Vec<&'a [u8]>, PayloadError> {
    let count = reader.array()?;
    if !(1..=MOST_BUNDLE).contains(&count) {
        return Err(PayloadError::BundleCount { count });
    }
    (0..count).map(|_| certificate(reader)).collect()
}

fn certificate<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], PayloadError> {
    let bytes = reader.bytes()?;
    match bytes.len() {
        1..=MOST_CERTIFICATE => Ok(bytes),
        length => Err(PayloadError::CertificateLength { length }),
    }
}

fn option<'a>(key: Key, reader: &mut Reader<'a>) -> Result<Option<&'a [u8]>, PayloadError> {
    if reader.null() {
        return Ok(None);
    }
    let bytes = reader.bytes()?;
    let length = bytes.len();
    if length > MOST_OPTION {
        return Err(PayloadError::OptionLength { key, length });
    }
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use ciborium::Value;

    use super::*;

    fn bytes(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        ciborium::into_writer(value, &mut bytes).unwrap();
        bytes
    }

    fn byte_string(length: usize) -> Value {
        Value::Bytes(vec![7; length])
    }

    /// A payload that is right, entry by entry.
    fn entries() -> Vec<(Value, Value)> {
        let pcr = (Value::from(0), byte_string(48));
        [
            ("module_id", Value::from("m")),
            ("digest", Value::from("SHA384")),
            ("timestamp", Value::from(1_u64 << 40)),
            ("pcrs", Value::Map(vec![pcr])),
            ("certificate", byte_string(1)),
            ("cabundle", Value::Array(vec![byte_string(1024)])),
            ("public_key", Value::Null),
            ("user_data", byte_string(0)),
            ("nonce", byte_string(1024)),
        ]
        .map(|(key, value)| (Value::from(key), value))
        .to_vec()
    }

    /// What is said of a payload with one entry replaced.
    fn with(key: &str, value: Value) -> Option<PayloadError> {
        let mut entries = entries();
        let entry = entries.iter_mut().find(|(name, _)| *name == key.into());
        entry.unwrap().1 = value;
        Payload::parse(&bytes(&Value::Map(entries))).err()
    }

    #[test]
    fn null_and_empty_and_absent_options() {
        let whole = bytes(&Value::Map(entries()));
        let payload = Payload::parse(&whole).unwrap();
        assert_eq!(payload.public_key, None);
        assert_eq!(payload.user_data, Some(&[][..]));
        assert_eq!(payload.nonce.unwrap().len(), 1024);
        let short = bytes(&Value::Map(entries()[..6].to_vec()));
        assert_eq!(Payload::parse(&short).unwrap().nonce, None);
    }

    #[test]
    fn every_other_entry_is_needed() {
        for at in 0..6 {
            let mut entries = entries();
            entries.remove(at);
            let error = Payload::parse(&bytes(&Value::Map(entries))).unwrap_err();
            assert_eq!(error, PayloadError::Missing(Key::ALL[at]));
        }
    }

    #[test]
    fn nothing_is_there_twice_and_nothing_else() {
        for (at, key) in Key::ALL.into_iter().enumerate() {
            let mut entries = entries();
            entries.push(entries[at].clone());
            let error = Payload::parse(&bytes(&Value::Map(entries))).unwrap_err();
            assert_eq!(error, PayloadError::Duplicate(key));
        }
        let mut entries = entries();
        entries.push(("more".into(), Value::Null));
        let error = Payload::parse(&bytes(&Value::Map(entries))).unwrap_err();
        assert_eq!(error, PayloadError::Unknown("more".into()));
    }

    #[test]
    fn the_map_may_be_open_and_ends_the_payload() {
        let mut open = bytes(&Value::Map(entries()));
        open[0] = 0xbf;
        let unfinished = Payload::parse(&open).unwrap_err();
        assert!(matches!(
            unfinished,
            PayloadError::Cbor(CborError::Truncated { .. })
        ));
        open.push(0xff);
        assert!(Payload::parse(&open).is_ok());
        open.push(0xff);
        let trailing = PayloadError::Cbor(CborError::Trailing { count: 1 });
        assert_eq!(Payload::parse(&open).unwrap_err(), trailing);
    }

    #[test]
    fn values_have_their_limits() {
        let pcrs = |entries: &[(u64, usize)]| {
            let entries = entries.iter();
            Value::Map(
                entries
                    .map(|(index, length)| (Value::from(*index), byte_string(*length)))
                    .collect(),
            )
        };
        let all: Vec<_> = (0..32).map(|index| (index, 48)).collect();
        assert_eq!(with("pcrs", pcrs(&all)), None);
        assert_eq!(with("pcrs", pcrs(&[(31, 32), (5, 64)])), None);
        let bundle = |count, length| Value::Array(vec![byte_string(length); count]);
        assert_eq!(with("cabundle", bundle(8, 1)), None);
        for (key, value, error) in [
            ("module_id", "".into(), PayloadError::ModuleId),
            ("digest", "SHA256".into(), PayloadError::Digest),
            ("timestamp", 0.into(), PayloadError::Timestamp),
            ("pcrs", pcrs(&[]), PayloadError::PcrCount { count: 0 }),
            (
                "pcrs",
                pcrs(&[(32, 48)]),
                PayloadError::PcrIndex { index: 32 },
            ),
            (
                "pcrs",
                pcrs(&[(256, 48)]),
                PayloadError::PcrIndex { index: 256 },
            ),
            (
                "pcrs",
                pcrs(&[(3, 48), (3, 48)]),
                PayloadError::PcrDuplicate { index: 3 },
            ),
            (
                "pcrs",
                pcrs(&[(3, 47)]),
                PayloadError::PcrLength {
                    index: 3,
                    length: 47,
                },
            ),
            (
                "certificate",
                byte_string(0),
                PayloadError::CertificateLength { length: 0 },
            ),
            (
                "certificate",
                byte_string(1025),
                PayloadError::CertificateLength { length: 1025 },
            ),
            (
                "cabundle",
                bundle(0, 1),
                PayloadError::BundleCount { count: 0 },
            ),
            (
                "cabundle",
                bundle(9, 1),
                PayloadError::BundleCount { count: 9 },
            ),
            (
                "cabundle",
                bundle(2, 0),
                PayloadError::CertificateLength { length: 0 },
            ),
            (
                "nonce",
                byte_string(1025),
                PayloadError::OptionLength {
                    key: Key::Nonce,
                    length: 1025,
                },
            ),
        ] {
            assert_eq!(with(key, value), Some(error));
        }
    }

    #[test]
    fn types_are_exact() {
        for (key, value) in [
            ("module_id", byte_string(1)),
            ("timestamp", Value::from(-1)),
            ("timestamp", Value::Float(1.0)),
            ("pcrs", Value::Array(Vec::new())),
            ("certificate", Value::Null),
            ("cabundle", byte_string(1)),
            ("nonce", Value::from("text")),
            ("user_data", Value::Bool(false)),
        ] {
            let error = with(key, value);
            assert!(
                matches!(
                    error,
                    Some(PayloadError::Cbor(CborError::Unexpected { .. }))
                ),
                "{key}: {error:?}"
            );
        }
    }
}
