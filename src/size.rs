//! How many bytes something in memory has, as files and protocols count them.

const _: () = assert!(usize::BITS <= u64::BITS, "a length in memory fits into 64 bits");

/// A length in memory as a number of bytes.
#[expect(clippy::as_conversions, reason = "usize has at most 64 bits: asserted above")]
pub(crate) const fn bytes(length: usize) -> u64 {
    length as u64
}
