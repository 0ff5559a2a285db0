//! The names S3 gives to things, each parsed once into a type that keeps its rules.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// Longest key in bytes of UTF-8.
pub const KEY_BYTES_MAX: usize = 1024;
/// Highest part number of a multipart upload.
pub const PART_NUMBER_MAX: u16 = 10_000;

/// The name of a bucket: 3 to 63 of `a-z 0-9 . -`, beginning and ending with a letter or digit, without `..`,
/// not an IPv4 address, and without the prefixes and suffixes S3 reserves.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketName(Box<str>);

impl BucketName {
    /// Parses a name; `None` if it breaks a rule.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let outer = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let valid = (3..=63).contains(&bytes.len())
            && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'))
            && outer(bytes.first())
            && outer(bytes.last())
            && !text.contains("..")
            && text.parse::<std::net::Ipv4Addr>().is_err()
            && !["xn--", "sthree-"].iter().any(|prefix| text.starts_with(prefix))
            && !["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"]
                .iter()
                .any(|end| text.ends_with(end));
        valid.then(|| Self(text.into()))
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is not an object key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The empty text.
    Empty,
    /// More than [`KEY_BYTES_MAX`] bytes; holds the length.
    TooLong(usize),
    /// Contains NUL.
    Nul,
}

/// The key of an object: 1 to 1024 bytes of UTF-8 without NUL. Any other byte goes; nothing is normalised.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(Box<str>);

impl ObjectKey {
    /// Parses a decoded key.
    ///
    /// # Errors
    /// [`KeyError`], one variant a rule.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        match text.len() {
            0 => Err(KeyError::Empty),
            len if len > KEY_BYTES_MAX => Err(KeyError::TooLong(len)),
            _ if text.contains('\0') => Err(KeyError::Nul),
            _ => Ok(Self(text.into())),
        }
    }

    /// The key itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The number of a part: 1 to 10,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartNumber(u16);

impl PartNumber {
    /// Parses decimal digits; `None` outside 1 to 10,000.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        text.parse().ok().and_then(Self::new)
    }

    /// The part `number`, if it is in range.
    pub fn new(number: u16) -> Option<Self> {
        (1..=PART_NUMBER_MAX).contains(&number).then_some(Self(number))
    }

    /// The number itself.
    pub fn value(self) -> u16 {
        self.0
    }
}

/// The id of a multipart upload: 32 lower-case hexadecimal digits, whose first 12 order uploads by their start and
/// whose last 8 tell of what key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UploadId([u8; 16]);

impl UploadId {
    /// The id of an upload of `key` that starts at this moment, of which the random bytes tell it from others.
    pub fn new(started_millis: i64, random: [u8; 6], key: &ObjectKey) -> Self {
        let [_, _, time @ ..] = started_millis.to_be_bytes();
        let mut bytes = [0; 16];
        let parts = time.iter().chain(&random).chain(&digest_of(key)).copied().collect::<Vec<u8>>();
        bytes.iter_mut().zip(parts).for_each(|(byte, part)| *byte = part);
        Self(bytes)
    }

    /// Whether this was made for an upload of `key`, finished or not.
    pub fn is_of(&self, key: &ObjectKey) -> bool {
        self.0.ends_with(&digest_of(key))
    }

    /// An id from its 16 bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Parses what a client sent; `None` if it cannot be an id of ours.
    pub fn parse(text: &str) -> Option<Self> {
        hex_decode(text).map(Self)
    }

    /// The 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex_encode(&self.0))
    }
}

/// The first bytes of the SHA-256 of a key.
fn digest_of(key: &ObjectKey) -> [u8; 4] {
    let digest = Sha256::digest(key.as_str().as_bytes());
    digest.first_chunk().copied().unwrap_or_default()
}

/// The id of the account of an owner: the owner's id if that has 12 digits, else the first 12 digits of its SHA-256
/// as a decimal number.
pub fn account_id(owner: &str) -> String {
    if is_account_id(owner) {
        return owner.to_owned();
    }
    // Divided by ten again and again, the number gives its digits from the last to the first.
    let mut number: [u8; 32] = Sha256::digest(owner.as_bytes()).into();
    let mut digits = Vec::with_capacity(78);
    while number.iter().any(|byte| *byte != 0) {
        let mut rest = 0_u16;
        for byte in &mut number {
            let part = rest << 8 | u16::from(*byte);
            *byte = u8::try_from(part / 10).unwrap_or_default();
            rest = part % 10;
        }
        digits.push(char::from_digit(u32::from(rest), 10).unwrap_or('0'));
    }
    digits.into_iter().rev().take(ACCOUNT_DIGITS).collect()
}

/// Digits of the id of an account.
const ACCOUNT_DIGITS: usize = 12;

/// Whether a text is the id of an account.
pub fn is_account_id(text: &str) -> bool {
    text.len() == ACCOUNT_DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The id of a version of an object: `null`, or 32 lower-case hexadecimal digits, whose first 16 order the versions
/// of a key from the newest to the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionId(Option<[u8; 16]>);

impl VersionId {
    /// The version that is written while versioning is off or suspended.
    pub const NULL: Self = Self(None);

    /// An id from its 16 bytes; none are those of [`VersionId::NULL`].
    pub fn from_bytes(bytes: Option<[u8; 16]>) -> Self {
        Self(bytes)
    }

    /// Parses what a client sent; `None` if it cannot be an id of ours.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "null" => Some(Self::NULL),
            _ => hex_decode(text).map(Some).map(Self),
        }
    }

    /// The 16 bytes; `None` for `null`.
    pub fn bytes(&self) -> Option<&[u8; 16]> {
        self.0.as_ref()
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("null"),
            Some(bytes) => f.write_str(&hex_encode(bytes)),
        }
    }
}

/// The ETag of an object: the MD5 of its body, or of its parts' MD5s with their count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ETag {
    md5: [u8; 16],
    parts: Option<u16>,
}

impl ETag {
    /// The ETag of a body stored in one go.
    pub fn single(md5: [u8; 16]) -> Self {
        Self { md5, parts: None }
    }

    /// The ETag of a multipart object: MD5 over the parts' MD5s, and how many there were.
    pub fn multipart(md5: [u8; 16], parts: u16) -> Self {
        Self { md5, parts: Some(parts) }
    }

    /// Parses an ETag as clients send it: hexadecimal, perhaps with `-N`, perhaps in quotes.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
        let (digest, parts) = match text.split_once('-') {
            Some((digest, parts)) => (digest, Some(PartNumber::parse(parts)?.value())),
            None => (text, None),
        };
        Some(Self { md5: hex_decode(&digest.to_ascii_lowercase())?, parts })
    }

    /// The digest.
    pub fn md5(&self) -> &[u8; 16] {
        &self.md5
    }

    /// The number of parts, if the object was uploaded in parts.
    pub fn parts(&self) -> Option<u16> {
        self.parts
    }

    /// With the quotes that headers and XML show.
    pub fn quoted(&self) -> String {
        format!("\"{self}\"")
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex_encode(&self.md5))?;
        match self.parts {
            Some(parts) => write!(f, "-{parts}"),
            None => Ok(()),
        }
    }
}

/// Lower-case hexadecimal.
pub fn hex_encode(bytes: &[u8]) -> String {
    let digit = |half: u8| half + if half < 10 { b'0' } else { b'a' - 10 };
    let mut out = vec![0; bytes.len() * 2];
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    String::from_utf8(out).expect("digits and letters")
}

/// Exactly `2 * N` lower-case hexadecimal digits.
pub fn hex_decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != N * 2 || text.bytes().any(|b| b.is_ascii_uppercase()) {
        return None;
    }
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte =
            u8::from_str_radix(std::str::from_utf8(pair).ok().filter(|p| !p.starts_with('+'))?, 16).ok()?;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_names() {
        for name in ["abc", "a.b-c", "my-bucket", "123", "a1b"] {
            assert!(BucketName::parse(name).is_some(), "{name}");
        }
        let long = "a".repeat(64);
        for name in [
            "",
            "ab",
            "Abc",
            "a_b",
            "a..b",
            "-ab",
            "ab-",
            ".ab",
            "192.168.0.1",
            "xn--a",
            "a--x-s3",
            "a/b",
            &long,
        ] {
            assert!(BucketName::parse(name).is_none(), "{name}");
        }
    }

    #[test]
    fn keys() {
        assert!(ObjectKey::parse("//a/../b").is_ok());
        assert_eq!(ObjectKey::parse(""), Err(KeyError::Empty));
        assert!(ObjectKey::parse(&"k".repeat(1024)).is_ok());
        assert_eq!(ObjectKey::parse(&"k".repeat(1025)), Err(KeyError::TooLong(1025)));
    }

    #[test]
    fn etags() {
        let tag = ETag::parse("\"d41d8cd98f00b204e9800998ecf8427e-3\"").expect("valid");
        assert_eq!(tag.parts(), Some(3));
        assert_eq!(tag.quoted(), "\"d41d8cd98f00b204e9800998ecf8427e-3\"");
        assert!(ETag::parse("x").is_none());
        assert!(hex_decode::<1>("+f").is_none());
    }

    #[test]
    fn accounts() {
        assert_eq!(account_id("main"), "607486520657");
        assert_eq!(account_id("123456789012"), "123456789012");
        assert!(!is_account_id("12345678901a") && !is_account_id("1234567890123"));
    }

    #[test]
    fn uploads_know_their_key() {
        let key = |text| ObjectKey::parse(text).expect("valid");
        let id = UploadId::new(0x0102_0304_0506, [9; 6], &key("a"));
        assert!(id.to_string().starts_with("010203040506090909090909"));
        assert!(id.is_of(&key("a")) && !id.is_of(&key("b")));
    }

    #[test]
    fn version_ids() {
        assert_eq!(VersionId::parse("null"), Some(VersionId::NULL));
        let text = "ffffffffffffff0100112233445566ff";
        assert_eq!(VersionId::parse(text).map(|id| id.to_string()).as_deref(), Some(text));
        for text in ["", "NULL", "abc", "ffffffffffffff0100112233445566fg"] {
            assert!(VersionId::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn part_numbers() {
        assert_eq!(PartNumber::parse("10000").map(PartNumber::value), Some(10_000));
        for text in ["", "0", "10001", "-1", "+1", "1.0", "a"] {
            assert!(PartNumber::parse(text).is_none(), "{text}");
        }
    }
}
