//! Which headers of a presigned V4 request must be signed, and how they are matched.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};

use crate::check::{MISMATCH_V4, Table, given, not_signed};
use crate::harness::{server, unique};
use crate::sign::{Sign as _, Signer};
use crate::wire::Request;

#[test]
fn amz_headers_must_be_signed() {
    let mut table = Table::default();
    let put = Request::new("PUT", &unique("unsigned")).presign().body("x");
    for (name, value) in [
        ("x-amz-user-agent", "me"),
        ("x-amz-date", "20240102T030405Z"),
        ("x-amz-expires", "600"),
        ("x-amz-acl", "public-read"),
        ("X-Amz-Meta-A", "b"),
        ("x-amz-checksum-crc32", "AAAAAA=="),
        ("x-amz-storage-class", "STANDARD"),
        ("x-amz-decoded-content-length", "1"),
        ("x-amz-unheard-of", "1"),
        ("Content-MD5", "nUTjAVHslTZ8VBcQ5Ml3JQ=="),
    ] {
        let lower = name.to_lowercase();
        let elements = [("HeadersNotSigned", lower.as_str())];
        table.refused_write(name, &put.clone().header(name, value), &not_signed(&elements));
    }
    let two =
        put.clone().headers(&[("x-amz-decoded-content-length", "1"), ("x-amz-date", "20240102T030405Z")]);
    let elements = [("HeadersNotSigned", "x-amz-date, x-amz-decoded-content-length")];
    table.refused_write("two, in order", &two, &not_signed(&elements));
    let streaming = put.clone().headers(&[
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
        ("x-amz-date", "20240102T030405Z"),
    ]);
    table.refused_write(
        "the payload hash is never listed",
        &streaming,
        &not_signed(&[("HeadersNotSigned", "x-amz-date")]),
    );
    let both = put.clone().add_query("a=b").header("x-amz-acl", "private");
    table.refused_write("beats a mismatch", &both, &not_signed(&[("HeadersNotSigned", "x-amz-acl")]));
}

#[test]
fn a_token_must_be_signed_before_it_is_judged() {
    let put =
        Request::new("PUT", &unique("token")).presign().body("x").header("x-amz-security-token", "token");
    let expected = not_signed(&[("HeadersNotSigned", "x-amz-security-token")]);
    Table::default().refused_write("a token not signed", &put, &expected);
}

#[test]
fn a_hoisted_header_is_not_sent_again() {
    let mut table = Table::default();
    let put = Request::new("PUT", &unique("hoisted")).add_query("x-amz-meta-foo=bar").presign().body("x");
    let again = put.clone().header("x-amz-meta-foo", "bar");
    table.refused_write("again", &again, &not_signed(&[("HeadersNotSigned", "x-amz-meta-foo")]));
    table.status("once", &put.send(), 200);
}

#[test]
fn host_must_be_signed() {
    let path = unique("no-host");
    let request = Request::new("PUT", &path)
        .header("x-amz-meta-a", "b")
        .presign_by_hand("x-amz-meta-a", &[("x-amz-meta-a", "b")], "", "UNSIGNED-PAYLOAD")
        .body("x");
    let mut table = Table::default();
    table.refused_write("host", &request, &not_signed(&[("HeadersNotSigned", "host")]));
    let request = request.header("x-amz-acl", "private");
    table.refused_write(
        "host and another",
        &request,
        &not_signed(&[("HeadersNotSigned", "host, x-amz-acl")]),
    );
}

#[test]
fn other_headers_need_no_signature_and_count() {
    let mut table = Table::default();
    let path = unique("free");
    let put = Request::new("PUT", &path).presign().body("hello").headers(&[
        ("Content-Type", "text/x-test"),
        ("Content-Encoding", "x-test"),
        ("Cache-Control", "no-store"),
        ("User-Agent", "tests"),
        ("X-Forwarded-For", "10.0.0.1"),
    ]);
    table.status("a PUT", &put.send(), 200);
    let stored = Request::new("HEAD", &path).presign().send();
    for (name, value) in
        [("content-type", "text/x-test"), ("content-encoding", "x-test"), ("cache-control", "no-store")]
    {
        table.check(name, stored.header(name) == Some(value));
    }
    let etag = stored.header("etag").expect("an ETag").to_owned();
    let get = Request::new("GET", &path).presign();
    let part = get.clone().header("Range", "bytes=1-2").send();
    table.check("Range", part.status == 206 && part.body == b"el");
    table.status("If-None-Match", &get.clone().header("If-None-Match", &etag).send(), 304);
    table.status("If-Match", &get.clone().header("If-Match", "\"other\"").send(), 412);
    let once = Request::new("PUT", &path).presign().body("other").header("If-None-Match", "*").send();
    table.status("If-None-Match on a PUT", &once, 412);
}

#[test]
fn a_signed_header_must_come_as_signed() {
    let mut table = Table::default();
    let path = unique("listed");
    let put = Request::new("PUT", &path)
        .headers(&[("x-amz-meta-a", "b"), ("Content-Type", "text/plain")])
        .presign()
        .body("x");
    for name in ["x-amz-meta-a", "Content-Type"] {
        table.refused_write(&format!("{name} absent"), &put.clone().without(name), &MISMATCH_V4);
        table.refused_write(&format!("{name} empty"), &put.clone().set(name, ""), &MISMATCH_V4);
        table.refused_write(&format!("{name} different"), &put.clone().set(name, "c"), &MISMATCH_V4);
        let twice = put.clone().header(name, "c");
        table.refused_write(&format!("{name} twice"), &twice, &MISMATCH_V4);
    }
    table.status("as signed", &put.clone().send(), 200);
    let spaces = put.set("x-amz-meta-a", "   b  ");
    table.status("white space around does not count", &spaces.send(), 200);
}

#[test]
fn values_are_folded_and_joined() {
    let mut table = Table::default();
    let path = unique("folded");
    let inner = Request::new("PUT", &path).header("x-amz-meta-a", "one  two   three").presign().body("x");
    table.status("runs of spaces", &inner.send(), 200);
    let stored = Request::new("HEAD", &path).presign().send();
    let value =
        stored.header("x-amz-meta-a").unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    table.check("the words are stored", value == "one two three");
    let lines = Request::new("PUT", &path).headers(&[("x-amz-meta-a", "1"), ("x-amz-meta-a", "2")]).presign();
    table.status("two lines", &lines.clone().body("x").send(), 200);
    let swapped =
        lines.without("x-amz-meta-a").headers(&[("x-amz-meta-a", "2"), ("x-amz-meta-a", "1")]).body("x");
    table.refused("two lines the other way round", &swapped.send(), &MISMATCH_V4);
}

#[test]
fn a_signed_amz_header_may_stand_in_the_query() {
    let mut table = Table::default();
    let path = unique("in-query");
    let host = server().address.to_string();
    let lines = [("host", host.as_str()), ("x-amz-meta-foo", "bar")];
    let put = Request::new("PUT", &path)
        .presign_by_hand("host;x-amz-meta-foo", &lines, "x-amz-meta-foo=bar", "UNSIGNED-PAYLOAD")
        .body("x");
    table.status("in the query alone", &put.send(), 200);
    let stored = Request::new("HEAD", &path).presign().send();
    table.check("its value counts", stored.header("x-amz-meta-foo") == Some("bar"));
    table.status("and as a header", &put.clone().header("x-amz-meta-foo", "bar").send(), 200);
    let other = put.header("x-amz-meta-foo", "other").send();
    table.refused("and as a header with another value", &other, &MISMATCH_V4);
}

#[test]
fn content_md5_is_not_taken_from_the_query() {
    let mut table = Table::default();
    let md5 = STANDARD.encode(Md5::digest("x"));
    let host = server().address.to_string();
    let lines = [("content-md5", md5.as_str()), ("host", host.as_str())];
    let query = format!("Content-MD5={}", crate::sign::escape(&md5));
    let put = Request::new("PUT", &unique("md5"))
        .presign_by_hand("content-md5;host", &lines, &query, "UNSIGNED-PAYLOAD")
        .body("x");
    table.refused_write("without the header", &put, &MISMATCH_V4);
    table.status("with it", &put.header("Content-MD5", &md5).send(), 200);
}

#[test]
fn the_list_in_any_case_and_order() {
    let mut table = Table::default();
    let host = server().address.to_string();
    let host = ("host", host.as_str());
    let get = Request::new("GET", "/bucket1");
    let capital = get.clone().presign_by_hand("Host", &[host], "", "UNSIGNED-PAYLOAD");
    table.status("Host", &capital.send(), 200);
    let put = Request::new("PUT", &unique("order")).header("x-amz-meta-b", "1").presign_by_hand(
        "x-amz-meta-b;host",
        &[host, ("x-amz-meta-b", "1")],
        "",
        "UNSIGNED-PAYLOAD",
    );
    table.status("not sorted", &put.body("x").send(), 200);
}

#[test]
fn a_signed_length_is_compared() {
    let mut table = Table::default();
    let path = unique("length");
    let host = server().address.to_string();
    let lines = [("content-length", "5"), ("host", host.as_str())];
    let put =
        Request::new("PUT", &path).presign_by_hand("content-length;host", &lines, "", "UNSIGNED-PAYLOAD");
    table.refused_write("another length", &put.clone().body("hello!"), &MISMATCH_V4);
    table.status("the length", &put.body("hello").send(), 200);
}

#[test]
fn hosts_are_tried_in_their_forms() {
    let mut table = Table::default();
    let path = unique("host");
    given(&path, "x");
    let get = Request::new("GET", &path);
    for (signed, sent) in [
        ("h.example.org", "h.example.org:80"),
        ("h.example.org:80", "h.example.org"),
        ("h.example.org", "h.example.org:443"),
        ("h.example.org:443", "h.example.org"),
        ("h.example.org:9000", "H.Example.Org:9000"),
        ("h.example.org", "H.EXAMPLE.ORG:80"),
    ] {
        for (way, request) in [
            ("query", get.clone().set("Host", signed).presign()),
            ("header", get.clone().set("Host", signed).sign()),
        ] {
            let response = request.set("Host", sent).send();
            table.status(&format!("signed for {signed}, sent to {sent}, {way}"), &response, 200);
        }
    }
    for (signed, sent) in [
        ("h.example.org", "h.example.org:9000"),
        ("h.example.org:9000", "h.example.org"),
        ("h.example.org", "i.example.org"),
        ("h.example.org", "h.example.org.evil.test"),
    ] {
        let response = get.clone().set("Host", signed).presign().set("Host", sent).send();
        table.refused(&format!("signed for {signed}, sent to {sent}"), &response, &MISMATCH_V4);
    }
    let absolute = get.clone().set("Host", "h.example.org:9000").presign().set("Host", "other.test");
    let absolute = absolute.edit("/bucket1", "http://h.example.org:9000/bucket1");
    table.status("the authority of an absolute target", &absolute.send(), 200);
    let virtual_hosted = |host: &str, signed: &str| {
        let target = path.trim_start_matches("/bucket1");
        Request::new("GET", target).set("Host", signed).presign().set("Host", host).send()
    };
    table.status(
        "in the bucket's host",
        &virtual_hosted("bucket1.localhost:9000", "bucket1.localhost:9000"),
        200,
    );
    table.status("in capitals", &virtual_hosted("BUCKET1.LocalHost:9000", "bucket1.localhost:9000"), 200);
    let dotted = Request::new("PUT", "/in-dotted").set("Host", "dotted.bucket.localhost").presign().body("x");
    table.status("a bucket with a dot", &dotted.send(), 200);
    let dotted = Request::new("GET", "/dotted.bucket/in-dotted").presign_with(&Signer::default());
    table.status("the same by path", &dotted.send(), 200);
}
