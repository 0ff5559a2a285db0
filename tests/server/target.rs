//! Forms of a path and the key they mean, and targets that are none.

use crate::check::{Table, refusal};
use crate::harness::unique;
use crate::sign::{Sign as _, Signer};
use crate::wire::{Connection, Request};

/// The keys below a prefix, as a listing shows them.
fn keys(prefix: &str) -> Vec<String> {
    let target = format!("/bucket1?list-type=2&prefix={}", crate::sign::escape(prefix));
    let list = Request::new("GET", &target).sign().send().expect(200).text();
    let parts = list.split("<Key>").skip(1).map(|part| part.split("</Key>").next().expect("an end"));
    parts.map(crate::wire::unescape).collect()
}

#[test]
fn every_form_of_a_path_is_one_key() {
    let mut table = Table::default();
    for (sent, canonical, key) in [
        ("a+b", "a%20b", "a b"),
        ("a%2Bb", "a%2Bb", "a+b"),
        ("a%2bb", "a%2Bb", "a+b"),
        ("x%2fy", "x/y", "x/y"),
        ("x%2Fy", "x/y", "x/y"),
        ("%7E%41%2d", "~A-", "~A-"),
        (":@!'(*)$,;=", "%3A%40%21%27%28%2A%29%24%2C%3B%3D", ":@!'(*)$,;="),
        ("/a", "/a", "/a"),
        ("a//b/", "a//b/", "a//b/"),
        ("./a/../b/.", "./a/../b/.", "./a/../b/."),
        ("%2e%2e/%2E", "../.", "../."),
        ("caf%c3%a9", "caf%C3%A9", "caf\u{e9}"),
        ("e%CC%81", "e%CC%81", "e\u{301}"),
        ("%F0%9F%98%80", "%F0%9F%98%80", "\u{1f600}"),
        ("%25", "%25", "%"),
        ("%2541", "%2541", "%41"),
        ("%3F%23%26", "%3F%23%26", "?#&"),
        ("%01%0A%7f", "%01%0A%7F", "\u{1}\n\u{7f}"),
        ("%22%3C%3E%5C%5E%60%7B%7C%7D", "%22%3C%3E%5C%5E%60%7B%7C%7D", "\"<>\\^`{|}"),
    ] {
        for header in [true, false] {
            let folder = unique("form");
            let put = Request::new("PUT", &format!("{folder}/{sent}")).body("x");
            let signer = Signer::target(&format!("{folder}/{canonical}"));
            let put = if header { put.sign_with(&signer) } else { put.presign_with(&signer) };
            table.status(&format!("{sent} header {header}"), &put.send(), 200);
            let prefix = format!("{}/", folder.trim_start_matches("/bucket1/"));
            let found = keys(&prefix);
            table.check(&format!("{sent}: {found:?}"), found == [format!("{prefix}{key}")]);
            let head = Request::new("HEAD", &format!("{folder}/{canonical}")).sign().send();
            table.status(&format!("{canonical} is the same"), &head, 200);
        }
    }
    let path = unique("split").replacen("/bucket1/", "/bucket1%2F", 1);
    let plain = path.replace("%2F", "/");
    let put = Request::new("PUT", &path).body("x").sign_with(&Signer::target(&plain));
    table.status("an escaped slash behind the bucket", &put.send(), 200);
    table.status("is a slash", &Request::new("HEAD", &plain).sign().send(), 200);
}

#[test]
fn keys_have_a_longest() {
    let mut table = Table::default();
    let start = unique("long");
    let used = start.len() - "/bucket1/".len();
    for (case, target) in [
        ("1024 bytes", format!("{start}{}", "k".repeat(1024 - used))),
        ("1024 bytes, escaped", format!("{start}{}{}", "%C3%A9".repeat(500), "k".repeat(24 - used))),
    ] {
        table.status(case, &Request::new("PUT", &target).body("x").sign().send(), 200);
        table.status(case, &Request::new("GET", &target).presign().send(), 200);
    }
    for (case, target, size) in [
        ("1025 bytes", format!("{start}{}", "k".repeat(1025 - used)), "1025"),
        ("1025 bytes, escaped", format!("{start}{}{}", "%C3%A9".repeat(500), "k".repeat(25 - used)), "1025"),
        ("5000 bytes", format!("{start}{}", "k".repeat(5000 - used)), "5000"),
    ] {
        let elements = [("Size", size), ("MaxSizeAllowed", "1024")];
        let expected = refusal(400, "KeyTooLongError", "Your key is too long", &elements);
        table.refused(case, &Request::new("PUT", &target).body("x").sign().send(), &expected);
        table.refused(case, &Request::new("GET", &target).presign().send(), &expected);
    }
}

#[test]
fn broken_escapes_get_a_bare_answer() {
    let mut table = Table::default();
    for target in [
        "/bucket1/%ZZ",
        "/bucket1/%&%",
        "/bucket1/%",
        "/bucket1/a%4",
        "/bucket1/%4G",
        "/%zz/k",
        "/bucket1?prefix=%ZZ",
        "/bucket1/k?x=%",
        "/bucket1/%u1234",
    ] {
        for method in ["GET", "PUT", "HEAD"] {
            let request = Request::new(method, target).body("");
            let mut connection = Connection::open(request.address);
            connection.write(&request.head());
            let response = connection.response(method);
            // The length of an answer to HEAD may be left out: RFC 9110 9.3.2.
            let right = response.status == 400
                && response.reason == "Invalid URI: isHexDigit"
                && (response.header("content-length") == Some("0") || method == "HEAD")
                && response.header("connection") == Some("close")
                && response.body.is_empty();
            table.check(&format!("{method} {target}: {response:?}"), right);
            table.check(&format!("{method} {target}: the connection is closed"), connection.is_closed());
        }
    }
}

#[test]
fn bytes_that_are_no_text() {
    let mut table = Table::default();
    for path in [
        "/bucket1/%FF",
        "/bucket1/%00",
        "/bucket1/a%00b",
        "/bucket1/%C3",
        "/bucket1/%ED%A0%80",
        "/bucket1/%C0%AF",
    ] {
        let elements = [("URI", path)];
        let expected = refusal(400, "InvalidURI", "Couldn't parse the specified URI.", &elements);
        table.refused(path, &Request::new("PUT", path).body("x").sign().send(), &expected);
        table.refused(path, &Request::new("GET", path).presign().send(), &expected);
    }
    for query in ["prefix=%FF", "prefix=%00", "%FF"] {
        let response = Request::new("GET", "/bucket1").add_query(query).send();
        let right = response.status == 400
            && (response.body.is_empty() || response.element("Code").as_deref() == Some("InvalidURI"));
        table.check(&format!("{query}: {} {}", response.status, response.text()), right);
    }
}

#[test]
fn names_that_no_bucket_has() {
    let mut table = Table::default();
    let long = "b".repeat(64);
    for name in [
        "ab",
        "B-upper",
        "under_score",
        "-front",
        "back-",
        ".front",
        "back.",
        "two..dots",
        "192.168.0.1",
        "xn--bucket",
        "sthree-bucket",
        "bucket-s3alias",
        "bucket--ol-s3",
        &long,
        "sp%20ace",
        "a%C3%A9b",
        "a%2A%2A",
    ] {
        for method in ["PUT", "GET", "HEAD", "DELETE"] {
            let response = Request::new(method, &format!("/{name}")).sign().send();
            table.status(&format!("{method} {name}"), &response, 400);
            if method != "HEAD" {
                let decoded = name.replace("%20", " ").replace("%C3%A9", "\u{e9}").replace("%2A", "*");
                let elements = [("BucketName", decoded.as_str())];
                let expected =
                    refusal(400, "InvalidBucketName", "The specified bucket is not valid.", &elements);
                table.refused(&format!("{method} {name}"), &response, &expected);
            }
        }
        let put = Request::new("PUT", &format!("/{name}/key")).body("x").sign().send();
        table.check(
            &format!("an object in {name}"),
            put.element("Code").as_deref() == Some("InvalidBucketName"),
        );
    }
    let fits = "b".repeat(63);
    table.status("63 letters", &Request::new("PUT", &format!("/{fits}")).sign().send(), 200);
    table.status("and gone", &Request::new("DELETE", &format!("/{fits}")).sign().send(), 204);
    let virtual_hosted = Request::new("GET", "/").set("Host", "under_score.localhost").sign().send();
    let code = virtual_hosted.element("Code");
    table.check("in the host", code.as_deref() == Some("InvalidBucketName"));
}

#[test]
fn absolute_targets() {
    let mut table = Table::default();
    let path = unique("absolute");
    crate::check::given(&path, "x");
    let host = Request::new("GET", &path).value("host").to_owned();
    for (authority, header) in [(host.as_str(), host.as_str()), (&host, "other.test"), ("a.test:1", "b.test")]
    {
        let get = Request::new("GET", &path).set("Host", authority).sign().set("Host", header);
        let get = get.edit("/bucket1", &format!("http://{authority}/bucket1"));
        table.status(&format!("{authority}, Host: {header}"), &get.send(), 200);
    }
    let get =
        Request::new("GET", path.trim_start_matches("/bucket1")).set("Host", "bucket1.localhost").sign();
    let target = format!("http://bucket1.localhost{}", get.target);
    let mut get = get.set("Host", "other.test");
    get.target = target;
    table.status("a bucket in the authority", &get.send(), 200);
}
