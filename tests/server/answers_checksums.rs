//! Which checksum an answer shows: of an upload that declared none, of a part, of a range, of a copy.
//!
//! Every value is as AWS recorded it on 2026-02-21, of three parts of 5,242,881, 5,242,881 and 10 times `a`.

use std::sync::OnceLock;

use crate::check::{Table, given};
use crate::harness::unique;
use crate::multipart::complete;
use crate::sign::Sign as _;
use crate::wire::{Request, Response};

const MODE: (&str, &str) = ("x-amz-checksum-mode", "ENABLED");
/// The MD5 of the whole, and the tag of the three parts.
const MD5: &str = "a0397ee2df08832642af5d7e57c5760c";
const TAG: &str = "4d45984fc3feb2ac9b22683c49674b56-3";
const TAGS: [&str; 3] = [
    "c4c753e69bb853187f5854c46cf801c6",
    "c4c753e69bb853187f5854c46cf801c6",
    "e09c80c42fda55f9d992e59ca6b3307d",
];
const CRC64NVME: &str = "ZMNX55lZurA=";

/// A recorded upload: its algorithm, the checksums of its first and last part, of all parts, and of the whole.
struct Recorded {
    name: &'static str,
    parts: [&'static str; 2],
    composite: &'static str,
    whole: &'static str,
}

const RECORDED: [Recorded; 4] = [
    Recorded { name: "CRC32", parts: ["NRU+Sw==", "TBHN8A=="], composite: "5FRUiw==", whole: "qSEQSA==" },
    Recorded { name: "CRC32C", parts: ["2/Ckiw==", "5yZkMA=="], composite: "XF5+4A==", whole: "eTdAQA==" },
    Recorded {
        name: "SHA1",
        parts: ["bH71WIZUKQtUwR2wKSSkFjCRBPM=", "NJX/adNGcdHhWzOmPBN5/e3Toyo="],
        composite: "AyE60nyQoBgJcwsyPHWu7aJuxBs=",
        whole: "eIC+AqBqApUmeqCBQ+9n8OVTP+8=",
    },
    Recorded {
        name: "SHA256",
        parts: [
            "DjU70AB1bON8k0n0fVHv2PJQVWcA/jWsITp6ti20Tbs=",
            "vyy1imj2hNlaO3jvj2Ycmk5bCegsyPnMiMzpBSjK6yc=",
        ],
        composite: "9o++y6AejqboiJ7MZCx0fahK2Vu5YC/qnNhhYsCLciI=",
        whole: "0+991zqhqOQ5J2EdwChmHIeC1dXXuJzaCritTzqVGDw=",
    },
];

const FULL: [(&str, [&str; 2], &str); 3] = [
    ("CRC32", ["NRU+Sw==", "TBHN8A=="], "qSEQSA=="),
    ("CRC32C", ["2/Ckiw==", "5yZkMA=="], "eTdAQA=="),
    ("CRC64NVME", ["Kg7TOs6algM=", "DBqAA21lxVU="], CRC64NVME),
];

fn body(number: usize) -> &'static [u8] {
    static LARGE: OnceLock<Vec<u8>> = OnceLock::new();
    let large = LARGE.get_or_init(|| vec![b'a'; 5_242_881]);
    if number == 3 { &large[..10] } else { large }
}

fn header(name: &str) -> String {
    format!("x-amz-checksum-{}", name.to_ascii_lowercase())
}

fn of_part<'a>(parts: &[&'a str; 2], number: usize) -> &'a str {
    parts[number / 3]
}

/// Starts an upload with these headers, and uploads parts that have these checksums.
fn upload(path: &str, headers: &[(&str, &str)], name: &str, parts: &[&str; 2], numbers: &[usize]) -> String {
    let created = Request::new("POST", &format!("{path}?uploads=")).headers(headers).body("").sign().send();
    let id = created.expect(200).element("UploadId").expect("an id");
    for number in numbers {
        let put = Request::new("PUT", &format!("{path}?partNumber={number}&uploadId={id}"));
        let put = put.header(&header(name), of_part(parts, *number)).presign().body(body(*number));
        let stored = put.send().expect(200);
        assert_eq!(stored.header(&header(name)), Some(of_part(parts, *number)));
    }
    id
}

/// The `Part` elements of these numbers, with checksums if there is a name for them.
fn named(name: Option<&str>, parts: &[&str; 2], numbers: &[usize]) -> String {
    let part = |number: &usize| {
        let (tag, sum) = (TAGS[number - 1], of_part(parts, *number));
        let sum = name.map(|name| format!("<Checksum{name}>{sum}</Checksum{name}>")).unwrap_or_default();
        format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag>{sum}</Part>")
    };
    numbers.iter().map(part).collect()
}

fn read(method: &str, target: &str, headers: &[(&str, &str)]) -> Response {
    Request::new(method, target).headers(&[MODE]).headers(headers).sign().send()
}

/// Checks which checksum is in the headers of an answer: this one, with its type, and no other.
fn shows(
    table: &mut Table,
    case: &str,
    response: &Response,
    status: u16,
    expected: Option<(&str, &str, &str)>,
) {
    table.status(case, response, status);
    let found: Vec<(&str, &str)> = response
        .headers
        .iter()
        .filter(|(name, _)| name.starts_with("x-amz-checksum-"))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let name = expected.map(|(name, ..)| header(name)).unwrap_or_default();
    let wanted = expected.map(|(_, sum, kind)| vec![(name.as_str(), sum), ("x-amz-checksum-type", kind)]);
    let mut sorted = found.clone();
    sorted.sort_unstable();
    let mut wanted = wanted.unwrap_or_default();
    wanted.sort_unstable();
    table.check(&format!("{case}: {found:?}, not {wanted:?}"), sorted == wanted);
}

/// What stands in a document of a checksum.
fn element(name: &str, sum: &str, kind: &str) -> String {
    format!("<Checksum{name}>{sum}</Checksum{name}><ChecksumType>{kind}</ChecksumType>")
}

fn attributes(path: &str) -> Response {
    let request = Request::new("GET", &format!("{path}?attributes="));
    request.header("x-amz-object-attributes", "Checksum,ETag,ObjectParts").sign().send()
}

/// The object is one like any other that was put at once: recorded for copies of all kinds of uploads.
fn copied(table: &mut Table, path: &str, name: &str, sum: &str) {
    let target = format!("{path}-copy");
    let copy = Request::new("PUT", &target).header("x-amz-copy-source", path).sign().send();
    table.status(&format!("copy {name}"), &copy, 200);
    let (shown, tag) = (copy.text(), copy.element("ETag").unwrap_or_default());
    table.check(&format!("copy {name}: {shown}"), shown.contains(&element(name, sum, "FULL_OBJECT")));
    table.check(&format!("copy {name}: {tag}"), tag == format!("\"{MD5}\""));
    let found = attributes(&target).expect(200);
    let right = found.element("Checksum") == Some(element(name, sum, "FULL_OBJECT"))
        && found.element("ETag").as_deref() == Some(MD5);
    table.check(&format!("copy {name}: {}", found.text()), right && found.element("ObjectParts").is_none());
    let head = read("HEAD", &target, &[]);
    shows(table, &format!("HEAD of the copy {name}"), &head, 200, Some((name, sum, "FULL_OBJECT")));
    table.check(&format!("copy {name}: the tag"), head.header("etag") == Some(&format!("\"{MD5}\"")));
    // Inferred: what has no parts has no count of them.
    let part = read("HEAD", &format!("{target}?partNumber=1"), &[]);
    table.check(&format!("copy {name}: no parts"), part.header("x-amz-mp-parts-count").is_none());
    let second = read("HEAD", &format!("{target}?partNumber=2"), &[]);
    table.status(&format!("copy {name}: no second part"), &second, 416);
}

/// Recorded: test_complete_multipart_parts_checksum_composite, all four. Inferred: parts 1 and 2.
#[test]
fn composite_uploads() {
    let mut table = Table::default();
    for Recorded { name, parts, composite, whole } in RECORDED {
        let path = unique("answers-composite");
        let headers = [("x-amz-checksum-algorithm", name), ("x-amz-checksum-type", "COMPOSITE")];
        let id = upload(&path, &headers, name, &parts, &[1, 2, 3]);
        let done = complete(&path, &id, &named(Some(name), &parts, &[1, 2, 3]));
        let with_count = format!("{composite}-3");
        table.status(name, &done, 200);
        table.check(&done.text(), done.text().contains(&element(name, &with_count, "COMPOSITE")));
        table.check(&done.text(), done.element("ETag") == Some(format!("\"{TAG}\"")));
        for method in ["GET", "HEAD"] {
            let found = read(method, &path, &[]);
            shows(
                &mut table,
                &format!("{method} {name}"),
                &found,
                200,
                Some((name, &with_count, "COMPOSITE")),
            );
            for number in [1, 2, 3] {
                let found = read(method, &format!("{path}?partNumber={number}"), &[]);
                let sum = of_part(&parts, number);
                let case = format!("{method} {name}, part {number}");
                shows(&mut table, &case, &found, 206, Some((name, sum, "COMPOSITE")));
                table.check(&case, found.header("x-amz-mp-parts-count") == Some("3"));
            }
            let quiet = Request::new(method, &format!("{path}?partNumber=3")).sign().send();
            shows(&mut table, &format!("{method} {name}, not asked"), &quiet, 206, None);
            let some = read(method, &path, &[("Range", "bytes=0-8")]);
            shows(&mut table, &format!("{method} {name}, a range"), &some, 206, None);
        }
        let found = attributes(&path).expect(200);
        let checksum = found.element("Checksum").unwrap_or_default();
        table.check(&format!("attributes: {checksum}"), checksum == element(name, composite, "COMPOSITE"));
        let sums: Vec<String> = [1, 2, 3].map(|number| of_part(&parts, number).to_owned()).to_vec();
        let shown = Response { body: found.elements("Part").concat().into_bytes(), ..found.clone() };
        table.check(
            &format!("attributes: {}", found.text()),
            shown.elements(&format!("Checksum{name}")) == sums,
        );
        copied(&mut table, &path, name, whole);
    }
}

/// Recorded: test_complete_multipart_parts_checksum_full_object, all three; test_get_object_part_checksum.
#[test]
fn full_object_uploads() {
    let mut table = Table::default();
    for (name, parts, whole) in FULL {
        let path = unique("answers-full");
        let headers = [("x-amz-checksum-algorithm", name), ("x-amz-checksum-type", "FULL_OBJECT")];
        let id = upload(&path, &headers, name, &parts, &[1, 2, 3]);
        let done = complete(&path, &id, &named(None, &parts, &[1, 2, 3]));
        table.status(name, &done, 200);
        table.check(&done.text(), done.text().contains(&element(name, whole, "FULL_OBJECT")));
        for method in ["GET", "HEAD"] {
            let found = read(method, &path, &[]);
            shows(&mut table, &format!("{method} {name}"), &found, 200, Some((name, whole, "FULL_OBJECT")));
            for number in [1, 2, 3] {
                let found = read(method, &format!("{path}?partNumber={number}"), &[]);
                shows(&mut table, &format!("{method} {name}, part {number}"), &found, 206, None);
            }
        }
        let found = attributes(&path).expect(200);
        let right = found.element("Checksum") == Some(element(name, whole, "FULL_OBJECT"))
            && found.element("ObjectParts").as_deref() == Some("<PartsCount>3</PartsCount>");
        table.check(&format!("attributes {name}: {}", found.text()), right);
        copied(&mut table, &path, name, whole);
    }
}

/// Recorded: test_complete_multipart_parts_checksum_default, test_multipart_and_list_parts, test_multipart_size_validation,
/// test_complete_multipart_parts_order and more. Inferred: SHA1 and SHA256, parts without a checksum, CopyObject.
#[test]
fn uploads_that_declared_nothing() {
    let mut table = Table::default();
    let mut names: Vec<(&str, [&str; 2])> = RECORDED.iter().map(|found| (found.name, found.parts)).collect();
    names.push(("CRC64NVME", FULL[2].1));
    for (name, parts) in names {
        let path = unique("answers-undeclared");
        let id = upload(&path, &[], name, &parts, &[1, 3]);
        let list = Request::new("GET", &format!("{path}?uploadId={id}")).sign().send();
        table.check(&format!("{name}: {}", list.text()), !list.text().contains("<Checksum"));
        let second = Request::new("PUT", &format!("{path}?partNumber=2&uploadId={id}"));
        second.presign().body(body(2)).send().expect(200);
        let done = complete(&path, &id, &named(None, &parts, &[1, 2, 3]));
        table.status(name, &done, 200);
        let right = done.text().contains(&element("CRC64NVME", CRC64NVME, "FULL_OBJECT"));
        table.check(&format!("{name}: {}", done.text()), right);
        for method in ["GET", "HEAD"] {
            let expected = Some(("CRC64NVME", CRC64NVME, "FULL_OBJECT"));
            shows(&mut table, &format!("{method} after {name}"), &read(method, &path, &[]), 200, expected);
        }
        let found = attributes(&path).expect(200);
        let checksum = found.element("Checksum").unwrap_or_default();
        table.check(
            &format!("{name}: {checksum}"),
            checksum == element("CRC64NVME", CRC64NVME, "FULL_OBJECT"),
        );
        let listed = Request::new("GET", &format!("/bucket1?prefix={}", &path[9..])).sign().send();
        let algorithm = listed.element("ChecksumAlgorithm");
        table.check(&format!("{name}: listed {algorithm:?}"), algorithm.as_deref() == Some("CRC64NVME"));
        if name == "CRC32" {
            copied(&mut table, &path, "CRC64NVME", CRC64NVME);
        }
    }
}

/// Recorded: test_get_object_part_checksum, both types (one part: the checksum of the part, so without `-1`).
#[test]
fn an_upload_of_one_part() {
    let mut table = Table::default();
    for (kind, whole) in [("COMPOSITE", "sZB91Q==-1"), ("FULL_OBJECT", "fwuu0Q==")] {
        let path = unique("answers-one-part");
        let headers = [("x-amz-checksum-algorithm", "CRC32C"), ("x-amz-checksum-type", kind)];
        let created = Request::new("POST", &format!("{path}?uploads=")).headers(&headers).body("");
        let id = created.sign().send().expect(200).element("UploadId").expect("an id");
        let put = Request::new("PUT", &format!("{path}?partNumber=1&uploadId={id}"));
        let put = put.header("x-amz-checksum-crc32c", "fwuu0Q==").body("test content 123").sign();
        table.status(kind, &put.send(), 200);
        let part = "<Part><PartNumber>1</PartNumber><ETag>eee506dd7ada7ded524c77e359a0e7c6</ETag><ChecksumCRC32C>fwuu0Q==</ChecksumCRC32C></Part>";
        let done = complete(&path, &id, part);
        table.check(&done.text(), done.text().contains(&element("CRC32C", whole, kind)));
        for method in ["GET", "HEAD"] {
            shows(
                &mut table,
                &format!("{method} {kind}"),
                &read(method, &path, &[]),
                200,
                Some(("CRC32C", whole, kind)),
            );
            let part = read(method, &format!("{path}?partNumber=1"), &[]);
            shows(
                &mut table,
                &format!("{method} {kind}, the part"),
                &part,
                206,
                Some(("CRC32C", "fwuu0Q==", kind)),
            );
            let range = part.header("content-range");
            table.check(&format!("{method} {kind}: {range:?}"), range == Some("bytes 0-15/16"));
        }
        let expected = element("CRC32C", whole.trim_end_matches("-1"), kind);
        let found = attributes(&path).expect(200).element("Checksum").unwrap_or_default();
        table.check(&format!("attributes: {found}"), found == expected);
    }
}

/// Recorded: test_multipart_upload_part_copy_checksum, both types; test_upload_part_copy_no_copy_source_range (nothing
/// was declared: a copied part has no checksum, whatever its source has).
#[test]
fn parts_that_are_copied() {
    let mut table = Table::default();
    let source = unique("answers-part-source");
    let put = Request::new("PUT", &source).header("x-amz-checksum-crc32", "nG7pIA==").body("this is a part");
    put.sign().send().expect(200);
    let algorithm = ("x-amz-checksum-algorithm", "CRC32C");
    for (kind, whole) in [("COMPOSITE", "F9bAnw==-1"), ("FULL_OBJECT", "iqJrOQ=="), ("", "")] {
        let path = unique("answers-part-copy");
        let headers = [algorithm, ("x-amz-checksum-type", kind)];
        let headers = if kind.is_empty() { &[][..] } else { &headers };
        let created = Request::new("POST", &format!("{path}?uploads=")).headers(headers).body("");
        let id = created.sign().send().expect(200).element("UploadId").expect("an id");
        let copy = Request::new("PUT", &format!("{path}?partNumber=1&uploadId={id}"));
        let copied = copy.header("x-amz-copy-source", &source).sign().send().expect(200);
        let sum = Some("iqJrOQ==".to_owned()).filter(|_| !kind.is_empty());
        table.check(&format!("{kind}: {}", copied.text()), copied.element("ChecksumCRC32C") == sum);
        let list = Request::new("GET", &format!("{path}?uploadId={id}")).sign().send();
        table.check(&format!("{kind}: {}", list.text()), list.element("ChecksumCRC32C") == sum);
        if kind.is_empty() {
            table.check(&copied.text(), !copied.text().contains("<Checksum"));
            continue;
        }
        let part = "<Part><PartNumber>1</PartNumber><ETag>11df95d595559285eb2b042124e74f09</ETag><ChecksumCRC32C>iqJrOQ==</ChecksumCRC32C></Part>";
        let done = complete(&path, &id, part);
        table.check(&done.text(), done.text().contains(&element("CRC32C", whole, kind)));
        let head = read("HEAD", &path, &[]);
        shows(&mut table, &format!("HEAD {kind}"), &head, 200, Some(("CRC32C", whole, kind)));
        let found = attributes(&path).expect(200);
        let bare = element("CRC32C", whole.trim_end_matches("-1"), kind);
        let parts = found.element("ObjectParts").unwrap_or_default();
        let right = found.element("Checksum") == Some(bare)
            && parts.contains("<ChecksumCRC32C>iqJrOQ==</ChecksumCRC32C>") == (kind == "COMPOSITE");
        table.check(&format!("attributes {kind}: {}", found.text()), right);
    }
}

/// Recorded: test_get_object_range (a range that is the whole shows its checksum), test_get_object_part (a plain
/// object's part 1). HEAD with a range and a whole range of an upload were not recorded: not looked at.
#[test]
fn ranges_of_the_whole() {
    let mut table = Table::default();
    let path = unique("answers-range");
    let put = Request::new("PUT", &path).header("x-amz-checksum-crc32", "poTHxg==").body("0123456789");
    put.sign().send().expect(200);
    let whole = Some(("CRC32", "poTHxg==", "FULL_OBJECT"));
    for (range, status, expected) in [
        ("bytes=0-8", 206, None),
        ("bytes=1-1", 206, None),
        ("bytes=1-", 206, None),
        ("bytes=-2", 206, None),
        ("bytes=-9", 206, None),
        ("bytes=0-0", 206, None),
        ("bytes=-15", 206, whole),
        ("bytes=-10", 206, whole),
        ("bytes=0-100", 206, whole),
        ("bytes=0-9", 206, whole),
        ("bytes=0-", 206, whole),
        ("bytes=1-0", 200, whole),
        ("bytes=-1-", 200, whole),
        ("bytes=0--1", 200, whole),
        ("bytes=0-1,3-4,6-9", 200, whole),
        ("0-9", 200, whole),
        ("bytes=-", 200, whole),
    ] {
        shows(&mut table, range, &read("GET", &path, &[("Range", range)]), status, expected);
    }
    for method in ["GET", "HEAD"] {
        let part = read(method, &format!("{path}?partNumber=1"), &[]);
        shows(&mut table, &format!("{method}, the part"), &part, 206, whole);
    }
    let plain = unique("answers-range");
    given(&plain, "0123456789");
    let quiet = Request::new("GET", &plain).header("Range", "bytes=0-9").sign().send();
    shows(&mut table, "not asked", &quiet, 206, None);
}
