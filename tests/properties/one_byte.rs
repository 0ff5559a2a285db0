//! Any one byte of a signed head that is changed ends its signature, unless the request is the same as S3 reads it.

use std::collections::BTreeSet;

use presigned::auth::Mechanism;

use crate::fuzz::head::{Head, cut};
use crate::fuzz::reading::difference;
use crate::fuzz::signing::{Scheme, examined};
use crate::random::Random;
use crate::signed::{Signed, v2, v4};

/// What has a meaning in a head.
const SIGNS: &[u8] = b"%&+/=?;:,. \t\n\"-_~#@0aA\x01\x7f\x80\xff";

/// A way to write the same request: two heads are the same in this way if the function makes them equal.
struct Way {
    reason: &'static str,
    normal: fn(&Signed, Head) -> Head,
}

const WAYS: [Way; 7] = [
    Way { reason: "the digits of an escape have no case (RFC 3986 2.1)", normal: unescaped },
    Way {
        reason: "names of headers have no case (RFC 9110 5.1), nor have those of parameters that stand for one",
        normal: in_lower_case,
    },
    Way {
        reason: "blanks around a value are none of it; V4 signs a run of blanks as one, V2 a tab in the date",
        normal: folded,
    },
    Way {
        reason: "what V4 does not list, and V2 has no line for, may be anything",
        normal: without_unsigned_headers,
    },
    Way { reason: "V2 signs the parameters that S3 names alone", normal: without_unsigned_parameters },
    Way {
        reason: "hosts have no case; a client may send another than it signs",
        normal: with_host_in_lower_case,
    },
    Way { reason: "the list of signed headers is read without case and blanks", normal: with_plain_list },
];

fn unescaped(signed: &Signed, mut head: Head) -> Head {
    let decoded = |bytes: &[u8]| percent_encoding::percent_decode(bytes).collect::<Vec<u8>>();
    // V2 signs the path as it was sent.
    if matches!(signed.scheme, Scheme::V4Header | Scheme::V4Query) {
        head.path = decoded(&head.path);
    }
    head.pieces = head.pieces.iter().map(|piece| decoded(piece)).collect();
    head
}

/// Changes name and value of every header.
fn each_header(mut head: Head, change: impl Fn(&str, &[u8]) -> Option<Vec<u8>>) -> Head {
    let lines = head.lines.iter().filter_map(|line| {
        let (name, value) = cut(line, b':')?;
        change(std::str::from_utf8(name).ok()?, value)
    });
    head.lines = lines.collect();
    head
}

fn in_lower_case(_: &Signed, mut head: Head) -> Head {
    for piece in &mut head.pieces {
        if let Some((name, value)) = cut(piece, b'=')
            && name.to_ascii_lowercase().starts_with(b"x-amz-")
        {
            *piece = [&name.to_ascii_lowercase()[..], b"=", value].concat();
        }
    }
    each_header(head, |name, value| Some([name.to_ascii_lowercase().as_bytes(), b":", value].concat()))
}

fn folded(signed: &Signed, head: Head) -> Head {
    let is_v4 = matches!(signed.scheme, Scheme::V4Header | Scheme::V4Query);
    each_header(head, |name, value| {
        let words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let is_folded = is_v4 || name.eq_ignore_ascii_case("date");
        let value =
            if is_folded { words.collect::<Vec<_>>().join(&b' ') } else { value.trim_ascii().to_vec() };
        Some([name.as_bytes(), b":", &value].concat())
    })
}

fn without_unsigned_headers(signed: &Signed, head: Head) -> Head {
    let is_signed = |name: &str| match signed.scheme {
        Scheme::V4Header | Scheme::V4Query => signed.covered.iter().any(|covered| covered == name),
        Scheme::V2Header | Scheme::V2Query => matches!(name, "content-md5" | "content-type" | "date"),
    };
    each_header(head, |name, value| {
        let lower = name.to_ascii_lowercase();
        let kept = is_signed(&lower) || lower.starts_with("x-amz-") || lower == "authorization";
        kept.then(|| [name.as_bytes(), b":", value].concat())
    })
}

fn without_unsigned_parameters(signed: &Signed, mut head: Head) -> Head {
    const SIGNED: [&str; 8] = [
        "AWSAccessKeyId",
        "Expires",
        "Signature",
        "partNumber",
        "response-content-type",
        "uploadId",
        "uploads",
        "versionId",
    ];
    let is_signed = |piece: &Vec<u8>| {
        let name = cut(piece, b'=').map_or(&piece[..], |(name, _)| name);
        SIGNED.iter().any(|signed| signed.as_bytes() == name) || name.starts_with(b"x-amz-")
    };
    if matches!(signed.scheme, Scheme::V2Header | Scheme::V2Query) {
        head.pieces.retain(is_signed);
    }
    head
}

fn with_host_in_lower_case(_: &Signed, head: Head) -> Head {
    each_header(head, |name, value| {
        let value =
            if name.eq_ignore_ascii_case("host") { value.to_ascii_lowercase() } else { value.to_vec() };
        Some([name.as_bytes(), b":", &value].concat())
    })
}

fn with_plain_list(_: &Signed, head: Head) -> Head {
    each_header(head, |name, value| {
        let list = String::from_utf8_lossy(value).into_owned();
        let parts = list.split(',').map(str::trim).map(|part| match part.starts_with("SignedHeaders=") {
            true => format!("SignedHeaders={}", part["SignedHeaders=".len()..].to_ascii_lowercase()),
            false => part.to_owned(),
        });
        let is_list = name.eq_ignore_ascii_case("authorization");
        let value = if is_list { parts.collect::<Vec<_>>().join(",").into_bytes() } else { value.to_vec() };
        Some([name.as_bytes(), b":", &value].concat())
    })
}

/// Changes each byte to several others; gives the ways in which what still verified is the same.
fn check(signed: &Signed, ways: &mut BTreeSet<&'static str>) {
    let text = signed.head.bytes();
    let original = examined(&signed.head).expect("a request").verdict;
    let original = original.unwrap_or_else(|refused| panic!("{}: {:?}", text.escape_ascii(), refused.error));
    assert_ne!(original.mechanism(), Mechanism::Anonymous);
    let mut random = Random::new(u64::try_from(text.len()).expect("a length"));
    for at in 0..text.len() {
        let byte = text[at];
        let third = if byte == b' ' { b'\t' } else { *random.choose(SIGNS) };
        for other in [byte ^ 0x20, byte ^ 1, third, *random.choose(SIGNS)] {
            let mut changed = text.clone();
            changed[at] = other;
            let Some(head) = Head::parse(&changed).filter(|_| other != byte) else { continue };
            let Some(Ok(verified)) = examined(&head).map(|examination| examination.verdict) else { continue };
            if verified.mechanism() == Mechanism::Anonymous {
                continue;
            }
            let shown = changed.escape_ascii();
            assert_eq!(difference(&original, &verified), None, "{shown}");
            let normal = |way: &Way, head: &Head| (way.normal)(signed, head.clone());
            let way = WAYS.iter().find(|way| normal(way, &head) == normal(way, &signed.head));
            ways.insert(way.unwrap_or_else(|| panic!("byte {at} counts for nothing: {shown}")).reason);
        }
    }
}

fn check_all(signed: &[Signed], expected: &[usize]) {
    let mut ways = BTreeSet::new();
    for signed in signed {
        check(signed, &mut ways);
    }
    // A way that nothing goes is no excuse.
    assert_eq!(ways, expected.iter().map(|way| WAYS[*way].reason).collect());
}

#[test]
fn of_v4_urls() {
    let heads = [
        "GET /bucket/a%20b/c~%C3%A9?response-content-disposition=attachment%3B%20filename%3D%22a%22&versionId=1\nhost: localhost:9000\n-range: bytes=0-1",
        "PUT /bucket/key?partNumber=1&uploadId=u\nhost: localhost\ncontent-type: text/plain; charset=utf-8",
        "PUT /bucket/copy?x-amz-meta-a=one\nhost: localhost\nx-amz-copy-source: /bucket/a b\nx-amz-metadata-directive: REPLACE",
        "DELETE /a/b\nhost: bucket.s3.example.org",
        "GET /bucket?list-type=2&prefix=a%2C%26&delimiter=%2F&max-keys=10\nhost: localhost",
    ];
    check_all(&heads.map(|head| v4(Scheme::V4Query, head)), &[0, 1, 2, 3, 5]);
}

#[test]
fn of_v4_headers() {
    let heads = [
        "PUT /bucket/%C3%A9?tagging\nhost: localhost\nx-amz-meta-a: one two\ncontent-type: text/plain\n-user-agent: tests",
        "DELETE /bucket/key?versionId=1\nhost: localhost:9000\nx-amz-mfa: 1",
        "POST /bucket?delete\nhost: localhost\ncontent-md5: 1B2M2Y8AsgTpgAmY7PhCfg==",
        "GET /key\nhost: bucket.localhost\nrange: bytes=0-1",
    ];
    check_all(&heads.map(|head| v4(Scheme::V4Header, head)), &[0, 1, 2, 3, 5, 6]);
}

#[test]
fn of_v2_urls() {
    let signed = [
        (
            "GET /bucket/a%20b?versionId=1&response-content-type=text%2Fplain&x-id=GetObject\nhost: localhost\n-range: bytes=0-1",
            "GET\n\n\n{}\n/bucket/a%20b?response-content-type=text/plain&versionId=1",
        ),
        (
            "PUT /bucket/key?partNumber=1&uploadId=u\nhost: localhost\ncontent-type: text/plain\ncontent-md5: 1B2M2Y8AsgTpgAmY7PhCfg==",
            "PUT\n1B2M2Y8AsgTpgAmY7PhCfg==\ntext/plain\n{}\n/bucket/key?partNumber=1&uploadId=u",
        ),
        (
            "PUT /copy?x-amz-copy-source=%2Fbucket%2Fa%2Cb\nhost: bucket.localhost\nx-amz-meta-a: one two",
            "PUT\n\n\n{}\nx-amz-copy-source:/bucket/a,b\nx-amz-meta-a:one two\n/bucket/copy",
        ),
    ];
    check_all(&signed.map(|(head, text)| v2(Scheme::V2Query, head, text)), &[0, 1, 2, 3, 4]);
}

#[test]
fn of_v2_headers() {
    let signed = [
        (
            "GET /bucket?uploads&prefix=a\nhost: localhost\ndate: Tue, 02 Jan 2024 03:04:05 GMT",
            "GET\n\n\nTue, 02 Jan 2024 03:04:05 GMT\n/bucket?uploads",
        ),
        (
            "PUT /bucket/key\nhost: localhost\ncontent-type: text/plain\nx-amz-date: Tue, 02 Jan 2024 03:04:05 GMT\nx-amz-meta-a: one, two",
            "PUT\n\ntext/plain\n\nx-amz-date:Tue, 02 Jan 2024 03:04:05 GMT\nx-amz-meta-a:one, two\n/bucket/key",
        ),
    ];
    check_all(&signed.map(|(head, text)| v2(Scheme::V2Header, head, text)), &[1, 2, 3, 4]);
}
