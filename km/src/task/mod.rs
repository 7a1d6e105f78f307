//! The payload's process and threads.

pub mod process;
pub mod thread;
