//! The payload hash and the length of a presigned V4 PUT.

use crate::check::{NO_LENGTH, Refusal, Table, given, refusal};
use crate::harness::unique;
use crate::sign::{Sign as _, Signer, sha256_hex};
use crate::wire::Request;

const BODY: &str = "hello world";

fn mismatch<'a>(elements: &'a [(&'a str, &'a str)]) -> Refusal<'a> {
    let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
    refusal(400, "XAmzContentSHA256Mismatch", message, elements)
}

/// The three places of a literal: query, signed header, and a header that is not signed (where only
/// `UNSIGNED-PAYLOAD` is canonical).
fn in_query(path: &str, literal: &str) -> Request {
    let query = format!("X-Amz-Content-Sha256={}", crate::sign::escape(literal));
    Request::new("PUT", path).add_query(&query).presign_with(&Signer::payload(literal)).body(BODY)
}

fn in_signed_header(path: &str, literal: &str) -> Request {
    Request::new("PUT", path)
        .header("x-amz-content-sha256", literal)
        .presign_with(&Signer::payload(literal))
        .body(BODY)
}

#[test]
fn literals_that_hold() {
    let mut table = Table::default();
    let hash = sha256_hex(BODY.as_bytes());
    for literal in ["UNSIGNED-PAYLOAD", &hash, &hash.to_uppercase()] {
        let path = unique("literal");
        table.status(&format!("{literal} in the query"), &in_query(&path, literal).send(), 200);
        table.status(&format!("{literal} in a header"), &in_signed_header(&path, literal).send(), 200);
    }
    let put = Request::new("PUT", &unique("literal")).presign().body(BODY);
    let unsigned = put.clone().header("x-amz-content-sha256", "UNSIGNED-PAYLOAD").send();
    table.status("UNSIGNED-PAYLOAD in a header that is not signed", &unsigned, 200);
    let unsigned = put.header("x-amz-content-sha256", &hash).send();
    table.status("the hash in a header that is not signed", &unsigned, 200);
}

#[test]
fn literals_that_do_not_hold() {
    let mut table = Table::default();
    let hash = sha256_hex(BODY.as_bytes());
    let other = sha256_hex(b"other");
    for literal in [other.as_str(), "invalid", "unsigned-payload", &hash[..63], "UNSIGNED PAYLOAD"] {
        let elements = [("ClientComputedContentSHA256", literal), ("S3ComputedContentSHA256", hash.as_str())];
        let expected = mismatch(&elements);
        let path = unique("literal");
        table.refused_write(&format!("{literal} in the query"), &in_query(&path, literal), &expected);
        table.refused_write(&format!("{literal} in a header"), &in_signed_header(&path, literal), &expected);
        given(&path, BODY);
        let get = Request::new("GET", &path)
            .header("x-amz-content-sha256", literal)
            .presign_with(&Signer::payload(literal));
        table.status(&format!("{literal} on a GET"), &get.send(), 200);
    }
    let elements =
        [("ClientComputedContentSHA256", other.as_str()), ("S3ComputedContentSHA256", hash.as_str())];
    let put = Request::new("PUT", &unique("literal")).presign().body(BODY);
    let unsigned = put.header("x-amz-content-sha256", &other);
    table.refused_write("another hash in a header that is not signed", &unsigned, &mismatch(&elements));
}

#[test]
fn streaming_is_not_decoded() {
    let mut table = Table::default();
    let hash = sha256_hex(BODY.as_bytes());
    for literal in ["STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"] {
        let signed = |decoded: Option<&str>| {
            let mut put = Request::new("PUT", &unique("streaming")).header("x-amz-content-sha256", literal);
            if let Some(decoded) = decoded {
                put = put.header("x-amz-decoded-content-length", decoded);
            }
            put.presign_with(&Signer::payload(literal)).body(BODY)
        };
        table.refused_write(&format!("{literal} without a length"), &signed(None), &NO_LENGTH);
        table.refused_write(&format!("{literal} and no number"), &signed(Some("eleven")), &NO_LENGTH);
        let message = "You did not provide the number of bytes specified by the Content-Length HTTP header";
        let elements = [("NumberBytesExpected", "10"), ("NumberBytesProvided", "11")];
        let expected = refusal(400, "IncompleteBody", message, &elements);
        table.refused_write(&format!("{literal} and too short"), &signed(Some("10")), &expected);
        let elements = [("ClientComputedContentSHA256", literal), ("S3ComputedContentSHA256", hash.as_str())];
        table.refused_write(&format!("{literal} and the length"), &signed(Some("11")), &mismatch(&elements));
    }
}

#[test]
fn lengths_must_be_declared() {
    let mut table = Table::default();
    let put = Request::new("PUT", &unique("length")).presign();
    table.refused_write("none", &put, &NO_LENGTH);
    let chunked = put.header("Transfer-Encoding", "chunked").raw_body("b\r\nhello world\r\n0\r\n\r\n");
    let message = "A header you provided implies functionality that is not implemented";
    let expected = refusal(501, "NotImplemented", message, &[("Header", "Transfer-Encoding")]);
    table.refused_write("chunked by HTTP", &chunked, &expected);
}

#[test]
fn a_failed_head_has_no_body() {
    let mut table = Table::default();
    let path = unique("head");
    for (case, request, status) in [
        ("no such key", Request::new("HEAD", &path).presign(), 404),
        ("expired", Request::new("HEAD", &path).presign_with(&Signer::at(-700)), 403),
        ("mismatch", Request::new("HEAD", &path).presign().add_query("a=b"), 403),
        ("parameters", Request::new("HEAD", &path).presign().drop_parameter("X-Amz-Date"), 400),
        ("anonymous", Request::new("HEAD", &path), 403),
        ("invalid bucket", Request::new("HEAD", "/B_/k"), 400),
        ("no such bucket", Request::new("HEAD", "/no-such-bucket").presign(), 404),
    ] {
        let mut connection = crate::wire::Connection::open(request.address);
        connection.write(&request.header("Connection", "close").head());
        let response = connection.response("HEAD");
        table.status(case, &response, status);
        table.check(&format!("{case}: a request id"), response.header("x-amz-request-id").is_some());
        let rest = connection.rest();
        table.check(&format!("{case}: a body {}", rest.escape_ascii()), rest.is_empty());
    }
}
