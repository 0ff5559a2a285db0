//! Bodies and their lengths, `Expect`, refusals while the client still sends, connections that are kept or cut.

use std::time::Duration;

use crate::check::{ACCESS_DENIED, MISMATCH_V4, Table, assert_stored, exists, given, refusal};
use crate::chunked::{Mode, upload};
use crate::harness::unique;
use crate::sign::{Sign as _, Signer};
use crate::wire::{Connection, Request, Response};

/// Silence that is worth noticing: on this machine an answer comes within a few milliseconds.
const A_WHILE: Duration = Duration::from_millis(150);

const SHORT: &str = "You did not provide the number of bytes specified by the Content-Length HTTP header";

#[test]
fn bodies_shorter_than_declared() {
    let mut table = Table::default();
    for (name, declared, sent) in [("short", 11, "hello"), ("none", 11, ""), ("large", 3_000_000, "hello")] {
        for way in ["header", "query", "unsigned"] {
            let path = unique(name);
            let request = Request::new("PUT", &path);
            let request = match way {
                "header" => request.body("hello world").sign(),
                "query" => request.presign(),
                _ => request.sign_with(&Signer::payload("UNSIGNED-PAYLOAD")),
            };
            let request = request.set("Content-Length", &declared.to_string());
            let mut connection = Connection::open(request.address);
            connection.write(&[&request.head(), sent.as_bytes()].concat());
            connection.end();
            let (declared, provided) = (declared.to_string(), sent.len().to_string());
            let elements =
                [("NumberBytesExpected", declared.as_str()), ("NumberBytesProvided", provided.as_str())];
            let expected = refusal(400, "IncompleteBody", SHORT, &elements);
            match connection.try_response("PUT") {
                Some(response) => table.refused(&format!("{name} {way}"), &response, &expected),
                None => table.check(&format!("{name} {way}: no answer"), false),
            }
            table.check(&format!("{name} {way}: stored"), !exists(&path));
        }
    }
}

#[test]
fn a_framed_body_shorter_than_declared() {
    let path = unique("short");
    let framed = upload(&path, Mode::Signed, 11).chunk("hello world");
    let request = framed.clone().request().set("Content-Length", "5000");
    let mut connection = Connection::open(request.address);
    connection.write(&[request.head(), framed.bytes().to_vec()].concat());
    connection.end();
    let response = connection.response("PUT");
    response.refused(&refusal(400, "IncompleteBody", "The request body terminated unexpectedly", &[]));
    assert!(!exists(&path));
}

#[test]
fn bodies_longer_than_declared() {
    let path = unique("long");
    let request = Request::new("PUT", &path).presign().set("Content-Length", "5");
    let mut connection = Connection::open(request.address);
    connection.write(&[request.head(), b"hello world, this is no request\r\n\r\n".to_vec()].concat());
    connection.response("PUT").expect(200);
    // What follows is the next request, and none.
    if let Some(next) = connection.try_response("PUT") {
        assert_eq!(next.status, 400, "{}", next.text());
        assert!(connection.is_closed());
    }
    assert_stored(&path, "hello");
}

#[test]
fn lengths_that_contradict() {
    let mut table = Table::default();
    for (case, headers) in [
        ("two lengths", &[("Content-Length", "5"), ("Content-Length", "6")][..]),
        ("no number", &[("Content-Length", "five")]),
        ("a sign", &[("Content-Length", "+5")]),
        ("negative", &[("Content-Length", "-5")]),
        ("a list", &[("Content-Length", "5, 6")]),
        ("beyond 64 bits", &[("Content-Length", "99999999999999999999")]),
        ("an unknown coding", &[("Transfer-Encoding", "gzip")]),
        ("a coding that does not end it", &[("Transfer-Encoding", "chunked, gzip")]),
    ] {
        let path = unique("contradict");
        let request = Request::new("PUT", &path).presign().headers(headers).raw_body("hello");
        let mut connection = Connection::open(request.address);
        connection.write(&[request.head(), request.body.clone()].concat());
        let response = connection.response("PUT");
        let right = [400, 411, 501].contains(&response.status);
        table.check(&format!("{case}: {} {}", response.status, response.text()), right);
        table.check(&format!("{case}: stored"), !exists(&path));
    }
    // RFC 9112 6.3: chunks win over a length, and a server that takes it closes the connection.
    let path = unique("contradict");
    let framed = upload(&path, Mode::UnsignedTrailer, 5);
    let outer = "a\r\n5\r\nhello\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let request = framed.request.header("Transfer-Encoding", "chunked").header("Content-Length", "5");
    let mut connection = Connection::open(request.address);
    connection.write(&[request.head(), outer.as_bytes().to_vec()].concat());
    let status = connection.response("PUT").status;
    table.check(&format!("both: {status}"), status == 400);
    table.check("both: stored", !exists(&path));
}

#[test]
fn http_chunks_that_are_broken() {
    let mut table = Table::default();
    for (case, outer) in [
        ("no end", "10\r\n5\r\nhello\r\n0\r\n\r\n\r\n"),
        ("junk", "zz\r\n"),
        ("no line end behind data", "3\r\nabcdef\r\n"),
        ("too large", "fffffffffffffffff\r\n"),
    ] {
        let path = unique("outer");
        let mut framed = upload(&path, Mode::UnsignedTrailer, 5).request;
        framed = framed.header("Transfer-Encoding", "chunked");
        let mut connection = Connection::open(framed.address);
        connection.write(&[framed.head(), outer.as_bytes().to_vec()].concat());
        connection.end();
        if let Some(response) = connection.try_response("PUT") {
            let right = response.status == 400;
            table.check(&format!("{case}: {} {}", response.status, response.text()), right);
        }
        table.check(&format!("{case}: stored"), !exists(&path));
    }
}

/// Sends a head with `Expect` and gives what comes first.
fn expecting(request: &Request) -> (Connection, Response) {
    let request = request.clone().header("Expect", "100-continue");
    let mut connection = Connection::open(request.address);
    connection.write(&request.head());
    let first = connection.response(&request.method);
    (connection, first)
}

#[test]
fn a_refusal_comes_before_the_go_ahead() {
    let mut table = Table::default();
    let put = Request::new("PUT", &unique("expect")).body("hello world");
    let (key, bucket) = (unique("expect"), "/no-such-bucket/key");
    let missing = [("BucketName", "no-such-bucket")];
    let digest = [("Content-MD5", "junk")];
    let long = format!("/bucket1/{}", "k".repeat(1025));
    let long_elements = [("Size", "1025"), ("MaxSizeAllowed", "1024")];
    for (case, request, expected) in [
        ("anonymous", put.clone(), ACCESS_DENIED),
        ("mismatch", put.clone().presign().add_query("a=b"), MISMATCH_V4),
        (
            "no bucket",
            Request::new("PUT", bucket).body("hello").presign(),
            refusal(404, "NoSuchBucket", "The specified bucket does not exist", &missing),
        ),
        (
            "a bad digest",
            put.clone().header("Content-MD5", "junk").presign(),
            refusal(400, "InvalidDigest", "The Content-MD5 you specified was invalid.", &digest),
        ),
        (
            "a bad checksum",
            put.clone().header("x-amz-checksum-crc32", "junk").sign(),
            refusal(400, "InvalidRequest", "Value for x-amz-checksum-crc32 header is invalid.", &[]),
        ),
        (
            "a long key",
            Request::new("PUT", &long).body("x").presign(),
            refusal(400, "KeyTooLongError", "Your key is too long", &long_elements),
        ),
        (
            "a trailer that is not supported",
            Request::new("PUT", &key)
                .headers(&[("x-amz-trailer", "other"), ("x-amz-decoded-content-length", "1")])
                .body("x")
                .sign_with(&Signer::payload("STREAMING-UNSIGNED-PAYLOAD-TRAILER")),
            refusal(
                400,
                "InvalidRequest",
                "The value specified in the x-amz-trailer header is not supported",
                &[],
            ),
        ),
    ] {
        let (mut connection, first) = expecting(&request);
        table.refused(case, &first, &expected);
        // The body was neither sent nor asked for; the connection cannot be used for another request.
        table.check(&format!("{case}: Connection: close"), first.header("connection") == Some("close"));
        let rest = connection.rest();
        table.check(&format!("{case}: {}", rest.escape_ascii()), rest.is_empty());
    }
    let big = put.presign().set("Content-Length", "5368709121");
    let (_, first) = expecting(&big);
    let elements = [("ProposedSize", "5368709121"), ("MaxSizeAllowed", "5368709120")];
    let message = "Your proposed upload exceeds the maximum allowed size";
    table.refused("over 5 GiB", &first, &refusal(400, "EntityTooLarge", message, &elements));
    let path = unique("expect");
    given(&path, "first");
    let once = Request::new("PUT", &path).body("second").header("If-None-Match", "*").presign();
    let (mut connection, first) = expecting(&once);
    // Whether the condition is judged before or after the body is open; the outcome is not.
    let last = if first.status == 100 {
        connection.write(b"second");
        connection.response("PUT")
    } else {
        first
    };
    table.status("a condition", &last, 412);
    assert_stored(&path, "first");
}

#[test]
fn a_go_ahead_comes_before_the_body() {
    let mut table = Table::default();
    for size in [5, 200_000] {
        let path = unique("continue");
        let body = "x".repeat(size);
        for request in
            [Request::new("PUT", &path).body(&body).sign(), Request::new("PUT", &path).presign().body(&body)]
        {
            let (mut connection, first) = expecting(&request);
            table.status("go ahead", &first, 100);
            connection.write(body.as_bytes());
            table.status("stored", &connection.response("PUT"), 200);
            assert_stored(&path, &body);
            let next = Request::new("GET", &path).sign();
            connection.write(&next.head());
            table.status("the connection is kept", &connection.response("GET"), 200);
        }
    }
    let path = unique("continue");
    let request =
        Request::new("PUT", &path).header("x-amz-checksum-crc32", "AAAAAA==").body("hello").presign();
    let (mut connection, first) = expecting(&request);
    table.status("go ahead", &first, 100);
    connection.write(b"hello");
    table.status("what is wrong with the body is said then", &connection.response("PUT"), 400);
    let upper = request.header("Expect", "100-CONTINUE");
    let mut connection = Connection::open(upper.address);
    connection.write(&upper.head());
    table.status("in capitals", &connection.response("PUT"), 100);
    // A body that comes at once needs no go-ahead.
    let at_once =
        Request::new("PUT", &unique("continue")).presign().header("Expect", "100-continue").body("hello");
    let mut connection = Connection::open(at_once.address);
    connection.write(&[at_once.head(), at_once.body.clone()].concat());
    let mut response = connection.response("PUT");
    if response.status == 100 {
        response = connection.response("PUT");
    }
    table.status("sent at once", &response, 200);
}

#[test]
fn other_expectations_are_passed_over() {
    let mut table = Table::default();
    for value in ["200-ok", "100-continue, other", "100-continued", ""] {
        let put = Request::new("PUT", &unique("expect")).presign().header("Expect", value).body("hello");
        table.status(&format!("{value:?}"), &put.send(), 200);
        let path = put.target.split('?').next().expect("a path");
        assert_stored(path, "hello");
    }
}

#[test]
fn a_refusal_reaches_a_client_that_still_sends() {
    let mut table = Table::default();
    for size in [100_000, 5 * 1024 * 1024] {
        let body = vec![b'x'; size];
        for (case, request, status) in [
            ("anonymous", Request::new("PUT", &unique("early")), 403),
            ("mismatch", Request::new("PUT", &unique("early")).presign().add_query("a=b"), 403),
            ("no bucket", Request::new("PUT", "/no-such-bucket/k").presign(), 404),
            ("broken escape", Request::new("PUT", "/bucket1/%ZZ"), 400),
        ] {
            let request = request.body(&body);
            // Everything is sent before anything is read, errors ignored: the answer must still be there.
            let mut connection = Connection::open(request.address);
            connection.write(&request.head());
            for piece in body.chunks(64 * 1024) {
                if !connection.write(piece) {
                    break;
                }
            }
            match connection.try_response("PUT") {
                Some(response) => {
                    table.status(&format!("{case} {size}"), &response, status);
                    let close = response.header("connection") == Some("close");
                    table.check(&format!("{case} {size}: Connection: close"), close);
                }
                None => table.check(&format!("{case} {size}: the answer is lost"), false),
            }
        }
    }
}

#[test]
fn a_connection_cut_in_mid_upload_leaves_nothing() {
    let mut table = Table::default();
    for (size, sent) in [(11, 5), (1_000_000, 0), (1_000_000, 300_000), (8_000_000, 7_999_999)] {
        let path = unique("cut");
        let request = Request::new("PUT", &path).presign().set("Content-Length", &size.to_string());
        let mut connection = Connection::open(request.address);
        connection.write(&[request.head(), vec![b'x'; sent]].concat());
        drop(connection);
        let framed = unique("cut");
        let framing = upload(&framed, Mode::Signed, 20_000).chunk(vec![b'x'; 10_000]).request();
        let framing = framing.set("Content-Length", "30000");
        let mut connection = Connection::open(framing.address);
        connection.write(&[framing.head(), framing.body.clone()].concat());
        drop(connection);
        std::thread::sleep(A_WHILE);
        table.check(&format!("{sent} of {size}"), !exists(&path));
        table.check(&format!("{sent} of {size}, framed"), !exists(&framed));
    }
    let path = unique("cut");
    given(&path, "first");
    let request = Request::new("PUT", &path).presign().set("Content-Length", "10");
    let mut connection = Connection::open(request.address);
    connection.write(&[request.head(), b"second".to_vec()].concat());
    drop(connection);
    std::thread::sleep(A_WHILE);
    assert_stored(&path, "first");
}

#[test]
fn requests_may_be_pipelined() {
    let mut table = Table::default();
    let (one, two) = (unique("pipe"), unique("pipe"));
    let requests = [
        Request::new("PUT", &one).presign().body("one"),
        Request::new("GET", &one).presign(),
        Request::new("HEAD", &one).presign(),
        Request::new("PUT", &two).body("two").sign(),
        Request::new("GET", &unique("missing")).presign(),
        Request::new("GET", &two).presign(),
        Request::new("DELETE", &one).presign(),
        Request::new("GET", &one).presign(),
    ];
    let bytes: Vec<Vec<u8>> =
        requests.iter().map(|request| [request.head(), request.body.clone()].concat()).collect();
    for step in [usize::MAX, 100, 1] {
        let mut connection = Connection::open(requests[0].address);
        let all = bytes.concat();
        let pieces: Vec<&[u8]> = all.chunks(step.min(all.len())).collect();
        for piece in pieces {
            connection.write(piece);
        }
        let answers: Vec<Response> =
            requests.iter().map(|request| connection.response(&request.method)).collect();
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        table.check(&format!("{statuses:?}"), statuses == [200, 200, 200, 200, 404, 200, 204, 404]);
        table.check("in order", answers[1].body == b"one" && answers[5].body == b"two");
        table.check("nothing more", connection.is_silent(A_WHILE));
    }
}

#[test]
fn error_documents_have_one_shape() {
    let response = Request::new("GET", "/bucket1/missing%3C%26%22%3E").presign().send();
    let text = response.text();
    let id = response.header("x-amz-request-id").expect("an id");
    let host_id = response.header("x-amz-id-2").expect("a host id");
    assert_eq!(
        text,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message><Key>missing&lt;&amp;&quot;&gt;</Key><RequestId>{id}</RequestId><HostId>{host_id}</HostId></Error>"
        )
    );
    let other = Request::new("GET", "/bucket1/missing").presign().send();
    assert_ne!(other.header("x-amz-request-id"), Some(id));
    for name in ["date", "server"] {
        assert!(response.header(name).is_some(), "{name}");
    }
}
