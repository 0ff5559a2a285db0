//! What a holder of a signed request may try: changes of single bytes, and pieces moved to where they are read otherwise.

use super::head::{Head, cut};

const METHODS: [&[u8]; 6] = [b"GET", b"HEAD", b"PUT", b"POST", b"DELETE", b"OPTIONS"];

/// What S3 reads, to be added.
const PIECES: [&[u8]; 10] = [
    b"X-Amz-Acl=public-read",
    b"X-Amz-Copy-Source=%2Fbucket%2Fother",
    b"acl",
    b"partNumber=2",
    b"prefix=other",
    b"response-content-type=text%2Fhtml",
    b"tagging",
    b"uploadId=other",
    b"versionId=other",
    b"x-amz-copy-source=%2Fbucket%2Fother",
];
const LINES: [&[u8]; 8] = [
    b"content-md5: 1B2M2Y8AsgTpgAmY7PhCfg==",
    b"content-type: text/html",
    b"host: other.localhost",
    b"x-amz-acl: public-read",
    b"x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    b"x-amz-copy-source: /bucket/other",
    b"x-amz-meta-a: other",
    b"x-amz-security-token: other",
];

/// Makes one change to a head: which, where, and to what.
pub fn apply(head: Head, [kind, high, low, value]: [u8; 4]) -> Option<Head> {
    let at = usize::from(u16::from_be_bytes([high, low]));
    match kind % 22 {
        kind @ 0..=5 => change_byte(&head, kind, at, value),
        kind @ 6..=12 => change_piece(head, kind, at, value),
        kind @ 13..=18 => change_line(head, kind, at, value),
        kind => change_head(head, kind, value),
    }
}

fn change_byte(head: &Head, kind: u8, at: usize, value: u8) -> Option<Head> {
    let mut text = head.bytes();
    let at = at.checked_rem(text.len())?;
    let byte = *text.get(at)?;
    match kind {
        0 => *text.get_mut(at)? = value,
        1 => text.insert(at, value),
        2 => drop(text.remove(at)),
        3 => drop(text.splice(at..=at, escaped(&[byte]))),
        4 => {
            let digits = std::str::from_utf8(text.get(at + 1..at + 3)?).ok()?;
            let decoded = u8::from_str_radix(digits, 16).ok().filter(|_| byte == b'%')?;
            text.splice(at..at + 3, [decoded]);
        }
        _ if byte.is_ascii_alphabetic() => *text.get_mut(at)? ^= 0x20,
        _ => return None,
    }
    Head::parse(&text)
}

fn change_piece(mut head: Head, kind: u8, at: usize, value: u8) -> Option<Head> {
    let pieces = &mut head.pieces;
    let at = at.checked_rem(pieces.len())?;
    let other = usize::from(value) % pieces.len();
    match kind {
        6 => pieces.push(pieces.get(at)?.clone()),
        7 => pieces.swap(at, other),
        8 => drop(pieces.remove(at)),
        // A parameter becomes a header.
        9 => {
            let piece = pieces.remove(at);
            let (name, text) = cut(&piece, b'=').unwrap_or((&piece, b""));
            let line = [&decoded(name)[..], b": ", &decoded(text)[..]].concat();
            head.lines.push(line);
        }
        // One parameter swallows the next.
        10 if at + 1 < pieces.len() => {
            let swallowed = escaped(&pieces.remove(at + 1));
            pieces.get_mut(at)?.extend([&b"%26"[..], &swallowed[..]].concat());
        }
        // And gives it back, or what else was escaped.
        11 => {
            let piece = pieces.remove(at);
            let text = decoded(&piece);
            for (position, part) in text.split(|byte| *byte == b'&').enumerate() {
                pieces.insert(at + position, part.to_vec());
            }
        }
        // A list becomes two parameters.
        12 => {
            let piece = pieces.remove(at);
            let (name, text) = cut(&piece, b'=')?;
            let text = decoded(text);
            let (first, rest) = cut(&text, b',')?;
            for (position, part) in [first, rest].into_iter().enumerate() {
                pieces.insert(at + position, [name, b"=", &escaped(part)[..]].concat());
            }
        }
        _ => return None,
    }
    Some(head)
}

fn change_line(mut head: Head, kind: u8, at: usize, value: u8) -> Option<Head> {
    let lines = &mut head.lines;
    let at = at.checked_rem(lines.len())?;
    let other = usize::from(value) % lines.len();
    match kind {
        // A header becomes a parameter.
        13 => {
            let line = lines.remove(at);
            let (name, text) = cut(&line, b':')?;
            head.pieces.push([name, b"=", &escaped(text.trim_ascii())[..]].concat());
        }
        // A list becomes two lines, or two lines a list.
        14 => {
            let line = lines.remove(at);
            let (name, text) = cut(&line, b':')?;
            let (first, rest) = cut(text, b',')?;
            for (position, part) in [first, rest].into_iter().enumerate() {
                lines.insert(at + position, [name, b":", part].concat());
            }
        }
        15 if at + 1 < lines.len() => {
            let next = lines.remove(at + 1);
            let (_, text) = cut(&next, b':')?;
            lines.get_mut(at)?.extend([b",", text].concat());
        }
        16 => lines.swap(at, other),
        17 => lines.push(lines.get(at)?.clone()),
        18 => drop(lines.remove(at)),
        _ => return None,
    }
    Some(head)
}

fn change_head(mut head: Head, kind: u8, value: u8) -> Option<Head> {
    let choose = |from: &[&[u8]]| from.get(usize::from(value) % from.len()).map(|bytes| bytes.to_vec());
    match kind {
        19 => head.method = choose(&METHODS)?,
        20 => head.pieces.insert(0, choose(&PIECES)?),
        _ => head.lines.push(choose(&LINES)?),
    }
    Some(head)
}

fn escaped(bytes: &[u8]) -> Vec<u8> {
    percent_encoding::percent_encode(bytes, percent_encoding::NON_ALPHANUMERIC).to_string().into_bytes()
}

fn decoded(bytes: &[u8]) -> Vec<u8> {
    percent_encoding::percent_decode(bytes).collect()
}
