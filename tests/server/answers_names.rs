//! Names of response headers, as they stand on the wire: standard ones spelled as S3 spells them, `x-amz-*` in
//! lower case.
//!
//! Names are case-insensitive, but htslib looks for `ETag: "` in the raw head and loses an upload without it, and
//! JetS3t misses `Last-Modified`. The sample answers of the API reference are what they were written for.

use crate::check::{Table, given};
use crate::harness::unique;
use crate::sign::{Sign as _, Signer, http_date, time_at};
use crate::versions::{bucket, versioned};
use crate::wire::{Connection, Request, Response};

/// How S3 spells a name.
fn spelling(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "etag" => return "ETag".to_owned(),
        "www-authenticate" => return "WWW-Authenticate".to_owned(),
        "content-md5" => return "Content-MD5".to_owned(),
        _ if name.starts_with("x-amz-") => return name,
        _ => {}
    }
    let word = |word: &str| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

/// Checks how every name of an answer is spelled, and that these are among them.
fn spelled(table: &mut Table, case: &str, response: &Response, status: u16, names: &[&str]) {
    table.status(case, response, status);
    let wrong: Vec<&String> = response.names.iter().filter(|name| **name != spelling(name)).collect();
    table.check(&format!("{case}: spelled {wrong:?}"), wrong.is_empty());
    let common = ["Date", "Server", "x-amz-request-id", "x-amz-id-2"];
    for name in names.iter().chain(&common) {
        let there = response.header(&name.to_ascii_lowercase()).is_some();
        table.check(&format!("{case}: no {name} in {:?}", response.names), there);
    }
}

/// An object with every header that is kept.
fn described(path: &str) {
    let request = Request::new("PUT", path).headers(&[
        ("Cache-Control", "no-cache"),
        ("Content-Disposition", "attachment"),
        ("Content-Encoding", "identity"),
        ("Content-Language", "en"),
        ("Content-Type", "text/plain"),
        ("Expires", "Thu, 01 Dec 2033 16:00:00 GMT"),
        ("X-Amz-Meta-MiXed-Case", "1"),
        ("x-amz-tagging", "a=1"),
    ]);
    request.body("described").sign().send().expect(200);
}

/// Stated: aws-sdk-java#449, minio#7498, fluent-bit#11201; documented by the samples of GetObject and HeadObject.
#[test]
fn names_of_reads() {
    let mut table = Table::default();
    let path = unique("names-read");
    described(&path);
    let send =
        |method: &str, headers: &[(&str, &str)]| Request::new(method, &path).headers(headers).sign().send();
    let all = [
        "Accept-Ranges",
        "Cache-Control",
        "Content-Disposition",
        "Content-Encoding",
        "Content-Language",
        "Content-Length",
        "Content-Type",
        "ETag",
        "Expires",
        "Last-Modified",
        "x-amz-meta-mixed-case",
        "x-amz-tagging-count",
    ];
    let checksum = [("x-amz-checksum-mode", "ENABLED")];
    let ranged = ["Content-Range", "Content-Length", "ETag", "Last-Modified", "Accept-Ranges"];
    for method in ["GET", "HEAD"] {
        let whole = send(method, &checksum);
        spelled(&mut table, &format!("{method} 200"), &whole, 200, &all);
        let part = send(method, &[("Range", "bytes=0-3")]);
        spelled(&mut table, &format!("{method} 206"), &part, 206, &ranged);
        let same = send(method, &[("If-None-Match", "*")]);
        spelled(&mut table, &format!("{method} 304"), &same, 304, &["ETag", "Last-Modified"]);
        let later = send(method, &[("If-Modified-Since", &http_date(time_at(0)))]);
        spelled(&mut table, &format!("{method} 304 by date"), &later, 304, &["ETag", "Last-Modified"]);
        let failed = send(method, &[("If-Match", "\"other\"")]);
        spelled(&mut table, &format!("{method} 412"), &failed, 412, &["Content-Type"]);
        let beyond = send(method, &[("Range", "bytes=100-")]);
        spelled(&mut table, &format!("{method} 416"), &beyond, 416, &["Content-Type"]);
        let url = "response-content-type=a%2Fb&response-cache-control=c&response-content-disposition=d&response-content-language=e&response-expires=f&response-content-encoding=g";
        let named = Request::new(method, &format!("{path}?{url}")).presign().send();
        spelled(&mut table, &format!("{method} with names of its own"), &named, 200, &all);
    }
    let attributes = Request::new("GET", &format!("{path}?attributes="));
    let attributes = attributes.header("x-amz-object-attributes", "ETag").sign().send();
    spelled(&mut table, "attributes", &attributes, 200, &["Last-Modified", "Content-Type"]);
}

/// Run: samtools 1.16 to 1.22 look for `ETag: "` in the answer of UploadPart; stated: fluent-bit#11207.
#[test]
fn names_of_writes() {
    let mut table = Table::default();
    let path = unique("names-write");
    let put = Request::new("PUT", &path).body("x").sign().send();
    spelled(&mut table, "PUT", &put, 200, &["ETag", "Content-Length"]);
    let create = Request::new("POST", &format!("{path}?uploads=")).body("").sign().send();
    spelled(&mut table, "create", &create, 200, &["Content-Type"]);
    let id = create.element("UploadId").expect("an id");
    let target = format!("{path}?partNumber=1&uploadId={id}");
    let part = Request::new("PUT", &target).body("x").sign().send();
    spelled(&mut table, "a part", &part, 200, &["ETag", "Content-Length"]);
    let named = format!(
        "<Part><PartNumber>1</PartNumber><ETag>{}</ETag></Part>",
        part.header("etag").expect("a tag")
    );
    let list = Request::new("GET", &format!("{path}?uploadId={id}")).sign().send();
    spelled(&mut table, "the parts", &list, 200, &["Content-Type"]);
    let done = crate::multipart::complete(&path, &id, &named);
    spelled(&mut table, "complete", &done, 200, &["Content-Type"]);
    let copy = Request::new("PUT", &format!("{path}-copy")).header("x-amz-copy-source", &path).sign().send();
    spelled(&mut table, "a copy", &copy, 200, &["Content-Type"]);
    let delete = Request::new("DELETE", &path).sign().send();
    spelled(&mut table, "DELETE", &delete, 204, &[]);
    let many = "<Delete><Object><Key>a</Key></Object></Delete>";
    let many = Request::new("POST", "/bucket1?delete=").document(many).sign().send();
    spelled(&mut table, "many", &many, 200, &["Content-Type"]);
    let chunked = Request::new("PUT", &path).header("Expect", "100-continue").header("Content-Length", "1");
    let chunked = chunked.sign_with(&Signer::payload("UNSIGNED-PAYLOAD"));
    let mut connection = Connection::open(chunked.address);
    connection.write(&chunked.head());
    let interim = connection.response("PUT");
    table.status("interim", &interim, 100);
    connection.write(b"x");
    spelled(&mut table, "after an interim answer", &connection.response("PUT"), 200, &["ETag"]);
}

/// Documented by the samples of CreateBucket and HeadBucket; stated: gpdb#12442 (`grep '^ETag'` and the like).
#[test]
fn names_of_buckets() {
    let mut table = Table::default();
    let name = "/names-of-buckets";
    let made = Request::new("PUT", name).sign().send();
    spelled(&mut table, "made", &made, 200, &["Location", "Content-Length"]);
    let send = |method: &str, target: &str| Request::new(method, target).sign().send();
    spelled(&mut table, "HEAD", &send("HEAD", name), 200, &["x-amz-bucket-region"]);
    spelled(&mut table, "listed", &send("GET", name), 200, &["Content-Type"]);
    for query in ["list-type=2", "versions=", "uploads=", "location=", "versioning="] {
        let found = send("GET", &format!("{name}?{query}"));
        spelled(&mut table, query, &found, 200, &["Content-Type"]);
    }
    spelled(&mut table, "all buckets", &send("GET", "/"), 200, &["Content-Type"]);
    versioned("/names-of-versions");
    given("/names-of-versions/key", "x");
    let marker = send("DELETE", "/names-of-versions/key");
    let names = ["x-amz-delete-marker", "x-amz-version-id"];
    spelled(&mut table, "a marker", &marker, 204, &names);
    spelled(&mut table, "behind it", &send("GET", "/names-of-versions/key"), 404, &names);
    spelled(&mut table, "behind it, HEAD", &send("HEAD", "/names-of-versions/key"), 404, &names);
    spelled(&mut table, "removed", &send("DELETE", name), 204, &[]);
}

/// Inferred: the same layer writes them on S3, and `Allow` is a standard name (measured by HEAD ?location).
#[test]
fn names_of_refusals() {
    let mut table = Table::default();
    let path = unique("names-refused");
    let send = |method: &str, target: &str| Request::new(method, target).sign().send();
    for method in ["GET", "HEAD"] {
        spelled(&mut table, &format!("{method} 404"), &send(method, &path), 404, &["Content-Type"]);
        let unsigned = Request::new(method, &path).send();
        spelled(&mut table, &format!("{method} 403"), &unsigned, 403, &["Content-Type"]);
        let none = send(method, "/names-no-such-bucket");
        spelled(&mut table, &format!("{method} no bucket"), &none, 404, &["Content-Type"]);
    }
    let patched = send("PATCH", &path);
    spelled(&mut table, "405", &patched, 405, &["Allow", "Content-Type"]);
    let other =
        Request::new("GET", "/bucket1").sign_with(&Signer { region: "eu-west-1", ..Signer::default() });
    spelled(&mut table, "another region", &other.send(), 400, &["Content-Type"]);
    let undone = send("PUT", "/bucket1?website=");
    spelled(&mut table, "501", &undone, 501, &["Content-Type"]);
    let large = Request::new("GET", "/bucket1").header("X-Large", &"a".repeat(33_000)).send();
    spelled(&mut table, "a large head", &large, 400, &["Content-Type"]);
    let target = send("GET", "/bucket1/%zz");
    spelled(&mut table, "no target", &target, 400, &["Connection"]);
}

/// Documented: every sample of the API reference has `Connection: close` so.
#[test]
fn names_below_the_answer() {
    let mut table = Table::default();
    let path = unique("names-connection");
    given(&path, "x");
    for method in ["GET", "HEAD"] {
        let last = Request::new(method, &path).header("Connection", "close").sign().send();
        spelled(&mut table, &format!("the last {method}"), &last, 200, &["Connection", "ETag"]);
    }
    // Two answers on one connection: what the first was written with is there for the second.
    let get = Request::new("GET", &path).sign();
    let mut connection = Connection::open(get.address);
    for case in ["first", "second"] {
        connection.write(&get.head());
        let names = ["ETag", "Last-Modified", "Content-Length"];
        spelled(&mut table, case, &connection.response("GET"), 200, &names);
    }
    // A request in odd case does not decide how the answer is written.
    let odd = Request::new("GET", &path).header("eTAG", "x").header("CONTENT-TYPE", "a/b").sign();
    spelled(&mut table, "an odd request", &odd.send(), 200, &["ETag", "Content-Type"]);
    bucket("/names-chunked");
    for number in 0..40 {
        given(&format!("/names-chunked/{number}-{}", "k".repeat(900)), "");
    }
    let long = Request::new("GET", "/names-chunked").sign().send();
    let length = ["content-length", "transfer-encoding"].into_iter().any(|name| long.header(name).is_some());
    table.check(&format!("a long listing: {:?}", long.names), length);
    spelled(&mut table, "a long listing", &long, 200, &["Content-Type"]);
}
