//! A report as text.

use std::fmt::{self, Write};

use super::date::Date;
use super::hex::Hex;
use super::report::{Document, Report, Verdict};

/// A report, to be displayed.
pub struct Table<'a>(pub &'a Report);

impl fmt::Display for Table<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = self.0;
        row(formatter, "verdict", verdict(report))?;
        if let Some(document) = &report.document {
            show_document(formatter, document)?;
        }
        for certificate in &report.certificates {
            let (from, to) = (Date(certificate.not_before), Date(certificate.not_after));
            let subject = Plain(&certificate.subject);
            row(formatter, &certificate.position, subject)?;
            row(formatter, "", format_args!("{from} to {to}"))?;
        }
        writeln!(formatter)?;
        for check in &report.checks {
            let (step, outcome) = (check.step, &check.outcome);
            writeln!(formatter, "{outcome:9}  {step:12}  {}", Plain(&check.line))?;
        }
        Ok(())
    }
}

fn verdict(report: &Report) -> String {
    match (report.verdict, report.error()) {
        (Verdict::Valid, _) => "VALID under AWS's root".to_owned(),
        (Verdict::Emulated, _) => "EMULATED: valid under the development root that was named; \
             it proves nothing to those who do not trust its host"
            .to_owned(),
        (Verdict::Invalid, Some((step, error))) => {
            format!("NOT VALID: {step}: {}", Plain(&error.to_string()))
        }
        (Verdict::Invalid, None) => "NOT VALID".to_owned(),
    }
}

fn show_document(formatter: &mut fmt::Formatter<'_>, document: &Document) -> fmt::Result {
    row(formatter, "module", Plain(&document.module_id))?;
    let signed = Date(document.timestamp / 1000);
    row(formatter, "signed at", signed)?;
    let mut zero = Vec::new();
    for (index, value) in &document.pcrs {
        if value.0.iter().all(|byte| *byte == 0) {
            zero.push(index.to_string());
        } else {
            row(formatter, &format!("PCR{index}"), value)?;
        }
    }
    if !zero.is_empty() {
        row(formatter, "zero PCRs", zero.join(", "))?;
    }
    for (name, value) in [
        ("public key", &document.public_key),
        ("user data", &document.user_data),
        ("nonce", &document.nonce),
    ] {
        if let Some(value) = value {
            row(formatter, name, Hex::short(value))?;
        }
    }
    Ok(())
}

fn row(formatter: &mut fmt::Formatter<'_>, name: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(formatter, "{name:14}  {value}")
}

/// Text from a document, with nothing in it that a terminal acts on.
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                ' '..='~' => formatter.write_char(character)?,
                _ => write!(formatter, "{}", character.escape_unicode())?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Plain;

    #[test]
    fn nothing_reaches_a_terminal_that_it_acts_on() {
        let shown = Plain("i-1\u{1b}[2J\u{202e}\n").to_string();
        assert_eq!(shown, "i-1\\u{1b}[2J\\u{202e}\\u{a}");
    }
}
