//! Text in headers: ISO-8859-1, and words of RFC 2047 in both directions for metadata of the user's own.

use crate::check::Table;
use crate::harness::unique;
use crate::sign::Sign as _;
use crate::wire::{Connection, Request, Response};

/// PUTs an object with a header of these bytes; the URL is signed, the header is not.
fn put(path: &str, name: &str, value: &[u8]) -> Response {
    let own = name.starts_with("x-amz-");
    let marked = Request::new("PUT", path).header(name, "*MARK").body("x");
    let list = if own { format!("host;{name}") } else { "host".to_owned() };
    let host = marked.value("host").to_owned();
    // The canonical line has the bytes as ISO-8859-1 cannot be written in a text: so only ASCII is signed by hand.
    let text = String::from_utf8_lossy(value).into_owned();
    let lines = [("host", host.as_str()), (name, text.as_str())];
    let lines = if own { &lines[..] } else { &lines[..1] };
    let request = marked.presign_by_hand(&list, lines, "", "UNSIGNED-PAYLOAD");
    let mut head = request.head();
    let at = head.windows(5).position(|window| window == b"*MARK").expect("the mark");
    head.splice(at..at + 5, value.iter().copied());
    let mut connection = Connection::open(request.address);
    connection.write(&head);
    connection.write(b"x");
    connection.response("PUT")
}

/// The header as bytes, one character each.
fn shown(path: &str, name: &str) -> Option<Vec<u8>> {
    let request = Request::new("HEAD", path).sign();
    let mut connection = Connection::open(request.address);
    connection.write(&request.head());
    connection.end();
    let raw = connection.rest();
    let text: String = raw.iter().copied().map(char::from).collect();
    let line = text.split("\r\n").find_map(|line| {
        let (found, value) = line.split_once(": ")?;
        found.eq_ignore_ascii_case(name).then(|| value.to_owned())
    });
    line.map(|line| line.chars().map(|c| u8::try_from(u32::from(c)).expect("a byte")).collect())
}

/// Recorded: test_user_metadata_rfc2047_encoded, test_user_metadata_rfc2047_bad_b64_encoded.
#[test]
fn metadata_of_the_user() {
    let mut table = Table::default();
    for (sent, expected) in [
        ("=?UTF-8?B?YWJj?=", "abc"),
        ("Mini\u{f6}", "=?UTF-8?Q?Mini=C3=83=C2=B6?="),
        ("=?UTF-8?Q?=C3=84M=C3=84Z=C3=95=C3=91_S3?=", "=?UTF-8?Q?=C3=84M=C3=84Z=C3=95=C3=91_S3?="),
        (
            "=?UTF-8?B?dGVzdF/igJRfZmlsZSVFMiU4MCU5NF/DqV8yPy5wZGY=?=",
            "=?UTF-8?Q?test=5F=E2=80=94=5Ffile%E2%80%94=5F=C3=A9=5F2=3F.pdf?=",
        ),
        ("=?UTF-8?B?AAECAw==?=", "=?UTF-8?B?AAECAw==?="),
        ("=?UTF-8?B?=GGG?=", "=?UTF-8?B?77+9Ye+/vQ==?="),
        ("plain = text?", "plain = text?"),
        // Inferred: a line end would end the header.
        ("=?UTF-8?Q?a=0D=0Ab?=", "=?UTF-8?Q?a=0D=0Ab?="),
        ("a =?utf-8?q?b?= =?utf-8?q?c?=", "a bc"),
    ] {
        let path = unique("meta");
        table.status(sent, &put(&path, "x-amz-meta-m", sent.as_bytes()), 200);
        let found = shown(&path, "x-amz-meta-m");
        let found = found.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        table.check(&format!("{sent}: {found:?}"), found.as_deref() == Some(expected));
    }
}

/// Recorded: test_put_unicode_metadata_with_sig_s3: a query is UTF-8 already.
#[test]
fn metadata_in_a_query() {
    let mut table = Table::default();
    let path = unique("meta-query");
    let query = "x-amz-meta-m=non-ascii-%25E2%2580%2594_%E2%80%94_%C3%A9_";
    table.status("PUT", &Request::new("PUT", &path).add_query(query).presign().body("x").send(), 200);
    let expected = "=?UTF-8?Q?non-ascii-%E2%80%94=5F=E2=80=94=5F=C3=A9=5F?=";
    table.check("shown", shown(&path, "x-amz-meta-m").as_deref() == Some(expected.as_bytes()));
}

/// Recorded: test_system_metadata_with_unicode: the bytes come back as they went in.
#[test]
fn headers_of_http() {
    let mut table = Table::default();
    let name = "Content-Disposition";
    for value in [
        &b"attachment; filename=\"\xe2\x80\x94.pdf\""[..],
        b"attachment; filename=\"\xe9.pdf\"",
        b"attachment; filename=\"=?UTF-8?B?YWJj?=\"",
        b"attachment; filename*=UTF-8''%e2%82%ac",
        b"a\tb",
    ] {
        let path = unique("disposition");
        let case = String::from_utf8_lossy(value).into_owned();
        table.status(&case, &put(&path, name, value), 200);
        let found = shown(&path, name);
        table.check(&format!("{case}: {found:?}"), found.as_deref() == Some(value));
    }
}

/// Decided: a raw control character in a header is refused by the HTTP library before anybody looks at it, as RFC
/// 9110 5.5 allows; AWS is said to store it (ceph/s3-tests, medium).
#[test]
fn control_characters_in_headers() {
    let response = put(&unique("control"), "x-amz-meta-m", b"\x04meta");
    response.expect(400);
}
