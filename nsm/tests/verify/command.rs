//! The command: exit codes and what is printed.

use std::path::PathBuf;
use std::{env, fs, process};

use base64ct::{Base64, Encoding};
use km_nsm::verify::command::{self, Arguments, Value};
use serde_json::Value as Json;

use crate::{given, made};

/// A folder of its own for a test's files.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Folder {
        let path = env::temp_dir().join(format!("km-nsm-{test}-{}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run(arguments: &Arguments) -> (u8, String) {
    let (mut out, mut errors) = (Vec::new(), Vec::new());
    let code = command::run(arguments, &mut &b""[..], &mut out, &mut errors);
    out.extend(errors);
    (code, String::from_utf8(out).unwrap())
}

#[test]
fn a_document_of_a_development_root_is_emulated_and_nothing_else() {
    let folder = Folder::new("emulated");
    let chain = made::chain(&made::parts());
    let document = made::document(&chain);
    let root = der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, &chain[0]);
    let base64 = Base64::encode_string(&document);
    let lines: Vec<&str> = (0..base64.len())
        .step_by(76)
        .map(|at| &base64[at..base64.len().min(at + 76)])
        .collect();
    let lines = lines.join("\r\n");
    let mut arguments = Arguments {
        at_document_time: true,
        pcrs: vec![format!("0={}", "a5".repeat(48))],
        nonce: Some(Value::File(folder.file("nonce", made::NONCE))),
        user_data: Some(Value::Hex(String::new())),
        ..Arguments::default()
    };
    for (name, content) in [
        ("raw", document.clone()),
        ("base64", lines.into_bytes()),
        (
            "hex",
            base16ct::upper::encode_string(&document).into_bytes(),
        ),
    ] {
        arguments.document = folder.file(name, content);
        arguments.dev_root = Some(folder.file("root", &chain[0]));
        let (code, text) = run(&arguments);
        assert_eq!(code, command::EMULATED, "{text}");
        assert!(text.starts_with("verdict         EMULATED: "), "{text}");
        assert!(!text.contains("VALID"), "{text}");

        arguments.dev_root = Some(folder.file("root.pem", root.as_ref().unwrap()));
        arguments.json = true;
        let (code, text) = run(&arguments);
        assert_eq!(code, command::EMULATED);
        let report: Json = serde_json::from_str(&text).unwrap();
        assert_eq!(report["verdict"], "emulated");
        assert_eq!(report["emulated"], true);
        assert_eq!(report["checked_at"], made::NOW);
        assert_eq!(report["document"]["nonce"], "6f6e6c79206f6e6365");
        assert_eq!(report["document"]["pcrs"]["0"], "a5".repeat(48));
        assert_eq!(report["certificates"][4]["subject"], "CN=leaf");

        arguments.dev_root = None;
        arguments.json = false;
        let (code, text) = run(&arguments);
        assert_eq!(code, command::INVALID);
        assert!(text.contains("NOT VALID: root: "), "{text}");
    }
}

#[test]
fn the_clock_counts_unless_it_is_left_out() {
    let folder = Folder::new("clock");
    let mut parts = made::parts();
    for part in &mut parts {
        part.not_after = 1_000_000_000;
        part.not_before = 900_000_000;
    }
    let chain = made::chain(&parts);
    let (code, text) = run(&Arguments {
        document: folder.file("document", made::document(&chain)),
        dev_root: Some(folder.file("root", &chain[0])),
        ..Arguments::default()
    });
    assert_eq!(code, command::INVALID);
    assert!(
        text.contains("root: expired at 2001-09-09T01:46:40Z"),
        "{text}"
    );
}

#[test]
fn files_that_are_no_roots_are_bad_usage() {
    let folder = Folder::new("roots");
    let chain = made::chain(&made::parts());
    let document = folder.file("document", made::document(&chain));
    for root in [&b""[..], b"text", &chain[0][1..], &[0; 70_000]] {
        let (code, text) = run(&Arguments {
            document: document.clone(),
            dev_root: Some(folder.file("root", root)),
            ..Arguments::default()
        });
        assert_eq!(code, command::UNUSABLE, "{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn real_documents_have_a_code_each() {
    let folder = Folder::new("real");
    for given in given::real() {
        let mut arguments = Arguments {
            document: folder.file("document", &given.bytes),
            at_document_time: true,
            allow_debug: given.debug,
            ..Arguments::default()
        };
        let (code, text) = run(&arguments);
        let expected = if given.is_valid() {
            command::VALID
        } else {
            command::INVALID
        };
        assert_eq!(code, expected, "{text}");
        assert!(!text.contains("EMULATED"), "{text}");
        arguments.at_document_time = false;
        assert_eq!(run(&arguments).0, command::INVALID);
    }
}
