//! Strikes out of what is logged what would let its reader act: signatures and session tokens, also where a URL was
//! mangled on its way and they stand in a path, in a name or behind another sign than `=`.

use std::borrow::Cow;

use memchr::memchr2_iter;

use crate::s3::uri;

/// Parameters whose values let somebody else act, or prove that they could.
const SECRET_PARAMETERS: [&str; 3] = ["x-amz-signature", "x-amz-security-token", "signature"];
/// Ends of the names that secrets stand behind, in lower case; where the rarest byte of each stands, and which it is.
const MARKS: [(&[u8], usize, u8); 2] = [(b"ignature", 1, b'g'), (b"ecurity", 6, b'y')];
/// What follows one of them soon, behind a `-` that may have been encoded several times over.
const TOKEN: &[u8] = b"token";
const TOKEN_GAP_MAX: usize = 8;
/// How far behind its name a secret begins, at most: a `=` may have been encoded several times over.
const GAP_MAX: usize = 16;
/// Shortest secret: SHA-1 in base64 has 28 characters, the last of which may be cut off.
const SECRET_LENGTH_MIN: usize = 27;
/// A signature of V4 in hexadecimal.
const HEX_LENGTH: usize = 64;
/// What stands in the place of a secret.
const STRUCK: &str = "...";

/// Bytes beyond what is shown that are looked at, so that a secret which the cut goes through is seen as one.
const BEHIND_CUT: usize = 256;

/// Most bytes that are shown of one value.
const SHOWN_BYTES_MAX: usize = 1024;

/// A request target without secrets.
pub(super) fn target(uri: &http::Uri) -> String {
    let full = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    shown(full, |seen| match seen.split_once('?') {
        None => strike(seen, false),
        Some((path, query)) => Cow::Owned([&strike(path, false), "?", &of_query(query)].concat()),
    })
}

/// Any other text without secrets.
pub(super) fn text(text: &str) -> String {
    shown(text, |seen| strike(seen, false))
}

/// The beginning of a text, as `strike` leaves it; what was cut says so.
fn shown(full: &str, strike: impl Fn(&str) -> Cow<'_, str>) -> String {
    let seen = full.get(..full.floor_char_boundary(SHOWN_BYTES_MAX + BEHIND_CUT)).unwrap_or(full);
    let mut shown = strike(seen).into_owned();
    // What was looked at only for its sake may hold the beginning of one.
    let behind = if seen.len() < full.len() { BEHIND_CUT } else { 0 };
    let length = shown.len().saturating_sub(behind).min(SHOWN_BYTES_MAX);
    if length < shown.len() {
        shown.truncate(shown.floor_char_boundary(length));
        shown.push_str(&format!("... (cut: {} bytes in all)", full.len()));
    }
    shown
}

fn of_query(query: &str) -> String {
    let mut out = String::with_capacity(query.len());
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
    strike(&out, true).into_owned()
}

/// Strikes out what stands behind a mark and is long enough, and, if `bare`, every run of 64 hexadecimal digits.
fn strike(text: &str, bare: bool) -> Cow<'_, str> {
    let secrets = secrets(text.as_bytes(), bare);
    if secrets.is_empty() {
        return Cow::Borrowed(text);
    }
    let (mut out, mut kept) = (String::new(), 0);
    for (start, end) in secrets {
        // What was struck out may have ended with the mark of another.
        if end > kept {
            out.push_str(text.get(kept..start).unwrap_or_default());
            out.push_str(STRUCK);
            kept = end;
        }
    }
    out.push_str(text.get(kept..).unwrap_or_default());
    Cow::Owned(out)
}

/// Where secrets begin and end: what stands behind marks, and, if `bare`, runs of as many hexadecimal digits as a
/// signature has, or more. Few bytes are looked at: this is done for every request, and there is nothing to find.
fn secrets(bytes: &[u8], bare: bool) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (mark, rarest, byte) in MARKS {
        let mut from = 0;
        for at in memchr2_iter(byte, byte.to_ascii_uppercase(), bytes) {
            let start = at.saturating_sub(rarest);
            let is_here =
                bytes.get(start..start + mark.len()).is_some_and(|it| it.eq_ignore_ascii_case(mark));
            if at < from || !is_here {
                continue;
            }
            let end = start + mark.len();
            let end = if mark == b"ecurity" { behind_token(bytes, end) } else { Some(end) };
            if let Some((start, end)) = end.and_then(|end| behind(bytes, end)) {
                found.push((start, end));
                // Whatever stands behind a mark farther from the end, ends there, too.
                from = end.saturating_sub(mark.len() + TOKEN_GAP_MAX + TOKEN.len() + GAP_MAX);
            }
        }
    }
    if bare {
        digits(bytes, &mut found);
    }
    found.sort_unstable();
    found
}

/// The end of the word that makes a mark of `security`.
fn behind_token(bytes: &[u8], from: usize) -> Option<usize> {
    let near = bytes.get(from..)?.windows(TOKEN.len()).take(TOKEN_GAP_MAX + 1);
    let at = near.into_iter().position(|word| word.eq_ignore_ascii_case(TOKEN))?;
    Some(from + at + TOKEN.len())
}

/// Runs of so many hexadecimal digits as a signature has, or more. Such a run has every byte whose position is a multiple of
/// its length, so the bytes between are looked at only where that one is a digit.
fn digits(bytes: &[u8], found: &mut Vec<(usize, usize)>) {
    let is_digit = |byte: &&u8| byte.is_ascii_hexdigit();
    let mut from = 0;
    for at in (HEX_LENGTH - 1..bytes.len()).step_by(HEX_LENGTH) {
        if at < from || !bytes.get(at).is_some_and(u8::is_ascii_hexdigit) {
            continue;
        }
        let (before, behind) = bytes.split_at(at);
        let start = at - before.iter().rev().take_while(is_digit).count();
        let end = at + behind.iter().take_while(is_digit).count();
        if end - start >= HEX_LENGTH {
            found.push((start, end));
        }
        from = end;
    }
}

/// The secret that begins soon behind a mark.
fn behind(bytes: &[u8], mark_end: usize) -> Option<(usize, usize)> {
    // What base64 is written with, encoded or not, or with its `+` read as a blank; what separates it from the mark may be written with them, too.
    let may_be_secret =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b' ' | b'/' | b'%' | b'_' | b'-');
    let mut start = mark_end;
    for (at, byte) in bytes.iter().enumerate().skip(mark_end) {
        if matches!(byte, b'&' | b'<') || start - mark_end > GAP_MAX {
            return None;
        }
        if !may_be_secret(*byte) {
            start = at + 1;
        } else if at + 1 - start == SECRET_LENGTH_MIN {
            break;
        }
    }
    let secret = bytes.get(start..)?;
    let length = secret.iter().position(|byte| !may_be_secret(*byte)).unwrap_or(secret.len());
    let padding = secret.get(length..)?.iter().take_while(|byte| **byte == b'=').count();
    (length >= SECRET_LENGTH_MIN && start - mark_end <= GAP_MAX)
        .then_some((mark_end, start + length + padding))
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
                ("-", "%2D"),
                ("-", "%252D"),
                ("=", "%3D%20"),
                ("", ""),
            ] {
                let mangled = url.replace(from, to);
                let encoded = mangled.replace('\\', "%5C");
                let uri: http::Uri = encoded.parse().expect("a target");
                for shown in [target(&uri), text(&mangled)] {
                    assert!(!shown.contains(HEX) && !shown.contains(BASE64), "{mangled}: {shown}");
                    assert!(!shown.contains(&base64), "{mangled}: {shown}");
                }
            }
        }
    }

    #[test]
    fn what_is_long_is_cut_behind_its_secrets() {
        for position in 850..1100 {
            let query =
                format!("{}?X-Amz-Date=1;X-Amz-Signature={HEX}&x={}", "k".repeat(position), "y".repeat(999));
            let uri: http::Uri = format!("/{query}").parse().expect("a target");
            let shown = target(&uri);
            assert!(!shown.contains(&HEX[..4]), "{shown}");
            let token = uri.to_string().replacen("?", &format!("?Security-Token={}&", "z".repeat(300)), 1);
            let more = target(&token.parse().expect("a target"));
            assert!(!more.contains(&HEX[..4]), "{more}");
            assert!(
                shown.len() <= 1060 && shown.ends_with(&format!("(cut: {} bytes in all)", query.len() + 1))
            );
        }
    }

    /// Each byte is looked at a few times only, whatever it is.
    #[test]
    fn long_texts_take_no_time() {
        for piece in ["a", "ignature", "ignature=", "ignatureignature?"] {
            let long = piece.repeat(2_000_000 / piece.len());
            assert!(strike(&long, true).len() <= long.len());
        }
    }
}
