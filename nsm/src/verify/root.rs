//! The root that is trusted.

use der::Document;
use thiserror::Error;

use super::certificate::{Certificate, CertificateError};

/// AWS's root for Nitro Enclaves in the commercial partitions.
const AWS: &[u8] = include_bytes!("aws-root.der");

/// Why a file cannot be a development root.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RootError {
    #[error("the development root is neither DER nor PEM of a certificate: {0}")]
    Pem(der::Error),
    #[error("the development root's PEM is of \"{}\"", .0.escape_debug())]
    Label(String),
    #[error("the development root: {0}")]
    Certificate(#[from] CertificateError),
    #[error("that is AWS's root, which is no development root: leave it out")]
    Aws,
}

/// What all certificates have to come from, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Aws,
    Development(Vec<u8>),
}

impl Root {
    /// AWS's.
    pub const AWS: Root = Root(Kind::Aws);

    /// That of an emulated security module, given as DER or PEM.
    ///
    /// # Errors
    ///
    /// When it is no certificate this verifier understands, or AWS's.
    pub fn development(bytes: &[u8]) -> Result<Root, RootError> {
        const SEQUENCE: u8 = 0x30;
        let der = if bytes.first() == Some(&SEQUENCE) {
            bytes.to_vec()
        } else {
            from_pem(bytes)?
        };
        Certificate::parse(&der)?;
        if der == AWS {
            return Err(RootError::Aws);
        }
        Ok(Root(Kind::Development(der)))
    }

    /// Whether a valid document proves nothing to those who do not trust its
    /// host.
    pub fn is_emulated(&self) -> bool {
        match self.0 {
            Kind::Aws => false,
            Kind::Development(_) => true,
        }
    }

    /// The certificate.
    pub fn der(&self) -> &[u8] {
        match &self.0 {
            Kind::Aws => AWS,
            Kind::Development(der) => der,
        }
    }
}

fn from_pem(bytes: &[u8]) -> Result<Vec<u8>, RootError> {
    let malformed = |_| der::ErrorKind::Pem(der::pem::Error::CharacterEncoding);
    let text = str::from_utf8(bytes).map_err(|error| RootError::Pem(malformed(error).into()))?;
    let (label, document) = Document::from_pem(text).map_err(RootError::Pem)?;
    if label != "CERTIFICATE" {
        return Err(RootError::Label(label.to_owned()));
    }
    Ok(document.into_vec())
}

#[cfg(test)]
mod tests {
    use der::pem::{LineEnding, encode_string};
    use sha2::{Digest, Sha256};

    use super::*;

    /// As AWS publishes it.
    const FINGERPRINT: &str = "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b";

    #[test]
    fn it_is_the_root_that_aws_publishes() {
        assert_eq!(AWS.len(), 533);
        let digest = base16ct::lower::encode_string(&Sha256::digest(AWS));
        assert_eq!(digest, FINGERPRINT);
        let certificate = Certificate::parse(AWS).unwrap();
        let name = crate::name::Shown(&certificate.subject).to_string();
        assert_eq!(name, "CN=aws.nitro-enclaves,OU=AWS,O=Amazon,C=US");
        assert!(certificate.has_signed(&certificate));
        assert!(!Root::AWS.is_emulated());
    }

    #[test]
    fn aws_root_is_no_development_root_in_any_form() {
        let pem = encode_string("CERTIFICATE", LineEnding::LF, AWS).unwrap();
        assert_eq!(Root::development(AWS), Err(RootError::Aws));
        assert_eq!(Root::development(pem.as_bytes()), Err(RootError::Aws));
    }

    #[test]
    fn other_files_are_refused() {
        let key = encode_string("PRIVATE KEY", LineEnding::LF, AWS).unwrap();
        let label = RootError::Label("PRIVATE KEY".into());
        assert_eq!(Root::development(key.as_bytes()), Err(label));
        for bytes in [&b""[..], b"text", b"\xff\xfe", &[0; 70_000]] {
            assert!(matches!(Root::development(bytes), Err(RootError::Pem(_))));
        }
        let truncated = Root::development(&AWS[..532]);
        assert!(matches!(truncated, Err(RootError::Certificate(_))));
    }
}
