//! A Nitro Security Module in software, and the verifier of its documents.

pub mod verify;
