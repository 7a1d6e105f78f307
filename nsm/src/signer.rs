//! Whether a program is signed, and by whom: a detached ECDSA signature of its
//! file with SHA-384, as `openssl dgst -sha384 -sign KEY FILE` makes it, by the
//! P-384 key of a certificate.

use der::{Decode, DecodePem, Encode};
use p384::ecdsa::signature::hazmat::PrehashVerifier;
use p384::ecdsa::{DerSignature, VerifyingKey};
use p384::pkcs8::DecodePublicKey;
use x509_cert::Certificate;

use crate::pcr::Digest;

/// Why a program is not taken as signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("not a certificate, in DER or PEM")]
    Certificate,
    #[error("its key is not of the curve P-384")]
    Key,
    #[error("not an ECDSA signature, in DER")]
    Form,
    #[error("the signature is not of this program by this certificate's key")]
    Signature,
}

/// The certificate in DER, if the key in it has signed the file with this
/// digest.
///
/// # Errors
///
/// Where it has not, or something is malformed.
pub fn check(certificate: &[u8], signature: &[u8], file: &Digest) -> Result<Vec<u8>, Error> {
    let certificate = if certificate.starts_with(b"-----") {
        Certificate::from_pem(certificate)
    } else {
        Certificate::from_der(certificate)
    };
    let certificate = certificate.map_err(|_| Error::Certificate)?;
    let key = certificate.tbs_certificate().subject_public_key_info();
    let key = key.to_der().map_err(|_| Error::Certificate)?;
    let key = VerifyingKey::from_public_key_der(&key).map_err(|_| Error::Key)?;
    let signature = DerSignature::try_from(signature).map_err(|_| Error::Form)?;
    key.verify_prehash(file.bytes(), &signature)
        .map_err(|_| Error::Signature)?;
    certificate.to_der().map_err(|_| Error::Certificate)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::authority::tests::Scratch;

    /// As a user would do it.
    #[test]
    fn what_openssl_signs_is_taken() {
        let scratch = Scratch::new("signer");
        let script = "echo program >file; \
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -subj /CN=signer \
                -keyout key -out certificate 2>/dev/null && \
            openssl dgst -sha384 -sign key -out signature file";
        let done = Command::new("sh")
            .args(["-ec", script])
            .current_dir(&scratch.0)
            .status();
        if !done.unwrap().success() {
            eprintln!("skipped: no openssl");
            return;
        }
        let read = |name| std::fs::read(scratch.0.join(name)).unwrap();
        let (certificate, signature) = (read("certificate"), read("signature"));
        let digest = Digest::of([&read("file")[..]]);
        let der = check(&certificate, &signature, &digest).unwrap();
        assert_eq!(check(&der, &signature, &digest).as_ref(), Ok(&der));
        let other = Digest::of([&b"other"[..]]);
        assert_eq!(check(&der, &signature, &other), Err(Error::Signature));
        assert_eq!(check(&der, b"", &digest), Err(Error::Form));
        assert_eq!(check(b"x", &signature, &digest), Err(Error::Certificate));
    }
}
