//! Strikes out of what is logged what would let its reader act: signatures and session tokens, also where a URL was
//! mangled on its way and they stand in a path, in a name or behind another sign than `=`.

use std::borrow::Cow;

use crate::s3::uri;

/// Parameters whose values let somebody else act, or prove that they could.
const SECRET_PARAMETERS: [&str; 3] = ["x-amz-signature", "x-amz-security-token", "signature"];
/// Ends of the names that secrets stand behind, in lower case.
const MARKS: [&[u8]; 2] = [b"ignature", b"ecurity-token"];
/// How far behind its name a secret begins, at most: a `=` may have been encoded several times over.
const GAP_MAX: usize = 16;
/// Shortest secret: SHA-1 in base64 has 28 characters, the last of which may be cut off.
const SECRET_LENGTH_MIN: usize = 27;
/// A signature of V4 in hexadecimal.
const HEX_LENGTH: usize = 64;
/// What stands in the place of a secret.
const STRUCK: &str = "...";

/// A request target without secrets.
pub(super) fn target(uri: &http::Uri) -> String {
    let path = text(uri.path());
    let Some(query) = uri.query() else {
        return path.into_owned();
    };
    let mut out = String::with_capacity(path.len() + 1 + query.len());
    for (position, piece) in query.split('&').enumerate() {
        if position > 0 {
            out.push('&');
        }
        let name = piece.split_once('=').map_or(piece, |(name, _)| name);
        match uri::decode(name) {
            Ok(decoded) if SECRET_PARAMETERS.iter().any(|secret| decoded.eq_ignore_ascii_case(secret)) => {
                out.extend([name, "=", STRUCK]);
            }
            Ok(_) => out.push_str(piece),
            Err(_) => out.push_str(STRUCK),
        }
    }
    // In a query whatever looks like a signature is one, whatever its name has become.
    [&path, "?", &strike(&out, true)].concat()
}

/// Any other text without secrets.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    strike(text, false)
}

/// Strikes out what stands behind a mark and is long enough, and, if `bare`, every run of 64 hexadecimal digits.
fn strike(text: &str, bare: bool) -> Cow<'_, str> {
    let mut out = String::new();
    let (mut kept, mut from) = (0, 0);
    while let Some((start, end)) = secret(text, from, bare) {
        // What was struck out may have ended with the mark of another.
        if end > kept {
            out.push_str(text.get(kept..start).unwrap_or_default());
            out.push_str(STRUCK);
            kept = end;
        }
        from = start + 1;
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(text.get(kept..).unwrap_or_default());
    Cow::Owned(out)
}

/// Where the next secret begins and ends.
fn secret(text: &str, from: usize, bare: bool) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let marked = (from..bytes.len()).find_map(|at| {
        let rest = bytes.get(at..)?;
        let mark = MARKS.iter().find(|mark| {
            rest.first().is_some_and(|first| first | 0x20 == mark.first().copied().unwrap_or_default())
                && rest.get(..mark.len()).is_some_and(|start| start.eq_ignore_ascii_case(mark))
        })?;
        behind(bytes, at + mark.len())
    });
    let is_hex = |byte: &u8| byte.is_ascii_hexdigit();
    let bare = bare.then(|| run(bytes, from, HEX_LENGTH, is_hex)).flatten();
    match (marked, bare) {
        (Some(one), Some(two)) => Some(one.min(two)),
        (one, two) => one.or(two),
    }
}

/// The secret that begins soon behind a mark.
fn behind(bytes: &[u8], mark_end: usize) -> Option<(usize, usize)> {
    // What base64 is written with, encoded or not; what separates it from the mark may be written with them, too.
    let may_be_secret =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'%' | b'_' | b'-');
    let end = bytes.get(mark_end..)?.iter().position(|byte| matches!(byte, b'&' | b' ' | b'"' | b'<'));
    let end = end.map_or(bytes.len(), |end| mark_end + end);
    let (start, stop) = run(bytes.get(..end)?, mark_end, SECRET_LENGTH_MIN, may_be_secret)?;
    (start - mark_end <= GAP_MAX).then_some((mark_end, stop.max(padded(bytes, stop))))
}

/// The end of the `=` behind a secret.
fn padded(bytes: &[u8], mut end: usize) -> usize {
    while bytes.get(end) == Some(&b'=') {
        end += 1;
    }
    end
}

/// The first run of so many such bytes, to its end.
fn run(bytes: &[u8], from: usize, length: usize, is_one: impl Fn(&u8) -> bool) -> Option<(usize, usize)> {
    let mut start = from;
    while start + length <= bytes.len() {
        let rest = bytes.get(start..)?;
        let found = rest.iter().position(|byte| !is_one(byte)).unwrap_or(rest.len());
        if found >= length {
            return Some((start, start + found));
        }
        start += found + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "838a143af5405b214ccb2cbc9080681558ad3d1a43c992aa1028a2f543770eb9";
    const BASE64: &str = "aGVsbG8+d29ybGQvaGVsbG8xMjM0";

    #[test]
    fn secrets_are_struck_out_of_targets() {
        let of = |text: &str| target(&text.parse().expect("a target"));
        assert_eq!(
            of("/b/k?a=1&X-Amz-Signature=abc&%58-amz-security-token=t&Signature=x&b"),
            "/b/k?a=1&X-Amz-Signature=...&%58-amz-security-token=...&Signature=...&b"
        );
        assert_eq!(
            of("/b/signature-guide?prefix=signature/of/mine"),
            "/b/signature-guide?prefix=signature/of/mine"
        );
        assert_eq!(of(&format!("/b/{HEX}?a=1")), format!("/b/{HEX}?a=1"));
    }

    #[test]
    fn mangled_urls_show_no_signature() {
        let base64 = BASE64.replace('+', "%2B").replace('/', "%2F");
        let urls = [
            format!("/b/k?X-Amz-Date=1&X-Amz-Signature={HEX}"),
            format!("/b/k?AWSAccessKeyId=a&Expires=1&Signature={base64}%3D"),
            format!("/b/k?Signature={BASE64}=&x=1"),
            format!("/b/k?X-Amz-Security-Token={BASE64}{BASE64}&X-Amz-Signature={HEX}"),
        ];
        for url in &urls {
            for (from, to) in [
                ("&", "&amp;"),
                ("&", ";"),
                ("&", "%26"),
                ("?", "%3F"),
                ("=", "%3D"),
                ("=", "%253D"),
                ("&", "\\u0026"),
                ("=", "\\u003d"),
                ("X-Amz-", "x-amz-"),
                ("", ""),
            ] {
                let mangled = url.replace(from, to);
                let encoded = mangled.replace('\\', "%5C");
                let uri: http::Uri = encoded.parse().expect("a target");
                for shown in [target(&uri), text(&mangled).into_owned()] {
                    assert!(!shown.contains(HEX) && !shown.contains(BASE64), "{mangled}: {shown}");
                    assert!(!shown.contains(&base64), "{mangled}: {shown}");
                }
            }
        }
    }
}
