//! The module itself: what each request comes to.

use serde::{Deserialize, Serialize};

use crate::authority::{Issuer, Leaf};
use crate::document::Content;
use crate::message::{Description, ErrorCode, MAX_OPTION, Options, Request, Response};
use crate::pcr::{Bank, COUNT};
use crate::random;

/// Bytes of an answer to `GetRandom`.
const RANDOM: usize = 256;
const VERSION: [u16; 3] = [1, 0, 0];
/// Name of the hash function of registers and documents.
pub const DIGEST: &str = "SHA384";

/// An emulated security module. It is plain data: several processes may have
/// the same one, if each takes it out, uses it and puts it back before the
/// next does.
#[derive(Debug, Serialize, Deserialize)]
pub struct Module {
    id: String,
    bank: Bank,
    issuer: Issuer,
    leaf: Option<Leaf>,
}

/// What is left to do for a request, without the module.
#[derive(Debug)]
pub enum Answer {
    Ready(Response),
    Random,
    /// To be signed.
    Document(Box<(Content, Leaf)>),
}

impl Module {
    /// One whose certificates `issuer` signs. `id` is 16 random bytes.
    pub fn new(id: [u8; 16], bank: Bank, issuer: Issuer) -> Module {
        Module {
            // No enclave of a cloud has such a name.
            id: format!("dev-nsm-{:032x}", u128::from_be_bytes(id)),
            bank,
            issuer,
            leaf: None,
        }
    }

    /// Carries out `request`; `now` is in milliseconds since 1970.
    pub fn answer(&mut self, request: Request, now: u64) -> Answer {
        let response = match request {
            Request::GetRandom => return Answer::Random,
            Request::Attestation(options) => match self.attest(options, now) {
                Ok(answer) => return answer,
                Err(code) => Err(code),
            },
            Request::DescribeNsm => Ok(Response::DescribeNsm(self.describe())),
            Request::DescribePcr { index } => {
                let described = self.bank.describe(index);
                described.map(|(value, lock)| Response::DescribePcr {
                    lock,
                    data: value.into(),
                })
            }
            Request::ExtendPcr { index, data } => {
                let value = self.bank.extend(index, &data);
                value.map(|value| Response::ExtendPcr { data: value.into() })
            }
            Request::LockPcr { index } => self.bank.lock(index).map(|()| Response::LockPcr),
            Request::LockPcrs { range } => self.bank.lock_below(range).map(|()| Response::LockPcrs),
        };
        Answer::Ready(response.unwrap_or_else(Response::Error))
    }

    fn describe(&self) -> Description {
        Description {
            version: VERSION,
            module_id: self.id.clone(),
            max_pcrs: COUNT,
            locked_pcrs: self.bank.locked().map(|(index, _)| index).collect(),
            digest: DIGEST.to_owned(),
        }
    }

    fn attest(&mut self, options: Options, now: u64) -> Result<Answer, ErrorCode> {
        let given = [&options.user_data, &options.nonce, &options.public_key];
        if given.into_iter().flatten().any(|o| o.len() > MAX_OPTION) {
            return Err(ErrorCode::InputTooLarge);
        }
        let leaf = match self.leaf.take().filter(|leaf| leaf.holds_at(now)) {
            Some(leaf) => leaf,
            None => self
                .issuer
                .leaf(&self.id, now)
                .map_err(|_| ErrorCode::InternalError)?,
        };
        self.leaf = Some(leaf.clone());
        let content = Content {
            module_id: self.id.clone(),
            timestamp: now,
            pcrs: self.bank.locked().collect(),
            cabundle: self.issuer.chain().to_vec(),
            options,
        };
        Ok(Answer::Document(Box::new((content, leaf))))
    }
}

impl Answer {
    pub fn finish(self) -> Response {
        match self {
            Answer::Ready(response) => response,
            Answer::Random => {
                let mut random = vec![0; RANDOM];
                match random::fill(&mut random) {
                    Ok(()) => Response::GetRandom { random },
                    Err(_) => Response::Error(ErrorCode::InternalError),
                }
            }
            Answer::Document(parts) => {
                let (content, leaf) = *parts;
                match content.sign(&leaf) {
                    Ok(document) => Response::Attestation { document },
                    Err(_) => Response::Error(ErrorCode::InternalError),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::Value;

    use super::*;
    use crate::authority::Authority;
    use crate::authority::tests::Scratch;
    use crate::message::to_bytes;
    use crate::pcr::Digest;

    const NOW: u64 = 1_800_000_000_000;

    fn module(name: &str) -> Module {
        let scratch = Scratch::new(name);
        let directory = scratch.0.join("nsm");
        let now = Duration::from_millis(NOW);
        Authority::create(&directory, now).unwrap();
        let issuer = Authority::load(&directory, now).unwrap().issuer;
        Module::new([7; 16], Bank::new([]), issuer)
    }

    fn ask(module: &mut Module, request: &[u8]) -> Response {
        match Request::decode(request) {
            Ok(request) => module.answer(request, NOW).finish(),
            Err(code) => Response::Error(code),
        }
    }

    /// The protocol's vectors, where they are at hand.
    fn vectors() -> Option<Value> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/nsm/vectors.json");
        let text = std::fs::read_to_string(path);
        if text.is_err() {
            eprintln!("skipped: no {path}");
        }
        serde_json::from_str(&text.ok()?).unwrap()
    }

    fn bytes(value: &Value) -> Vec<u8> {
        let text = value.as_str().unwrap();
        let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..text.len()).step_by(2).map(digits).collect()
    }

    fn each<'a>(vectors: &'a Value, name: &str) -> &'a [Value] {
        vectors[name].as_array().unwrap()
    }

    #[test]
    fn vectors_survive() {
        let Some(vectors) = vectors() else { return };
        for vector in each(&vectors, "vectors") {
            let name = vector["name"].as_str().unwrap();
            let kind = vector["kind"].as_str().unwrap();
            match kind {
                "request" => {
                    let given = bytes(&vector["request_hex"]);
                    let decoded = Request::decode(&given);
                    if name == "req_extend_pcr_len_4097" {
                        assert_eq!(decoded, Err(ErrorCode::InputTooLarge));
                    } else {
                        assert_eq!(decoded.unwrap().encode(), given, "{name}");
                    }
                }
                "response" => {
                    let given = bytes(&vector["response_hex"]);
                    let decoded = Response::decode(&given);
                    match name {
                        // Never on the wire.
                        "resp_error_Success" => {
                            assert_eq!(decoded, Err(ErrorCode::InvalidResponse));
                        }
                        "resp_describe_nsm_qemu_order" => assert!(decoded.is_ok()),
                        _ => assert_eq!(decoded.unwrap().encode(), given, "{name}"),
                    }
                }
                _ => {}
            }
        }
    }

    #[test]
    fn a_session_goes_as_it_should() {
        let Some(vectors) = vectors() else { return };
        let mut module = module("session");
        let steps = each(&vectors, "session_on_fresh_device");
        assert_eq!(steps.len(), 19);
        for step in steps {
            let response = ask(&mut module, &bytes(&step["request_hex"]));
            let encoded = response.encode();
            assert!(encoded.len() <= crate::message::MAX_RESPONSE);
            if let Some(wanted) = step.get("response_hex") {
                assert_eq!(encoded, bytes(wanted), "{step}");
                continue;
            }
            match response {
                Response::DescribeNsm(about) => {
                    assert_eq!(about.locked_pcrs, (0..16).collect::<Vec<_>>());
                    assert_eq!((about.version, about.max_pcrs), ([1, 0, 0], 32));
                    assert_eq!(about.digest, "SHA384");
                    assert!(about.module_id.starts_with("dev-nsm-"));
                }
                Response::Attestation { document } => assert!(document.len() > 5000),
                Response::GetRandom { random } => {
                    assert_eq!(random.len(), 256);
                    let Response::GetRandom { random: next } = Answer::Random.finish() else {
                        panic!()
                    };
                    assert_ne!(random, next);
                }
                other => panic!("{step}: {other:?}"),
            }
        }
    }

    #[test]
    fn odd_requests_are_taken_or_refused() {
        let Some(vectors) = vectors() else { return };
        let mut module = module("odd");
        let inputs = each(&vectors, "robustness");
        assert_eq!(inputs.len(), 24);
        for input in inputs {
            let request = bytes(&input["request_hex"]);
            let expect = input["expect"].as_str().unwrap();
            let response = ask(&mut module, &request);
            let refused = [
                ("InvalidOperation", ErrorCode::InvalidOperation),
                ("InvalidIndex", ErrorCode::InvalidIndex),
                ("EMSGSIZE", ErrorCode::InputTooLarge),
                ("EINVAL", ErrorCode::InvalidOperation),
            ];
            match refused.iter().find(|(word, _)| expect.contains(word)) {
                Some((_, code)) => assert_eq!(response, Response::Error(*code), "{input}"),
                None => {
                    assert!(expect.starts_with("accept"), "{expect}");
                    assert!(!matches!(response, Response::Error(_)), "{input}");
                }
            }
        }
    }

    #[test]
    fn registers_are_as_in_the_vectors() {
        let Some(vectors) = vectors() else { return };
        let value = |name: &str| {
            let all = each(&vectors, "pcr_vectors");
            let one = all.iter().find(|v| v["name"] == name).unwrap();
            one["value"].as_str().unwrap().to_owned()
        };
        let extended = |parts: &[&[u8]]| {
            let all = parts.iter().fold(Digest::ZERO, |d, part| d.extended(part));
            all.to_string()
        };
        assert_eq!(extended(&[]), value("initial"));
        assert_eq!(extended(&[b"hello"]), value("extend_hello"));
        assert_eq!(extended(&[&b"hello"[..]; 2]), value("extend_hello_hello"));
        assert_eq!(extended(&[b""]), value("extend_empty"));
        assert_eq!(extended(&[&[1, 2, 3][..]; 10]), value("extend_010203_x10"));
        let measured = Digest::measurement_of(b"").to_string();
        assert_eq!(measured, value("pcr2_empty_application"));
        let measured = Digest::measurement_of(b"kernelcmdlineramdisk0").to_string();
        assert_eq!(measured, value("eif_style"));
    }

    #[test]
    fn documents_have_the_locked_registers_and_what_was_given() {
        let mut module = module("documents");
        let options = Options {
            user_data: Some(vec![1; MAX_OPTION]),
            nonce: Some(Vec::new()),
            public_key: None,
        };
        let request = Request::LockPcr { index: 20 };
        module.answer(request, NOW);
        let response = module.answer(Request::Attestation(options.clone()), NOW);
        let Response::Attestation { document } = response.finish() else {
            panic!()
        };
        assert!(document.starts_with(b"\x84\x44\xa1\x01\x38\x22\xa0\x59"));
        let payload: ciborium::Value = ciborium::from_reader(&document[..]).unwrap();
        let payload = payload.as_array().unwrap()[2].as_bytes().unwrap().clone();
        let content: ciborium::Value = ciborium::from_reader(&payload[..]).unwrap();
        assert_eq!(to_bytes(&content), payload, "deterministic");
        let fields = content.into_map().unwrap();
        let names: Vec<_> = fields.iter().map(|(k, _)| k.as_text().unwrap()).collect();
        let order =
            "module_id digest timestamp pcrs certificate cabundle public_key user_data nonce";
        assert_eq!(names.join(" "), order);
        assert_eq!(fields[3].1.as_map().unwrap().len(), 17);
        let long = Options {
            user_data: Some(vec![1; MAX_OPTION + 1]),
            ..options
        };
        let refused = module.answer(Request::Attestation(long), NOW).finish();
        assert_eq!(refused, Response::Error(ErrorCode::InputTooLarge));
    }
}
