//! What the fuzz targets check, as plain functions: the targets call them with what libFuzzer makes up, and the tests
//! of the main crate with the files of `corpus/`.

pub mod chunked;
pub mod claim;
mod edits;
pub mod head;
pub mod lifecycle;
pub mod query;
pub mod range;
pub mod reading;
pub mod signing;
pub mod string_to_sign;
pub mod uri;
pub mod xml;
