//! What a payload sends to the security module: any bytes.

#![no_main]

use km_nsm::message::{ErrorCode, MAX_REQUEST, Request};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let decoded = Request::decode(bytes);
    if bytes.len() > MAX_REQUEST {
        assert_eq!(decoded, Err(ErrorCode::InputTooLarge));
    }
    if let Ok(request) = decoded {
        let encoded = request.encode();
        // What was left out is written out, and so can get too long.
        if encoded.len() <= MAX_REQUEST {
            assert_eq!(Request::decode(&encoded), Ok(request));
        }
    }
});
