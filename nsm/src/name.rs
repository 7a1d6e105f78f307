//! Names of certificates (RFC 5280, section 4.1.2.4), and as text (RFC 4514).
//!
//! The library's own text of a name looks its attributes up among all that
//! were ever registered: a table of some thousand pointers, which each start
//! of the program would have to set right.

use std::fmt;

use der::asn1::{Any, ObjectIdentifier, SetOfVec, Utf8StringRef};
use der::{Decode, Encode};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const COUNTRY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.6");
const LOCALITY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.7");
const STATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.8");
const ORGANIZATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");
const UNIT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.11");

/// The short name of an attribute that certificates here have.
fn short(attribute: &ObjectIdentifier) -> Option<&'static str> {
    match *attribute {
        COMMON_NAME => Some("CN"),
        COUNTRY => Some("C"),
        LOCALITY => Some("L"),
        STATE => Some("ST"),
        ORGANIZATION => Some("O"),
        UNIT => Some("OU"),
        _ => None,
    }
}

/// The name of a subject in a unit of an organisation.
///
/// # Errors
///
/// Where one of them is too long.
pub fn subject(organization: &str, unit: &str, common_name: &str) -> der::Result<Name> {
    let parts = [
        (ORGANIZATION, organization),
        (UNIT, unit),
        (COMMON_NAME, common_name),
    ];
    let part = |(oid, value): (ObjectIdentifier, &str)| {
        let value = Any::from(Utf8StringRef::new(value)?);
        let attributes = SetOfVec::try_from(vec![AttributeTypeAndValue { oid, value }])?;
        Ok::<_, der::Error>(RelativeDistinguishedName::from(attributes))
    };
    let parts = parts
        .map(part)
        .into_iter()
        .collect::<der::Result<Vec<_>>>()?;
    Name::from_der(&RdnSequence::from(parts).to_der()?)
}

/// A name as text, its last part first.
#[derive(Debug)]
pub struct Shown<'a>(pub &'a Name);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.0.iter_rdn().collect();
        for (index, part) in parts.into_iter().rev().enumerate() {
            for (place, attribute) in part.iter().enumerate() {
                match (index, place) {
                    (0, 0) => {}
                    (_, 0) => f.write_str(",")?,
                    _ => f.write_str("+")?,
                }
                show(attribute, f)?;
            }
        }
        Ok(())
    }
}

fn show(attribute: &AttributeTypeAndValue, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let text = std::str::from_utf8(attribute.value.value());
    if let (Some(name), Ok(text)) = (short(&attribute.oid), text) {
        write!(f, "{name}=")?;
        for (index, letter) in text.chars().enumerate() {
            let first = index == 0 && matches!(letter, ' ' | '#');
            if first || matches!(letter, ',' | '+' | '"' | '\\' | '<' | '>' | ';') {
                f.write_str("\\")?;
            }
            write!(f, "{letter}")?;
        }
        return Ok(());
    }
    // Of others, all that is known is their encoding.
    write!(f, "{}=#", attribute.oid)?;
    let encoded = attribute.value.to_der().unwrap_or_default();
    encoded.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_as_the_library_writes_it() {
        for (organization, unit, name) in [
            ("km development (NOT AWS)", "no hardware root", "dev-nsm-0"),
            ("a, b", "#1", "x+y"),
        ] {
            let name = subject(organization, unit, name).unwrap();
            assert_eq!(Shown(&name).to_string(), name.to_string());
        }
        let long = "x".repeat(1 << 20);
        let name = subject("o", "u", &long).unwrap();
        assert_eq!(Shown(&name).to_string().len(), (1 << 20) + 12);
    }
}
