//! The `Range` header, as far as S3 honours it: one range of bytes.

/// A parsed `Range` header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteRange {
    /// `bytes=first-` or `bytes=first-last`, ends included.
    From(u64, Option<u64>),
    /// `bytes=-length`.
    Last(u64),
}

/// The bytes a range selects of a body: never empty, always within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Bytes before it.
    pub offset: u64,
    /// Bytes in it.
    pub length: u64,
}

impl ByteRange {
    /// Parses a header; `None` for several ranges, other units and broken syntax, which S3 ignores: the whole
    /// object is then the answer (RFC 9110 14.2).
    pub fn parse(text: &str) -> Option<Self> {
        let (unit, range) = text.trim().split_once('=')?;
        let (first, last) = range.trim().split_once('-')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        let number = |text: &str| match !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            // More than 64 bits is beyond every object.
            true => Some(text.parse().unwrap_or(u64::MAX)),
            false => None,
        };
        match (first.trim(), last.trim()) {
            ("", last) => number(last).map(Self::Last),
            (first, "") => number(first).map(|first| Self::From(first, None)),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::From(first, Some(last)))
            }
        }
    }

    /// The bytes this range selects of a body of `size` bytes; `None` if it selects none (416).
    pub fn of(self, size: u64) -> Option<Span> {
        let span = match self {
            Self::From(first, last) => {
                let end = last.map_or(size, |last| last.saturating_add(1).min(size));
                Span { offset: first, length: end.checked_sub(first)? }
            }
            Self::Last(length) => {
                let length = length.min(size);
                Span { offset: size - length, length }
            }
        };
        (span.length > 0).then_some(span)
    }
}

/// Parses `x-amz-copy-source-range`, which must be `bytes=first-last`.
pub fn parse_copy_range(text: &str) -> Option<(u64, u64)> {
    match ByteRange::parse(text)? {
        ByteRange::From(first, Some(last)) if text.starts_with("bytes=") => Some((first, last)),
        ByteRange::From(..) | ByteRange::Last(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(text: &str, size: u64) -> Option<(u64, u64)> {
        ByteRange::parse(text).and_then(|range| range.of(size)).map(|span| (span.offset, span.length))
    }

    #[test]
    fn selects() {
        assert_eq!(span("bytes=0-9", 100), Some((0, 10)));
        assert_eq!(span("bytes=90-", 100), Some((90, 10)));
        assert_eq!(span("bytes=90-1000", 100), Some((90, 10)));
        assert_eq!(span("bytes=-10", 100), Some((90, 10)));
        assert_eq!(span("bytes=-1000", 100), Some((0, 100)));
        assert_eq!(span("bytes=99-99", 100), Some((99, 1)));
        assert_eq!(span("bytes=0-18446744073709551616", 100), Some((0, 100)));
    }

    #[test]
    fn selects_nothing() {
        assert_eq!(span("bytes=100-", 100), None);
        assert_eq!(span("bytes=-0", 100), None);
        assert_eq!(span("bytes=0-", 0), None);
    }

    #[test]
    fn ignores_what_s3_ignores() {
        for text in ["bytes=0-1,3-4", "items=0-1", "bytes=", "bytes=-", "bytes=5-3", "bytes=a-b", "0-1"] {
            assert_eq!(ByteRange::parse(text), None, "{text}");
        }
    }
}
