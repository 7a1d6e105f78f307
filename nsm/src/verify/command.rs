//! `km verify`: files and arguments in, a verdict and an exit code out.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{Duration, SystemTime, SystemTimeError};

use thiserror::Error;

use super::input::{self, InputError};
use super::table::Table;
use super::{Options, PCR_LENGTH, Report, Root, RootError, Time, Verdict, verify};

/// Everything holds, under AWS's root.
pub const VALID: u8 = 0;
/// Something does not hold.
pub const INVALID: u8 = 1;
/// There is nothing to look at, or what is demanded makes no sense.
pub const UNUSABLE: u8 = 2;
/// Everything holds, under the development root that was named.
pub const EMULATED: u8 = 3;

/// The last PCR.
const LAST_PCR: u8 = 31;

/// The command's arguments.
#[derive(Debug, Clone, Default)]
pub struct Arguments {
    /// Standard input where it is `-`.
    pub document: PathBuf,
    /// DER or PEM.
    pub dev_root: Option<PathBuf>,
    pub at_document_time: bool,
    /// Each as `0=hex`.
    pub pcrs: Vec<String>,
    pub nonce: Option<Value>,
    pub user_data: Option<Value>,
    pub public_key: Option<Value>,
    /// In seconds.
    pub max_age: Option<u64>,
    pub allow_debug: bool,
    pub json: bool,
}

/// Bytes as an argument gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Hex(String),
    /// What a file has in it.
    File(PathBuf),
}

impl FromStr for Value {
    type Err = Infallible;

    /// `@FILE`, or hexadecimal digits.
    fn from_str(text: &str) -> Result<Value, Infallible> {
        Ok(match text.strip_prefix('@') {
            Some(path) => Value::File(path.into()),
            None => Value::Hex(text.to_owned()),
        })
    }
}

/// Why there is no verdict.
#[derive(Debug, Error)]
pub enum UsageError {
    #[error("{}: {error}", .path.display())]
    Input { path: PathBuf, error: InputError },
    #[error("{}: {error}", .path.display())]
    Root { path: PathBuf, error: RootError },
    #[error("PCR \"{text}\": it has to be INDEX=HEX, with an index up to {LAST_PCR} and 96 digits")]
    Pcr { text: String },
    #[error("PCR {index} is demanded twice")]
    PcrTwice { index: u8 },
    #[error("the {name} is not made of pairs of hexadecimal digits")]
    Hex { name: &'static str },
    #[error("how old a document is cannot be told at its own time: leave out one of the two")]
    Age,
    #[error("the clock stands before 1970: {0}")]
    Clock(#[from] SystemTimeError),
    #[error("cannot write the report: {0}")]
    Write(#[from] io::Error),
}

/// Looks at a document as the arguments say, writes the report to `out` or
/// one line about what is wrong with the arguments to `errors`, and returns
/// the exit code.
pub fn run(
    arguments: &Arguments,
    stdin: &mut dyn Read,
    out: &mut dyn Write,
    errors: &mut dyn Write,
) -> u8 {
    let written = judge(arguments, stdin).and_then(|report| {
        write(&report, arguments.json, out)?;
        Ok(report.verdict)
    });
    match written {
        Ok(Verdict::Valid) => VALID,
        Ok(Verdict::Emulated) => EMULATED,
        Ok(Verdict::Invalid) => INVALID,
        Err(error) => {
            // There is nobody left to tell that even this cannot be written.
            let _ = writeln!(errors, "km verify: {error}");
            UNUSABLE
        }
    }
}

/// What is found out about the document.
///
/// # Errors
///
/// When there is none, or the arguments make no sense.
pub fn judge(arguments: &Arguments, stdin: &mut dyn Read) -> Result<Report, UsageError> {
    let options = options(arguments)?;
    let path = &arguments.document;
    let input = if path == Path::new("-") {
        input::read(stdin)
    } else {
        input::read_file(path)
    };
    let document = input.and_then(input::document).map_err(in_file(path))?;
    Ok(verify(&document, &options))
}

fn write(report: &Report, json: bool, out: &mut dyn Write) -> io::Result<()> {
    if json {
        serde_json::to_writer_pretty(&mut *out, report)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", Table(report))?;
    }
    out.flush()
}

fn options(arguments: &Arguments) -> Result<Options, UsageError> {
    if arguments.at_document_time && arguments.max_age.is_some() {
        return Err(UsageError::Age);
    }
    let root = match &arguments.dev_root {
        None => Root::AWS,
        Some(path) => development_root(path)?,
    };
    let time = if arguments.at_document_time {
        Time::Document
    } else {
        now()?
    };
    let mut options = Options::new(root, time);
    options.pcrs = pcrs(&arguments.pcrs)?;
    options.nonce = value("nonce", arguments.nonce.as_ref())?;
    options.user_data = value("user data", arguments.user_data.as_ref())?;
    options.public_key = value("public key", arguments.public_key.as_ref())?;
    options.max_age = arguments.max_age.map(Duration::from_secs);
    options.allow_debug = arguments.allow_debug;
    Ok(options)
}

fn now() -> Result<Time, UsageError> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let milliseconds = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    Ok(Time::Given(milliseconds))
}

fn development_root(path: &Path) -> Result<Root, UsageError> {
    let bytes = input::read_file(path).map_err(in_file(path))?;
    Root::development(&bytes).map_err(|error| UsageError::Root {
        path: path.to_owned(),
        error,
    })
}

fn pcrs(texts: &[String]) -> Result<BTreeMap<u8, [u8; PCR_LENGTH]>, UsageError> {
    let mut pcrs = BTreeMap::new();
    for text in texts {
        let pcr = pcr(text).ok_or_else(|| UsageError::Pcr { text: text.clone() });
        let (index, value) = pcr?;
        if pcrs.insert(index, value).is_some() {
            return Err(UsageError::PcrTwice { index });
        }
    }
    Ok(pcrs)
}

fn pcr(text: &str) -> Option<(u8, [u8; PCR_LENGTH])> {
    let (index, value) = text.split_once('=')?;
    let index = index.parse().ok().filter(|index| *index <= LAST_PCR)?;
    Some((index, input::hex(value)?.try_into().ok()?))
}

fn value(name: &'static str, value: Option<&Value>) -> Result<Option<Vec<u8>>, UsageError> {
    match value {
        None => Ok(None),
        Some(Value::Hex(text)) => match input::hex(text) {
            Some(bytes) => Ok(Some(bytes)),
            None => Err(UsageError::Hex { name }),
        },
        Some(Value::File(path)) => input::read_file(path).map(Some).map_err(in_file(path)),
    }
}

fn in_file(path: &Path) -> impl FnOnce(InputError) -> UsageError {
    |error| UsageError::Input {
        path: path.to_owned(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What these arguments and this input come to.
    fn run_with(arguments: &Arguments, mut stdin: &[u8]) -> (u8, String, String) {
        let (mut out, mut errors) = (Vec::new(), Vec::new());
        let code = run(arguments, &mut stdin, &mut out, &mut errors);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (code, text(out), text(errors))
    }

    fn from_stdin() -> Arguments {
        Arguments {
            document: "-".into(),
            ..Arguments::default()
        }
    }

    #[test]
    fn what_cannot_be_read_has_a_code_of_its_own() {
        for stdin in [&b""[..], b"hello, world", &[0x84; 64 * 1024 + 1]] {
            let (code, out, errors) = run_with(&from_stdin(), stdin);
            assert_eq!((code, out.as_str()), (UNUSABLE, ""));
            assert_eq!(errors.lines().count(), 1, "{errors}");
        }
        let mut arguments = from_stdin();
        arguments.document = "/nowhere/at all".into();
        let (code, _, errors) = run_with(&arguments, b"");
        assert_eq!(code, UNUSABLE);
        assert!(
            errors.starts_with("km verify: /nowhere/at all: "),
            "{errors}"
        );
    }

    #[test]
    fn what_can_be_read_and_is_no_document_is_not_valid() {
        for stdin in [&b"8444"[..], b"hEQ=", &[0xff, 0x00]] {
            let (code, out, errors) = run_with(&from_stdin(), stdin);
            assert_eq!((code, errors.as_str()), (INVALID, ""));
            assert!(out.contains("NOT VALID: envelope: "), "{out}");
        }
    }

    #[test]
    fn json_says_the_same() {
        let mut arguments = from_stdin();
        arguments.json = true;
        let (code, out, _) = run_with(&arguments, b"8444");
        assert_eq!(code, INVALID);
        let report: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(report["verdict"], "invalid");
        assert_eq!(report["emulated"], false);
        assert_eq!(report["checks"][0]["outcome"], "failed");
        assert_eq!(report["checks"][1]["outcome"], "unreached");
    }

    #[test]
    fn demands_that_make_no_sense_are_bad_usage() {
        let zero = "00".repeat(48);
        let pcrs = |pcrs: &[String]| Arguments {
            pcrs: pcrs.to_vec(),
            ..from_stdin()
        };
        for arguments in [
            pcrs(&["0".to_owned()]),
            pcrs(&["0=00".to_owned()]),
            pcrs(&[format!("32={zero}")]),
            pcrs(&[format!("-1={zero}")]),
            pcrs(&[format!("1={zero}"), format!("01={zero}")]),
            Arguments {
                nonce: Some(Value::Hex("abc".to_owned())),
                ..from_stdin()
            },
            Arguments {
                user_data: Some(Value::File("/nowhere".into())),
                ..from_stdin()
            },
            Arguments {
                dev_root: Some("/nowhere".into()),
                ..from_stdin()
            },
            Arguments {
                at_document_time: true,
                max_age: Some(300),
                ..from_stdin()
            },
        ] {
            let (code, out, errors) = run_with(&arguments, b"8444");
            assert_eq!((code, out.as_str()), (UNUSABLE, ""), "{arguments:?}");
            assert_eq!(errors.lines().count(), 1, "{errors}");
        }
        let good = pcrs(&[format!("0={zero}"), format!("31={zero}")]);
        assert_eq!(run_with(&good, b"8444").0, INVALID);
    }

    #[test]
    fn values_are_digits_or_files() {
        assert_eq!("0aFF".parse(), Ok(Value::Hex("0aFF".to_owned())));
        assert_eq!("@a b".parse(), Ok(Value::File("a b".into())));
        let bytes = value("nonce", Some(&Value::Hex(String::new())));
        assert_eq!(bytes.unwrap(), Some(Vec::new()));
    }

    #[test]
    fn a_report_that_cannot_be_written_is_no_verdict() {
        let mut full: &mut [u8] = &mut [];
        let code = run(&from_stdin(), &mut &b"8444"[..], &mut full, &mut Vec::new());
        assert_eq!(code, UNUSABLE);
    }
}
