//! Percent-encoding, held against the crate `percent-encoding`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use presigned::s3::uri::{DecodeError, Path, Slash, decode, encode, encode_form};

/// All but what RFC 3986 calls unreserved.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const ESCAPED_IN_PATHS: &AsciiSet = &ESCAPED.remove(b'/');
/// What is escaped in forms; a blank becomes `+` afterwards.
const ESCAPED_IN_FORMS: &AsciiSet = &ESCAPED_IN_PATHS.add(b'~').remove(b'*').remove(b' ');

pub fn check(data: &[u8]) {
    let Ok(raw) = std::str::from_utf8(data) else { return };
    for (slash, set) in [(Slash::Escape, ESCAPED), (Slash::Keep, ESCAPED_IN_PATHS)] {
        assert_eq!(encode(raw, slash), utf8_percent_encode(raw, set).to_string());
    }
    let form = utf8_percent_encode(raw, ESCAPED_IN_FORMS).to_string().replace(' ', "+");
    assert_eq!(encode_form(raw), form);

    // To that crate a plus is a plus, and a broken escape stands for itself.
    let plain = raw.replace('+', " ");
    let other = percent_decode_str(&plain).decode_utf8().ok().filter(|text| !text.contains('\0'));
    let decoded = match decode(raw) {
        Ok(decoded) => decoded,
        Err(DecodeError::InvalidEscape) => {
            return assert!(has_broken_escape(raw), "no escape is broken: {raw:?}");
        }
        Err(DecodeError::InvalidText) => return assert_eq!(other, None),
    };
    assert!(!has_broken_escape(raw), "a broken escape: {raw:?}");
    assert_eq!(other.as_deref(), Some(&*decoded));
    for encoded in [encode(&decoded, Slash::Escape), encode(&decoded, Slash::Keep), encode_form(&decoded)] {
        assert_eq!(decode(&encoded).as_deref(), Ok(&*decoded));
    }
    let path = Path::parse(raw).expect("what can be decoded");
    if !raw.is_empty() {
        assert_eq!((path.raw(), path.decoded()), (raw, &*decoded));
    }
}

fn has_broken_escape(raw: &str) -> bool {
    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    let mut escapes = raw.as_bytes().split(|byte| *byte == b'%').skip(1);
    escapes.any(|rest| !is_digit(rest.first()) || !is_digit(rest.get(1)))
}
