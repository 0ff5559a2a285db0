//! One signed value has one reading: requests that could be signed as one thing and read as another. No other server
//! is the evidence here, but what somebody could do who holds a URL.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::check::{Table, assert_stored, exists, given};
use crate::harness::{server, unique};
use crate::sign::Sign as _;
use crate::wire::{Connection, Request, Response};

/// Whether it is the refusal that names the argument.
fn is_ambiguous(response: &Response, name: &str) -> bool {
    response.status == 400
        && response.element("Code").as_deref() == Some("InvalidArgument")
        && response.element("ArgumentName").as_deref() == Some(name)
}

/// V2 signs header and parameters of one name as one line, joined by commas.
#[test]
fn a_copy_source_in_two_pieces() {
    let mut table = Table::default();
    let (allowed, to) = (unique("allowed"), unique("copy"));
    let listed = format!("{allowed},part");
    given(&allowed, "not to be copied");
    given(&listed.replace(',', "%2C"), "to be copied");
    let text = format!("PUT\n\n\n{{}}\nx-amz-copy-source:{listed}\n{to}");
    let url = Request::new("PUT", &to).presign_v2(&text, 600);
    let escape = crate::sign::escape;
    let whole = url.clone().add_query(&format!("x-amz-copy-source={}", escape(&listed)));
    table.status("as it was signed", &whole.send(), 200);
    assert_stored(&to, "to be copied");
    let source = format!("x-amz-copy-source={}", escape(&allowed));
    for (what, request) in [
        ("two parameters", url.clone().add_query(&format!("{source}&x-amz-copy-source=part"))),
        ("in other letters", url.clone().add_query(&format!("{source}&X-Amz-Copy-Source=part"))),
        ("a header", url.clone().header("x-amz-copy-source", &allowed).add_query("x-amz-copy-source=part")),
        ("the other way round", url.clone().header("x-amz-copy-source", "part").add_query(&source)),
    ] {
        let response = request.send();
        // In another order it is another text.
        let refused = is_ambiguous(&response, "x-amz-copy-source")
            || response.element("Code").as_deref() == Some("SignatureDoesNotMatch");
        table.check(&format!("{what}: {}", response.text()), refused);
    }
    // Lines of a header are one value, for signing and reading alike.
    let lines = url.header("x-amz-copy-source", &allowed).header("x-amz-copy-source", "part").send();
    table.check(&format!("two lines: {}", lines.text()), lines.status == 200);
    assert_stored(&to, "to be copied");
}

/// Lines of one header are one value for signing and reading alike, whatever the header.
#[test]
fn lines_of_one_header() {
    let mut table = Table::default();
    let path = unique("lines");
    let url = Request::new("PUT", &path).presign_v2(&format!("PUT\n\na\n{{}}\n{path}"), 600).body("x");
    let url = url.header("Content-Type", "a");
    for more in ["b", ""] {
        let response = url.clone().header("Content-Type", more).send();
        let code = response.element("Code");
        table.check(&format!("a type more: {code:?}"), code.as_deref() == Some("SignatureDoesNotMatch"));
        table.check("it was stored", !exists(&path));
    }
    table.status("as it was signed", &url.send(), 200);
    given(&path, "0123456789");
    let get = |lines: &[&str]| {
        let signed = Request::new("GET", &path).header("Range", "bytes=0-1,bytes=3-4").sign();
        let head = lines.iter().fold(signed.without("Range"), |request, line| request.header("Range", line));
        head.send()
    };
    let whole = get(&["bytes=0-1,bytes=3-4"]);
    let lines = get(&["bytes=0-1", "bytes=3-4"]);
    table.check(
        &format!("two lines: {} {}", whole.status, lines.status),
        (whole.status, whole.body) == (lines.status, lines.body),
    );
    // A header that is listed and absent is signed as one that is empty.
    let copy = Request::new("PUT", &path).header("x-amz-copy-source", "").sign();
    for request in [copy.clone(), copy.without("x-amz-copy-source")] {
        let response = request.send();
        table.check(
            &format!("no copy source: {}", response.text()),
            is_ambiguous(&response, "x-amz-copy-source"),
        );
    }
    assert_stored(&path, "0123456789");
}

/// V4 sorts what stands twice: the first could be made the second.
#[test]
fn what_is_signed_twice_cannot_be_exchanged() {
    let mut table = Table::default();
    let path = unique("exchanged");
    for query in [
        "x-amz-meta-a=one&x-amz-meta-a=two",
        "x-amz-meta-a=two&x-amz-meta-a=one",
        "x-amz-meta-a=one&X-Amz-Meta-A=two",
        "x-amz-meta-a=&x-amz-meta-a=two",
    ] {
        let response = Request::new("PUT", &path).add_query(query).presign().body("x").send();
        table.check(&format!("{query}: {}", response.text()), is_ambiguous(&response, "x-amz-meta-a"));
        table.check(&format!("{query}: it was stored"), !exists(&path));
    }
    let same = Request::new("PUT", &path).add_query("x-amz-meta-a=one&X-AMZ-META-A=one").presign().body("x");
    table.status("the same twice", &same.send(), 200);
    // Recorded: a wrong signature and a header that was not signed are told of first.
    let put =
        Request::new("PUT", &path).presign().add_query("x-amz-meta-a=1&x-amz-meta-a=2").body("x").send();
    table.check("not signed at all", put.element("Code").as_deref() == Some("SignatureDoesNotMatch"));
    let unsigned =
        Request::new("PUT", &path).add_query("x-amz-meta-a=1").presign().header("x-amz-meta-a", "2");
    let unsigned = unsigned.body("x").send();
    table.check("a header not signed", unsigned.element("HeadersNotSigned").is_some());
}

/// An unsigned payload hash beside a signed one passes on S3.
#[test]
fn the_payload_hash_may_stand_twice() {
    let path = unique("hash");
    let get = Request::new("GET", &path).add_query("X-Amz-Content-Sha256=UNSIGNED-PAYLOAD").presign();
    given(&path, "x");
    get.header("x-amz-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
        .send()
        .expect(200);
}

/// V2 signs values as they are decoded.
#[test]
fn a_parameter_in_a_value() {
    let mut table = Table::default();
    let path = unique("swallowed");
    given(&path, "x");
    for (parameters, swallowed) in [
        (
            "response-content-type=text/plain&versionId=null",
            "response-content-type=text%2Fplain%26versionId%3Dnull",
        ),
        ("response-content-type=text/plain&tagging", "response-content-type=text%2Fplain%26tagging"),
    ] {
        let url = Request::new("GET", &path).presign_v2(&format!("GET\n\n\n{{}}\n{path}?{parameters}"), 600);
        let response = url.add_query(swallowed).send();
        table.check(
            &format!("{swallowed}: {}", response.text()),
            is_ambiguous(&response, "response-content-type"),
        );
    }
    let text = "GET\n\n\n{}\nPATH?response-content-disposition=attachment; filename=\"a&b\"";
    let url = Request::new("GET", &path).presign_v2(&text.replace("PATH", &path), 600);
    let named = url.add_query("response-content-disposition=attachment%3B%20filename%3D%22a%26b%22").send();
    table.status("an ampersand that swallows nothing", &named, 200);
}

/// V2 signs a control character as a blank; V4 folds blanks.
#[test]
fn blanks_are_blanks() {
    let mut table = Table::default();
    let (tabbed, to) = (unique("blank"), unique("blank-copy"));
    let (blank, double) = (format!("{tabbed} b"), format!("{tabbed}  b"));
    for path in [&blank, &double, &format!("{tabbed}\tb")] {
        given(&path.replace(' ', "%20").replace('\t', "%09"), path);
    }
    let text = format!("PUT\n\n\n{{}}\nx-amz-copy-source:{blank}\n{to}");
    let url = Request::new("PUT", &to).presign_v2(&text, 600);
    for control in ["%09", "%0A", "%0D", "%01", "%1F"] {
        let source = format!("x-amz-copy-source={tabbed}{control}b");
        let response = url.clone().add_query(&source).send();
        table.check(&format!("{control}: {}", response.text()), is_ambiguous(&response, "x-amz-copy-source"));
    }
    for source in [double.as_str(), &format!("{tabbed}\tb"), &format!("{tabbed} \tb")] {
        // One blank is what is signed of all of them.
        let signed = Request::new("PUT", &to).header("x-amz-copy-source", &blank).sign();
        let response = signed.set("x-amz-copy-source", source).send();
        table
            .check(&format!("{source:?}: {}", response.text()), is_ambiguous(&response, "x-amz-copy-source"));
    }
    table.check("nothing was copied", !exists(&to));
    let encoded = double.replace(' ', "%20");
    for source in [blank.as_str(), &encoded] {
        let response = Request::new("PUT", &to).header("x-amz-copy-source", source).sign().send();
        table.status(source, &response, 200);
    }
    assert_stored(&to, &double);
}

/// RFC 9112 3.2 asks for 400; HTTP/1.0 needs no host.
#[test]
fn hosts() {
    let mut table = Table::default();
    let path = unique("hosts");
    given(&path, "x");
    let get = Request::new("GET", &path).presign();
    table.status("one", &get.send(), 200);
    table.status("two", &get.clone().header("Host", &server().address.to_string()).send(), 400);
    table.status("another", &get.clone().header("Host", "other").send(), 400);
    table.status("none", &get.clone().without("Host").send(), 400);
    let mut connection = TcpStream::connect(server().address).expect("a connection");
    connection.write_all(b"GET /_presigned/health HTTP/1.0\r\n\r\n").expect("sent");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("an answer");
    table.check(&answer, answer.starts_with("HTTP/1.0 200 "));
    let signed = get.headers.iter().any(|(name, _)| name == "Host");
    table.check("the host is what is signed", signed);
    let authorized = Request::new("GET", &path).sign();
    let again = authorized.value("authorization").to_owned();
    table.status("two authorizations", &authorized.header("Authorization", &again).send(), 400);
}

/// Bytes that are no text make no condition that holds.
#[test]
fn conditions_of_other_bytes() {
    let mut table = Table::default();
    let path = unique("bytes");
    given(&path, "kept");
    for (name, value) in [("If-None-Match", &b"*\xe9"[..]), ("If-Match", b"\"\xe9\""), ("If-Match", b"\xff")]
    {
        let put = Request::new("PUT", &path).body("x").sign();
        let head = String::from_utf8(put.head()).expect("text");
        let mut bytes = head.trim_end().as_bytes().to_vec();
        bytes.extend_from_slice(&[b"\r\n", name.as_bytes(), b": ", value, b"\r\n\r\nx"].concat());
        let mut connection = Connection::open(server().address);
        connection.write(&bytes);
        let status = connection.response("PUT").status;
        table.check(&format!("{name}: {status}"), [400, 412, 501].contains(&status));
    }
    assert_stored(&path, "kept");
}
