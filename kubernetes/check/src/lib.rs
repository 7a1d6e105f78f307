//! All of it is in `tests/`: the manifests beside this folder are its subject.
