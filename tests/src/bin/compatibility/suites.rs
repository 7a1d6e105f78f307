//! A file for each suite.

pub mod go;
pub mod lua;
pub mod node;
pub mod perl;
pub mod php;
pub mod python;
pub mod redis;
pub mod ruby;
pub mod sqlite;
pub mod stress;

mod payload;
mod source;
