//! Requests and responses, as CBOR (RFC 8949).
//!
//! A request without fields is a text string, one with fields a map of one
//! entry, from its name to a map of them. What is sent is encoded as the
//! device's own clients do (definite lengths, shortest heads, fields in the
//! order of their declaration); what is received may be looser, as far as
//! those clients accept it.

use ciborium::Value;

/// Longest request, in bytes.
pub const MAX_REQUEST: usize = 0x1000;
/// Longest response, in bytes.
pub const MAX_RESPONSE: usize = 0x3000;
/// Most bytes of each field of [`Request::Attestation`].
pub const MAX_OPTION: usize = 1024;

/// Maps, arrays and tags within each other.
const DEPTH: usize = 4;
/// Head of a map whose length is not given.
const INDEFINITE_MAP: u8 = 0xbf;

/// What a payload asks the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    DescribeNsm,
    GetRandom,
    DescribePcr {
        index: u16,
    },
    ExtendPcr {
        index: u16,
        data: Vec<u8>,
    },
    LockPcr {
        index: u16,
    },
    /// Locks all registers below `range`.
    LockPcrs {
        range: u16,
    },
    Attestation(Options),
}

/// What a payload has put into an attestation document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    pub user_data: Option<Vec<u8>>,
    pub nonce: Option<Vec<u8>>,
    pub public_key: Option<Vec<u8>>,
}

/// What the module answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    DescribeNsm(Description),
    GetRandom { random: Vec<u8> },
    DescribePcr { lock: bool, data: Vec<u8> },
    ExtendPcr { data: Vec<u8> },
    LockPcr,
    LockPcrs,
    Attestation { document: Vec<u8> },
    Error(ErrorCode),
}

/// What the module tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Major, minor and patch level.
    pub version: [u16; 3],
    pub module_id: String,
    pub max_pcrs: u16,
    /// In ascending order.
    pub locked_pcrs: Vec<u16>,
    /// Name of the hash function.
    pub digest: String,
}

/// Why a request failed, by the names on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ErrorCode {
    #[error("invalid argument")]
    InvalidArgument,
    #[error("no such register")]
    InvalidIndex,
    #[error("the answer does not fit the request")]
    InvalidResponse,
    #[error("the register is locked")]
    ReadOnlyIndex,
    #[error("unknown or malformed request")]
    InvalidOperation,
    #[error("the buffer is too small")]
    BufferTooSmall,
    #[error("the input is too large")]
    InputTooLarge,
    #[error("internal error")]
    InternalError,
}

const ERRORS: [(ErrorCode, &str); 8] = [
    (ErrorCode::InvalidArgument, "InvalidArgument"),
    (ErrorCode::InvalidIndex, "InvalidIndex"),
    (ErrorCode::InvalidResponse, "InvalidResponse"),
    (ErrorCode::ReadOnlyIndex, "ReadOnlyIndex"),
    (ErrorCode::InvalidOperation, "InvalidOperation"),
    (ErrorCode::BufferTooSmall, "BufferTooSmall"),
    (ErrorCode::InputTooLarge, "InputTooLarge"),
    (ErrorCode::InternalError, "InternalError"),
];

/// `value` as CBOR.
pub(crate) fn to_bytes(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to memory does not fail, and neither does encoding this type.
    let _ = ciborium::into_writer(value, &mut bytes);
    bytes
}

pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// A map with these keys, in this order.
pub(crate) fn map<const LEN: usize>(fields: [(&str, Value); LEN]) -> Value {
    let fields = fields.map(|(name, value)| (text(name), value));
    Value::Map(fields.into())
}

/// Bytes, or null.
pub(crate) fn optional(bytes: Option<&Vec<u8>>) -> Value {
    bytes.map_or(Value::Null, |bytes| Value::Bytes(bytes.clone()))
}

/// One item of CBOR and nothing after it; `None` where that is not so, or it
/// is nested too deeply.
fn parse(mut bytes: &[u8]) -> Option<Value> {
    let value = ciborium::de::from_reader_with_recursion_limit(&mut bytes, DEPTH).ok()?;
    bytes.is_empty().then_some(value)
}

const NAMES: [&str; 7] = [
    "DescribeNSM",
    "GetRandom",
    "DescribePCR",
    "ExtendPCR",
    "LockPCR",
    "LockPCRs",
    "Attestation",
];

/// Whether a request of this name is known.
pub fn is_known(name: &str) -> bool {
    NAMES.contains(&name)
}

/// The name of a request, known or not, if it has the form of one.
pub fn name(request: &[u8]) -> Option<String> {
    if request.first() == Some(&INDEFINITE_MAP) {
        return None;
    }
    let (name, _) = split(parse(request)?)?;
    Some(name)
}

/// Name and content of a request.
fn split(request: Value) -> Option<(String, Value)> {
    match request {
        Value::Text(name) => Some((name, Value::Null)),
        Value::Map(entries) => {
            let [(name, content)] = <[_; 1]>::try_from(entries).ok()?;
            Some((name.into_text().ok()?, content))
        }
        _ => None,
    }
}

impl Request {
    /// # Errors
    ///
    /// `InputTooLarge`, or `InvalidOperation` for what is no request.
    pub fn decode(bytes: &[u8]) -> Result<Request, ErrorCode> {
        if bytes.len() > MAX_REQUEST {
            return Err(ErrorCode::InputTooLarge);
        }
        if bytes.first() == Some(&INDEFINITE_MAP) {
            return Err(ErrorCode::InvalidOperation);
        }
        parse(bytes)
            .and_then(Request::from_value)
            .ok_or(ErrorCode::InvalidOperation)
    }

    fn from_value(value: Value) -> Option<Request> {
        let (name, content) = split(value)?;
        if matches!(name.as_str(), "DescribeNSM" | "GetRandom") {
            content.is_null().then_some(())?;
            return Some(match name.as_str() {
                "GetRandom" => Request::GetRandom,
                _ => Request::DescribeNsm,
            });
        }
        let mut fields = Fields::new(content)?;
        Some(match name.as_str() {
            "DescribePCR" => Request::DescribePcr {
                index: fields.number("index")?,
            },
            "ExtendPCR" => Request::ExtendPcr {
                index: fields.number("index")?,
                data: bytes_of(fields.take("data")?)?,
            },
            "LockPCR" => Request::LockPcr {
                index: fields.number("index")?,
            },
            "LockPCRs" => Request::LockPcrs {
                range: fields.number("range")?,
            },
            "Attestation" => Request::Attestation(Options {
                user_data: fields.option("user_data")?,
                nonce: fields.option("nonce")?,
                public_key: fields.option("public_key")?,
            }),
            _ => return None,
        })
    }

    pub fn encode(&self) -> Vec<u8> {
        let with = |name, fields| map([(name, fields)]);
        let number = |name, value: u16| map([(name, value.into())]);
        to_bytes(&match self {
            Request::DescribeNsm => text("DescribeNSM"),
            Request::GetRandom => text("GetRandom"),
            Request::DescribePcr { index } => with("DescribePCR", number("index", *index)),
            Request::ExtendPcr { index, data } => {
                let data = Value::Bytes(data.clone());
                with(
                    "ExtendPCR",
                    map([("index", (*index).into()), ("data", data)]),
                )
            }
            Request::LockPcr { index } => with("LockPCR", number("index", *index)),
            Request::LockPcrs { range } => with("LockPCRs", number("range", *range)),
            Request::Attestation(options) => with(
                "Attestation",
                map([
                    ("user_data", optional(options.user_data.as_ref())),
                    ("nonce", optional(options.nonce.as_ref())),
                    ("public_key", optional(options.public_key.as_ref())),
                ]),
            ),
        })
    }
}

/// The fields of a request, each of which has a name of its own.
struct Fields(Vec<(String, Value)>);

impl Fields {
    fn new(value: Value) -> Option<Fields> {
        let mut fields: Vec<(String, Value)> = Vec::new();
        for (name, value) in value.into_map().ok()? {
            let name = name.into_text().ok()?;
            if fields.iter().any(|(other, _)| *other == name) {
                return None;
            }
            fields.push((name, value));
        }
        Some(Fields(fields))
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.0.iter().position(|(other, _)| other == name)?;
        Some(self.0.swap_remove(at).1)
    }

    fn number(&mut self, name: &str) -> Option<u16> {
        self.take(name)?.into_integer().ok()?.try_into().ok()
    }

    /// Absent and null are the same.
    fn option(&mut self, name: &str) -> Option<Option<Vec<u8>>> {
        match self.take(name) {
            None | Some(Value::Null) => Some(None),
            Some(value) => bytes_of(value).map(Some),
        }
    }
}

/// A byte string; a text string and an array of bytes are taken as well.
fn bytes_of(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::Bytes(bytes) => Some(bytes),
        Value::Text(text) => Some(text.into_bytes()),
        Value::Array(values) => {
            let byte = |value: Value| u8::try_from(value.into_integer().ok()?).ok();
            values.into_iter().map(byte).collect()
        }
        _ => None,
    }
}

impl Response {
    pub fn encode(&self) -> Vec<u8> {
        let with = |name, fields| map([(name, fields)]);
        let bytes = |bytes: &Vec<u8>| Value::Bytes(bytes.clone());
        to_bytes(&match self {
            Response::DescribeNsm(about) => with("DescribeNSM", about.to_value()),
            Response::GetRandom { random } => with("GetRandom", map([("random", bytes(random))])),
            Response::DescribePcr { lock, data } => with(
                "DescribePCR",
                map([("lock", (*lock).into()), ("data", bytes(data))]),
            ),
            Response::ExtendPcr { data } => with("ExtendPCR", map([("data", bytes(data))])),
            Response::LockPcr => text("LockPCR"),
            Response::LockPcrs => text("LockPCRs"),
            Response::Attestation { document } => {
                with("Attestation", map([("document", bytes(document))]))
            }
            Response::Error(code) => with("Error", text(code.name())),
        })
    }

    /// A response, with its fields in any order.
    ///
    /// # Errors
    ///
    /// `InvalidResponse` for what is none.
    pub fn decode(bytes: &[u8]) -> Result<Response, ErrorCode> {
        parse(bytes)
            .and_then(Response::from_value)
            .ok_or(ErrorCode::InvalidResponse)
    }

    fn from_value(value: Value) -> Option<Response> {
        let entries = match value {
            Value::Text(name) if name == "LockPCR" => return Some(Response::LockPcr),
            Value::Text(name) if name == "LockPCRs" => return Some(Response::LockPcrs),
            value => value.into_map().ok()?,
        };
        let [(name, content)] = <[_; 1]>::try_from(entries).ok()?;
        let name = name.into_text().ok()?;
        if name == "Error" {
            let error = content.into_text().ok()?;
            return ErrorCode::from_name(&error).map(Response::Error);
        }
        let mut fields = Fields::new(content)?;
        let mut bytes = |name| fields.take(name)?.into_bytes().ok();
        Some(match name.as_str() {
            "GetRandom" => Response::GetRandom {
                random: bytes("random")?,
            },
            "DescribePCR" => Response::DescribePcr {
                data: bytes("data")?,
                lock: fields.take("lock")?.into_bool().ok()?,
            },
            "ExtendPCR" => Response::ExtendPcr {
                data: bytes("data")?,
            },
            "Attestation" => Response::Attestation {
                document: bytes("document")?,
            },
            "DescribeNSM" => Response::DescribeNsm(Description::from_fields(&mut fields)?),
            _ => return None,
        })
    }
}

impl Description {
    fn to_value(&self) -> Value {
        let [major, minor, patch] = self.version;
        let locked = self.locked_pcrs.iter().map(|index| (*index).into());
        map([
            ("version_major", major.into()),
            ("version_minor", minor.into()),
            ("version_patch", patch.into()),
            ("module_id", text(&self.module_id)),
            ("max_pcrs", self.max_pcrs.into()),
            ("locked_pcrs", Value::Array(locked.collect())),
            ("digest", text(&self.digest)),
        ])
    }

    fn from_fields(fields: &mut Fields) -> Option<Description> {
        let number = |value: Value| value.into_integer().ok()?.try_into().ok();
        let locked = fields.take("locked_pcrs")?.into_array().ok()?;
        Some(Description {
            version: [
                fields.number("version_major")?,
                fields.number("version_minor")?,
                fields.number("version_patch")?,
            ],
            module_id: fields.take("module_id")?.into_text().ok()?,
            max_pcrs: fields.number("max_pcrs")?,
            locked_pcrs: locked.into_iter().map(number).collect::<Option<_>>()?,
            digest: fields.take("digest")?.into_text().ok()?,
        })
    }
}

impl ErrorCode {
    pub fn name(self) -> &'static str {
        let known = ERRORS.iter().find(|(code, _)| *code == self);
        known.map_or("InternalError", |(_, name)| name)
    }

    fn from_name(name: &str) -> Option<ErrorCode> {
        let known = ERRORS.iter().find(|(_, known)| *known == name);
        known.map(|(code, _)| *code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn option() -> impl Strategy<Value = Option<Vec<u8>>> {
        proptest::option::of(vec(any::<u8>(), 0..600))
    }

    fn request() -> impl Strategy<Value = Request> {
        prop_oneof![
            Just(Request::DescribeNsm),
            Just(Request::GetRandom),
            any::<u16>().prop_map(|index| Request::DescribePcr { index }),
            (any::<u16>(), vec(any::<u8>(), 0..600))
                .prop_map(|(index, data)| Request::ExtendPcr { index, data }),
            any::<u16>().prop_map(|index| Request::LockPcr { index }),
            any::<u16>().prop_map(|range| Request::LockPcrs { range }),
            [option(), option(), option()].prop_map(|[user_data, nonce, public_key]| {
                Request::Attestation(Options {
                    user_data,
                    nonce,
                    public_key,
                })
            }),
        ]
    }

    fn response() -> impl Strategy<Value = Response> {
        let bytes = || vec(any::<u8>(), 0..600);
        prop_oneof![
            bytes().prop_map(|random| Response::GetRandom { random }),
            (any::<bool>(), bytes()).prop_map(|(lock, data)| Response::DescribePcr { lock, data }),
            bytes().prop_map(|data| Response::ExtendPcr { data }),
            Just(Response::LockPcr),
            Just(Response::LockPcrs),
            bytes().prop_map(|document| Response::Attestation { document }),
            proptest::sample::select(ERRORS.map(|(code, _)| Response::Error(code)).to_vec()),
            (any::<[u16; 3]>(), ".{0,99}", vec(any::<u16>(), 0..32)).prop_map(
                |(version, module_id, locked_pcrs)| {
                    Response::DescribeNsm(Description {
                        version,
                        module_id,
                        max_pcrs: 32,
                        locked_pcrs,
                        digest: "SHA384".to_owned(),
                    })
                }
            ),
        ]
    }

    proptest! {
        #[test]
        fn requests_survive_their_encoding(request in request()) {
            prop_assert_eq!(Request::decode(&request.encode()), Ok(request));
        }

        #[test]
        fn responses_survive_their_encoding(response in response()) {
            prop_assert_eq!(Response::decode(&response.encode()), Ok(response));
        }

        #[test]
        fn any_bytes_can_be_decoded(bytes in vec(any::<u8>(), 0..200)) {
            if let Ok(request) = Request::decode(&bytes) {
                prop_assert_eq!(Request::decode(&request.encode()), Ok(request));
            }
        }
    }

    #[test]
    fn the_depth_is_bounded() {
        let mut deep = b"\xa1\x69GetRandom".to_vec();
        deep.extend([0x81; 4000]);
        assert_eq!(Request::decode(&deep), Err(ErrorCode::InvalidOperation));
        // Arrays that say they are long.
        let long =
            b"\xa1\x69ExtendPCR\xa2\x65index\x10\x64data\x9b\xff\xff\xff\xff\xff\xff\xff\xff";
        assert_eq!(Request::decode(long), Err(ErrorCode::InvalidOperation));
        let long = b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff";
        assert_eq!(Request::decode(long), Err(ErrorCode::InvalidOperation));
        let long = b"\x7b\xff\xff\xff\xff\xff\xff\xff\xff";
        assert_eq!(Request::decode(long), Err(ErrorCode::InvalidOperation));
    }
}
