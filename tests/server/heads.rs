//! Heads that are too large or no HTTP, methods that do not exist, operations that are not served.

use crate::check::{Table, exists, given, refusal};
use crate::harness::{server, unique};
use crate::sign::Sign as _;
use crate::wire::{Connection, Request};

#[test]
fn heads_beyond_32_kib() {
    let mut table = Table::default();
    let path = unique("head");
    let message = "Your request header section exceeds the maximum allowed size.";
    let expected = refusal(400, "RequestHeaderSectionTooLarge", message, &[("MaxSizeAllowed", "32768")]);
    let one = Request::new("PUT", &path).header("X-Large", &"a".repeat(33_000)).presign().body("x");
    table.refused_write("one header", &one, &expected);
    let mut many = Request::new("PUT", &path).presign().body("x");
    for n in 0..70 {
        many = many.header(&format!("X-Many-{n}"), &"a".repeat(500));
    }
    table.refused_write("many headers", &many, &expected);
    let query = Request::new("GET", "/bucket1").add_query(&format!("a={}", "a".repeat(33_000))).send();
    table.refused("the query", &query, &expected);
    let below = Request::new("PUT", &path).header("X-Large", &"a".repeat(30_000)).presign().body("x");
    table.status("below", &below.send(), 200);
}

#[test]
fn heads_beyond_what_http_takes() {
    let mut table = Table::default();
    let mut many = Request::new("GET", "/bucket1");
    for n in 0..5000 {
        many = many.header(&format!("X-{n}"), "a");
    }
    for (case, request) in [
        (
            "one header of a megabyte",
            Request::new("GET", "/bucket1").header("X-Large", &"a".repeat(1_000_000)),
        ),
        ("a target of a megabyte", Request::new("GET", &format!("/bucket1/{}", "a".repeat(1_000_000)))),
        ("five thousand headers", many),
    ] {
        let mut connection = Connection::open(request.address);
        connection.write(&request.head());
        match connection.try_response("GET") {
            Some(response) => {
                let right = [400, 414, 431].contains(&response.status);
                table.check(&format!("{case}: {}", response.status), right);
            }
            None => table.check(&format!("{case}: no answer"), false),
        }
    }
}

#[test]
fn bytes_that_are_no_http() {
    let mut table = Table::default();
    for (case, bytes) in [
        ("zeros", &[0_u8; 100][..]),
        ("noise", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
        ("a word", b"hello\r\n\r\n"),
        ("no version", b"GET /bucket1\r\n\r\n"),
        ("another version", b"GET /bucket1 HTTP/9.9\r\nHost: a\r\n\r\n"),
        ("no method", b" /bucket1 HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a broken header", b"GET /bucket1 HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n"),
        ("a space before the colon", b"GET /bucket1 HTTP/1.1\r\nHost : a\r\n\r\n"),
        ("a control character", b"GET /bucket1 HTTP/1.1\r\nHost: a\r\nX: a\x01b\r\n\r\n"),
        ("a space in the target", b"GET /bucket1/a b HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("nothing but line ends", b"\r\n\r\n\r\n\r\n"),
        ("half a request", b"GET /bucket1 HTTP/1.1\r\nHos"),
    ] {
        let mut connection = Connection::open(server().address);
        connection.write(bytes);
        connection.end();
        if let Some(response) = connection.try_response("GET") {
            let right = (400..500).contains(&response.status) || response.status == 505;
            table.check(&format!("{case}: {}", response.status), right);
        }
    }
    for (case, bytes) in [
        ("no host", &b"GET /bucket1 HTTP/1.1\r\n\r\n"[..]),
        ("two hosts", b"GET /bucket1 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
        ("raw UTF-8", b"GET /bucket1/\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("raw bytes", b"GET /bucket1/\xff HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("no slash", b"GET bucket1 HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("an asterisk", b"GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a fragment", b"GET /bucket1/k#f HTTP/1.1\r\nHost: a\r\n\r\n"),
        ("a tunnel", b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"),
        ("bytes in a header", b"GET /bucket1/k HTTP/1.1\r\nHost: a\r\nx-amz-meta-a: \xff\r\n\r\n"),
        (
            "bytes in Authorization",
            b"GET /bucket1/k HTTP/1.1\r\nHost: a\r\nAuthorization: AWS4-HMAC-SHA256 \xff\r\n\r\n",
        ),
        ("bytes in the host", b"GET /bucket1/k HTTP/1.1\r\nHost: \xff\r\n\r\n"),
    ] {
        let mut connection = Connection::open(server().address);
        connection.write(bytes);
        connection.end();
        match connection.try_response("GET") {
            Some(response) => {
                let right = (400..500).contains(&response.status);
                table.check(&format!("{case}: {} {}", response.status, response.text()), right);
            }
            None => table.check(&format!("{case}: no answer"), false),
        }
    }
}

#[test]
fn methods_that_do_not_exist() {
    let mut table = Table::default();
    let path = unique("method");
    given(&path, "x");
    let message = "The specified method is not allowed against this resource.";
    for (method, target, kind) in [
        ("PATCH", path.as_str(), "OBJECT"),
        ("BREW", &path, "OBJECT"),
        ("get", &path, "OBJECT"),
        ("POST", &path, "OBJECT"),
        ("PATCH", "/bucket1", "BUCKET"),
        ("TRACE", "/bucket1", "BUCKET"),
        ("PROPFIND", "/bucket1/", "BUCKET"),
        ("PUT", "/", "SERVICE"),
        ("DELETE", "/", "SERVICE"),
        ("PATCH", "/", "SERVICE"),
    ] {
        let elements = [("Method", method), ("ResourceType", kind)];
        let expected = refusal(405, "MethodNotAllowed", message, &elements);
        for (way, request) in [
            ("signed", Request::new(method, target).body("").sign()),
            ("presigned", Request::new(method, target).presign().body("")),
        ] {
            let response = request.send();
            table.refused(&format!("{method} {target} {way}"), &response, &expected);
            let allow = response.header("allow").unwrap_or_default();
            let right = allow.split(", ").any(|allowed| allowed == "GET") && !allow.contains(method);
            table.check(
                &format!("{method} {target} {way}: Allow: {allow}"),
                right || method == "POST" || method == "PUT" || method == "DELETE",
            );
        }
    }
    table.check("still there", exists(&path));
}

#[test]
fn sub_resources_of_other_methods_do_nothing() {
    let mut table = Table::default();
    let path = unique("foreign");
    given(&path, "first");
    for (method, query) in [
        ("PUT", "uploads"),
        ("PUT", "uploadId=abc"),
        ("PUT", "partNumber=1"),
        ("PUT", "attributes"),
        ("PUT", "torrent"),
        ("PUT", "select"),
        ("DELETE", "acl"),
        ("DELETE", "uploads"),
        ("DELETE", "retention"),
        ("POST", "acl"),
    ] {
        let response = Request::new(method, &path).add_query(query).presign().body("other").send();
        // `?partNumber` alone is a plain PUT in some readings; whatever it is, it is not this object's new body.
        let right = (400..502).contains(&response.status);
        table.check(&format!("{method} ?{query}: {} {}", response.status, response.text()), right);
        let kept = Request::new("GET", &path).sign().send();
        table.check(&format!("{method} ?{query}: the object changed"), kept.body == b"first");
    }
    for (method, query) in
        [("PUT", "location"), ("DELETE", "acl"), ("DELETE", "versioning"), ("PUT", "uploads")]
    {
        let response = Request::new(method, "/dotted.bucket").add_query(query).sign().send();
        table.check(&format!("{method} bucket ?{query}: {}", response.status), response.status == 405);
    }
}

#[test]
fn operations_that_are_not_served() {
    let mut table = Table::default();
    let path = unique("unserved");
    given(&path, "first");
    for (method, query) in [
        ("GET", "acl"),
        ("GET", "torrent"),
        ("GET", "retention"),
        ("GET", "legal-hold"),
        ("PUT", "acl"),
        ("PUT", "retention"),
        ("PUT", "legal-hold"),
        ("POST", "restore"),
        ("POST", "select&select-type=2"),
    ] {
        let response = Request::new(method, &path).add_query(query).presign().body("<a/>").send();
        table.status(&format!("{method} ?{query}"), &response, 501);
        table.check(
            &format!("{method} ?{query}"),
            response.element("Code").as_deref() == Some("NotImplemented"),
        );
    }
    for sub_resource in [
        "accelerate",
        "acl",
        "analytics",
        "cors",
        "encryption",
        "inventory",
        "logging",
        "metrics",
        "notification",
        "object-lock",
        "ownershipControls",
        "policy",
        "publicAccessBlock",
        "replication",
        "website",
    ] {
        for method in ["GET", "PUT"] {
            let response =
                Request::new(method, "/bucket1").add_query(sub_resource).body("<a/>").sign().send();
            table.status(&format!("{method} bucket ?{sub_resource}"), &response, 501);
        }
    }
    let probe = Request::new("POST", "/").body("Action=GetCallerIdentity&Version=2011-06-15");
    let probe = probe.header("Content-Type", "application/x-www-form-urlencoded").sign().send();
    table.status("POST /", &probe, 501);
    table.check("POST /", probe.element("Code").as_deref() == Some("NotImplemented"));
    table.check("the object changed", Request::new("GET", &path).sign().send().body == b"first");
}
