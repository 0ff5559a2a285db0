//! GetObjectAttributes: what is known of an object, and of the parts that made it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::check::{Table, given, refusal};
use crate::harness::unique;
use crate::sign::Sign as _;
use crate::versions::{id_of, mark_deleted, of, put, versioned};
use crate::wire::{Request, Response};

const ALL: &str = "ETag,Checksum,ObjectParts,StorageClass,ObjectSize";
const PART_BYTES_MIN: usize = 5 * 1024 * 1024;

fn attributes(path: &str, names: &str, headers: &[(&str, &str)]) -> Response {
    let mark = if path.contains('?') { '&' } else { '?' };
    let request = Request::new("GET", &format!("{path}{mark}attributes="));
    request.header("x-amz-object-attributes", names).headers(headers).sign().send()
}

/// The base64 of a SHA-256.
fn sha256(data: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(data))
}

fn is(response: &Response, element: &str, value: &str) -> bool {
    response.element(element).as_deref() == Some(value)
}

/// Uploads these bodies as parts with SHA-256s, and completes them with a checksum of those.
fn upload(path: &str, bodies: &[Vec<u8>]) -> Response {
    let create = Request::new("POST", &format!("{path}?uploads="))
        .headers(&[("x-amz-checksum-algorithm", "SHA256"), ("x-amz-checksum-type", "COMPOSITE")]);
    let id = create.sign().send().expect(200).element("UploadId").expect("an id");
    let mut parts = String::new();
    for (number, body) in (1..).zip(bodies) {
        let sum = sha256(body);
        let put = Request::new("PUT", &format!("{path}?partNumber={number}&uploadId={id}"))
            .header("x-amz-checksum-sha256", &sum)
            .body(body)
            .presign();
        let etag = put.send().expect(200).header("etag").expect("a tag").to_owned();
        parts.push_str(&format!(
            "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag><ChecksumSHA256>{sum}</ChecksumSHA256></Part>"
        ));
    }
    crate::multipart::complete(path, &id, &parts).expect(200)
}

#[test]
fn attributes_of_an_object() {
    let mut table = Table::default();
    let path = unique("attributes");
    let stored = Request::new("PUT", &path)
        .headers(&[("x-amz-checksum-sha256", &sha256(b"hello")), ("x-amz-storage-class", "STANDARD_IA")])
        .body("hello");
    stored.sign().send().expect(200);
    let head = Request::new("HEAD", &path).sign().send();
    let found = attributes(&path, ALL, &[]);
    table.status("all", &found, 200);
    let start = "<GetObjectAttributesResponse xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    table.check(&format!("the root: {}", found.text()), found.text().contains(start));
    for (element, value) in [
        ("ETag", "5d41402abc4b2a76b9719d911017c592"),
        ("ChecksumSHA256", &sha256(b"hello")),
        ("ChecksumType", "FULL_OBJECT"),
        ("StorageClass", "STANDARD_IA"),
        ("ObjectSize", "5"),
    ] {
        table.check(&format!("{element}: {:?}", found.element(element)), is(&found, element, value));
    }
    table.check("no parts", found.element("ObjectParts").is_none());
    table.check("Last-Modified", found.header("last-modified") == head.header("last-modified"));
    for name in ["etag", "x-amz-version-id", "x-amz-delete-marker"] {
        table.check(&format!("{name} is no header of it"), found.header(name).is_none());
    }
    for name in ["ETag", "Checksum", "StorageClass", "ObjectSize"] {
        let one = attributes(&path, name, &[]).expect(200);
        for other in ["ETag", "Checksum", "StorageClass", "ObjectSize"] {
            table.check(&format!("{other} of {name}"), one.element(other).is_some() == (name == other));
        }
    }
    let spaced = attributes(&path, "ObjectSize, ETag", &[]).expect(200);
    table.check("with spaces", spaced.element("ETag").is_some() && spaced.element("ObjectSize").is_some());
    let url = Request::new("GET", &format!("{path}?attributes=&x-amz-object-attributes=ObjectSize"));
    table.check("presigned", is(&url.presign().send(), "ObjectSize", "5"));
    let signed =
        Request::new("GET", &format!("{path}?attributes=")).header("x-amz-object-attributes", "ETag");
    table.status("presigned, the header signed", &signed.presign().send(), 200);
}

#[test]
fn attributes_that_cannot_be_had() {
    let mut table = Table::default();
    let path = unique("no-attributes");
    given(&path, "x");
    let none = Request::new("GET", &format!("{path}?attributes=")).sign().send();
    let message = "Missing required header for this request: x-amz-object-attributes";
    table.refused("no names", &none, &refusal(400, "InvalidRequest", message, &[]));
    for names in ["Owner", "ETag,Owner", "etag", "ETag,,ObjectSize"] {
        let elements = [("ArgumentName", "x-amz-object-attributes"), ("ArgumentValue", names)];
        let message = "Invalid attribute name specified.";
        let expected = refusal(400, "InvalidArgument", message, &elements);
        table.refused(names, &attributes(&path, names, &[]), &expected);
    }
    let missing = unique("no-attributes");
    let elements = [("Key", missing.trim_start_matches("/bucket1/"))];
    let expected = refusal(404, "NoSuchKey", "The specified key does not exist.", &elements);
    table.refused("no object", &attributes(&missing, ALL, &[]), &expected);
}

#[test]
fn parts_of_a_composite_upload() {
    let mut table = Table::default();
    let path = unique("attribute-parts");
    let bodies = [vec![b'a'; PART_BYTES_MIN], vec![b'b'; PART_BYTES_MIN + 1], b"the end".to_vec()];
    let done = upload(&path, &bodies);
    let raw: Vec<u8> = bodies.iter().flat_map(|body| Sha256::digest(body).to_vec()).collect();
    let whole = format!("{}-3", sha256(&raw));
    table.check("the whole", is(&done, "ChecksumSHA256", &whole) && is(&done, "ChecksumType", "COMPOSITE"));
    let found = attributes(&path, ALL, &[]).expect(200);
    let checksum = found.element("Checksum").unwrap_or_default();
    // Here without the number of parts: recorded, test_complete_multipart_parts_checksum_composite.
    let digest = sha256(&raw);
    let expected = format!("<ChecksumSHA256>{digest}</ChecksumSHA256><ChecksumType>COMPOSITE</ChecksumType>");
    table.check(&format!("the checksum: {checksum}"), checksum == expected);
    let size: usize = bodies.iter().map(Vec::len).sum();
    table.check("the size", is(&found, "ObjectSize", &size.to_string()));
    table.check("the tag", found.element("ETag").is_some_and(|etag| etag.ends_with("-3")));
    let parts: Vec<String> = (1..)
        .zip(&bodies)
        .map(|(number, body)| {
            format!(
                "<PartNumber>{number}</PartNumber><Size>{}</Size><ChecksumSHA256>{}</ChecksumSHA256>",
                body.len(),
                sha256(body)
            )
        })
        .collect();
    table.check(&format!("the parts: {}", found.text()), found.elements("Part") == parts);
    for (max, marker, from, next, truncated) in [
        ("", "", 0..3, "3", "false"),
        ("2", "", 0..2, "2", "true"),
        ("2", "2", 2..3, "3", "false"),
        ("1", "1", 1..2, "2", "true"),
        ("3", "0", 0..3, "3", "false"),
        ("5000", "", 0..3, "3", "false"),
    ] {
        let case = format!("{max} parts behind {marker:?}");
        let asked = [("x-amz-max-parts", max), ("x-amz-part-number-marker", marker)];
        let asked: Vec<_> = asked.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let page = attributes(&path, "ObjectParts", &asked).expect(200);
        table.check(&format!("{case}: {}", page.text()), page.elements("Part") == parts[from]);
        let max = if max.is_empty() || max == "5000" { "1000" } else { max };
        let marker = if marker.is_empty() { "0" } else { marker };
        for (element, value) in [
            ("PartsCount", "3"),
            ("MaxParts", max),
            ("PartNumberMarker", marker),
            ("NextPartNumberMarker", next),
            ("IsTruncated", truncated),
        ] {
            table.check(&format!("{case}: {element}"), is(&page, element, value));
        }
    }
    for (name, value) in [
        ("x-amz-max-parts", "-1"),
        ("x-amz-max-parts", "many"),
        ("x-amz-part-number-marker", "-1"),
        ("x-amz-part-number-marker", "x"),
    ] {
        let response = attributes(&path, "ObjectParts", &[(name, value)]);
        table.status(&format!("{name}: {value}"), &response, 400);
        table.check(&format!("{name}: {value}"), is(&response, "Code", "InvalidArgument"));
    }
}

#[test]
fn parts_of_other_uploads_are_counted() {
    let mut table = Table::default();
    let path = unique("attribute-count");
    let id = crate::multipart::create(&path);
    let bodies = [vec![b'a'; PART_BYTES_MIN], b"the end".to_vec()];
    let parts: String = (1..)
        .zip(&bodies)
        .map(|(number, body)| {
            let etag = crate::multipart::part(&path, &id, number, body);
            format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>")
        })
        .collect();
    crate::multipart::complete(&path, &id, &parts).expect(200);
    let found = attributes(&path, "ObjectParts,Checksum", &[]).expect(200);
    table.check(&format!("the count: {}", found.text()), is(&found, "PartsCount", "2"));
    table.check("no parts", found.elements("Part").is_empty());
    table.check("the checksum of the whole", is(&found, "ChecksumType", "FULL_OBJECT"));
    let sum = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &bodies.concat());
    let sum = STANDARD.encode(sum.to_be_bytes());
    table.check("the checksum", is(&found, "ChecksumCRC64NVME", &sum));
}

#[test]
fn attributes_of_versions() {
    let mut table = Table::default();
    versioned("/attribute-versions");
    let path = "/attribute-versions/key";
    let (old, new) = (put(path, "old"), put(path, "newer"));
    for (target, size, version) in [(path.to_owned(), "5", &new), (of(path, &old), "3", &old)] {
        let found = attributes(&target, "ObjectSize", &[]).expect(200);
        table.check(&target, is(&found, "ObjectSize", size) && id_of(&found) == *version);
    }
    let marker = mark_deleted(path);
    let deleted = attributes(path, ALL, &[]);
    let elements = [("Key", "key")];
    let missing = refusal(404, "NoSuchKey", "The specified key does not exist.", &elements);
    table.refused("deleted", &deleted, &missing);
    let elements = [("Method", "GET"), ("ResourceType", "DeleteMarker")];
    let message = "The specified method is not allowed against this resource.";
    let named = attributes(&of(path, &marker), ALL, &[]);
    table.refused("a marker", &named, &refusal(405, "MethodNotAllowed", message, &elements));
    for response in [&deleted, &named] {
        table.check("the marker", response.header("x-amz-delete-marker") == Some("true"));
        table.check("its version", response.header("x-amz-version-id") == Some(&marker));
    }
    let found = attributes(&of(path, &new), "ObjectSize", &[]);
    table.check("behind the marker", is(&found, "ObjectSize", "5"));
}
