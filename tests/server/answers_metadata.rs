//! Text in headers: ISO-8859-1, and words of RFC 2047 in both directions for metadata of the user's own.

use crate::check::{Table, refusal};
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

/// Recorded: test_user_metadata_rfc2047_encoded, test_user_metadata_rfc2047_bad_b64_encoded. Measured of raw bytes:
/// minio/minio#21282.
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

/// What a HEAD shows of metadata that was sent in a query, where it is text in UTF-8.
fn through_a_query(text: &str) -> String {
    let path = unique("meta-long");
    let query = format!("x-amz-meta-m={}", crate::sign::escape(text));
    Request::new("PUT", &path).add_query(&query).presign().body("x").send().expect(200);
    let found = shown(&path, "x-amz-meta-m").unwrap_or_default();
    String::from_utf8_lossy(&found).into_owned()
}

/// Recorded: test_user_metadata_rfc2047_encoded, the values that are not in `metadata_of_the_user`.
#[test]
fn metadata_of_the_recording() {
    let mut table = Table::default();
    let replaced = "=?UTF-8?B?77+977+977+977+977+977+977+9?=";
    for (sent, expected) in [
        (replaced, replaced),
        ("=?UTF-8?Q?actually-ascii?=", "actually-ascii"),
        ("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
        // Inferred: what is no word stays what it is.
        ("=?UTF-8?X?YWJj?=", "=?UTF-8?X?YWJj?="),
        ("=?UTF-8?Q?open", "=?UTF-8?Q?open"),
        ("=?ISO-8859-1?Q?caf=E9?=", "=?UTF-8?Q?caf=C3=A9?="),
    ] {
        let path = unique("meta-recorded");
        table.status(sent, &put(&path, "x-amz-meta-m", sent.as_bytes()), 200);
        let found = shown(&path, "x-amz-meta-m");
        let found = found.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        table.check(&format!("{sent}: {found:?}"), found.as_deref() == Some(expected));
    }
}

/// Inferred from Java's mail library, which fits the recordings: quoted if ASCII characters are more than the others,
/// which it counts in units of UTF-16.
#[test]
fn metadata_is_quoted_or_base64() {
    let mut table = Table::default();
    for (text, expected) in [
        ("\u{f6}", "=?UTF-8?B?w7Y=?="),
        ("a\u{e9}", "=?UTF-8?B?YcOp?="),
        ("ab\u{e9}", "=?UTF-8?Q?ab=C3=A9?="),
        ("a\u{1}", "=?UTF-8?B?YQE=?="),
        ("a\u{7f}b", "=?UTF-8?Q?a=7Fb?="),
        ("ab\u{1f600}", "=?UTF-8?B?YWLwn5iA?="),
        ("abc\u{1f600}", "=?UTF-8?Q?abc=F0=9F=98=80?="),
        ("a\tb", "a\tb"),
    ] {
        let found = through_a_query(text);
        table.check(&format!("{text:?}: {found}"), found == expected);
    }
}

/// Measured: aws-sdk-ios#241 quotes these words from AWS. Java's mail library halves a text whose word would be longer
/// than 75 characters until it is not, and puts a blank between the words.
#[test]
fn long_metadata_is_several_words() {
    let mut table = Table::default();
    let text = "Workout Completed: Congratulations!  You just completed the \u{201c}Finding Vocal Freedom Workout\u{201d}.  Make sure you drink some water, rest your voice, and review your lesson in your vocal journal.  Make comments about how you felt, the circumstances of your workout, and anything you think you did poorly or well.  Be sure to come back tomorrow for another workout!  Practicing on a daily basis is key to growth.";
    let measured = "=?UTF-8?Q?Workout_Completed:_Congratulations!__You_just_comp?= =?UTF-8?Q?leted_the_=E2=80=9CFinding_Vocal_?= =?UTF-8?Q?Freedom_Workout=E2=80=9D.__Make_su?= =?UTF-8?Q?re_you_";
    let found = through_a_query(text);
    table.check(&found, found.starts_with(measured));
    // Inferred from the library: 63 characters are the most that a word may hold, and no pair of UTF-16 is cut.
    for (text, expected) in [
        ("a".repeat(57) + "\u{e9}", format!("=?UTF-8?Q?{}=C3=A9?=", "a".repeat(57))),
        (
            "a".repeat(58) + "\u{e9}",
            format!("=?UTF-8?Q?{}?= =?UTF-8?Q?{}=C3=A9?=", "a".repeat(29), "a".repeat(29)),
        ),
        (
            "\u{e9}".repeat(31),
            "=?UTF-8?B?w6nDqcOpw6nDqcOpw6nDqcOpw6nDqcOpw6nDqcOp?= =?UTF-8?B?w6nDqcOpw6nDqcOpw6nDqcOpw6nDqcOpw6nDqcOpw6k=?=".to_owned(),
        ),
        (
            "\u{1f600}".repeat(13),
            "=?UTF-8?B?8J+YgPCfmIDwn5iA8J+YgPCfmIDwn5iA?= =?UTF-8?B?8J+YgPCfmIDwn5iA8J+YgPCfmIDwn5iA8J+YgA==?=".to_owned(),
        ),
        // What is plain is no word, however long it is.
        ("a".repeat(1000), "a".repeat(1000)),
    ] {
        let found = through_a_query(&text);
        table.check(&format!("{text}: {found}"), found == expected);
        // The words make the same text when they are sent again.
        let path = unique("meta-again");
        table.status(&text, &put(&path, "x-amz-meta-m", expected.as_bytes()), 200);
        let again = shown(&path, "x-amz-meta-m").unwrap_or_default();
        table.check(&format!("{text}, again"), again == expected.as_bytes());
    }
}

/// Recorded: test_put_unicode_metadata_with_sig_s3 (V2). That words are not decoded is recorded of forms only:
/// test_post_object_with_unicode_metadata.
#[test]
fn metadata_in_other_queries() {
    let mut table = Table::default();
    let path = unique("meta-v2");
    let value = "non-ascii-%E2%80%94_\u{2014}_\u{e9}_";
    let put = Request::new("PUT", &path).add_query(&format!("x-amz-meta-foo={}", crate::sign::escape(value)));
    let put = put.presign_v2(&format!("PUT\n\n\n{{}}\nx-amz-meta-foo:{value}\n{path}"), 600);
    table.status("V2", &put.body("").send(), 200);
    let expected = "=?UTF-8?Q?non-ascii-%E2%80%94=5F=E2=80=94=5F=C3=A9=5F?=";
    let found = shown(&path, "x-amz-meta-foo");
    table.check(&format!("V2: {found:?}"), found.as_deref() == Some(expected.as_bytes()));
    for word in ["=?UTF-8?B?YWJj?=", "=?UTF-8?Q?actually-ascii?="] {
        table.check(word, through_a_query(word) == word);
    }
}

/// Recorded: test_system_metadata_with_unicode (Cache-Control, Content-Disposition); of the others inferred.
#[test]
fn other_headers_come_back_as_they_went_in() {
    let mut table = Table::default();
    for name in [
        "Cache-Control",
        "Content-Disposition",
        "Content-Encoding",
        "Content-Language",
        "Content-Type",
        "Expires",
        "x-amz-website-redirect-location",
    ] {
        // A redirect is signed with its text, and only UTF-8 is a text here.
        let values = ["/\u{c4}M\u{c4}Z\u{d5}\u{d1} S3".as_bytes(), "/=?UTF-8?Q?a?=".as_bytes(), b"/caf\xe9"];
        let count = if name.starts_with("x-amz-") { 2 } else { 3 };
        for value in &values[..count] {
            let path = unique("bytes-of-headers");
            let case = format!("{name}: {}", value.escape_ascii());
            table.status(&case, &put(&path, name, value), 200);
            let found = shown(&path, name).unwrap_or_default();
            table.check(&format!("{case}: found {}", found.escape_ascii()), found == *value);
        }
    }
}

/// Measured: aws-cli#1130, Arsenal#212, s3_website#99.
#[test]
fn redirects_lead_somewhere() {
    let mut table = Table::default();
    let message = "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.";
    let expected = refusal(400, "InvalidRedirectLocation", message, &[]);
    for place in ["foo", "ftp://host/", "", "HTTP://host"] {
        let response = put(&unique("redirect"), "x-amz-website-redirect-location", place.as_bytes());
        table.refused(place, &response, &expected);
    }
    for place in ["/foo", "http://host/", "https://host/"] {
        let response = put(&unique("redirect"), "x-amz-website-redirect-location", place.as_bytes());
        table.status(place, &response, 200);
    }
}

/// Inferred: metadata of uploads and copies is read and shown like that of a PUT.
#[test]
fn metadata_of_uploads_and_copies() {
    let mut table = Table::default();
    let path = unique("meta-upload");
    let create =
        Request::new("POST", &format!("{path}?uploads")).header("x-amz-meta-m", "=?UTF-8?Q?=C3=A9?=");
    let created = create.header("x-amz-meta-n", "=?UTF-8?B?YWJj?=").body("").sign().send().expect(200);
    let id = created.element("UploadId").expect("an id");
    let etag = crate::multipart::part(&path, &id, 1, b"x");
    let part = format!("<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>");
    crate::multipart::complete(&path, &id, &part).expect(200);
    let copied = unique("meta-copy");
    let copy = Request::new("PUT", &copied).header("x-amz-copy-source", &path).sign().send();
    table.status("a copy", &copy, 200);
    let replaced = unique("meta-replaced");
    let copy = Request::new("PUT", &replaced).header("x-amz-copy-source", &path);
    let copy = copy.header("x-amz-metadata-directive", "REPLACE").header("x-amz-meta-n", "=?UTF-8?B?YWJj?=");
    let copy = copy.header("x-amz-meta-m", "=?UTF-8?Q?=C3=A9?=").sign().send();
    table.status("a replacing copy", &copy, 200);
    for path in [path, copied, replaced] {
        for (name, expected) in [("x-amz-meta-m", "=?UTF-8?B?w6k=?="), ("x-amz-meta-n", "abc")] {
            let found = shown(&path, name);
            let case = format!("{path} {name}: {found:?}");
            table.check(&case, found.as_deref() == Some(expected.as_bytes()));
        }
    }
}
