//! Blobs by name, and runs of bytes in them: what a body consists of.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

use crate::s3::name::{hex_decode, hex_encode};

/// The name of a blob: 16 random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::store::local) struct BlobId(pub [u8; 16]);

impl BlobId {
    pub(in crate::store::local) fn random() -> io::Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
        Ok(Self(bytes))
    }

    pub(in crate::store::local) fn parse(name: &str) -> Option<Self> {
        hex_decode(name).map(Self)
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex_encode(&self.0))
    }
}

/// A run of bytes in a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store::local) struct Segment {
    blob: [u8; 16],
    pub offset: u64,
    pub length: u64,
}

impl Segment {
    pub(in crate::store::local) fn new(blob: BlobId, offset: u64, length: u64) -> Self {
        Self { blob: blob.0, offset, length }
    }

    pub(in crate::store::local) fn blob(&self) -> BlobId {
        BlobId(self.blob)
    }
}

/// The segments that hold `offset..offset + length` of the bytes that `segments` hold.
pub(in crate::store::local) fn slice(segments: &[Segment], offset: u64, length: u64) -> Vec<Segment> {
    let mut out = Vec::new();
    let (mut skip, mut left) = (offset, length);
    for segment in segments {
        if left == 0 {
            break;
        }
        if skip >= segment.length {
            skip -= segment.length;
            continue;
        }
        let length = (segment.length - skip).min(left);
        out.push(Segment { blob: segment.blob, offset: segment.offset + skip, length });
        left -= length;
        skip = 0;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_cross_segments() {
        let of = |blob, offset, length| Segment::new(BlobId([blob; 16]), offset, length);
        let segments = [of(1, 0, 10), of(2, 5, 10), of(3, 0, 10)];
        assert_eq!(slice(&segments, 0, 30), segments);
        assert_eq!(slice(&segments, 8, 4), [of(1, 8, 2), of(2, 5, 2)]);
        assert_eq!(slice(&segments, 10, 10), [of(2, 5, 10)]);
        assert_eq!(slice(&segments, 19, 2), [of(2, 14, 1), of(3, 0, 1)]);
        assert_eq!(slice(&segments, 30, 5), []);
    }
}
