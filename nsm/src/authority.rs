//! The certificate authority of an installation, which stands in the place of
//! a cloud's: who holds its key can make any document. Its names say so.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use der::asn1::OctetString;
use der::flagset::FlagSet;
use der::oid::AssociatedOid;
use der::pem::LineEnding;
use der::{DateTime, Decode, DecodePem, Encode, EncodePem};
use p384::ecdsa::{DerSignature, SigningKey};
use p384::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use serde::{Deserialize, Serialize};
use x509_cert::Certificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder, CertificateBuilder};
use x509_cert::certificate::TbsCertificate;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{SubjectPublicKeyInfo, SubjectPublicKeyInfoRef};
use x509_cert::time::{Time, Validity};

use crate::name;
use crate::random;

/// What stands in each subject before the common name.
const ORGANIZATION: &str = "km development (NOT AWS)";
const UNIT: &str = "emulated NSM - no hardware root of trust";

const ROOT: &str = "root.pem";
const INTERMEDIATE: &str = "intermediate.pem";
const KEY: &str = "intermediate.key";
const INSTANCE: &str = "instance";
/// None of these files is longer.
const LONGEST_FILE: u64 = 16 << 10;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long root and intermediate certificate hold.
const AUTHORITY_LIFE: Duration = DAY.saturating_mul(3650);
const LEAF_LIFE: Duration = Duration::from_secs(3 * 60 * 60);
/// A certificate holds from a moment before it was made, as clocks differ.
const EARLIER: Duration = Duration::from_secs(3);
/// Longest certificate in a document, in bytes.
const LONGEST_CERTIFICATE: usize = 1024;

/// What can be wrong with an authority.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{}: others may read it: its mode must be 0600", .0.display())]
    Exposed(PathBuf),
    #[error("{}: not what \"km nsm init\" wrote", .0.display())]
    Content(PathBuf),
    #[error("{}: the certificates have expired, or are not valid yet", .0.display())]
    Expired(PathBuf),
    #[error("cannot make a certificate: {0}")]
    Certificate(#[from] x509_cert::builder::Error),
    #[error("no random numbers: {0}")]
    Random(#[from] random::Error),
}

impl From<der::Error> for Error {
    fn from(error: der::Error) -> Error {
        Error::Certificate(error.into())
    }
}

/// An authority, as it is in a directory.
#[derive(Debug)]
pub struct Authority {
    pub issuer: Issuer,
    /// The name of the installation.
    pub instance: String,
}

/// Who signs the certificates of modules.
#[derive(Clone, Serialize, Deserialize)]
pub struct Issuer {
    /// Root and intermediate, in DER.
    chain: Vec<Vec<u8>>,
    /// Of the intermediate.
    key: Key,
}

/// A key that signs documents, and its certificate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Leaf {
    key: Key,
    certificate: Vec<u8>,
    /// In milliseconds since 1970.
    not_after: u64,
}

/// A private key, which is not printed.
#[derive(Clone, Serialize, Deserialize)]
struct Key(Vec<u8>);

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Issuer")
    }
}

impl Key {
    fn of(key: &SigningKey) -> Key {
        Key(key.to_bytes().to_vec())
    }

    fn signer(&self) -> Result<SigningKey, Error> {
        let key = SigningKey::from_slice(&self.0);
        key.map_err(|error| x509_cert::builder::Error::Signature(error).into())
    }
}

impl Authority {
    /// Makes a new one in `directory`, which must not be there or be empty.
    /// The root's key signs one certificate, and is forgotten.
    ///
    /// # Errors
    ///
    /// Where files cannot be written, or there are some.
    pub fn create(directory: &Path, now: Duration) -> Result<(), Error> {
        let at = |path: &Path| {
            let path = path.to_owned();
            move |source| Error::File { path, source }
        };
        let parent = match directory.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        fs::create_dir_all(parent).map_err(at(parent))?;
        // All of it, or nothing.
        let mut unique = [0; 8];
        random::fill(&mut unique)?;
        let new = parent.join(format!(".nsm-{:016x}", u64::from_be_bytes(unique)));
        let written = Authority::write(&new, now).and_then(|()| {
            let moved = fs::rename(&new, directory);
            moved.map_err(at(directory))
        });
        if written.is_err() {
            // What is wrong has been found before that.
            let _ = fs::remove_dir_all(&new);
        }
        written
    }

    fn write(directory: &Path, now: Duration) -> Result<(), Error> {
        let made = DirBuilder::new().mode(0o755).create(directory);
        made.map_err(|source| Error::File {
            path: directory.to_owned(),
            source,
        })?;
        let root = random::key()?;
        let intermediate = random::key()?;
        let root_name = subject("root")?;
        let name = subject("intermediate")?;
        let positions = [
            (Position::authority(&root_name, &root_name, None), &root),
            (
                Position::authority(&name, &root_name, Some(0)),
                &intermediate,
            ),
        ];
        let validity = validity(now, AUTHORITY_LIFE)?;
        let [root_pem, intermediate_pem] = positions.map(|(position, key)| {
            let certificate = position.issue(key, &root, validity)?;
            Ok::<_, Error>(certificate.to_pem(LineEnding::LF)?)
        });
        let key = intermediate.to_pkcs8_pem(LineEnding::LF);
        let key = key.map_err(|error| x509_cert::builder::Error::PublicKey(error.into()))?;
        let mut instance = [0; 16];
        random::fill(&mut instance)?;
        let instance = format!("dev-instance-{:032x}\n", u128::from_be_bytes(instance));
        let files = [
            (ROOT, 0o644, root_pem?),
            (INTERMEDIATE, 0o644, intermediate_pem?),
            (KEY, 0o600, key.to_string()),
            (INSTANCE, 0o644, instance),
        ];
        for (name, mode, content) in files {
            let path = directory.join(name);
            let file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(mode)
                .open(&path);
            file.and_then(|mut file| {
                file.write_all(content.as_bytes())?;
                file.sync_all()
            })
            .map_err(|source| Error::File { path, source })?;
        }
        Ok(())
    }

    /// The one in `directory`.
    ///
    /// # Errors
    ///
    /// Where it is not there, not whole, expired, or its key can be read by
    /// others.
    pub fn load(directory: &Path, now: Duration) -> Result<Authority, Error> {
        let key_path = directory.join(KEY);
        let key = read(&key_path, true)?;
        let key = SigningKey::from_pkcs8_pem(&key).map_err(|_| Error::Content(key_path))?;
        let mut chain = Vec::new();
        for name in [ROOT, INTERMEDIATE] {
            let path = directory.join(name);
            let certificate = Certificate::from_pem(read(&path, false)?);
            let certificate = certificate.map_err(|_| Error::Content(path.clone()))?;
            let validity = certificate.tbs_certificate().validity();
            let from = validity.not_before.to_unix_duration();
            if now < from || now > validity.not_after.to_unix_duration() {
                return Err(Error::Expired(path));
            }
            chain.push(certificate.to_der()?);
        }
        let path = directory.join(INSTANCE);
        let instance = read(&path, false)?.trim_end().to_owned();
        if instance.is_empty() || instance.len() > 256 {
            return Err(Error::Content(path));
        }
        let key = Key::of(&key);
        let issuer = Issuer { chain, key };
        Ok(Authority { issuer, instance })
    }
}

/// The text of a file; a secret one must be so.
fn read(path: &Path, secret: bool) -> Result<String, Error> {
    let failed = |source| Error::File {
        path: path.to_owned(),
        source,
    };
    // To open another kind of file could wait.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(Error::Content(path.to_owned()));
    }
    let file = File::open(path).map_err(failed)?;
    let mode = file.metadata().map_err(failed)?.permissions().mode();
    if secret && mode & 0o077 != 0 {
        return Err(Error::Exposed(path.to_owned()));
    }
    let mut text = String::new();
    let read = file.take(LONGEST_FILE).read_to_string(&mut text);
    read.map_err(failed)?;
    Ok(text)
}

impl Issuer {
    /// The certificates above a leaf's, the root first, in DER.
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// A new key for the module of this name, with a certificate; `now` is in
    /// milliseconds since 1970.
    ///
    /// # Errors
    ///
    /// Where there are no random numbers, or the issuer's data is damaged.
    pub fn leaf(&self, module: &str, now: u64) -> Result<Leaf, Error> {
        let above = self.chain.last().map_or(&[][..], Vec::as_slice);
        let above = Certificate::from_der(above)?;
        let now = Duration::from_millis(now);
        let key = random::key()?;
        let position = Position {
            subject: subject(module)?,
            issuer: above.tbs_certificate().subject().clone(),
            authority: None,
        };
        let validity = validity(now, LEAF_LIFE)?;
        let certificate = position.issue(&key, &self.key.signer()?, validity)?;
        let certificate = certificate.to_der()?;
        if certificate.len() > LONGEST_CERTIFICATE {
            return Err(der::Error::from(der::ErrorKind::Overflow).into());
        }
        Ok(Leaf {
            key: Key::of(&key),
            certificate,
            not_after: (now + LEAF_LIFE).as_millis() as u64,
        })
    }
}

impl Leaf {
    /// Whether it is valid for a while yet; `now` is in milliseconds since
    /// 1970.
    pub fn holds_at(&self, now: u64) -> bool {
        let life = LEAF_LIFE.as_millis() as u64;
        // A document must not expire in the hand of who gets it, nor come
        // before its certificate where a clock was set back.
        let minutes = 10 * 60 * 1000;
        (self.not_after.saturating_sub(life)..self.not_after.saturating_sub(minutes)).contains(&now)
    }

    /// In DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// # Errors
    ///
    /// Where it is no key.
    pub fn signer(&self) -> Result<SigningKey, Error> {
        self.key.signer()
    }
}

fn subject(common_name: &str) -> Result<Name, Error> {
    Ok(name::subject(ORGANIZATION, UNIT, common_name)?)
}

/// From now on, for that long.
fn validity(now: Duration, life: Duration) -> Result<Validity, Error> {
    let time = |at: Duration| {
        let seconds = Duration::from_secs(at.as_secs());
        DateTime::from_unix_duration(seconds).map(Time::from)
    };
    Ok(Validity::new(
        time(now.saturating_sub(EARLIER))?,
        time(now + life)?,
    ))
}

/// Where in a chain a certificate stands.
struct Position {
    subject: Name,
    issuer: Name,
    /// Of an authority: how many others may be below it.
    authority: Option<Option<u8>>,
}

impl Position {
    fn authority(subject: &Name, issuer: &Name, below: Option<u8>) -> Position {
        Position {
            subject: subject.clone(),
            issuer: issuer.clone(),
            authority: Some(below),
        }
    }

    fn issue(
        self,
        key: &SigningKey,
        issuer: &SigningKey,
        validity: Validity,
    ) -> Result<Certificate, Error> {
        let mut serial = [0; 16];
        random::fill(&mut serial)?;
        // A positive number, with no zero at its head.
        if let Some(first) = serial.first_mut() {
            *first = *first & 0x3f | 0x40;
        }
        let serial = SerialNumber::new(&serial)?;
        let public = SubjectPublicKeyInfo::from_key(key.verifying_key());
        let public = public.map_err(x509_cert::builder::Error::PublicKey)?;
        let builder = CertificateBuilder::new(self, serial, validity, public)?;
        Ok(builder.build::<_, DerSignature>(issuer)?)
    }
}

fn extension<T: AssociatedOid + Encode>(value: &T, critical: bool) -> der::Result<Extension> {
    Ok(Extension {
        extn_id: T::OID,
        critical,
        extn_value: OctetString::new(value.to_der()?)?,
    })
}

impl BuilderProfile for Position {
    fn get_issuer(&self, _: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    /// As the cloud's have them: a leaf's key usage is not critical.
    fn build_extensions(
        &self,
        key: SubjectPublicKeyInfoRef<'_>,
        _: SubjectPublicKeyInfoRef<'_>,
        _: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        let usages: FlagSet<KeyUsages> = match self.authority {
            Some(_) => KeyUsages::DigitalSignature | KeyUsages::KeyCertSign | KeyUsages::CRLSign,
            None => KeyUsages::DigitalSignature | KeyUsages::NonRepudiation,
        };
        let constraints = BasicConstraints {
            ca: self.authority.is_some(),
            path_len_constraint: self.authority.flatten(),
        };
        let mut extensions = vec![
            extension(&constraints, true)?,
            extension(&KeyUsage(usages), self.authority.is_some())?,
        ];
        if self.authority.is_some() {
            extensions.push(extension(&SubjectKeyIdentifier::try_from(key)?, false)?);
        }
        Ok(extensions)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A directory that goes away with it.
    pub(crate) struct Scratch(pub PathBuf);

    impl Scratch {
        pub(crate) fn new(name: &str) -> Scratch {
            let path = std::env::temp_dir().join(format!("km-nsm-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Scratch(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const NOW: Duration = Duration::from_secs(1_800_000_000);

    #[test]
    fn an_authority_is_made_once_and_is_private() {
        let scratch = Scratch::new("once");
        let directory = scratch.0.join("nsm");
        Authority::create(&directory, NOW).unwrap();
        let again = Authority::create(&directory, NOW);
        assert!(matches!(again, Err(Error::File { .. })), "{again:?}");
        assert_eq!(fs::read_dir(&scratch.0).unwrap().count(), 1, "no leftovers");
        let authority = Authority::load(&directory, NOW).unwrap();
        assert!(authority.instance.starts_with("dev-instance-"));
        let late = Authority::load(&directory, NOW + DAY * 4000);
        assert!(matches!(late, Err(Error::Expired(_))));
        let key = directory.join(KEY);
        assert_eq!(
            fs::metadata(&key).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        let exposed = Authority::load(&directory, NOW);
        assert!(matches!(exposed, Err(Error::Exposed(_))));
    }

    #[test]
    fn damaged_files_are_named() {
        let scratch = Scratch::new("damaged");
        let directory = scratch.0.join("nsm");
        Authority::create(&directory, NOW).unwrap();
        for name in [KEY, ROOT, INTERMEDIATE, INSTANCE] {
            let path = directory.join(name);
            let good = fs::read(&path).unwrap();
            fs::write(&path, b"\n").unwrap();
            match Authority::load(&directory, NOW) {
                Err(Error::Content(named)) => assert_eq!(named, path),
                other => panic!("{name}: {other:?}"),
            }
            fs::remove_file(&path).unwrap();
            assert!(matches!(
                Authority::load(&directory, NOW),
                Err(Error::File { .. })
            ));
            fs::write(&path, good).unwrap();
            if name == KEY {
                fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            }
        }
        Authority::load(&directory, NOW).unwrap();
    }

    #[test]
    fn a_leaf_holds_for_a_while() {
        let scratch = Scratch::new("leaf");
        let directory = scratch.0.join("nsm");
        Authority::create(&directory, NOW).unwrap();
        let issuer = Authority::load(&directory, NOW).unwrap().issuer;
        let now = NOW.as_millis() as u64;
        let leaf = issuer.leaf("dev-nsm-0", now).unwrap();
        let hour = 3_600_000;
        assert!(leaf.holds_at(now) && leaf.holds_at(now + 2 * hour));
        assert!(!leaf.holds_at(now + 3 * hour) && !leaf.holds_at(now - hour));
        assert!(leaf.certificate().len() < 800);
    }
}
