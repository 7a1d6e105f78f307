//! Payload memory: where it lies, what is mapped, and the guest's page tables.

pub mod brk;
pub mod fault;
pub mod fork;
pub mod guest;
pub mod layout;
pub mod mapping;
pub mod pagetable;
pub mod place;
pub mod remap;
pub mod segment;
pub mod shared;
pub mod space;
pub mod system;
