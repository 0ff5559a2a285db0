//! The wire vocabulary of S3: names, targets, operations, conditions, checksums, errors. Pure values:
//! no async, no I/O, no clock, no keys.
//!
//! Read in this order: [`uri`] and [`name`] (what a path is made of), [`target`] and [`operation`] (what a
//! request asks for), [`arrival`] and [`request`] (the whole head, parsed once), then the smaller grammars.

pub mod action;
pub mod arrival;
pub mod check;
pub mod checksum;
pub mod condition;
pub mod encoded_word;
pub mod error;
pub mod header;
pub mod lifecycle;
pub mod listing;
pub mod metadata;
pub mod name;
pub mod operation;
pub mod range;
pub mod region;
pub mod request;
pub mod tagging;
pub mod target;
pub mod uri;
pub mod xml;

pub use arrival::Arrival;
pub use error::{Error, ErrorCode};
pub use operation::Operation;
pub use request::Request;
pub use target::Target;
