//! The bill of materials, as SPDX 2.3 has it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::rust::Own;
use crate::{Component, Part, Result, output};

const KM: &str = "SPDXRef-km";
const RUNTIME: &str = "SPDXRef-runtime";
const ARCHIVE: &str = "SPDXRef-archive";
const UNKNOWN: &str = "NOASSERTION";

pub fn document(own: &Own, components: &[Component]) -> Result<Value> {
    let epoch = epoch();
    let mut packages = vec![
        ours(
            own,
            ARCHIVE,
            "km-x86_64",
            "The archive: km, its runtime and compilers",
        ),
        ours(own, KM, "km", "bin/km, bin/krun and bin/km-docker-config"),
        ours(
            own,
            RUNTIME,
            "km-runtime",
            "runtime/, lib/, include/ and the compilers in bin/",
        ),
    ];
    let mut relations = vec![
        relation("SPDXRef-DOCUMENT", "DESCRIBES", ARCHIVE),
        relation(ARCHIVE, "CONTAINS", KM),
        relation(ARCHIVE, "CONTAINS", RUNTIME),
    ];
    for component in components {
        let id = id(component);
        if component.part != Part::Runtime {
            relations.push(relation(KM, "STATIC_LINK", &id));
        }
        if component.part != Part::Km {
            relations.push(relation(RUNTIME, "CONTAINS", &id));
        }
        packages.push(theirs(component, &id));
    }
    Ok(json!({
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": format!("km-{}-x86_64", own.version),
        "documentNamespace": format!("https://spdx.org/spdxdocs/km-{}-x86_64-{}", own.version, epoch),
        "creationInfo": {
            "created": timestamp(epoch)?,
            "creators": [format!("Tool: km-notices-{}", own.version)],
        },
        "packages": packages,
        "relationships": relations,
    }))
}

fn ours(own: &Own, id: &str, name: &str, comment: &str) -> Value {
    json!({
        "SPDXID": id,
        "name": name,
        "versionInfo": own.version,
        "downloadLocation": UNKNOWN,
        "filesAnalyzed": false,
        "licenseConcluded": UNKNOWN,
        "licenseDeclared": own.licence,
        "copyrightText": UNKNOWN,
        "comment": comment,
    })
}

fn theirs(component: &Component, id: &str) -> Value {
    let mut package = json!({
        "SPDXID": id,
        "name": component.name,
        "versionInfo": component.version,
        "downloadLocation": UNKNOWN,
        "filesAnalyzed": false,
        "licenseConcluded": UNKNOWN,
        "licenseDeclared": component.licence,
        "copyrightText": UNKNOWN,
    });
    if let Some(checksum) = &component.checksum {
        package["checksums"] = json!([{ "algorithm": "SHA256", "checksumValue": checksum }]);
    }
    if let Some(comment) = &component.comment {
        package["comment"] = json!(comment);
    }
    if let Some(purl) = &component.purl {
        package["externalRefs"] = json!([{
            "referenceCategory": "PACKAGE-MANAGER",
            "referenceType": "purl",
            "referenceLocator": purl,
        }]);
    }
    package
}

fn relation(from: &str, kind: &str, to: &str) -> Value {
    json!({ "spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to })
}

/// Letters, digits, `.` and `-` are all that an identifier may have.
fn id(component: &Component) -> String {
    let name = format!("{}-{}", component.name, component.version);
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '.' {
            c
        } else {
            '-'
        }
    };
    format!("SPDXRef-{}", name.chars().map(plain).collect::<String>())
}

/// Now, or what is to be taken for it.
fn epoch() -> u64 {
    let given = std::env::var("SOURCE_DATE_EPOCH")
        .ok()
        .and_then(|text| text.parse().ok());
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    given.unwrap_or(since.unwrap_or(Duration::ZERO).as_secs())
}

/// RFC 3339.
fn timestamp(epoch: u64) -> Result<String> {
    let day = format!("@{epoch}");
    let said = output("date", &["-u", "-d", &day, "+%Y-%m-%dT%H:%M:%SZ"])?;
    Ok(said.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_of_the_calendar() {
        for (epoch, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (1_795_295_160, "2026-11-21T21:06:00Z"),
        ] {
            assert_eq!(timestamp(epoch).expect("a date"), expected);
        }
    }

    #[test]
    fn identifiers_have_letters_digits_dots_and_dashes() {
        let component = Component {
            name: "gcc_12".into(),
            version: "1.0+b:1~c".into(),
            licence: String::new(),
            purl: None,
            checksum: None,
            comment: None,
            part: Part::Km,
            texts: Vec::new(),
        };
        assert_eq!(id(&component), "SPDXRef-gcc-12-1.0-b-1-c");
    }
}
