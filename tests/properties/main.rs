//! Properties that hold of every input: what the fuzz targets check, of the inputs that are kept, and what is tried here
//! by the thousand.

#![expect(
    unreachable_pub,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a test has no face, and fails by panicking"
)]

mod encoding;
#[path = "../fuzz/src/lib.rs"]
mod fuzz;
mod one_byte;
mod random;
mod replay;
mod signed;
