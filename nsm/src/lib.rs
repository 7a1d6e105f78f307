//! A Nitro Security Module in software, and the verifier of its documents.
//!
//! [`message`] is what goes over the wire, [`device`] what it comes to:
//! registers ([`pcr`]), and documents ([`document`]) signed with certificates
//! of a local authority ([`authority`]). [`manifest`] says what of a launch is
//! measured into the registers, [`signer`] whether the program is signed,
//! [`policy`] what may be asked of a real module.
//! [`verify`] is for who gets a document.

#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod authority;
pub mod device;
pub mod document;
pub mod manifest;

pub mod message;
pub mod name;
pub mod pcr;
pub mod policy;
pub mod random;
pub mod signer;
pub mod verify;
