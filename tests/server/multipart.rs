//! Multipart uploads: numbers, ids, order and sizes of parts, and what they may not be.

use crate::check::{Table, assert_stored, exists, given, refusal};
use crate::harness::unique;
use crate::sign::Sign as _;
use crate::wire::{Request, Response};

const PART_BYTES_MIN: usize = 5 * 1024 * 1024;

/// Starts an upload.
pub fn create(path: &str) -> String {
    let response = Request::new("POST", &format!("{path}?uploads=")).body("").sign().send().expect(200);
    response.element("UploadId").expect("an id")
}

/// Uploads a part and gives its tag.
pub fn part(path: &str, id: &str, number: u32, body: &[u8]) -> String {
    let target = format!("{path}?partNumber={number}&uploadId={id}");
    let response = Request::new("PUT", &target).presign().body(body).send().expect(200);
    response.header("etag").expect("a tag").to_owned()
}

/// Completes an upload of these `Part` elements.
pub fn complete(path: &str, id: &str, parts: &str) -> Response {
    let document = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    Request::new("POST", &format!("{path}?uploadId={id}")).body(document).sign().send()
}

fn element(number: u32, etag: &str) -> String {
    format!("<Part><PartNumber>{number}</PartNumber><ETag>{}</ETag></Part>", etag.replace('"', "&quot;"))
}

/// A part that was dropped because of its spelling would be missing from the object.
#[test]
fn documents_with_what_is_not_known() {
    let mut table = Table::default();
    let path = unique("misspelt");
    let id = create(&path);
    let etag = part(&path, &id, 1, b"one");
    let one = element(1, &etag);
    for more in ["<part/>", &one.replace("Part>", "part>"), "<Parts/>"] {
        table.status(more, &complete(&path, &id, &format!("{one}{more}")), 400);
    }
    let odd = one.replace("</Part>", "<ChecksumSHA3>AAAA</ChecksumSHA3></Part>");
    table.status("a checksum", &complete(&path, &id, &odd), 400);
    let document = format!("<CompleteMultipartUpload>{one}</CompleteMultipartUpload>");
    let target = format!("{path}?uploadId={id}");
    let named = Request::new("POST", &target).header("x-amz-checksum-sha3", "AAAA").body(&document).sign();
    table.status("a checksum in a header", &named.send(), 400);
    for (encoding, status) in [("ISO-8859-1", 400), ("UTF-16", 400), ("utf-8", 200)] {
        let declared = format!("<?xml version=\"1.0\" encoding=\"{encoding}\"?>{document}");
        table.status(encoding, &Request::new("POST", &target).body(declared).sign().send(), status);
    }
}

#[test]
fn parts_make_an_object() {
    let mut table = Table::default();
    let path = unique("parts");
    let id = create(&path);
    let (first, last) = (vec![b'a'; PART_BYTES_MIN], b"the end".to_vec());
    let etags = [part(&path, &id, 2, &first), part(&path, &id, 10_000, &last)];
    table.check("not there yet", !exists(&path));
    let response = complete(&path, &id, &(element(2, &etags[0]) + &element(10_000, &etags[1])));
    table.status("complete", &response, 200);
    let etag = response.element("ETag").unwrap_or_default();
    table.check(&format!("the tag {etag}"), etag.ends_with("-2\""));
    assert_stored(&path, [first, last].concat());
    for (number, status, length) in
        [("1", 206, "5242880"), ("2", 206, "7"), ("3", 416, ""), ("0", 400, ""), ("x", 400, "")]
    {
        let response = Request::new("GET", &path).add_query(&format!("partNumber={number}")).sign().send();
        table.status(&format!("part {number}"), &response, status);
        if status == 206 {
            let right = response.header("content-length") == Some(length)
                && response.header("x-amz-mp-parts-count") == Some("2");
            table.check(&format!("part {number}: {:?}", response.headers), right);
        }
    }
    let gone = complete(&path, &id, &element(2, &etags[0]));
    // S3 answers a repeated completion like the first one for a while; a server without that memory says 404.
    table.check(&format!("again: {}", gone.status), [200, 404].contains(&gone.status));
}

#[test]
fn part_numbers() {
    let mut table = Table::default();
    let path = unique("numbers");
    let id = create(&path);
    let message = "Part number must be an integer between 1 and 10000, inclusive";
    for number in ["0", "10001", "-1", "1.5", "one", "", "99999999999999999999", "%2B1"] {
        let decoded = number.replace("%2B", "+");
        let elements = [("ArgumentName", "partNumber"), ("ArgumentValue", decoded.as_str())];
        let expected = refusal(400, "InvalidArgument", message, &elements);
        let target = format!("{path}?partNumber={number}&uploadId={id}");
        for request in
            [Request::new("PUT", &target).body("x").sign(), Request::new("PUT", &target).presign().body("x")]
        {
            table.refused(&format!("{number:?}"), &request.send(), &expected);
        }
    }
    let list = Request::new("GET", &format!("{path}?uploadId={id}")).sign().send();
    table.check("no parts", list.status == 200 && !list.text().contains("<Part>"));
    table.check("stored", !exists(&path));
}

#[test]
fn uploads_that_are_unknown() {
    let mut table = Table::default();
    let (path, other) = (unique("unknown"), unique("unknown"));
    let message = "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.";
    let elsewhere = create(&other);
    let aborted = create(&path);
    Request::new("DELETE", &format!("{path}?uploadId={aborted}")).sign().send().expect(204);
    let long = "a".repeat(2000);
    for id in ["abc", "", &elsewhere, &aborted, &long, "..%2F..%2Fetc", "%F0%9F%98%80", "%3Cid%3E"] {
        let decoded = id
            .replace("%2F", "/")
            .replace("%F0%9F%98%80", "\u{1f600}")
            .replace("%3C", "<")
            .replace("%3E", ">");
        let elements = [("UploadId", decoded.as_str())];
        let expected = refusal(404, "NoSuchUpload", message, &elements);
        let put = Request::new("PUT", &format!("{path}?partNumber=1&uploadId={id}")).body("x").sign();
        table.refused(&format!("part of {id:?}"), &put.send(), &expected);
        let put = Request::new("PUT", &format!("{path}?partNumber=1&uploadId={id}")).presign().body("x");
        table.refused(&format!("part of {id:?}, presigned"), &put.send(), &expected);
        let list = Request::new("GET", &format!("{path}?uploadId={id}")).sign();
        table.refused(&format!("list {id:?}"), &list.send(), &expected);
        let abort = Request::new("DELETE", &format!("{path}?uploadId={id}")).sign();
        table.refused(&format!("abort {id:?}"), &abort.send(), &expected);
        let response = complete(&path, id, &element(1, "\"00000000000000000000000000000000\""));
        table.refused(&format!("complete {id:?}"), &response, &expected);
    }
    table.check("stored", !exists(&path));
    let list = Request::new("GET", &format!("{other}?uploadId={elsewhere}")).sign().send();
    table.status("the other upload is still there", &list, 200);
}

#[test]
fn completions_that_do_not_hold() {
    let mut table = Table::default();
    let path = unique("completion");
    let id = create(&path);
    let large = vec![b'a'; PART_BYTES_MIN];
    let etags = [part(&path, &id, 1, &large), part(&path, &id, 2, b"small"), part(&path, &id, 3, b"end")];
    let upload = ("UploadId", id.as_str());
    let order = "The list of parts was not in ascending order. Parts must be ordered by part number.";
    let order = refusal(400, "InvalidPartOrder", order, std::slice::from_ref(&upload));
    let backwards = element(2, &etags[1]) + &element(1, &etags[0]);
    table.refused("backwards", &complete(&path, &id, &backwards), &order);
    let twice = element(1, &etags[0]) + &element(1, &etags[0]);
    table.refused("twice", &complete(&path, &id, &twice), &order);
    let small = complete(&path, &id, &(element(2, &etags[1]) + &element(3, &etags[2])));
    table.status("too small", &small, 400);
    let right = small.element("Code").as_deref() == Some("EntityTooSmall")
        && small.element("Message").as_deref()
            == Some("Your proposed upload is smaller than the minimum allowed size")
        && small.element("ProposedSize").as_deref() == Some("5")
        && small.element("MinSizeAllowed").as_deref() == Some("5242880");
    table.check(&format!("too small: {}", small.text()), right);
    let zeros = "\"00000000000000000000000000000000\"";
    for (case, parts) in [
        ("not uploaded", element(1, &etags[0]) + &element(4, &etags[2])),
        ("another tag", element(1, zeros)),
        ("the tag of another part", element(1, &etags[1])),
        ("a tag that is none", element(1, "tag")),
    ] {
        let response = complete(&path, &id, &parts);
        table.status(case, &response, 400);
        table.check(case, response.element("Code").as_deref() == Some("InvalidPart"));
    }
    table.check("stored", !exists(&path));
    let size = |size: &str| {
        let document =
            format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", element(3, &etags[2]));
        let request =
            Request::new("POST", &format!("{path}?uploadId={id}")).header("x-amz-mp-object-size", size);
        request.body(document).sign().send()
    };
    let message = "The provided 'x-amz-mp-object-size' header value 5 does not match what was computed: 3";
    table.refused("another size", &size("5"), &refusal(400, "InvalidRequest", message, &[]));
    table.status("the size", &size("3"), 200);
    assert_stored(&path, "end");
}

#[test]
fn parts_with_wrong_checksums() {
    let mut table = Table::default();
    let path = unique("checksums");
    let create = |headers: &[(&str, &str)]| {
        Request::new("POST", &format!("{path}?uploads=")).headers(headers).body("").sign().send()
    };
    let algorithm = "x-amz-checksum-algorithm";
    let kind = "x-amz-checksum-type";
    for (headers, message) in [
        (
            &[(algorithm, "CRC64NVME"), (kind, "COMPOSITE")][..],
            "The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.",
        ),
        (
            &[(algorithm, "SHA1"), (kind, "FULL_OBJECT")],
            "The FULL_OBJECT checksum type cannot be used with the sha1 checksum algorithm.",
        ),
        (
            &[(kind, "COMPOSITE")],
            "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.",
        ),
        (
            &[(algorithm, "CRC16")],
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
        ),
    ] {
        table.refused(message, &create(headers), &refusal(400, "InvalidRequest", message, &[]));
    }
    let id = create(&[(algorithm, "SHA256")]).element("UploadId").expect("an id");
    let target = format!("{path}?partNumber=1&uploadId={id}");
    for (headers, actual) in [(&[][..], "null"), (&[("x-amz-checksum-crc32", "DUoRhQ==")], "crc32")] {
        let put = Request::new("PUT", &target).headers(headers).body("hello world").sign();
        let message = format!(
            "Checksum Type mismatch occurred, expected checksum Type: sha256, actual checksum Type: {actual}"
        );
        table.refused(actual, &put.send(), &refusal(400, "InvalidRequest", &message, &[]));
    }
    let id = crate::multipart::create(&path);
    let target = format!("{path}?partNumber=1&uploadId={id}");
    let put =
        Request::new("PUT", &target).header("x-amz-checksum-crc32", "AAAAAA==").body("hello world").presign();
    let response = put.send();
    table.status("a wrong checksum", &response, 400);
}

/// Starts an upload of one part, and gives its id and the document that completes it.
fn begin(path: &str) -> (String, String) {
    let id = create(path);
    let etag = part(path, &id, 1, b"completed");
    (id, format!("<CompleteMultipartUpload>{}</CompleteMultipartUpload>", element(1, &etag)))
}

#[test]
fn completions_with_conditions() {
    let mut table = Table::default();
    let path = unique("conditions");
    let complete = |(id, document): &(String, String), name: &str, value: &str| {
        let request = Request::new("POST", &format!("{path}?uploadId={id}")).header(name, value);
        request.body(document).sign().send()
    };
    let put = || {
        let stored = Request::new("PUT", &path).body("written").sign().send().expect(200);
        stored.header("etag").expect("a tag").to_owned()
    };
    let key = path.trim_start_matches("/bucket1/");
    let missing_elements = [("Key", key)];
    let missing = refusal(404, "NoSuchKey", "The specified key does not exist.", &missing_elements);
    let message = "At least one of the pre-conditions you specified did not hold";
    let failed = |elements| refusal(412, "PreconditionFailed", message, elements);
    let first = begin(&path);
    table.refused("a tag of nothing", &complete(&first, "If-Match", "\"abc\""), &missing);
    let tagged = complete(&first, "If-None-Match", "\"abc\"");
    table.status("no tag is taken", &tagged, 501);
    table.status("of nothing", &complete(&first, "If-None-Match", "*"), 200);
    let second = begin(&path);
    let there = complete(&second, "If-None-Match", "*");
    table.refused("of something", &there, &failed(&[("Condition", "If-None-Match")]));
    let other = complete(&second, "If-Match", "\"00000000000000000000000000000000\"");
    table.refused("another tag", &other, &failed(&[("Condition", "If-Match")]));
    let head = Request::new("HEAD", &path).sign().send();
    let etag = head.header("etag").expect("a tag").to_owned();
    table.status("the tag", &complete(&second, "If-Match", &etag), 200);
    let late = begin(&path);
    // Dates are kept to the millisecond.
    std::thread::sleep(std::time::Duration::from_millis(10));
    let etag = put();
    let message =
        "The conditional request cannot succeed due to a conflicting operation against this resource.";
    let elements = [("Condition", "If-Match"), ("Key", key)];
    let conflict = refusal(409, "ConditionalRequestConflict", message, &elements);
    table.refused("written after the start", &complete(&late, "If-Match", &etag), &conflict);
    table.refused("again", &complete(&late, "If-Match", &etag), &conflict);
    Request::new("DELETE", &path).sign().send().expect(204);
    let elements = [("Condition", "If-None-Match"), ("Key", key)];
    let conflict = refusal(409, "ConditionalRequestConflict", message, &elements);
    table.refused("deleted after the start", &complete(&late, "If-None-Match", "*"), &conflict);
    table.check("stored", !exists(&path));
    let upload = Request::new("GET", &format!("{path}?uploadId={}", late.0)).sign().send();
    table.status("the upload stays", &upload, 200);
    let anew = begin(&path);
    put();
    Request::new("DELETE", &path).sign().send().expect(204);
    table.status("come and gone after the start", &complete(&anew, "If-None-Match", "*"), 200);
    assert_stored(&path, "completed");
}

#[test]
fn a_bucket_goes_with_its_uploads() {
    let mut table = Table::default();
    table.status("made", &Request::new("PUT", "/upload-bucket").sign().send(), 200);
    let id = create("/upload-bucket/key");
    part("/upload-bucket/key", &id, 1, b"part");
    table.status("deleted", &Request::new("DELETE", "/upload-bucket").sign().send(), 204);
    table.status("made again", &Request::new("PUT", "/upload-bucket").sign().send(), 200);
    let list = Request::new("GET", "/upload-bucket?uploads=").sign().send();
    table.check("no uploads", list.status == 200 && !list.text().contains("<Upload>"));
    given("/upload-bucket/key", "x");
    let response = Request::new("DELETE", "/upload-bucket").sign().send();
    let message = "The bucket you tried to delete is not empty";
    let elements = [("BucketName", "upload-bucket")];
    table.refused("not empty", &response, &refusal(409, "BucketNotEmpty", message, &elements));
}
