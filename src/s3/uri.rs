//! Percent-encoding as S3 does it, and the two halves of a request target: path and query.
//!
//! A path is kept raw (V2 signs it as sent) next to its decoded form (the key, and what V4 re-encodes). A query
//! keeps its order and its duplicates.

use std::borrow::Cow;
use std::ops::Range;

/// Whether `/` is written as it is (paths) or as `%2F` (everything else).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slash {
    /// It stays a separator.
    Keep,
    /// It is escaped like other characters.
    Escape,
}

/// Why a percent-encoded text was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// A `%` that two hexadecimal digits do not follow.
    InvalidEscape,
    /// The bytes are not UTF-8, or contain NUL.
    InvalidText,
}

/// Appends `text` to `out`, every byte but `A-Z a-z 0-9 - . _ ~` (and `/`, if kept) as `%XX` in upper case.
pub fn encode_into(out: &mut String, text: &str, slash: Slash) {
    let digit = |half: u8| char::from(half + if half < 10 { b'0' } else { b'A' - 10 });
    let stands = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~')
            || (byte == b'/' && slash == Slash::Keep)
    };
    // What stands for itself is copied in runs; it ends and begins with ASCII, and so between characters.
    let mut rest = text;
    while let Some(run) = rest.bytes().position(|byte| !stands(byte)) {
        out.push_str(rest.get(..run).unwrap_or_default());
        let escaped = rest.bytes().skip(run).take_while(|byte| !stands(*byte));
        let mut length = run;
        for byte in escaped {
            out.extend(['%', digit(byte >> 4), digit(byte & 15)]);
            length += 1;
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
}

/// [`encode_into`] a new string.
pub fn encode(text: &str, slash: Slash) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    encode_into(&mut out, text, slash);
    out
}

/// Encodes as forms are, but for `/`: a blank is `+`, and `*` stands for itself. So does S3 write keys where
/// `encoding-type=url` is asked for.
pub fn encode_form(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for piece in text.split_inclusive([' ', '*', '~']) {
        let (plain, last) = match piece.char_indices().next_back() {
            Some((at, last @ (' ' | '*' | '~'))) => (piece.get(..at).unwrap_or_default(), Some(last)),
            _ => (piece, None),
        };
        encode_into(&mut out, plain, Slash::Keep);
        match last {
            Some(' ') => out.push('+'),
            Some('*') => out.push('*'),
            Some(_) => out.push_str("%7E"),
            None => {}
        }
    }
    out
}

/// Decodes percent escapes and `+`, which S3 reads as a space in paths and queries alike.
///
/// # Errors
/// [`DecodeError`] for a broken escape, and for a result that is not UTF-8 or contains NUL.
pub fn decode(raw: &str) -> Result<Cow<'_, str>, DecodeError> {
    if !raw.bytes().any(|byte| matches!(byte, b'%' | b'+' | 0)) {
        return Ok(Cow::Borrowed(raw));
    }
    let mut out = Vec::with_capacity(raw.len());
    decode_into(&mut out, raw.as_bytes())?;
    String::from_utf8(out).map(Cow::Owned).ok().ok_or(DecodeError::InvalidText)
}

/// Whether an escape stood for anything but ASCII: only then the result may be no UTF-8.
fn decode_into(out: &mut Vec<u8>, mut raw: &[u8]) -> Result<bool, DecodeError> {
    let mut beyond_ascii = false;
    // Most of a text stands for itself, and is copied in runs.
    while let Some(run) = raw.iter().position(|byte| matches!(byte, b'%' | b'+' | 0)) {
        let (plain, special) = raw.split_at(run);
        out.extend_from_slice(plain);
        let (decoded, rest) = match special {
            [b'%', high, low, rest @ ..] => match (hex_digit(*high), hex_digit(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, rest),
                _ => return Err(DecodeError::InvalidEscape),
            },
            [b'+', rest @ ..] => (b' ', rest),
            [b'%', ..] => return Err(DecodeError::InvalidEscape),
            _ => return Err(DecodeError::InvalidText),
        };
        if decoded == 0 {
            return Err(DecodeError::InvalidText);
        }
        beyond_ascii |= !decoded.is_ascii();
        out.push(decoded);
        raw = rest;
    }
    out.extend_from_slice(raw);
    Ok(beyond_ascii)
}

pub(super) fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// The path of a request: as sent, and decoded. Begins with `/`; nothing is normalised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    raw: String,
    decoded: String,
}

impl Path {
    /// Parses the path of a request target; an empty one is `/`.
    ///
    /// # Errors
    /// As [`decode`].
    pub fn parse(raw: &str) -> Result<Self, DecodeError> {
        let raw = if raw.is_empty() { "/" } else { raw };
        let decoded = decode(raw)?.into_owned();
        Ok(Self { raw: raw.to_owned(), decoded })
    }

    /// The path as it was sent.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// The path with its escapes decoded.
    pub fn decoded(&self) -> &str {
        &self.decoded
    }
}

/// The query of a request: decoded names and values in the order sent, duplicates kept.
///
/// Empty pieces are dropped; a piece without `=` has an empty value; names are case-sensitive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// All names and values one after the other, so that a query costs two allocations.
    text: String,
    /// End of the name and end of the value, for each parameter.
    ends: Vec<(usize, usize)>,
}

impl Query {
    /// Parses what follows the `?`.
    ///
    /// # Errors
    /// As [`decode`].
    pub fn parse(raw: &str) -> Result<Self, DecodeError> {
        let mut text = Vec::with_capacity(raw.len());
        // A presigned URL has six.
        let mut ends = Vec::with_capacity(if raw.is_empty() { 0 } else { 8 });
        for piece in raw.as_bytes().split(|byte| *byte == b'&').filter(|piece| !piece.is_empty()) {
            let mut halves = piece.splitn(2, |byte| *byte == b'=');
            let odd_name = decode_into(&mut text, halves.next().unwrap_or_default())?;
            let name_end = text.len();
            let odd_value = decode_into(&mut text, halves.next().unwrap_or_default())?;
            // Each half must be text of its own: a character may not span the `=`.
            let start = ends.last().map_or(0, |&(_, end)| end);
            for half in [text.get(start..name_end), text.get(name_end..)] {
                if odd_name || odd_value {
                    half.and_then(|half| std::str::from_utf8(half).ok()).ok_or(DecodeError::InvalidText)?;
                }
            }
            ends.push((name_end, text.len()));
        }
        Ok(Self { text: String::from_utf8(text).ok().ok_or(DecodeError::InvalidText)?, ends })
    }

    /// Every parameter in the order sent.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut start = 0;
        self.ends.iter().map(move |&(name_end, end)| {
            let name = self.text.get(start..name_end).unwrap_or_default();
            let value = self.text.get(name_end..end).unwrap_or_default();
            start = end;
            (name, value)
        })
    }

    /// The first value of `name`, its case respected.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.find(name.len(), |found| found == name.as_bytes())
    }

    /// The first value of `name` in any case.
    pub fn value_any_case(&self, name: &str) -> Option<&str> {
        self.find(name.len(), |found| found.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// The first value of a name of this length that is wanted.
    fn find(&self, length: usize, is_wanted: impl Fn(&[u8]) -> bool) -> Option<&str> {
        let (_, value) = self.spans(length).find(|(name, _)| is_wanted(name))?;
        self.text.get(value)
    }

    /// How often `name` stands in the query.
    pub fn count(&self, name: &str) -> usize {
        self.spans(name.len()).filter(|(found, _)| *found == name.as_bytes()).count()
    }

    /// Whether `name` is present, with or without a value.
    pub fn contains(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// The names of this length, and where their values are. A request is asked for dozens of names that it does
    /// not have: no name is looked at whose length is another.
    fn spans(&self, length: usize) -> impl Iterator<Item = (&[u8], Range<usize>)> {
        let mut start = 0;
        self.ends.iter().filter_map(move |&(name_end, end)| {
            let name = std::mem::replace(&mut start, end)..name_end;
            if name.len() != length {
                return None;
            }
            Some((self.text.as_bytes().get(name)?, name_end..end))
        })
    }

    /// How many parameters there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no parameter at all.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodes_all_but_unreserved() {
        assert_eq!(encode("a b/c+d~\u{e9}.txt", Slash::Keep), "a%20b/c%2Bd~%C3%A9.txt");
        assert_eq!(encode("a/b", Slash::Escape), "a%2Fb");
        assert_eq!(encode_form("a b/*~+(\u{e9}) "), "a+b/*%7E%2B%28%C3%A9%29+");
    }

    #[test]
    fn decodes_and_refuses() {
        assert_eq!(decode("a%20b+c%2B").as_deref(), Ok("a b c+"));
        assert_eq!(decode("%2f%7E").as_deref(), Ok("/~"));
        for raw in ["%", "%4", "%ZZ", "%&%"] {
            assert_eq!(decode(raw), Err(DecodeError::InvalidEscape), "{raw}");
        }
        for raw in ["%FF", "%00", "a%C3"] {
            assert_eq!(decode(raw), Err(DecodeError::InvalidText), "{raw}");
        }
    }

    #[test]
    fn queries_keep_order_and_duplicates() {
        let query = Query::parse("x=b&x=a&&x=&y&z=1=2&p=a%20b%2F").expect("valid");
        let all: Vec<_> = query.iter().collect();
        assert_eq!(all, [("x", "b"), ("x", "a"), ("x", ""), ("y", ""), ("z", "1=2"), ("p", "a b/")]);
        assert_eq!(query.value("x"), Some("b"));
        assert_eq!(query.count("x"), 3);
        assert!(query.contains("y") && !query.contains("Y"));
        assert_eq!(Query::parse("%C3=%A9"), Err(DecodeError::InvalidText));
    }
}
