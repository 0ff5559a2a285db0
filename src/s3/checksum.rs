//! The five checksum algorithms of S3: names, values, running state.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// A checksum algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

impl Algorithm {
    /// Every algorithm, in the order in which S3 lists them.
    pub const ALL: [Self; 5] = [Self::Crc32, Self::Crc32c, Self::Crc64Nvme, Self::Sha1, Self::Sha256];

    /// The name of `x-amz-checksum-algorithm` and of listings: `CRC32`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The name in the middle of an error: `crc32`.
    pub fn lower_name(self) -> &'static str {
        self.header().trim_start_matches("x-amz-checksum-")
    }

    /// The header or trailer that carries a value.
    pub fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// The XML element that carries a value.
    pub fn element(self) -> &'static str {
        match self {
            Self::Crc32 => "ChecksumCRC32",
            Self::Crc32c => "ChecksumCRC32C",
            Self::Crc64Nvme => "ChecksumCRC64NVME",
            Self::Sha1 => "ChecksumSHA1",
            Self::Sha256 => "ChecksumSHA256",
        }
    }

    /// The algorithm of this name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// The algorithm whose header this is; `name` in lower case.
    pub fn of_header(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.header() == name)
    }

    /// Length of a value in bytes.
    pub fn bytes(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// Whether the checksums of the parts give the checksum of the whole.
    pub fn combines(self) -> bool {
        self.crc().is_some()
    }

    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }
}

/// Whether a multipart object's checksum covers the object or its parts' checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChecksumType {
    FullObject,
    Composite,
}

impl ChecksumType {
    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }

    /// The type of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::FullObject, Self::Composite].into_iter().find(|kind| kind.name() == name)
    }
}

/// A value of one algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checksum {
    algorithm: Algorithm,
    /// Filled from the front; the rest is zero.
    value: [u8; 32],
}

impl Checksum {
    /// A value from its bytes; `None` if their number is not that of the algorithm.
    pub fn from_bytes(algorithm: Algorithm, bytes: &[u8]) -> Option<Self> {
        let mut value = [0; 32];
        (bytes.len() == algorithm.bytes()).then_some(())?;
        value.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self { algorithm, value })
    }

    /// Parses base64; `None` if it is none, or of another length.
    pub fn parse(algorithm: Algorithm, base64: &str) -> Option<Self> {
        Self::from_bytes(algorithm, &STANDARD.decode(base64).ok()?)
    }

    /// The checksum of these bytes.
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The bytes, big-endian for a CRC.
    pub fn bytes(&self) -> &[u8] {
        self.value.get(..self.algorithm.bytes()).unwrap_or_default()
    }

    /// The value on the wire.
    pub fn base64(&self) -> String {
        STANDARD.encode(self.bytes())
    }

    /// The checksum of two bodies one after the other, the second `second_bytes` long; `None` if the algorithm
    /// does not combine or the two differ.
    pub fn combine(&self, second: &Self, second_bytes: u64) -> Option<Self> {
        if self.algorithm != second.algorithm {
            return None;
        }
        let combined =
            crc_fast::checksum_combine(self.algorithm.crc()?, self.number(), second.number(), second_bytes);
        Self::from_number(self.algorithm, combined)
    }

    fn number(&self) -> u64 {
        self.bytes().iter().fold(0, |number, &byte| number << 8 | u64::from(byte))
    }

    fn from_number(algorithm: Algorithm, number: u64) -> Option<Self> {
        let bytes = number.to_be_bytes();
        Self::from_bytes(algorithm, bytes.get(bytes.len() - algorithm.bytes()..)?)
    }
}

/// A checksum being computed.
pub struct Hasher {
    algorithm: Algorithm,
    state: State,
}

enum State {
    Crc(crc_fast::Digest),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Hasher {
    /// The checksum of no bytes yet.
    pub fn new(algorithm: Algorithm) -> Self {
        let state = match (algorithm.crc(), algorithm) {
            (Some(crc), _) => State::Crc(crc_fast::Digest::new(crc)),
            (None, Algorithm::Sha1) => State::Sha1(Sha1::new()),
            (None, _) => State::Sha256(Sha256::new()),
        };
        Self { algorithm, state }
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.state {
            State::Crc(digest) => digest.update(data),
            State::Sha1(digest) => digest.update(data),
            State::Sha256(digest) => digest.update(data),
        }
    }

    /// The checksum of all bytes taken in.
    pub fn finish(self) -> Checksum {
        let checksum = match self.state {
            State::Crc(digest) => Checksum::from_number(self.algorithm, digest.finalize()),
            State::Sha1(digest) => Checksum::from_bytes(self.algorithm, &digest.finalize()),
            State::Sha256(digest) => Checksum::from_bytes(self.algorithm, &digest.finalize()),
        };
        checksum.expect("each state gives as many bytes as its algorithm has")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(algorithm: Algorithm, data: &[u8]) -> Checksum {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(data);
        hasher.finish()
    }

    #[test]
    fn check_values() {
        let values = [
            "y/Q5Jg==",
            "4waSgw==",
            "rosUhgp5mIg=",
            "98O8HYCOBHMq32eZZczDTKeuNEE=",
            "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
        ];
        for (algorithm, value) in Algorithm::ALL.into_iter().zip(values) {
            assert_eq!(of(algorithm, b"123456789").base64(), value, "{algorithm:?}");
            assert_eq!(Checksum::parse(algorithm, value), Some(of(algorithm, b"123456789")));
            assert_eq!(Algorithm::of_header(algorithm.header()), Some(algorithm));
            assert_eq!(Algorithm::parse(algorithm.lower_name()), Some(algorithm));
        }
    }

    #[test]
    fn crcs_combine() {
        for algorithm in Algorithm::ALL {
            let combined = of(algorithm, b"12345").combine(&of(algorithm, b"6789"), 4);
            assert_eq!(combined, algorithm.combines().then(|| of(algorithm, b"123456789")), "{algorithm:?}");
        }
    }

    #[test]
    fn values_have_one_length() {
        assert!(Checksum::parse(Algorithm::Crc32, "AAAAAAAAAAA=").is_none());
        assert!(Checksum::parse(Algorithm::Crc32, "not base64").is_none());
    }
}
