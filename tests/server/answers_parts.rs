//! What completing an upload compares, in S3's order; and what it says of parts that it refuses.

use crate::check::{MALFORMED_XML, Refusal, Table, assert_stored, exists, given, refusal};
use crate::harness::unique;
use crate::multipart::{complete, create, part};
use crate::sign::Sign as _;
use crate::wire::{Request, Response};

const PART_BYTES_MIN: usize = 5 * 1024 * 1024;
const INVALID_PART: &str = "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.";
/// The MD5 of `abc`.
const TAG: &str = "900150983cd24fb0d6963f7d28e17f72";
/// Algorithms with the checksums of `abc` and of `bbb`.
const SUMS: [(&str, &str, &str); 5] = [
    ("CRC32", "NSRBwg==", "QGXPDQ=="),
    ("CRC32C", "Nks/tw==", "Lg58xw=="),
    ("CRC64NVME", "BeXKuz/B+us=", "T+DOAYWjqTs="),
    ("SHA1", "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=", "XLE4KE1DGr1qBTpWYl7AiL+4iRI="),
    (
        "SHA256",
        "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=",
        "PnRLncOTibrwxaBmBYm4QC89u0m4mz518sk1WFKjxnc=",
    ),
];

/// Starts an upload with a checksum, uploads `abc` with it, and gives the id.
fn begin(path: &str, name: &str, kind: &str, sum: &str) -> String {
    let headers = [("x-amz-checksum-algorithm", name), ("x-amz-checksum-type", kind)];
    let created = Request::new("POST", &format!("{path}?uploads=")).headers(&headers).body("").sign().send();
    let id = created.expect(200).element("UploadId").expect("an id");
    let put = Request::new("PUT", &format!("{path}?partNumber=1&uploadId={id}"));
    put.header(&header(name), sum).body("abc").sign().send().expect(200);
    id
}

fn header(name: &str) -> String {
    format!("x-amz-checksum-{}", name.to_ascii_lowercase())
}

/// The part, with a checksum if there is one.
fn named(sum: Option<(&str, &str)>) -> String {
    let sum = sum.map(|(name, sum)| format!("<Checksum{name}>{sum}</Checksum{name}>")).unwrap_or_default();
    format!("<Part><PartNumber>1</PartNumber><ETag>&quot;{TAG}&quot;</ETag>{sum}</Part>")
}

fn complete_with(path: &str, id: &str, parts: &str, headers: &[(&str, &str)]) -> Response {
    let document = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    let request = Request::new("POST", &format!("{path}?uploadId={id}")).headers(headers);
    request.body(document).sign().send()
}

fn invalid_part<'a>(elements: &'a [(&'a str, &'a str)]) -> Refusal<'a> {
    refusal(400, "InvalidPart", INVALID_PART, elements)
}

fn bad_digest(message: &str) -> Refusal<'_> {
    refusal(400, "BadDigest", message, &[])
}

/// The kinds of upload that an algorithm can have.
fn kinds(name: &str) -> &'static [&'static str] {
    match name {
        "CRC64NVME" => &["FULL_OBJECT"],
        "SHA1" | "SHA256" => &["COMPOSITE"],
        _ => &["COMPOSITE", "FULL_OBJECT"],
    }
}

/// Recorded: test_complete_multipart_parts_checksum_composite, test_complete_multipart_parts_checksum_full_object
/// (`wrong-parts-checksum`, all seven), test_complete_multipart_parts_checksum_composite (`no-checksum`).
#[test]
fn checksums_of_parts_that_are_wrong() {
    let mut table = Table::default();
    for (name, right, wrong) in SUMS {
        for kind in kinds(name) {
            let path = unique("answers-wrong");
            let id = begin(&path, name, kind, right);
            let elements = [("UploadId", id.as_str()), ("PartNumber", "1"), ("ETag", TAG)];
            let case = format!("{name} {kind}");
            let response = complete(&path, &id, &named(Some((name, wrong))));
            table.refused(&case, &response, &invalid_part(&elements));
            let lower = name.to_ascii_lowercase();
            let missing = format!(
                "The upload was created using a {lower} checksum. The complete request must include the checksum for each part. It was missing for part 1 in the request."
            );
            if *kind == "COMPOSITE" {
                let response = complete(&path, &id, &named(None));
                table.refused(&case, &response, &refusal(400, "InvalidRequest", &missing, &[]));
            }
            table.check(&case, !exists(&path));
            table.status(&case, &complete(&path, &id, &named(Some((name, right)))), 200);
        }
    }
    let path = unique("answers-wrong");
    let headers = [("x-amz-checksum-algorithm", "CRC32C"), ("x-amz-checksum-type", "COMPOSITE")];
    let created = Request::new("POST", &format!("{path}?uploads=")).headers(&headers).body("").sign().send();
    let id = created.expect(200).element("UploadId").expect("an id");
    let put = |number: u32, sum: &str, body: &[u8]| {
        let put = Request::new("PUT", &format!("{path}?partNumber={number}&uploadId={id}"));
        put.header("x-amz-checksum-crc32c", sum).presign().body(body).send().expect(200);
    };
    put(1, "2/Ckiw==", &[b'a'; PART_BYTES_MIN + 1]);
    put(2, "5yZkMA==", b"aaaaaaaaaa");
    let part = |number: u32, tag: &str, sum: &str| {
        format!(
            "<Part><PartNumber>{number}</PartNumber><ETag>\"{tag}\"</ETag><ChecksumCRC32C>{sum}</ChecksumCRC32C></Part>"
        )
    };
    let tags = ["c4c753e69bb853187f5854c46cf801c6", "e09c80c42fda55f9d992e59ca6b3307d"];
    let second = part(1, tags[0], "2/Ckiw==") + &part(2, tags[1], "2/Ckiw==");
    let elements = [("UploadId", id.as_str()), ("PartNumber", "2"), ("ETag", tags[1])];
    table.refused("the second", &complete(&path, &id, &second), &invalid_part(&elements));
}

/// Recorded: test_complete_multipart_parts_checksum_default (right ones of CRC32C, wrong ones of SHA256).
/// Inferred: the other algorithms.
#[test]
fn checksums_of_parts_that_nobody_declared() {
    let mut table = Table::default();
    let path = unique("answers-undeclared");
    let id = create(&path);
    let put = Request::new("PUT", &format!("{path}?partNumber=1&uploadId={id}"));
    put.header("x-amz-checksum-crc32c", "Nks/tw==").body("abc").sign().send().expect(200);
    let elements = [("UploadId", id.as_str()), ("PartNumber", "1"), ("ETag", TAG)];
    for (name, right, wrong) in SUMS {
        for sum in [right, wrong] {
            let response = complete(&path, &id, &named(Some((name, sum))));
            table.refused(&format!("{name} {sum}"), &response, &invalid_part(&elements));
        }
    }
    let message = "The upload was created using the null checksum mode. The complete request must use the same checksum mode.";
    for kind in ["FULL_OBJECT", "COMPOSITE"] {
        let response = complete_with(&path, &id, &named(None), &[("x-amz-checksum-type", kind)]);
        table.refused(kind, &response, &refusal(400, "InvalidRequest", message, &[]));
    }
    table.check("stored", !exists(&path));
    // A checksum of parts that do not exist, without a type: recorded as taken, and ignored.
    let response = complete_with(&path, &id, &named(None), &[("x-amz-checksum-crc32c", "sZB91Q==-2")]);
    table.status("a checksum of the object", &response, 200);
    let sum = response.element("ChecksumCRC64NVME");
    table.check(&format!("its checksum {sum:?}"), sum.as_deref() == Some("BeXKuz/B+us="));
    assert_stored(&path, "abc");
}

/// Recorded: test_multipart_parts_checksum_exceptions_composite. Inferred: FULL_OBJECT, and algorithms beside SHA256.
#[test]
fn checksums_of_parts_of_another_algorithm() {
    let mut table = Table::default();
    for kind in ["COMPOSITE", "FULL_OBJECT"] {
        let path = unique("answers-other");
        let id = begin(&path, "CRC32", kind, "NSRBwg==");
        for (name, right, _) in SUMS.iter().skip(1) {
            let lower = name.to_ascii_lowercase();
            let message = format!("The {lower} you specified for part 1 did not match what we received.");
            let response = complete(&path, &id, &named(Some((name, right))));
            table.refused(&format!("{kind} {name}"), &response, &bad_digest(&message));
        }
        table.check(kind, !exists(&path));
    }
}

/// Recorded: test_multipart_parts_checksum_exceptions_composite, test_multipart_parts_checksum_exceptions_full_object
/// (the type is looked at before the parts are). Inferred: the other algorithms.
#[test]
fn another_type_than_declared() {
    let mut table = Table::default();
    for (name, right, wrong) in SUMS {
        for kind in kinds(name) {
            let path = unique("answers-type");
            let id = begin(&path, name, kind, right);
            let other = if *kind == "COMPOSITE" { "FULL_OBJECT" } else { "COMPOSITE" };
            let message = format!(
                "The upload was created using the {kind} checksum mode. The complete request must use the same checksum mode."
            );
            for sum in [None, Some((name, right)), Some((name, wrong))] {
                let response = complete_with(&path, &id, &named(sum), &[("x-amz-checksum-type", other)]);
                let expected = refusal(400, "InvalidRequest", &message, &[]);
                table.refused(&format!("{name} {kind} {sum:?}"), &response, &expected);
            }
            table.check(name, !exists(&path));
        }
    }
}

/// Recorded: test_multipart_parts_checksum_exceptions_full_object, every answer of it, for CRC32C.
///
/// Not looked at: a checksum without a type for CRC32 and CRC64NVME, which was recorded once, for CRC32C alone.
#[test]
fn checksums_of_the_whole() {
    let mut table = Table::default();
    let path = unique("answers-whole");
    let id = begin(&path, "CRC32C", "FULL_OBJECT", "Nks/tw==");
    let full = ("x-amz-checksum-type", "FULL_OBJECT");
    let expected = bad_digest("The crc32c you specified did not match the calculated checksum.");
    let parts = named(Some(("CRC32C", "Nks/tw==")));
    for (case, headers) in [
        ("of the parts, no type", &[("x-amz-checksum-crc32c", "ZpGMMA==-1")][..]),
        ("right, no type", &[("x-amz-checksum-crc32c", "Nks/tw==")]),
        ("right, another algorithm, no type", &[("x-amz-checksum-crc64nvme", "BeXKuz/B+us=")]),
        ("wrong", &[("x-amz-checksum-crc32c", "Lg58xw=="), full]),
        ("wrong, another algorithm", &[("x-amz-checksum-crc32", "QGXPDQ=="), full]),
    ] {
        table.refused(case, &complete_with(&path, &id, &parts, headers), &expected);
        table.refused(case, &complete_with(&path, &id, &named(None), headers), &expected);
    }
    table.check("stored", !exists(&path));
    let done = complete_with(&path, &id, &parts, &[("x-amz-checksum-crc32c", "Nks/tw=="), full]);
    table.status("right", &done, 200);
    let sum = done.element("ChecksumCRC32C");
    table.check("its checksum", sum.as_deref() == Some("Nks/tw==") && done.text().contains("FULL_OBJECT"));
    let id = begin(&path, "CRC32C", "FULL_OBJECT", "Nks/tw==");
    table.status("the type alone", &complete_with(&path, &id, &named(None), &[full]), 200);
    let id = begin(&path, "CRC32C", "FULL_OBJECT", "Nks/tw==");
    table.status("neither", &complete(&path, &id, &named(None)), 200);
}

/// Recorded: test_multipart_complete_multipart_too_small, test_multipart_complete_multipart_wrong_part (a tag is shown
/// without quotes). Stated: versitygw#1072 (`PartNumber must be >= 1`); measured: versitygw#1398 (`: 'size'`).
#[test]
fn parts_that_are_refused() {
    let mut table = Table::default();
    let path = unique("answers-refused");
    let id = create(&path);
    let tags = [part(&path, &id, 1, b"data"), part(&path, &id, 2, b"data")];
    let tag = "8d777f385d3dfec8815d20f7496026dc";
    table.check("the tag", tags[0].trim_matches('"') == tag);
    let part =
        |number: &str, tag: &str| format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>");
    for quote in ["", "\"", "&quot;"] {
        let quoted = |tag: &str| format!("{quote}{tag}{quote}");
        let small = complete(&path, &id, &(part("1", &quoted(tag)) + &part("2", &quoted(tag))));
        let elements =
            [("ProposedSize", "4"), ("MinSizeAllowed", "5242880"), ("PartNumber", "1"), ("ETag", tag)];
        let message = "Your proposed upload is smaller than the minimum allowed size";
        table.refused("too small", &small, &refusal(400, "EntityTooSmall", message, &elements));
        for (number, tag) in [("3", tag), ("1", "d41d8cd98f00b204e9800998ecf8427e")] {
            let response = complete(&path, &id, &part(number, &quoted(tag)));
            let elements = [("UploadId", id.as_str()), ("PartNumber", number), ("ETag", tag)];
            table.refused(&format!("{number} {tag}"), &response, &invalid_part(&elements));
        }
    }
    let target = format!("{path}?uploadId={id}");
    let message = "You must specify at least one part";
    let empty = Request::new("POST", &target).body("").sign().send();
    table.refused("an empty body", &empty, &refusal(400, "InvalidRequest", message, &[]));
    let junk = Request::new("POST", &target).body("junk").sign().send();
    table.refused("no document", &junk, &MALFORMED_XML);
    for number in ["0", "-1"] {
        let response = complete(&path, &id, &part(number, tag));
        let right = response.status == 400
            && response.element("Code").as_deref() == Some("InvalidArgument")
            && response.element("Message").as_deref() == Some("PartNumber must be >= 1");
        table.check(&format!("part {number}: {}", response.text()), right);
    }
    for size in ["size", "1.5", "0x4", "4 bytes"] {
        let message = format!("Value for x-amz-mp-object-size header is invalid: '{size}'");
        let response = complete_with(&path, &id, &part("1", tag), &[("x-amz-mp-object-size", size)]);
        table.refused(size, &response, &refusal(400, "InvalidRequest", &message, &[]));
    }
    table.check("stored", !exists(&path));
    table.status("one part", &complete(&path, &id, &part("1", tag)), 200);
}

/// Recorded: test_upload_part_copy_range, every range of it. Inferred: 9-10, 10-10, 10-20.
#[test]
fn ranges_of_copied_parts() {
    let mut table = Table::default();
    let (source, path) = (unique("answers-source"), unique("answers-copied"));
    given(&source, "0123456789");
    let id = create(&path);
    let copy = |range: &str| {
        let target = format!("{path}?partNumber=1&uploadId={id}");
        let request = Request::new("PUT", &target).header("x-amz-copy-source", &source);
        request.header("x-amz-copy-source-range", range).sign().send()
    };
    for (range, tag) in [
        ("bytes=0-8", "22975d8a5ed1b91445f6c55ac121505b"),
        ("bytes=1-1", "c4ca4238a0b923820dcc509a6f75849b"),
        ("bytes=0-0", "cfcd208495d565ef66e7dff9f98764da"),
    ] {
        let copied = copy(range);
        table.status(range, &copied, 200);
        table.check(range, copied.element("ETag") == Some(format!("\"{tag}\"")));
    }
    let form = "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy";
    let beyond = "Range specified is not valid for source object of size: 10";
    for (range, message) in [
        ("0-8", form),
        ("bytes=1-0", form),
        ("bytes=-1-", form),
        ("bytes=0--1", form),
        ("bytes=0-1,3-4,7-9", form),
        ("bytes=-", form),
        ("bytes=-0", form),
        ("bytes=1-", form),
        ("bytes=-2", form),
        ("bytes=-15", form),
        ("bytes=0-100", beyond),
        ("bytes=9-10", beyond),
    ] {
        let elements = [("ArgumentName", "x-amz-copy-source-range"), ("ArgumentValue", range)];
        table.refused(range, &copy(range), &refusal(400, "InvalidArgument", message, &elements));
    }
    for range in ["bytes=100-200", "bytes=10-10", "bytes=10-20"] {
        let message = "The specified copy range is invalid for the source object size";
        table.refused(range, &copy(range), &refusal(400, "InvalidRequest", message, &[]));
    }
}

/// Recorded: test_s3_invalid_content_md5 (UploadPart shows the digest as it was sent, PutObject as hex).
#[test]
fn digests_of_parts() {
    let mut table = Table::default();
    let path = unique("answers-md5");
    let id = create(&path);
    let target = format!("{path}?partNumber=1&uploadId={id}");
    let message = "The Content-MD5 you specified did not match what we received.";
    let sent = "CYketZBSTjX8czcs3cXVlg==";
    for (target, expected) in [(&target, sent), (&path, "09891eb590524e35fc73372cddc5d596")] {
        let put = Request::new("PUT", target).header("Content-MD5", sent).body("something");
        let elements = [("ExpectedDigest", expected), ("CalculatedDigest", "Q3uTDbhLgHnC3YBKcZNrXw==")];
        let expected = refusal(400, "BadDigest", message, &elements);
        table.refused(target, &put.clone().sign().send(), &expected);
        table.refused(&format!("{target}, presigned"), &put.presign().send(), &expected);
    }
    for value in ["__invalid__", "000", "not base64 encoded checksum", "MTIz", "dGVzdC1zdHJpbmc="] {
        let put = Request::new("PUT", &target).header("Content-MD5", value).body("something").sign();
        let elements = [("Content-MD5", value)];
        let message = "The Content-MD5 you specified was invalid.";
        table.refused(value, &put.send(), &refusal(400, "InvalidDigest", message, &elements));
    }
}
