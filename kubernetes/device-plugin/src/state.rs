//! What is known and was done, for all parts.

use std::sync::atomic::{AtomicBool, AtomicU64};

use tokio::sync::watch;

#[derive(Debug)]
pub struct State {
    /// How many devices the kubelet is told of.
    pub devices: u32,
    /// Whether the device is there.
    pub healthy: watch::Sender<bool>,
    /// Whether the kubelet knows of the plugin.
    pub registered: AtomicBool,
    pub registrations: AtomicU64,
    pub failed_registrations: AtomicU64,
    /// Containers that were given the device.
    pub allocations: AtomicU64,
    pub failed_allocations: AtomicU64,
}

impl State {
    pub fn new(devices: u32, healthy: bool) -> State {
        State {
            devices,
            healthy: watch::Sender::new(healthy),
            registered: AtomicBool::new(false),
            registrations: AtomicU64::new(0),
            failed_registrations: AtomicU64::new(0),
            allocations: AtomicU64::new(0),
            failed_allocations: AtomicU64::new(0),
        }
    }
}
