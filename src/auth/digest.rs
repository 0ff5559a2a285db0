//! The digests of a body, compared with those that were announced and signed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fast_md5::Md5;
use sha2::{Digest as _, Sha256};

use super::chunked::incomplete;
use super::framing::FramingProof;
use crate::s3::check::Check;
use crate::s3::checksum::{Algorithm, Checksum, Hasher};
use crate::s3::error::{Error, ErrorCode};
use crate::s3::name::hex_encode;
use crate::size;

/// Computes the digests of an object's bytes.
pub struct Digester {
    pub(super) size: u64,
    pub(super) md5: Md5,
    pub(super) sha256: Option<(String, Sha256)>,
    /// Computes the checksum that was announced, or else the one that is kept.
    pub(super) hasher: Option<Hasher>,
    /// Computes the one that is kept, if that is another.
    pub(super) kept: Option<Hasher>,
    pub(super) expected_md5: Option<[u8; 16]>,
    pub(super) expected_checksum: Option<Checksum>,
    /// S3 writes `ExpectedDigest` in hexadecimal for objects, in base64 for parts and documents.
    pub(super) digest_in_hex: bool,
}

impl Digester {
    /// Takes in the next bytes.
    pub fn update(&mut self, data: &[u8]) {
        self.size += size::bytes(data.len());
        self.md5.update(data);
        if let Some((_, sha256)) = &mut self.sha256 {
            sha256.update(data);
        }
        for hasher in self.hasher.iter_mut().chain(&mut self.kept) {
            hasher.update(data);
        }
    }

    /// Compares everything that was announced: SHA-256, then MD5, then the checksum.
    ///
    /// # Errors
    /// `XAmzContentSHA256Mismatch`, `BadDigest`, `IncompleteBody` if it saw another number of bytes than framed.
    pub fn finish(self, framing: FramingProof) -> Result<BodyProof, Error> {
        if framing.size != self.size {
            return Err(incomplete(framing.size, self.size));
        }
        if let Some((claimed, sha256)) = self.sha256 {
            let computed = hex_encode(&sha256.finalize());
            if !claimed.eq_ignore_ascii_case(&computed) {
                return Err(ErrorCode::XAmzContentSHA256Mismatch
                    .error()
                    .with("ClientComputedContentSHA256", claimed)
                    .with("S3ComputedContentSHA256", computed)
                    .check(Check::PayloadHash));
            }
        }
        let md5 = self.md5.finalize();
        if let Some(expected) = self.expected_md5
            && expected != md5
        {
            let shown = match self.digest_in_hex {
                true => hex_encode(&expected),
                false => STANDARD.encode(expected),
            };
            return Err(ErrorCode::BadDigest
                .error()
                .with("ExpectedDigest", shown)
                .with("CalculatedDigest", STANDARD.encode(md5))
                .check(Check::ContentMd5));
        }
        let checksum = self.hasher.map(Hasher::finish);
        if let (Some(expected), Some(computed)) = (self.expected_checksum.or(framing.trailer), checksum)
            && expected != computed
        {
            return Err(bad_checksum(computed.algorithm()));
        }
        let kept = self.kept.map(Hasher::finish);
        Ok(BodyProof { size: self.size, md5, shown: checksum, checksum: kept.or(checksum) })
    }
}

/// `BadDigest` for a checksum of this algorithm.
pub(super) fn bad_checksum(algorithm: Algorithm) -> Error {
    ErrorCode::BadDigest
        .with_message(format!(
            "The {} you specified did not match the calculated checksum.",
            algorithm.name()
        ))
        .check(Check::Checksum)
}

/// That a body arrived whole and is the one announced; what was computed of it. Only a [`Digester`] makes one.
///
/// ```compile_fail,E0451
/// let proof = presigned::auth::BodyProof { size: 0, md5: [0; 16], shown: None, checksum: None };
/// ```
#[derive(Debug)]
pub struct BodyProof {
    size: u64,
    md5: [u8; 16],
    shown: Option<Checksum>,
    checksum: Option<Checksum>,
}

impl BodyProof {
    #[cfg(feature = "server")]
    /// A digester for bytes that are already stored, of which nothing was announced.
    pub(crate) fn digester(checksum: Algorithm) -> StoredDigester {
        StoredDigester(Digester {
            size: 0,
            md5: Md5::new(),
            sha256: None,
            hasher: Some(Hasher::new(checksum)),
            kept: None,
            expected_md5: None,
            expected_checksum: None,
            digest_in_hex: true,
        })
    }

    /// Size of the body in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The MD5 of the body.
    pub fn md5(&self) -> &[u8; 16] {
        &self.md5
    }

    /// The checksum that the client is shown: the one it announced, if it did.
    pub fn shown_checksum(&self) -> Option<&Checksum> {
        self.shown.as_ref()
    }

    /// The checksum to be kept; every object has one.
    pub fn checksum(&self) -> Option<&Checksum> {
        self.checksum.as_ref()
    }
}

/// Computes the digests of bytes the store already holds: a copy proves what it copies.
#[cfg(feature = "server")]
pub(crate) struct StoredDigester(Digester);

#[cfg(feature = "server")]
impl StoredDigester {
    /// Takes in the next bytes.
    pub(crate) fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// The proof of the bytes taken in.
    pub(crate) fn finish(self) -> BodyProof {
        let size = self.0.size;
        self.0.finish(FramingProof { size, trailer: None }).expect("nothing was announced that could differ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn md5_agrees_with_another_implementation_at_every_length_and_cut() {
        use md5::Digest as _;
        let data: Vec<u8> = (0..1024_u32).map(|n| u8::try_from(n * n % 251).expect("a byte")).collect();
        for length in 0..300 {
            let expected: [u8; 16] = md5::Md5::digest(&data[..length]).into();
            for cut in [0, 1, 55, 63, 64, 65, 128, length] {
                let cut = cut.min(length);
                let mut md5 = Md5::new();
                md5.update(&data[..cut]);
                md5.update(&data[cut..length]);
                assert_eq!(md5.finalize(), expected, "{length} bytes cut at {cut}");
            }
        }
    }
}
