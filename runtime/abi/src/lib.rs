//! The contract between the monitor and the code inside its virtual machines:
//! ports, selectors, and the layout of the shim.
#![no_std]

pub mod ports;
pub mod selectors;
pub mod shim;
