//! Documents in requests: malformed, hostile and too large ones.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};

use crate::check::{MALFORMED_XML, Refusal, Table, exists, given, refusal};
use crate::harness::unique;
use crate::sign::{Sign as _, Signer};
use crate::wire::Request;

fn delete(document: &[u8]) -> Request {
    let md5 = STANDARD.encode(Md5::digest(document));
    Request::new("POST", "/bucket1?delete=").header("Content-MD5", &md5).body(document).sign()
}

/// Documents that are none, whatever root is wanted.
fn hostile(root: &str, inner: &str) -> Vec<(String, Vec<u8>)> {
    let whole = |before: &str, inner: &str| format!("{before}<{root}>{inner}</{root}>").into_bytes();
    let laughs: String =
        (1..30).map(|n| format!("<!ENTITY l{n} \"{}\">", format!("&l{};", n - 1).repeat(10))).collect();
    let deep = format!("{}{}", "<a>".repeat(20_000), "</a>".repeat(20_000));
    let named = |name: &str, document: Vec<u8>| (name.to_owned(), document);
    vec![
        named("nothing", Vec::new()),
        named("text", b"hello".to_vec()),
        named("JSON", b"{\"Objects\": []}".to_vec()),
        named("another root", format!("<Other>{inner}</Other>").into_bytes()),
        named("not closed", format!("<{root}>{inner}").into_bytes()),
        named("closed wrongly", format!("<{root}>{inner}</Other>").into_bytes()),
        named("two roots", [whole("", inner), whole("", inner)].concat()),
        named("text behind the root", [whole("", inner), b"more".to_vec()].concat()),
        named("text before the root", whole("more", inner)),
        named("an attribute cut short", format!("<{root} a=\"b>{inner}</{root}>").into_bytes()),
        named("no UTF-8", [whole("", inner), b"<!-- \xff -->".to_vec()].concat()),
        named("UTF-16", whole("", inner).iter().flat_map(|b| [*b, 0]).collect()),
        named("an unknown entity", whole("", &format!("{inner}<Key>&unknown;</Key>"))),
        named("NUL by reference", whole("", &format!("{inner}<Key>&#0;</Key>"))),
        named("a document type", whole("<!DOCTYPE a>", inner)),
        named("an entity", whole("<!DOCTYPE a [<!ENTITY e \"eeee\">]>", &format!("{inner}<Key>&e;</Key>"))),
        named(
            "an entity from a file",
            whole(
                "<!DOCTYPE a [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>",
                &format!("{inner}<Key>&e;</Key>"),
            ),
        ),
        named(
            "a billion laughs",
            whole(
                &format!("<!DOCTYPE a [<!ENTITY l0 \"lol\">{laughs}]>"),
                &format!("{inner}<Key>&l29;</Key>"),
            ),
        ),
        named("depth", whole("", &format!("{inner}{deep}"))),
        named("many elements", whole("", &format!("{inner}{}", "<a/>".repeat(200_000)))),
    ]
}

#[test]
fn delete_refuses_what_is_no_document() {
    let mut table = Table::default();
    let path = unique("kept");
    given(&path, "x");
    let key = path.trim_start_matches("/bucket1/");
    for (case, document) in hostile("Delete", &format!("<Object><Key>{key}</Key></Object>")) {
        let response = delete(&document).send();
        // An empty body has a code of its own on S3.
        if case == "nothing" && response.element("Code").as_deref() == Some("MissingRequestBodyError") {
            continue;
        }
        table.refused(&case, &response, &MALFORMED_XML);
        table.check(&format!("{case}: deleted"), exists(&path));
    }
    let object = "<Object><Key>k</Key></Object>";
    for (case, inner) in [
        ("no objects", String::new()),
        ("no key", "<Object><VersionId>null</VersionId></Object>".to_owned()),
        ("1001 keys", object.repeat(1001)),
    ] {
        let document = format!("<Delete>{inner}</Delete>");
        table.refused(case, &delete(document.as_bytes()).send(), &MALFORMED_XML);
    }
    let most = format!("<Delete><Quiet>true</Quiet>{}</Delete>", object.repeat(1000));
    table.status("1000 keys", &delete(most.as_bytes()).send(), 200);
    let long = format!("<Delete>{object}{}</Delete>", " ".repeat(9 * 1024 * 1024));
    let response = delete(long.as_bytes()).send();
    table.check(&format!("9 MiB: {} {}", response.status, response.text()), response.status == 400);
}

#[test]
fn delete_needs_a_digest() {
    let mut table = Table::default();
    let path = unique("digest");
    given(&path, "x");
    let document =
        format!("<Delete><Object><Key>{}</Key></Object></Delete>", path.trim_start_matches("/bucket1/"));
    let request = Request::new("POST", "/bucket1?delete=").body(&document);
    let message = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*";
    table.refused("none", &request.clone().sign().send(), &refusal(400, "InvalidRequest", message, &[]));
    table.check("deleted", exists(&path));
    let crc32 = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, document.as_bytes()) as u32;
    let crc32 = STANDARD.encode(crc32.to_be_bytes());
    let wrong = request.clone().header("x-amz-checksum-crc32", "AAAAAA==").sign().send();
    let message = "The CRC32 you specified did not match the calculated checksum.";
    table.refused("another checksum", &wrong, &refusal(400, "BadDigest", message, &[]));
    table.check("deleted", exists(&path));
    let right = request.header("x-amz-checksum-crc32", &crc32);
    table.status("the checksum", &right.sign().send(), 200);
    table.check("not deleted", !exists(&path));
}

#[test]
fn delete_answers_for_each_key() {
    let mut table = Table::default();
    let (one, two) = (unique("each"), unique("each"));
    given(&one, "x");
    given(&two, "x");
    let key = |path: &str| path.trim_start_matches("/bucket1/").to_owned();
    let document = format!(
        "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key>{}</Key><VersionId>null</VersionId></Object><Object><Key>{}</Key><VersionId>other</VersionId></Object><Object><Key>missing &amp; gone</Key></Object><Object><Key>{}</Key></Object></Delete>",
        key(&one),
        key(&two),
        "k".repeat(1025)
    );
    let response = delete(document.as_bytes()).send();
    table.status("the answer", &response, 200);
    let text = response.text();
    table.check(&format!("deleted: {text}"), text.contains(&format!("<Deleted><Key>{}</Key>", key(&one))));
    table.check(
        "missing ones count as deleted",
        text.contains("<Deleted><Key>missing &amp; gone</Key></Deleted>"),
    );
    table.check("another version", text.contains("<Code>NoSuchVersion</Code>"));
    table.check("a long key", text.contains("<Code>KeyTooLongError</Code>"));
    table.check("one", !exists(&one));
    table.check("two", exists(&two));
}

#[test]
fn a_bucket_is_not_made_from_junk() {
    let mut table = Table::default();
    // It is a hundred bytes, or has some tags.
    const LONGEST: usize = 128 * 1024;
    let message = "Your request was too big.";
    let too_long = refusal(400, "MaxMessageLengthExceeded", message, &[("MaxMessageLengthBytes", "131072")]);
    let inner = "<LocationConstraint>us-east-1</LocationConstraint>";
    for (n, (case, document)) in hostile("CreateBucketConfiguration", inner).into_iter().enumerate() {
        let path = format!("/junk-bucket-{n}");
        let response = Request::new("PUT", &path).body(&document).sign().send();
        if document.is_empty() {
            table.status("an empty body is no document", &response, 200);
            continue;
        }
        match document.len() {
            0..=LONGEST => table.refused(&case, &response, &MALFORMED_XML),
            _ => table.refused(&case, &response, &too_long),
        }
        table.status(&format!("{case}: made"), &Request::new("HEAD", &path).sign().send(), 404);
    }
    let elsewhere = inner.replace("us-east-1", "eu-west-1");
    let document = format!("<CreateBucketConfiguration>{elsewhere}</CreateBucketConfiguration>");
    let message = "The eu-west-1 location constraint is incompatible for the region specific endpoint this request was sent to.";
    let expected = refusal(400, "IllegalLocationConstraintException", message, &[]);
    let response = Request::new("PUT", "/junk-bucket-elsewhere").body(document).sign().send();
    table.refused("another region", &response, &expected);
}

#[test]
fn a_document_of_unknown_length_is_not_passed_over() {
    let mut table = Table::default();
    let chunked = Request::new("PUT", "/junk-bucket-chunked")
        .sign_with(&Signer::payload("UNSIGNED-PAYLOAD"))
        .header("Transfer-Encoding", "chunked")
        .raw_body("4\r\njunk\r\n0\r\n\r\n");
    let response = chunked.send();
    table.check(&format!("answered {}", response.status), [400, 411, 501].contains(&response.status));
    table.status("made", &Request::new("HEAD", "/junk-bucket-chunked").sign().send(), 404);
}

#[test]
fn an_empty_document_is_compared_with_its_hash() {
    let mut table = Table::default();
    let put = Request::new("PUT", "/junk-bucket-hash").body("").sign_with(&Signer::payload(&"0".repeat(64)));
    let response = put.send();
    let code = response.element("Code");
    let right = code.as_deref() == Some("XAmzContentSHA256Mismatch");
    table.check(&format!("answered {} {code:?}", response.status), right);
    table.status("made", &Request::new("HEAD", "/junk-bucket-hash").sign().send(), 404);
}

#[test]
fn an_upload_is_not_completed_from_junk() {
    let mut table = Table::default();
    let path = unique("complete");
    let id = crate::multipart::create(&path);
    let etag = crate::multipart::part(&path, &id, 1, b"part");
    let part = format!("<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>");
    for (case, document) in hostile("CompleteMultipartUpload", &part) {
        let target = format!("{path}?uploadId={id}");
        let response = Request::new("POST", &target).body(&document).sign().send();
        if case == "nothing" && response.status == 400 {
            continue;
        }
        table.refused(&case, &response, &MALFORMED_XML);
        table.check(&format!("{case}: completed"), !exists(&path));
    }
    for (case, inner) in [
        ("no parts", String::new()),
        ("no number", format!("<Part><ETag>{etag}</ETag></Part>")),
        ("no tag", "<Part><PartNumber>1</PartNumber></Part>".to_owned()),
        ("part 0", part.replace(">1<", ">0<")),
        ("part 10001", part.replace(">1<", ">10001<")),
        ("part -1", part.replace(">1<", ">-1<")),
        ("part one", part.replace(">1<", ">one<")),
    ] {
        let response = crate::multipart::complete(&path, &id, &inner);
        let code = response.element("Code").unwrap_or_default();
        let right = response.status == 400
            && ["MalformedXML", "InvalidPart", "InvalidArgument"].contains(&code.as_str());
        table.check(&format!("{case}: {} {code}", response.status), right);
    }
    table.status("after all of this", &crate::multipart::complete(&path, &id, &part), 200);
}

#[test]
fn documents_of_wrong_length() {
    let mut table = Table::default();
    let document = "<Delete><Object><Key>k</Key></Object></Delete>";
    let request = delete(document.as_bytes());
    let chunked = request.clone().without("Content-Length").header("Transfer-Encoding", "chunked");
    let chunked = chunked.raw_body(format!("{:x}\r\n{document}\r\n0\r\n\r\n", document.len()));
    let message = "A header you provided implies functionality that is not implemented";
    let expected = refusal(501, "NotImplemented", message, &[("Header", "Transfer-Encoding")]);
    table.refused("HTTP chunks", &chunked.send(), &expected);
    let none = request.without("Content-Length").raw_body("");
    let missing: Refusal<'_> = crate::check::NO_LENGTH;
    table.refused("no length", &none.send(), &missing);
}
