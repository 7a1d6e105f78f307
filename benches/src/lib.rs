//! What the programs of this folder share: the ways to run something, the bare VM, figures.

pub mod bare;
pub mod bundle;
pub mod costs;
pub mod file_floors;
pub mod image;
pub mod measures;
pub mod process_floors;
pub mod report;
pub mod runner;
pub mod sample;
pub mod session;
pub mod sys;
pub mod target;
pub mod thread_floors;
pub mod vcpu;
