//! What is said when the node is left as it is.

use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{path}: {error}")]
    Node {
        path: String,
        #[source]
        error: io::Error,
    },
    #[error("{}: {error}", path.display())]
    Files {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    #[error("{0} is there and not of km: move it away")]
    NotOurs(String),
    #[error("{0} is damaged")]
    List(String),
    #[error("{path}: {text}")]
    Config { path: String, text: String },
    #[error("cannot restart {service}: {text}")]
    Restart { service: String, text: String },
    #[error("{first}; then, with the old configuration: {then}")]
    Then { first: Box<Error>, then: Box<Error> },
}

impl Error {
    pub fn config(path: &str, text: impl Into<String>) -> Error {
        Error::Config {
            path: path.to_owned(),
            text: text.into(),
        }
    }
}
