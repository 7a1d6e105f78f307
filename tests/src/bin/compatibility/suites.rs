//! A file for each suite.

pub mod python;
pub mod stress;
