//! The documents that are given.

use std::fs;
use std::path::Path;

use base64ct::{Base64, Encoding};
use km_nsm::verify::{Options, Root, Time};
use serde_json::Value;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/nsm");

/// A document, and what is known of it.
pub struct Given {
    pub name: String,
    pub bytes: Vec<u8>,
    /// "valid ..." or "reject ...".
    pub expect: String,
    pub root: Root,
    pub timestamp: Option<u64>,
    pub module_id: Option<String>,
    pub debug: bool,
}

impl Given {
    pub fn is_valid(&self) -> bool {
        match self.expect.split([' ', ':']).next() {
            Some("valid") => true,
            Some("reject") => false,
            _ => panic!("{}: expect: {}", self.name, self.expect),
        }
    }

    /// What it is valid for, if it is valid.
    pub fn options(&self) -> Options {
        let mut options = Options::new(self.root.clone(), Time::Document);
        options.allow_debug = self.debug;
        options
    }
}

fn read(file: &str) -> Option<Value> {
    let path = Path::new(FOLDER).join(file);
    match fs::read(&path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).unwrap()),
        Err(error) => {
            println!("skipped: {}: {error}", path.display());
            None
        }
    }
}

fn hex(value: &Value) -> Vec<u8> {
    base16ct::lower::decode_vec(value.as_str().unwrap()).unwrap()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The development root of the given documents.
pub fn development_root() -> Option<Vec<u8>> {
    Some(hex(
        &read("vectors.json")?["attestation_documents"]["dev_root_der"],
    ))
}

/// Documents of a development root.
pub fn development() -> Vec<Given> {
    let Some(vectors) = read("vectors.json") else {
        return Vec::new();
    };
    let given = &vectors["attestation_documents"];
    let root = Root::development(&hex(&given["dev_root_der"])).unwrap();
    let documents = given["documents"].as_array().unwrap().iter();
    documents
        .map(|document| {
            let name = text(&document["name"]);
            Given {
                root: match name.as_str() {
                    "dev_doc_under_aws_root" => Root::AWS,
                    _ => root.clone(),
                },
                name,
                bytes: hex(&document["document_hex"]),
                expect: text(&document["expect"]),
                timestamp: document["timestamp_ms"].as_u64(),
                module_id: None,
                debug: false,
            }
        })
        .collect()
}

/// Documents of AWS.
pub fn real() -> Vec<Given> {
    let Some(given) = read("real-documents.json") else {
        return Vec::new();
    };
    let documents = given["documents"].as_array().unwrap().iter();
    documents
        .map(|document| Given {
            name: text(&document["source"]["path"]),
            bytes: Base64::decode_vec(document["document_base64"].as_str().unwrap()).unwrap(),
            expect: text(&document["expect"]),
            root: Root::AWS,
            timestamp: document["timestamp_ms"].as_u64(),
            module_id: document["module_id"].as_str().map(str::to_owned),
            debug: document["debug_mode"].as_bool().unwrap(),
        })
        .collect()
}

pub fn all() -> Vec<Given> {
    let mut all = development();
    all.extend(real());
    all
}

/// The seconds at which this document was signed.
pub fn own_time(bytes: &[u8]) -> u64 {
    let envelope = km_nsm::verify::envelope::Envelope::parse(bytes).unwrap();
    let payload = km_nsm::verify::payload::Payload::parse(envelope.payload).unwrap();
    payload.timestamp / 1000
}
