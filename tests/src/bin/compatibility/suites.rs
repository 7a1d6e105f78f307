//! A file for each suite.

pub mod go;
pub mod node;
pub mod perl;
pub mod php;
pub mod python;
pub mod ruby;
pub mod stress;

mod source;
