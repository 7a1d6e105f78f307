//! `seeds VECTORS OUT`: what the fuzzers begin with, a file each, in
//! `OUT/request` and `OUT/verify`. `VECTORS` is the folder of the given
//! requests and documents, and may be missing.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use base64ct::{Base64, Encoding};
use km_nsm::message::{Options, Request};
use km_nsm::verify::Root;
use km_nsm::verify::envelope::Envelope;
use km_nsm::verify::payload::Payload;
use serde_json::Value;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [vectors, out] = arguments.as_slice() else {
        eprintln!("usage: seeds VECTORS OUT");
        return ExitCode::from(2);
    };
    match write(Path::new(vectors), Path::new(out)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("seeds: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(vectors: &Path, out: &Path) -> Result<()> {
    let mut requests = made_requests();
    let mut documents = Vec::new();
    for file in ["vectors.json", "real-documents.json"] {
        match fs::read(vectors.join(file)) {
            Ok(text) => find(
                &serde_json::from_slice(&text)?,
                &mut requests,
                &mut documents,
            ),
            Err(error) => println!("without {file}: {error}"),
        }
    }
    let parts = documents.iter().flat_map(|document| parts(document));
    let mut verified: Vec<Vec<u8>> = parts.collect();
    verified.extend(made_documents());
    verified.extend(documents);
    save(&out.join("request"), &requests)?;
    save(&out.join("verify"), &verified)
}

fn save(folder: &Path, seeds: &[Vec<u8>]) -> Result<()> {
    fs::create_dir_all(folder)?;
    for (number, seed) in seeds.iter().enumerate() {
        fs::write(folder.join(format!("seed-{number:03}")), seed)?;
    }
    println!("{}: {} seeds", folder.display(), seeds.len());
    Ok(())
}

/// Looks for requests and documents, by the names of their fields.
fn find(value: &Value, requests: &mut Vec<Vec<u8>>, documents: &mut Vec<Vec<u8>>) {
    match value {
        Value::Array(values) => {
            for value in values {
                find(value, requests, documents);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                let hex = || base16ct::lower::decode_vec(value.as_str().unwrap_or_default());
                let base64 = || Base64::decode_vec(value.as_str().unwrap_or_default());
                match name.as_str() {
                    "request_hex" | "input_hex" | "hex" => requests.extend(hex()),
                    "document_hex" => documents.extend(hex()),
                    "document_base64" => documents.extend(base64()),
                    _ => find(value, requests, documents),
                }
            }
        }
        _ => {}
    }
}

/// What is in a document, and the document as text.
fn parts(document: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = vec![
        Base64::encode_string(document).into_bytes(),
        base16ct::lower::encode_string(document).into_bytes(),
    ];
    let Ok(envelope) = Envelope::parse(document) else {
        return parts;
    };
    parts.push(envelope.payload.to_vec());
    if let Ok(payload) = Payload::parse(envelope.payload) {
        parts.extend(
            payload
                .cabundle
                .iter()
                .map(|certificate| certificate.to_vec()),
        );
        parts.push(payload.certificate.to_vec());
    }
    parts
}

fn made_requests() -> Vec<Vec<u8>> {
    let options = Options {
        user_data: Some(b"data".to_vec()),
        nonce: None,
        public_key: Some(Vec::new()),
    };
    let requests = [
        Request::DescribeNsm,
        Request::GetRandom,
        Request::DescribePcr { index: 300 },
        Request::ExtendPcr {
            index: 16,
            data: b"data".to_vec(),
        },
        Request::LockPcr { index: 31 },
        Request::LockPcrs { range: 32 },
        Request::Attestation(options),
    ];
    requests.iter().map(Request::encode).collect()
}

/// The smallest document that has all of its parts, with nothing right in
/// them; and a root.
fn made_documents() -> Vec<Vec<u8>> {
    let root = Root::AWS;
    let mut payload = b"\xa6\x69module_id\x61m\x66digest\x66SHA384\x69timestamp\x01".to_vec();
    payload.extend(b"\x64pcrs\xa1\x00\x58\x30");
    payload.extend([1; 48]);
    payload.extend(b"\x6bcertificate\x41\x30\x68cabundle\x81");
    let length = root.der().len() as u16;
    payload.push(0x59);
    payload.extend(length.to_be_bytes());
    payload.extend(root.der());
    let mut document = b"\x84\x44\xa1\x01\x38\x22\xa0\x59".to_vec();
    document.extend((payload.len() as u16).to_be_bytes());
    document.extend(&payload);
    document.extend(b"\x58\x60");
    document.extend([1; 96]);
    vec![payload, document, root.der().to_vec()]
}
