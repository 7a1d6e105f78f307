//! Signals as the payload sees them: actions, frames, delivery.
//!
//! The host kernel keeps queues, masks and defaults (see `sys::signal`).

pub mod action;
pub mod deliver;
pub mod exception;
pub mod frame;
