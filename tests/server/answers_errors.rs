//! Details of refusals, and what S3 does not refuse: dates in the future, expectations, what stands behind a body.

use crate::check::{Table, assert_stored, exists, given, refusal};
use crate::chunked::{MODES, upload};
use crate::harness::unique;
use crate::multipart::create;
use crate::sign::{Sign as _, http_date, time_at};
use crate::versions::{bucket, mark_deleted, of, put, set_versioning, versioned};
use crate::wire::{Connection, Request, Response};

const DAY: i64 = 86_400;
const NO_SUCH_KEY: &str = "The specified key does not exist.";
const NOT_AGAINST: &str = "The specified method is not allowed against this resource.";

/// Sends one of the three requests about tags.
fn tagging(method: &str, target: &str) -> Response {
    let mark = if target.contains('?') { '&' } else { '?' };
    let request = Request::new(method, &format!("{target}{mark}tagging="));
    let document = "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>";
    let request = if method == "PUT" { request.document(document) } else { request };
    request.sign().send()
}

/// Recorded: test_object_tagging_versioned (the current version is a marker, or one is named).
#[test]
fn tags_of_markers() {
    let mut table = Table::default();
    let name = "/answers-tag-markers";
    versioned(name);
    let path = format!("{name}/key");
    let id = put(&path, "x");
    let marker = mark_deleted(&path);
    set_versioning(name, "Suspended");
    let null = format!("{name}/null");
    given(&null, "x");
    Request::new("DELETE", &null).sign().send().expect(204);
    for method in ["GET", "PUT", "DELETE"] {
        let elements = [("Method", method), ("ResourceType", "DeleteMarker")];
        let expected = refusal(405, "MethodNotAllowed", NOT_AGAINST, &elements);
        for target in [path.clone(), of(&path, &marker), null.clone(), of(&null, "null")] {
            table.refused(&format!("{method} {target}"), &tagging(method, &target), &expected);
        }
    }
    table.status("the version behind it", &tagging("PUT", &of(&path, &id)), 200);
    table.status("the version behind it", &tagging("GET", &of(&path, &id)), 200);
}

/// Recorded: test_object_tagging_exc (GET names the key with its bucket, the others without).
#[test]
fn tags_of_nothing() {
    let mut table = Table::default();
    for name in ["/answers-tag-nothing", "/answers-tag-nothing-versioned"] {
        bucket(name);
        if name.ends_with("versioned") {
            set_versioning(name, "Enabled");
        }
        for key in ["fake-key", "a/b c"] {
            let target = format!("{name}/{}", key.replace(' ', "%20"));
            let whole = format!("{}/{key}", &name[1..]);
            for (method, shown) in [("GET", whole.as_str()), ("PUT", key), ("DELETE", key)] {
                let elements = [("Key", shown)];
                let expected = refusal(404, "NoSuchKey", NO_SUCH_KEY, &elements);
                table.refused(&format!("{method} {target}"), &tagging(method, &target), &expected);
            }
        }
        let missing = Request::new("GET", &format!("{name}/fake-key")).sign().send();
        let elements = [("Key", "fake-key")];
        table.refused("the object", &missing, &refusal(404, "NoSuchKey", NO_SUCH_KEY, &elements));
    }
}

/// Recorded: test_s3_get_object_preconditions (GET and HEAD), test_s3_copy_object_preconditions,
/// test_upload_part_copy_with_copy_source_if_modified_since_in_future_success; RFC 9110, 13.1.3.
#[test]
fn dates_in_the_future_are_no_conditions() {
    let mut table = Table::default();
    let path = unique("answers-future");
    given(&path, "data");
    let modified = Request::new("HEAD", &path).sign().send();
    let modified = modified.header("last-modified").expect("a date").to_owned();
    let id = create(&path);
    let part = format!("{path}?partNumber=1&uploadId={id}");
    let failed = |name| {
        let elements: &'static [(&str, &str)] = match name {
            "Modified" => &[("Condition", "x-amz-copy-source-If-Modified-Since")],
            _ => &[("Condition", "x-amz-copy-source-If-None-Match")],
        };
        refusal(
            412,
            "PreconditionFailed",
            "At least one of the pre-conditions you specified did not hold",
            elements,
        )
    };
    for (case, seconds) in [("in an hour", 3600), ("tomorrow", DAY), ("in ten years", 3650 * DAY)] {
        let date = http_date(time_at(seconds));
        for method in ["GET", "HEAD"] {
            let ask = |headers: &[(&str, &str)]| Request::new(method, &path).headers(headers).sign().send();
            let since = ("If-Modified-Since", date.as_str());
            table.status(&format!("{method} {case}"), &ask(&[since]), 200);
            table.status(
                &format!("{method} {case}, unmodified"),
                &ask(&[("If-Unmodified-Since", &date)]),
                200,
            );
            let tag = ("If-None-Match", "\"8d777f385d3dfec8815d20f7496026dc\"");
            table.status(&format!("{method} {case}, and the tag"), &ask(&[since, tag]), 304);
        }
        for target in [format!("{path}-copy"), part.clone()] {
            let copy = |headers: &[(&str, &str)]| {
                let copy = Request::new("PUT", &target).header("x-amz-copy-source", &path);
                copy.headers(headers).sign().send()
            };
            let since = ("x-amz-copy-source-if-modified-since", date.as_str());
            table.status(&format!("copy {case}"), &copy(&[since]), 200);
            let tag = ("x-amz-copy-source-if-none-match", "8d777f385d3dfec8815d20f7496026dc");
            table.refused(&format!("copy {case}, and the tag"), &copy(&[since, tag]), &failed("None"));
        }
    }
    for method in ["GET", "HEAD"] {
        let same = Request::new(method, &path).header("If-Modified-Since", &modified).sign().send();
        table.status(&format!("{method} not since it was"), &same, 304);
    }
    for target in [format!("{path}-copy"), part] {
        let copy = Request::new("PUT", &target).header("x-amz-copy-source", &path);
        let same = copy.header("x-amz-copy-source-if-modified-since", &modified).sign().send();
        table.refused("copy not since it was", &same, &failed("Modified"));
    }
}

/// Asserted by a test that was run on AWS: test_pre_signed_url_forward_slash_bucket (that a GET meets a URL for PUT
/// there does not matter). Inferred: GET for GET, and more slashes.
#[test]
fn a_slash_before_the_bucket_is_signed() {
    let mut table = Table::default();
    let path = unique("answers-slash");
    given(&path, "123");
    for (signed, sent) in [("GET", "GET"), ("PUT", "GET"), ("GET", "HEAD")] {
        let request = Request::new(signed, &path).presign().edit("/bucket1", "/%2Fbucket1");
        let request = Request { method: sent.to_owned(), ..request };
        let response = request.send();
        table.status(&format!("{signed}, {sent}"), &response, 403);
        if sent == "HEAD" {
            continue;
        }
        let canonical = response.element("CanonicalRequest").unwrap_or_default();
        let right = response.element("Code").as_deref() == Some("SignatureDoesNotMatch")
            && canonical.starts_with(&format!("{sent}\n/{path}\n"));
        table.check(&format!("{signed}, {sent}: {}", response.text()), right);
    }
}

/// Stated: two tests for objects and two for buckets of ceph/s3-tests, run on AWS long ago; S3's list of codes has no
/// ExpectationFailed. Decided: what is not `100-continue` is as if it was not there.
#[test]
fn other_expectations_are_nothing() {
    let mut table = Table::default();
    for (number, value) in ["200", "", "200-ok", "a=b"].into_iter().enumerate() {
        for presigned in [true, false] {
            let path = unique("answers-expect");
            let put = Request::new("PUT", &path).body("hello");
            let put = if presigned { put.presign() } else { put.sign() };
            table.status(&format!("PUT {value:?}"), &put.header("Expect", value).send(), 200);
            if exists(&path) {
                assert_stored(&path, "hello");
            }
            let get = Request::new("GET", "/bucket1").sign().header("Expect", value);
            table.status(&format!("GET {value:?}"), &get.send(), 200);
        }
        let made = Request::new("PUT", &format!("/answers-expect-{number}")).sign().header("Expect", value);
        table.status(&format!("a bucket {value:?}"), &made.send(), 200);
    }
}

/// Decided (attacks L11): what stands behind the end of a framed body is ignored, as S3 does, up to 64 KiB.
#[test]
fn little_may_stand_behind_a_framed_body() {
    let mut table = Table::default();
    for mode in MODES {
        for (bytes, status) in [(1000, 200), (65_000, 200), (70_000, 400), (1 << 20, 400), (6 << 20, 400)] {
            let path = unique("answers-behind");
            let framed = upload(&path, mode, 11).chunk("hello world").last().hello_trailer().end();
            let request = framed.raw(vec![b'x'; bytes]).request();
            for sized in [true, false] {
                let case = if sized { "with a length" } else { "in chunks" };
                let response = if sized { request.send() } else { in_chunks(&request) };
                let case = format!("{mode:?}, {bytes} bytes, {case}");
                table.status(&case, &response, status);
                if status == 200 {
                    assert_stored(&path, "hello world");
                    Request::new("DELETE", &path).sign().send().expect(204);
                    continue;
                }
                let code = response.element("Code");
                table.check(&format!("{case}: {code:?}"), code.as_deref() == Some("IncompleteBody"));
                table.check(&format!("{case}: stored"), !exists(&path));
            }
        }
    }
}

/// Sends a request without its length, in chunks of HTTP.
fn in_chunks(request: &Request) -> Response {
    let request = request.clone().without("Content-Length").header("Transfer-Encoding", "chunked");
    let mut bytes = request.head();
    for chunk in request.body.chunks(100_000) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    let mut connection = Connection::open(request.address);
    connection.write(&bytes);
    connection.response(&request.method)
}

/// Stated: Swift's suite, written against AWS (an unsigned stream may end after `0\r\n`, and after the trailer's own
/// CRLF; half a CRLF and a trailer line without its CRLF are IncompleteBody). As it was: nothing is to be mended here.
#[test]
fn framed_bodies_may_end_early() {
    let mut table = Table::default();
    for mode in MODES {
        let path = unique("answers-early");
        let early = upload(&path, mode, 11).chunk("hello world").last().hello_trailer();
        table.status(&format!("{mode:?}"), &early.clone().request().send(), 200);
        Request::new("DELETE", &path).sign().send().expect(204);
        let half = early.raw("\r").request().send();
        table.status(&format!("{mode:?}, half a line end"), &half, 400);
        let code = half.element("Code");
        table.check(&format!("{mode:?}: {code:?}"), code.as_deref() == Some("IncompleteBody"));
        table.check("stored", !exists(&path));
    }
}
