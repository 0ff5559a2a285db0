//! `Content-MD5` and `x-amz-checksum-*` on uploads.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};

use crate::check::{Table, given, not_signed, refusal};
use crate::harness::unique;
use crate::sign::{Sign as _, Signer, sha256_hex};
use crate::wire::Request;

const BODY: &str = "hello world";
const RIGHT: [(&str, &str, &str); 5] = [
    ("CRC32", "x-amz-checksum-crc32", "DUoRhQ=="),
    ("CRC32C", "x-amz-checksum-crc32c", "yZRlqg=="),
    ("CRC64NVME", "x-amz-checksum-crc64nvme", "jSnVw/bqjr4="),
    ("SHA1", "x-amz-checksum-sha1", "Kq5sNclPz7QV2+lfQIuc6R7oRu0="),
    ("SHA256", "x-amz-checksum-sha256", "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek="),
];

fn put(headers: &[(&str, &str)]) -> Request {
    Request::new("PUT", &unique("digest")).headers(headers).body(BODY)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn content_md5() {
    let mut table = Table::default();
    let md5 = STANDARD.encode(Md5::digest(BODY));
    table.status("the right one", &put(&[("Content-MD5", &md5)]).sign().send(), 200);
    table.status("the right one, presigned", &put(&[("Content-MD5", &md5)]).presign().send(), 200);
    let short = STANDARD.encode([0; 15]);
    for value in ["", "junk", "====", &md5[..22], &short, &format!("{md5}AAAA"), &hex(&Md5::digest(BODY))] {
        let elements = [("Content-MD5", value)];
        let expected = refusal(400, "InvalidDigest", "The Content-MD5 you specified was invalid.", &elements);
        table.refused_write(&format!("{value:?}"), &put(&[("Content-MD5", value)]).sign(), &expected);
        table.refused_write(
            &format!("{value:?} presigned"),
            &put(&[("Content-MD5", value)]).presign(),
            &expected,
        );
    }
    let other = Md5::digest("something1");
    let (other_hex, other) = (hex(&other), STANDARD.encode(other));
    let elements = [("ExpectedDigest", other_hex.as_str()), ("CalculatedDigest", md5.as_str())];
    let message = "The Content-MD5 you specified did not match what we received.";
    let expected = refusal(400, "BadDigest", message, &elements);
    table.refused_write("another body's", &put(&[("Content-MD5", &other)]).sign(), &expected);
    table.refused_write("another body's, presigned", &put(&[("Content-MD5", &other)]).presign(), &expected);
    let unsigned = put(&[]).presign().header("Content-MD5", &md5);
    table.refused_write("not signed", &unsigned, &not_signed(&[("HeadersNotSigned", "content-md5")]));
    let document = "<Delete><Object><Key>k</Key></Object></Delete>";
    let calculated = STANDARD.encode(Md5::digest(document));
    let elements = [("ExpectedDigest", other.as_str()), ("CalculatedDigest", calculated.as_str())];
    let delete = Request::new("POST", "/bucket1?delete=").header("Content-MD5", &other).body(document).sign();
    table.refused("of a document", &delete.send(), &refusal(400, "BadDigest", message, &elements));
}

#[test]
fn checksums_that_hold() {
    let mut table = Table::default();
    for (algorithm, name, value) in RIGHT {
        for (way, request) in [
            ("header", put(&[(name, value)]).sign()),
            ("query", put(&[(name, value)]).presign()),
            ("with its name", put(&[(name, value), ("x-amz-sdk-checksum-algorithm", algorithm)]).sign()),
        ] {
            let stored = request.send();
            table.status(&format!("{name} {way}"), &stored, 200);
            table.check(&format!("{name} {way}: echoed"), stored.header(name) == Some(value));
            let kind = stored.header("x-amz-checksum-type");
            table.check(&format!("{name} {way}: type {kind:?}"), kind == Some("FULL_OBJECT"));
            let path = request.target.split('?').next().expect("a path");
            let head = Request::new("HEAD", path).header("x-amz-checksum-mode", "enabled").sign().send();
            table.check(&format!("{name} {way}: shown"), head.header(name) == Some(value));
            let part = Request::new("GET", path)
                .header("x-amz-checksum-mode", "ENABLED")
                .header("Range", "bytes=0-1");
            let part = part.sign().send();
            table.check(&format!("{name} {way}: not shown for a range"), part.header(name).is_none());
        }
    }
    let none = put(&[]).sign().send();
    table.check("by default", none.header("x-amz-checksum-crc64nvme") == Some("jSnVw/bqjr4="));
    let ignored = put(&[("x-amz-checksum-algorithm", "SHA256")]).sign().send();
    table.status("x-amz-checksum-algorithm is ignored", &ignored, 200);
}

#[test]
fn checksums_that_do_not_hold() {
    let mut table = Table::default();
    for (algorithm, name, value) in RIGHT {
        let length = STANDARD.decode(value).expect("base64").len();
        let message = format!("The {algorithm} you specified did not match the calculated checksum.");
        let different = refusal(400, "BadDigest", &message, &[]);
        let zeros = STANDARD.encode(vec![0; length]);
        table.refused_write(&format!("{name} zeros"), &put(&[(name, &zeros)]).sign(), &different);
        table.refused_write(
            &format!("{name} zeros, presigned"),
            &put(&[(name, &zeros)]).presign(),
            &different,
        );
        let message = format!("Value for {name} header is invalid.");
        let invalid = refusal(400, "InvalidRequest", &message, &[]);
        let long = STANDARD.encode(vec![0; length + 1]);
        for value in ["", "junk!", value.trim_end_matches('='), &long] {
            table.refused_write(&format!("{name} {value:?}"), &put(&[(name, value)]).sign(), &invalid);
        }
        let unsigned = put(&[]).presign().header(name, value);
        table.refused_write(
            &format!("{name} not signed"),
            &unsigned,
            &not_signed(&[("HeadersNotSigned", name)]),
        );
    }
}

#[test]
fn checksums_that_make_no_sense() {
    let mut table = Table::default();
    let (crc32, sha1) = (("x-amz-checksum-crc32", "DUoRhQ=="), ("x-amz-checksum-sha1", RIGHT[3].2));
    let sdk = "x-amz-sdk-checksum-algorithm";
    let lonely = "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.";
    for (headers, message) in [
        (
            &[crc32, sha1][..],
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.",
        ),
        (
            &[("x-amz-checksum-crc16", "AAA=")],
            "The algorithm type you specified in x-amz-checksum- header is invalid.",
        ),
        (&[(sdk, "CRC32")], lonely),
        (&[(sdk, "CRC32C"), crc32], "Value for x-amz-sdk-checksum-algorithm header is invalid."),
        (&[(sdk, "junk"), crc32], "Value for x-amz-sdk-checksum-algorithm header is invalid."),
    ] {
        let expected = refusal(400, "InvalidRequest", message, &[]);
        table.refused_write(&format!("{headers:?}"), &put(headers).sign(), &expected);
        table.refused_write(&format!("{headers:?} presigned"), &put(headers).presign(), &expected);
    }
}

#[test]
fn the_order_at_the_end_of_a_body() {
    let mut table = Table::default();
    let other = STANDARD.encode(Md5::digest("other"));
    let headers = [("Content-MD5", other.as_str()), ("x-amz-checksum-crc32", "AAAAAA==")];
    let all = put(&headers).sign_with(&Signer::payload(&sha256_hex(b"other"))).send();
    table.check("the hash first", all.element("Code").as_deref() == Some("XAmzContentSHA256Mismatch"));
    let two = put(&headers).sign().send();
    table.check("then Content-MD5", two.element("CalculatedDigest").is_some());
    let one = put(&headers[1..]).sign().send();
    table.check("then the checksum", one.element("Code").as_deref() == Some("BadDigest"));
}

#[test]
fn a_failed_upload_leaves_what_was_there() {
    let mut table = Table::default();
    let path = unique("kept");
    given(&path, "first");
    let etag = Request::new("HEAD", &path).sign().send().header("etag").map(str::to_owned);
    for request in [
        Request::new("PUT", &path).header("x-amz-checksum-crc32", "AAAAAA==").body("second").sign(),
        Request::new("PUT", &path).body("second").sign_with(&Signer::payload(&sha256_hex(b"other"))),
        Request::new("PUT", &path).header("Content-MD5", "AAAAAAAAAAAAAAAAAAAAAA==").body("second").presign(),
    ] {
        table.status("refused", &request.send(), 400);
        let now = Request::new("GET", &path).sign().send();
        let same = now.body == b"first" && now.header("etag").map(str::to_owned) == etag;
        table.check("the first is still there", same);
    }
}
