//! Requests that nobody signed, and preflights.

use crate::check::{ACCESS_DENIED, Refusal, Table, assert_stored, exists, given, refusal};
use crate::harness::unique;
use crate::wire::Request;

fn no_bucket() -> Refusal<'static> {
    refusal(404, "NoSuchBucket", "The specified bucket does not exist", &[("BucketName", "no-such-bucket")])
}

#[test]
fn nobody_may_do_anything() {
    let mut table = Table::default();
    let path = unique("private");
    given(&path, "first");
    for (method, target) in [
        ("GET", path.clone()),
        ("PUT", path.clone()),
        ("DELETE", path.clone()),
        ("GET", unique("missing")),
        ("GET", format!("{path}?acl")),
        ("POST", format!("{path}?uploads")),
        ("PUT", format!("{path}?partNumber=1&uploadId=abc")),
        ("GET", "/bucket1".to_owned()),
        ("GET", "/bucket1?list-type=2".to_owned()),
        ("PUT", "/bucket1".to_owned()),
        ("DELETE", "/bucket1".to_owned()),
        ("POST", "/bucket1?delete".to_owned()),
        ("GET", "/".to_owned()),
        ("GET", "/bucket1?location".to_owned()),
    ] {
        let response = Request::new(method, &target).body("x").send();
        table.refused(&format!("{method} {target}"), &response, &ACCESS_DENIED);
    }
    let query = Request::new("PUT", &path).add_query("x-id=PutObject&requestedBy=me").body("x");
    table.refused("an ordinary query", &query.send(), &ACCESS_DENIED);
    assert_stored(&path, "first");
}

#[test]
fn a_missing_bucket_is_no_secret() {
    let mut table = Table::default();
    for (method, target) in [
        ("GET", "/no-such-bucket"),
        ("GET", "/no-such-bucket/key"),
        ("PUT", "/no-such-bucket/key"),
        ("DELETE", "/no-such-bucket/key"),
        ("GET", "/no-such-bucket?list-type=2"),
    ] {
        let response = Request::new(method, target).body("x").send();
        table.refused(&format!("{method} {target}"), &response, &no_bucket());
    }
    let head = Request::new("HEAD", "/no-such-bucket/key").send();
    table.status("HEAD", &head, 404);
    table.status("HEAD of one that is there", &Request::new("HEAD", "/bucket1").send(), 403);
}

#[test]
fn nobody_makes_buckets() {
    let mut table = Table::default();
    let response = Request::new("PUT", "/made-by-nobody").send();
    table.check(&format!("{}", response.status), [403, 404].contains(&response.status));
    use crate::sign::Sign as _;
    table.status("made", &Request::new("HEAD", "/made-by-nobody").sign().send(), 404);
}

#[test]
fn unsigned_framing_does_not_help() {
    let mut table = Table::default();
    let path = unique("anonymous");
    let put = Request::new("PUT", &path)
        .headers(&[
            ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
            ("x-amz-decoded-content-length", "1"),
        ])
        .body("1\r\nx\r\n0\r\n\r\n");
    table.refused_write("unsigned trailer", &put, &ACCESS_DENIED);
    let put = Request::new("PUT", &path).header("x-amz-content-sha256", "UNSIGNED-PAYLOAD").body("x");
    table.refused_write("unsigned payload", &put, &ACCESS_DENIED);
    table.check("stored", !exists(&path));
}

#[test]
fn preflights_of_buckets_without_rules() {
    let mut table = Table::default();
    let path = unique("preflight");
    let origin = ("Origin", "https://example.org");
    let wanted = ("Access-Control-Request-Method", "PUT");
    let off = "CORSResponse: CORS is not enabled for this bucket.";
    let none = "CORSResponse: Bucket not found";
    let forbidden = |message, method| -> (u16, &str, &str, Vec<(&str, &str)>) {
        (403, "AccessForbidden", message, vec![("Method", method), ("ResourceType", "BUCKET")])
    };
    let insufficient =
        (400, "BadRequest", "Insufficient information. Origin request header needed.", Vec::new());
    for (case, target, headers, expected) in [
        ("an object", path.as_str(), &[origin, wanted][..], forbidden(off, "PUT")),
        ("a bucket", "/bucket1", &[origin, wanted], forbidden(off, "PUT")),
        ("no method", &path, &[origin], forbidden(off, "OPTIONS")),
        ("no bucket", "/no-such-bucket/k", &[origin, wanted], forbidden(none, "PUT")),
        ("no origin", &path, &[], insufficient.clone()),
        ("no origin but a method", &path, &[wanted], insufficient.clone()),
        ("no origin, no bucket", "/no-such-bucket/k", &[], insufficient),
        (
            "the query of a URL that expired",
            "/bucket1/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Date=20200101T000000Z",
            &[origin, wanted],
            forbidden(off, "PUT"),
        ),
        (
            "two mechanisms",
            "/bucket1/k?X-Amz-Algorithm=AWS4-HMAC-SHA256",
            &[origin, wanted, ("Authorization", "Bearer x")],
            forbidden(off, "PUT"),
        ),
    ] {
        let (status, code, message, elements) = expected;
        let response = Request::new("OPTIONS", target).headers(headers).send();
        table.refused(case, &response, &refusal(status, code, message, &elements));
        let allowed = response.header("access-control-allow-origin");
        table.check(&format!("{case}: {allowed:?}"), allowed.is_none());
    }
}

#[test]
fn preflights_for_methods_that_do_not_exist() {
    let mut table = Table::default();
    for target in [unique("preflight").as_str(), "/bucket1"] {
        let headers = [("Origin", "https://example.org"), ("Access-Control-Request-Method", "BREW")];
        let response = Request::new("OPTIONS", target).headers(&headers).send();
        let message = "Invalid Access-Control-Request-Method: BREW";
        table.refused(target, &response, &refusal(400, "BadRequest", message, &[]));
    }
}
