//! The checksum algorithms of S3: names, values, running state.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use std::hash::Hasher as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::CrcAlgorithm;
use fast_md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};
use twox_hash::{XxHash3_64, XxHash3_128, XxHash64};

/// Most bytes of a value.
const BYTES_MAX: usize = 64;

macro_rules! algorithms {
    ($($algorithm:ident $name:literal $lower:literal $bytes:literal;)*) => {
        /// A checksum algorithm.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Algorithm { $(#[doc = $name] $algorithm,)* }

        impl Algorithm {
            /// Every algorithm, in the order in which S3 lists them.
            pub const ALL: [Self; 10] = [$(Self::$algorithm,)*];

            /// The name of `x-amz-checksum-algorithm` and of listings: `CRC32`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$algorithm => $name,)* }
            }

            /// The name in the middle of an error: `crc32`.
            pub fn lower_name(self) -> &'static str {
                match self { $(Self::$algorithm => $lower,)* }
            }

            /// The header or trailer that carries a value.
            pub fn header(self) -> &'static str {
                match self { $(Self::$algorithm => concat!("x-amz-checksum-", $lower),)* }
            }

            /// The XML element that carries a value.
            pub fn element(self) -> &'static str {
                match self { $(Self::$algorithm => concat!("Checksum", $name),)* }
            }

            /// Length of a value in bytes.
            pub fn bytes(self) -> usize {
                match self { $(Self::$algorithm => $bytes,)* }
            }
        }
    };
}

algorithms! {
    Crc32 "CRC32" "crc32" 4;
    Crc32c "CRC32C" "crc32c" 4;
    Crc64Nvme "CRC64NVME" "crc64nvme" 8;
    Sha1 "SHA1" "sha1" 20;
    Sha256 "SHA256" "sha256" 32;
    Sha512 "SHA512" "sha512" 64;
    Md5 "MD5" "md5" 16;
    XxHash64 "XXHASH64" "xxhash64" 8;
    XxHash3 "XXHASH3" "xxhash3" 8;
    XxHash128 "XXHASH128" "xxhash128" 16;
}

impl Algorithm {
    /// The algorithm of this name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// The algorithm whose header this is; `name` in lower case.
    pub fn of_header(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.header() == name)
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
            Self::Sha1
            | Self::Sha256
            | Self::Sha512
            | Self::Md5
            | Self::XxHash64
            | Self::XxHash3
            | Self::XxHash128 => None,
        }
    }
}

/// Whether a multipart object's checksum covers the object or its parts' checksums.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChecksumType {
    /// Over all bytes of the object.
    FullObject,
    /// Over the checksums of its parts.
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
    value: [u8; BYTES_MAX],
}

impl Checksum {
    /// A value from its bytes; `None` if their number is not that of the algorithm.
    pub fn from_bytes(algorithm: Algorithm, bytes: &[u8]) -> Option<Self> {
        let mut value = [0; BYTES_MAX];
        (bytes.len() == algorithm.bytes()).then_some(())?;
        value.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(Self { algorithm, value })
    }

    /// Parses base64; `None` if malformed or of the wrong length.
    pub fn parse(algorithm: Algorithm, base64: &str) -> Option<Self> {
        Self::from_bytes(algorithm, &STANDARD.decode(base64).ok()?)
    }

    /// The checksum of these bytes.
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    /// What it was computed with.
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

/// What most uploads never need is not what makes it large.
enum State {
    Crc(crc_fast::Digest),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha512(Box<Sha512>),
    Md5(Md5),
    XxHash64(XxHash64),
    XxHash3(Box<XxHash3_64>),
    XxHash128(Box<XxHash3_128>),
}

impl Hasher {
    /// The checksum of no bytes yet.
    pub fn new(algorithm: Algorithm) -> Self {
        let state = match algorithm {
            Algorithm::Crc32 => State::Crc(crc_fast::Digest::new(CrcAlgorithm::Crc32IsoHdlc)),
            Algorithm::Crc32c => State::Crc(crc_fast::Digest::new(CrcAlgorithm::Crc32Iscsi)),
            Algorithm::Crc64Nvme => State::Crc(crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme)),
            Algorithm::Sha1 => State::Sha1(Sha1::new()),
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Box::default()),
            Algorithm::Md5 => State::Md5(Md5::new()),
            // S3 and its clients use the seed 0.
            Algorithm::XxHash64 => State::XxHash64(XxHash64::with_seed(0)),
            Algorithm::XxHash3 => State::XxHash3(Box::default()),
            Algorithm::XxHash128 => State::XxHash128(Box::default()),
        };
        Self { algorithm, state }
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, data: &[u8]) {
        match &mut self.state {
            State::Crc(digest) => digest.update(data),
            State::Sha1(digest) => digest.update(data),
            State::Sha256(digest) => digest.update(data),
            State::Sha512(digest) => digest.update(data),
            State::Md5(digest) => digest.update(data),
            State::XxHash64(digest) => digest.write(data),
            State::XxHash3(digest) => digest.write(data),
            State::XxHash128(digest) => digest.write(data),
        }
    }

    /// The checksum of all bytes taken in.
    pub fn finish(self) -> Checksum {
        let of = |bytes: &[u8]| Checksum::from_bytes(self.algorithm, bytes);
        let checksum = match self.state {
            State::Crc(digest) => Checksum::from_number(self.algorithm, digest.finalize()),
            State::Sha1(digest) => of(&digest.finalize()),
            State::Sha256(digest) => of(&digest.finalize()),
            State::Sha512(digest) => of(&digest.finalize()),
            State::Md5(digest) => of(&digest.finalize()),
            State::XxHash64(digest) => of(&digest.finish().to_be_bytes()),
            State::XxHash3(digest) => of(&digest.finish().to_be_bytes()),
            State::XxHash128(digest) => of(&digest.finish_128().to_be_bytes()),
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
            "2eZ2LdHI6vbWGzxhkvxAjU1tXxF20MKRabwk5xw/J0rSf81YEbMT1oH35V7ALXPUmclUVba1u1A6z1dPuo/+hQ==",
            "JfnnlDI7RTiF9RgfG2JNCw==",
            "jLhB20DmroM=",
            "ctyxi2ehff8=",
            "MxGUd+3l3NXpcWQnaB1YYA==",
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
