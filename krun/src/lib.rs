//! krun runs the programs of OCI containers under km.
//!
//! It is no container engine. `command_line` finds out what it is asked for;
//! for `create` and `run`, `bundle` reads the container's `config.json`, `edit`
//! puts km, `/dev/kvm` and the prefix of the arguments into it, as `options`
//! say; for `exec`, `exec` does so with the process. Then `delegate` executes
//! the installed runtime (crun, or runc) with the command line as it was.
//!
//! `docker_config` is the other program, which makes krun known to engines.

// Bad input gets one line, never a panic.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod bundle;
pub mod command_line;
pub mod delegate;
pub mod docker_config;
pub mod edit;
pub mod error;
pub mod exec;
pub mod file;
pub mod options;
pub mod report;
pub mod runtime;
