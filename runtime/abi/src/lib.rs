//! The contract between the monitor and the code inside its virtual machines:
//! hypercalls, ports, selectors, and the layout of the shim.
#![no_std]

pub mod hypercalls;
pub mod ports;
pub mod selectors;
pub mod shim;
