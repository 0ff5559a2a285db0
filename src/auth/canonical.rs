//! The canonical request of V4 and the strings to sign of both versions: one renderer for verifying and signing.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use sha2::{Digest as _, Sha256};

use super::credential::Scope;
use crate::s3::name::hex_encode;
use crate::s3::uri::{Slash, encode_into};

/// The literal of a payload that is not part of the signature.
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";
/// The one parameter that is not part of the canonical query.
pub(super) const SIGNATURE_PARAMETER: &str = "X-Amz-Signature";
/// The algorithm of V4.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// The parts of a request that V4 signs.
pub(super) struct Parts<'a> {
    pub method: &'a str,
    /// Decoded.
    pub path: &'a str,
    /// Canonical, as [`canonical_query`] makes it.
    pub query: &'a str,
    /// Lower-case names in order, each with its value trimmed and folded.
    pub headers: &'a [(&'a str, Cow<'a, [u8]>)],
    pub payload: &'a str,
}

/// A canonical request.
///
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CanonicalRequest(Vec<u8>);

impl CanonicalRequest {
    pub(super) fn render(parts: &Parts<'_>) -> Self {
        let mut text = String::with_capacity(512);
        text.push_str(parts.method);
        text.push('\n');
        encode_into(&mut text, parts.path, Slash::Keep);
        text.push('\n');
        text.push_str(parts.query);
        text.push('\n');
        let mut bytes = text.into_bytes();
        for (name, value) in parts.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.push(b':');
            bytes.extend_from_slice(value);
            bytes.push(b'\n');
        }
        bytes.push(b'\n');
        for (position, (name, _)) in parts.headers.iter().enumerate() {
            if position > 0 {
                bytes.push(b';');
            }
            bytes.extend_from_slice(name.as_bytes());
        }
        bytes.push(b'\n');
        bytes.extend_from_slice(parts.payload.as_bytes());
        Self(bytes)
    }

    /// The same as it is hashed.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Says how long it is: a session token may be in it.
impl fmt::Debug for CanonicalRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CanonicalRequest({} bytes)", self.0.len())
    }
}

impl fmt::Display for CanonicalRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// The canonical query: decoded names and values encoded, then sorted by name and value.
pub(super) fn canonical_query<'a>(query: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    // All of them encoded one after the other, and where in it each name and each value ends.
    let mut text = String::with_capacity(512);
    let mut spans = Vec::with_capacity(8);
    for (name, value) in query.filter(|(name, _)| *name != SIGNATURE_PARAMETER) {
        let start = text.len();
        encode_into(&mut text, name, Slash::Escape);
        let name_end = text.len();
        encode_into(&mut text, value, Slash::Escape);
        spans.push((start..name_end, name_end..text.len()));
    }
    let piece = |span: &Range<usize>| text.get(span.clone()).unwrap_or_default();
    spans.sort_unstable_by(|(a, x), (b, y)| (piece(a), piece(x)).cmp(&(piece(b), piece(y))));
    let mut out = String::with_capacity(text.len() + 2 * spans.len());
    for (name, value) in &spans {
        if !out.is_empty() {
            out.push('&');
        }
        out.extend([piece(name), "=", piece(value)]);
    }
    out
}

/// The string to sign of a V4 request.
pub(super) fn string_to_sign(timestamp: &str, scope: &Scope, canonical_request: &CanonicalRequest) -> String {
    let digest = hex_encode(&Sha256::digest(canonical_request.as_bytes()));
    let mut text = String::with_capacity(192);
    let Scope { date, region } = scope;
    text.extend([ALGORITHM, "\n", timestamp, "\n", date, "/", region, "/s3/aws4_request\n", &digest]);
    text
}

/// A header value as it is signed: trimmed, runs of white space folded into one space.
pub(super) fn folded(value: &[u8]) -> Cow<'_, [u8]> {
    let trimmed = value.trim_ascii();
    let white = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let plain = !trimmed.iter().zip(trimmed.iter().skip(1)).any(|(a, b)| white(a) && white(b))
        && !trimmed.iter().any(|byte| white(byte) && *byte != b' ');
    if plain {
        return Cow::Borrowed(trimmed);
    }
    let mut out = Vec::with_capacity(trimmed.len());
    for &byte in trimmed {
        match white(&byte) {
            true if out.last() == Some(&b' ') => {}
            true => out.push(b' '),
            false => out.push(byte),
        }
    }
    Cow::Owned(out)
}

/// Bytes as error elements show them: two lower-case digits each, one space between.
pub(super) fn spaced_hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 3);
    for (position, byte) in bytes.iter().enumerate() {
        if position > 0 {
            out.push(' ');
        }
        for digit in [byte >> 4, byte & 15] {
            out.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_folded() {
        assert_eq!(folded(b"  a  b\t c "), &b"a b c"[..]);
        assert_eq!(folded(b"a b"), &b"a b"[..]);
        assert_eq!(folded(b""), &b""[..]);
    }

    #[test]
    fn queries_are_sorted_after_encoding() {
        let query = [("b", "2"), ("a~", "1"), ("a", "/"), ("A", "3"), ("X-Amz-Signature", "s"), ("a", "")];
        let out = canonical_query(query.into_iter());
        assert_eq!(out, "A=3&a=&a=%2F&a~=1&b=2");
    }

    #[test]
    fn bytes_are_spaced() {
        assert_eq!(spaced_hex(b"AW\n"), "41 57 0a");
    }
}
