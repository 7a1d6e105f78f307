//! The verifier, asked about documents of AWS, of development roots, and about
//! everything that is almost one.
//!
//! The given documents stand beside the repository, in `../shared/nsm`. Where
//! that is missing, their tests say so and pass; the others make their own.

mod arbitrary;
mod changes;
mod command;
mod documents;
mod given;
mod links;
mod made;
mod opinions;
