//! No operation is found by what is absent: a word that selects one, and a header that changes what is done, are
//! carried out or refused by name.

use crate::check::{Table, assert_stored, given, refusal};
use crate::harness::unique;
use crate::sign::Sign as _;
use crate::wire::{Request, Response};

const HEADER: &str = "A header you provided implies functionality that is not implemented";

/// Whether a refusal is a 501 that names this word.
fn names(response: &Response, word: &str) -> bool {
    response.status == 501
        && response.element("Code").as_deref() == Some("NotImplemented")
        && response.element("additionalMessage").is_some_and(|message| message.contains(word))
}

/// Decided: S3 does these, and they are to be refused by name; botocore's `service-2.json` has them since 2026-06.
#[test]
fn sub_resources_of_objects_that_are_not_done() {
    let mut table = Table::default();
    let path = unique("words");
    given(&path, "kept");
    for (method, query, word) in [
        ("PUT", "annotation&annotationName=n", "annotation"),
        ("PUT", "annotation=&annotationName=n", "annotation"),
        ("DELETE", "annotation&annotationName=n", "annotation"),
        ("DELETE", "annotation", "annotation"),
        ("GET", "annotation", "annotation"),
        ("GET", "annotation&annotationName=n", "annotation"),
        ("PUT", "encryption", "encryption"),
        ("PUT", "acl", "acl"),
        ("PUT", "retention", "retention"),
        ("PUT", "legal-hold", "legal-hold"),
        ("PUT", "renameObject", "renameObject"),
        ("POST", "restore", "restore"),
        ("POST", "select&select-type=2", "select"),
        ("GET", "torrent", "torrent"),
        // Sub-resources of buckets, which S3 answers at the path of a key, too.
        ("PUT", "policy", "policy"),
        ("DELETE", "policy", "policy"),
        ("DELETE", "lifecycle", "lifecycle"),
        ("PUT", "versioning", "versioning"),
        ("GET", "location", "location"),
        // What S3 may be given tomorrow.
        ("PUT", "tomorrow", "tomorrow"),
        ("PUT", "tomorrow=", "tomorrow"),
        ("PUT", "a=1&tomorrow", "tomorrow"),
        ("DELETE", "tomorrow", "tomorrow"),
        ("DELETE", "tomorrow=&versionId=null", "tomorrow"),
    ] {
        let case = format!("{method} ?{query}");
        let request = || Request::new(method, &path).add_query(query);
        for request in [request().presign().body("another"), request().body("another").sign()] {
            let response = request.send();
            table.check(&format!("{case}: {} {}", response.status, response.text()), names(&response, word));
        }
    }
    assert_stored(&path, "kept");
}

/// Decided, as above; S3 ignores a parameter that it does not know and that has a value.
#[test]
fn parameters_that_select_nothing() {
    let mut table = Table::default();
    let path = unique("ignored");
    for query in ["foo=1", "x-foo", "x-foo=", "X-Amz-Foo=", "x-id=PutObject", "prefix=", "Content-Type="] {
        table.status(query, &Request::new("PUT", &path).add_query(query).presign().body("x").send(), 200);
    }
    for query in ["tomorrow", "tomorrow=", "foo=1&bar"] {
        for method in ["GET", "HEAD"] {
            let response = Request::new(method, &path).add_query(query).presign().send();
            table.status(&format!("{method} {query}"), &response, 200);
        }
    }
    table.status("a listing", &Request::new("GET", "/bucket1").add_query("tomorrow").presign().send(), 200);
    table.status("DELETE ?foo=1", &Request::new("DELETE", &path).add_query("foo=1").presign().send(), 204);
}

/// Decided, as above, of buckets.
#[test]
fn sub_resources_of_buckets_that_are_not_done() {
    let mut table = Table::default();
    let bucket = "/bucket1";
    for word in
        ["abac", "metadataTable", "metadataConfiguration", "acl", "policy", "cors", "website", "encryption"]
    {
        for method in ["GET", "PUT"] {
            // Metadata tables are made by POST, and have no PUT.
            if word.starts_with("metadata") && method == "PUT" {
                continue;
            }
            let response = Request::new(method, bucket).add_query(word).body("<a/>").sign().send();
            let case = format!("{method} ?{word}: {} {}", response.status, response.text());
            table.check(&case, names(&response, word));
        }
    }
    for (method, word) in [
        ("PUT", "metadataJournalTable"),
        ("PUT", "metadataInventoryTable"),
        ("PUT", "metadataAnnotationTable"),
        ("POST", "metadataTable"),
        ("DELETE", "metadataConfiguration"),
        ("DELETE", "tomorrow"),
        ("PUT", "tomorrow"),
        ("POST", "tomorrow"),
    ] {
        let response = Request::new(method, bucket).add_query(word).body("").sign().send();
        table.check(&format!("{method} ?{word}: {}", response.text()), names(&response, word));
    }
    table.status("the bucket", &Request::new("HEAD", bucket).sign().send(), 200);
}

/// Decided: with V2 a word that selects an operation is signed, so that nobody can add one.
#[test]
fn words_are_signed_in_v2() {
    let mut table = Table::default();
    let path = unique("words-v2");
    given(&path, "kept");
    for word in ["annotation", "encryption", "tagging", "attributes", "abac", "metadataTable", "renameObject"]
    {
        let put = Request::new("PUT", &path).presign_v2(&format!("PUT\n\n\n{{}}\n{path}"), 600);
        let response = put.add_query(word).body("x").send();
        table
            .check(&format!("{word} added: {}", response.text()), [403, 405, 501].contains(&response.status));
        let get = Request::new("GET", &path).presign_v2(&format!("GET\n\n\n{{}}\n{path}?{word}"), 600);
        table.status(&format!("{word} taken away"), &get.send(), 403);
    }
    assert_stored(&path, "kept");
}

/// Recorded: test_delete_object_if_match_size_non_express, test_delete_object_if_match_modified_non_express,
/// test_delete_object_if_match_all_non_express, which have no additionalMessage; of the others decided alike.
#[test]
fn headers_that_change_what_is_done() {
    let mut table = Table::default();
    let path = unique("headers");
    given(&path, "kept");
    let date = "Tue, 01 Jan 2030 00:00:00 GMT";
    for (method, headers, name) in [
        ("DELETE", &[("x-amz-if-match-size", "99")][..], "x-amz-if-match-size"),
        ("DELETE", &[("x-amz-if-match-last-modified-time", date)], "x-amz-if-match-last-modified-time"),
        (
            "DELETE",
            &[
                ("x-amz-if-match-size", "4"),
                ("x-amz-if-match-last-modified-time", date),
                ("If-Match", "\"badvalue\""),
            ],
            "x-amz-if-match-last-modified-time",
        ),
        ("DELETE", &[("x-amz-object-if-match", "\"a\"")], "x-amz-object-if-match"),
        ("PUT", &[("x-amz-object-if-match", "\"a\"")], "x-amz-object-if-match"),
        ("PUT", &[("x-amz-rename-source", "/bucket1/other")], "x-amz-rename-source"),
        ("PUT", &[("x-amz-write-offset-bytes", "4")], "x-amz-write-offset-bytes"),
        ("PUT", &[("x-amz-server-side-encryption", "AES256")], "x-amz-server-side-encryption"),
        ("PUT", &[("x-amz-object-lock-event-hold", "ON")], "x-amz-object-lock-event-hold"),
        ("PUT", &[("Content-Range", "bytes 0-3/8")], "content-range"),
        ("PUT", &[("If-Modified-Since", date)], "if-modified-since"),
        ("DELETE", &[("If-Unmodified-Since", date)], "if-unmodified-since"),
    ] {
        let elements = [("Header", name)];
        let response = Request::new(method, &path).headers(headers).body("another").sign().send();
        table.refused(name, &response, &refusal(501, "NotImplemented", HEADER, &elements));
    }
    let hoisted = Request::new("DELETE", &path).add_query("x-amz-if-match-size=99").presign().send();
    let elements = [("Header", "x-amz-if-match-size")];
    table.refused("in the query", &hoisted, &refusal(501, "NotImplemented", HEADER, &elements));
    assert_stored(&path, "kept");
    let id = crate::multipart::create(&path);
    let abort = Request::new("DELETE", &format!("{path}?uploadId={id}"));
    let response = abort.header("x-amz-if-match-initiated-time", date).sign().send();
    let elements = [("Header", "x-amz-if-match-initiated-time")];
    table.refused("an abort", &response, &refusal(501, "NotImplemented", HEADER, &elements));
    let list = Request::new("GET", &format!("{path}?uploadId={id}")).sign().send();
    table.status("the upload is there", &list, 200);
}

/// Decided: what is harmless is passed over, what asks for nothing else than is done is taken.
#[test]
fn headers_that_change_nothing() {
    let mut table = Table::default();
    for (name, value) in [
        ("x-amz-request-payer", "requester"),
        ("x-amz-bypass-governance-retention", "true"),
        ("x-amz-mfa", "serial 123456"),
        ("x-amz-tomorrow", "x"),
    ] {
        let path = unique("harmless");
        table.status(name, &Request::new("PUT", &path).header(name, value).body("x").sign().send(), 200);
        table.status(name, &Request::new("DELETE", &path).header(name, value).sign().send(), 204);
    }
    let create = |name: &str, headers: &[(&str, &str)]| {
        Request::new("PUT", name).headers(headers).body("").sign().send()
    };
    table.status("global", &create("/namespace-global", &[("x-amz-bucket-namespace", "global")]), 200);
    let response = create("/namespace-own", &[("x-amz-bucket-namespace", "account-regional")]);
    let elements = [("Header", "x-amz-bucket-namespace")];
    table.refused("a namespace", &response, &refusal(501, "NotImplemented", HEADER, &elements));
    table.status("not made", &Request::new("HEAD", "/namespace-own").sign().send(), 404);
}
