//! The only folder with `unsafe` code: raw host calls, mappings, fault-tolerant
//! copies, signal handlers, and the KVM ioctls that take addresses.
//!
//! What it hands out is safe to use by construction: a mapping operation is
//! confined to the reservation it belongs to, a copy survives a fault, and a
//! proxied call gets payload memory only.
#![allow(unsafe_code)]

pub mod call;
pub mod clone;
pub mod copy;
pub mod heap;
pub mod kvm;
pub mod lock;
pub mod map;
pub mod namespace;
pub mod path;
pub mod proc;
pub mod signal;
#[cfg(not(test))]
mod start;
pub mod thread;
pub mod vfork;
pub mod wait;
