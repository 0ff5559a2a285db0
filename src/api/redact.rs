//! Strikes out of what is logged what would let its reader act: signatures and session tokens, also where a URL was
//! mangled on its way and they stand in a path, in a name or after another sign than `=`.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter, memchr2_iter, memchr3};

use crate::s3::uri;

/// Parameters whose values let someone else act, or prove that they could.
const SECRET_PARAMETERS: [&str; 3] = ["x-amz-signature", "x-amz-security-token", "signature"];
/// End of the word "secret", which is in the name of a parameter that was given a secret key by mistake. It starts with
/// the byte that is searched for.
const SECRET_NAME: &[u8] = b"cret";
/// Parameters that name an access key. Where the two were mixed up, it is the secret one.
const KEY_PARAMETERS: [&str; 2] = ["x-amz-credential", "awsaccesskeyid"];
/// Longest access key that is shown before it is known to be one; secret keys have 40 characters.
const ACCESS_KEY_LENGTH_MAX: usize = 32;
/// Ends of the names that secrets stand after, in lower case; where the rarest byte of each stands, and which it is.
const MARKS: [(&[u8], usize, u8); 2] = [(b"ignature", 1, b'g'), (b"token", 2, b'k')];
/// What stands soon before `token`, with a `-` between that may have been encoded several times over.
const TOKEN_KINDS: [&[u8]; 2] = [b"curity", b"ession"];
const TOKEN_GAP_MAX: usize = 8;
/// How far after its name a secret begins, at most: a `=` may have been encoded several times over.
const GAP_MAX: usize = 16;
/// Shortest secret: SHA-1 in base64 has 28 characters, the last of which may be cut off.
const SECRET_LENGTH_MIN: usize = 27;
/// A signature of V4 in hexadecimal.
const HEX_LENGTH: usize = 64;
/// Longest run of base64 that is looked for before its padding.
const BASE64_LENGTH_MAX: usize = 128;
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
        None => strike(seen, has_query(seen)),
        Some((path, query)) => {
            let mut out = String::with_capacity(seen.len());
            out.extend([&*strike(path, has_query(path)), "?"]);
            add_query(&mut out, query);
            Cow::Owned(out)
        }
    })
}

/// Any other text without secrets.
pub(super) fn text(text: &str) -> String {
    shown(text, |seen| strike(seen, has_query(seen)))
}

/// A text in which nothing that looks like a signature can be meant as anything else.
pub(super) fn suspect(text: &str) -> String {
    shown(text, |seen| strike(seen, true))
}

/// A claimed access key, up to the first byte that no access key has: a mangled one may be followed by other values.
pub(super) fn access_key(claimed: &str) -> String {
    let is_of_key = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let end = claimed.bytes().take(ACCESS_KEY_LENGTH_MAX + 1).take_while(is_of_key).count();
    match claimed.get(..end) {
        Some(key) if end <= ACCESS_KEY_LENGTH_MAX => strike(key, true).into_owned(),
        _ => STRUCK.to_owned(),
    }
}

/// Whether something in it may be a query or a header that was mangled. A key alone is often called by a digest.
fn has_query(text: &str) -> bool {
    let bytes = text.as_bytes();
    if bytes.len() < SECRET_LENGTH_MIN {
        return false;
    }
    memchr3(b'=', b'&', b'?', bytes).is_some()
        || memchr_iter(b'W', bytes).any(|at| bytes.get(at.wrapping_sub(1)..at + 2) == Some(b"AWS"))
        || memchr_iter(b'%', bytes).any(|at| {
            matches!(bytes.get(at + 1..at + 3), Some([b'3', b'd' | b'D' | b'f' | b'F'] | [b'2', b'5' | b'6']))
        })
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

/// Appends a query without secrets. In one, whatever looks like a signature is one, whatever its name has become.
fn add_query(out: &mut String, query: &str) {
    let start = out.len();
    let mut is_struck = false;
    let names_secrets = names_secret(query);
    let mut part_start = 0;
    let ends = memchr_iter(b'&', query.as_bytes()).chain([query.len()]);
    for (position, part_end) in ends.enumerate() {
        let part = query.get(std::mem::replace(&mut part_start, part_end + 1)..part_end).unwrap_or_default();
        // A character of a secret may have become an entity.
        if is_struck && entity(part.as_bytes()).is_some() {
            continue;
        }
        if position > 0 {
            out.push('&');
        }
        let equals = memchr(b'=', part.as_bytes()).unwrap_or(part.len());
        let name = part.get(..equals).unwrap_or_default();
        let value = part.get(equals + 1..).unwrap_or_default();
        let decoded = uri::decode(name);
        is_struck = decoded
            .as_ref()
            .is_ok_and(|decoded| is_secret(decoded, value) || (names_secrets && names_secret(decoded)));
        match decoded {
            Ok(_) if is_struck => out.extend([name, "=", STRUCK]),
            Ok(_) => out.push_str(part),
            Err(_) => out.push_str(STRUCK),
        }
    }
    if let Some(Cow::Owned(struck)) = out.get(start..).map(|added| strike(added, true)) {
        out.replace_range(start.., &struck);
    }
}

/// Whether a parameter says by its name that its value is to be struck out.
fn is_secret(name: &str, value: &str) -> bool {
    let is_one_of = |names: &[&str]| names.iter().any(|other| name.eq_ignore_ascii_case(other));
    let is_long = || value.split(['/', '%']).next().is_some_and(|key| key.len() > ACCESS_KEY_LENGTH_MAX);
    is_one_of(&SECRET_PARAMETERS)
        || (value.len() > ACCESS_KEY_LENGTH_MAX && is_one_of(&KEY_PARAMETERS) && is_long())
}

fn names_secret(text: &str) -> bool {
    let word = |at: usize| text.as_bytes().get(at..at + SECRET_NAME.len());
    memchr2_iter(b'c', b'C', text.as_bytes())
        .any(|at| word(at).is_some_and(|word| word.eq_ignore_ascii_case(SECRET_NAME)))
}

/// Strikes out each long enough value after a mark, and, if `bare`, also what looks like a signature without one: a run of
/// 64 hexadecimal digits or more, or of 27 characters of base64 or more with padding after it.
fn strike(text: &str, bare: bool) -> Cow<'_, str> {
    let secrets = match text.len() {
        0..SECRET_LENGTH_MIN => Vec::new(),
        _ => secrets(text.as_bytes(), bare),
    };
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

/// Where secrets begin and end: what follows marks, and, if `bare`, runs of as many hexadecimal digits as a
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
            if mark == b"token" && !is_kind_before(bytes, start) {
                continue;
            }
            if let Some((start, end)) = behind(bytes, start + mark.len()) {
                found.push((start, end));
                // Whatever stands after a mark farther from the end, ends there, too.
                from = end.saturating_sub(mark.len() + GAP_MAX);
            }
        }
    }
    if bare {
        digits(bytes, &mut found);
        padded(bytes, &mut found);
    }
    found.sort_unstable();
    found
}

/// Whether what stands before a `token` makes a secret of it.
fn is_kind_before(bytes: &[u8], token: usize) -> bool {
    let before = bytes.get(token.saturating_sub(TOKEN_GAP_MAX + 6)..token).unwrap_or_default();
    TOKEN_KINDS.iter().any(|kind| before.windows(kind.len()).any(|word| word.eq_ignore_ascii_case(kind)))
}

/// Runs of base64 with the padding that a signature of V2 has, encoded or not.
fn padded(bytes: &[u8], found: &mut Vec<(usize, usize)>) {
    for at in memchr2_iter(b'=', b'%', bytes) {
        let padding = match bytes.get(at..).unwrap_or_default() {
            [b'=', ..] => 1,
            [b'%', b'3', b'D' | b'd', ..] => 3,
            [b'%', b'2', b'5', b'3', b'D' | b'd', ..] => 5,
            _ => continue,
        };
        let end = at + padding;
        // Else it separates a name from its value.
        let behind = bytes.get(end);
        if behind
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'.'))
        {
            continue;
        }
        let before = bytes.get(at.saturating_sub(BASE64_LENGTH_MAX)..at).unwrap_or_default();
        let is_base64 =
            |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'%' | b' ');
        let length = before.iter().rev().take_while(is_base64).count();
        if length >= SECRET_LENGTH_MIN {
            found.push((at - length, end));
        }
    }
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

/// The secret that begins soon after a mark.
fn behind(bytes: &[u8], mark_end: usize) -> Option<(usize, usize)> {
    let (mut start, mut at, mut length) = (mark_end, mark_end, 0);
    while length < SECRET_LENGTH_MIN {
        let byte = *bytes.get(at)?;
        match piece(bytes, at) {
            Some(bytes) => (at, length) = (at + bytes, length + 1),
            None if matches!(byte, b'&' | b'<') => return None,
            None => {
                at += 1;
                (start, length) = (at, 0);
            }
        }
        if start - mark_end > GAP_MAX {
            return None;
        }
    }
    while let Some(bytes) = piece(bytes, at) {
        at += bytes;
    }
    let padding = bytes.get(at..)?.iter().take_while(|byte| **byte == b'=').count();
    Some((mark_end, at + padding))
}

/// Bytes of what may be one character of a secret: what base64 is written with, encoded or not, or with its `+` read as a
/// blank; an entity of HTML; a place where a long line was broken. What separates a secret from its mark may be written
/// with them, too.
fn piece(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    match rest.first()? {
        b'+' | b' ' | b'/' | b'%' | b'_' | b'-' | b'\r' | b'\n' => Some(1),
        byte if byte.is_ascii_alphanumeric() => Some(1),
        b'=' => [&b"=%0D"[..], b"=%0d", b"=%0A", b"=%0a", b"=\r", b"=\n"]
            .into_iter()
            .find(|broken| rest.starts_with(broken))
            .map(<[u8]>::len),
        b'&' => entity(rest.get(1..)?).map(|bytes| bytes + 1),
        _ => None,
    }
}

/// Bytes of the name of an entity, with its `;`.
fn entity(bytes: &[u8]) -> Option<usize> {
    let of_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'#' | b'%');
    let length = bytes.iter().take(10).position(|byte| !of_name(byte))?;
    (length > 0 && bytes.get(length) == Some(&b';')).then_some(length + 1)
}

#[cfg(test)]
#[expect(clippy::string_slice, reason = "the secrets of tests are ASCII")]
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
                ("=", "&equals;"),
                ("=", "&#61;"),
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
    fn what_looks_like_a_secret_is_struck_out() {
        let v2 = BASE64.replace('+', "%2B").replace('/', "%2F");
        let broken = HEX.replacen("5405b", "5405b=%0D%0A", 1);
        let entities = BASE64.replace('+', "&plus;").replace('/', "&sol;");
        for path in [
            format!("/b/k?Authorization=AWS%20AK:{BASE64}="),
            format!("/b/AWS%20AK:{v2}%3D"),
            format!("/b/k?Authorization=AWS%20{v2}%3d"),
            format!("/b/k%3Fa=1&X-Amz-S%69%67nature={HEX}"),
            format!("/b/k?S%2569%2567nature={v2}%3D&a=1"),
            format!("/b/k?Sign=a&{v2}%3D"),
            format!("/b/k?Sig={v2}%253D&a"),
            format!("/b/k;X-Amz-Signature={broken}"),
            format!("/b/k?Signa%0D%0Ature={v2}%3D"),
            format!("/b/k?Signature={entities}"),
            format!("/b/k&amp;Signature={}", BASE64.replace('+', "&%23x2B;").replace('/', "&%23x2F;")),
            format!("/b/AWS4-HMAC-SHA256%20{HEX}"),
            format!("/b/k&X-Amz-S3session-Token={HEX}{HEX}"),
            format!("/b/k;X-Amz-S%65curity-Token={BASE64}{BASE64}"),
            format!("/b/k?sessionToken:{BASE64}{BASE64}"),
            format!("/b/k?AWSSecretKey={BASE64}"),
            format!("/b/k?X-Amz-Credential={BASE64}{BASE64}%2F20260101"),
            format!("/b/k?AWSAccessKeyId=AK-X-Amz-Signature-{HEX}"),
        ] {
            let shown = target(&path.parse().expect("a target"));
            for secret in [&HEX[10..30], &BASE64[..9], &BASE64[12..20]] {
                assert!(!shown.contains(secret), "{path}: {shown}");
            }
        }
        assert_eq!(access_key("AKIDEXAMPLE/20260101"), "AKIDEXAMPLE");
        for key in [format!("AK-Signature-{HEX}"), format!("AK.{BASE64}"), BASE64.repeat(2)] {
            let shown = access_key(&key);
            assert!(!shown.contains(&HEX[..9]) && !shown.contains(&BASE64[..9]), "{shown}");
        }
        for path in [
            "/b/k?response-content-disposition=attachment%3B%20filename%3D%22a%22&uploadId=abc&prefix=a/b/c=",
            "/b/k?continuation-token=Y2FmZQ&X-Amz-Credential=AKIDEXAMPLE%2F20260101%2Fus-east-1%2Fs3%2Faws4_request",
        ] {
            assert_eq!(target(&path.parse().expect("a target")), path);
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
