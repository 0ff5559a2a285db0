//! Ranges: eight bytes of size, and a `Range` header.

use presigned::s3::range::{ByteRange, parse_copy_range};

pub fn check(data: &[u8]) {
    let Some((size, text)) = data.split_first_chunk() else { return };
    let (size, Ok(text)) = (u64::from_be_bytes(*size), std::str::from_utf8(text)) else { return };
    let Some(range) = ByteRange::parse(text) else {
        assert_eq!(parse_copy_range(text), None);
        return;
    };
    // One past the last byte that is asked for, and the first; beyond 64 bits everything is as far away.
    let (first, end) = match range {
        ByteRange::From(first, last) => (first.into(), last.map_or(u128::MAX, |last| u128::from(last) + 1)),
        ByteRange::Last(length) => (u128::from(size.saturating_sub(length)), size.into()),
    };
    let end = end.min(size.into());
    match range.of(size) {
        Some(span) => {
            let (offset, length) = (u128::from(span.offset), u128::from(span.length));
            assert!(length > 0 && offset + length <= u128::from(size), "{range:?} of {size}: {span:?}");
            assert_eq!((offset, offset + length), (first, end), "{range:?} of {size}");
        }
        None => assert!(first >= end, "{range:?} of {size} selects nothing"),
    }
    if let Some((first, last)) = parse_copy_range(text) {
        assert!(first <= last, "{text:?}");
        assert_eq!(range, ByteRange::From(first, Some(last)));
    }
}
