//! The payload's process and threads.

pub mod alone;
pub mod clone;
pub mod exec;
pub mod exit;
pub mod machine;
pub mod process;
pub mod thread;
pub mod user_dispatch;
pub mod vfork;
pub mod world;
