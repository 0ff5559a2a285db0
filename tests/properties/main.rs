//! Properties that hold of every input: what the fuzz targets check, of the inputs that are kept, and what is tried here
//! by the thousand.

#![expect(clippy::indexing_slicing, clippy::panic, reason = "what cannot be ends its test")]

mod encoding;
#[path = "../fuzz/src/lib.rs"]
mod fuzz;
mod one_byte;
mod random;
mod replay;
mod signed;
