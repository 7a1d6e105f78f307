//! What the programs have in common: one name for each kind of request, and
//! what a PCR comes to.

use aws_nitro_enclaves_nsm_api::api::{ErrorCode, Request, Response};
use aws_nitro_enclaves_nsm_api::driver::{nsm_exit, nsm_init, nsm_process_request};
use serde_bytes::ByteBuf;
use sha2::{Digest, Sha384};

pub const PCRS: u16 = 32;
/// These are locked before the payload begins.
pub const OF_THE_LAUNCH: u16 = 16;
pub const ZERO: [u8; 48] = [0; 48];

/// The crate's error codes cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    InvalidIndex,
    ReadOnlyIndex,
    InputTooLarge,
    Other,
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Refusal {
        match code {
            ErrorCode::InvalidIndex => Refusal::InvalidIndex,
            ErrorCode::ReadOnlyIndex => Refusal::ReadOnlyIndex,
            ErrorCode::InputTooLarge => Refusal::InputTooLarge,
            _ => Refusal::Other,
        }
    }
}

/// An open device; one descriptor for all threads.
pub struct Nsm(i32);

impl Nsm {
    pub fn open() -> Nsm {
        let descriptor = nsm_init();
        if descriptor < 0 {
            eprintln!("there is no /dev/nsm");
            std::process::exit(1);
        }
        Nsm(descriptor)
    }

    pub fn ask(&self, request: Request) -> Response {
        nsm_process_request(self.0, request)
    }

    pub fn pcr(&self, index: u16) -> (bool, Vec<u8>) {
        match self.ask(Request::DescribePCR { index }) {
            Response::DescribePCR { lock, data } => (lock, data),
            other => panic!("PCR {index}: {other:?}"),
        }
    }

    pub fn extend(&self, index: u16, data: &[u8]) -> Result<Vec<u8>, Refusal> {
        let data = data.to_vec();
        match self.ask(Request::ExtendPCR { index, data }) {
            Response::ExtendPCR { data } => Ok(data),
            Response::Error(code) => Err(code.into()),
            other => panic!("PCR {index}: {other:?}"),
        }
    }

    pub fn lock(&self, index: u16) -> Result<(), Refusal> {
        match self.ask(Request::LockPCR { index }) {
            Response::LockPCR => Ok(()),
            Response::Error(code) => Err(code.into()),
            other => panic!("PCR {index}: {other:?}"),
        }
    }

    pub fn lock_below(&self, range: u16) -> Result<(), Refusal> {
        match self.ask(Request::LockPCRs { range }) {
            Response::LockPCRs => Ok(()),
            Response::Error(code) => Err(code.into()),
            other => panic!("PCRs below {range}: {other:?}"),
        }
    }

    pub fn random(&self) -> Vec<u8> {
        match self.ask(Request::GetRandom) {
            Response::GetRandom { random } => random,
            other => panic!("random bytes: {other:?}"),
        }
    }

    /// As many of the three options as are asked for, in the order user data,
    /// nonce, public key.
    pub fn attest(&self, options: usize, size: usize) -> Result<Vec<u8>, Refusal> {
        let option = |index| (index < options).then(|| ByteBuf::from(vec![index as u8 + 1; size]));
        let request = Request::Attestation {
            user_data: option(0),
            nonce: option(1),
            public_key: option(2),
        };
        match self.ask(request) {
            Response::Attestation { document } => Ok(document),
            Response::Error(code) => Err(code.into()),
            other => panic!("attestation: {other:?}"),
        }
    }
}

impl Drop for Nsm {
    fn drop(&mut self) {
        nsm_exit(self.0);
    }
}

/// What becomes of a PCR with this value.
pub fn extended(value: &[u8], data: &[u8]) -> Vec<u8> {
    Sha384::new()
        .chain_update(value)
        .chain_update(data)
        .finalize()
        .to_vec()
}
