//! Everything that can go wrong, as the user reads it: one line each.

use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0} wants a value")]
    NoValue(String),
    #[error("{option}={value:?}: it is {wanted}")]
    BadValue {
        option: String,
        value: String,
        wanted: String,
    },
    #[error("the annotation {0:?} is not known: docs/containers.md lists those that are")]
    UnknownAnnotation(String),
    #[error("{0}: annotations may only say that where krun has its option --annotations=all")]
    NotAllowed(String),
    #[error("{0}: write the option in full")]
    Abbreviated(String),
    #[error("--config: krun edits a bundle's config.json, and no other file")]
    Config,
    #[error("{0} wants its options, and then the name of one container")]
    NotOneContainer(String),
    #[error("{0} wants the name of a container")]
    NoContainer(String),
    #[error("{0}: a virtual machine cannot be checkpointed by CRIU")]
    Checkpoint(String),
    #[error("neither crun nor runc is in PATH: install one, or give --oci-runtime=PATH")]
    NoDelegate,
    #[error("{0} is krun, or no program: --oci-runtime wants crun, runc or the like")]
    NotADelegate(PathBuf),
    #[error("cannot execute {path}: {error}")]
    Delegate { path: PathBuf, error: io::Error },
    #[error("{path} state {id}: {reason}")]
    State {
        path: PathBuf,
        id: String,
        reason: String,
    },
    #[error("{path}: {error}")]
    File { path: PathBuf, error: io::Error },
    #[error("{path} is not JSON: {error}")]
    Json {
        path: PathBuf,
        error: serde_json::Error,
    },
    #[error("{path}: {property} is not {wanted}")]
    Shape {
        path: PathBuf,
        property: String,
        wanted: &'static str,
    },
    #[error("{path}: {error}; krun needs it to run containers under km")]
    Device { path: PathBuf, error: io::Error },
    #[error("{0} is not a character device")]
    NotADevice(PathBuf),
    #[error("{path}: {error}; it is km that the container is to have: give --km=PATH")]
    Km { path: PathBuf, error: io::Error },
    #[error("{0} is a link in the image: km is to be in its place")]
    LinkInImage(PathBuf),
    #[error("{0} is not km: no executable file")]
    NotKm(PathBuf),
    #[error("{0} is not krun: no executable file; give --krun PATH")]
    NotKrun(PathBuf),
    #[error("{0}: what is that? See --help")]
    UnknownOption(String),
    #[error("{path} has a runtime krun already, with the path {there}")]
    OtherKrun { path: PathBuf, there: String },
    #[error("{0} is not as km-docker-config writes it")]
    NotOurs(PathBuf),
    #[error("{0}: each line is an option of krun's, --NAME or --NAME=VALUE, or begins with #")]
    Defaults(PathBuf),
    #[error("{0} is not valid UTF-8")]
    NotText(String),
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |error| Error::File { path, error }
    }
}
